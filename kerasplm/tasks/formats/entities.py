"""Named entities: CLUENER, columns of tags (Weibo, People's Daily, Resume), MSRA."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kerasplm.tasks.formats.common import (
    Found,
    Item,
    Place,
    Rows,
    checked_label,
    collect,
    json_lines,
    lines_of,
    shown,
)
from kerasplm.tasks.formats.tags import TAG, closes, spans_of
from kerasplm.tasks.rows import Entity, EntityRow

REPAIRED = "entity with a broken sequence of tags"
MSRA_TYPES = {"nr": "PERSON", "ns": "LOCATION", "nt": "ORGANIZATION", "o": ""}
SEGMENTED = re.compile(r"(.+?)\d+", re.DOTALL)

Sentence = list[tuple[Place, list[str]]]


def read_spans(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read CLUENER: JSON lines {"text", "label": {type: {surface: [[first, last]]}}}.

    Source: CLUEbenchmark/CLUENER2020.
    """

    def read_one(file: Path, into: Rows) -> Found:
        for item in json_lines(file):
            text = item.text("text")
            entities = None
            if item.has("label") and labelled is not False:
                entities = tuple(sorted(set(_spans(item, text, labels, aliases))))
            yield item.place, EntityRow(item.identifier("id"), text, entities)

    return collect(files, read_one, labelled)


def _spans(
    item: Item, text: str, labels: Sequence[str], aliases: Mapping[str, str]
) -> Iterator[Entity]:
    types = item.item("label")
    for name, surfaces in types.data.items():
        kind = checked_label(types.place, name, labels, aliases)
        for surface, spans in Item(types.place.inside(name), surfaces).data.items():
            if not isinstance(spans, list):
                raise types.place.wrong("a list of [first, last]", shown(spans))
            for span in spans:
                whole = isinstance(span, list) and len(span) == 2
                if not whole or not all(type(n) is int for n in span):
                    raise types.place.wrong("[first, last] character", shown(span))
                first, last = span
                there = text[first : last + 1] if 0 <= first <= last < len(text) else ""
                if there != surface or not there:
                    raise types.place.wrong(
                        f"{shown(surface)} at the characters {first} to {last}",
                        shown(there),
                    )
                yield Entity(first, last + 1, kind)


def read_tags(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read columns: a character (or word) and, last, its tag; a blank line between.

    A tab separates, or else a blank. A first column that always ends in digits, as
    Weibo's, has the place of the character in its word, which is left out. Tags are
    BIO, BIOES or BMES; broken sequences are taken as conlleval takes them and counted
    in `repaired`. The text has nothing between the words.

    Args:
        files: Text files.
        labels: As for `Reader`: the types.
        labelled: As for `Reader`.
        aliases: As for `Reader`.

    Source: hltcoe/golden-horse (Weibo); the conlleval script of CoNLL-2000.
    """

    def read_one(file: Path, into: Rows) -> Found:
        sentences = list(sentences_of(file))
        rows = [cells for sentence in sentences for _, cells in sentence]
        has_tags = bool(rows) and len(rows[0]) > 1
        if all(SEGMENTED.fullmatch(cells[0]) for cells in rows):
            for cells in rows:
                match = SEGMENTED.fullmatch(cells[0])
                cells[0] = match.group(1) if match else cells[0]
        use_tags = has_tags and labelled is not False
        closing = use_tags and closes([cells[-1] for cells in rows])
        for sentence in sentences:
            words = [cells[0] for _, cells in sentence]
            entities = None
            if use_tags:
                tags = [_tag(*row, labels, aliases) for row in sentence]
                spans, repaired = spans_of(tags, closing)
                if repaired:
                    into.repaired[REPAIRED] += repaired
                entities = _in_characters(words, spans)
            yield sentence[0][0], EntityRow(None, "".join(words), entities)

    return collect(files, read_one, labelled)


def sentences_of(file: Path) -> Iterator[Sentence]:
    """Give the lines of each sentence: their places, and their cells."""
    sentence: Sentence = []
    columns = 0
    for place, line in lines_of(file):
        if not line.strip(" \t"):
            if sentence:
                yield sentence
            sentence = []
            continue
        separator = "\t" if "\t" in line else " "
        # A first column that is a blank itself.
        blank = line.startswith(separator)
        cells = [" ", *line.split()] if blank else line.split(separator)
        columns = columns or len(cells)
        if len(cells) != columns:
            raise place.wrong(f"{columns} columns", f"{len(cells)} in {shown(line)}")
        sentence.append((place, cells))
    if sentence:
        yield sentence


def _tag(
    place: Place,
    cells: Sequence[str],
    labels: Sequence[str],
    aliases: Mapping[str, str],
) -> str:
    """Return a tag in the spelling of the task."""
    tag = cells[-1]
    match = TAG.fullmatch(tag)
    if match:
        kind = checked_label(place, match.group(2), labels, aliases)
        return f"{match.group(1)}-{kind}"
    if tag != "O":
        raise place.wrong("a tag such as O, B-PER, I-PER", shown(tag))
    return tag


def _in_characters(words: Sequence[str], spans: Sequence[Entity]) -> tuple[Entity, ...]:
    """Return entities that count characters, from those that count words."""
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return tuple(Entity(starts[e.start], starts[e.end], e.type) for e in spans)


def read_words(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read MSRA: a sentence on each line, as words "word/type" with blanks between.

    The types nr, ns, nt and o mean person, place, organisation and nothing.

    Source: CLUEbenchmark/CLUE run_ner.py (train1.txt, testright1.txt).
    """

    def read_one(file: Path, into: Rows) -> Found:
        for place, line in lines_of(file):
            words, spans = [], []
            for n, word in enumerate(filter(None, line.split(" "))):
                surface, slash, kind = word.rpartition("/")
                if not slash or kind not in MSRA_TYPES:
                    raise place.wrong(
                        f"word/type with a type of {', '.join(MSRA_TYPES)}", shown(word)
                    )
                words.append(surface)
                if MSRA_TYPES[kind] and surface:
                    kind = checked_label(place, MSRA_TYPES[kind], labels, aliases)
                    spans.append(Entity(n, n + 1, kind))
            if words:
                entities = _in_characters(words, spans)
                keep = None if labelled is False else entities
                yield place, EntityRow(None, "".join(words), keep)

    return collect(files, read_one, labelled)
