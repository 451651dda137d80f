"""Multiple choice: C3 (questions on texts and dialogues), CHID (idioms in blanks)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.tasks.formats.common import (
    Found,
    Item,
    Place,
    Rows,
    collect,
    is_whole,
    json_document,
    json_lines,
    listed,
    shown,
)
from kerasplm.tasks.rows import ChoiceRow

BLANK = re.compile(r"#idiom\d*#")
_PUNCTUATION = str.maketrans("“”—―‘’", "\"\"--''") | {ord("…"): "..."}


def read_dialogues(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read C3; all texts become lower case, as in the originals.

    An id is that of the question (a test file has them), or the number of the row.

    Args:
        files: JSON files, those of dialogues ("d") and of mixed texts ("m").
        labels: Not used.
        labelled: As for `Reader`.
        aliases: Not used.

    Source: nlpdata/c3; CLUEbenchmark/CLUE run_c3.py.
    """

    def read_one(file: Path, into: Rows) -> Found:
        entries = json_document(file)
        if not isinstance(entries, list):
            raise Place(file).wrong("a list of items", type(entries).__name__)
        for number, entry in enumerate(entries):
            place = Place(file, f"item {number}")
            if not isinstance(entry, list) or len(entry) < 2:
                raise place.wrong("[texts, questions, id]", shown(entry))
            item = Item(place, {"texts": entry[0], "questions": entry[1]})
            context = "\n".join(item.texts("texts")).lower()
            for one in item.items("question", "questions"):
                question = one.text("question").lower()
                choices = tuple(choice.lower() for choice in one.texts("choice"))
                answer = _place(one, choices) if labelled is not False else None
                name = one.identifier("id")
                yield one.place, ChoiceRow(name, context, question, choices, answer)

    return collect(files, read_one, labelled)


def _place(item: Item, choices: Sequence[str]) -> int | None:
    if not choices:
        raise item.wrong("choices", ("choice",), [])
    if not item.has("answer") or item.data["answer"] == "":
        return None
    answer = item.text("answer").lower()
    if answer not in choices:
        raise item.place.wrong(f"an answer of {listed(choices)}", shown(answer))
    return choices.index(answer)


def read_idioms(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read CHID, one row for each blank; the rows of one line are a group.

    Other blanks stay in the texts as "#idiom...#". The answers are in a file of their
    own, whose name has "answer" in it, or in the lines (FewCLUE, one blank each).

    Args:
        files: JSON lines, and the files of their answers.
        labels: Not used.
        labelled: As for `Reader`.
        aliases: Not used.

    Source: CLUEbenchmark/CLUE CHID_preprocess.py; CLUEbenchmark/FewCLUE.
    """
    answers: dict[str, Any] = {}
    if labelled is not False:
        for file in files:
            if "answer" in file.stem:
                answers |= Item(Place(file), json_document(file)).data
    texts = [file for file in files if "answer" not in file.stem]
    seen: set[str] = set()
    group = -1

    def read_one(file: Path, into: Rows) -> Found:
        nonlocal group
        for item in json_lines(file):
            group += 1
            single = isinstance(item.data.get("content"), str)
            passages = [item.text("content")] if single else item.texts("content")
            choices = tuple(item.texts("candidates"))
            if not choices:
                raise item.wrong("candidates", ("candidates",), [])
            blanks = [
                (passage, blank)
                for passage in (text.translate(_PUNCTUATION) for text in passages)
                for blank in BLANK.finditer(passage)
            ]
            if not blanks or (single and len(blanks) > 1):
                raise item.place.wrong(
                    "one blank #idiom#" if single else "blanks #idiom...#",
                    str(len(blanks)),
                )
            for passage, blank in blanks:
                name: int | str | None = blank.group()
                if single:
                    answer, name = item.first("answer"), item.identifier("id")
                elif name in seen:
                    raise item.place.wrong("each blank once", f"{name!r} again")
                else:
                    seen.add(str(name))
                    answer = answers.get(str(name))
                    if answers and answer is None:
                        raise item.place.wrong(f"an answer to {name!r}", "none")
                if labelled is False:
                    answer = None
                if answer is not None and not (
                    is_whole(answer) and 0 <= answer < len(choices)
                ):
                    raise item.place.wrong(
                        f"an answer from 0 to {len(choices) - 1} to {name!r}",
                        shown(answer),
                    )
                before, after = passage[: blank.start()], passage[blank.end() :]
                yield item.place, ChoiceRow(name, before, after, choices, answer, group)

    return collect(texts, read_one, labelled)
