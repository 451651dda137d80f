"""What every reader shares: lines, JSON, places in a file, checks, the rows read."""

import collections
import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from kerasplm.errors import DataError
from kerasplm.tasks.rows import (
    ChoiceRow,
    EntityRow,
    QuestionRow,
    RelationRow,
    Row,
    SourceRow,
    TextRow,
)

# The attribute that a test file lacks, and what it is called.
_TARGETS = {
    TextRow: ("label", "a label"),
    QuestionRow: ("answers", "an answer"),
    EntityRow: ("entities", "entities"),
    ChoiceRow: ("answer", "an answer"),
    RelationRow: ("triples", "relations"),
    SourceRow: ("targets", "a target"),
}
_HALF = re.compile("[\ud800-\udfff]")
JSON_LINES = (".json", ".jsonl")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, for messages.

    Args:
        file: The file.
        where: Such as "line 3"; empty for the whole file.
    """

    file: Path
    where: str = ""

    def inside(self, where: str) -> "Place":
        """Return a place inside this one."""
        return Place(self.file, f"{self.where}: {where}" if self.where else where)

    def wrong(self, expected: str, found: str) -> DataError:
        """Return the error that something else was expected here."""
        where = f"{self.where}: " if self.where else ""
        return DataError(f"{self.file}: {where}expected {expected}, found {found}")


@dataclasses.dataclass
class Rows:
    """The rows of the files of one split.

    Args:
        rows: In the order of the files.
        dropped: Rows that the rules of the format leave out: reason to count.
        repaired: What was broken and could be put right: reason to count.
    """

    rows: list[Row] = dataclasses.field(default_factory=list)
    dropped: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    repaired: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


class Reader(Protocol):
    """A function that reads the files of one split.

    Args:
        files: The files, in the order in which the format names them.
        labels: Allowed labels, types or predicates; empty allows any.
        labelled: True: each row must have a label (answer, entities, relations);
            False: they are not looked at; None: all rows have them, or none.
        aliases: Other spellings of labels.

    Raises:
        DataError: Something is broken; the message names file, place, what was
            expected and what was found.
    """

    def __call__(
        self,
        files: Sequence[Path],
        labels: Sequence[str],
        *,
        labelled: bool | None,
        aliases: Mapping[str, str],
    ) -> Rows:
        """Read the files."""


Found = Iterator[tuple[Place, Row]]


def collect(
    files: Sequence[Path],
    read_one: Callable[[Path, Rows], Found],
    labelled: bool | None,
) -> Rows:
    """Read files one after the other and check what all formats ask for.

    Args:
        files: The files.
        read_one: Gives the rows of a file and their places, and counts in `Rows`.
            A row without an id gets its number, counted over all files.
        labelled: As for `Reader`.

    Raises:
        DataError: A file has no rows, or labels are missing.
    """
    into = Rows()
    with_label = 0
    without: tuple[Place, str] | None = None
    for file in files:
        before = len(into), into.dropped.total()
        for place, row in read_one(file, into):
            name, what = _TARGETS[type(row)]
            if getattr(row, name) is not None:
                with_label += 1
            elif labelled:
                raise place.wrong(what, "none")
            else:
                without = without or (place, what)
            if row.id is None:
                row = dataclasses.replace(row, id=len(into.rows))
            into.rows.append(row)
        if (len(into), into.dropped.total()) == before:
            raise DataError(f"{file}: expected examples, found an empty file")
    if with_label and without:
        place, what = without
        raise DataError(
            f"{place.file}: {place.where}: has no {what.split()[-1]}, but "
            f"{with_label} of {len(into)} rows have one; expected all or none"
        )
    return into


def text_of(file: Path) -> str:
    """Return the text of a file without the mark of its encoding.

    Raises:
        DataError: It cannot be read, or is not UTF-8; the message names the line.
    """
    try:
        data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise DataError(
            f"{file}: line {line}: expected UTF-8, found the byte "
            f"0x{data[error.start]:02x} at position {column}"
        ) from error


def lines_of(file: Path) -> Iterator[tuple[Place, str]]:
    """Give the lines of a file, blank ones too.

    Only a line feed ends a line: texts hold U+2028 and its like.
    """
    for number, line in enumerate(text_of(file).split("\n"), 1):
        yield Place(file, f"line {number}"), line.rstrip("\r")


class Item:
    """A JSON object and its place; its values are checked when asked for.

    Args:
        place: Where it stands.
        data: The object.

    Raises:
        DataError: The data is not an object.
    """

    def __init__(self, place: Place, data: Any) -> None:
        if not isinstance(data, dict):
            raise place.wrong("a JSON object", type(data).__name__)
        self.place = place
        self.data: dict[str, Any] = data

    def has(self, *keys: str) -> bool:
        """Whether one of the keys has a value."""
        return self.first(*keys) is not None

    def first(self, *keys: str) -> Any:
        """Return the value of the first of the keys that has one, or None."""
        values = (self.data.get(key) for key in keys)
        return next((value for value in values if value is not None), None)

    def text(self, *keys: str) -> str:
        """Return the text under the first of the keys that is there."""
        value = self.first(*keys)
        if not is_text(value):
            raise self.wrong("a text", keys, value)
        return str(value)

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        value = self.data.get(key)
        if not isinstance(value, list) or not all(map(is_text, value)):
            raise self.wrong("a list of texts", (key,), value)
        return value

    def whole(self, *keys: str) -> int:
        """Return a whole number."""
        value = self.first(*keys)
        if not is_whole(value):
            raise self.wrong("a whole number", keys, value)
        return int(value)

    def items(self, name: str, *keys: str) -> "list[Item]":
        """Return a list of objects; `name` is what to call them in messages."""
        value = self.first(*keys)
        if not isinstance(value, list):
            raise self.wrong("a list", keys, value)
        return [
            Item(self.place.inside(f"{name} {n}"), one) for n, one in enumerate(value)
        ]

    def item(self, key: str) -> "Item":
        """Return the object under a key."""
        return Item(self.place.inside(key), self.data.get(key))

    def identifier(self, *keys: str) -> int | str | None:
        """Return the identifier under one of the keys; None if there is none."""
        value = self.first(*keys)
        if value is not None and not is_whole(value) and not is_text(value):
            raise self.place.wrong("a number or a text as id", shown(value))
        return value

    def label(self, *keys: str) -> str | None:
        """Return a label as text; files spell them as texts, numbers or truths."""
        value = self.first(*keys)
        if value is None:
            return None
        if isinstance(value, list | dict):
            raise self.wrong("a label", keys, value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def wrong(self, expected: str, keys: Sequence[str], found: Any) -> DataError:
        """Return the error that a key holds something else."""
        names = " or ".join(map(repr, keys))
        keys = ", ".join(key if is_text(key) else repr(key) for key in self.data)
        return self.place.wrong(
            f"{expected} under {names}", f"{shown(found)} among the keys {keys}"
        )


def json_lines(file: Path) -> Iterator[Item]:
    """Give the objects of a file of JSON lines; blank lines are passed over."""
    for place, line in lines_of(file):
        if line.strip():
            yield Item(place, _parsed(place, line, "a JSON object"))


def json_document(file: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        DataError: It is broken; the message names the line.
    """
    return _parsed(Place(file), text_of(file), "JSON")


def _parsed(place: Place, text: str, expected: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not place.where:
            place = place.inside(f"line {error.lineno}")
        raise place.wrong(
            expected, f"broken JSON at column {error.colno} ({error.msg})"
        ) from error
    except (RecursionError, ValueError) as error:
        raise place.wrong(expected, f"unusable JSON ({error})") from error


def is_text(x: Any) -> bool:
    """Whether it is a string without halves of characters (JSON escapes allow them)."""
    return isinstance(x, str) and not _HALF.search(x)


def is_whole(x: Any) -> bool:
    """Whether it is a whole number."""
    return isinstance(x, int) and not isinstance(x, bool)


def checked_label(
    place: Place, label: str, labels: Sequence[str], aliases: Mapping[str, str]
) -> str:
    """Return a label in the spelling of the task.

    Raises:
        DataError: The task has no such label.
    """
    label = aliases.get(label, label)
    if (labels and label not in labels) or not is_text(label):
        wanted = f"a label of {listed(labels)}" if labels else "a text as label"
        raise place.wrong(wanted, shown(label))
    return label


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names for a message."""
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def shown(value: Any, most: int = 60) -> str:
    """Return a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
