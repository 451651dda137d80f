"""What a tagger shall say: a tag for each token, or the spans of each type."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasplm.tasks.targets import Targets, places_in


@dataclasses.dataclass(frozen=True)
class TagTargets(Targets):
    """One tag per token.

    Args:
        tags: (tokens of all features,) int32.
        starts: (features + 1,), where each feature begins.
    """

    tags: np.ndarray
    starts: np.ndarray
    signature: ClassVar[Any] = tf.TensorSpec([None, None], tf.int32)

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return (B, T) int32, 0 at padding."""
        at, mask = places_in(self.starts, chosen)
        tags = np.zeros((len(chosen), length), "int32")
        tags[:, : mask.shape[1]][mask] = self.tags[at]
        return tags


@dataclasses.dataclass(frozen=True)
class SpanTargets(Targets):
    """First and last token of every entity.

    Args:
        spans: (entities of all features, 3) int32: type, first and last token.
        starts: (features + 1,), where the entities of each feature begin.
        types: Number of types N, an array of no axis.
    """

    spans: np.ndarray
    starts: np.ndarray
    types: np.ndarray
    signature: ClassVar[Any] = tf.TensorSpec([None, None, None, 2], tf.int32)
    fixed: ClassVar[bool] = False

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return (B, N, P, 2) int32, filled up with (0, 0); P is at least 1."""
        at, mask = places_in(self.starts, chosen)
        spans, owner = self.spans[at], np.nonzero(mask)[0]
        group = owner * int(self.types) + spans[:, 0]
        order = np.argsort(group, kind="stable")
        counts = np.bincount(group, minlength=len(chosen) * int(self.types))
        firsts = np.repeat(np.cumsum(counts) - counts, counts)
        found = np.zeros((len(counts), max(counts.max(initial=0), 1), 2), "int32")
        found[group[order], np.arange(len(order)) - firsts] = spans[order, 1:]
        return found.reshape(len(chosen), int(self.types), -1, 2)
