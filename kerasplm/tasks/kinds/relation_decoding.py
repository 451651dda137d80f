"""Read relations from scores."""

from typing import NamedTuple

import numpy as np

from kerasplm.task_heads.relation import OBJECT_POWER, SUBJECT_POWER

# An untrained model finds all spans, and pairs of all spans are too many. No text of
# the data sets has nearly as many subjects or objects.
MOST_ENTITIES = 128


class Subjects(NamedTuple):
    """Subjects in the texts of a batch.

    Args:
        spans: (S, 2) int32, first and last token.
        owner: (S,) int32, the text.
        scores: (S,), the smaller probability of start and end.
    """

    spans: np.ndarray
    owner: np.ndarray
    scores: np.ndarray


class Relations(NamedTuple):
    """Relations in the texts of a batch.

    Args:
        triples: (n, 5) int32, each a `Located`.
        owner: (n,) int32, the text.
        scores: (n,), the smallest probability of all parts.
    """

    triples: np.ndarray
    owner: np.ndarray
    scores: np.ndarray


def find_subjects(
    logits: np.ndarray, real: np.ndarray, start: float, end: float
) -> Subjects:
    """Pair each start of a subject with the first end that does not stand before it.

    Args:
        logits: (B, T, 2).
        real: (B, T) bool, where a subject may lie.
        start: A start has a higher probability.
        end: An end has a higher probability.

    Source: `extract_spoes` of bojone/bert4keras examples/task_relation_extraction.py.
    """
    shares = _power(logits, SUBJECT_POWER)[:, :, None] * real[:, :, None, None]
    owner, first, _, last, scores = _spans(shares, start, end)
    return Subjects(np.stack([first, last], 1).astype("int32"), owner, scores)


def find_objects(
    subjects: Subjects, logits: np.ndarray, real: np.ndarray, start: float, end: float
) -> Relations:
    """Pair starts and ends of objects, of each subject and predicate.

    Args:
        subjects: S subjects.
        logits: (S, T, P, 2).
        real: (B, T) bool, where an object may lie.
        start: A start has a higher probability.
        end: An end has a higher probability.
    """
    shares = _power(logits, OBJECT_POWER) * real[subjects.owner][:, :, None, None]
    of, first, p, last, scores = _spans(shares, start, end)
    triples = np.column_stack([subjects.spans[of], p, first, last]).astype("int32")
    return Relations(
        triples, subjects.owner[of], np.minimum(scores, subjects.scores[of])
    )


def find_links(
    entities: np.ndarray, heads: np.ndarray, tails: np.ndarray, real: np.ndarray
) -> Relations:
    """Find subject, predicate and object whose four scores are all above 0.

    Args:
        entities: (B, 2, T, T), spans of subjects and objects.
        heads: (B, P, T, T), links of first tokens.
        tails: (B, P, T, T), links of last tokens.
        real: (B, T) bool, where subjects and objects may lie.

    Source: `extract_spoes` of bojone/bert4keras
    examples/task_relation_extraction_gplinker.py.
    """
    found = [
        _links(*tables) for tables in zip(entities, heads, tails, real, strict=True)
    ]
    owner = [np.full(len(scores), n, "int32") for n, (_, scores) in enumerate(found)]
    triples = [one for one, _ in found]
    logits = np.concatenate([np.empty(0, "float32"), *(one for _, one in found)])
    return Relations(
        np.concatenate([np.empty((0, 5), "int32"), *triples]),
        np.concatenate([np.empty(0, "int32"), *owner]),
        _power(logits, 1),
    )


def _links(
    entities: np.ndarray, heads: np.ndarray, tails: np.ndarray, real: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    (s0, s1, subject), (o0, o1, object_) = (_best(table, real) for table in entities)
    links = np.minimum(
        heads[:, s0[:, None], o0[None]], tails[:, s1[:, None], o1[None]]
    )  # (P, subjects, objects)
    p, s, o = np.nonzero(links > 0)
    scores = np.minimum(np.minimum(subject[s], object_[o]), links[p, s, o])
    triples = np.column_stack([s0[s], s1[s], p, o0[o], o1[o]])
    return triples.astype("int32"), scores


def _best(
    table: np.ndarray, real: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first tokens, last tokens and scores of the spans above 0."""
    first, last = np.nonzero((table > 0) & real[:, None] & real[None])
    scores = table[first, last]
    kept = np.sort(np.argsort(-scores, kind="stable")[:MOST_ENTITIES])
    return first[kept], last[kept], scores[kept]


def _spans(
    shares: np.ndarray, start: float, end: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pair each start with the first end from it on.

    Args:
        shares: (N, T, P, 2) probabilities.
        start: Threshold of starts.
        end: Threshold of ends.

    Returns:
        Row, first token, column, last token and the smaller probability of each.
    """
    length = shares.shape[1]
    place = np.arange(length)[:, None]
    nearest = np.where(shares[..., 1] > end, place, length)
    nearest = np.minimum.accumulate(nearest[:, ::-1], axis=1)[:, ::-1]
    row, first, column = np.nonzero(shares[..., 0] > start)
    last = nearest[row, first, column]
    kept = last < length
    row, first, column, last = row[kept], first[kept], column[kept], last[kept]
    scores = np.minimum(shares[row, first, column, 0], shares[row, last, column, 1])
    return row.astype("int32"), first, column, last, scores


def _power(logits: np.ndarray, power: int) -> np.ndarray:
    """Return sigmoid(logits) to a power; no logit overflows."""
    return np.exp(-power * np.logaddexp(0, -logits))
