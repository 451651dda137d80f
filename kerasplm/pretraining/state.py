"""Where a pre-training stands, kept on the disk: the last few states and exports."""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kerasplm.errors import CheckpointError
from kerasplm.files import temporary_folder, write_json
from kerasplm.state_files import load_state, save_state

_STATE = re.compile(r"step-(\d+)\.npz")
_EXPORT = re.compile(r"step-(\d+)")


@dataclasses.dataclass
class Position:
    """How far a pre-training is.

    Args:
        step: Batches that were taken.
        seconds: Time of the training, over all processes that did it.
        tokens: Real tokens that were seen.
        best_step: The checkpoint with the best evaluation.
        best: Its score.
    """

    step: int = 0
    seconds: float = 0.0
    tokens: float = 0.0
    best_step: int | None = None
    best: float | None = None


class Checkpoints:
    """The states and the exported models of one pre-training.

    `state/step-N.npz` holds all variables of model and optimizer and the position:
    the training goes on from the newest one. `checkpoints/step-N/` holds the model
    for every other tool; `checkpoints/best.json` names the best.

    Each file or folder appears when it is complete: it is written under another name
    and renamed. A kill at any moment leaves the state before it or the new one.

    Args:
        folder: The output folder of the training.
        keep: How many to keep of each kind.
        export: Writes the model into a folder.
    """

    def __init__(self, folder: Path, keep: int, export: Callable[[Path], None]) -> None:
        self.states = folder / "state"
        self.exports = folder / "checkpoints"
        self.keep = keep
        self.export = export

    def restore(self, model: keras.Model) -> Position:
        """Put a compiled model into the newest state, if there is one.

        Raises:
            CheckpointError: It is damaged or belongs to another model.
        """
        found = _numbered(self.states, _STATE)
        if not found:
            return Position()
        file = found[max(found)]
        try:
            meta = load_state(file, model)
            return Position(**meta["position"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{file}: damaged training state ({error})"
            ) from error

    def clean(self) -> None:
        """Remove what a killed process left unfinished."""
        for folder in (self.states, self.exports):
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".tmp-*"):
                shutil.rmtree(left, ignore_errors=True)

    def save(self, model: keras.Model, position: Position) -> None:
        """Write model and state, then remove the oldest ones."""
        self._export(position.step)
        if position.best_step is not None:
            best = {
                "step": position.best_step,
                "score": position.best,
                "folder": f"step-{position.best_step:08d}",
            }
            write_json(self.exports / "best.json", best)
        file = self.states / f"step-{position.step:08d}.npz"
        save_state(file, model, {"position": dataclasses.asdict(position)})
        for old in _older(_numbered(self.states, _STATE), self.keep):
            old.unlink()
        exports = _numbered(self.exports, _EXPORT)
        exports.pop(-1 if position.best_step is None else position.best_step, None)
        for old in _older(exports, self.keep):
            self._remove(old)

    def newest(self) -> Path | None:
        """Return the folder of the newest exported model."""
        found = _numbered(self.exports, _EXPORT)
        return found[max(found)] if found else None

    def _export(self, step: int) -> None:
        goal = self.exports / f"step-{step:08d}"
        with temporary_folder(self.exports) as work:
            self.export(work / "new")
            if goal.exists():  # of a process that was killed before it saved its state
                os.replace(goal, work / "old")
            os.replace(work / "new", goal)

    def _remove(self, folder: Path) -> None:
        # Renamed first: what is left under its name is whole.
        with temporary_folder(self.exports) as work:
            os.replace(folder, work / "old")


def _numbered(folder: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    found: dict[int, Any] = {}
    for path in folder.iterdir():
        match = pattern.fullmatch(path.name)
        if match:
            found[int(match.group(1))] = path
    return found


def _older(found: dict[int, Path], keep: int) -> list[Path]:
    return [found[step] for step in sorted(found)[:-keep]]
