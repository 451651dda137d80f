"""Score similarities of texts: as a test for pairs, and for retrieval.

All scores are fractions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasplm.errors import DataError
from kerasplm.evaluation.correlations import Numbers, average_ranks
from kerasplm.evaluation.labels import check_lengths

_ROWS = 256


def best_threshold(positive: Sequence[Any], scores: Numbers) -> tuple[float, float]:
    """Return the threshold at which most pairs are told right, and their share.

    Args:
        positive: Whether each pair has one meaning.
        scores: Their similarities; from the threshold on a pair counts as positive.

    Returns:
        The threshold, one of the scores or infinity; of equally good ones the
        highest. The accuracy.

    Raises:
        DataError: There are no pairs, or not as many.

    Example:
        >>> best_threshold([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
        (0.9, 0.75)

    Source:
        The definition; ZhuiyiTechnology/simbert compares with a fixed one of 0.9.
    """
    check_lengths(positive, scores)
    truth, values = np.asarray(positive, bool), np.asarray(scores, np.float64)
    order = np.argsort(-values, kind="stable")
    truth, values = truth[order], values[order]
    # With the first n pairs taken as positive, these are right.
    right = np.concatenate([[0], np.cumsum(np.where(truth, 1, -1))]) + (~truth).sum()
    # Equal scores fall on one side.
    possible = np.concatenate([[True], values[1:] != values[:-1], [True]])
    taken = int(np.where(possible, right, -1).argmax())
    threshold = np.inf if taken == 0 else float(values[taken - 1])
    return threshold, float(right[taken] / len(truth))


def area_under_curve(positive: Sequence[Any], scores: Numbers) -> float:
    """Return the share of pairs of a positive and a negative that are in order.

    Args:
        positive: Whether each pair has one meaning.
        scores: Their similarities; equal ones count half.

    Returns:
        A fraction; NaN if all are positive, or none.

    Raises:
        DataError: There are no pairs, or not as many.

    Example:
        >>> area_under_curve([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
        0.75

    Source:
        Mann and Whitney 1947; the area under the ROC curve.
    """
    check_lengths(positive, scores)
    truth = np.asarray(positive, bool)
    ones, zeros = int(truth.sum()), int((~truth).sum())
    if not ones or not zeros:
        return float("nan")
    ranks = average_ranks(scores)[truth].sum()
    return float((ranks - ones * (ones + 1) / 2) / (ones * zeros))


def retrieval_ranks(
    queries: Sequence[str],
    answers: Sequence[str],
    query_vectors: np.ndarray,
    answer_vectors: np.ndarray,
) -> np.ndarray:
    """Return at which place each query finds its answer among all answers.

    The corpus is the distinct answers. A query with several answers asks once, and the
    first of them counts; a query's own text is no wrong answer. Wrong answers with the
    score of the right one stand before it.

    Args:
        queries: Texts.
        answers: The right answer to each.
        query_vectors: (N, D).
        answer_vectors: (N, D).

    Returns:
        (distinct queries,) int64, 1 = found first.

    Raises:
        DataError: There are no queries, or not as many answers.

    Example:
        >>> v = np.eye(2)
        >>> retrieval_ranks(["a", "b"], ["A", "B"], v, v).tolist()
        [1, 1]

    Source:
        ZhuiyiTechnology/simbert retrieval_test.py, which searches the whole corpus by
        dot product.
    """
    check_lengths(queries, answers)
    if not len(queries) == len(query_vectors) == len(answer_vectors):
        raise DataError(
            f"expected {len(queries)} vectors of queries and answers, found "
            f"{len(query_vectors)} and {len(answer_vectors)}"
        )
    asked = {text: n for n, text in enumerate(dict.fromkeys(queries))}
    corpus = {text: n for n, text in enumerate(dict.fromkeys(answers))}
    left = _of_first(query_vectors, queries, asked)
    right = _of_first(answer_vectors, answers, corpus)
    good: list[list[int]] = [[] for _ in asked]
    for query, answer in zip(queries, answers, strict=True):
        good[asked[query]].append(corpus[answer])
    own = [corpus.get(text) for text in asked]
    ranks = np.empty(len(asked), np.int64)
    for start in range(0, len(asked), _ROWS):
        scores = left[start : start + _ROWS] @ right.T
        for n, row in enumerate(scores, start):
            best = row[good[n]].max()
            row[good[n]] = -np.inf
            if own[n] is not None:
                row[own[n]] = -np.inf
            ranks[n] = 1 + np.count_nonzero(row >= best)
    return ranks


def _of_first(
    vectors: np.ndarray, texts: Sequence[str], index: dict[str, int]
) -> np.ndarray:
    """Return the vector of the first occurrence of each text."""
    first: dict[str, int] = {}
    for n, text in enumerate(texts):
        first.setdefault(text, n)
    return np.asarray(vectors, np.float32)[[first[text] for text in index]]
