"""What a model does on single rows: confusions, the worst, the longest."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kerasplm.evaluation.labels import class_scores, confusion_matrix
from kerasplm.report.plain import plain
from kerasplm.tasks.cache import length_statistics
from kerasplm.tasks.features import Features
from kerasplm.tasks.task import Task

_BINS = 32
# Where a row and a prediction say the same thing, it has to be the same.
_ANSWERS = ("label", "answer")


def details(
    task: Task,
    rows: Sequence[Any],
    features: Features,
    predictions: Sequence[Any],
    *,
    max_length: int,
    count: int = 20,
) -> dict[str, Any]:
    """Return what one wants to know of a model beside its score.

    Args:
        task: The declaration.
        rows: Rows with answers.
        features: What `Task.features` made of them.
        predictions: One per row.
        max_length: Tokens per input that the settings allow.
        count: How many of the worst and of the longest rows.

    Returns:
        Values for JSON: `lengths` (statistics and a histogram of the features, in
        tokens), `right` (share of rows that are wholly right), `worst` and `longest`
        (rows with place, gold, prediction, `wrong`, `right`, tokens of all their
        features, characters); of a classification `confusion` (`labels`, and `matrix`
        with a line for each gold label) and `classes` (precision, recall, F1).

    Raises:
        DataError: Rows or predictions have labels that the task does not.

    Example:
        >>> found = details(task, rows, features, predictions, max_length=128)
        ... # doctest: +SKIP
        >>> found["worst"][0]["example"]["text"]  # doctest: +SKIP
        '房间不太干净'
    """
    wrong = np.asarray(task.engine.wrong(task, rows, predictions), "float64")
    right = _right(rows, predictions, wrong)
    tokens = _tokens(features, len(rows))
    characters = np.array([_characters(plain(row)) for row in rows], "int64")

    def example(n: int) -> dict[str, Any]:
        return {
            "row": n,
            "wrong": wrong[n],
            "right": bool(right[n]),
            "tokens": tokens[n],
            "characters": characters[n],
            "prediction": task.engine.show(task, rows[n], predictions[n]),
            "example": dataclasses.asdict(rows[n]),
        }

    worst = np.argsort(-wrong, kind="stable")
    # Truncated rows have as many tokens: then the one of which most was cut.
    longest = np.lexsort((np.arange(len(rows)), -characters, -tokens))
    found = {
        "rows": len(rows),
        "right": float(np.mean(right)) if len(rows) else None,
        "lengths": _lengths(features, max_length),
        "worst": [example(n) for n in worst[:count] if wrong[n] > 0],
        "longest": [example(n) for n in longest[:count]],
    }
    checked: dict[str, Any] = plain(found | _classes(task, rows, predictions))
    return checked


def prediction_lines(
    task: Task, rows: Sequence[Any], predictions: Sequence[Any]
) -> Iterator[dict[str, Any]]:
    """Yield each prediction as plain values, with how wrong it is.

    Args:
        task: The declaration.
        rows: Rows with answers.
        predictions: One per row.
    """
    wrong = np.asarray(task.engine.wrong(task, rows, predictions), "float64")
    right = _right(rows, predictions, wrong)
    for n, (row, prediction) in enumerate(zip(rows, predictions, strict=True)):
        shown = task.engine.show(task, row, prediction)
        yield plain({**shown, "wrong": wrong[n], "right": bool(right[n])})


def _right(
    rows: Sequence[Any], predictions: Sequence[Any], wrong: np.ndarray
) -> np.ndarray:
    found = wrong == 0
    for n, (row, prediction) in enumerate(zip(rows, predictions, strict=True)):
        for name in _ANSWERS:
            if hasattr(row, name) and hasattr(prediction, name):
                found[n] = str(getattr(row, name)) == str(getattr(prediction, name))
    return found


def _tokens(features: Features, count: int) -> np.ndarray:
    """Return the tokens of each row, in all its windows and choices."""
    owner = np.repeat(features.owner, max(features.choices, 1))
    found = np.bincount(owner, np.diff(features.starts), minlength=count)
    return found.astype("int64")


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_characters, value)) if isinstance(value, list) else 0


def _lengths(features: Features, max_length: int) -> dict[str, Any]:
    if not len(features):
        return {}
    last = max(max_length, int(features.lengths.max()))
    # Whole tokens only: bins that hold different numbers of lengths would look jagged.
    width = -(-last // _BINS)
    edges = np.arange(0, last + 1 + width, width)
    counts, _ = np.histogram(features.lengths, edges)
    statistics = length_statistics(features, max_length)
    return {
        **statistics,
        "max_length": max_length,
        "histogram": {"edges": edges, "counts": counts},
    }


def _classes(
    task: Task, rows: Sequence[Any], predictions: Sequence[Any]
) -> dict[str, Any]:
    """Return confusions and scores of classes, if rows have one class each."""
    labelled = all(hasattr(x, "label") for pair in (rows, predictions) for x in pair)
    if not task.labels or not len(rows) or not labelled:
        return {}
    gold = [str(row.label) for row in rows]
    found = [str(prediction.label) for prediction in predictions]
    matrix = confusion_matrix(gold, found, task.labels)
    scores = class_scores(gold, found, task.labels).to_dict()
    return {
        "confusion": {"labels": task.labels, "matrix": matrix},
        "classes": scores["classes"],
        "macro_f1": scores["macro_f1"],
    }
