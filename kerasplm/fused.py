"""What is computed between two matrix products, by one kernel if there is one.

A training step has kernels of its own. Without training the backends join operations by
themselves, TensorFlow if they are written in the forms that it knows. Elsewhere the
layers of Keras are called one after the other.
"""

import functools
from typing import Any

import keras
from keras import ops

from kerasplm.masks import softmax

Tensor = Any


@functools.cache
def kernels() -> Any:
    """Return the module with the kernels of the backend, or None."""
    if keras.backend.backend() != "tensorflow":
        return None
    from kerasplm import tensorflow_kernels

    return tensorflow_kernels


def packed(padding_mask: Tensor) -> Any:
    """Return the layout that drops padding, or None if the backend cannot have it.

    XLA, and so a TPU, needs the number of tokens when it compiles.
    """
    own = kernels()
    if own is None or own.under_xla():
        return None
    from kerasplm.tensorflow_packing import Packed

    return Packed(padding_mask)


class Dropout(keras.layers.Dropout):
    """Dropout that draws 16 bits for a value where the backend gives them.

    Keras draws a float32 for each, which takes most of the time of the layer. The rate
    is rounded to a multiple of 2^-16, and what is kept is scaled by the rounded one.
    """

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """Return the inputs, in training with dropout."""
        own = self._kernels(training)
        if own is None:
            return super().call(inputs, training=bool(training))
        bits = own.bits_like(inputs, self.seed_generator.next())
        return own.dropped(inputs, bits, self.rate)

    def bits(self, x: Tensor, training: bool | None) -> Tensor | None:
        """Return the random bits for a tensor if a kernel may use them."""
        own = self._kernels(training)
        if own is None or not own.joins(x):
            return None
        return own.bits_like(x, self.seed_generator.next())

    def _kernels(self, training: bool | None) -> Any:
        if not training or not 0 < self.rate < 1 or self.noise_shape is not None:
            return None
        return kernels()


def gelu(x: Tensor, approximate: bool, training: bool | None) -> Tensor:
    """Return gelu of a tensor of any shape."""
    own = kernels()
    if not training or own is None:
        return ops.gelu(x, approximate=approximate)
    return own.gelu(x, approximate)


def dense_gelu(
    layer: keras.layers.Layer, x: Tensor, approximate: bool, training: bool | None
) -> Tensor:
    """Return gelu(layer(x)).

    Args:
        layer: Maps (..., D) to (..., I).
        x: (..., D).
        approximate: Whether gelu is by the hyperbolic tangent.
        training: Whether it is a training step.
    """
    plain = type(layer) is keras.layers.Dense and layer.quantization_mode is None
    if training or not plain or kernels() is None:
        return gelu(layer(x), approximate, training)
    from kerasplm import tensorflow_forms

    kernel, bias = (ops.convert_to_tensor(w) for w in (layer.kernel, layer.bias))
    return tensorflow_forms.dense_gelu(x, kernel, bias, approximate)


def normalized(
    x: Tensor,
    norm: keras.layers.LayerNormalization,
    training: bool | None,
    layout: Any = None,
) -> Tensor:
    """Return norm(x).

    Args:
        x: (..., D).
        norm: Over the last axis.
        training: Whether it is a training step.
        layout: What `packed` returned, if x are its rows (N, D).
    """
    if training or layout is None:
        return norm(x)
    from kerasplm import tensorflow_forms as forms

    if not forms.joins_norm(x):
        return norm(x)
    gamma, beta = (ops.convert_to_tensor(w) for w in (norm.gamma, norm.beta))
    return forms.norm(x, gamma, beta, norm.epsilon)


def add_norm(
    x: Tensor,
    branch: Tensor,
    norm: keras.layers.LayerNormalization,
    dropout: Dropout,
    training: bool | None,
    layout: Any = None,
) -> tuple[Tensor, Tensor]:
    """Return norm(x + dropout(branch)), and the sum.

    Args:
        x: (..., D).
        branch: Like x.
        norm: Over the last axis.
        dropout: Of the branch.
        training: Whether dropout is on.
        layout: As for `normalized`.
    """
    bits = dropout.bits(x, training)
    if bits is None:
        total = x + dropout(branch, training=training)
        return normalized(total, norm, training, layout), total
    gamma, beta = (ops.convert_to_tensor(w) for w in (norm.gamma, norm.beta))
    rate, own = dropout.rate, kernels()
    out = own.add_norm(x, branch, gamma, beta, norm.epsilon, rate, bits)
    # Seldom used; a graph drops it then.
    return out, x + own.dropped(branch, bits, rate)


def attention_weights(
    scores: Tensor,
    scale: float,
    blocked: Tensor,
    dropout: Dropout,
    dtype: Any,
    training: bool | None,
) -> tuple[Tensor, Tensor]:
    """Return dropout(softmax(scores * scale + blocked)), and what softmax gets.

    Args:
        scores: (B, N, T, S) float32.
        scale: A factor.
        blocked: Added; broadcasts to the scores. It has no gradient.
        dropout: Of the weights.
        dtype: Of the weights.
        training: Whether dropout is on.
    """
    masked = scores * scale + blocked
    bits = dropout.bits(scores, training)
    if bits is None:
        weights = ops.cast(softmax(masked), dtype)
        return dropout(weights, training=training), masked
    own = kernels()
    weights = own.softmax_dropout(scores, scale, blocked, dropout.rate, bits, dtype)
    return weights, masked
