"""Find the relations of a text among its tokens, and make the labels of a batch."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasplm.tasks.rows import Triple
from kerasplm.tasks.targets import Targets, places_in

Located = tuple[int, int, int, int, int]
"""First and last token of the subject, predicate, first and last of the object."""
Parts = dict[str, list[int]]


def occurrences(part: Sequence[int], ids: list[int], most: int = 0) -> list[int]:
    """Return where a sequence of ids begins within another one.

    Args:
        part: The ids to find; an empty part is nowhere.
        ids: Where to look.
        most: Stop after so many; 0 finds all.

    Example:
        >>> occurrences([1, 2], [1, 1, 2, 1, 2])
        [1, 3]
    """
    found: list[int] = []
    part, start = list(part), 0
    while part:
        try:
            start = ids.index(part[0], start)
        except ValueError:
            break
        if ids[start : start + len(part)] == part:
            found.append(start)
            if len(found) == most:
                break
        start += 1
    return found


def locate(
    triple: Triple,
    ids: list[int],
    tokenizer: Any,
    parts: Parts,
    index: dict[str, int],
    most: int,
) -> Iterator[Located]:
    """Yield where a relation is; the ids stand behind [CLS].

    Args:
        triple: The relation.
        ids: Tokens of the text without special ones.
        tokenizer: For the tokens of subject and object.
        parts: Those that are known already; grows.
        index: Id of each predicate.
        most: Occurrences of subject and object; 0 = all.
    """
    for part in (triple.subject, triple.object):
        if part not in parts:
            parts[part] = tokenizer.tokenize(part)[0]
    subject, object_ = parts[triple.subject], parts[triple.object]
    for s, o in itertools.product(
        occurrences(subject, ids, most), occurrences(object_, ids, most)
    ):
        ends = s + len(subject), o + len(object_)
        yield s + 1, ends[0], index[triple.predicate], o + 1, ends[1]


@dataclasses.dataclass(frozen=True)
class RelationTargets(Targets):
    """The relations of each feature.

    Args:
        triples: (triples of all features, 5) int32, each a `Located`; those of one
            feature are different.
        starts: (features + 1,), where each feature begins.
        known: (features,) bool: False where the row has relations and none could be
            located in any of its features.
        lost: (rows,) int32: relations of each row that no feature holds.
        predicates: () int32, the number of predicates P.
    """

    triples: np.ndarray
    starts: np.ndarray
    known: np.ndarray
    lost: np.ndarray
    predicates: np.ndarray

    def _of(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the relations of some features, and the place of each in `chosen`."""
        at, mask = places_in(self.starts, chosen)
        return self.triples[at], np.nonzero(mask)[0]


class SubjectObjectTargets(RelationTargets):
    """Labels of "subject_object": all subjects, and the objects of a sampled one.

    A start is drawn from those of all subjects, an end from those that do not stand
    before it. They may be of different subjects: then there are no objects, and the
    model learns that such a span has none.

    Source: `data_generator` of bojone/bert4keras
    examples/task_relation_extraction.py.
    """

    signature: ClassVar[Any] = {
        "subjects": tf.TensorSpec([None, None, 2], tf.bool),
        "subject": tf.TensorSpec([None, 2], tf.int32),
        "objects": tf.TensorSpec([None, None, None, 2], tf.bool),
        "known": tf.TensorSpec([None], tf.bool),
    }
    teacher = ("subject",)

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return labels `subjects` (B, T, 2) and `objects` (B, T, P, 2).

        Also `subject` (B, 2), the sampled one, which is [CLS] for a feature without
        relations, and `known` (B,).
        """
        triples, row = self._of(chosen)
        size = len(chosen)
        subjects = np.zeros((size, length, 2), bool)
        objects = np.zeros((size, length, int(self.predicates), 2), bool)
        sampled = np.zeros((size, 2), "int32")
        subjects[row, triples[:, 0], 0] = True
        subjects[row, triples[:, 1], 1] = True
        for n in np.unique(row):
            first, last = np.unique(triples[row == n, :2], axis=0).T
            start = rng.choice(first)
            sampled[n] = start, rng.choice(last[last >= start])
        asked = (triples[:, :2] == sampled[row]).all(1)
        row, (_, _, p, first, last) = row[asked], triples[asked].T
        objects[row, first, p, 0] = True
        objects[row, last, p, 1] = True
        return {
            "subjects": subjects,
            "subject": sampled,
            "objects": objects,
            "known": self.known[chosen],
        }


class GPLinkerTargets(RelationTargets):
    """Labels of "gplinker": pairs of tokens in three tables.

    Source: `data_generator` of bojone/bert4keras
    examples/task_relation_extraction_gplinker.py.
    """

    fixed = False
    signature: ClassVar[Any] = {
        name: tf.TensorSpec([None, None, None, 2], tf.int32)
        for name in ("entities", "heads", "tails")
    }

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return `entities` (B, 2, N, 2), `heads` and `tails` (B, P, N, 2).

        Each holds different pairs, filled up with (0, 0).
        """
        triples, row = self._of(chosen)
        s0, s1, p, o0, o1 = triples.T
        count, size = int(self.predicates), len(chosen)
        none, one = np.zeros_like(p), np.ones_like(p)
        entities = np.concatenate(
            [np.stack([row, none, s0, s1], 1), np.stack([row, one, o0, o1], 1)]
        )
        return {
            "entities": _pairs(entities, (size, 2)),
            "heads": _pairs(np.stack([row, p, s0, o0], 1), (size, count)),
            "tails": _pairs(np.stack([row, p, s1, o1], 1), (size, count)),
        }


def _pairs(entries: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Turn (n, 4) entries (text, table, i, j) into pairs (*shape, longest, 2)."""
    entries = np.unique(entries, axis=0)
    lengths = np.zeros(shape, "int64")
    np.add.at(lengths, (entries[:, 0], entries[:, 1]), 1)
    pairs = np.zeros((*shape, max(lengths.max(initial=0), 1), 2), "int32")
    # Sorted by text and table, as the mask is.
    pairs[np.arange(pairs.shape[2]) < lengths[..., None]] = entries[:, 2:]
    return pairs


TARGETS = {"subject_object": SubjectObjectTargets, "gplinker": GPLinkerTargets}
