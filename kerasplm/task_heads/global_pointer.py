"""GlobalPointer: a score for every span of tokens and every type."""

from typing import Any

import keras
from keras import ops

from kerasplm.errors import ConfigError
from kerasplm.relative import rotate, turns
from kerasplm.task_heads.base import TaskHead, float_mask, positive
from kerasplm.task_heads.multilabel import (
    NO_ENTRY,
    multilabel_categorical_crossentropy,
    sparse_multilabel_categorical_crossentropy,
)

Tensor = Any


@keras.saving.register_keras_serializable(package="kerasplm")
class GlobalPointer(TaskHead):
    """Score spans: the start's query times the end's key, for every type.

    A span is found where its score is above 0.

    Args:
        heads: Number of types N.
        head_size: Width of the queries and keys.
        rotary: Whether they are rotated by their positions, so that the score knows
            how long the span is.
        tril: Whether an end must not stand before its start.
        use_bias: Of the dense layers.

    Raises:
        ConfigError: A number is not positive, or `head_size` is odd with `rotary`.

    Example:
        >>> GlobalPointer(3, 64)(np.zeros((2, 5, 8))).shape
        TensorShape([2, 3, 5, 5])

    Source: `GlobalPointer` of bojone/bert4keras layers.py; arXiv:2208.03054.
    """

    def __init__(
        self,
        heads: int,
        head_size: int = 64,
        rotary: bool = True,
        tril: bool = True,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        name: str = "global_pointer",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.heads = positive("heads", heads)
        self.head_size = positive("head_size", head_size)
        if rotary and head_size % 2:
            raise ConfigError(
                f"head_size must be even where it is rotated. Received: {head_size}"
            )
        self.rotary, self.tril, self.use_bias = rotary, tril, use_bias
        self.make_layers()

    def make_layers(self) -> None:
        """Create the dense layers."""
        self.projection = self.dense(
            2 * self.heads * self.head_size, "projection", self.use_bias
        )

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        self.projection.build(input_shape)

    def call(
        self, sequence_output: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Score the spans.

        Args:
            sequence_output: (B, T, D).
            padding_mask: (B, T), nonzero = real token, None = all.

        Returns:
            (B, N, T, T), [.., i, j] for the span from token i to token j, both
            inside; `NO_ENTRY` (-1e12) for spans that cannot be.
        """
        x = self.projection(sequence_output)
        shape = ops.shape(x)
        x = ops.reshape(x, (*shape[:2], self.heads, 2 * self.head_size))
        x = ops.transpose(x, (0, 2, 1, 3))
        q, k = ops.split(x, 2, axis=-1)
        return self.hide(self.match(q, k), padding_mask)

    def match(self, q: Tensor, k: Tensor) -> Tensor:
        """Map (B, N, T, H) queries and keys to scores (B, N, T, T)."""
        if self.rotary:
            places = ops.expand_dims(ops.arange(ops.shape(q)[2], dtype="int32"), 0)
            turn = turns(self.head_size, places, "float32")
            q, k = rotate(q, turn), rotate(k, turn)
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
        return scores / self.head_size**0.5

    def hide(self, scores: Tensor, padding_mask: Tensor | None) -> Tensor:
        """Replace the scores of spans that cannot be."""
        mask = float_mask(padding_mask, scores[:, 0])
        real = mask[:, None, :, None] * mask[:, None, None, :]
        if self.tril:
            places = ops.arange(ops.shape(scores)[-1], dtype="int32")
            forward = ops.expand_dims(places, 1) <= places
            real = real * ops.cast(forward, "float32")
        return ops.where(real > 0, scores, NO_ENTRY)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "heads": self.heads,
            "head_size": self.head_size,
            "rotary": self.rotary,
            "tril": self.tril,
            "use_bias": self.use_bias,
        }


@keras.saving.register_keras_serializable(package="kerasplm")
class EfficientGlobalPointer(GlobalPointer):
    """GlobalPointer with few weights: types share the query and key, not the biases.

    score[n, i, j] = q_i k_j / sqrt(H) + start bias[i, n] + end bias[j, n]

    Example:
        >>> EfficientGlobalPointer(3, 64)(np.zeros((2, 5, 8))).shape
        TensorShape([2, 3, 5, 5])

    Source: `EfficientGlobalPointer` of bojone/bert4keras layers.py.
    """

    def make_layers(self) -> None:
        """Create the dense layers."""
        self.projection = self.dense(2 * self.head_size, "projection", self.use_bias)
        self.biases = self.dense(2 * self.heads, "biases", self.use_bias)

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        self.projection.build(input_shape)
        self.biases.build((None, None, 2 * self.head_size))

    def call(
        self, sequence_output: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Score the spans, as `GlobalPointer` does."""
        x = self.projection(sequence_output)
        # Even features are the query, odd ones the key.
        scores = self.match(x[:, None, :, ::2], x[:, None, :, 1::2])
        biases = ops.transpose(self.biases(x) / 2.0, (0, 2, 1))
        of_end, of_start = biases[:, ::2], biases[:, 1::2]
        scores = scores + ops.expand_dims(of_end, 2) + ops.expand_dims(of_start, 3)
        return self.hide(scores, padding_mask)


def global_pointer_loss(labels: Tensor, scores: Tensor) -> Tensor:
    """Return the loss for tables of labels: the sum over types, mean over texts.

    Args:
        labels: (B, N, T, T), 1 = there is such a span.
        scores: (B, N, T, T).

    Returns:
        A scalar.

    Source: bojone/bert4keras examples.
    """
    shape = ops.shape(scores)
    rows = (*shape[:2], shape[2] * shape[3])
    losses = multilabel_categorical_crossentropy(
        ops.reshape(labels, rows), ops.reshape(scores, rows)
    )
    return ops.mean(ops.sum(losses, axis=1))


def sparse_global_pointer_loss(spans: Tensor, scores: Tensor) -> Tensor:
    """Return the loss for a list of spans: the sum over types, mean over texts.

    Args:
        spans: (B, N, P, 2), first and last token of each; rows with fewer than P are
            filled up with (0, 0), which is [CLS] and never a span.
        scores: (B, N, T, T).

    Returns:
        A scalar.

    Source: `globalpointer_crossentropy` of bojone/bert4keras
    examples/task_relation_extraction_gplinker.py.
    """
    shape = ops.shape(scores)
    spans = ops.cast(spans, "int32")
    losses = sparse_multilabel_categorical_crossentropy(
        spans[..., 0] * shape[-1] + spans[..., 1],
        ops.reshape(scores, (*shape[:2], shape[2] * shape[3])),
        mask_zero=True,
    )
    return ops.mean(ops.sum(losses, axis=1))
