"""Read reference and prediction files; say what is wrong with a broken one."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from kerasplm.errors import DataError, PLMError, describe


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Args:
        path: UTF-8, with or without a byte order mark.

    Raises:
        DataError: It cannot be read or is not JSON; names the line.

    Example:
        >>> read_json("predictions.json")  # doctest: +SKIP
        {'DEV_0_QUERY_0': '光荣和ω-force'}

    Source:
        RFC 8259.
    """
    return _parsed(_text(Path(path)), str(path))


def json_lines(path: str | Path) -> Iterator[tuple[str, Any]]:
    """Read a file of one JSON object per line; blank lines are passed over.

    Args:
        path: UTF-8, with or without a byte order mark.

    Yields:
        Where the object stands ("FILE: line 3"), and the object.

    Raises:
        DataError: A line is not a JSON object, or there is none.

    Example:
        >>> dict(json_lines("cluener_predict.json"))  # doctest: +SKIP
        {'cluener_predict.json: line 1': {'id': 0, 'label': {}}}

    Source:
        The files of CLUE.
    """
    found = False
    # Only "\n" ends a row: texts hold U+2028 and its like.
    for number, line in enumerate(_text(Path(path)).split("\n"), 1):
        if line.strip():
            found = True
            place = f"{path}: line {number}"
            yield place, mapping(_parsed(line, place), place)
    if not found:
        raise DataError(f"{path}: expected JSON lines, found an empty file")


def read_references(
    path: str | Path, unanswerable: bool = False
) -> dict[str, tuple[str, ...]]:
    """Read the answers of a reading comprehension file.

    Two layouts are known, in a list or under "data": that of SQuAD (``paragraphs``,
    ``qas``, ``id``, ``answers`` of ``text``) and the first one of CMRC (``qas``,
    ``query_id``, ``answers`` that are strings).

    Args:
        path: The reference file.
        unanswerable: Whether a question may have no answer.

    Returns:
        The answers of each question, in the order of the file.

    Raises:
        DataError: Names the place in the file.

    Example:
        >>> read_references("dev.json")  # doctest: +SKIP
        {'DEV_0_QUERY_0': ('光荣和ω-force', '光荣和ω-force', '光荣和ω-force')}

    Source:
        ymcui/cmrc2018, both layouts; rajpurkar/SQuAD-explorer.
    """
    data = read_json(path)
    if isinstance(data, dict):
        data = field(data, "data", list, str(path))
    references: dict[str, tuple[str, ...]] = {}
    for place, question in _questions(data, str(path)):
        name = "id" if "id" in question else "query_id"
        identifier = field(question, name, str, place).strip()
        place = f"{place} ({identifier})"
        if identifier in references:
            raise DataError(f"{place}: this question occurs twice")
        answers = field(question, "answers", list, place)
        if not answers and not unanswerable:
            raise DataError(f"{place}: expected an answer, found none")
        references[identifier] = tuple(
            answer if isinstance(answer, str) else field(answer, "text", str, where)
            for number, answer in enumerate(answers, 1)
            for where in [f"{place}: answer {number}"]
        )
    if not references:
        raise DataError(f"{path}: expected questions, found none")
    return references


def _questions(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    items = [data] if not isinstance(data, list) else data
    for number, item in enumerate(items, 1):
        place = f"{path}: item {number}"
        mapping(item, place)
        inner = [item] if "qas" in item else field(item, "paragraphs", list, place)
        for paragraph in inner:
            for n, question in enumerate(field(paragraph, "qas", list, place), 1):
                yield f"{place}, question {n}", mapping(question, place)


def read_predictions(path: str | Path, kind: type = str) -> dict[str, Any]:
    """Read one prediction per question: a JSON object.

    Args:
        path: The prediction file.
        kind: Of the predictions: str, int or float.

    Raises:
        DataError: Names the file and the question.

    Example:
        >>> read_predictions("predictions.json")  # doctest: +SKIP
        {'DEV_0_QUERY_0': '光荣和ω-force'}

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py.
    """
    data = mapping(read_json(path), str(path))
    return {name: field(data, name, kind, str(path)) for name in data}


def mapping(value: Any, place: str) -> dict[str, Any]:
    """Return the value if it is a JSON object.

    Raises:
        DataError: It is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{place}: expected a JSON object, found {_told(value)}")
    return value


_NAMES = {str: "a string", list: "a list", dict: "an object", int: "a whole number"}
_NAMES[float] = "a number"


def field(value: Any, name: str, kind: type, place: str) -> Any:
    """Return a field of a JSON object.

    Args:
        value: The object.
        name: Of the field.
        kind: What it must be; float takes whole numbers too.
        place: For the message.

    Raises:
        DataError: The value is no object, or the field is missing or something else.
    """
    value = mapping(value, place)
    if name not in value:
        raise DataError(f"{place}: expected {name!r}, found {', '.join(value) or '{}'}")
    found = value[name]
    kinds = (int, float) if kind is float else kind
    if not isinstance(found, kinds) or isinstance(found, bool) or found != found:
        expected = _NAMES[kind]
        raise DataError(f"{place}: {name!r}: expected {expected}, found {_told(found)}")
    return found


def run_command(*functions: Callable[..., None]) -> None:
    """Run one command, or several by name; bad input ends with one line, status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    for function in functions:
        app.command()(function)
    try:
        app()
    except (PLMError, OSError) as error:
        typer.echo(f"error: {describe(error)}", err=True)
        sys.exit(2)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line}: expected UTF-8, found the byte "
            f"0x{data[error.start]:02x}"
        ) from error


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""
        raise DataError(
            f"{place}: expected JSON, found it broken at {line}column {error.colno} "
            f"({error.msg})"
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{place}: not usable JSON ({error})") from error


def _told(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:60] + " ..."
