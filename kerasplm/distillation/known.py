"""The teacher's answers to all features: asked once, kept on the disk."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from kerasplm.distillation.answers import answers, is_number
from kerasplm.distillation.batches import TARGET, TEACHER
from kerasplm.files import write_arrays
from kerasplm.task_models import TaskModel
from kerasplm.task_models.choice import NO_CHOICE
from kerasplm.tasks.features import Features
from kerasplm.tasks.graphs import Graph, each
from kerasplm.tasks.targets import Targets, places_in

# Raise it whenever the same teacher gives other files.
_LAYOUT = 1
_BROKEN = (OSError, ValueError, KeyError, EOFError, BadZipFile)
# Answers that have one entry for each token.
_BY_TOKEN = ("tagging", "span")
_OF_FEATURE = ("answerable_logit",)


@dataclasses.dataclass(frozen=True)
class Known:
    """One answer to every feature, one after the other without padding.

    Args:
        values: (entries of all features, ...) float32.
        starts: (features + 1,), where each begins.
    """

    values: np.ndarray
    starts: np.ndarray

    def batch(self, chosen: np.ndarray, width: int | None) -> np.ndarray:
        """Return (B, width, ...); None takes the most entries of one of them."""
        at, mask = places_in(self.starts, chosen)
        width = mask.shape[1] if width is None else width
        out = np.zeros((len(chosen), width, *self.values.shape[1:]), "float32")
        out[:, : mask.shape[1]][mask] = self.values[at]
        return out


@dataclasses.dataclass(frozen=True)
class KnownTargets(Targets):
    """The targets of a task, and what the teacher answers.

    Args:
        given: The targets of the task.
        known: The teacher's answers by name.
        by_token: Whether they have an entry for each token.
    """

    given: Targets
    known: dict[str, Known]
    by_token: bool

    @property
    def teacher(self) -> tuple[str, ...]:  # type: ignore[override]
        """As for the targets of the task."""
        return self.given.teacher

    @property
    def signature(self) -> Any:
        """Shapes and types of a batch."""
        found = self._named(self.given.signature)
        for name, one in self.known.items():
            shape = [None, None, *one.values.shape[1:]]
            found[f"{TEACHER}/{name}"] = tf.TensorSpec(shape, tf.float32)
        return found

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return both in one dictionary."""
        found = self._named(self.given.batch(chosen, length, rng))
        for name, one in self.known.items():
            tokens = self.by_token and name not in _OF_FEATURE
            found[f"{TEACHER}/{name}"] = one.batch(chosen, length if tokens else None)
        return found

    def _named(self, values: Any) -> dict[str, Any]:
        return dict(values) if isinstance(values, dict) else {TARGET: values}


def with_known_answers(
    features: Features,
    teacher: TaskModel,
    batch_size: int,
    folder: Path | None = None,
    digest: str = "",
) -> Features:
    """Return the features with the teacher's answers among their targets.

    Args:
        features: With targets.
        teacher: Asked without dropout.
        batch_size: Of the questions.
        folder: Where answers are kept, by a hash of teacher and features; None keeps
            none.
        digest: Of the teacher, as `kerasplm.run_folder.digest` gives it.
    """
    assert features.targets is not None
    file = None if folder is None else folder / f"{_key(features, digest)}.npz"
    known = None if file is None else _read(file)
    if known is None:
        known = _asked(features, teacher, batch_size)
        if file is not None:
            _write(file, known)
    targets = KnownTargets(features.targets, known, teacher.kind in _BY_TOKEN)
    return dataclasses.replace(features, targets=targets)


def _asked(features: Features, teacher: TaskModel, batch_size: int) -> dict[str, Known]:
    """Run the teacher, little padding computed."""

    def answered(inputs: Any, targets: Any) -> Any:
        outputs = teacher(inputs, training=False)
        if is_number(teacher):
            return {"logits": outputs}
        found = answers(teacher, outputs, inputs)
        return {name: answer.logits for name, answer in found.items()}

    graph = Graph(answered)
    found: dict[str, list[Any]] = {}

    def ask(chosen: np.ndarray) -> Any:
        batch = features.repeatable(chosen)
        return keras.tree.map_structure(
            np.asarray, graph([*features.signature], *batch)
        )

    for chosen, arrays in each(features, batch_size, ask):
        for name, array in arrays.items():
            rows = found.setdefault(name, [None] * len(features))
            for number, row in zip(chosen, array, strict=True):
                rows[number] = _trimmed(teacher, name, row, features, int(number))
    return {name: _flat(rows) for name, rows in found.items()}


def _trimmed(
    teacher: TaskModel, name: str, row: np.ndarray, features: Features, number: int
) -> np.ndarray:
    """Return an answer without what stands for padding."""
    if teacher.kind == "choice":
        return row[row > NO_CHOICE / 2]
    if teacher.kind in _BY_TOKEN and name not in _OF_FEATURE:
        return row[: features.lengths[number]]
    return row


def _flat(rows: list[np.ndarray]) -> Known:
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Known(np.concatenate(rows).astype("float32"), starts.astype("int64"))


def _key(features: Features, digest: str) -> str:
    hashed = hashlib.sha256(f"{_LAYOUT} {digest}".encode())
    for name in ("token_ids", "segment_ids", "starts", "owner", "allowed"):
        array = getattr(features, name)
        if array is not None:
            hashed.update(name.encode() + np.ascontiguousarray(array).tobytes())
    targets: Any = features.targets
    if targets.teacher:  # the teacher sees them
        for field in dataclasses.fields(targets):
            hashed.update(np.ascontiguousarray(getattr(targets, field.name)).tobytes())
    return hashed.hexdigest()


def _read(file: Path) -> dict[str, Known] | None:
    try:
        with np.load(file) as data:
            names = [n.removeprefix("values/") for n in data.files if n[0] == "v"]
            return {
                name: Known(data[f"values/{name}"], data[f"starts/{name}"])
                for name in names
            }
    except FileNotFoundError:
        return None
    except _BROKEN:  # it is made again
        file.unlink(missing_ok=True)
        return None


def _write(file: Path, known: dict[str, Known]) -> None:
    arrays = {f"values/{name}": one.values for name, one in known.items()}
    arrays |= {f"starts/{name}": one.starts for name, one in known.items()}
    write_arrays(file, arrays)
