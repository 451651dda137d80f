"""The command `generate`: a text for each line of a file."""

import dataclasses
import sys
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from checkpoints_convert.command import FamilyArg, PartArg
from kerasplm.cli_files import (
    FormatArg,
    InputArg,
    items_of,
    opened,
    write_line,
    written,
)
from kerasplm.cli_values import typed_choices
from kerasplm.errors import ConfigError, DataError

AttentionArg = Annotated[
    Literal["unilm", "causal"] | None,
    typer.Option(
        help="unilm writes a target, causal continues the text. Default: the "
        "model's, or unilm."
    ),
]


def generate(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Name from `kerasplm list`, or a folder, checkpoint prefix or "
            "archive: an encoder with an MLM head, or T5-PEGASUS.",
            metavar="MODEL",
        ),
    ],
    source: InputArg,
    output: Annotated[
        str, typer.Option(help="JSON lines, or - for stdout.", metavar="FILE")
    ] = "-",
    attention: AttentionArg = None,
    max_length: Annotated[int, typer.Option(help="Tokens to generate at most.")] = 64,
    min_length: Annotated[int, typer.Option(help="Tokens before the end.")] = 0,
    beams: Annotated[int, typer.Option(help="Beam search; 1 is greedy.")] = 1,
    samples: Annotated[
        int | None, typer.Option(help="Draw so many texts for each line.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Below 1: less random.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k best.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw among those that reach p together.")
    ] = None,
    repetition_penalty: Annotated[
        float, typer.Option(help="Exponent for tokens that were there; 1 is none.")
    ] = 1.0,
    no_repeat_ngram: Annotated[
        int, typer.Option(help="No n tokens in a row twice; 0 allows it.")
    ] = 0,
    length_penalty: Annotated[
        float, typer.Option(help="Of beams: 0 the most probable text, 1 per token.")
    ] = 0.0,
    suppress: Annotated[
        list[str] | None, typer.Option(help="Token never to choose; repeatable.")
    ] = None,
    start: Annotated[str, typer.Option(help="First token of T5's target.")] = "[CLS]",
    end: Annotated[
        str, typer.Option(help="Token that ends a text; empty: none does.")
    ] = "[SEP]",
    min_ends: Annotated[int, typer.Option(help="End with the n-th end token.")] = 1,
    choices: Annotated[
        str | None,
        typer.Option(help="File: every result is one of its lines.", metavar="FILE"),
    ] = None,
    extract: Annotated[
        bool, typer.Option("--extract", help="Every result is a part of its line.")
    ] = False,
    compatible: Annotated[
        Literal["bert4keras"] | None, typer.Option(help="Search as this library does.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of what is drawn.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Show the texts grow, on stderr.")
    ] = False,
    form: FormatArg = None,
    batch_size: Annotated[int, typer.Option(help="Lines that run at once.")] = 32,
    max_source_length: Annotated[
        int | None, typer.Option(help="Truncate longer lines. Default: an error.")
    ] = None,
    jit_compile: Annotated[
        bool, typer.Option("--jit-compile", help="Compile by XLA.")
    ] = False,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Write a text for each line: {"text": ...}, or {"texts": [...]} of many samples.

    A line is a text, or two separated by a tab. In .tsv and .jsonl files the fields are
    text and pair; an "id" is repeated in the answer.
    """
    import kerasplm as plm

    network, tokenizer = _loaded(model, attention, family, part)
    allowed = None
    if choices is not None:
        with opened(choices) as lines:
            allowed = [line.rstrip("\r\n") for line in lines if line.strip()]
    options: dict[str, Any] = {
        "max_length": max_length,
        "min_length": min_length,
        "beams": beams,
        "samples": samples,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "no_repeat_ngram": no_repeat_ngram,
        "length_penalty": length_penalty,
        "suppress": suppress or (),
        "start": start,
        "end": end or None,
        "min_ends": min_ends,
        "choices": allowed,
        "extract": extract,
        "compatible": compatible,
        "batch_size": batch_size,
        "max_source_length": max_source_length,
        "jit_compile": jit_compile,
    }
    with opened(source) as lines, written(output) as file:
        items = enumerate(items_of(lines, source, form), 1)
        asked = [_asked(item, number) for number, item in items]
        texts = plm.generate(
            network,
            tokenizer,
            [text for text, _ in asked],
            seed=seed,
            stream=_show if stream else None,
            **options,
        )
        for (_, known), text in zip(asked, texts, strict=True):
            name = "text" if isinstance(text, str) else "texts"
            write_line(file, {**known, name: text})


def export(
    model: str,
    output: str,
    more: Sequence[str],
    attention: str | None,
    pair: bool,
    max_source_length: int | None,
    family: str | None,
) -> None:
    """Export a generator; its options are NAME=VALUE."""
    from kerasplm.generation import Decoding
    from kerasplm.generation.exporting import CHOICES, check_choice, export_generator

    hints = typing.get_type_hints(Decoding)
    words = tuple[str, ...]
    known = {name: hints[name] for name in CHOICES}
    known |= {"start": str, "end": str | None}
    known |= {"suppress": words, "repetition_exempt": words}

    def check(name: str) -> None:
        check_choice(name, tuple(known))

    choices = typed_choices(more, known, check)
    network, tokenizer = _loaded(model, attention, family, None, in_graph=None)
    export_generator(
        network,
        tokenizer,
        output,
        pair=pair,
        max_source_length=max_source_length,
        **choices,
    )


def export_task(
    model: str, output: str, max_length: int | None, family: str | None
) -> None:
    """Export a model that was trained to write, with the decoding of its task.

    Raises:
        ConfigError: What it writes fits into no SavedModel.
    """
    import kerasplm as plm
    from kerasplm.exporting import check_tokenizer
    from kerasplm.exporting_trained import export_trained
    from kerasplm.sources import open_source
    from kerasplm.tasks.saved import saved_task

    with open_source(model) as source:
        known = saved_task(source.folder)
    if known is None:
        raise ConfigError(f"{model}: does not tell its task; pass --generate")
    settings = known[1]
    if max_length is not None:
        settings = dataclasses.replace(settings, max_length=max_length)
    network = plm.load(model, heads="generation", family=family)
    tokenizer = plm.load_tokenizer(model, family=family)
    check_tokenizer(tokenizer)
    if not export_trained(network, tokenizer, output, settings):
        raise ConfigError(
            f"{model}: {known[0].name} reads several texts, copies or writes parts, "
            "which no SavedModel does; pass --generate to export it without that"
        )


def _loaded(
    model: str,
    attention: str | None,
    family: str | None,
    part: Any,
    in_graph: bool | None = False,
) -> tuple[Any, Any]:
    import kerasplm as plm

    common: dict[str, Any] = {"family": family, "part": part}
    given = {} if attention is None else {"attention": attention}
    network = plm.load(model, heads="pretraining", **common, **given)
    config = getattr(getattr(network, "encoder", network), "config", None)
    if not given and getattr(config, "attention", None) == "bidirectional":
        network = plm.load(model, heads="pretraining", attention="unilm", **common)
    return network, plm.load_tokenizer(model, in_graph=in_graph, **common)


def _asked(item: Any, number: int) -> tuple[Any, dict[str, Any]]:
    """Return a source and what its answer repeats."""
    if not isinstance(item, dict):
        return item, {}
    fields = [item[name] for name in ("text", "pair") if name in item]
    if "text" not in item or not all(isinstance(field, str) for field in fields):
        raise DataError(
            f"line {number}: expected text (and pair), found {', '.join(item)}"
        )
    text = fields[0] if len(fields) == 1 else tuple(fields)
    return text, {"id": item["id"]} if "id" in item else {}


def _show(number: int, text: str) -> None:
    sys.stderr.write(f"{number + 1}\t{text}\n")
