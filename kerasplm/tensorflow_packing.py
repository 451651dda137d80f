"""Rows of tokens without the padded ones, in TensorFlow."""

from typing import Any

import tensorflow as tf

Tensor = Any


class Packed:
    """Where the tokens of a batch (B, T) stand in packed rows (N, D).

    Kept are the real tokens, and the first of every row, which stands for the row.

    Args:
        padding_mask: (B, T), True = real token.
        heads: Of the attention.

    Attributes:
        visible: (B, T) boolean, the tokens that may be attended to: the real ones; of a
            row that has none, the first.
    """

    def __init__(self, padding_mask: Tensor, heads: int) -> None:
        mask = tf.cast(padding_mask, tf.bool)
        first = tf.range(tf.shape(mask)[1])[None] == 0
        self.visible = mask | (first & ~tf.reduce_any(mask, 1, keepdims=True))
        self._kept = mask | first
        flat = tf.reshape(self._kept, [-1])
        self._index = tf.cast(tf.where(flat)[:, 0], tf.int32)
        # A padded position reads the kept one before it; no one looks at it.
        self._place = tf.cumsum(tf.cast(flat, tf.int32)) - 1
        rows, length = self._rows = tuple(tf.unstack(tf.shape(mask)))
        row, self._position = self._index // length, self._index % length
        # Where the vectors of heads stand in packed rows (B, heads, T), and in the
        # heads (N, heads). All layers ask for the same.
        self._heads, head = heads, tf.range(heads)
        place = tf.reshape(self._place, [rows, 1, length])
        self._in_rows = place * heads + head[:, None]
        vector = (row * heads)[:, None] + head
        self._in_heads = vector * length + self._position[:, None]

    def tokens(self, x: Tensor) -> Tensor:
        """Drop the padded positions of whole numbers (B or 1, T): (N,)."""
        return tf.gather(tf.reshape(tf.broadcast_to(x, self._rows), [-1]), self._index)

    def positions(self) -> Tensor:
        """Return the place of every token in its row (N,)."""
        return self._position

    def first(self, x: Tensor) -> Tensor:
        """Return the first token of every row of (N, D): (B, 1, D)."""
        return tf.gather(x, tf.reshape(self._place, self._rows)[:, :1])

    def cleared(self, x: Tensor) -> Tensor:
        """Put (N, D) back into (B, T, D); padded positions hold zeros."""

        @tf.custom_gradient
        def run(x: Tensor) -> Any:
            spread = tf.reshape(tf.gather(x, self._place), [*self._rows, x.shape[-1]])
            kept = self._kept[:, :, None]
            return tf.where(kept, spread, tf.zeros((), x.dtype)), self._drop

        return run(x)

    def split(self, x: Tensor) -> Tensor:
        """Turn (N, heads * H) into (B, heads, T, H).

        Padded positions hold anything finite. What is made of those must be dropped
        again: they pass no gradient on.
        """

        @tf.custom_gradient
        def run(x: Tensor) -> Any:
            return self._split(x), self._join

        return run(x)

    def joined(self, x: Tensor) -> Tensor:
        """Turn (B, heads, T, H) into (N, heads * H), without the padded positions."""

        @tf.custom_gradient
        def run(x: Tensor) -> Any:
            def gradient(dy: Tensor) -> Tensor:
                kept = self._kept[:, None, :, None]
                spread = self._split(dy)
                return tf.where(kept, spread, tf.zeros((), dy.dtype))

            return self._join(x), gradient

        return run(x)

    # A gather both ways: the gradient that TensorFlow has for it adds row by row. One
    # of vectors of a head moves each once, where rows and then axes would move twice.
    def _drop(self, x: Tensor) -> Tensor:
        return tf.gather(tf.reshape(x, [-1, x.shape[-1]]), self._index)

    def _split(self, x: Tensor) -> Tensor:
        size = x.shape[-1] // self._heads
        return tf.gather(tf.reshape(x, [-1, size]), self._in_rows)

    def _join(self, x: Tensor) -> Tensor:
        found = tf.gather(tf.reshape(x, [-1, x.shape[3]]), self._in_heads)
        return tf.reshape(found, [-1, x.shape[1] * x.shape[3]])
