"""What all heads share: float32, an initializer, small formulas of their losses."""

from typing import Any

import keras
from keras import ops

from kerasplm.errors import ConfigError

Tensor = Any

# The normal of BERT's code, cut at two sigma. ELECTRA's and bert4keras' heads are
# initialised with Keras' own default.
BERT_INITIALIZER = {
    "class_name": "TruncatedNormal",
    "config": {"mean": 0.0, "stddev": 0.02},
}
REDUCTIONS = ("mean", "sum", "none")


class TaskHead(keras.layers.Layer):
    """A layer on an encoder's output.

    Heads are small and their losses are differences of large numbers, so they compute
    in float32 even where the encoder does not.

    Args:
        kernel_initializer: Of the dense layers.
    """

    def __init__(
        self, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def dense(self, units: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
        """Return a dense layer with the initializer and the precision of the head."""
        return keras.layers.Dense(
            units,
            use_bias=use_bias,
            # A copy of its own: one initializer gives all layers the same numbers.
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return super().get_config() | {"kernel_initializer": initializer}


def positive(name: str, value: int) -> int:
    """Return a number of units, heads or labels.

    Raises:
        ConfigError: It is not a positive whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} must be a whole number from 1. Received: {value!r}")
    return value


def one_hot(index: Tensor, size: Tensor) -> Tensor:
    """Turn (...,) into float32 (..., size); an index outside gives zeros.

    As `tf.one_hot` of the original code on every backend.
    """
    index = ops.expand_dims(ops.cast(index, "int32"), -1)
    return ops.cast(ops.equal(index, ops.arange(size, dtype="int32")), "float32")


def cross_entropy(logits: Tensor, index: Tensor) -> Tensor:
    """Return -log softmax at an index: (..., C), (...,) -> (...,).

    An index outside of 0 ... C-1 costs nothing, as in the original code.
    """
    logits = ops.cast(logits, "float32")
    target = one_hot(index, ops.shape(logits)[-1])
    return -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of sigmoid(logits) for labels in [0, 1]."""
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    return ops.softplus(logits) - labels * logits


def reduce(losses: Tensor, reduction: str, mask: Tensor | None = None) -> Tensor:
    """Reduce losses of examples or of tokens to a scalar.

    Args:
        losses: Of any shape.
        reduction: "mean" (over what the mask lets through), "sum" or "none".
        mask: None or of the shape of the losses, zero = does not count.

    Raises:
        ConfigError: There is no such reduction.
    """
    if reduction not in REDUCTIONS:
        raise ConfigError(
            f"reduction must be one of {', '.join(REDUCTIONS)}. Received: {reduction!r}"
        )
    if mask is None:
        mask = ops.ones_like(losses)
    mask = ops.cast(mask, "float32")
    losses = losses * mask
    if reduction == "none":
        return losses
    total = ops.sum(losses)
    # Without any token the loss is zero, not 0 / 0.
    return total if reduction == "sum" else total / ops.maximum(ops.sum(mask), 1.0)


def float_mask(padding_mask: Tensor | None, like: Tensor) -> Tensor:
    """Return a (B, T) mask as float32; without one, ones for (B, T, ...)."""
    if padding_mask is None:
        return ops.ones_like(like[..., 0], dtype="float32")
    return ops.cast(padding_mask, "float32")
