"""Random numbers that depend on the instance alone, and positions in a batch.

Letters: B rows, T tokens, P masked positions.
"""

import math
from typing import Any

from keras import ops

Tensor = Any

_ODD = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35)


def _mixed(x: Tensor) -> Tensor:
    """Scramble 32 bits so that each depends on all of them."""
    for shift, factor in ((16, _ODD[1]), (13, _ODD[2])):
        x = ops.bitwise_xor(x, ops.right_shift(x, ops.cast(shift, "uint32")))
        x = x * ops.cast(factor, "uint32")
    return ops.bitwise_xor(x, ops.right_shift(x, ops.cast(16, "uint32")))


def uniform(seeds: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw from [0, 1) for each row, whatever the rows beside it.

    A row's numbers are a hash of its seed and of the place, so they do not depend on
    the size of the batch or on the device that holds the row. Only arithmetic that
    every accelerator compiles is used.

    Args:
        seeds: (B,) int32.
        shape: Static shape of the numbers of one row.

    Returns:
        (B, *shape) float32, multiples of 2**-24.

    Example:
        >>> uniform(np.array([1, 2]), (3,)).shape
        TensorShape([2, 3])

    Source: finalizer of MurmurHash3, applied to seed and place in turn.
    """
    place = ops.cast(ops.arange(math.prod(shape), dtype="int32"), "uint32")[None]
    seeds = ops.cast(seeds, "uint32")[:, None]
    first = _mixed(seeds * ops.cast(_ODD[0], "uint32") + ops.cast(1, "uint32"))
    second = _mixed(ops.bitwise_xor(first, ops.cast(_ODD[2], "uint32")))
    bits = _mixed(ops.bitwise_xor(_mixed(place + first), second))
    bits = ops.right_shift(bits, ops.cast(8, "uint32"))
    numbers = ops.cast(ops.cast(bits, "int32"), "float32") * 2.0**-24
    return ops.reshape(numbers, (-1, *shape))


def gather(sequence: Tensor, positions: Tensor) -> Tensor:
    """Return what stands at the positions.

    Args:
        sequence: (B, T) or (B, T, D).
        positions: (B, P) int.

    Returns:
        (B, P) or (B, P, D).
    """
    index = ops.cast(positions, "int32")
    if len(sequence.shape) == 3:
        index = ops.expand_dims(index, -1)
    return ops.take_along_axis(sequence, index, axis=1)


def scatter_update(
    sequence: Tensor, updates: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Write ids at positions; nothing is written at position 0, which is [CLS].

    A position that stands there several times gets the mean of its updates, rounded
    down, as in the original.

    Args:
        sequence: (B, T) int.
        updates: (B, P) int.
        positions: (B, P) int; 0 where there is nothing to write.

    Returns:
        The new sequence (B, T) and (B, T) int32, 1 where something was written.

    Source: `scatter_update` of google-research/electra pretrain/pretrain_helpers.py.
    """
    sequence = ops.cast(sequence, "int32")
    place = ops.arange(sequence.shape[1], dtype="int32")
    positions = ops.cast(positions, "int32")[:, :, None]
    hits = ops.logical_and(positions == place, positions > 0)  # [B, P, T]
    hits = ops.cast(hits, "int32")
    count = ops.sum(hits, axis=1)
    total = ops.sum(hits * ops.cast(updates, "int32")[:, :, None], axis=1)
    written = ops.minimum(count, 1)
    mean = ops.floor_divide(total, ops.maximum(count, 1))
    return written * mean + (1 - written) * sequence, written
