"""Load a model by one line: `load`, `load_checkpoint`, `load_config`."""

import contextlib
import dataclasses
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from kerasplm import checkpoint, keras_files
from kerasplm.config import BaseConfig
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.families import Match, family_named, recognise
from kerasplm.files import read_json
from kerasplm.heads import HEADS, Classifier, PretrainedModel
from kerasplm.huggingface import from_config_json
from kerasplm.keras_h5 import from_bert4keras_json
from kerasplm.layers import initialize_with
from kerasplm.load_report import LoadReport
from kerasplm.networks import network_of
from kerasplm.published import CLASSIFIER_KEYS, expand_hparams, own_block
from kerasplm.sources import Source, open_source

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
        x: Folder, checkpoint prefix, archive (.zip, .tar.gz, .tgz, .tar), or folder of
            Hugging Face with `model.safetensors` or `pytorch_model.bin`. A checkpoint
            is one of TF1 or of tf-models-official. Or a file of Keras.
        heads: None returns the bare model; "pretraining" adds every pre-training
            head that the checkpoint holds; "classification" gives a classifier as
            the originals' run_classifier trained it. A `Seq2Seq` is whole as it is.
        part: "discriminator" (default) or "generator" of an ELECTRA checkpoint.
        family: Name of the family, where the variables fit several.
        config: Configuration JSON, if it does not lie beside the checkpoint.
        skip: Regular expressions of weight paths to leave at their initial values,
            such as "pooler/.*". Everything else must fit exactly.
        **fields: Any field of `Config` (or `Seq2SeqConfig`), such as
            `attention="unilm"` or `hidden_dropout_prob=0.0`; wins over the JSON.

    Returns:
        `Encoder`, `PretrainedModel` or `Classifier`; `Seq2Seq` of T5-PEGASUS.

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
        data = json_files(source, config)
        if source.kind == "keras":
            if skip or part:
                raise ConfigError(f"{x}: a Keras file loads whole: no skip, no part")
            return keras_files.load(source, data, heads, family, fields)
        reader = source.weights(heads=heads)
        found = recognise_source(source, reader, data, family, part)
        settings, assumed = configure(source, found, reader, data, fields)
        # Weights that are skipped need true initial values.
        fast = contextlib.nullcontext() if skip else initialize_with(checkpoint.empty)
        with fast:
            model = _build(source.name, found, settings, heads, reader, data)
        report = checkpoint.load_weights(model, found, reader, skip)
    model.load_report = dataclasses.replace(report, assumed=assumed)
    _log.info("%s", report)
    return model


def json_files(source: Source, config: str | Path | None = None) -> JsonFiles:
    """Read the configurations beside a checkpoint, or the one that was named."""
    files = source.configs() if config is None else [Path(config)]
    data = {file: expand_hparams(read_json(file)) for file in files}
    if source.kind == "huggingface":
        return {file: from_config_json(d, str(file)) for file, d in data.items()}
    if source.kind == "bert4keras":
        return {file: from_bert4keras_json(d) for file, d in data.items()}
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
        among=reader.families,
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
) -> tuple[BaseConfig, tuple[str, ...]]:
    """Return the configuration that fits the weights, and what was assumed."""
    name = source.name
    # A folder of Hugging Face holds one network and its own configuration.
    mine = _candidates(data, found) if source.kind == "tf1" else data
    candidates: list[tuple[str, dict[str, Any] | None]] = [
        (str(file), values) for file, values in mine.items()
    ]
    complete_config = network_of(found.family).complete_config
    results, problems = [], []
    for where, values in candidates or [(name, None)]:
        try:
            results.append(
                complete_config(
                    found, reader.shapes, values, fields, where, reader.sizes
                )
            )
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
    config: BaseConfig,
    heads: Heads | None,
    reader: checkpoint.Weights,
    data: JsonFiles,
) -> keras.Model:
    network = network_of(found.family)
    if heads not in (None, "pretraining", "classification"):
        raise ConfigError(
            "heads must be None, 'pretraining' or 'classification'. Received: "
            f"{heads!r}"
        )
    if heads == "classification" and not network.heads:
        raise ConfigError(
            f"{name}: heads must be None or 'pretraining' for {found.family.title}. "
            f"Received: {heads!r}"
        )
    model = network.model(config, family=found.family.name)
    if heads is None or not network.heads:
        return model
    held = checkpoint.heads_in(found)
    if heads == "pretraining":
        wanted = [head for head in HEADS if head in held]
        if wanted:
            return PretrainedModel(model, wanted)
    elif "classifier" in held:
        return _build_classifier(name, found, model, reader, data)
    raise CheckpointError(
        f"{name}: holds no head for {heads}; heads in the checkpoint: "
        f"{', '.join(held) or 'none'}"
    )


def _build_classifier(
    name: str,
    found: Match,
    encoder: keras.Model,
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
    options = {"labels": [str(n) for n in range(count)], **found.family.classifier}
    for own in map(own_block, data.values()):
        if len(own.get("labels", ())) == count:
            options |= {key: own[key] for key in CLASSIFIER_KEYS if key in own}
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
        model: `Encoder`, `PretrainedModel`, `Classifier` or `Seq2Seq`.
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
        heads = "pretraining" if hasattr(model, "heads") else None
        heads = "classification" if hasattr(model, "labels") else heads
        reader = source.weights(heads=heads)
        data = json_files(source)
        found = recognise_source(source, reader, data, family, part)
        return checkpoint.load_weights(model, found, reader, skip)


def load_config(
    x: str | Path, *, family: str | None = None, **fields: Any
) -> BaseConfig:
    """Read a published configuration without any weights, to train from scratch.

    Args:
        x: As for `load`; or the JSON file. Weights need not be there.
        family: Decides what "gelu" means and which weights layers share; may be
            left out if the JSON is one of our exports.
        **fields: Any field; wins over the JSON.

    Returns:
        `Config`, or `Seq2SeqConfig` of T5-PEGASUS.

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
    facts = family_named(family)
    given = network_of(facts).fields_from_json(data, facts) | fields
    given.setdefault("hidden_act", facts.gelu)
    try:
        return network_of(facts).config.from_dict(given)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
