"""Load a model by one line: `load`, `load_checkpoint`, `load_config`."""

import contextlib
import dataclasses
import logging
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from kerasplm import checkpoint
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.families import Match, family_named, recognise
from kerasplm.heads import HEADS, Classifier, PretrainedModel
from kerasplm.huggingface import from_config_json
from kerasplm.layers import initialize_with
from kerasplm.load_report import LoadReport
from kerasplm.published import (
    complete_config,
    expand_hparams,
    fields_from_json,
    own_block,
)
from kerasplm.sources import Source, open_source, read_json
from kerasplm.vocabulary_rows import Compound, ResizedVocabulary, vocabulary_axes

JsonFiles = dict[Path, dict[str, Any]]
Heads = Literal["pretraining", "classification"]
Part = Literal["discriminator", "generator"]
_log = logging.getLogger("kerasplm")


def load(
    x: str | Path,
    *,
    heads: Heads | None = None,
    part: Part | None = None,
    family: str | None = None,
    config: str | Path | None = None,
    skip: Sequence[str] = (),
    keep_tokens: Iterable[int] | None = None,
    compound_tokens: Iterable[Compound] | None = None,
    **fields: Any,
) -> keras.Model:
    """Load a published checkpoint as a Keras model.

    The family is the one whose table explains all variables of the checkpoint; the
    configuration JSON is checked against the shapes. What was loaded and what was
    not stands in the model's `load_report`.

    Args:
        x: Folder, checkpoint prefix, archive (.zip, .tar.gz, .tgz, .tar), or folder of
            Hugging Face with `model.safetensors`.
        heads: None returns the bare encoder; "pretraining" adds every pre-training
            head that the checkpoint holds; "classification" gives a classifier as
            the originals' run_classifier trained it.
        part: "discriminator" (default) or "generator" of an ELECTRA checkpoint.
        family: Name of the family, where the variables fit several.
        config: Configuration JSON, if it does not lie beside the checkpoint.
        skip: Regular expressions of weight paths to leave at their initial values,
            such as "pooler/.*". Everything else must fit exactly.
        keep_tokens: Ids of the tokens to keep, in their new order: word table, MLM
            bias and with them the tied decoder shrink. Default keeps all.
        compound_tokens: Rows to append after those: for each the ids (counted in
            the rows that were kept) to average, or a pair of ids and weights.
        **fields: Any `Config` field, such as `attention="unilm"` or
            `hidden_dropout_prob=0.0`; wins over the JSON.

    Returns:
        `Encoder`, `PretrainedModel` or `Classifier`.

    Raises:
        CheckpointError: Files are missing or damaged, or weights do not fit.
        FamilyError: No family fits, or several do.
        ConfigError: The configuration is broken, incomplete, or contradicts the
            weights.
        VocabError: `keep_tokens` or `compound_tokens` do not fit the vocabulary.
        ArchiveError: The archive is broken or hostile.

    Example:
        >>> encoder = load("chinese_L-12_H-768_A-12")             # doctest: +SKIP
        >>> model = load("albert_tiny.zip", heads="pretraining")  # doctest: +SKIP
    """
    with open_source(x) as source:
        reader = source.weights()
        data = json_files(source, config)
        found = recognise_source(source, reader, data, family, part)
        settings, assumed = configure(source, found, reader, data, fields)
        rows = None
        if keep_tokens is not None or compound_tokens is not None:
            axes = vocabulary_axes(found)
            reader = ResizedVocabulary(reader, axes, keep_tokens, compound_tokens)
            size = fields.get("vocab_size", reader.rows)
            settings = settings.replace(vocab_size=size)
            rows = (reader.rows_before, reader.rows_kept, reader.rows_made)
        # Weights that are skipped need true initial values.
        fast = contextlib.nullcontext() if skip else initialize_with(checkpoint.empty)
        with fast:
            model = _build(source.name, found, settings, heads, reader, data)
        report = checkpoint.load_weights(model, found, reader, skip)
    model.load_report = dataclasses.replace(report, assumed=assumed, rows=rows)
    _log.info("%s", report)
    return model


def json_files(source: Source, config: str | Path | None = None) -> JsonFiles:
    """Read the configurations beside a checkpoint, or the one that was named."""
    files = source.configs() if config is None else [Path(config)]
    data = {file: expand_hparams(read_json(file)) for file in files}
    if source.is_hugging_face:
        return {file: from_config_json(d, str(file)) for file, d in data.items()}
    return data


def recognise_source(
    source: Source,
    reader: checkpoint.Weights,
    data: JsonFiles,
    family: str | None,
    part: Part | None,
) -> Match:
    """Find the family of a checkpoint from all that lies beside it."""
    if family is None:
        # Our own exports name their family in the JSON.
        blocks = [own_block(values) for values in data.values()]
        named = {block["family"] for block in blocks if "family" in block}
        parts = {"", "both", part or "discriminator"}
        named = {name for name in named if family_named(name).part in parts}
        family = named.pop() if len(named) == 1 else None
    return recognise(
        reader.shapes,
        where=source.name,
        hints=source.hints(data.values()),
        family=family,
        part=part,
    )


def _candidates(data: JsonFiles, found: Match) -> JsonFiles:
    """Return the JSON objects that may describe the network."""
    part = found.family.part
    mine = {f: d for f, d in data.items() if part and f.name.startswith(part)}
    if mine:
        return mine
    if part == "generator":
        # The original code derives the generator's sizes from the discriminator's:
        # the shapes tell them; the rest is common to both.
        return {
            file: {k: v for k, v in values.items() if not _SIZES.fullmatch(k)}
            for file, values in data.items()
        }
    others = {f: d for f, d in data.items() if not f.name.startswith("generator")}
    return others or data


_SIZES = re.compile("embedding_size|hidden_size|intermediate_size|num_.*")


def configure(
    source: Source,
    found: Match,
    reader: checkpoint.Weights,
    data: JsonFiles,
    fields: dict[str, Any],
) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration that fits the weights, and what was assumed."""
    name = source.name
    # A folder of Hugging Face holds one network and its own configuration.
    mine = data if source.is_hugging_face else _candidates(data, found)
    candidates: list[tuple[str, dict[str, Any] | None]] = [
        (str(file), values) for file, values in mine.items()
    ]
    results, problems = [], []
    for where, values in candidates or [(name, None)]:
        try:
            results.append(complete_config(found, reader.shapes, values, fields, where))
        except ConfigError as error:
            problems.append(error)
    if not results:
        raise problems[0]
    if any(result != results[0] for result in results):
        files = ", ".join(file.name for file in data)
        raise ConfigError(
            f"{name}: several configurations fit the weights: {files}. Pass config=PATH"
        )
    config, assumed = results[0]
    if assumed:
        warnings.warn(
            f"{name}: no configuration gives {', '.join(assumed)}: taken from the "
            f"defaults of family {found.family.name!r}",
            stacklevel=3,
        )
    return config, assumed


def _build(
    name: str,
    found: Match,
    config: Config,
    heads: Heads | None,
    reader: checkpoint.Weights,
    data: JsonFiles,
) -> keras.Model:
    encoder = Encoder(config)
    if heads is None:
        return encoder
    held = checkpoint.heads_in(found)
    if heads == "pretraining":
        wanted = [head for head in HEADS if head in held]
        if wanted:
            return PretrainedModel(encoder, wanted)
    elif heads == "classification":
        if "classifier" in held:
            return _build_classifier(name, found, encoder, reader, data)
    else:
        raise ConfigError(
            "heads must be None, 'pretraining' or 'classification'. Received: "
            f"{heads!r}"
        )
    raise CheckpointError(
        f"{name}: holds no head for {heads}; heads in the checkpoint: "
        f"{', '.join(held) or 'none'}"
    )


def _build_classifier(
    name: str,
    found: Match,
    encoder: Encoder,
    reader: checkpoint.Weights,
    data: JsonFiles,
) -> Classifier:
    if len(found.tasks) > 1:
        raise CheckpointError(
            f"{name}: expected the classifier of one task, found those of "
            f"{', '.join(found.tasks)}"
        )
    bias = found.names.get("classifier/logits/bias")
    if bias is None:
        raise CheckpointError(f"{name}: the classifier has no bias (output_bias)")
    count = reader.shapes[bias][0]
    options: dict[str, Any] = {"labels": [str(n) for n in range(count)]}
    for own in map(own_block, data.values()):
        if len(own.get("labels", ())) == count:
            options = {key: own[key] for key in ("labels", "pair", "task")}
    if found.tasks:
        options["task"] = found.tasks[0]
    return Classifier(encoder, **options)


def load_checkpoint(
    model: keras.Model,
    x: str | Path,
    *,
    skip: Sequence[str] = (),
    family: str | None = None,
    part: Part | None = None,
) -> LoadReport:
    """Fill an existing model from a checkpoint.

    Args:
        model: `Encoder`, `PretrainedModel` or `Classifier`.
        x: As for `load`.
        skip: Regular expressions of weight paths to leave as they are, such as
            "pooler/.*" or "classifier/.*".
        family: As for `load`.
        part: As for `load`.

    Returns:
        What became of every variable.

    Raises:
        CheckpointError: Weights are missing, unexpected or of the wrong shape; the
            message lists all.
        FamilyError: As for `load`.

    Example:
        >>> encoder = Encoder(Config(vocab_size=21128))             # doctest: +SKIP
        >>> load_checkpoint(encoder, "x.ckpt", skip=("pooler/.*",))  # doctest: +SKIP
    """
    with open_source(x) as source:
        reader = source.weights()
        data = json_files(source)
        found = recognise_source(source, reader, data, family, part)
        return checkpoint.load_weights(model, found, reader, skip)


def load_config(x: str | Path, *, family: str | None = None, **fields: Any) -> Config:
    """Read a published configuration without any weights, to train from scratch.

    Args:
        x: As for `load`; or the JSON file. Weights need not be there.
        family: Decides what "gelu" means and which weights layers share; may be
            left out if the JSON is one of our exports.
        **fields: Any `Config` field; wins over the JSON.

    Raises:
        ConfigError: There is no such file, or several, or a field is bad.
        FamilyError: The family is unknown.

    Example:
        >>> load_config("albert_tiny", family="albert_brightmart")  # doctest: +SKIP
    """
    path = Path(x).expanduser()
    if path.is_dir() or not path.name.endswith(".json"):
        with open_source(x) as source:
            files = source.configs()
            if len(files) != 1:
                names = ", ".join(file.name for file in files) or "none"
                raise ConfigError(
                    f"{x}: expected one configuration JSON, found {names}"
                )
            return load_config(files[0], family=family, **fields)
    data = expand_hparams(read_json(path))
    family = family or own_block(data).get("family")
    if family is None:
        raise ConfigError(
            f"{path}: a configuration alone does not tell its family. Pass family="
        )
    given = fields_from_json(data, family_named(family)) | fields
    given.setdefault("hidden_act", family_named(family).gelu)
    try:
        return Config.from_dict(given)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
