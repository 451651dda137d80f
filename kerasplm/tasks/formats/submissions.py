"""Files of predictions as the leaderboards ask for them.

Every writer takes the file, the rows that were predicted, and one prediction each.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kerasplm.errors import DataError
from kerasplm.files import write_text
from kerasplm.tasks.rows import (
    ChoiceRow,
    Entity,
    EntityRow,
    QuestionRow,
    RelationRow,
    TextRow,
    Triple,
)

T = TypeVar("T")


def write_labels(
    path: str | Path,
    rows: Sequence[TextRow],
    predictions: Sequence[str],
    descriptions: Mapping[str, str] | None = None,
) -> None:
    """Write CLUE's lines {"id", "label"}.

    Args:
        path: The file, such as "afqmc_predict.json".
        rows: What was predicted.
        predictions: A label for each row; for each group, where rows have one (COPA).
        descriptions: For lines with "label_desc" as of TNEWS: the description of each
            label; a label that is not there gets an empty one.

    Source: CLUEbenchmark/CLUE run_classifier.py.
    """
    grouped = {row.group: row for row in reversed(rows) if row.group is not None}
    kept = list(reversed(grouped.values())) if grouped else rows
    lines = []
    for row, label in _paired(path, kept, predictions):
        line = {"id": row.id, "label": label}
        if descriptions is not None:
            line["label_desc"] = descriptions.get(label, "")
        lines.append(line)
    _write_lines(path, lines)


def write_answers(
    path: str | Path, rows: Sequence[QuestionRow], predictions: Sequence[str]
) -> None:
    """Write {question: answer}, as for CMRC 2018, DRCD and SQuAD.

    Source: CLUEbenchmark/CLUE cmrc2018_output.py.
    """
    answers = {row.id: text for row, text in _paired(path, rows, predictions)}
    write_text(Path(path), json.dumps(answers, indent=4, ensure_ascii=False) + "\n")


def write_idioms(
    path: str | Path, rows: Sequence[ChoiceRow], predictions: Sequence[int]
) -> None:
    """Write {blank: place of the candidate}, as for CHID.

    Source: CLUEbenchmark/CLUE run_multichoice_mrc.py.
    """
    answers = {row.id: int(place) for row, place in _paired(path, rows, predictions)}
    write_text(Path(path), json.dumps(answers, indent=2, ensure_ascii=False) + "\n")


def write_choices(
    path: str | Path, rows: Sequence[ChoiceRow], predictions: Sequence[int]
) -> None:
    """Write CLUE's lines {"id", "label": place of the choice}, as for C3.

    Source: PaddleNLP examples/benchmark/clue (c311_predict.json).
    """
    pairs = _paired(path, rows, predictions)
    _write_lines(path, ({"id": row.id, "label": int(place)} for row, place in pairs))


def write_choice_list(
    path: str | Path, rows: Sequence[ChoiceRow], predictions: Sequence[int]
) -> None:
    """Write a list of places of choices, as C3's submission_test.json.

    Source: CLUEbenchmark/CLUE run_c3.py.
    """
    places = [int(place) for _, place in _paired(path, rows, predictions)]
    write_text(Path(path), json.dumps(places) + "\n")


def write_entities(
    path: str | Path,
    rows: Sequence[EntityRow],
    predictions: Sequence[Iterable[Entity]],
) -> None:
    """Write CLUENER's lines {"id", "label": {type: {surface: [[first, last]]}}}.

    Source: CLUEbenchmark/CLUENER2020.
    """
    lines = []
    for row, entities in _paired(path, rows, predictions):
        label: dict[str, dict[str, list[list[int]]]] = {}
        for entity in sorted(entities):
            surfaces = label.setdefault(entity.type, {})
            places = surfaces.setdefault(row.text[entity.start : entity.end], [])
            places.append([entity.start, entity.end - 1])
        lines.append({"id": row.id, "label": label})
    _write_lines(path, lines)


def write_triples(
    path: str | Path,
    rows: Sequence[RelationRow],
    predictions: Sequence[Iterable[Triple]],
) -> None:
    """Write LIC's lines {"text", "spo_list": [{subject, predicate, object}]}.

    Source: Baidu LIC 2019.
    """
    lines = []
    for row, triples in _paired(path, rows, predictions):
        found = [
            {"predicate": x.predicate, "subject": x.subject, "object": x.object}
            for x in sorted(triples)
        ]
        lines.append({"text": row.text, "spo_list": found})
    _write_lines(path, lines)


def _paired(
    path: str | Path, rows: Sequence[T], predictions: Sequence[Any]
) -> list[tuple[T, Any]]:
    if len(rows) != len(predictions):
        raise DataError(
            f"{path}: expected {len(rows)} predictions, found {len(predictions)}"
        )
    return list(zip(rows, predictions, strict=True))


def _write_lines(path: str | Path, lines: Iterable[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_text(Path(path), text)
