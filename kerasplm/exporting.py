"""Export a model as a SavedModel that takes strings."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.files import temporary_folder
from kerasplm.heads import PretrainedModel
from kerasplm.task_models import Classifier
from kerasplm.vocabulary_tools import check_vocab


def export(
    model: keras.Model,
    tokenizer: Any,
    folder: str | Path,
    *,
    max_length: int | None = None,
) -> None:
    """Write a SavedModel whose `serving_default` takes raw strings.

    It loads with tensorflow and tensorflow_text alone (`import tensorflow_text`
    before `tf.saved_model.load`). Batch and length are free. A classifier returns
    `label` (B,) strings and `probabilities` (B, C), classes in the order of the file
    `assets.extra/labels.txt`; with a single label, a regression, it returns `value`
    (B,). An encoder returns `pooled_output` (B, D) and `sequence_output` (B, T, D)
    with `padding_mask` (B, T); vectors of padding are zeros.

    Args:
        model: `Classifier`, `Encoder` or `PretrainedModel`. The input is `text` (B,),
            for a classifier of pairs also `text_pair` (B,).
        tokenizer: The in-graph tokenizer from `load_tokenizer`.
        folder: Where to write; an earlier SavedModel there is replaced.
        max_length: Longer inputs are truncated; default is the number of positions
            of the model, none for NEZHA.

    Raises:
        ConfigError: The tokenizer is not the in-graph one, `max_length` is out of
            range, or the folder holds something else.
        VocabError: The vocabulary has more tokens than the model has rows.

    Example:
        >>> export(classifier, tokenizer, "saved_model")  # doctest: +SKIP
    """
    target = checked_target(folder)
    check_tokenizer(tokenizer)
    config = encoder_of(model).config
    check_vocab(tokenizer, model, "the tokenizer")
    max_length = check_length(config, max_length)

    def finish(made: Path) -> None:
        if isinstance(model, Classifier):
            extra = made / "assets.extra"
            extra.mkdir()
            text = "".join(f"{label}\n" for label in model.labels)
            (extra / "labels.txt").write_text(text, encoding="utf-8")

    serve = _serving(model, tokenizer, max_length)
    write_saved_model(target, serve, model, tokenizer, finish)


def checked_target(folder: str | Path) -> Path:
    """Return where a SavedModel is to be written.

    Raises:
        ConfigError: Something else is there.
    """
    target = Path(folder).expanduser()
    ours = (target / "saved_model.pb").is_file()
    empty = target.is_dir() and not any(target.iterdir())
    if target.exists() and not ours and not empty:
        raise ConfigError(f"{target}: exists and is not a SavedModel; left alone")
    return target


def check_tokenizer(tokenizer: Any) -> None:
    """Make sure that a tokenizer runs inside a graph.

    Raises:
        ConfigError: It does not.
    """
    if not isinstance(tokenizer, tf.Module):
        raise ConfigError(
            "export needs the in-graph Tokenizer (a vocabulary of words has none). "
            f"Received: {type(tokenizer).__name__}"
        )


def write_saved_model(
    target: Path,
    serve: Callable[..., Any],
    model: keras.Model,
    tokenizer: Any,
    finish: Callable[[Path], None],
) -> None:
    """Write a SavedModel; it replaces the one that is there when it is complete.

    Args:
        target: The folder, from `checked_target`.
        serve: The function of `serving_default`, with its signature.
        model: Whose weights it uses.
        tokenizer: Which it uses.
        finish: Called with the new folder before it gets its place; adds files, or
            raises to leave everything as it was.
    """
    module = tf.Module()
    # The variables, not the Keras model: its optimizer would be saved with it.
    module.tokenizer = tokenizer
    module.weights = [variable.value for variable in model.variables]
    module.serve = serve
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target.parent) as work:
        tf.saved_model.save(
            module, str(work / "new"), signatures={"serving_default": serve}
        )
        finish(work / "new")
        if target.exists():
            os.replace(target, work / "old")
        os.replace(work / "new", target)


def encoder_of(model: keras.Model) -> Encoder:
    """Return the encoder of a model, or the model where it is one."""
    if isinstance(model, Encoder):
        return model
    if isinstance(model, Classifier | PretrainedModel):
        return model.encoder
    raise ConfigError(
        "expected a Classifier, an Encoder or a PretrainedModel. Received: "
        f"{type(model).__name__}"
    )


def check_length(config: Config, max_length: int | None) -> int | None:
    """Return the longest input after checking that it fits the model.

    Args:
        config: Of the encoder.
        max_length: As asked for; None means as many tokens as the model takes.

    Returns:
        Number of tokens; None where nothing limits it.

    Raises:
        ConfigError: The model has fewer positions.
    """
    limit = config.max_positions
    if limit is not None:
        max_length = limit if max_length is None else max_length
        if max_length > limit:
            raise ConfigError(
                f"max_length={max_length}, but the model has {limit} positions "
                "(max_position_embeddings)"
            )
    if max_length is not None and max_length < 3:
        raise ConfigError(f"max_length must be at least 3. Received: {max_length}")
    return max_length


def _serving(
    model: keras.Model, tokenizer: Any, max_length: int | None
) -> Callable[..., Any]:
    """Return the function that maps strings to outputs, with its signature."""
    text = tf.TensorSpec([None], tf.string, name="text")
    if isinstance(model, Classifier):
        names = tf.constant(list(model.labels))

        def classify(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            logits = tf.cast(model(batch, training=False), tf.float32)
            if len(model.labels) == 1:
                return {"value": logits[:, 0]}
            return {
                "label": tf.gather(names, tf.argmax(logits, axis=-1)),
                "probabilities": tf.nn.softmax(logits),
            }

        if model.pair:
            pair = tf.TensorSpec([None], tf.string, name="text_pair")

            @tf.function(input_signature=[text, pair])
            def serve_pair(text: tf.Tensor, text_pair: tf.Tensor) -> Any:
                return classify(tokenizer(text, text_pair, max_length=max_length))

            return serve_pair

        @tf.function(input_signature=[text])
        def serve(text: tf.Tensor) -> Any:
            return classify(tokenizer(text, max_length=max_length))

        return serve

    encoder = encoder_of(model)

    @tf.function(input_signature=[text])
    def encode(text: tf.Tensor) -> Any:
        batch = tokenizer(text, max_length=max_length)
        out = encoder(batch, training=False, skip_padding=True)
        return {
            "pooled_output": out["pooled_output"],
            "sequence_output": out["sequence_output"],
            "padding_mask": batch["padding_mask"],
        }

    return encode
