"""From scores of tags to the best tags of a batch, in numpy, and their probability.

A batch of Viterbi in numpy takes as long as the loop in the graph, and keeps the
outputs of a model plain: what is forbidden is decided when it is asked.
"""

from collections.abc import Sequence

import numpy as np

from kerasplm.evaluation.tags import SCHEMES
from kerasplm.task_heads.crf import FORBIDDEN


def allowed_transitions(tags: Sequence[str], scheme: str) -> np.ndarray:
    """Return which tag may follow which, (C, C) bool, from row to column.

    An entity goes on only behind a tag of its own type, and ends only as the scheme
    ends it. As every text begins and ends with a token that is O, this also says
    with which tags it may begin and end.

    Args:
        tags: "O" and prefix-type.
        scheme: A key of `SCHEMES`.

    Example:
        >>> allowed_transitions(["O", "B-x", "I-x"], "BIO").astype(int)
        array([[1, 1, 0],
               [1, 1, 1],
               [1, 1, 1]])
    """
    first, middle, last, only = SCHEMES[scheme]
    parts = [tag.partition("-")[::2] for tag in tags]
    goes_on = np.array(
        [p in (middle, last) and p not in (first, only) for p, _ in parts]
    )
    is_open = np.array([prefix in (first, middle) for prefix, _ in parts])
    may_end = np.array([prefix in ("O", last, only) for prefix, _ in parts])
    types = np.array([kind for _, kind in parts])
    same = is_open[:, None] & (types[:, None] == types[None])
    return np.where(goes_on[None], same, may_end[:, None])


def best_tags(
    logits: np.ndarray,
    lengths: np.ndarray,
    transitions: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> np.ndarray:
    """Return the best tags (B, T) of each text; the first and last one are tag 0.

    Args:
        logits: (B, T, C).
        lengths: (B,), tokens of each text, [CLS] and [SEP] included: at least 2.
        transitions: (C, C), scores of tag after tag; None = all 0.
        allowed: (C, C), from `allowed_transitions`; None = all.

    Returns:
        (B, T); of equals the lowest. What stands at padding has no meaning.
    """
    batch, length, count = logits.shape
    nodes = np.array(logits, "float64")
    rows = np.arange(batch)
    for at in (np.zeros(batch, "int64"), lengths - 1):
        nodes[rows, at, 1:] = FORBIDDEN
    if transitions is None and allowed is None:
        return nodes.argmax(-1)
    table = np.zeros((count, count)) if transitions is None else transitions
    if allowed is not None:
        table = np.where(allowed, table, FORBIDDEN)
    # [to, from]: the sum runs over the last axis, which lies together.
    back = np.ascontiguousarray(table.T)[None]
    best = nodes[:, 0]
    pointers = np.empty((length, batch, count), "int64")
    for t in range(1, length):
        paths = best[:, None] + back
        pointer = paths.argmax(-1)
        grown = np.take_along_axis(paths, pointer[..., None], -1)[..., 0] + nodes[:, t]
        real = (t < lengths)[:, None]
        best = np.where(real, grown, best)
        pointers[t] = np.where(real, pointer, np.arange(count))
    tags = np.empty((batch, length), "int64")
    tags[:, -1] = best.argmax(-1)
    for t in range(length - 1, 0, -1):
        tags[:, t - 1] = pointers[t, rows, tags[:, t]]
    return tags


class PathProbability:
    """The probability that some tokens have the tags they have.

    Without transitions that is the product of the probabilities of the tokens; with
    them the marginal of the chain: all ways to tag the other tokens together.

    Args:
        logits: (B, T, C).
        lengths: (B,), tokens of each text.
        tags: (B, T), of which the probability is asked.
        transitions: (C, C), or None.

    Example:
        >>> logits = np.log([[[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]]])
        >>> found = PathProbability(logits, np.array([3]), np.array([[0, 1, 0]]))
        >>> round(found(0, 1, 3), 3)
        0.72
    """

    def __init__(
        self,
        logits: np.ndarray,
        lengths: np.ndarray,
        tags: np.ndarray,
        transitions: np.ndarray | None = None,
    ) -> None:
        logits = logits.astype("float64")

        def taken(x: np.ndarray) -> np.ndarray:
            return np.take_along_axis(x, tags[..., None], -1)[..., 0]

        if transitions is None:
            steps = taken(logits - _logsumexp(logits)[..., None])
            self._begin, self._end = steps, np.zeros_like(steps)
        else:
            table = transitions.astype("float64")
            before, after, total = _sums(logits, lengths, table)
            steps = taken(logits)
            steps[:, 1:] += table[tags[:, :-1], tags[:, 1:]]
            self._begin, self._end = taken(before) - total[:, None], taken(after)
        self._steps = np.cumsum(steps, axis=1)

    def __call__(self, row: int, start: int, end: int) -> float:
        """Return the probability of the tags from `start` to before `end`."""
        last = end - 1
        inner = self._steps[row, last] - self._steps[row, start]
        found = self._begin[row, start] + inner + self._end[row, last]
        return float(np.exp(min(found, 0.0)))


def _logsumexp(x: np.ndarray) -> np.ndarray:
    top = x.max(-1)
    return top + np.log(np.exp(x - top[..., None]).sum(-1))


def _sums(
    logits: np.ndarray, lengths: np.ndarray, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the logs of the sums over all beginnings and ends, (B, T, C), and (B,)."""
    length = logits.shape[1]
    before, after = logits.copy(), np.zeros_like(logits)
    for t in range(1, length):
        before[:, t] += _logsumexp(before[:, t - 1][:, None] + table.T[None])
    for t in range(length - 1, 0, -1):
        sums = _logsumexp((after[:, t] + logits[:, t])[:, None] + table[None])
        after[:, t - 1] = np.where((t < lengths)[:, None], sums, 0.0)
    last = before[np.arange(len(logits)), lengths - 1]
    return before, after, _logsumexp(last)
