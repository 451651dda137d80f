"""Beam search as bert4keras does it, for equal results."""

import tensorflow as tf

from kerasplm.generation.beam import begun, candidates, rows_of
from kerasplm.generation.sampling import Limits, State, write
from kerasplm.generation.scores import NEVER
from kerasplm.generation.settings import Decoding


class ShrinkingBeam:
    """Return the first hypothesis that is both finished and the best.

    A finished hypothesis that is not the best when it ends is dropped, and the beam has
    one place less from then on. No length penalty. From `min_length` tokens on, a start
    token included, an end counts.

    Args:
        decoding: The options.
        started: Whether the target has a start token.

    Source: `AutoRegressiveDecoder.beam_search` of bojone/bert4keras snippets.py.
    """

    def __init__(self, decoding: Decoding, started: bool) -> None:
        self.decoding = decoding
        self.started = started

    def start(self, texts: tf.Tensor, draws: tf.Tensor) -> State:
        """Return the state before the first token; `draws` is not read."""
        width, room = self.decoding.beams, self.decoding.max_length
        return {
            **begun(texts, width, room),
            "places": tf.fill([texts], width),
            "found": tf.zeros([texts, room], tf.int32),
            "found_scores": tf.zeros([texts]),
            "found_lengths": tf.zeros([texts], tf.int32),
        }

    def choose(
        self, state: State, scores: tf.Tensor, limits: Limits
    ) -> tuple[State, tf.Tensor]:
        """Go on with the best hypotheses; return also the row of each one's parent."""
        decoding, count = self.decoding, state["count"]
        width, room = decoding.beams, decoding.max_length
        best, parent, token = candidates(state["scores"], scores, width)
        best = tf.where(tf.range(width) < state["places"][:, None], best, NEVER)
        rows = rows_of(parent)
        flat = tf.reshape(token, [-1])
        old = tf.gather(state["tokens"], rows)
        tokens = write(old, flat, count, tf.ones_like(flat, tf.bool))
        is_end = token == limits["end_id"]
        ends = tf.gather(state["ends"], parent, batch_dims=1)
        ends += tf.cast(is_end, tf.int32)
        long = count + 1 + int(self.started) >= limits["min_length"]
        finished = is_end & (ends >= limits["min_ends"]) & long & (best > NEVER)
        first = tf.reshape(tokens, [-1, width, room])[:, 0]
        # What is best now is the answer if it ends here or no token may follow.
        open_ = ~state["done"]
        return {
            "count": count + 1,
            "tokens": tokens,
            "scores": tf.where(finished, NEVER, best),
            "ends": ends,
            "places": state["places"] - tf.reduce_sum(tf.cast(finished, tf.int32), 1),
            "done": state["done"] | finished[:, 0],
            "found": tf.where(open_[:, None], first, state["found"]),
            "found_scores": tf.where(open_, best[:, 0], state["found_scores"]),
            "found_lengths": tf.where(open_, count + 1, state["found_lengths"]),
        }, rows

    def last(self, state: State) -> tf.Tensor:
        """Return the tokens that were chosen last, (R,)."""
        return tf.gather(state["tokens"], state["count"] - 1, axis=1)

    def result(self, state: State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the best tokens (B, 1, G), lengths (B, 1) and scores (B, 1)."""
        names = ("found", "found_lengths", "found_scores")
        tokens, lengths, scores = (state[name][:, None] for name in names)
        return tokens, lengths, scores
