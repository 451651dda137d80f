"""Positions beyond a table: hierarchical, and without one: NEZHA's, RoFormer's.

NEZHA's relative and RoFormer's rotary positions hold for sequences of any length. For
NEZHA both directions between "one column per distance" and "one column per key" are
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
    return distance_rows(config, ops.arange(2 * length - 1) - (length - 1), dtype)


def distance_rows(config: Config, distances: Tensor, dtype: str) -> Tensor:
    """Return the sinusoid of every distance: key position minus query position.

    Args:
        config: Gives head size and clipping distance.
        distances: Integers of any shape (...,).
        dtype: Of the result.

    Returns:
        (..., H).
    """
    clip = config.max_relative_position
    rows = ops.clip(distances, -clip, clip) + clip
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


def rotations(
    config: Config, position_ids: Tensor, dtype: str
) -> tuple[Tensor, Tensor]:
    """Return the `turns` of the key size of a configuration."""
    return turns(config.key_size, position_ids, dtype)


def turns(size: int, position_ids: Tensor, dtype: str) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines that rotate queries and keys.

    The features 2k and 2k + 1 are one point of a plane, turned by the angle
    position / 10000^(2k / K).

    Args:
        size: The key size K, which is even.
        position_ids: (1 or B, T) integers.
        dtype: Of the result.

    Returns:
        Two tensors (1 or B, 1, T, K).

    Source: arXiv:2104.09864; `apply_rotary_position_embeddings` of bojone/bert4keras.
    """
    rates = np.repeat(10000.0 ** (-np.arange(0, size, 2) / size), 2).astype("float32")
    angles = ops.cast(position_ids, "float32")[:, None, :, None] * rates
    return ops.cast(ops.cos(angles), dtype), ops.cast(ops.sin(angles), dtype)


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate (B, N, T, K) by what `turns` returned."""
    shape = ops.shape(x)
    pairs = ops.reshape(x, (*shape[:3], x.shape[-1] // 2, 2))
    turned = ops.stack([-pairs[..., 1], pairs[..., 0]], axis=-1)
    return x * turn[0] + ops.reshape(turned, shape) * turn[1]


def position_rows(table: Tensor, places: Tensor, alpha: float | None) -> Tensor:
    """Map absolute positions of any shape (...,) to their vectors (..., D).

    With alpha and a table p of n rows, position q >= n has the vector
    alpha * u[q // n] + (1 - alpha) * u[q % n], in which
    u[i] = (p[i] - alpha * p[0]) / (1 - alpha). For q < n that would be p[q].

    Args:
        table: (n, D).
        places: Integers below n, with alpha below n * n.
        alpha: `hierarchical_positions` of the configuration.

    Source: `PositionEmbedding(hierarchical=...)` of bojone/bert4keras layers.py.
    """
    places = ops.cast(places, "int32")
    if alpha is None:
        return ops.take(table, places, axis=0)
    rows = table.shape[0]
    low = ops.take(table, places % rows, axis=0)
    high = ops.take(table, places // rows, axis=0)
    shift = alpha * table[0]
    composed = alpha * (high - shift) + (1.0 - alpha) * (low - shift)
    behind = ops.expand_dims(places >= rows, -1)
    return ops.where(behind, composed / (1.0 - alpha), low)
