"""Beam search, with a pool of finished texts that compete with the running ones."""

from typing import Any

import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.generation.sampling import Limits, State, write
from kerasplm.generation.scores import NEVER
from kerasplm.generation.settings import Decoding


class Beam:
    """Keep the W best running hypotheses of each text and its W best finished ones.

    A text is done when no running hypothesis, however it goes on, can reach the score
    of its best finished one; so a text that ended early is found also when others were
    ahead of it then. At the maximal length the running ones count as they are.

    Args:
        decoding: The options.
        started: Not used: the start token is nowhere counted.
    """

    def __init__(self, decoding: Decoding, started: bool) -> None:
        self.decoding = decoding

    def start(self, texts: tf.Tensor, draws: tf.Tensor) -> State:
        """Return the state before the first token; `draws` is not read."""
        width, room = self.decoding.beams, self.decoding.max_length
        return {
            **begun(texts, width, room),
            "pool": tf.zeros([texts, width, room], tf.int32),
            "pool_scores": tf.fill([texts, width], NEVER),
            "pool_lengths": tf.zeros([texts, width], tf.int32),
        }

    def choose(
        self, state: State, scores: tf.Tensor, limits: Limits
    ) -> tuple[State, tf.Tensor]:
        """Go on with the best hypotheses; return also the row of each one's parent."""
        decoding, width, count = self.decoding, self.decoding.beams, state["count"]
        best, parent, token = candidates(state["scores"], scores, 2 * width)
        is_end = token == limits["end_id"]
        ends = tf.gather(state["ends"], parent, batch_dims=1)
        ends += tf.cast(is_end, tf.int32)
        finished = is_end & (ends >= limits["min_ends"])
        texts = self._texts(state["tokens"], parent, token, count)
        pool = self._pooled(state, texts, tf.where(finished, best, NEVER), count + 1)
        # Each hypothesis has one way to end, so W of twice as many go on.
        kept, order = tf.math.top_k(tf.where(finished, NEVER, best), width)
        parent, ends, texts = (
            tf.gather(x, order, batch_dims=1) for x in (parent, ends, texts)
        )
        out = {
            "count": count + 1,
            "tokens": tf.reshape(texts, [-1, decoding.max_length]),
            "scores": kept,
            "ends": ends,
            **pool,
        }
        out["done"] = state["done"] | (
            out["pool_scores"][:, 0] >= self._attainable(kept[:, 0], count + 1)
        )
        return out, rows_of(parent)

    def last(self, state: State) -> tf.Tensor:
        """Return the tokens that were chosen last, (R,)."""
        return tf.gather(state["tokens"], state["count"] - 1, axis=1)

    def result(self, state: State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the best tokens (B, 1, G), lengths (B, 1) and scores (B, 1)."""
        decoding, count = self.decoding, state["count"]
        texts = tf.reshape(state["tokens"], [-1, decoding.beams, decoding.max_length])
        pool = self._pooled(state, texts, state["scores"], count)
        names = ("pool", "pool_lengths", "pool_scores")
        tokens, lengths, scores = (pool[name][:, :1] for name in names)
        return tokens, lengths, scores

    def _texts(
        self, tokens: tf.Tensor, parent: tf.Tensor, token: tf.Tensor, count: tf.Tensor
    ) -> tf.Tensor:
        """Return the candidates (B, C, G) with their new token."""
        room = self.decoding.max_length
        old = tf.reshape(tokens, [-1, self.decoding.beams, room])
        old = tf.reshape(tf.gather(old, parent, batch_dims=1), [-1, room])
        flat = tf.reshape(token, [-1])
        new = write(old, flat, count, tf.ones_like(flat, tf.bool))
        return tf.reshape(new, [-1, tf.shape(parent)[1], room])

    def _normed(self, scores: tf.Tensor, length: Any) -> tf.Tensor:
        return scores / tf.cast(length, tf.float32) ** self.decoding.length_penalty

    def _attainable(self, best: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Return a bound of what a hypothesis of this length can still score."""
        longest = self.decoding.max_length
        next_length = tf.minimum(length + 1, longest)
        return tf.maximum(self._normed(best, next_length), self._normed(best, longest))

    def _pooled(
        self, state: State, texts: tf.Tensor, scores: tf.Tensor, length: tf.Tensor
    ) -> State:
        """Put the better ones of texts (B, C, G) into the pool; done ones stay."""
        joined = tf.concat([state["pool_scores"], self._normed(scores, length)], axis=1)
        all_texts = tf.concat([state["pool"], texts], axis=1)
        lengths = tf.fill(tf.shape(scores), length)
        lengths = tf.concat([state["pool_lengths"], lengths], axis=1)
        best, order = tf.math.top_k(joined, self.decoding.beams)
        stay = state["done"][:, None]
        chosen = tf.gather(all_texts, order, batch_dims=1)
        chosen_lengths = tf.gather(lengths, order, batch_dims=1)
        return {
            "pool": tf.where(stay[..., None], state["pool"], chosen),
            "pool_scores": tf.where(stay, state["pool_scores"], best),
            "pool_lengths": tf.where(stay, state["pool_lengths"], chosen_lengths),
        }


def begun(texts: tf.Tensor, width: int, room: int) -> State:
    """Return what every beam search starts with.

    Args:
        texts: Number of texts.
        width: Hypotheses of each.
        room: Tokens of a hypothesis at most.
    """
    # All hypotheses are equal at first: only one of them counts.
    first = tf.constant([0.0] + [NEVER] * (width - 1))
    return {
        "count": tf.constant(0),
        "tokens": tf.zeros([texts * width, room], tf.int32),
        "scores": tf.tile(first[None], [texts, 1]),
        "ends": tf.zeros([texts, width], tf.int32),
        "done": tf.zeros([texts], tf.bool),
    }


def candidates(
    sums: tf.Tensor, scores: tf.Tensor, count: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the best continuations of each text.

    Args:
        sums: (B, W), scores so far.
        scores: (R, V), log-probabilities of the next token.
        count: C, how many are wanted.

    Returns:
        Their scores (B, C), the best first, parents (B, C) from 0 to W - 1 and tokens.

    Raises:
        ConfigError: There are not so many.
    """
    width, words = sums.shape[1], scores.shape[1]
    size = min(count, words)
    if width * size < count:
        raise ConfigError(
            f"beams={width} are too many for a vocabulary of {words} tokens"
        )
    # The best of all lie among the best of each hypothesis.
    each, ids = tf.math.top_k(scores, size)
    each = sums[:, :, None] + tf.reshape(each, [-1, width, size])
    each = tf.reshape(each, [-1, width * size])
    ids = tf.reshape(ids, [-1, width * size])
    best, place = tf.math.top_k(each, count)
    return best, place // size, tf.gather(ids, place, batch_dims=1)


def rows_of(parent: tf.Tensor) -> tf.Tensor:
    """Turn parents (B, W) within a text into rows (R,)."""
    texts, width = tf.shape(parent)[0], parent.shape[1]
    return tf.reshape(parent + tf.range(texts)[:, None] * width, [-1])
