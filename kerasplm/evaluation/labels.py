"""Score classes and choices.

    python -m kerasplm.evaluation.labels submission dev.json tnews_predict.json
    python -m kerasplm.evaluation.labels chid dev_answer.json dev_predictions.json

All scores are fractions.
"""

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Sized
from typing import Annotated, Any

import numpy as np
import typer

from kerasplm.errors import DataError
from kerasplm.evaluation.reading import (
    field,
    json_lines,
    read_predictions,
    run_command,
)
from kerasplm.evaluation.score import Score, Scores


def accuracy(references: Sequence[Any], predictions: Sequence[Any]) -> float:
    """Return the share of predictions that equal their reference.

    Args:
        references: Right classes.
        predictions: As many.

    Returns:
        A fraction.

    Raises:
        DataError: There are none, or not as many.

    Example:
        >>> accuracy(["0", "1"], ["0", "0"])
        0.5

    Source:
        CLUEbenchmark/CLUE, ``eval_accuracy`` of the classifiers.
    """
    check_lengths(references, predictions)
    hits = (a == b for a, b in zip(references, predictions, strict=True))
    return sum(hits) / len(references)


def majority_share(references: Sequence[Hashable]) -> float:
    """Return the accuracy of always answering the most frequent class.

    Args:
        references: Right classes.

    Returns:
        A fraction.

    Raises:
        DataError: There are none.

    Example:
        >>> majority_share(["0", "1", "1", "1"])
        0.75

    Source:
        The share of the most frequent class.
    """
    check_lengths(references, references)
    return max(Counter(references).values()) / len(references)


def chosen_rows(
    groups: Sequence[Hashable], scores: Sequence[float]
) -> dict[Hashable, int]:
    """Choose the row of each group that scores most; of equal ones the first.

    Args:
        groups: The group of each row; rows of one need not stand together.
        scores: Of each row, for COPA the probability of class "1".

    Returns:
        The row of each group, in the order of their first rows.

    Raises:
        DataError: There are none, not as many, or a score is not a number.

    Example:
        >>> chosen_rows(["a", "a", "b", "b"], [0.4, 0.4, 0.1, 0.2])
        {'a': 0, 'b': 3}

    Source:
        CLUEbenchmark/CLUE, COPA: of two rows the first if its probability is not less.
    """
    check_lengths(groups, scores)
    best: dict[Hashable, int] = {}
    for row, (group, score) in enumerate(zip(groups, scores, strict=True)):
        if np.isnan(score):
            raise DataError(f"row {row + 1}: expected a score, found {score}")
        if group not in best or score > scores[best[group]]:
            best[group] = row
    return best


def group_accuracy(
    groups: Sequence[Hashable],
    references: Sequence[bool | int],
    scores: Sequence[float],
) -> float:
    """Return the share of groups of which the right row scores most (COPA).

    Args:
        groups: The group of each row.
        references: 1 for the right row of each group, 0 for the others.
        scores: Of each row, for COPA the probability of class "1"; of equal ones the
            first is chosen.

    Returns:
        A fraction.

    Raises:
        DataError: A group has not exactly one right row; or as `chosen_rows`.

    Example:
        >>> group_accuracy([7, 7, 8, 8], [1, 0, 1, 0], [0.9, 0.8, 0.3, 0.6])
        0.5

    Source:
        CLUEbenchmark/CLUE, COPA (rows 2i and 2i + 1 are one item).
    """
    check_lengths(references, groups)
    chosen = chosen_rows(groups, scores)
    right: Counter[Hashable] = Counter()
    for group, reference in zip(groups, references, strict=True):
        if reference not in (0, 1):
            raise DataError(f"group {group!r}: expected 0 or 1, found {reference!r}")
        right[group] += int(reference)
    for group in chosen:
        if right[group] != 1:
            raise DataError(
                f"group {group!r}: expected one right row, found {right[group]}"
            )
    return sum(bool(references[row]) for row in chosen.values()) / len(chosen)


def confusion_matrix(
    references: Sequence[Hashable],
    predictions: Sequence[Hashable],
    labels: Sequence[Hashable],
) -> np.ndarray:
    """Count how often each class was taken for each.

    Args:
        references: Right classes.
        predictions: As many.
        labels: All classes, in the order of rows and columns.

    Returns:
        (labels, labels) int64; row: reference, column: prediction.

    Raises:
        DataError: There are none, not as many, or one is not in `labels`.

    Example:
        >>> confusion_matrix(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
        [[1, 1], [0, 1]]

    Source:
        The definition.
    """
    check_lengths(references, predictions)
    index = {label: number for number, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for row, pair in enumerate(zip(references, predictions, strict=True), 1):
        for kind, label in zip(("reference", "prediction"), pair, strict=True):
            if label not in index:
                raise DataError(
                    f"row {row}: expected a {kind} of {', '.join(map(repr, labels))}, "
                    f"found {label!r}"
                )
        matrix[index[pair[0]], index[pair[1]]] += 1
    return matrix


def class_scores(
    references: Sequence[Hashable],
    predictions: Sequence[Hashable],
    labels: Sequence[Hashable],
) -> Scores:
    """Return precision, recall and F1 of each class, and their mean.

    Args:
        references: Right classes.
        predictions: As many.
        labels: All classes; one that never occurs has F1 0 and counts in `macro_f1`.

    Returns:
        Fractions: `classes` by label, `macro_f1`; `micro` is the accuracy.

    Raises:
        DataError: As `confusion_matrix`.

    Example:
        >>> class_scores(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).macro_f1
        0.6666666666666666

    Source:
        The definition.
    """
    matrix = confusion_matrix(references, predictions, labels)
    columns = (matrix.diagonal(), matrix.sum(0), matrix.sum(1))
    counts = zip(*(column.tolist() for column in columns), strict=True)
    return Scores(
        {str(label): Score(*row) for label, row in zip(labels, counts, strict=True)}
    )


def matthews_correlation(
    references: Sequence[Hashable], predictions: Sequence[Hashable]
) -> float:
    """Return Matthews' correlation of two or more classes.

    Args:
        references: Right classes.
        predictions: As many.

    Returns:
        -1 to 1; 0 where references or predictions are all of one class.

    Raises:
        DataError: There are none, or not as many.

    Example:
        >>> matthews_correlation([1, 1, 0, 0], [1, 0, 0, 0])
        0.5773502691896258

    Source:
        Gorodkin 2004 (R_K); of two classes Matthews 1975, the metric of CoLA.
    """
    labels = list(dict.fromkeys([*references, *predictions]))
    matrix = confusion_matrix(references, predictions, labels).astype(object)
    right, count = matrix.trace(), matrix.sum()
    expected, found = matrix.sum(1), matrix.sum(0)
    spread = [count**2 - (side * side).sum() for side in (expected, found)]
    if not all(spread):
        return 0.0
    both = count * right - (expected * found).sum()
    return float(both / (spread[0] * spread[1]) ** 0.5)


def chid_accuracy(answers: Mapping[str, int], predictions: Mapping[str, int]) -> float:
    """Return the share of blanks that are filled with the right idiom.

    Args:
        answers: The right candidate of each blank, "#idiom000378#": 0 to 9.
        predictions: The chosen one; other blanks are ignored.

    Returns:
        A fraction of all blanks.

    Raises:
        DataError: There are no answers, or a blank has no prediction.

    Example:
        >>> answers = {"#idiom1#": 3, "#idiom2#": 0}
        >>> chid_accuracy(answers, {"#idiom1#": 3, "#idiom2#": 9})
        0.5

    Source:
        CLUEbenchmark/CLUE, mrc_pytorch/test_multichoice_mrc.py.
    """
    if missing := [blank for blank in answers if blank not in predictions]:
        raise DataError(
            f"expected a prediction for each of {len(answers)} blanks, found none for "
            f"{missing[0]} ({len(missing)} missing)"
        )
    return accuracy(list(answers.values()), [predictions[blank] for blank in answers])


def check_lengths(references: Sized, predictions: Sized) -> None:
    """Check that there is one prediction for each reference.

    Raises:
        DataError: There are no references, or not as many predictions.
    """
    if len(references) != len(predictions):
        raise DataError(
            f"expected {len(references)} predictions, found {len(predictions)}"
        )
    if not len(references):
        raise DataError("expected references, found none")


def chid(
    answers: Annotated[str, typer.Argument(help="Answer file, JSON {blank: index}.")],
    predictions: Annotated[str, typer.Argument(help="Predictions, the same.")],
) -> None:
    """Print the accuracy on CHID."""
    expected, found = (read_predictions(path, int) for path in (answers, predictions))
    try:
        share = chid_accuracy(expected, found)
    except DataError as error:
        raise DataError(f"{predictions}: {error}") from error
    typer.echo(json.dumps({"accuracy": share, "total": len(expected)}))


def submission(
    references: Annotated[str, typer.Argument(help="JSON lines with a label.")],
    predictions: Annotated[str, typer.Argument(help="Submission, in its order.")],
) -> None:
    """Print the accuracy of a CLUE submission."""
    expected, found = (
        [_label(line, place) for place, line in json_lines(path)]
        for path in (references, predictions)
    )
    try:
        share = accuracy(expected, found)
    except DataError as error:
        raise DataError(f"{predictions}: {error}") from error
    result = {"accuracy": share, "majority": majority_share(expected)}
    typer.echo(json.dumps({**result, "total": len(expected)}))


def _label(line: dict[str, Any], place: str) -> str:
    label = line.get("label")
    if isinstance(label, int):  # some files hold numbers, some true and false
        return str(label).lower()
    return str(field(line, "label", str, place))


if __name__ == "__main__":
    run_command(submission, chid)
