"""Texts and pairs in columns (TSV, CSV, any separator) or under keys (JSON lines)."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.tasks.formats.common import (
    JSON_LINES,
    Found,
    Place,
    Rows,
    checked_label,
    collect,
    json_lines,
    lines_of,
    shown,
    text_of,
)
from kerasplm.tasks.rows import Row, TextRow

Column = str | int | tuple[str | int, ...]
Located = tuple[Place, dict[str, Any], tuple[Any, Mapping[str, Any]]]
"""A place, its fields; and the cells or the JSON object, with the key of each field."""
FIELDS = ("text", "pair", "label", "id")
# A first row with one of these is a header, unless its label is one of the task.
_HEADER = frozenset(
    ("label", "labels", "gold_label", "score", "similarity", "text", "text_a", "text_b")
    + ("sentence", "sentence1", "sentence2", "premise", "hypo", "hypothesis", "title")
    + ("question1", "question2", "query1", "query2", "comment", "review", "content")
)


def read_table(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
    columns: Mapping[str, Column],
    separator: str = "\t",
    number: bool = False,
    drop: Sequence[str] = (),
    keep: tuple[str, str] | None = None,
    make: Callable[[Place, Mapping[str, Any], Any], Row] | None = None,
) -> Rows:
    """Read texts or pairs of texts with a class or a number.

    ".json" and ".jsonl" are JSON lines, ".csv" has commas and double quotes, in every
    other file the separator divides and nothing quotes. Only a line feed ends a row;
    blank rows are passed over. A first row of column names is recognised.

    Args:
        files: The files.
        labels: As for `Reader`.
        labelled: As for `Reader`.
        aliases: As for `Reader`.
        columns: Where "text", "pair" (for pairs), "label" and "id" stand: a column
            name (JSON key), a number counted from 0, or a tuple of alternatives, tried
            in turn. The numbers are used where there are no column names.
        separator: Between columns.
        number: Whether the label is a number (regression).
        drop: Rows with these labels are left out and counted.
        keep: A column and the value that it must have, if there is such a column;
            other rows are left out and counted.
        make: Makes a row of its place, its fields and its label; default a `TextRow`.

    Raises:
        DataError: A row is broken.

    Example:
        >>> rows = read_table([Path("mine.csv")], (), labelled=True, aliases={},
        ...     columns={"text": "review", "label": "stars"})  # doctest: +SKIP
    """
    layout = TableLayout(
        columns, separator, labels, aliases, number, keep, bool(labelled)
    )

    def read_one(file: Path, into: Rows) -> Found:
        for place, record, _ in layout.records(file):
            label = record.get("label") if labelled is not False else None
            reason = layout.dropped(record, label, drop)
            if reason:
                into.dropped[reason] += 1
            else:
                if label is not None and number:
                    label = _number(place, label)
                elif label is not None:
                    label = checked_label(place, label, labels, aliases)
                yield place, (make or _text_row)(place, record, label)

    return collect(files, read_one, labelled)


def _text_row(place: Place, record: Mapping[str, Any], label: Any) -> TextRow:
    return TextRow(record.get("id"), record["text"], record.get("pair"), label)


def _number(place: Place, label: str) -> float:
    if not _is_number(label):
        raise place.wrong("a number as label", shown(label))
    return float(label)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


class TableLayout:
    """Where the fields stand in a file.

    Args:
        columns: As for `read_table`.
        separator: As for `read_table`.
        labels: As for `Reader`.
        aliases: As for `Reader`.
        number: As for `read_table`.
        keep: As for `read_table`.
        must: Whether each row must have a label.
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        separator: str,
        labels: Sequence[str],
        aliases: Mapping[str, str],
        number: bool,
        keep: tuple[str, str] | None,
        must: bool,
    ) -> None:
        if "text" not in columns or not set(columns) <= set(FIELDS):
            raise ConfigError(
                f"columns must name 'text' and may name {', '.join(FIELDS[1:])}. "
                f"Received: {', '.join(columns) or 'nothing'}"
            )
        ways = {
            field: (where if isinstance(where, tuple) else (where,))
            for field, where in columns.items()
        }
        self.names = {
            field: [name for name in way if isinstance(name, str)]
            for field, way in ways.items()
        }
        self.texts = [field for field in ("text", "pair") if field in columns]
        self.needed = [f for f in columns if f in self.texts or (must and f == "label")]
        self.numbers = {
            field: place
            for field, way in ways.items()
            for place in way
            if isinstance(place, int)
        }
        if min(self.numbers.values(), default=0) < 0:
            raise ConfigError(
                f"columns are counted from 0. Received: {min(self.numbers.values())}"
            )
        self.separator, self.number, self.keep = separator, number, keep
        self.labels, self.aliases = labels, aliases
        self.header: list[str] | None = None
        """Names of the columns, once a record of a file that has them is read."""

    def records(self, file: Path) -> Iterator[Located]:
        """Give the fields of each record, and where they stand in the file."""
        return self.json(file) if file.suffix in JSON_LINES else self.rows(file)

    def dropped(
        self, record: Mapping[str, Any], label: str | None, drop: Sequence[str]
    ) -> str:
        """Return why a record is left out; nothing if it is not."""
        if self.keep and record.get("keep", self.keep[1]) != self.keep[1]:
            return f"{self.keep[0]} is not {self.keep[1]!r}"
        return f"label {label!r}" if label is not None and label in drop else ""

    def json(self, file: Path) -> Iterator[Located]:
        """Give the records of a file of JSON lines."""
        if not all(self.names[field] for field in self.texts):
            raise Place(file).wrong("columns, as numbers name them", "JSON lines")
        for item in json_lines(file):
            record: dict[str, Any] = {
                field: item.text(*self.names[field]) for field in self.texts
            }
            record["label"] = item.label(*self.names.get("label", ()))
            record["id"] = item.identifier(*self.names.get("id", ()))
            if self.keep and item.has(self.keep[0]):
                record["keep"] = item.text(self.keep[0])
            keys = {
                field: next(key for key in self.names[field] if item.has(key))
                for field in self.texts
            }
            yield item.place, record, (item.data, keys)

    def rows(self, file: Path) -> Iterator[Located]:
        """Give the records of a file of columns."""
        comma = file.suffix == ".csv"
        layouts: dict[int, dict[str, int]] = {}
        for place, cells in _csv_cells(file) if comma else self.cells(file):
            if not layouts:
                header = self.is_header(cells)
                layouts = self.named(place, cells) if header else self.numbered()
                # Numbers that skip columns say nothing of how many there are.
                most = math.inf if header or self.dense else max(layouts)
                if header:
                    self.header = cells
                    continue
            at = layouts.get(int(min(len(cells), most)))
            if at is None:
                between = "','" if comma else repr(self.separator)
                at = layouts[max(layouts)]
                raise place.wrong(
                    f"{max(layouts)} columns separated by {between} "
                    f"({', '.join(sorted(at, key=at.__getitem__))})",
                    str(len(cells)),
                )
            record: dict[str, Any] = {field: cells[n] for field, n in at.items()}
            for field in record.keys() - set(self.texts):
                record[field] = record[field].strip()
            yield place, record, (cells, at)

    def cells(self, file: Path) -> Iterator[tuple[Place, list[str]]]:
        """Give the cells of each row of a file where nothing quotes."""
        for place, line in lines_of(file):
            if line.strip():
                yield place, line.split(self.separator)

    @property
    def dense(self) -> bool:
        """Whether the numbers name all columns, so that there cannot be more."""
        return sorted(self.numbers.values()) == list(range(len(self.numbers)))

    def is_header(self, cells: list[str]) -> bool:
        """Whether the first row holds names of columns."""
        if not set(self.needed) <= set(self.numbers):
            return True
        mine = {name.lower() for way in self.names.values() for name in way}
        if not {cell.strip().lower() for cell in cells} & (_HEADER | mine):
            return False
        place = self.numbers.get("label", len(cells))
        return place >= len(cells) or not self.is_label(cells[place].strip())

    def is_label(self, cell: str) -> bool:
        """Whether it can only be data."""
        if self.number:
            return _is_number(cell)
        return self.aliases.get(cell, cell) in self.labels

    def named(self, place: Place, header: list[str]) -> dict[int, dict[str, int]]:
        """Return the number of columns and the column of each field."""
        there = {name.strip().lower(): n for n, name in reversed([*enumerate(header)])}
        at: dict[str, int] = {}
        for field, names in self.names.items():
            ways = [there[name.lower()] for name in names if name.lower() in there]
            if ways:
                at[field] = ways[0]
            elif not names and self.numbers[field] < len(header):
                at[field] = self.numbers[field]
        missing = [field for field in self.needed if field not in at]
        most = max(self.numbers.values(), default=len(header))
        if missing and set(self.needed) <= set(self.numbers) and most < len(header):
            return {len(header): self.numbers}
        if missing:
            wanted = self.names[missing[0]] or [str(self.numbers[missing[0]])]
            raise place.wrong(
                f"a column {' or '.join(map(repr, wanted))}",
                f"the columns {', '.join(map(repr, header))}",
            )
        if self.keep and self.keep[0].lower() in there:
            at["keep"] = there[self.keep[0].lower()]
        return {len(header): at}

    def numbered(self) -> dict[int, dict[str, int]]:
        """Return the columns of each field, and those of a file without labels."""
        layouts = {max(self.numbers.values()) + 1: self.numbers}
        if "label" in self.numbers and self.dense:
            left = sorted(self.numbers.keys() - {"label"}, key=self.numbers.__getitem__)
            layouts[len(left)] = {field: n for n, field in enumerate(left)}
        return layouts


def _csv_cells(file: Path) -> Iterator[tuple[Place, list[str]]]:
    lines = (line + "\n" for line in text_of(file).split("\n"))
    reader = csv.reader((line.replace("\r\n", "\n") for line in lines), strict=True)
    while True:
        place = Place(file, f"line {reader.line_num + 1}")
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise place.wrong("comma-separated columns", str(error)) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield place, cells
