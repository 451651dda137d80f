"""Generate texts: `generate`."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from kerasplm.errors import ConfigError
from kerasplm.generation.constraints import Constraint, Extract, Trie
from kerasplm.generation.decoder import Decoder, Generated
from kerasplm.generation.encoder_steps import EncoderSteps
from kerasplm.generation.next_token import NextToken
from kerasplm.generation.seq2seq_steps import Seq2SeqSteps
from kerasplm.generation.settings import Compatible, Decoding
from kerasplm.generation.sources import batch_of, check_room, source_ids, tokens_of
from kerasplm.generation.stepping import Allowed
from kerasplm.heads import PretrainedModel
from kerasplm.seq2seq.model import Seq2Seq
from kerasplm.vocabulary_tools import check_vocab

Text = str | tuple[str, str]
_KEPT = 16  # compiled decoders of a model


def generate(
    model: keras.Model,
    tokenizer: Any,
    texts: Text | Iterable[Text],
    *,
    max_length: int = 64,
    min_length: int = 0,
    beams: int = 1,
    samples: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    repetition_exempt: Sequence[str] = (),
    repetition_lag: int = 0,
    no_repeat_ngram: int = 0,
    length_penalty: float = 0.0,
    suppress: Sequence[str] = (),
    start: str = "[CLS]",
    end: str | None = "[SEP]",
    min_ends: int = 1,
    choices: Sequence[str] | None = None,
    extract: bool = False,
    allowed: Allowed | None = None,
    batch_size: int = 32,
    max_source_length: int | None = None,
    seed: int | None = None,
    stream: Callable[[int, str], None] | None = None,
    compatible: Compatible | None = None,
    jit_compile: bool = False,
) -> list[Any]:
    """Write a text for each source: summaries, paraphrases, continuations, answers.

    An encoder with UniLM attention reads "[CLS] source [SEP]" and writes the target
    behind it; with causal attention it continues "[CLS] source"; a `Seq2Seq` reads
    "[CLS] source [SEP]" with its encoder. Texts of similar length run together, and
    none depends on the others.

    Args:
        model: `load(..., heads="pretraining", attention="unilm")`, or "causal", or a
            `Seq2Seq`.
        tokenizer: From `load_tokenizer`.
        texts: Sources; a pair is read as "[CLS] first [SEP] second [SEP]".
        max_length: Tokens to generate at most, the end token included.
        min_length: Tokens before the end token at least.
        beams: Hypotheses of the beam search; 1 takes the most probable token.
        samples: Texts to draw at random for each source; None draws none.
        temperature: As in `Decoding`.
        top_k: As in `Decoding`.
        top_p: As in `Decoding`.
        repetition_penalty: As in `Decoding`.
        repetition_exempt: Tokens that may repeat, such as "，".
        repetition_lag: As in `Decoding`.
        no_repeat_ngram: As in `Decoding`.
        length_penalty: As in `Decoding`.
        suppress: Tokens that are never chosen, such as "[UNK]".
        start: Token with which the target of a `Seq2Seq` begins.
        end: Token that ends a text; None goes on to `max_length`.
        min_ends: As in `Decoding`.
        choices: Every result is one of these texts.
        extract: Every result is a part of its source.
        allowed: Called with the number of a source and the ids generated so far;
            returns the ids that may come next, or None for all.
        batch_size: Sources that run at once.
        max_source_length: Longer sources are truncated to so many tokens, special ones
            included. None: what is too long is an error.
        seed: Equal seeds draw equal texts, whatever the batch size; None draws others
            in every call.
        stream: Called with the number of a source and its whole text so far, when it
            has grown; for one text per source. In a beam search the text may change.
        compatible: As in `Decoding`.
        jit_compile: Whether XLA compiles the loop: faster steps on a GPU, but every
            new size is compiled.

    Returns:
        One string per source; with several `samples` a list of strings each.

    Raises:
        ConfigError: The model cannot generate, or an option is bad.
        DataError: A source is no text, or too long for the model.
        VocabError: The vocabulary does not fit the model, or a token is not in it.

    Example:
        >>> model = plm.load("simbert-base-zh.zhuiyi",
        ...     heads="pretraining", attention="unilm")        # doctest: +SKIP
        >>> plm.generate(model, tokenizer, "微信和支付宝哪个好？",
        ...     samples=10, top_k=5, max_length=32)            # doctest: +SKIP

    Source: arXiv:1905.03197 (UniLM).
    """
    if isinstance(texts, str) or (
        isinstance(texts, tuple) and len(texts) == 2 and all(map(_is_text, texts))
    ):
        texts = [texts]  # type: ignore[list-item]
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be positive. Received: {batch_size}")
    decoding = Decoding(
        max_length=max_length,
        min_length=min_length,
        beams=beams,
        samples=samples,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        repetition_exempt=ids_of(tokenizer, "repetition_exempt", repetition_exempt),
        repetition_lag=repetition_lag,
        no_repeat_ngram=no_repeat_ngram,
        length_penalty=length_penalty,
        suppress=ids_of(tokenizer, "suppress", suppress),
        end_id=None if end is None else tokenizer.id_of(end),
        min_ends=min_ends,
        compatible=compatible,
    )
    if max_source_length is not None and max_source_length < 3:
        raise ConfigError(
            f"max_source_length must be at least 3. Received: {max_source_length}"
        )
    if seed is not None and (not isinstance(seed, int | np.integer) or seed < 0):
        raise ConfigError(f"seed must be a whole number >= 0. Received: {seed!r}")
    if stream is not None and (samples or 1) > 1:
        raise ConfigError(f"stream shows one text per source. Received: {samples=}")
    start_id = tokenizer.id_of(start)
    check_model(model)
    check_vocab(tokenizer, model if isinstance(model, Seq2Seq) else model.encoder)
    constraint, name = _constraint(tokenizer, choices, extract)
    rows = []
    for n, text in enumerate(texts):
        rows.append(source_ids(model, tokenizer, text, n, max_source_length))
        check_room(model, rows[n], n, max_length)
    decoder = decoder_of(model, start_id, decoding, constraint, name, jit_compile)
    order = np.argsort([len(row) for row in rows], kind="stable").tolist()
    found: dict[int, Generated] = {}
    drawn = secrets.randbits(32) if seed is None else seed

    def watch(number: int, ids: list[int]) -> None:
        assert stream is not None
        stream(number, tokenizer.decode([ids])[0])

    for at in range(0, len(rows), batch_size):
        numbers = order[at : at + batch_size]
        results = decoder(
            batch_of([rows[n] for n in numbers], tokenizer.pad_id),
            numbers=numbers,
            seed=drawn,
            allowed=allowed,
            watch=watch if stream is not None else None,
        )
        found.update(zip(numbers, results, strict=True))
    texts_of = [tokenizer.decode(found[n].ids) for n in range(len(rows))]
    return texts_of if (samples or 1) > 1 else [some[0] for some in texts_of]


def _is_text(x: Any) -> bool:
    return isinstance(x, str)


def ids_of(tokenizer: Any, name: str, tokens: Sequence[str]) -> tuple[int, ...]:
    """Return the ids of the tokens that an option names.

    Raises:
        ConfigError: They are one string.
        VocabError: One is not in the vocabulary.
    """
    if isinstance(tokens, str):
        raise ConfigError(f"{name} must be a list of tokens. Received: {tokens!r}")
    return tuple(map(tokenizer.id_of, tokens))


def check_model(model: keras.Model) -> None:
    """Make sure that a model can generate.

    Raises:
        ConfigError: It has no scores of the next token, or looks ahead.
    """
    if isinstance(model, Seq2Seq):
        return
    if not isinstance(model, PretrainedModel) or "mlm" not in model.heads:
        held = ", ".join(getattr(model, "heads", ())) or "none"
        raise ConfigError(
            "generate: expected a Seq2Seq or a PretrainedModel with an MLM head, found "
            f"a {type(model).__name__} with heads: {held}; load it with "
            "heads='pretraining'"
        )
    config = model.encoder.config
    if config.attention == "bidirectional":
        raise ConfigError(
            "generate: expected attention='unilm' (or 'causal'), found "
            "'bidirectional': each token sees those behind it; load the model with "
            "attention='unilm'"
        )
    if config.attention == "unilm" and config.type_vocab_size == 1:
        raise ConfigError(
            "generate: expected two segments for attention='unilm', found "
            "type_vocab_size=1"
        )


def next_token(model: keras.Model, start_id: int) -> NextToken:
    """Return a model as the decoder sees it.

    Args:
        model: As for `generate`.
        start_id: Token with which the target of a `Seq2Seq` begins.

    Raises:
        ConfigError: It cannot generate.
    """
    check_model(model)
    if isinstance(model, Seq2Seq):
        return Seq2SeqSteps(model, start_id)
    return EncoderSteps(model)


def decoder_of(
    model: keras.Model,
    start_id: int,
    decoding: Decoding,
    constraint: Constraint | None = None,
    name: Any = None,
    jit_compile: bool = False,
) -> Decoder:
    """Return the decoder of these options; the model keeps the last ones.

    Args:
        model: As for `generate`.
        start_id: As for `next_token`.
        decoding: The options.
        constraint: What may be written.
        name: A key that is equal for equal constraints.
        jit_compile: As for `generate`.
    """
    # Not through __setattr__, by which Keras tracks what belongs to the weights.
    kept = vars(model).setdefault("_kerasplm_decoders", {})
    key = (start_id, decoding.static(), name, jit_compile)
    if key not in kept:
        while len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        kept[key] = Decoder(
            next_token(model, start_id),
            decoding,
            started=isinstance(model, Seq2Seq),
            constraint=constraint,
            jit_compile=jit_compile,
        )
    return kept[key].like(decoding)


def _constraint(
    tokenizer: Any, choices: Sequence[str] | None, extract: bool
) -> tuple[Constraint | None, Any]:
    """Return the constraint and a key that is equal for equal ones."""
    if choices is not None and extract:
        raise ConfigError("choices and extract exclude each other")
    if extract:
        special = (tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id)
        return Extract(special), ("extract", special)
    if choices is None:
        return None, None
    if isinstance(choices, str) or not all(map(_is_text, choices)):
        raise ConfigError(f"choices must be a list of texts. Received: {choices!r:.80}")
    ids = [tuple(tokens_of(tokenizer, choice)) for choice in choices]
    for choice, some in zip(choices, ids, strict=True):
        if not some:
            raise ConfigError(f"choices: {choice!r} has no tokens")
    return Trie(ids), ("choices", tuple(ids))
