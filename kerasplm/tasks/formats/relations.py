"""Relations between parts of a text: LIC 2019 (SKED) and DuIE 2.0."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kerasplm.tasks.formats.common import (
    Found,
    Item,
    Place,
    Rows,
    checked_label,
    collect,
    json_lines,
)
from kerasplm.tasks.rows import RelationRow, Triple

SLOTS = "slot of an object besides @value"


def read_schemas(file: Path) -> tuple[str, ...]:
    """Return the different predicates in the order of the file.

    Args:
        file: JSON lines with "predicate", such as all_50_schemas.

    Raises:
        DataError: A line is broken, or there is none.

    Source: bojone/bert4keras task_relation_extraction.py.
    """
    found = tuple(dict.fromkeys(item.text("predicate") for item in json_lines(file)))
    if not found:
        raise Place(file).wrong("predicates", "an empty file")
    return found


def read_triples(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read JSON lines {"text", "spo_list": [{subject, predicate, object}]}.

    An object of several slots (DuIE 2.0) is that of "@value"; the other slots are
    counted in `dropped`.

    Args:
        files: The files.
        labels: As for `Reader`: the predicates.
        labelled: As for `Reader`.
        aliases: As for `Reader`.

    Source: Baidu LIC 2019; Baidu DuIE 2.0.
    """

    def read_one(file: Path, into: Rows) -> Found:
        for item in json_lines(file):
            triples = None
            if item.has("spo_list") and labelled is not False:
                triples = tuple(
                    sorted(
                        {
                            _triple(one, labels, aliases, into)
                            for one in item.items("triple", "spo_list")
                        }
                    )
                )
            name = item.identifier("id")
            yield item.place, RelationRow(name, item.text("text"), triples)

    return collect(files, read_one, labelled)


def _triple(
    item: Item, labels: Sequence[str], aliases: Mapping[str, str], into: Rows
) -> Triple:
    predicate = checked_label(item.place, item.text("predicate"), labels, aliases)
    slots = item.data.get("object")
    if isinstance(slots, dict):
        surface = item.item("object").text("@value")
        if len(slots) > 1:
            into.dropped[SLOTS] += len(slots) - 1
    else:
        surface = item.text("object")
    return Triple(item.text("subject"), predicate, surface)
