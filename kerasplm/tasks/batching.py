"""Divide examples into batches that hold little padding."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Order = Literal["shuffled", "file", "length"]
# Sorting this many batches at a time keeps padding low and the order random.
_WINDOW = 50
# A batch of so many examples and more is cut in two where lengths differ much: what
# attention saves is then more than what smaller products cost.
_LEAST = 16


def batches_of(
    lengths: np.ndarray, batch_size: int, order: Order, seed: Sequence[int] = (0,)
) -> list[np.ndarray]:
    """Divide examples into batches.

    Args:
        lengths: Tokens of each example.
        batch_size: Examples per batch; the last batch may be smaller.
        order: "shuffled" draws a random order and then sorts windows of it by
            length; "length" sorts all, and cuts batches in two whose longest example
            has more than twice the tokens of the shortest; "file" keeps the order.
        seed: Of the random order: the same seed gives the same batches.

    Returns:
        Row numbers of each batch.
    """
    count = len(lengths)
    if order == "file":
        rows = np.arange(count)
    elif order == "length":
        rows = np.argsort(lengths, kind="stable")
    else:
        rng = np.random.default_rng(seed)
        rows = rng.permutation(count)
        window = batch_size * _WINDOW
        parts = [rows[n : n + window] for n in range(0, count, window)]
        rows = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in parts])
    found = [rows[n : n + batch_size] for n in range(0, count, batch_size)]
    if order == "length":
        found = [half for part in found for half in _halves(part, lengths)]
    if order == "shuffled":
        found = [found[n] for n in rng.permutation(len(found))]
    return found


def _halves(rows: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return a sorted batch, or its halves."""
    if len(rows) < _LEAST or lengths[rows[-1]] <= 2 * lengths[rows[0]]:
        return [rows]
    middle = len(rows) // 2
    return [rows[:middle], rows[middle:]]
