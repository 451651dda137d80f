"""Raw text, read in blocks: a sentence per line, a blank line between documents."""

import dataclasses
import glob
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from kerasplm.errors import DataError

Document = list[str]
Opener = Callable[[str], BinaryIO]

LONGEST_DOCUMENT = 4 << 20
"""Bytes after which a document is cut at the end of a line."""

# Lines that str.strip leaves nothing of: a document ends there.
_BLANK = re.compile(rb"\n(?:[ \t\r\f\v]|\xe3\x80\x80|\xc2\xa0)*\n")
# Of Windows, of text that was converted twice, and of old Macs.
_LINE_END = re.compile(r"\r*\n|\r")
_WINDOW = 1 << 16
_BLOCKS = 64
_SMALLEST_BLOCK, _LARGEST_BLOCK = 64 << 10, 1 << 20


@dataclasses.dataclass(frozen=True)
class Part:
    """Bytes of a file between two ends of documents.

    Args:
        file: Path.
        start: First byte.
        end: Byte after the last one.
        cut: Whether a document was too long and goes on after the end.
    """

    file: str
    start: int
    end: int
    cut: bool = False


@dataclasses.dataclass(frozen=True)
class Block:
    """Whole documents, read and worked on at once.

    Args:
        number: Position in the corpus, from 0.
        parts: Where the text lies.
    """

    number: int
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Block":
        """Return the block that `to_json` was asked of."""
        return cls(data["number"], tuple(Part(**part) for part in data["parts"]))


def open_file(name: str) -> BinaryIO:
    """Open a file for reading bytes."""
    return open(name, "rb")


def find_files(patterns: Sequence[str]) -> list[str]:
    """Return the files that the user means, sorted within each pattern.

    Args:
        patterns: Files, folders (their ``*.txt`` files) or globs (``**`` goes into
            subfolders); several may stand in one string with commas between.

    Raises:
        DataError: A pattern names nothing.

    Example:
        >>> find_files(["raw/news_*.txt,raw/wiki.txt"])   # doctest: +SKIP
        ['raw/news_1.txt', 'raw/news_2.txt', 'raw/wiki.txt']

    Source:
        google-research/bert, create_pretraining_data.py, ``--input_file``.
    """
    names = [p for text in patterns for p in _split(text)]
    found: dict[str, None] = {}
    for name in names:
        here = [name] if Path(name).is_file() else sorted(_matches(name))
        if not here:
            raise DataError(f"{name}: expected text files there, found none")
        found.update(dict.fromkeys(here))
    if not found:
        raise DataError("expected at least one input file, found no name")
    return list(found)


def _split(text: str) -> list[str]:
    # A file may have a comma in its name.
    if Path(text).exists():
        return [text]
    return [part for part in text.split(",") if part]


def _matches(name: str) -> list[str]:
    if Path(name).is_dir():
        return [str(p) for p in Path(name).rglob("*.txt") if p.is_file()]
    return [p for p in glob.glob(name, recursive=True) if Path(p).is_file()]


def block_size(total: int) -> int:
    """Return the bytes per block for a corpus: many blocks, none of them large.

    It depends on the corpus alone, so that the number of workers changes nothing.
    """
    return min(max(-(-total // _BLOCKS), _SMALLEST_BLOCK), _LARGEST_BLOCK)


def plan(
    files: Sequence[tuple[str, int]], size: int, opener: Opener = open_file
) -> list[Block]:
    """Cut a corpus into blocks of whole documents, reading only around the cuts.

    Args:
        files: Path and bytes of each file, in order.
        size: Bytes that a block has at least, except for the last one.
        opener: Opens a file.

    Returns:
        The blocks. Documents never span files; one that is longer than
        `LONGEST_DOCUMENT` is cut at the end of a line.

    Raises:
        DataError: A line is longer than `LONGEST_DOCUMENT`.

    Example:
        >>> plan([("news.txt", 2 ** 30)], 2 ** 20)        # doctest: +SKIP
    """
    blocks: list[Block] = []
    parts: list[Part] = []
    room = size
    for name, end in files:
        at = 0
        with opener(name) as stream:
            while at < end:
                to, cut = end, False
                if end - at > room:
                    to, cut = _document_end(stream, name, at, at + room, end)
                parts.append(Part(name, at, to, cut))
                room -= to - at
                at = to
                if room <= 0:
                    blocks.append(Block(len(blocks), tuple(parts)))
                    parts, room = [], size
    if parts:
        blocks.append(Block(len(blocks), tuple(parts)))
    return blocks


def _document_end(
    stream: BinaryIO, name: str, start: int, at: int, end: int
) -> tuple[int, bool]:
    """Return where the document ends that holds byte `at`, and whether by force."""
    # A blank line may begin before the byte.
    place = max(start, at - _WINDOW)
    stream.seek(place)
    data = b""
    newline = -1
    while place + len(data) < end:
        more = stream.read(_WINDOW)
        if not more:
            break
        searched = max(0, len(data) - _WINDOW)
        data += more
        for match in _BLANK.finditer(data, searched):
            if place + match.end() >= at:
                return place + match.end(), False
        newline = max(newline, data.rfind(b"\n", searched))
        if place + len(data) - at > LONGEST_DOCUMENT:
            if place + newline + 1 <= start:
                line = _line(stream, place + newline + 1)
                raise DataError(
                    f"{name}:{line}: expected one sentence per line, found a line of "
                    f"more than {LONGEST_DOCUMENT >> 20} MiB without a line feed (\\n)"
                )
            return place + newline + 1, True
    return end, False


def _line(stream: BinaryIO, at: int) -> int:
    """Return the number of the line that holds a byte, from 1."""
    stream.seek(0)
    count = 1
    while at > 0:
        data = stream.read(min(at, 1 << 20))
        if not data:
            break
        count += data.count(b"\n")
        at -= len(data)
    return count


def read(block: Block, opener: Opener = open_file) -> Iterator[Document]:
    """Read the documents of a block: stripped lines, none of them empty.

    Args:
        block: Where the text lies.
        opener: Opens a file.

    Raises:
        DataError: The text is not UTF-8; the message names file and line. The file
            became shorter.

    Example:
        >>> for document in read(block):                  # doctest: +SKIP
        ...     print(document[0])
    """
    for part in block.parts:
        document: Document = []
        text = _text(part, opener)
        lines = _LINE_END.split(text) if "\r" in text else text.split("\n")
        for line in lines:
            if sentence := line.strip():
                document.append(sentence)
            elif document:
                yield document
                document = []
        if document:
            yield document


def _text(part: Part, opener: Opener) -> str:
    with opener(part.file) as stream:
        stream.seek(part.start)
        data = stream.read(part.end - part.start)
        if len(data) < part.end - part.start:
            raise DataError(
                f"{part.file}: expected {part.end} bytes, found "
                f"{part.start + len(data)}: it changed while it was read"
            )
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = _line(stream, part.start + error.start)
            raise DataError(
                f"{part.file}:{line}: expected text in UTF-8, found the byte "
                f"0x{data[error.start]:02x} at byte {part.start + error.start}"
            ) from error
    return text.removeprefix("\ufeff") if part.start == 0 else text
