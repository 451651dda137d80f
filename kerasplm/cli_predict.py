"""The commands `predict` and `embed`: files of raw text through a pipeline."""

import collections
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from checkpoints_convert.command import FamilyArg, PartArg
from kerasplm.cli_files import (
    BatchArg,
    FormatArg,
    InputArg,
    LengthArg,
    PrecisionArg,
    items_of,
    opened,
    write_line,
    written,
)
from kerasplm.cli_values import numbers
from kerasplm.errors import ConfigError
from kerasplm.files import write_arrays

ModelArg = Annotated[
    str,
    typer.Option(
        "--model",
        help="Folder that `finetune` wrote, or as for the other commands.",
        metavar="MODEL",
    ),
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
    precision: PrecisionArg = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Answer texts: one JSON object for each line, in order.

    A line is a text, or the fields of an item separated by tabs (text and pair;
    question and context). In .tsv and .jsonl files the fields have names; an "id" is
    repeated in the answer.
    """
    from kerasplm.pipelines import pipeline, task_for

    loading: dict[str, Any] = {"family": family, "part": part}
    given = {key: value for key, value in loading.items() if value is not None}
    task = task or task_for(model, **given)
    given["precision"] = precision
    ask = pipeline(task, model, batch_size=batch_size, max_length=max_length, **given)
    with opened(source) as lines, written(output) as file:
        ids: collections.deque[dict[str, Any]] = collections.deque()
        for answer in ask.stream(_noted(items_of(lines, source, form), ids)):
            write_line(file, {**ids.popleft(), **answer})


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
    precision: PrecisionArg = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Write the vectors of texts; " ||| " or a tab separates a pair on a line."""
    from kerasplm.pipelines import pipeline, split_line

    if Path(output).suffix not in (".npz", ".jsonl"):
        raise ConfigError(f"{output}: expected a name that ends in .npz or .jsonl")
    chosen = numbers("layers", layers)
    options: dict[str, Any] = {"family": family, "part": part, "precision": precision}
    options["max_length"] = max_length
    if pooling != "tokens":
        options |= {"pooling": pooling, "layers": chosen}
    elif Path(output).suffix != ".jsonl":
        raise ConfigError(f"{output}: the vectors of tokens are written as .jsonl")
    given = {key: value for key, value in options.items() if value is not None}
    extract = pipeline("feature-extraction", model, batch_size=batch_size, **given)
    with opened(source) as lines:
        items = (
            split_line(item) if isinstance(item, str) else item
            for item in items_of(lines, source, form)
        )
        if pooling == "tokens":
            extract.write_tokens(output, items, *([chosen] if chosen else []))
        elif output.endswith(".jsonl"):
            with written(output) as file:
                for answer in extract.stream(items):
                    write_line(file, answer)
        else:
            write_arrays(Path(output), {"vectors": extract.vectors(items)})


def _noted(
    items: Iterable[Any], ids: collections.deque[dict[str, Any]]
) -> Iterator[Any]:
    """Yield the items and note the id of each that has one."""
    for item in items:
        known = isinstance(item, dict) and "id" in item
        ids.append({"id": item["id"]} if known else {})
        yield item
