"""Rows of tokens without the padded ones, in TensorFlow."""

from typing import Any

import tensorflow as tf

Tensor = Any


class Packed:
    """Where the tokens of a batch (B, T) stand in packed rows (N, D).

    Kept are the real tokens, and the first of every row, which stands for the row.

    Args:
        padding_mask: (B, T), True = real token.

    Attributes:
        visible: (B, T) boolean, the tokens that may be attended to: the real ones; of a
            row that has none, the first.
    """

    def __init__(self, padding_mask: Tensor) -> None:
        mask = tf.cast(padding_mask, tf.bool)
        first = tf.range(tf.shape(mask)[1])[None] == 0
        self.visible = mask | (first & ~tf.reduce_any(mask, 1, keepdims=True))
        self._kept = mask | first
        flat = tf.reshape(self._kept, [-1])
        self._index = tf.where(flat)[:, 0]
        # A padded position reads the kept one before it; no one looks at it.
        self._place = tf.cumsum(tf.cast(flat, tf.int32)) - 1
        self._shape = tf.shape(mask)

    def rows(self, x: Tensor) -> Tensor:
        """Drop the padded positions of (B, T, D): (N, D)."""

        @tf.custom_gradient
        def run(x: Tensor) -> Any:
            return self._drop(x), lambda dy: self._clear(self._spread(dy))

        return run(x)

    def padded(self, x: Tensor) -> Tensor:
        """Put (N, D) back into (B, T, D); padded positions hold anything finite.

        What is made of those must be dropped again: they pass no gradient on.
        """

        @tf.custom_gradient
        def run(x: Tensor) -> Any:
            return self._spread(x), self._drop

        return run(x)

    def cleared(self, x: Tensor) -> Tensor:
        """Put (N, D) back into (B, T, D); padded positions hold zeros."""
        return self._clear(self.padded(x))

    # A gather both ways: the gradient that TensorFlow has for it adds row by row.
    def _drop(self, x: Tensor) -> Tensor:
        return tf.gather(tf.reshape(x, [-1, x.shape[-1]]), self._index)

    def _spread(self, x: Tensor) -> Tensor:
        spread = tf.gather(x, self._place)
        return tf.reshape(spread, [self._shape[0], self._shape[1], x.shape[-1]])

    def _clear(self, x: Tensor) -> Tensor:
        return tf.where(self._kept[:, :, None], x, tf.zeros((), x.dtype))
