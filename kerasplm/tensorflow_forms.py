"""Operations in the forms of which TensorFlow's graph optimizer makes one kernel.

On processors its library (oneDNN) has kernels that no public operation calls. The
optimizer puts them in the place of some groups of operations, if these are written as
its patterns say (tensorflow/core/grappler/optimizers/remapper.cc). Where it does not,
the numbers are the same.
"""

import functools
from typing import Any

import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port

from kerasplm.tensorflow_kernels import only_cpu, under_xla

Tensor = Any


def dense_gelu(x: Tensor, kernel: Tensor, bias: Tensor, approximate: bool) -> Tensor:
    """Return gelu(x kernel + bias).

    Args:
        x: (..., D).
        kernel: (D, I).
        bias: (I,).
        approximate: Whether by the hyperbolic tangent.

    Returns:
        (..., I).
    """
    # The pattern has a product of two matrices, BiasAdd, and what tf.nn.gelu writes.
    rows = x if x.shape.rank == 2 else tf.reshape(x, [-1, kernel.shape[0]])
    y = tf.nn.bias_add(tf.matmul(rows, kernel), bias)
    y = tf.nn.gelu(y, approximate=approximate)
    if x.shape.rank == 2:
        return y
    return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [kernel.shape[1]]], 0))


def joins_norm(x: Tensor) -> bool:
    """Tell whether `norm` is one kernel for a tensor."""
    return (
        not tf.executing_eagerly()
        and x.shape.rank == 2
        and x.dtype in (tf.float32, tf.bfloat16)
        and _has_library()
        and not under_xla()
    )


@functools.cache
def _has_library() -> bool:
    return only_cpu() and bool(_pywrap_util_port.IsMklEnabled())


def norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """Return the layer normalisation.

    Args:
        x: (N, D).
        gamma: (D,).
        beta: (D,).
        epsilon: Added to the variance.
    """
    count, size = tf.shape(x)[0], x.shape[1]
    # A batch norm of one image, whose channels are the rows.
    image = tf.reshape(x, [1, count, size, 1])
    normed = tf.raw_ops.FusedBatchNormV3(
        x=image,
        scale=tf.fill([count], tf.constant(1.0)),
        offset=tf.fill([count], tf.constant(0.0)),
        mean=tf.constant([], tf.float32),
        variance=tf.constant([], tf.float32),
        epsilon=epsilon,
        data_format="NCHW",
        is_training=True,
    )[0]
    return tf.reshape(normed, tf.shape(x)) * gamma + beta
