"""From logits to the log-probabilities among which a token is chosen."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kerasplm.generation.settings import Decoding

NEVER = float("-inf")


def log_probabilities(
    decoding: Decoding,
    limits: Mapping[str, tf.Tensor],
    logits: tf.Tensor,
    tokens: tf.Tensor,
    count: tf.Tensor,
    allowed: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return the log-probabilities of the next token; forbidden ones are -inf.

    Args:
        decoding: The options.
        limits: From `Decoding.limits`, which count here instead.
        logits: (R, V).
        tokens: (R, G), what was generated so far.
        count: How many tokens that are.
        allowed: (R, V), booleans, or None. A row that allows nothing ends its text.

    Returns:
        (R, V) float32.
    """
    raw = scores = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    if decoding.repetition_penalty != 1.0:
        scores = _penalise(decoding, scores, tokens, count)
    if decoding.no_repeat_ngram:
        scores = _forbid_ngrams(decoding.no_repeat_ngram, scores, tokens, count)
    if decoding.suppress:
        scores = tf.where(_among(decoding.suppress, scores), NEVER, scores)
    ends = tf.range(tf.shape(scores)[1])[None] == limits["end_id"]
    if decoding.min_length and not decoding.bert4keras:
        scores = tf.where(ends & (count < limits["min_length"]), NEVER, scores)
    if allowed is not None:
        scores = tf.where(allowed, scores, NEVER)
    if allowed is not None or decoding.no_repeat_ngram:
        stuck = tf.reduce_all(tf.math.is_inf(scores), axis=1, keepdims=True)
        # Where nothing is left, the text ends; where it cannot, anything may come.
        scores = tf.where(stuck & (ends | (limits["end_id"] < 0)), raw, scores)
    if decoding.temperature != 1.0:
        scores /= decoding.temperature
    if decoding.temperature != 1.0 and not (decoding.samples or decoding.beams == 1):
        scores = tf.nn.log_softmax(scores)
    if decoding.bert4keras and decoding.samples is None:
        scores = tf.math.log(tf.exp(scores) + 1e-12)
    return scores


def _among(ids: tuple[int, ...], scores: tf.Tensor) -> tf.Tensor:
    """Return (1, V) booleans, True at these ids."""
    words = tf.range(tf.shape(scores)[1])
    return tf.reduce_any(words[:, None] == tf.constant(ids), axis=1)[None]


def _places(tokens: tf.Tensor) -> tf.Tensor:
    """Return where the tokens (R, G) stand in (R, V): (R, G, 2)."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    return tf.stack([rows, tokens], axis=-1)


def _penalise(
    decoding: Decoding, scores: tf.Tensor, tokens: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    past = tf.range(tokens.shape[1])[None] < count - decoding.repetition_lag
    if decoding.repetition_exempt:
        exempt = tokens[..., None] == tf.constant(decoding.repetition_exempt)
        past &= ~tf.reduce_any(exempt, axis=-1)
    lower = tf.gather(scores, tokens, batch_dims=1) * decoding.repetition_penalty
    # The minimum, since one token may stand at several places.
    lower = tf.where(past, lower, float("inf"))
    return tf.tensor_scatter_nd_min(scores, _places(tokens), lower)


def _forbid_ngrams(
    size: int, scores: tf.Tensor, tokens: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Forbid the tokens that would complete an n-gram a second time."""
    room = tokens.shape[1]
    places = tf.range(room)
    # next_at[i] is the token behind the n - 1 tokens from place i on.
    same = (places + size - 1 < count)[None] & tf.ones_like(tokens, tf.bool)
    for j in range(size - 1):
        here = tf.gather(tokens, tf.minimum(places + j, room - 1), axis=1)
        last = tf.gather(tokens, tf.maximum(count - (size - 1) + j, 0), axis=1)
        same &= here == last[:, None]
    next_at = tf.gather(tokens, tf.minimum(places + size - 1, room - 1), axis=1)
    lower: Any = tf.where(same, NEVER, float("inf"))
    return tf.tensor_scatter_nd_min(scores, _places(next_at), lower)
