"""Kernels of TensorFlow for training steps: several operations in one.

XLA joins the elementwise operations between two matrix products into one pass over
memory; the products themselves stay with TensorFlow's library, which is faster at them.
Each kernel is compiled once per shape. So they are used where shapes are known when the
graph is made, tensors are large, there is only a CPU, and XLA does not compile the
whole graph anyway; `joins` tells.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

Tensor = Any

# Below this many elements the start of a kernel costs more than it saves.
SMALLEST = 2**16
_SQRT_HALF = math.sqrt(0.5)
_TANH_SCALE = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def joins(x: Tensor) -> bool:
    """Tell whether the kernels of this module are of use for a tensor."""
    return (
        not tf.executing_eagerly()
        and x.shape.is_fully_defined()
        and x.shape.num_elements() >= SMALLEST
        and not under_xla()
        and _compiles()
    )


def under_xla() -> bool:
    """Tell whether XLA compiles the graph that is being made, as for every TPU."""
    graph = tf.compat.v1.get_default_graph()
    return bool(control_flow_util.GraphOrParentsInXlaContext(graph))


def only_cpu() -> bool:
    """Tell whether there is nothing but a CPU to compute with."""
    kinds = {device.device_type for device in tf.config.list_physical_devices()}
    return kinds == {"CPU"}


@functools.cache
def _compiles() -> bool:
    if not only_cpu():
        return False
    with tf.init_scope():
        try:
            tf.function(tf.square, jit_compile=True)(tf.zeros(2))
        except (tf.errors.OpError, ValueError):  # built without XLA
            return False
    return True


def _kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors and, by name, of numbers."""
    compiled: Callable[..., Any] = tf.function(
        function, jit_compile=True, autograph=False
    )
    return compiled


def random_bits(shape: Any, seed: Tensor) -> Tensor:
    """Return uint16 numbers (*shape), each equally likely.

    Args:
        shape: Of the result; a tensor where it is not known in full.
        seed: (2,) int64, as of `keras.random.SeedGenerator.next`.
    """
    # As Keras does: with int32 seeds the draws compile under XLA.
    seed = tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)
    size = tf.reduce_prod(shape)
    static = tf.get_static_value(size)
    size = size if static is None else int(static)
    # Drawn as 32 bits each, which XLA knows, and cut in halves.
    pairs = tf.random.stateless_uniform([(size + 1) // 2], seed, None, None, tf.uint32)
    return tf.reshape(tf.reshape(tf.bitcast(pairs, tf.uint16), [-1])[:size], shape)


def bits_like(x: Tensor, seed: Tensor) -> Tensor:
    """Return random bits for every value of a tensor; see `random_bits`."""
    shape = x.shape if x.shape.is_fully_defined() else tf.shape(x)
    return random_bits(shape, seed)


def dropped(x: Tensor, bits: Tensor, rate: float) -> Tensor:
    """Set values to zero with a probability and scale the others.

    Args:
        x: Of any shape and float type.
        bits: Like x, from `bits_like`.
        rate: The probability, in (0, 1); it is rounded to a multiple of 2^-16.
    """
    least = min(round(rate * 2**16), 2**16 - 1)
    kept = tf.cast(bits >= tf.constant(least, tf.uint16), x.dtype)
    return x * (kept * tf.constant(2**16 / (2**16 - least), x.dtype))


def gelu(x: Tensor, approximate: bool) -> Tensor:
    """Return x times the normal distribution function of x.

    Args:
        x: Of any shape and float type.
        approximate: Whether by the hyperbolic tangent.
    """
    if not joins(x):
        return tf.nn.gelu(x, approximate=approximate)

    @tf.custom_gradient
    def run(x: Tensor) -> Any:
        def gradient(dy: Tensor) -> Tensor:
            return _gelu_gradient(x, dy, approximate=approximate)

        return _gelu(x, approximate=approximate), gradient

    return run(x)


@_kernel
def _gelu(x: Tensor, approximate: bool) -> Tensor:
    return tf.cast(_gelu_parts(x, approximate)[0], x.dtype)


@_kernel
def _gelu_gradient(x: Tensor, dy: Tensor, approximate: bool) -> Tensor:
    slope = _gelu_parts(x, approximate)[1]
    return tf.cast(tf.cast(dy, tf.float32) * slope, x.dtype)


def _gelu_parts(x: Tensor, approximate: bool) -> tuple[Tensor, Tensor]:
    """Return gelu and its derivative."""
    x = tf.cast(x, tf.float32)
    square = tf.square(x)
    if approximate:
        # (1 + tanh(z)) / 2 is sigmoid(2 z), which keeps its digits where it is small.
        share = tf.sigmoid(2 * _TANH_SCALE * x * (1.0 + _CUBIC * square))
        rise = 2 * _TANH_SCALE * (1.0 + 3 * _CUBIC * square) * share * (1.0 - share)
    else:
        share = 0.5 * (1.0 + tf.math.erf(x * _SQRT_HALF))
        rise = tf.exp(-0.5 * square) / math.sqrt(2 * math.pi)
    return x * share, share + x * rise


def add_norm(
    x: Tensor,
    branch: Tensor,
    gamma: Tensor,
    beta: Tensor,
    epsilon: float,
    rate: float,
    bits: Tensor,
) -> Tensor:
    """Return the layer normalisation of x + dropout(branch).

    Args:
        x: (..., D).
        branch: Like x.
        gamma: (D,).
        beta: (D,).
        epsilon: Added to the variance.
        rate: Of the dropout.
        bits: (..., D), from `bits_like`.
    """

    @tf.custom_gradient
    def run(x: Tensor, branch: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        y, normed, scale = _add_norm(
            x, branch, gamma, beta, bits, epsilon=epsilon, rate=rate
        )

        def gradient(dy: Tensor) -> Any:
            return _add_norm_gradient(dy, normed, scale, gamma, bits, rate=rate)

        return y, gradient

    return run(x, branch, gamma, beta)


@_kernel
def _add_norm(
    x: Tensor,
    branch: Tensor,
    gamma: Tensor,
    beta: Tensor,
    bits: Tensor,
    epsilon: float,
    rate: float,
) -> Any:
    total = tf.cast(x, tf.float32)
    total += dropped(tf.cast(branch, tf.float32), bits, rate)
    centred = total - tf.reduce_mean(total, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
    scale = tf.math.rsqrt(variance + epsilon)
    normed = centred * scale
    return tf.cast(normed * gamma + beta, x.dtype), tf.cast(normed, x.dtype), scale


@_kernel
def _add_norm_gradient(
    dy: Tensor, normed: Tensor, scale: Tensor, gamma: Tensor, bits: Tensor, rate: float
) -> Any:
    dtype = dy.dtype
    dy, normed = tf.cast(dy, tf.float32), tf.cast(normed, tf.float32)
    inner = dy * gamma
    mean = tf.reduce_mean(inner, -1, keepdims=True)
    along = tf.reduce_mean(inner * normed, -1, keepdims=True)
    dx = (inner - mean - normed * along) * scale
    rows = list(range(dy.shape.rank - 1))
    return (
        tf.cast(dx, dtype),
        tf.cast(dropped(dx, bits, rate), dtype),
        tf.reduce_sum(dy * normed, rows),
        tf.reduce_sum(dy, rows),
    )


def softmax_dropout(
    scores: Tensor, scale: float, blocked: Tensor, rate: float, bits: Tensor, dtype: Any
) -> Tensor:
    """Return dropout(softmax(scores * scale + blocked)).

    Args:
        scores: (..., S) float32.
        scale: A factor.
        blocked: Broadcasts to the scores; it has no gradient.
        rate: Of the dropout.
        bits: (..., S), from `bits_like`.
        dtype: Of the result.
    """

    @tf.custom_gradient
    def run(scores: Tensor) -> Any:
        weights = tf.nn.softmax(scores * scale + blocked)

        def gradient(dy: Tensor) -> Tensor:
            return _softmax_gradient(dy, weights, bits, rate=rate, scale=scale)

        return _dropped(weights, bits, rate=rate, dtype=dtype), gradient

    return run(scores)


@_kernel
def _dropped(weights: Tensor, bits: Tensor, rate: float, dtype: Any) -> Tensor:
    return tf.cast(dropped(weights, bits, rate), dtype)


@_kernel
def _softmax_gradient(
    dy: Tensor, weights: Tensor, bits: Tensor, rate: float, scale: float
) -> Tensor:
    share = dropped(tf.cast(dy, tf.float32), bits, rate) * weights
    return scale * (share - tf.reduce_sum(share, -1, keepdims=True) * weights)


def clip_by_global_norm(gradients: list[Tensor], most: float) -> list[Tensor]:
    """Scale all gradients so that their joint norm is at most so much."""
    clipped: list[Tensor] = tf.clip_by_global_norm(gradients, most)[0]
    return clipped


def adam_step(
    variable: Tensor,
    m: Tensor,
    v: Tensor,
    gradient: Tensor,
    rate: Tensor,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    decay: float,
) -> None:
    """Update a variable and its moments as `kerasplm.AdamW` does.

    Args:
        variable: A `tf.Variable`; so are the moments `m` and `v`.
        m: The first moment.
        v: The second moment.
        gradient: Like the variable.
        rate: The learning rate, a scalar.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added outside the square root.
        decay: Rate of the weight decay; multiplied by the learning rate.
    """
    first = _first_moment(m.read_value(), gradient, beta=beta_1)
    second = _second_moment(v.read_value(), gradient, beta=beta_2)
    old = variable.read_value()
    new = _adam(old, first, second, rate, epsilon=epsilon, decay=decay)
    m.assign(first)
    v.assign(second)
    variable.assign(new)


# One result each: XLA spreads only such kernels over the threads.
@_kernel
def _first_moment(m: Tensor, gradient: Tensor, beta: float) -> Tensor:
    return beta * m + (1 - beta) * gradient


@_kernel
def _second_moment(v: Tensor, gradient: Tensor, beta: float) -> Tensor:
    return beta * v + (1 - beta) * tf.square(gradient)


@_kernel
def _adam(
    variable: Tensor, m: Tensor, v: Tensor, rate: Tensor, epsilon: float, decay: float
) -> Tensor:
    return variable - rate * (m / (tf.sqrt(v) + epsilon) + decay * variable)
