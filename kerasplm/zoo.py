"""Load a model by one line: `load`, `load_checkpoint`, `save_checkpoint`."""

import contextlib
import dataclasses
import json
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from kerasplm import checkpoint
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.families import (
    FAMILIES,
    Family,
    Match,
    family_named,
    match,
    recognise,
)
from kerasplm.files import write_text
from kerasplm.heads import HEADS, Classifier, PretrainedModel
from kerasplm.layers import skip_initialization
from kerasplm.published import OWN, complete_config, expand_hparams, to_json
from kerasplm.sources import Source, open_source, read_json

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
    **fields: Any,
) -> keras.Model:
    """Load a published checkpoint as a Keras model.

    The family is the one whose table explains all variables of the checkpoint; the
    configuration JSON is checked against the shapes. What was loaded and what was
    not stands in the model's `load_report`.

    Args:
        x: Folder, checkpoint prefix, or archive (.zip, .tar.gz, .tgz, .tar).
        heads: None returns the bare encoder; "pretraining" adds every pre-training
            head that the checkpoint holds; "classification" gives a classifier as
            the originals' run_classifier trained it.
        part: "discriminator" (default) or "generator" of an ELECTRA checkpoint.
        family: Name of the family, where the variables fit several.
        config: Configuration JSON, if it does not lie beside the checkpoint.
        skip: Regular expressions of weight paths to leave at their initial values,
            such as "pooler/.*". Everything else must fit exactly.
        **fields: Any `Config` field, such as `attention="unilm"` or
            `hidden_dropout_prob=0.0`; wins over the JSON.

    Returns:
        `Encoder`, `PretrainedModel` or `Classifier`.

    Raises:
        CheckpointError: Files are missing or damaged, or weights do not fit.
        FamilyError: No family fits, or several do.
        ConfigError: The configuration is broken, incomplete, or contradicts the
            weights.
        ArchiveError: The archive is broken or hostile.

    Example:
        >>> encoder = load("chinese_L-12_H-768_A-12")             # doctest: +SKIP
        >>> model = load("albert_tiny.zip", heads="pretraining")  # doctest: +SKIP
    """
    with open_source(x) as source:
        reader = checkpoint.Reader(source.checkpoint)
        data = _json_files(source, config)
        found = _recognise(source, reader, data, family, part)
        settings, assumed = _configure(source.name, found, reader, data, fields)
        # Weights that are skipped need true initial values.
        fast = contextlib.nullcontext() if skip else skip_initialization()
        with fast:
            model = _build(source.name, found, settings, heads, reader, data)
        report = checkpoint.load_weights(model, found, reader, skip)
    model.load_report = dataclasses.replace(report, assumed=assumed)
    _log.info("%s", report)
    return model


def _json_files(source: Source, config: str | Path | None) -> JsonFiles:
    files = source.configs() if config is None else [Path(config)]
    return {file: expand_hparams(read_json(file)) for file in files}


def _recognise(
    source: Source,
    reader: checkpoint.Reader,
    data: JsonFiles,
    family: str | None,
    part: Part | None,
) -> Match:
    if family is None:
        # Our own exports name their family in the JSON.
        named = {d[OWN]["family"] for d in data.values() if "family" in d.get(OWN, {})}
        parts = {"", part or "discriminator"}
        named = {name for name in named if family_named(name).part in parts}
        family = named.pop() if len(named) == 1 else None
    return recognise(
        reader.shapes,
        where=source.name,
        hints=source.hints(data.values()),
        family=family,
        part=part,
    )


def _candidates(data: JsonFiles, found: Match) -> dict[Path | None, dict[str, Any]]:
    """Return the JSON objects that may describe the network."""
    part = found.family.part
    mine = {f: d for f, d in data.items() if part and f.name.startswith(part)}
    if mine:
        return dict(mine)
    if part == "generator":
        # The original code derives the generator's sizes from the discriminator's:
        # the shapes tell them; the rest is common to both.
        return {
            file: {k: v for k, v in values.items() if not _SIZES.fullmatch(k)}
            for file, values in data.items()
        }
    others = {f: d for f, d in data.items() if not f.name.startswith("generator")}
    return dict(others or data)


_SIZES = re.compile("embedding_size|hidden_size|intermediate_size|num_.*")


def _configure(
    name: str,
    found: Match,
    reader: checkpoint.Reader,
    data: JsonFiles,
    fields: dict[str, Any],
) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration that fits the weights, and what was assumed."""
    results, problems = [], []
    for file, values in (_candidates(data, found) or {None: None}).items():
        where = str(file or name)
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
            stacklevel=4,
        )
    return config, assumed


def _build(
    name: str,
    found: Match,
    config: Config,
    heads: Heads | None,
    reader: checkpoint.Reader,
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
            f"heads must be None, 'pretraining' or 'classification'. Received: {heads!r}"
        )
    raise CheckpointError(
        f"{name}: holds no head for {heads}; heads in the checkpoint: "
        f"{', '.join(held) or 'none'}"
    )


def _build_classifier(
    name: str,
    found: Match,
    encoder: Encoder,
    reader: checkpoint.Reader,
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
    for own in (values.get(OWN, {}) for values in data.values()):
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
) -> checkpoint.LoadReport:
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
    """
    with open_source(x) as source:
        reader = checkpoint.Reader(source.checkpoint)
        data = _json_files(source, None)
        found = _recognise(source, reader, data, family, part)
        return checkpoint.load_weights(model, found, reader, skip)


def save_checkpoint(
    model: keras.Model | Sequence[keras.Model],
    prefix: str | Path,
    *,
    family: str | None = None,
) -> None:
    """Write a model under its original TF1 names, with its configuration JSON.

    `tf.compat.v1.train.Saver` restores the result in the original code.

    Args:
        model: `Encoder`, `PretrainedModel` or `Classifier`; or several that belong
            in one checkpoint, such as ELECTRA's discriminator and generator.
        prefix: Path such as "out/bert_model.ckpt"; writes .index and .data-* under
            it, and beside it the configuration and the file "checkpoint".
        family: Name of the family; default is that from which the model was loaded,
            or the one whose table and facts fit the model.

    Raises:
        CheckpointError: The family has no names for some weights, or two models
            hold different values under one name.
        FamilyError: No family fits, or several do.
    """
    models = list(model) if isinstance(model, list | tuple) else [model]
    families = [_family_of(m, family) for m in models]
    path = Path(prefix)
    path = path.with_name(path.name.removesuffix(".index"))
    tensors = checkpoint.collect(models, families)
    checkpoint.write(path, tensors)
    for one, its in zip(models, families, strict=True):
        data = to_json(_encoder(one).config, its)
        if isinstance(one, Classifier):
            data[OWN] |= {"labels": one.labels, "pair": one.pair, "task": one.task}
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        write_text(path.parent / its.config_file, text)
    write_text(path.parent / "checkpoint", f'model_checkpoint_path: "{path.name}"\n')


def _encoder(model: keras.Model) -> Encoder:
    return checkpoint.components(model)["encoder"]


def _family_of(model: keras.Model, name: str | None) -> Family:
    """Return the family under whose names to write the model."""
    encoder = _encoder(model)
    for owner in (model, encoder):
        if name is None and hasattr(owner, "load_report"):
            name = owner.load_report.family
    if name is not None:
        return family_named(name)
    fits = [f for f in FAMILIES.values() if _fits(model, encoder.config, f)]
    if len(fits) != 1:
        raise FamilyError(
            f"expected one family with names for this model, found "
            f"{', '.join(f.name for f in fits) or 'none'}. Pass family=, one of "
            f"{', '.join(FAMILIES)}"
        )
    return fits[0]


def _fits(model: keras.Model, config: Config, family: Family) -> bool:
    try:
        names = [name for name, _ in checkpoint.their_names(model, family).values()]
    except CheckpointError:
        return False
    facts = {"hidden_act": family.gelu} if config.hidden_act.startswith("gelu") else {}
    facts |= family.fixed
    agrees = all(getattr(config, key) == value for key, value in facts.items())
    return agrees and match(family, names).exact and family.part != "generator"
