"""The largest dot products, exactly, in little memory.

Letters: Q queries, N vectors of a block, D their width, k results.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from kerasplm.errors import ConfigError

# The scores of a block, Q * N * 4 bytes, are the only large thing in memory: 16 MiB.
_QUERIES = 256
_ROWS = 2**14
# So many more are kept than asked for, since rounding decides between equal ones.
_SPARE = 8
# Candidates per result from which on a block is thinned out before they are sorted.
_MANY = 4


class Best:
    """Hold the k best of all scores that were seen; of equal ones the first.

    Args:
        queries: Q.
        k: How many; no more than will be seen.
    """

    def __init__(self, queries: int, k: int) -> None:
        self.scores = np.full((queries, k), -np.inf, np.float32)
        """(Q, k), the best first."""
        self.numbers = np.full((queries, k), -1, np.int64)
        """(Q, k); -1 as long as there are not as many."""

    def see(self, scores: np.ndarray, first: int) -> None:
        """Take the next scores.

        Args:
            scores: (Q, N).
            first: Number of the first of the N.
        """
        count, k = self.scores.shape
        size = scores.shape[1]
        # What was seen before wins over what is equal.
        better = scores > self.scores[:, -1:]
        if size > k and np.count_nonzero(better) > _MANY * k * count:
            least = np.partition(scores, size - k, axis=1)[:, size - k]
            better &= scores >= least[:, None]
        places = np.flatnonzero(better)
        if not places.size:
            return
        rows, columns = np.divmod(places, size)
        all_rows = np.concatenate([np.repeat(np.arange(count), k), rows])
        found = np.concatenate([self.scores.ravel(), scores.ravel()[places]])
        numbers = np.concatenate([self.numbers.ravel(), columns + first])
        order = np.lexsort((numbers, -found, all_rows))
        # Each row has k at least: those it had before.
        starts = np.searchsorted(all_rows[order], np.arange(count))
        kept = order[starts[:, None] + np.arange(k)]
        self.scores, self.numbers = found[kept], numbers[kept]


def nearest(
    queries: np.ndarray, parts: Sequence[np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest dot products of each query with all vectors.

    The vectors are read in blocks; files that are mapped into memory need not fit into
    it, and the scores of all pairs are never there at once. The products of the best
    ones are computed again in double precision, so that scores and the order of equal
    vectors depend neither on the blocks nor on the other queries.

    Args:
        queries: (Q, D) float32.
        parts: Arrays (N, D) float32, whose rows are numbered through.
        k: How many; at most as many as there are rows.

    Returns:
        Scores (Q, k) float32, the largest first, of equal ones the first row, and the
        numbers of their rows (Q, k) int64.

    Example:
        >>> x = np.eye(3, dtype="float32")
        >>> nearest(x[1:2] + x[2:] / 2, [x[:2], x[2:]], 2)[1]
        array([[1, 2]])

    Raises:
        ConfigError: A product is not finite.
    """
    scores = np.empty((len(queries), k), np.float32)
    numbers = np.empty((len(queries), k), np.int64)
    wanted = min(k + _SPARE, sum(map(len, parts)))
    for start in range(0, len(queries), _QUERIES):
        some = slice(start, start + _QUERIES)
        asked = queries[some]
        best, first = Best(len(asked), wanted), 0
        for block in blocks(parts):
            with np.errstate(invalid="ignore", over="ignore"):
                products = asked @ block.T
                total = products.sum()
            # The sum tells at once; it may also be too large by itself.
            if not np.isfinite(total) and not np.isfinite(products).all():
                raise ConfigError(
                    f"vectors {first} to {first + len(block) - 1}: expected finite "
                    "numbers, found others; build the index again"
                )
            best.see(products, first)
            first += len(block)
        exact = _products(asked, parts, best.numbers)
        order = np.lexsort((best.numbers, -exact))[:, :k]
        scores[some] = np.take_along_axis(exact, order, axis=1)
        numbers[some] = np.take_along_axis(best.numbers, order, axis=1)
    return scores, numbers


def _products(
    queries: np.ndarray, parts: Sequence[np.ndarray], numbers: np.ndarray
) -> np.ndarray:
    """Return the dot products (Q, k) with the rows of these numbers, in float32."""
    ends = np.cumsum([len(part) for part in parts])
    where = np.searchsorted(ends, numbers, side="right")
    out = np.empty(numbers.shape, np.float32)
    for n in np.unique(where):
        all_rows, all_columns = np.nonzero(where == n)
        for start in range(0, len(all_rows), _ROWS):
            some = slice(start, start + _ROWS)
            rows, columns = all_rows[some], all_columns[some]
            places = numbers[rows, columns] - (ends[n] - len(parts[n]))
            vectors = parts[n][places].astype(np.float64)
            out[rows, columns] = np.einsum("nd,nd->n", queries[rows], vectors)
    return out


def blocks(parts: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Yield the rows of all parts, a bounded number at a time."""
    for part in parts:
        for start in range(0, len(part), _ROWS):
            yield part[start : start + _ROWS]
