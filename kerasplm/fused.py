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


def packed(padding_mask: Tensor, heads: int) -> Any:
    """Return the layout that drops padding, or None if the backend cannot have it.

    XLA, and so a TPU, needs the number of tokens when it compiles.

    Args:
        padding_mask: (B, T), True = real token.
        heads: Of the attention.
    """
    own = kernels()
    if own is None or own.under_xla():
        return None
    from kerasplm.tensorflow_packing import Packed

    return Packed(padding_mask, heads)


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
    # Keras leaves them in float32 where the activations have 16 bits.
    gamma, beta = (ops.cast(w, x.dtype) for w in (norm.gamma, norm.beta))
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


def whole_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    blocked: Tensor,
    dropout: Dropout,
    training: bool | None,
) -> Tensor | None:
    """Return softmax(q kᵀ * scale + blocked) v by the backend's own attention, or None.

    On a GPU it never holds the scores of all tokens; the others compute what the layers
    would. None is returned where weights are dropped, where keys have another size than
    values, and where `has_whole_attention` says so.

    Args:
        q: (B, N, T, K).
        k: (B, N, S, K).
        v: (B, N, S, H).
        scale: A factor.
        blocked: As for `attention_weights`, of rank 4.
        dropout: Of the weights.
        training: Whether dropout is on.

    Returns:
        (B, T, N, H).
    """
    dropped = bool(training) and dropout.rate > 0
    if dropped or k.shape[-1] != v.shape[-1] or not has_whole_attention():
        return None
    queries, keys = q.shape[2], k.shape[2]
    # cuDNN has gradients for even numbers of tokens only.
    if training and (queries % 2 or keys % 2):
        return None
    # Added as the originals do, not given as a boolean mask: a row without any key then
    # has the weights of the layers, where minus infinity would make them NaN.
    # cuDNN wants it for every query; heads share it, so it is small beside the scores.
    bias = ops.broadcast_to(blocked, (*blocked.shape[:2], queries, keys))
    in_jax = keras.backend.backend() == "jax"
    return ops.dot_product_attention(
        *(ops.transpose(x, (0, 2, 1, 3)) for x in (q, k, v)),
        bias=ops.cast(bias, q.dtype),
        scale=scale,
        # None: JAX's is taken if it can be. torch chooses by itself, and what Keras
        # would ask it breaks the graphs of `torch.compile`.
        flash_attention=keras.config.is_flash_attention_enabled() if in_jax else False,
    )


def has_whole_attention() -> bool:
    """Return whether the backend's own attention is of use: in torch and JAX.

    TensorFlow has none: Keras writes products and softmax there as our layers do, but
    without their kernels. On a TPU, Keras' call of JAX's kernel drops what is added.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return not keras.distribution.list_devices()[0].startswith("tpu")
    return backend == "torch"
