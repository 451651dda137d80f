"""Files of the command line: read line by line, written only when complete."""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO, get_args

import typer

from kerasplm.errors import ConfigError, DataError
from kerasplm.files import appearing

InputFormat = Literal["lines", "tsv", "jsonl"]
_BY_SUFFIX: dict[str, InputFormat] = {
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".json": "jsonl",
}

InputArg = Annotated[
    str, typer.Option("--input", help="File, or - for stdin.", metavar="FILE")
]
FormatArg = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="lines (fields separated by tabs), tsv (with a header) or jsonl. "
        "Default: by the suffix, else lines.",
    ),
]
BatchArg = Annotated[int, typer.Option(help="Sequences that run at once.")]
LengthArg = Annotated[
    int | None, typer.Option(help="Tokens per sequence. Default: as trained.")
]
PrecisionArg = Annotated[
    str | None,
    typer.Option(
        help="bfloat16 or float16: faster where the hardware has it, a little less "
        "exact. Default: float32."
    ),
]


@contextlib.contextmanager
def opened(source: str) -> Iterator[TextIO]:
    """Give the lines of a file, or stdin for "-".

    Raises:
        DataError: What is read inside is not UTF-8 or no item; it names the file.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_named(source))
        if source == "-":
            yield sys.stdin
            return
        path = Path(source).expanduser()
        yield stack.enter_context(open(path, encoding="utf-8-sig", newline="\n"))


@contextlib.contextmanager
def _named(source: str) -> Iterator[None]:
    """Say in an error which file it is about."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: not UTF-8 at byte {error.start}") from error
    except DataError as error:
        text = str(error)
        if text.startswith(source):
            raise
        raise DataError(f"{source}: {text}") from error


@contextlib.contextmanager
def written(output: str) -> Iterator[TextIO]:
    """Give a file that appears only when complete, or stdout for "-"."""
    if output == "-":
        yield sys.stdout
        return
    target = Path(output).expanduser()
    with appearing(target) as work, work.open("w", encoding="utf-8") as file:
        yield file


def write_line(file: TextIO, value: Any) -> None:
    """Write a value as a line of JSON; Chinese stays readable."""
    file.write(json.dumps(value, ensure_ascii=False) + "\n")


def items_of(lines: Iterable[str], name: str, form: str | None) -> Iterator[Any]:
    """Yield the items of a file.

    Args:
        lines: From `opened`.
        name: Of the file, for messages; its suffix tells the form.
        form: "lines", "tsv" or "jsonl"; None: by the suffix, else lines.

    Raises:
        ConfigError: There is no such form.
        DataError: A line is no item.
    """
    form = form or _BY_SUFFIX.get(Path(name).suffix, "lines")
    if form not in get_args(InputFormat):
        raise ConfigError(
            f"format must be one of {', '.join(get_args(InputFormat))}. Received: "
            f"{form!r}"
        )
    header: list[str] | None = None
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if form == "jsonl":
            yield _parsed(line, name, number)
            continue
        cells = line.split("\t")
        if form == "lines":
            yield tuple(cells) if len(cells) > 1 else line
        elif header is None:
            header = cells
        elif len(cells) != len(header):
            raise DataError(
                f"{name}: line {number}: expected {len(header)} columns, found "
                f"{len(cells)}"
            )
        else:
            yield dict(zip(header, cells, strict=True))


def _parsed(line: str, name: str, number: int) -> Any:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: line {number}: not JSON ({error})") from error
    if not isinstance(item, str | dict):
        raise DataError(
            f"{name}: line {number}: expected an object or a string, found "
            f"{type(item).__name__}"
        )
    return item
