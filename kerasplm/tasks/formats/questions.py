"""Reading comprehension: CMRC 2018, DRCD, SQuAD."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from kerasplm.errors import DataError
from kerasplm.tasks.formats.clue import nearest
from kerasplm.tasks.formats.common import (
    Found,
    Item,
    Place,
    Rows,
    collect,
    is_whole,
    json_document,
    shown,
)
from kerasplm.tasks.rows import Answer, QuestionRow

NO_OFFSET = "answer without a place: its first occurrence"
MOVED = "answer moved to where its text stands"
NOT_FOUND = "answer not in the passage"
# CLUE's test file has answers of this kind, at place -1.
_DUMMY = "FAKE_ANSWER"


def read_questions(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
    simplified: bool = False,
) -> Rows:
    """Read questions on passages, in SQuAD's layout or in CMRC's own.

    An answer that does not stand where the file says is moved to its nearest
    occurrence; if the passage does not have it, its place is -1. Both are counted in
    `repaired`.

    Args:
        files: JSON files.
        labels: Not used.
        labelled: As for `Reader`.
        aliases: Not used.
        simplified: Write traditional characters as simplified ones, as CLUE does for
            DRCD. No text changes its length, so places hold in the original, too.

    Raises:
        DataError: Something is broken, or OpenCC is not installed.

    Source: CLUEbenchmark/CLUE cmrc2018_preprocess.py, DRCD_preprocess.py; the layout
    of `context_text` is ymcui/cmrc2018's.
    """
    convert = _simplifier() if simplified else None
    seen: set[str] = set()

    def read_one(file: Path, into: Rows) -> Found:
        for paragraph in _paragraphs(file):
            context = paragraph.text("context", "context_text")
            plain = convert(context) if convert else context
            for item in paragraph.items("question", "qas"):
                name = item.identifier("id", "query_id")
                if name is None:
                    raise item.wrong("an id", ("id", "query_id"), None)
                if str(name) in seen:
                    raise item.place.wrong(
                        "another id for each question", f"{name!r} again"
                    )
                seen.add(str(name))
                answers: tuple[Answer, ...] | None = None
                impossible = _truth(item, "is_impossible")
                if labelled is not False:
                    answers = _answers(item, context, into)
                    if impossible:
                        answers = ()
                question = item.text("question", "query_text")
                if convert:
                    question = convert(question)
                    answers = answers and tuple(
                        _converted(answer, plain, convert) for answer in answers
                    )
                yield (
                    item.place,
                    QuestionRow(str(name), question, plain, answers, impossible),
                )

    return collect(files, read_one, labelled)


def _paragraphs(file: Path) -> Iterator[Item]:
    """Give what holds a passage and its questions."""
    data = json_document(file)
    if isinstance(data, list):
        data = {"data": data}
    articles = Item(Place(file), data).items("article", "data")
    for article in articles:
        if article.has("paragraphs"):
            yield from article.items("paragraph", "paragraphs")
        else:
            yield article


def _truth(item: Item, key: str) -> bool:
    """Return true or false; CJRC writes them as texts."""
    value = item.label(key)
    if value not in (None, "true", "false"):
        raise item.wrong("true or false", (key,), item.data[key])
    return value == "true"


def _answers(item: Item, context: str, into: Rows) -> tuple[Answer, ...] | None:
    """Return the answers; None if there is none, or none but dummies."""
    found = item.data.get("answers")
    if found is None:
        return None
    if not isinstance(found, list):
        raise item.wrong("a list", ("answers",), found)
    answers = []
    for n, one in enumerate(found):
        place = item.place.inside(f"answer {n}")
        if isinstance(one, str):
            one = {"text": one}
        answer = Item(place, one)
        text, start = answer.text("text"), answer.first("answer_start")
        if start is not None and not is_whole(start):
            raise place.wrong("a whole number as answer_start", shown(start))
        if text and not text.startswith(_DUMMY):
            answers.append(_placed(text, start, context, into))
    return tuple(answers) or None


def _placed(text: str, start: int | None, context: str, into: Rows) -> Answer:
    """Return the answer at the place where the passage has it."""
    if start is not None and start >= 0 and context.startswith(text, start):
        return Answer(text, start)
    given = start is not None and start >= 0
    place = nearest(context, text, start if start is not None and given else 0)
    into.repaired[NOT_FOUND if place < 0 else MOVED if given else NO_OFFSET] += 1
    return Answer(text, place)


def _converted(answer: Answer, context: str, convert: Callable[[str], str]) -> Answer:
    if answer.start < 0:
        return dataclasses.replace(answer, text=convert(answer.text))
    end = answer.start + len(answer.text)
    return dataclasses.replace(answer, text=context[answer.start : end])


def _simplifier() -> Callable[[str], str]:
    """Return a function from traditional to simplified that keeps the length."""
    try:
        import opencc
    except ImportError as error:
        raise DataError(
            "simplified=True needs OpenCC: pip install 'kerasplm[opencc]'"
        ) from error
    converter = opencc.OpenCC("t2s")

    def whole(text: str) -> str:
        return str(converter.convert(text))

    def convert(text: str) -> str:
        out = whole(text)
        if len(out) == len(text):
            return out
        # A phrase became longer or shorter: one character at a time, then.
        single: Iterator[tuple[str, str]] = ((c, whole(c)) for c in text)
        return "".join(new if len(new) == 1 else c for c, new in single)

    return convert
