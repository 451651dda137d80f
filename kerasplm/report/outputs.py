"""What `finetune` leaves in the folder of a run beside the model, for people."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasplm.catalogue import CATALOGUE
from kerasplm.files import write_json, write_json_lines
from kerasplm.report.details import details, prediction_lines
from kerasplm.report.plain import plain
from kerasplm.saving import family_of
from kerasplm.task_models import TaskModel
from kerasplm.tasks.features import Features
from kerasplm.tasks.recipe import identity, sources
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Split, Task

CHOSEN = "chosen for this run"
DEFAULT = "default of kerasplm"


def run_facts(
    model: str | Path,
    network: TaskModel,
    task: Task,
    settings: Settings,
    splits: Mapping[str, Split],
) -> dict[str, Any]:
    """Return what a reader of a run wants to know, as values for JSON.

    Args:
        model: What the user named.
        network: The model on it.
        task: The declaration.
        settings: The choices.
        splits: The rows and their files.

    Returns:
        `model` (name, catalogue, family, parameters), `task`, `data` (files with
        sha256, rows, dropped, repaired, by split), `settings` (value and source of
        each).
    """
    name = model_name(model)
    facts = {
        "model": {
            "name": name,
            "catalogue": name if name in CATALOGUE else None,
            "family": family_of(network, settings.family).name,
            "parameters": network.count_params(),
            "encoder_parameters": network.encoder.count_params(),
        },
        "task": {
            "name": task.name,
            "title": task.title,
            "kind": task.kind,
            "source": task.source,
            "labels": task.labels,
            "metric": task.metric or task.engine.metric,
        },
        "data": {split: _data(found) for split, found in splits.items()},
        "settings": setting_sources(task, settings, model),
    }
    checked: dict[str, Any] = plain(facts)
    return checked


def model_name(model: str | Path) -> str:
    """Return the name of a model for people: of the catalogue, or of its folder.

    A folder or archive that is named like a model of the catalogue is taken for it.
    """
    if str(model).lower() in CATALOGUE:
        return str(model).lower()
    name = Path(model).expanduser().resolve().name
    return name.lower() if name.lower() in CATALOGUE else name


def setting_sources(
    task: Task, settings: Settings, model: str | Path | None
) -> dict[str, dict[str, Any]]:
    """Return every choice of a run, with what it is from.

    Args:
        task: The declaration.
        settings: The choices.
        model: As for `load`; whose recipe would be taken.

    Returns:
        `value` and `source` by the name of the choice, the kind's options among them.
    """
    recipe = _flat(task.settings(model=model, family=settings.family))
    stated, default = sources(task.name, *identity(model, settings.family))
    declared = dict.fromkeys({**task.recipe, **task.options}, f"task, {task.source}")
    known = default | declared | stated
    return {
        name: {
            "value": value,
            "source": CHOSEN if value != recipe[name] else known.get(name, DEFAULT),
        }
        for name, value in _flat(settings).items()
    }


def write_details(
    folder: Path,
    task: Task,
    settings: Settings,
    rows: Sequence[Any],
    features: Features,
    predictions: Sequence[Any],
) -> None:
    """Write `dev_details.json` and `dev_predictions.jsonl`.

    Args:
        folder: Of the run.
        task: The declaration.
        settings: The choices.
        rows: Of the development set.
        features: What was made of them.
        predictions: One per row.
    """
    limit = settings.max_length
    found = details(task, rows, features, predictions, max_length=limit)
    write_json(folder / "dev_details.json", found)
    lines = prediction_lines(task, rows, predictions)
    write_json_lines(folder / "dev_predictions.jsonl", lines)


class EpochLogs(keras.callbacks.TensorBoard):
    """Write the scalars of every epoch for TensorBoard, and nothing else.

    They are on disk before the next epoch begins. A training that goes on writes
    another file in the same folder; TensorBoard shows them as one curve.

    Args:
        folder: Where to write.
    """

    def __init__(self, folder: Path) -> None:
        # Graph and profile cost more than they tell here.
        super().__init__(str(folder), write_graph=False, profile_batch=0)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Do nothing: only epochs are written."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Do nothing: only epochs are written."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the scalars; a process that is killed later loses none."""
        super().on_epoch_end(epoch, logs)
        for writer in self._writers.values():
            writer.flush()


def _flat(settings: Settings) -> dict[str, Any]:
    fields = dataclasses.asdict(settings)
    return fields | fields.pop("options")


def _data(split: Split) -> dict[str, Any]:
    return {
        "files": [
            {
                "name": file.name,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            for file in split.files
        ],
        "rows": len(split),
        "dropped": split.dropped,
        "repaired": split.repaired,
    }
