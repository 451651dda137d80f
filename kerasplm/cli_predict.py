"""The commands `predict` and `embed`: files of raw text through a pipeline."""

import collections
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO, get_args

import typer

from checkpoints_convert.command import FamilyArg, PartArg
from kerasplm.errors import ConfigError, DataError
from kerasplm.files import temporary_folder

InputFormat = Literal["lines", "tsv", "jsonl"]
_BY_SUFFIX: dict[str, InputFormat] = {
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".json": "jsonl",
}

ModelArg = Annotated[
    str,
    typer.Option(
        "--model",
        help="Folder that `finetune` wrote, or as for the other commands.",
        metavar="MODEL",
    ),
]
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


def predict(
    model: ModelArg,
    source: InputArg,
    output: Annotated[
        str, typer.Option(help="JSON lines, or - for stdout.", metavar="FILE")
    ] = "-",
    task: Annotated[
        str | None,
        typer.Option(help="Pipeline, such as fill-mask. Default: the model's task."),
    ] = None,
    form: FormatArg = None,
    batch_size: BatchArg = 32,
    max_length: LengthArg = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Answer texts: one JSON object for each line, in order.

    A line is a text, or the fields of an item separated by tabs (text and pair;
    question and context). In .tsv and .jsonl files the fields have names; an "id" is
    repeated in the answer.
    """
    from kerasplm.pipelines import pipeline, task_for

    loading = {"family": family, "part": part}
    given = {key: value for key, value in loading.items() if value is not None}
    task = task or task_for(model, **given)
    ask = pipeline(task, model, batch_size=batch_size, max_length=max_length, **given)
    with _lines(source) as lines, _written(output) as file:
        ids: collections.deque[dict[str, Any]] = collections.deque()
        items = _noted(_items(lines, source, form), ids)
        with _named(source):
            for answer in ask.stream(items):
                _write(file, {**ids.popleft(), **answer})


def embed(
    model: ModelArg,
    source: InputArg,
    output: Annotated[
        str,
        typer.Option(help=".npz (array `vectors`) or .jsonl.", metavar="FILE"),
    ],
    pooling: Annotated[
        str | None,
        typer.Option(
            help="mean, cls, max, pooled or first_last; default: pooled for SimBERT, "
            "else mean. tokens writes the vectors of all tokens as "
            "extract_features.py of BERT does."
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Such as -1,-2: the mean of these layers. Default: -1; for tokens "
            "-1,-2,-3,-4."
        ),
    ] = None,
    form: FormatArg = None,
    batch_size: BatchArg = 32,
    max_length: LengthArg = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Write the vectors of texts; " ||| " or a tab separates a pair on a line."""
    from kerasplm.pipelines import pipeline, split_line

    if Path(output).suffix not in (".npz", ".jsonl"):
        raise ConfigError(f"{output}: expected a name that ends in .npz or .jsonl")
    chosen = _numbers(layers)
    options: dict[str, Any] = {"family": family, "part": part, "max_length": max_length}
    if pooling != "tokens":
        options |= {"pooling": pooling, "layers": chosen}
    elif Path(output).suffix != ".jsonl":
        raise ConfigError(f"{output}: the vectors of tokens are written as .jsonl")
    given = {key: value for key, value in options.items() if value is not None}
    extract = pipeline("feature-extraction", model, batch_size=batch_size, **given)
    with _lines(source) as lines:
        items = (
            split_line(item) if isinstance(item, str) else item
            for item in _items(lines, source, form)
        )
        with _named(source):
            if pooling == "tokens":
                extract.write_tokens(output, items, *([chosen] if chosen else []))
            elif output.endswith(".jsonl"):
                with _written(output) as file:
                    for answer in extract.stream(items):
                        _write(file, answer)
            else:
                _write_arrays(Path(output), extract.vectors(items))


def _items(lines: Iterable[str], name: str, form: str | None) -> Iterator[Any]:
    """Yield the items of a file."""
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


def _noted(
    items: Iterable[Any], ids: collections.deque[dict[str, Any]]
) -> Iterator[Any]:
    """Yield the items and note the id of each that has one."""
    for item in items:
        known = isinstance(item, dict) and "id" in item
        ids.append({"id": item["id"]} if known else {})
        yield item


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"layers: expected numbers such as -1,-2. Received: {text!r}"
        ) from error


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
def _lines(source: str) -> Iterator[TextIO]:
    if source == "-":
        yield sys.stdin
        return
    with open(Path(source).expanduser(), encoding="utf-8-sig", newline="\n") as file:
        yield file


@contextlib.contextmanager
def _written(output: str) -> Iterator[TextIO]:
    """Give a file that appears only when complete, or stdout."""
    if output == "-":
        yield sys.stdout
        return
    target = Path(output).expanduser()
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target.parent) as folder:
        with (folder / "file").open("w", encoding="utf-8") as file:
            yield file
        os.replace(folder / "file", target)


def _write(file: TextIO, value: Any) -> None:
    file.write(json.dumps(value, ensure_ascii=False) + "\n")


def _write_arrays(path: Path, vectors: Any) -> None:
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent) as folder:
        np.savez(folder / "file.npz", vectors=vectors)
        os.replace(folder / "file.npz", path)
