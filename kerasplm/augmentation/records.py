"""Records of a data file, the texts in them, and how copies are written."""

import copy
import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from kerasplm.augmentation.languages import Span

Put = Callable[[Any, str], None]
"""Writes a text into the data of a record."""


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """A text of a record that may be reworded.

    Args:
        text: The text.
        put: Writes another one in its place.
        column: Texts of one column are reworded together, one column at a time.
        fixed: Characters [start, end) that must stay: what the answer hangs on.
        same_length: Whether every character must keep its place.
    """

    text: str
    put: Put
    column: int = 0
    fixed: tuple[Span, ...] = ()
    same_length: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One entry of a data file.

    Args:
        data: What the file says: a JSON object, or cells. A copy keeps all of it but
            the texts that are reworded.
        slots: Its texts; none if it is only passed on.
        rename: Gives the identifiers of a copy, whose number is from 1, names of
            their own, where the format wants that.
    """

    data: Any
    slots: tuple[Slot, ...] = ()
    rename: Callable[[Any, int], None] | None = None

    def copied(self, texts: Sequence[str], number: int) -> Any:
        """Return the data with other texts.

        Args:
            texts: One for each slot.
            number: Of the copy, from 1.
        """
        data = copy.deepcopy(self.data)
        for slot, text in zip(self.slots, texts, strict=True):
            if text != slot.text:
                slot.put(data, text)
        if self.rename:
            self.rename(data, number)
        return data


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a file is read as records, and written.

    Args:
        records: The records, in the order of the file.
        render: Writes the data of one.
        begin: What the file begins with.
        between: What stands between two records.
        end: What the file ends with.
        answers: Returns the text of the file of answers, from the file of texts that
            was written; None if the answers are in the records.
    """

    records: Iterable[Record]
    render: Callable[[Any], str]
    begin: str = ""
    between: str = ""
    end: str = ""
    answers: Callable[[Path], str] | None = None


def at(*path: Any) -> Put:
    """Return what writes a text at keys and numbers, one inside the other.

    Example:
        >>> data = {"qas": [{"question": "谁？"}]}
        >>> at("qas", 0, "question")(data, "哪里？")
        >>> data
        {'qas': [{'question': '哪里？'}]}
    """

    def put(data: Any, text: str) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = text

    return put


def occurrences(text: str, parts: Iterable[str]) -> tuple[Span, ...]:
    """Return where parts stand in a text, in any letter case.

    Example:
        >>> occurrences("他说他饿", ["他"])
        ((0, 1), (2, 3))
    """
    wanted = sorted({part for part in parts if part}, key=len, reverse=True)
    return tuple(
        match.span()
        for part in wanted
        for match in re.finditer(re.escape(part), text, re.IGNORECASE)
    )


def json_line(data: Any) -> str:
    """Return a JSON object on a line."""
    return json.dumps(data, ensure_ascii=False) + "\n"
