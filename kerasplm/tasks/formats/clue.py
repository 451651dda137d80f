"""CLUE's tasks on texts whose rows say more than one or two texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kerasplm.tasks.formats.common import (
    Found,
    Item,
    Rows,
    checked_label,
    collect,
    json_lines,
    shown,
)
from kerasplm.tasks.rows import TextRow

_ID = ("id", "idx", "index")


def read_keywords(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read CSL: are all of these keywords of that abstract?

    The keywords, joined by blanks, are the text, and the abstract is the pair.

    Source: CLUEbenchmark/CLUE classifier_utils.py CslProcessor.
    """

    def read_one(file: Path, into: Rows) -> Found:
        for item in json_lines(file):
            yield (
                item.place,
                TextRow(
                    item.identifier(*_ID),
                    " ".join(item.texts("keyword")),
                    item.text("abst"),
                    _label(item, labels, labelled, aliases),
                ),
            )

    return collect(files, read_one, labelled)


def read_pronouns(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
    repair: bool = False,
) -> Rows:
    """Read CLUEWSC2020: does the pronoun mean that noun?

    The noun stands between "_" and the pronoun in "[" and "]".

    Args:
        files: JSON lines.
        labels: As for `Reader`.
        labelled: As for `Reader`.
        aliases: As for `Reader`.
        repair: Take the nearest place of a noun or pronoun that does not stand where
            the row says, and leave out and count rows whose text has none; if not,
            such a row is an error.

    Source: CLUEbenchmark/CLUE classifier_utils.py WSCProcessor.
    """

    def read_one(file: Path, into: Rows) -> Found:
        for item in json_lines(file):
            text = item.text("text")
            target = item.item("target")
            spans = []
            for n in (1, 2):
                word, start = (
                    target.text(f"span{n}_text"),
                    target.whole(f"span{n}_index"),
                )
                there = max(start, 0)
                if not word or start < 0 or not text.startswith(word, start):
                    if not repair:
                        raise target.place.wrong(
                            f"span{n}_text {shown(word)} at character {start}",
                            shown(text[there : there + len(word)]),
                        )
                    start = nearest(text, word, there)
                    if start >= 0:
                        into.repaired["span moved to where its text stands"] += 1
                spans.append((start, word))
            if min(start for start, _ in spans) < 0:
                into.dropped["span not in the text"] += 1
                continue
            label = _label(item, labels, labelled, aliases)
            marked = mark(text, *spans[0], *spans[1])
            yield item.place, TextRow(item.identifier(*_ID), marked, None, label)

    return collect(files, read_one, labelled)


def mark(text: str, noun_start: int, noun: str, start: int, pronoun: str) -> str:
    """Return the text with "_" around the noun and "[", "]" around the pronoun.

    The marks go in one after the other, each place counted with those before.

    Args:
        text: The text.
        noun_start: Character where the noun begins.
        noun: The noun.
        start: Character where the pronoun begins.
        pronoun: The pronoun.

    Example:
        >>> mark("小明说他饿了", 0, "小明", 3, "他")
        '_小明_说[他]饿了'
    """
    characters = list(text)
    if start > noun_start:
        characters.insert(noun_start, "_")
        characters.insert(noun_start + len(noun) + 1, "_")
        characters.insert(start + 2, "[")
        characters.insert(start + len(pronoun) + 3, "]")
    else:
        characters.insert(start, "[")
        characters.insert(start + len(pronoun) + 1, "]")
        characters.insert(noun_start + 2, "_")
        characters.insert(noun_start + len(noun) + 3, "_")
    return "".join(characters)


def read_causes(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read COPA: which of two is the cause, or the effect, of the premise?

    An item gives two rows of one group, in which the cause stands first; the row of
    the right choice has the label "1" and the other one "0".

    Source: CLUEbenchmark/CLUE classifier_utils.py COPAProcessor.
    """

    def read_one(file: Path, into: Rows) -> Found:
        for item in json_lines(file):
            name = item.identifier(*_ID)
            name = len(into) // 2 if name is None else name
            premise, question = item.text("premise"), item.text("question")
            if question not in ("cause", "effect"):
                raise item.place.wrong("the question cause or effect", shown(question))
            right = _label(item, ("0", "1"), labelled, aliases)
            for n in ("0", "1"):
                pair = premise, item.text(f"choice{n}")
                first, second = pair if question == "effect" else pair[::-1]
                label = None if right is None else str(int(right == n))
                yield item.place, TextRow(name, first, second, label, group=name)

    return collect(files, read_one, labelled)


def nearest(text: str, part: str, start: int) -> int:
    """Return where the part stands nearest to a character, or -1."""
    if not part:
        return -1
    before, after = text.rfind(part, 0, start + len(part)), text.find(part, start)
    if before < 0 or (after >= 0 and after - start < start - before):
        return after
    return before


def _label(
    item: Item,
    labels: Sequence[str],
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> str | None:
    label = item.label("label") if labelled is not False else None
    if label is None:
        return None
    return checked_label(item.place, label, labels, aliases)
