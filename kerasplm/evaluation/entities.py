"""Score named entities; CLUENER's own score from files.

    python -m kerasplm.evaluation.entities dev.json cluener_predict.json

All scores are fractions.
"""

import json
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from kerasplm.errors import DataError
from kerasplm.evaluation.reading import field, json_lines, mapping, run_command
from kerasplm.evaluation.score import Score, Scores
from kerasplm.evaluation.tags import Span

CLUENER_TYPES = (
    *("address", "book", "company", "game", "government"),
    *("movie", "name", "organization", "position", "scene"),
)


def entity_scores(
    references: Sequence[Iterable[Span]],
    predictions: Sequence[Iterable[Span]],
    types: Sequence[str] | None = None,
) -> Scores:
    """Score entities that must agree in first and last position and in type.

    Args:
        references: (start, end, type) of the entities of each text.
        predictions: The same; one twice counts once.
        types: Those that count, in this order. Default: all that occur, sorted.

    Returns:
        Fractions: `micro`, `macro_f1`, and `classes` by type.

    Raises:
        DataError: Not as many predictions as references.

    Example:
        >>> entity_scores([[(0, 2, "name")]], [[(0, 2, "name"), (3, 4, "name")]]).micro
        Score(correct=1, predicted=2, expected=1)

    Source:
        conlleval (CoNLL-2000, CoNLL-2003).
    """
    _check_lengths(references, predictions)
    groups = [
        (
            [(entity[2], entity) for entity in one],
            [(entity[2], entity) for entity in other],
        )
        for one, other in zip(references, predictions, strict=True)
    ]
    return _scores(groups, types)


def cluener_scores(
    references: Sequence[Mapping[str, Collection[str]]],
    predictions: Sequence[Mapping[str, Collection[str]]],
    types: Sequence[str] = CLUENER_TYPES,
) -> Scores:
    """Score as CLUENER does: the surfaces of each type in each text, not their places.

    Args:
        references: Of each text the surfaces of each type: the "label" of a line of a
            CLUENER file, or {type: surfaces}.
        predictions: The same.
        types: Those that count; one that never occurs scores 0.

    Returns:
        Fractions; the official score is `macro_f1` over the ten types. The original
        stops with a division by zero where a type has no right prediction; here it
        scores 0.

    Raises:
        DataError: Not as many predictions as references.

    Example:
        >>> gold, found = [{"name": ["张三"]}], [{"name": {"张三": [[0, 1]]}}]
        >>> scores = cluener_scores(gold, found)
        >>> scores.classes["name"].f1, round(scores.macro_f1, 3)
        (1.0, 0.1)

    Source:
        CLUEbenchmark/CLUENER2020, score.py.
    """
    _check_lengths(references, predictions)
    groups = [
        tuple(
            [(type_, surface) for type_ in types for surface in label.get(type_, ())]
            for label in pair
        )
        for pair in zip(references, predictions, strict=True)
    ]
    return _scores(groups, types)


def token_scores(
    references: Iterable[Sequence[Hashable]],
    predictions: Iterable[Sequence[Hashable]],
    classes: Collection[Hashable],
) -> Score:
    """Score single positions whose class is one of some classes, counted together.

    Args:
        references: The class of each position of each text.
        predictions: The same. The original counts padded positions too: pass them, or
            leave them out.
        classes: Those that count: for NEZHA B- and I- of PER, ORG and LOC.

    Returns:
        Fractions: micro precision, recall and F1.

    Raises:
        DataError: Not as many predictions as references.

    Example:
        >>> token_scores([["B", "I", "O"]], [["B", "O", "I"]], {"B", "I"}).f1
        0.5

    Source:
        huawei-noah NEZHA-TensorFlow, run_classifier_ner.py (tf_metrics, micro).
    """
    score = Score()
    pairs = list(references), list(predictions)
    _check_lengths(*pairs)
    for number, (one, other) in enumerate(zip(*pairs, strict=True), 1):
        if len(one) != len(other):
            raise DataError(
                f"text {number}: expected {len(one)} classes, found {len(other)}"
            )
        score += Score(
            sum(a == b and a in classes for a, b in zip(one, other, strict=True)),
            sum(found in classes for found in other),
            sum(expected in classes for expected in one),
        )
    return score


def _scores(groups: Iterable[Any], types: Sequence[str] | None) -> Scores:
    """Count pairs of a type and what must agree, text by text."""
    correct, predicted, expected = Counter[str](), Counter[str](), Counter[str]()
    for one, other in groups:
        expected.update(type_ for type_, _ in set(one))
        predicted.update(type_ for type_, _ in set(other))
        correct.update(type_ for type_, _ in set(one) & set(other))
    if types is None:
        types = sorted(expected.keys() | predicted.keys())
    return Scores({t: Score(correct[t], predicted[t], expected[t]) for t in types})


def _check_lengths(references: Sequence[Any], predictions: Sequence[Any]) -> None:
    if len(references) != len(predictions):
        raise DataError(
            f"expected predictions for {len(references)} texts, found "
            f"{len(predictions)}"
        )


def main(
    references: Annotated[str, typer.Argument(help="CLUENER file (JSON lines).")],
    predictions: Annotated[str, typer.Argument(help="Predictions in its order.")],
) -> None:
    """Print CLUENER's score (surfaces) and that of exact places."""
    files = [list(_cluener_lines(path)) for path in (references, predictions)]
    if len(files[0]) != len(files[1]):
        raise DataError(
            f"{predictions}: expected {len(files[0])} lines, as {references} has, "
            f"found {len(files[1])}"
        )
    spans = [[list(_spans(label, place)) for place, label in file] for file in files]
    labels = [[label for _, label in file] for file in files]
    scores = {
        "surfaces": cluener_scores(labels[0], labels[1]).to_dict(),
        "places": entity_scores(spans[0], spans[1], CLUENER_TYPES).to_dict(),
    }
    typer.echo(json.dumps(scores, indent=2))


def _cluener_lines(path: str) -> Iterable[tuple[str, dict[str, Any]]]:
    for place, line in json_lines(path):
        label = field(line, "label", dict, place)
        for type_, surfaces in label.items():
            if type_ not in CLUENER_TYPES:
                raise DataError(
                    f"{place}: expected a type of {', '.join(CLUENER_TYPES)}, found "
                    f"{type_!r}"
                )
            mapping(surfaces, f"{place}: {type_}")
        yield place, label


def _spans(label: dict[str, Any], place: str) -> Iterable[Span]:
    for type_, surfaces in label.items():
        for surface, places in surfaces.items():
            for pair in field(surfaces, surface, list, f"{place}: {type_}"):
                match pair:
                    case [int(start), int(last)]:
                        yield start, last + 1, type_
                    case _:
                        raise DataError(
                            f"{place}: {type_}: {surface!r}: expected first and last "
                            f"character, found {json.dumps(places)}"
                        )


if __name__ == "__main__":
    run_command(main)
