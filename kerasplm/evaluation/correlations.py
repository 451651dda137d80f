"""Compare numbers: Pearson's and Spearman's correlation."""

from collections.abc import Sequence

import numpy as np

from kerasplm.errors import DataError
from kerasplm.evaluation.labels import check_lengths

Numbers = Sequence[float] | np.ndarray


def pearson_correlation(references: Numbers, predictions: Numbers) -> float:
    """Return Pearson's correlation.

    Args:
        references: Numbers.
        predictions: As many.

    Returns:
        -1 to 1; NaN where one side is constant, as in scipy.

    Raises:
        DataError: There are fewer than two, not as many, or one is not finite.

    Example:
        >>> round(pearson_correlation([1, 2, 3], [1, 2, 4]), 4)
        0.982

    Source:
        Pearson 1895; ``scipy.stats.pearsonr``, the metric of STS-B.
    """
    one, other = _arrays(references, predictions)
    if one.min() == one.max() or other.min() == other.max():
        return float("nan")
    one, other = (_unit(values) for values in (one, other))
    return float(np.clip(one @ other, -1.0, 1.0))


def spearman_correlation(references: Numbers, predictions: Numbers) -> float:
    """Return Spearman's correlation: Pearson's of the ranks.

    Args:
        references: Numbers.
        predictions: As many.

    Returns:
        -1 to 1; NaN where one side is constant, as in scipy.

    Raises:
        DataError: There are fewer than two, not as many, or one is not finite.

    Example:
        >>> round(spearman_correlation([1, 2, 3], [1, 2, 100]), 4)
        1.0

    Source:
        Spearman 1904; ``scipy.stats.spearmanr``, the metric of STS-B.
    """
    one, other = _arrays(references, predictions)
    return pearson_correlation(average_ranks(one), average_ranks(other))


def average_ranks(values: Numbers) -> np.ndarray:
    """Return the rank of each number; equal ones share the mean of their ranks.

    Args:
        values: (numbers,).

    Returns:
        (numbers,) float64, the least being 1.

    Example:
        >>> average_ranks([10, 30, 20, 20]).tolist()
        [1.0, 4.0, 2.5, 2.5]

    Source:
        ``scipy.stats.rankdata``, method "average".
    """
    _, places, counts = np.unique(
        np.asarray(values), return_inverse=True, return_counts=True
    )
    last = np.cumsum(counts)
    return ((2 * last - counts + 1) / 2)[places]


def _arrays(references: Numbers, predictions: Numbers) -> tuple[np.ndarray, np.ndarray]:
    check_lengths(references, predictions)
    one, other = (np.asarray(side, np.float64) for side in (references, predictions))
    if len(one) < 2:
        raise DataError(f"expected two numbers or more, found {len(one)}")
    for kind, side in (("reference", one), ("prediction", other)):
        if len(bad := np.flatnonzero(~np.isfinite(side))):
            raise DataError(
                f"row {bad[0] + 1}: expected a finite {kind}, found {side[bad[0]]}"
            )
    return one, other


def _unit(values: np.ndarray) -> np.ndarray:
    values = values - values.mean()
    # Large numbers would overflow when squared.
    values = values / np.abs(values).max()
    return values / np.sqrt(values @ values)
