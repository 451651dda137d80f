"""Texts and pairs in columns or JSON lines, and CLUE's tasks of their own."""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.augmentation.records import (
    Layout,
    Record,
    Slot,
    at,
    json_line,
    occurrences,
)
from kerasplm.tasks.formats.columns import Column, TableLayout
from kerasplm.tasks.formats.common import JSON_LINES, Item, json_lines


def table(
    files: Sequence[Path],
    labels: Sequence[str],
    aliases: Mapping[str, str],
    *,
    columns: Mapping[str, Column],
    separator: str = "\t",
    number: bool = False,
    drop: Sequence[str] = (),
    keep: tuple[str, str] | None = None,
) -> Layout:
    """Lay out what `read_table` reads; rows that it leaves out are passed on."""
    [file] = files
    fields = TableLayout(columns, separator, labels, aliases, number, keep, True)

    def every() -> Iterator[Record]:
        for _, record, (data, keys) in fields.records(file):
            dropped = fields.dropped(record, record.get("label"), drop)
            names = () if dropped else fields.texts
            slots = (
                Slot(record[name], at(keys[name]), column)
                for column, name in enumerate(names)
            )
            yield Record(data, tuple(slots))

    if file.suffix in JSON_LINES:
        return Layout(every(), json_line)

    def line(cells: Sequence[str]) -> str:
        if file.suffix != ".csv":
            return separator.join(cells) + "\n"
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(cells)
        return out.getvalue()

    records = every()
    first = list(itertools.islice(records, 1))  # before it, the header is read
    begin = line(fields.header) if fields.header else ""
    return Layout(itertools.chain(first, records), line, begin)


def keywords(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out CSL: abstracts are reworded, but not their keywords."""

    def record(item: Item) -> Record:
        text = item.text("abst")
        fixed = occurrences(text, item.texts("keyword"))
        return Record(item.data, (Slot(text, at("abst"), fixed=fixed),))

    return _lines(files, record)


def pronouns(files: Sequence[Path], *_: Any, **__: Any) -> Layout:
    """Lay out CLUEWSC: noun and pronoun stay, and where they stand."""

    def record(item: Item) -> Record:
        target, text = item.item("target"), item.text("text")
        parts = [target.text(f"span{n}_text") for n in (1, 2)]
        fixed = occurrences(text, parts)
        slot = Slot(text, at("text"), fixed=fixed, same_length=True)
        return Record(item.data, (slot,))

    return _lines(files, record)


def causes(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out COPA: the premise is reworded, or both choices."""

    def record(item: Item) -> Record:
        slots = (
            Slot(item.text(key), at(key), int(key != "premise"))
            for key in ("premise", "choice0", "choice1")
        )
        names = [key for key in ("id", "idx", "index") if item.has(key)][:1]

        def rename(data: Any, number: int) -> None:
            for name in names:
                data[name] = f"{data[name]}_{number}"

        return Record(item.data, tuple(slots), rename)

    return _lines(files, record)


def spans(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out CLUENER: entities stay, and where they stand."""

    def record(item: Item) -> Record:
        text = item.text("text")
        fixed = tuple(
            (first, last + 1)
            for surfaces in item.item("label").data.values()
            for places in surfaces.values()
            for first, last in places
        )
        slot = Slot(text, at("text"), fixed=fixed, same_length=True)
        return Record(item.data, (slot,))

    return _lines(files, record)


def triples(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out LIC and DuIE: subjects and objects stay."""

    def record(item: Item) -> Record:
        text, parts = item.text("text"), []
        for one in item.items("triple", "spo_list"):
            found = one.data["object"]
            slots = found.values() if isinstance(found, dict) else [found]
            parts += [one.text("subject"), *(x for x in slots if isinstance(x, str))]
        slot = Slot(text, at("text"), fixed=occurrences(text, parts))
        return Record(item.data, (slot,))

    return _lines(files, record)


def _lines(files: Sequence[Path], record: Any) -> Layout:
    records = (record(item) for file in files for item in json_lines(file))
    return Layout(records, json_line)
