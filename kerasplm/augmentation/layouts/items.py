"""Questions on passages and questions with choices: JSON documents, CHID's lines."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasplm.augmentation.records import (
    Layout,
    Record,
    Slot,
    at,
    json_line,
    occurrences,
)
from kerasplm.errors import DataError
from kerasplm.tasks.formats.choices import BLANK
from kerasplm.tasks.formats.common import json_document, json_lines

_MARK = "_aug"


def questions(files: Sequence[Path], *_: Any, **__: Any) -> Layout:
    """Lay out SQuAD, CMRC and DRCD: passages are reworded, or their questions.

    All occurrences of the answers stay, and where they stand. Each paragraph becomes
    an article of its own; a copy's questions get ids of their own.
    """
    [file] = files
    document = json_document(file)
    outer = {} if isinstance(document, list) else document
    articles = document if isinstance(document, list) else document["data"]
    paragraphs = [
        (article, n)
        for article in articles
        for n in range(len(article["paragraphs"]) if "paragraphs" in article else 1)
    ]
    mark = _MARK
    while any(
        mark in str(_id(one)[1])
        for article, n in paragraphs
        for one in _paragraph(_alone(article, n))["qas"]
    ):
        mark += "_"

    def rename(data: Any, number: int) -> None:
        for one in _paragraph(data)["qas"]:
            key, name = _id(one)
            one[key] = f"{name}{mark}{number}"

    def record(article: Any, n: int) -> Record:
        data = _alone(article, n)
        paragraph = _paragraph(data)
        path = ("paragraphs", 0) if "paragraphs" in data else ()
        key = _key(paragraph, "context", "context_text")
        text = paragraph[key]
        fixed = occurrences(
            text, (part for one in paragraph["qas"] for part in _answers(one))
        )
        slots = [Slot(text, at(*path, key), 0, fixed, same_length=True)]
        for k, one in enumerate(paragraph["qas"]):
            key = _key(one, "question", "query_text")
            fixed = occurrences(one[key], _answers(one))
            slots.append(Slot(one[key], at(*path, "qas", k, key), 1, fixed))
        return Record(data, tuple(slots), rename)

    rest = {key: value for key, value in outer.items() if key != "data"}
    head = json.dumps(rest, ensure_ascii=False)[:-1] + ", " * bool(rest)
    listed = isinstance(document, list)
    return Layout(
        (record(article, n) for article, n in paragraphs),
        lambda data: json.dumps(data, ensure_ascii=False),
        "[\n" if listed else f'{head}"data": [\n',
        ",\n",
        "\n]\n" if listed else "\n]}\n",
    )


def _alone(article: Any, n: int) -> Any:
    """Return an article with only one of its paragraphs."""
    if "paragraphs" not in article:
        return article
    return {**article, "paragraphs": [article["paragraphs"][n]]}


def _paragraph(article: Any) -> Any:
    return article["paragraphs"][0] if "paragraphs" in article else article


def _id(question: Any) -> tuple[str, Any]:
    key = _key(question, "id", "query_id")
    return key, question[key]


def _key(data: Any, *names: str) -> str:
    """Return the first name that has a value, as the reader takes it."""
    return next(name for name in names if data.get(name) is not None)


def _answers(question: Any) -> Iterator[str]:
    for key in ("answers", "plausible_answers"):
        for one in question.get(key) or ():
            yield one if isinstance(one, str) else one["text"]


def dialogues(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out C3: texts are reworded, or questions; no choice, nor where it stands."""

    def record(entry: Any) -> Record:
        texts, asked = entry[0], entry[1]
        parts = [choice for one in asked for choice in one["choice"]]
        slots = [
            Slot(text, at(0, n), 0, occurrences(text, parts))
            for n, text in enumerate(texts)
        ]
        for n, one in enumerate(asked):
            text = one["question"]
            put = at(1, n, "question")
            slots.append(Slot(text, put, 1, occurrences(text, one["choice"])))
        return Record(entry, tuple(slots))

    records = (record(entry) for file in files for entry in json_document(file))
    return Layout(
        records,
        lambda data: json.dumps(data, ensure_ascii=False),
        "[\n",
        ",\n",
        "\n]\n",
    )


def idioms(files: Sequence[Path], *_: Any) -> Layout:
    """Lay out CHID: passages are reworded, but no candidate.

    The blanks of a copy get numbers of their own: that of the copy, then the old one
    with leading zeros.
    """
    answers: dict[str, Any] = {}
    for file in files:
        if "answer" in file.stem:
            answers |= json_document(file)
    texts = [file for file in files if "answer" not in file.stem]
    lists = [
        blank
        for file in texts
        for item in json_lines(file)
        if isinstance(item.data["content"], list)
        for text in item.data["content"]
        for blank in BLANK.findall(text)
    ]
    width = max((len(_digits(blank)) for blank in lists), default=0)
    padded = {_digits(blank).zfill(width): blank for blank in lists}
    if len(padded) < len(lists):
        raise DataError(
            f"{texts[0]}: expected blanks of different numbers, found two that differ "
            "by leading zeros"
        )

    def rename(data: Any, number: int) -> None:
        data["content"] = [
            BLANK.sub(
                lambda found: f"#idiom{number}{_digits(found[0]).zfill(width)}#", text
            )
            for text in data["content"]
        ]

    def record(data: Any) -> Record:
        content, parts = data["content"], data["candidates"]
        if isinstance(content, str):
            return Record(data, (_blanked(content, at("content"), parts),))
        slots = (
            _blanked(text, at("content", n), parts) for n, text in enumerate(content)
        )
        return Record(data, tuple(slots), rename)

    def answered(file: Path) -> str:
        """Return the answers to all blanks of a file."""
        found = {}
        for item in json_lines(file):
            for text in item.data["content"]:
                for blank in BLANK.findall(text):
                    old = blank if blank in answers else padded[_digits(blank)[-width:]]
                    found[blank] = answers[old]
        return json.dumps(found, ensure_ascii=False, indent=1) + "\n"

    records = (record(item.data) for file in texts for item in json_lines(file))
    return Layout(records, json_line, answers=answered if answers else None)


def _digits(blank: str) -> str:
    return blank[len("#idiom") : -1]


def _blanked(text: str, put: Any, parts: Sequence[str]) -> Slot:
    blanks = tuple(match.span() for match in BLANK.finditer(text))
    return Slot(text, put, 0, blanks + occurrences(text, parts))
