"""Give texts and pairs of texts a number."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.evaluation.correlations import (
    pearson_correlation,
    spearman_correlation,
)
from kerasplm.files import write_json_lines
from kerasplm.tasks.features import Features
from kerasplm.tasks.kinds.base import Scores
from kerasplm.tasks.kinds.texts import TextKind, mean_by_owner
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.targets import Targets, ValueTargets

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task


class Regression(TextKind):
    """Texts or pairs with one number each; a prediction is a float."""

    name = "regression"
    metric = "spearman"
    one_value = ("value",)

    def targets(
        self, task: "Task", rows: Sequence[TextRow], owner: np.ndarray
    ) -> Targets:
        """Return the number of each feature."""
        return ValueTargets(_values(rows).astype("float32")[owner])

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the number of each feature."""
        return [float(value) for value in outputs[:, 0]]

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Average over the windows of a text."""
        mean = mean_by_owner(np.array(found), features.owner, len(rows))
        return [float(value) for value in mean]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return both correlations and the mean squared error.

        Where all predictions, or all answers, are the same, a correlation is not
        defined and counts as 0.
        """
        values = _values(rows)
        return {
            "pearson": defined(pearson_correlation(values, predictions)),
            "spearman": defined(spearman_correlation(values, predictions)),
            "mse": float(np.mean(self.wrong(task, rows, predictions))),
            "examples": len(rows),
        }

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return the squared error of each row."""
        return np.square(_values(rows) - np.asarray(predictions, "float64"))

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id and number."""
        return {"id": row.id, "value": round(prediction, 6)}

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write one JSON object per line: id and, as label, the number."""
        lines = (
            {"id": row.id, "label": value}
            for row, value in zip(rows, predictions, strict=True)
        )
        write_json_lines(path, lines)


def _values(rows: Sequence[Any]) -> np.ndarray:
    return np.array([float(row.label) for row in rows])


def defined(correlation: float) -> float:
    """Return 0 for a correlation that is NaN: the best weights have the highest."""
    return 0.0 if np.isnan(correlation) else correlation
