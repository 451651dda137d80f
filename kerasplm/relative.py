"""NEZHA's functional relative positions, for sequences of any length.

Both directions between "one column per distance" and "one column per key" are
done by padding and reshaping: no index tensor, no [T, T, H] table.
"""

import functools
from typing import Any

import numpy as np
from keras import ops

from kerasplm.config import Config

Tensor = Any


@functools.cache
def _sinusoids(size: int, clip: int) -> np.ndarray:
    """Return NEZHA's table (2 * clip + 1, size): sine and cosine interleaved.

    Row p belongs to the distance p - clip, but the angle is that of p itself. An
    odd size leaves the last column zero, as the original does.
    """
    table = np.zeros((2 * clip + 1, size))
    half = size // 2
    angle = np.arange(2 * clip + 1)[:, None] / 10000.0 ** (
        2 * np.arange(half)[None] / size
    )
    table[:, 0 : 2 * half : 2] = np.sin(angle)
    table[:, 1 : 2 * half : 2] = np.cos(angle)
    return table.astype("float32")


def relative_table(config: Config, length: Tensor, dtype: str) -> Tensor:
    """Return one sinusoid per relative distance -(T-1) ... T-1 of a sequence.

    Nothing is stored: a sequence of any length has its rows.

    Args:
        config: Gives head size and clipping distance.
        length: Number of tokens T.
        dtype: Of the result.

    Returns:
        (R, H) with R = 2 * T - 1.

    Source: arXiv:1909.00204; huawei-noah NEZHA-TensorFlow `modeling.py`.
    """
    clip = config.max_relative_position
    distance = ops.arange(2 * length - 1) - (length - 1)
    rows = ops.clip(distance, -clip, clip) + clip
    table = ops.convert_to_tensor(_sinusoids(config.head_size, clip), dtype=dtype)
    return ops.take(table, rows, axis=0)


def by_key(x: Tensor) -> Tensor:
    """Turn (B, N, T, R) over distances into (B, N, T, T) over keys.

    out[t, s] = x[t, s - t + T - 1]. One padding column makes the row stride R + 1,
    so that dropping the first T - 1 entries of the flat rows shifts row t by t.
    """
    shape = ops.shape(x)
    length, width = shape[2], shape[3]
    x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, 1)))
    x = ops.reshape(x, (shape[0], shape[1], length * (width + 1)))
    x = x[:, :, length - 1 : length - 1 + length * width]
    return ops.reshape(x, (shape[0], shape[1], length, width))[..., :length]


def by_distance(x: Tensor) -> Tensor:
    """Turn (B, N, T, T) over keys into (B, N, T, R) over distances.

    The inverse of `by_key`; distances without a key get zero.
    """
    shape = ops.shape(x)
    length = shape[2]
    width = 2 * length - 1
    x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, length - 1)))
    x = ops.reshape(x, (shape[0], shape[1], length * width))
    x = ops.pad(x, ((0, 0), (0, 0), (length - 1, 1)))
    x = ops.reshape(x, (shape[0], shape[1], length, width + 1))
    return x[..., :width]
