"""LCSTS, short news and their titles: the official files, and tables of both."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.tasks.formats.common import (
    Found,
    Place,
    Rows,
    collect,
    lines_of,
    shown,
)
from kerasplm.tasks.formats.targets import read_targets
from kerasplm.tasks.rows import SourceRow

UNFIT = "human label below 3"
_DOC = re.compile(r"<doc id=([^<>\s]+)>")
_PART = re.compile(r"<(human_label|summary|short_text)>(.*?)</\1>", re.DOTALL)
_BEGIN = 4096  # bytes that tell blocks from a table
_FIT = 3  # the least of the labels 1 to 5 of a title that fits its text


def read_news(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
    **table: Any,
) -> Rows:
    """Read the files of LCSTS, or a table.

    The files PART_I, PART_II and PART_III hold blocks from <doc id=0> to </doc>, with
    the title between <summary> and </summary>, the text in <short_text>, and the last
    two files, in <human_label>, how well they fit; below 3 they are left out and
    counted, as the authors do. Nothing in the texts is escaped.

    Args:
        files: The files.
        labels: Not used.
        labelled: As for `Reader`.
        aliases: Not used.
        **table: For `read_targets`, which reads all other files.

    Raises:
        DataError: A block or a row is broken.

    Source: Hu et al., EMNLP 2015 (arXiv:1506.05865).
    """
    if not any(map(_has_blocks, files)):
        return read_targets(files, labels, labelled=labelled, aliases=aliases, **table)

    def read_one(file: Path, into: Rows) -> Found:
        for place, name, block in _blocks(file):
            parts = dict(_PART.findall(block))
            label = parts.get("human_label", "5").strip()
            if label not in tuple("12345"):
                raise place.wrong("a human label from 1 to 5", shown(label))
            if int(label) < _FIT:
                into.dropped[UNFIT] += 1
                continue
            text = _filled(place, parts, "short_text")
            targets = None
            if labelled is not False and "summary" in parts:
                targets = (_filled(place, parts, "summary"),)
            number = int(name) if name.isdecimal() else name
            yield place, SourceRow(number, (text,), targets)

    return collect(files, read_one, labelled)


def _has_blocks(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            begin = opened.read(_BEGIN)
    except OSError:
        return False  # who reads the table says why
    return begin.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<doc ")


def _blocks(file: Path) -> Iterator[tuple[Place, str, str]]:
    """Give place, id and lines of each block."""
    begin: tuple[Place, str] | None = None
    lines: list[str] = []
    for place, line in lines_of(file):
        text = line.strip()
        found = _DOC.fullmatch(text)
        if begin is None and found is not None:
            begin, lines = (place, found[1]), []
        elif begin is None:
            if text:
                raise place.wrong("<doc id=...>", shown(text))
        elif text == "</doc>":
            yield *begin, "\n".join(lines)
            begin = None
        elif found is not None:
            break
        else:
            lines.append(text)
    if begin is not None:
        raise begin[0].wrong("</doc> behind this block", "none")


def _filled(place: Place, parts: Mapping[str, str], name: str) -> str:
    text = " ".join(filter(None, parts.get(name, "").split("\n")))
    if not text:
        raise place.wrong(f"a text in <{name}>", "none")
    return text
