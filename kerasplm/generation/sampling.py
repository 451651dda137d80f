"""Greedy choice and random samples: every row goes its own way."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kerasplm.generation.settings import Decoding

State = dict[str, Any]
Limits = Mapping[str, tf.Tensor]


class Rows:
    """Choose one token per row: the most probable one, or a random one.

    A random choice depends on one uniform number per row and step, so the same numbers
    give the same texts however the texts are batched.

    Args:
        decoding: The options.
        started: Whether the target has a start token, which bert4keras counts.
    """

    def __init__(self, decoding: Decoding, started: bool) -> None:
        self.decoding = decoding
        self.started = started

    def start(self, texts: tf.Tensor, draws: tf.Tensor) -> State:
        """Return the state before the first token.

        Args:
            texts: B.
            draws: (R, G), uniform numbers in [0, 1); not read if nothing is drawn.
        """
        rows = texts * self.decoding.width
        return {
            "count": tf.constant(0),
            "tokens": tf.zeros([rows, self.decoding.max_length], tf.int32),
            "scores": tf.zeros([rows]),
            "ends": tf.zeros([rows], tf.int32),
            "lengths": tf.zeros([rows], tf.int32),
            "done": tf.zeros([rows], tf.bool),
            "draws": draws,
        }

    def choose(
        self, state: State, scores: tf.Tensor, limits: Limits
    ) -> tuple[State, None]:
        """Take the next token of every row that is not done."""
        decoding, count, going = self.decoding, state["count"], ~state["done"]
        if decoding.samples is None:
            token = tf.argmax(scores, axis=1, output_type=tf.int32)
        else:
            draw = tf.gather(state["draws"], count, axis=1)
            token = sample(scores, draw, decoding.top_k, decoding.top_p)
        score = tf.gather(scores, token, batch_dims=1)
        is_end = token == limits["end_id"]
        ends = state["ends"] + tf.cast(is_end & going, tf.int32)
        done = is_end & (ends >= limits["min_ends"])
        if decoding.bert4keras:
            done &= count + 1 + int(self.started) >= limits["min_length"]
        return {
            "count": count + 1,
            "tokens": write(state["tokens"], token, count, going),
            "scores": state["scores"] + tf.where(going, score, 0.0),
            "ends": ends,
            "lengths": state["lengths"] + tf.cast(going, tf.int32),
            "done": state["done"] | done,
            "draws": state["draws"],
        }, None

    def last(self, state: State) -> tf.Tensor:
        """Return the tokens that were chosen last, (R,)."""
        return tf.gather(state["tokens"], state["count"] - 1, axis=1)

    def result(self, state: State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return tokens (B, W, G), lengths (B, W) and log-probabilities (B, W)."""
        width, room = self.decoding.width, self.decoding.max_length
        return (
            tf.reshape(state["tokens"], [-1, width, room]),
            tf.reshape(state["lengths"], [-1, width]),
            tf.reshape(state["scores"], [-1, width]),
        )


def write(
    tokens: tf.Tensor, token: tf.Tensor, count: tf.Tensor, going: tf.Tensor
) -> tf.Tensor:
    """Put the token (R,) of each row that goes on at place `count` of (R, G)."""
    here = (tf.range(tokens.shape[1]) == count)[None] & going[:, None]
    return tf.where(here, token[:, None], tokens)


def sample(
    scores: tf.Tensor, draw: tf.Tensor, top_k: int | None, top_p: float | None
) -> tf.Tensor:
    """Draw one token per row by inverting the distribution function.

    Args:
        scores: (R, V), log-probabilities up to a constant.
        draw: (R,), uniform numbers in [0, 1).
        top_k: As in `Decoding`.
        top_p: As in `Decoding`.

    Returns:
        (R,) int32.
    """
    ids = None
    if top_k is not None or top_p is not None:
        words = scores.shape[1] or tf.shape(scores)[1]
        k = words if top_k is None else tf.minimum(top_k, words)
        scores, ids = tf.math.top_k(scores, k)
    shares = tf.nn.softmax(scores)
    if top_p is not None:
        reached = tf.cumsum(shares, axis=1, exclusive=True)
        # The first one crosses p at the earliest: it is always in.
        first = tf.range(tf.shape(shares)[1]) == 0
        shares = tf.where((reached < top_p) | first, shares, 0.0)
    sums = tf.cumsum(shares, axis=1)
    total = sums[:, -1]
    # Rounding must not reach the total, behind which there is no token.
    point = tf.minimum(draw * total, tf.math.nextafter(total, 0.0))
    place = tf.reduce_sum(tf.cast(sums <= point[:, None], tf.int32), axis=1)
    return place if ids is None else tf.gather(ids, place, batch_dims=1)
