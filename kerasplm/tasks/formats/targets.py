"""Texts to read and texts to write: titles, answers, rewritten utterances."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.tasks.formats.columns import Column, read_table
from kerasplm.tasks.formats.common import (
    JSON_LINES,
    Found,
    Item,
    Place,
    Rows,
    collect,
    json_document,
    json_lines,
    lines_of,
)
from kerasplm.tasks.rows import SourceRow

FIELDS = ("text", "pair", "target", "id")
NO_ANSWER = "passage without an annotated answer"
_COMMAS = re.compile("[ 、；，]")
# Of every so many questions of SogouQA one belongs to the development set.
_SHARE = 3
_READ = 254  # characters of a passage in which the script looks for an answer
_SOGOU, _WEB = "SogouQA.json", "WebQA.json"


def read_targets(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
    columns: Mapping[str, Column],
    separator: str = "\t",
) -> Rows:
    """Read a text, or two, and the text to write, in columns or JSON lines.

    Under the key of the target JSON lines may hold a list of texts: the first one is
    trained on, all of them are references.

    Args:
        files: As for `read_table`.
        labels: Not used.
        labelled: As for `Reader`.
        aliases: Not used.
        columns: Where "text", "pair" (a second text), "target" and "id" stand; as for
            `read_table`.
        separator: As for `read_table`.

    Raises:
        ConfigError: The columns name other fields.
        DataError: A row is broken, or a text is empty.
    """
    if "text" not in columns or not set(columns) <= set(FIELDS):
        raise ConfigError(
            f"columns must name 'text' and may name {', '.join(FIELDS[1:])}. Received: "
            f"{', '.join(columns) or 'nothing'}"
        )
    texts = [name for name in ("text", "pair") if name in columns]

    def make(place: Place, record: Mapping[str, Any], target: Any) -> SourceRow:
        for name in texts:
            _check_filled(place, record[name], name)
        sources = tuple(record[name] for name in texts)
        if target is None:
            return SourceRow(record.get("id"), sources)
        targets = tuple(target) if isinstance(target, list) else (target,)
        if not targets:
            raise place.wrong("a target", "an empty list")
        for one in targets:
            _check_filled(place, one, "target")
        return SourceRow(record.get("id"), sources, targets)

    def read_json(file: Path, into: Rows) -> Found:
        names = {field: _names(where) for field, where in columns.items()}
        if not all(names[field] for field in (*texts, "target") if field in names):
            raise Place(file).wrong("columns, as numbers name them", "JSON lines")
        for item in json_lines(file):
            record: dict[str, Any] = {name: item.text(*names[name]) for name in texts}
            record["id"] = item.identifier(*names.get("id", ()))
            target = None
            if labelled is not False and "target" in names:
                target = _references(item, names["target"])
            yield item.place, make(item.place, record, target)

    if any(file.suffix in JSON_LINES for file in files):
        return collect(files, read_json, labelled)
    return read_table(
        files,
        (),
        labelled=labelled,
        aliases={},
        columns={("label" if k == "target" else k): x for k, x in columns.items()},
        separator=separator,
        make=make,
    )


def _names(where: Column) -> list[str]:
    ways = where if isinstance(where, tuple) else (where,)
    return [name for name in ways if isinstance(name, str)]


def _references(item: Item, names: Sequence[str]) -> list[str] | None:
    """Return the target of a JSON object, or all its targets."""
    found = item.first(*names)
    if isinstance(found, list):
        name = next(name for name in names if item.has(name))
        return item.texts(name)
    return None if found is None else [item.text(*names)]


def _check_filled(place: Place, text: str, name: str) -> None:
    if not text.strip():
        raise place.wrong(f"a {name}", "an empty one")


def read_utterances(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
) -> Rows:
    """Read lines of a dialogue, separated by tabs: earlier ones, last one, rewritten.

    Args:
        files: The files.
        labels: Not used.
        labelled: False: there is no rewritten utterance, the line ends with the last
            one that was said. As for `Reader` otherwise.
        aliases: Not used.

    Raises:
        DataError: A line has too few utterances, or an empty one.

    Source: Su et al., ACL 2019, utterance rewriting.
    """
    least = 2 if labelled is False else 3

    def read_one(file: Path, into: Rows) -> Found:
        for place, line in lines_of(file):
            if not line.strip():
                continue
            said = line.split("\t")
            if len(said) < least or not all(map(str.strip, said)):
                raise place.wrong(
                    f"at least {least} texts separated by tabs, none of them empty",
                    f"{len(said)}, {sum(not x.strip() for x in said)} of them empty",
                )
            if labelled is False:
                yield place, SourceRow(None, tuple(said))
            else:
                yield place, SourceRow(None, tuple(said[:-1]), (said[-1],))

    return collect(files, read_one, labelled)


def read_answers(
    files: Sequence[Path],
    labels: Sequence[str],
    *,
    labelled: bool | None,
    aliases: Mapping[str, str],
    pairs: bool = False,
) -> Rows:
    """Read questions with several passages: WebQA and SogouQA.

    Each passage is a row, the question its group. The target is the first annotated
    answer of the question whose parts, separated by spaces, all stand in the first 254
    characters of the passage; an empty one if there is none. Spaces and the signs "、",
    "；" and "，" become commas.

    SogouQA has no development set. Of the file of that name every third question, from
    the first on, is one: read alone the file gives those, read with WebQA all others,
    each twice.

    Args:
        files: JSON arrays of {"id", "question", "passages": [{"passage", "answer"}]}.
        labels: Not used.
        labelled: As for `Reader`.
        aliases: Not used.
        pairs: Whether answer and question are to be written, of the passage alone;
            passages without the answer are left out and counted.

    Raises:
        DataError: Something is broken.

    Source: ZhuiyiTechnology/pretrained-models task_cips_sogou_qa.py;
    bojone/bert4keras task_question_answer_generation_by_seq2seq.py.
    """
    with_web = any(file.name == _WEB for file in files)

    def read_one(file: Path, into: Rows) -> Found:
        data = json_document(file)
        if not isinstance(data, list):
            raise Place(file).wrong("a JSON array of questions", type(data).__name__)
        for number, one in enumerate(data):
            item = Item(Place(file).inside(f"question {number}"), one)
            held = number % _SHARE == 0
            if file.name == _SOGOU and held == with_web:
                continue
            for _ in range(2 if file.name == _SOGOU and with_web else 1):
                for row in _passages(item, labelled, pairs, into.dropped):
                    yield item.place, row

    return collect(files, read_one, labelled)


def _passages(
    item: Item, labelled: bool | None, pairs: bool, dropped: Counter[str]
) -> list[SourceRow]:
    """Return a row for each passage of a question."""
    name, question = item.identifier("id"), item.text("question")
    passages = item.items("passage", "passages")
    known = labelled is not False and any("answer" in p.data for p in passages)
    answers = [p.text("answer") for p in passages if p.has("answer")]
    answers = [answer for answer in answers if answer.strip()]
    references = tuple(dict.fromkeys(_COMMAS.sub(",", a) for a in answers)) or ("",)
    rows = []
    for passage in passages:
        text = _COMMAS.sub(",", passage.text("passage"))
        fits = (a for a in answers if all(x in text[:_READ] for x in a.split()))
        target = _COMMAS.sub(",", next(fits, ""))
        if pairs and not target:
            dropped[NO_ANSWER] += 1
        elif pairs:
            rows.append(SourceRow(name, (text,), (f"{target}\n{question}",)))
        elif known:
            sources = (text, question)
            rows.append(SourceRow(name, sources, (target,), references, name))
        else:
            rows.append(SourceRow(name, (text, question), group=name))
    return rows
