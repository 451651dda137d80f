"""The command that makes pre-training data of raw text: pretraining-data."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from kerasplm.cli_values import halves
from kerasplm.errors import ConfigError

# The names that the originals have for options of ours.
_FLAGS = {
    "max_length": ("max_seq_length", "max_seq_len"),
    "max_predictions": ("max_predictions_per_seq",),
    "masked_lm_prob": ("masked_lm_prob",),
    "short_seq_prob": ("short_seq_prob",),
    "dupe_factor": ("dupe_factor",),
    "seed": ("random_seed",),
    "ngram": ("ngram",),
}
# What only streaming has.
_OURS = ("layout", "form", "min_tokens", "block_bytes", "workers")


def pretraining_data(
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            help="UTF-8 text: a sentence per line, a blank line between documents. A "
            "file, folder or glob, or several with commas. May be given several times.",
            metavar="FILES",
        ),
    ],
    output: Annotated[str, typer.Option(help="Folder for the records.", metavar="DIR")],
    vocab: Annotated[
        str,
        typer.Option(
            help="Vocabulary file, or a model: name from `kerasplm list`, folder, "
            "checkpoint prefix or archive.",
            metavar="FILE",
        ),
    ],
    layout: Annotated[
        str | None,
        typer.Option(
            help="nsp, sop, doc-sentences, electra, causal, unilm, or simbert: pairs "
            "of texts that mean the same, of text with a blank line between groups, "
            "of lines with tabs, or of JSON lines with text and synonyms. Default: nsp."
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="dynamic: masks are drawn in training; static: now, in the padded "
            "features of the originals. Default: dynamic."
        ),
    ] = None,
    compat: Annotated[
        str | None,
        typer.Option(
            help="Write what an original writes, draw for draw, with all documents in "
            "memory: bert, roberta_zh, albert_zh, albert_zh_google, albert_google, "
            "electra, electra_zh or tinybert.",
            metavar="NAME",
        ),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens per instance. Default: 128.")
    ] = None,
    max_predictions: Annotated[
        int | None,
        typer.Option(help="Masked tokens per instance. Default: their share of it."),
    ] = None,
    masked_lm_prob: Annotated[
        float | None, typer.Option(help="Share of masked tokens. Default: 0.15.")
    ] = None,
    short_seq_prob: Annotated[
        float | None,
        typer.Option(help="Share of shorter instances. Default: the layout's."),
    ] = None,
    dupe_factor: Annotated[
        int | None,
        typer.Option(
            help="Copies with other cuts and masks. Default: 10 if static, else 1."
        ),
    ] = None,
    min_tokens: Annotated[
        int | None,
        typer.Option(help="Drop shorter documents and rests. Default: 5."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything drawn. Default: 12345.")
    ] = None,
    whole_words: Annotated[
        str | None,
        typer.Option(
            help="Where words start: jieba; segmented: the text has spaces between "
            "words; a file with a word per line; wordpiece; none. Default: none.",
            metavar="WORDS",
        ),
    ] = None,
    ngram: Annotated[
        int | None, typer.Option(help="Words masked together. Default: 1.")
    ] = None,
    lower_case: Annotated[
        bool | None,
        typer.Option("--lower-case/--no-lower-case", help="Default: the model's."),
    ] = None,
    strip_accents: Annotated[
        bool | None,
        typer.Option("--strip-accents/--no-strip-accents", help="Default: as case."),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(help="Files; with tinybert epochs. Default: by the size."),
    ] = None,
    block_bytes: Annotated[
        int | None,
        typer.Option(
            help="Text worked on at once; the strangers of nsp come from there. "
            "Default: by the size, 64 KiB to 1 MiB."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes. Default: one per core.")
    ] = None,
    runner: Annotated[
        str | None,
        typer.Option(
            help="Run as an Apache Beam pipeline: direct, dataflow, flink or spark."
        ),
    ] = None,
    runner_option: Annotated[
        list[str] | None,
        typer.Option(
            help="For Beam, such as project=mine. May be given several times.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Do not show how it goes on.")
    ] = False,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A flag that only the original of --compat has, such as "
            "do_permutation=true. May be given several times.",
            metavar="NAME=VALUE",
        ),
    ] = None,
) -> None:
    """Make pre-training data of raw text of any size.

    The same command again goes on after a stop. Writes TFRecord files, dataset.json
    with all choices and statistics, and a picture of the lengths. The output depends
    on text, vocabulary and options, not on the number of workers.
    """
    from kerasplm.tokenizing import load_tokenizer

    given: dict[str, Any] = {
        name: value
        for name, value in (
            ("layout", layout),
            ("form", form),
            ("max_length", max_length),
            ("max_predictions", max_predictions),
            ("masked_lm_prob", masked_lm_prob),
            ("short_seq_prob", short_seq_prob),
            ("dupe_factor", dupe_factor),
            ("min_tokens", min_tokens),
            ("seed", seed),
            ("whole_words", whole_words),
            ("ngram", ngram),
            ("shards", shards),
            ("block_bytes", block_bytes),
        )
        if value is not None
    }
    tokenizer = load_tokenizer(
        vocab, in_graph=False, lowercase=lower_case, strip_accents=strip_accents
    )
    task: dict[str, Any] = {
        "inputs": inputs,
        "output": output,
        "workers": workers,
        "show": not quiet,
    }
    if compat is not None:
        _refuse("--compat", {**given, "workers": workers, "runner": runner}, "runner")
        task |= _compat(compat, given, more or [], tokenizer)
    elif more:
        raise ConfigError("--set gives flags of an original: expected --compat")
    else:
        from kerasplm.pretraining.creating import check_tokenizer
        from kerasplm.pretraining.data_settings import DataSettings

        settings = DataSettings(**given)
        check_tokenizer(tokenizer, settings)
        task["settings"] = settings.to_json()
    if runner is not None:
        from kerasplm.pretraining import beam, command

        if workers is not None:
            raise ConfigError("--workers is without effect: Beam decides on its own")
        options = dict(map(halves, runner_option or []))
        facts = beam.create(inputs, output, tokenizer, settings, runner, options)
        command.report(facts, output)
        return
    if runner_option:
        raise ConfigError("--runner-option is for Beam: expected --runner")
    task["vocabulary"] = tokenizer.vocab
    task["tokenizer"] = {**tokenizer.get_config(), **task.pop("rules", {})}
    from kerasplm.pretraining.command import replace_process

    sys.stdout.flush()
    replace_process(task)


def _refuse(option: str, given: Mapping[str, Any], *more: str) -> None:
    for name in (*_OURS, *more):
        if given.get(name) is not None:
            flag = name.replace("_", "-")
            raise ConfigError(f"{option}: the originals have no --{flag}")


def _compat(
    name: str, given: dict[str, Any], more: Sequence[str], tokenizer: Any
) -> dict[str, Any]:
    """Return the flags of an original for our options."""
    from kerasplm.pretraining import originals

    if name not in originals.NAMES:
        raise ConfigError(
            f"--compat: expected {', '.join(originals.NAMES)}, found {name!r}"
        )
    known = originals.flags_of(name)
    flags: dict[str, Any] = {}
    for ours, theirs in _FLAGS.items():
        if ours in given:
            # An unknown one is refused with the names of the others.
            flag = next((f for f in theirs if f in known), theirs[0])
            flags[flag] = given[ours]
    if "whole_words" in given:
        words = given["whole_words"]
        if words not in ("jieba", "wordpiece", "none"):
            raise ConfigError(
                "--compat: expected --whole-words jieba, wordpiece or none (each "
                f"original has its own way), found {words!r}"
            )
        flags["do_whole_word_mask"] = words != "none"
    for text in more:
        flag, value = halves(text)
        flags[flag] = _typed(flag, value, known.get(flag))
    return {
        "compat": name,
        "flags": flags,
        "shards": given.get("shards"),
        "rules": {"control": originals.CONTROL[name]},
    }


def _typed(flag: str, text: str, like: object) -> Any:
    """Return a value of the type of the default."""
    if like is None:
        return text
    try:
        value = json.loads(text.lower())
    except ValueError:
        value = text
    if isinstance(like, float) and isinstance(value, int):
        value = float(value)
    if type(value) is not type(like):
        kind = type(like).__name__
        raise ConfigError(
            f"--set {flag}: expected a value like {like} ({kind}), found {text!r}"
        )
    return value
