"""Entities by a tag for each character or word: columns of tags, MSRA's words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasplm.augmentation.records import Layout, Record, Slot
from kerasplm.tasks.formats.common import lines_of
from kerasplm.tasks.formats.entities import SEGMENTED, sentences_of

# The first column of a line, and what follows it.
Cells = list[str]


def tags(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out columns of tags: what has a tag stays, and all characters' places."""
    [file] = files
    sentences = [[cells for _, cells in one] for one in sentences_of(file)]
    numbered = all(SEGMENTED.fullmatch(x[0]) for one in sentences for x in one)

    def word_of(cells: Cells) -> str:
        match = SEGMENTED.fullmatch(cells[0]) if numbered else None
        return match.group(1) if match else cells[0]

    def record(sentence: list[Cells]) -> Record:
        words = [word_of(cells) for cells in sentence]
        return _record(sentence, words, [cells[-1] != "O" for cells in sentence])

    separator = "\t" if "\t" in file.read_text(encoding="utf-8-sig") else " "

    def render(sentence: list[Cells]) -> str:
        return "".join(separator.join(cells) + "\n" for cells in sentence) + "\n"

    return Layout((record(one) for one in sentences), render)


def words(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out MSRA's lines of "word/type": what has a type stays."""

    def records() -> Iterator[Record]:
        for file in files:
            for _, line in lines_of(file):
                parts = [x.rpartition("/") for x in line.split(" ") if x]
                if parts:
                    cells = [[surface, kind] for surface, _, kind in parts]
                    surfaces = [surface for surface, _, _ in parts]
                    yield _record(cells, surfaces, [x[1] != "o" for x in cells])

    def render(cells: list[Cells]) -> str:
        return " ".join(f"{surface}/{kind}" for surface, kind in cells) + "\n"

    return Layout(records(), render)


def _record(cells: list[Cells], surfaces: list[str], held: list[bool]) -> Record:
    """Return the record of one sentence.

    Args:
        cells: The first one of each begins with the surface.
        surfaces: The surfaces, which together are the text.
        held: Which of them belong to an entity.
    """
    fixed, start = [], 0
    for surface, kept in zip(surfaces, held, strict=True):
        if kept:
            fixed.append((start, start + len(surface)))
        start += len(surface)

    def put(data: list[Cells], text: str) -> None:
        begin = 0
        for one, surface in zip(data, surfaces, strict=True):
            end = begin + len(surface)
            one[0] = text[begin:end] + one[0][len(surface) :]
            begin = end

    slot = Slot("".join(surfaces), put, fixed=tuple(fixed), same_length=True)
    return Record(cells, (slot,))
