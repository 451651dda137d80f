"""Export a generator as a SavedModel: strings in, strings out."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm.errors import ConfigError, ExportError
from kerasplm.exporting import check_tokenizer, checked_target, write_saved_model
from kerasplm.files import write_json
from kerasplm.generation.in_graph import GraphGenerator
from kerasplm.generation.settings import Decoding
from kerasplm.generation.texts import check_model, generate, ids_of
from kerasplm.seq2seq.model import Seq2Seq
from kerasplm.vocabulary_tools import check_vocab

# Options that are tokens in words and ids in `Decoding`.
_TOKENS = ("repetition_exempt", "suppress", "end_id")
CHOICES = tuple(
    field.name for field in dataclasses.fields(Decoding) if field.name not in _TOKENS
)
"""Options of `export_generator` that `Decoding` explains."""
# What `generate` asks of Python, or reads of the texts to choose from.
_ASKED = ("choices", "extract", "allowed", "stream")
_SEED = 1  # of the texts that are compared


def export_generator(
    model: keras.Model,
    tokenizer: Any,
    folder: str | Path,
    *,
    pair: bool = False,
    start: str = "[CLS]",
    end: str | None = "[SEP]",
    suppress: Sequence[str] = (),
    repetition_exempt: Sequence[str] = (),
    max_source_length: int | None = None,
    **choices: Any,
) -> None:
    """Write a SavedModel that generates texts: strings in, strings out.

    It loads with tensorflow and tensorflow_text alone (`import tensorflow_text` before
    `tf.saved_model.load`). `serving_default` takes `text` (B,), with `pair` also
    `text_pair` (B,), and where texts are drawn at random `seed`, a scalar int64; it
    returns `text` (B,), or (B, W) of several samples: the strings that `generate` gives
    for these texts with these options. Batch and lengths are free. Before the folder
    gets its place, what it generates is compared with `generate`. The options are told
    in `assets.extra/generate.json`.

    Args:
        model: As for `generate`.
        tokenizer: The in-graph tokenizer from `load_tokenizer`.
        folder: Where to write; an earlier SavedModel there is replaced.
        pair: Whether a source is a pair of texts.
        start: As for `generate`.
        end: As for `generate`.
        suppress: As for `generate`.
        repetition_exempt: As for `generate`.
        max_source_length: Longer sources are truncated to so many tokens, special ones
            included; default is what the positions of the model leave beside the
            target, if it has any.
        **choices: The other options of `Decoding`, which are fixed: `max_length`,
            `beams`, `samples`, `top_k`, `top_p`, `temperature` and so on.

    Raises:
        ConfigError: The model cannot generate, the tokenizer is not the in-graph one,
            an option is bad, or the folder holds something else.
        ExportError: The SavedModel does not give what `generate` gives.
        VocabError: The vocabulary does not fit the model, or a token is not in it.

    Example:
        >>> model = plm.load("simbert-base-zh.zhuiyi",
        ...     heads="pretraining", attention="unilm")        # doctest: +SKIP
        >>> plm.export_generator(model, tokenizer, "paraphrase",
        ...     samples=10, top_k=5, max_length=32)            # doctest: +SKIP
    """
    for name in choices:
        check_choice(name, CHOICES)
    target = checked_target(folder)
    check_model(model)
    check_tokenizer(tokenizer)
    body = model if isinstance(model, Seq2Seq) else model.encoder
    check_vocab(tokenizer, body, "the tokenizer")
    decoding = Decoding(
        suppress=ids_of(tokenizer, "suppress", suppress),
        repetition_exempt=ids_of(tokenizer, "repetition_exempt", repetition_exempt),
        end_id=None if end is None else tokenizer.id_of(end),
        **choices,
    )
    start_id = tokenizer.id_of(start)
    write = GraphGenerator(model, tokenizer, decoding, start_id, max_source_length)
    options = {
        **choices,
        "start": start,
        "end": end,
        "suppress": suppress,
        "repetition_exempt": repetition_exempt,
        "max_source_length": write.longest,
    }
    drawing = decoding.samples is not None

    def finish(made: Path) -> None:
        texts = _texts(tokenizer.vocab)
        inputs: dict[str, Any] = {"text": tf.constant(texts)}
        if pair:
            inputs["text_pair"] = tf.constant(texts[::-1])
        if drawing:
            inputs["seed"] = tf.constant(_SEED, tf.int64)
        loaded = tf.saved_model.load(str(made))
        served = loaded.signatures["serving_default"](**inputs)["text"].numpy()
        sources = list(zip(texts, texts[::-1], strict=True)) if pair else texts
        live = generate(model, tokenizer, sources, seed=_SEED, **options)
        found = [_decoded(row) for row in served.tolist()]
        for source, ours, theirs in zip(sources, found, live, strict=True):
            if ours != theirs:
                raise ExportError(
                    f"{target}: {source!r}: expected {theirs!r}, the SavedModel "
                    f"generates {ours!r}"
                )
        card = {**dataclasses.asdict(decoding), **options, "pair": pair}
        write_json(made / "assets.extra" / "generate.json", card)

    serve = tf.function(
        _serving(write, pair, drawing),
        input_signature=_signature(pair, drawing),
        autograph=False,
    )
    write_saved_model(target, serve, model, tokenizer, finish)


def check_choice(name: str, known: Sequence[str]) -> None:
    """Refuse what is no option of an export.

    Raises:
        ConfigError: It is none; the message tells those that `generate` alone has.
    """
    if name in _ASKED:
        raise ConfigError(
            f"{name}: cannot be exported, the SavedModel writes freely; `generate` "
            "has this option"
        )
    if name not in known:
        raise ConfigError(f"{name}: no such option; there are {', '.join(known)}")


def _signature(pair: bool, drawing: bool) -> list[tf.TensorSpec]:
    names = ["text", *(["text_pair"] if pair else [])]
    specs = [tf.TensorSpec([None], tf.string, name=name) for name in names]
    return [*specs, *([tf.TensorSpec([], tf.int64, name="seed")] if drawing else [])]


def _serving(write: GraphGenerator, pair: bool, drawing: bool) -> Any:
    """Return the function whose arguments have the names of the signature."""
    if pair and drawing:
        return lambda text, text_pair, seed: {"text": write(text, text_pair, seed)}
    if pair:
        return lambda text, text_pair: {"text": write(text, text_pair)}
    if drawing:
        return lambda text, seed: {"text": write(text, None, seed)}
    return lambda text: {"text": write(text)}


def _texts(vocab: Sequence[str]) -> list[str]:
    """Return texts of several lengths in the words of a vocabulary."""
    words = [word for word in vocab if word[:1] != "[" and word[:2] != "##"]
    some = words[:: max(1, len(words) // 7)][:7]
    return ["", "".join(some), *some[:2]]


def _decoded(row: Any) -> Any:
    return [x.decode() for x in row] if isinstance(row, list) else row.decode()
