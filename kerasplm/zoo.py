"""Load a model by one line: `load`, `load_checkpoint`, `load_config`."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from kerasplm import checkpoint, keras_files
from kerasplm.ahead import empty
from kerasplm.catalogue import CATALOGUE
from kerasplm.config import BaseConfig
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.families import Match, family_named
from kerasplm.files import read_json
from kerasplm.head_facts import head_facts
from kerasplm.heads import HEADS, PretrainedModel
from kerasplm.layers import initialize_with
from kerasplm.load_report import LoadReport
from kerasplm.networks import network_of
from kerasplm.precision import Precision, computed_in
from kerasplm.published import expand_hparams
from kerasplm.recognition import (
    JsonFiles,
    Part,
    config_alone,
    configure,
    json_files,
    opened,
    translated,
)
from kerasplm.sources import open_source
from kerasplm.task_models import MODELS, TaskModel, model_from_facts
from kerasplm.vocabulary_rows import Compound, ResizedVocabulary, vocabulary_axes

Heads = Literal[
    "pretraining",
    "task",
    "classification",
    "regression",
    "span",
    "tagging",
    "choice",
    "relation",
    "embedding",
    "generation",
]
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
    precision: Precision | None = None,
    **fields: Any,
) -> keras.Model:
    """Load a published checkpoint as a Keras model.

    The family is the one whose table explains all variables of the checkpoint; the
    configuration JSON is checked against the shapes. What was loaded and what was
    not stands in the model's `load_report`.

    Args:
        x: Name from `list_models`, which is downloaded once; or a folder, checkpoint
            prefix, file or archive (.zip, .tar.gz, .tgz, .tar) on the disk: of TF1,
            tf-models-official, Hugging Face (safetensors or .bin), bert4keras (.h5)
            or Keras (.keras, .weights.h5).
        heads: None returns the bare model; "pretraining" adds every pre-training
            head that the checkpoint holds; "task" gives the model that `finetune`
            trained; "classification", "regression", "tagging" or "span" also one
            that the original code trained; "generation" takes the MLM head of any
            checkpoint that holds one (with attention="unilm"), or a `Seq2Seq`, which
            is whole as it is.
        part: "discriminator" (default) or "generator" of an ELECTRA checkpoint.
        family: Name of the family, where the variables fit several.
        config: Configuration JSON, if it does not lie beside the checkpoint.
        skip: Regular expressions of weight paths to leave at their initial values,
            such as "pooler/.*". Everything else must fit exactly.
        keep_tokens: Ids of the tokens to keep, in their new order: word table, MLM
            bias and with them the tied decoder shrink. Default keeps all.
        compound_tokens: Rows to append after those: for each the ids (counted in
            the rows that were kept) to average, or a pair of ids and weights.
        precision: "float32", "bfloat16" or "float16", in which weights are kept and
            outputs computed: half the memory, and faster where the processor has
            instructions for it. To train, leave it out: weights must stay float32.
        **fields: Any field of `Config` (or `Seq2SeqConfig`), such as
            `attention="unilm"` or `hidden_dropout_prob=0.0`; wins over the JSON.

    Returns:
        `Encoder`, `PretrainedModel` or a task model such as `Classifier`; `Seq2Seq`
        of T5-PEGASUS.

    Raises:
        CheckpointError: Files are missing or damaged, or weights do not fit.
        FamilyError: No family fits, or several do.
        ConfigError: The configuration is broken, incomplete, or contradicts the
            weights.
        VocabError: `keep_tokens` or `compound_tokens` do not fit the vocabulary.
        ArchiveError: The archive is broken or hostile.

    Example:
        >>> encoder = load("bert-base-zh.google")                 # doctest: +SKIP
        >>> model = load("albert_tiny.zip", heads="pretraining")  # doctest: +SKIP
    """
    with (
        computed_in(precision, mixed=False),
        opened(x, part, family, config) as it,
    ):
        if it.source.kind == "keras":
            if skip or keep_tokens is not None or compound_tokens is not None:
                raise ConfigError(
                    f"{x}: a Keras file loads whole: without skip, keep_tokens and "
                    "compound_tokens"
                )
            return keras_files.load(it, heads, fields)
        source, data = it.source, it.data
        reader, found = it.read(heads=heads)
        settings, assumed = configure(source, found, reader, data, it.known | fields)
        rows = None
        if keep_tokens is not None or compound_tokens is not None:
            axes = vocabulary_axes(found)
            reader = ResizedVocabulary(reader, axes, keep_tokens, compound_tokens)
            size = fields.get("vocab_size", reader.rows)
            settings = settings.replace(vocab_size=size)
            rows = (reader.rows_before, reader.rows_kept, reader.rows_made)
        # Weights that are skipped need true initial values.
        fast = contextlib.nullcontext() if skip else initialize_with(empty)
        with fast:
            model = _build(source.name, found, settings, heads, reader, data)
        report = checkpoint.load_weights(model, found, reader, skip)
    model.load_report = dataclasses.replace(report, assumed=assumed, rows=rows)
    _log.info("%s", report)
    return model


def _build(
    name: str,
    found: Match,
    config: BaseConfig,
    heads: Heads | None,
    reader: checkpoint.Weights,
    data: JsonFiles,
) -> keras.Model:
    network = network_of(found.family)
    if heads not in (None, "pretraining", "task", *MODELS):
        raise ConfigError(
            f"heads must be None or one of pretraining, task, {', '.join(MODELS)}. "
            f"Received: {heads!r}"
        )
    whole = (None, "pretraining")
    if not network.heads and heads not in (*whole, "task", "generation"):
        raise ConfigError(
            f"{name}: heads must be None, 'pretraining', 'task' or 'generation' for "
            f"{found.family.title}. Received: {heads!r}"
        )
    model = network.model(config, family=found.family.name)
    if heads is None or (heads in whole and not network.heads):
        return model
    held = checkpoint.heads_in(found)
    if heads == "pretraining":
        wanted = [head for head in HEADS if head in held]
        if wanted:
            return PretrainedModel(model, wanted)
    elif facts := head_facts(heads, found, reader, data, name):
        return model_from_facts(model, facts)
    raise CheckpointError(
        f"{name}: holds no head for {heads}; heads in the checkpoint: "
        f"{', '.join(held) or 'none'}"
    )


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
        model: `Encoder`, `PretrainedModel`, `Seq2Seq` or a task model.
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
    with opened(x, part, family) as it:
        heads = "pretraining" if hasattr(model, "heads") else None
        heads = model.kind if isinstance(model, TaskModel) else heads
        reader, found = it.read(heads=heads)
        return checkpoint.load_weights(model, found, reader, skip)


def load_config(
    x: str | Path, *, family: str | None = None, **fields: Any
) -> BaseConfig:
    """Read a published configuration without any weights, to train from scratch.

    Args:
        x: As for `load`; or the JSON file. Weights need not be there; a name of the
            catalogue is not downloaded.
        family: Decides what "gelu" means and which weights layers share; may be
            left out if the JSON is one of our exports.
        **fields: Any field; wins over the JSON.

    Returns:
        `Config`, or `Seq2SeqConfig` of T5-PEGASUS.

    Raises:
        ConfigError: There is no such file, or several, or a field is bad.
        FamilyError: The family is unknown.

    Example:
        >>> load_config("albert-tiny-zh.brightmart").num_hidden_layers
        4
    """
    path = Path(x).expanduser()
    if str(x) in CATALOGUE and not path.exists():
        entry = CATALOGUE[str(x)]
        config = network_of(family_named(entry.family)).config
        return config.from_dict({**entry.config, **fields})
    if path.is_dir() or not path.name.endswith(".json"):
        with open_source(x) as source:
            files = json_files(source)
            if len(files) != 1:
                names = ", ".join(file.name for file in files) or "none"
                raise ConfigError(
                    f"{x}: expected one configuration JSON, found {names}"
                )
            ((path, data),) = files.items()
    else:
        data = translated(path, expand_hparams(read_json(path)))
    return config_alone(path, data, family, fields)[0]
