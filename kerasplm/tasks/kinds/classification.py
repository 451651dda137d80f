"""Classify texts and pairs of texts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.tasks.features import Features
from kerasplm.tasks.formats.submissions import write_labels
from kerasplm.tasks.kinds.base import Scores, softmax
from kerasplm.tasks.kinds.texts import TextKind, mean_by_owner
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.targets import ClassTargets, Targets

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task


@dataclasses.dataclass(frozen=True, slots=True)
class ClassPrediction:
    """What a classifier says of a text.

    Args:
        label: The class.
        probabilities: (C,) float32, of all classes in the order of the task.
    """

    label: str
    probabilities: np.ndarray


class Classification(TextKind):
    """Texts or pairs with one class each."""

    name = "classification"
    metric = "accuracy"

    def targets(
        self, task: "Task", rows: Sequence[TextRow], owner: np.ndarray
    ) -> Targets:
        """Return the class of each feature."""
        index = {label: n for n, label in enumerate(task.labels)}
        classes = np.array([index[str(row.label)] for row in rows], "int32")
        return ClassTargets(classes[owner])

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the probabilities of each feature."""
        return list(softmax(outputs))

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Average over the windows of a text; decide the rows of a group together."""
        mean = mean_by_owner(np.stack(found), features.owner, len(rows))
        best = mean.argmax(-1)
        groups: dict[Any, list[int]] = {}
        for n, row in enumerate(rows):
            if row.group is not None:
                groups.setdefault(row.group, []).append(n)
        for members in groups.values():
            # The candidate with the highest probability of the last class has it.
            best[members] = 0
            best[members[int(mean[members, -1].argmax())]] = len(task.labels) - 1
        return [
            ClassPrediction(task.labels[b], row)
            for b, row in zip(best, mean, strict=True)
        ]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return accuracy, and the share of the most frequent label."""
        labels = [str(row.label) for row in rows]
        right = [p.label == label for p, label in zip(predictions, labels, strict=True)]
        _, counts = np.unique(labels, return_counts=True)
        return {
            "accuracy": float(np.mean(right)),
            "majority": float(counts.max() / len(rows)),
            "examples": len(rows),
        }

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return the cross-entropy of each row."""
        index = {label: n for n, label in enumerate(task.labels)}
        chosen = [
            p.probabilities[index[str(row.label)]]
            for row, p in zip(rows, predictions, strict=True)
        ]
        return -np.log(np.maximum(chosen, 1e-30))

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id, label and probabilities."""
        shares = (round(float(p), 6) for p in prediction.probabilities)
        return {
            "id": row.id,
            "label": prediction.label,
            "probabilities": dict(zip(task.labels, shares, strict=True)),
        }

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write CLUE's lines; of a group the place of the row that was chosen."""
        labels = [prediction.label for prediction in predictions]
        if rows and rows[0].group is not None:
            chosen: dict[Any, list[str]] = {}
            for row, label in zip(rows, labels, strict=True):
                chosen.setdefault(row.group, []).append(label)
            labels = [str(of.index(task.labels[-1])) for of in chosen.values()]
        write_labels(path, rows, labels, task.descriptions)
