"""A loop over the tokens of a batch."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

Tensor = Any


def scan(
    step: Callable[[Any, tuple[Tensor, ...]], tuple[Any, Any]],
    begin: Any,
    xs: Sequence[Tensor],
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Go through the tokens, as `ops.scan` does, whose number may be unknown.

    `ops.scan` under TensorFlow takes a single tensor where the number of steps is
    known only when the graph runs: so all of them are packed into one.

    Args:
        step: Maps what was carried, and a tuple of (B, ...), to two such results.
        begin: What is carried into the first step.
        xs: Of shape (B, T, ...); they come in the dtype of the first. All but B and T
            is known.
        reverse: Whether to begin with the last token.

    Returns:
        What the last step carries, and the second results of all steps, (T, B, ...).
    """
    shapes = [tuple(x.shape[2:]) for x in xs]
    widths = [int(np.prod(shape)) for shape in shapes]
    borders = np.cumsum(widths)
    parts = [
        ops.cast(ops.reshape(x, (*ops.shape(x)[:2], width)), xs[0].dtype)
        for x, width in zip(xs, widths, strict=True)
    ]

    def unpacked(carry: Any, x: Tensor) -> tuple[Any, Any]:
        values = [
            ops.reshape(x[:, end - width : end], (ops.shape(x)[0], *shape))
            for shape, width, end in zip(shapes, widths, borders, strict=True)
        ]
        return step(carry, tuple(values))

    packed = swap(ops.concatenate(parts, axis=-1))
    return ops.scan(unpacked, begin, packed, reverse=reverse)


def swap(x: Tensor) -> Tensor:
    """Exchange batch and time."""
    return ops.swapaxes(x, 0, 1)
