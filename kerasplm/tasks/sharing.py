"""Batches of one shape: their texts share rows of a fixed number and length.

Every batch has texts of all lengths, one of the shortest, one of the next, and so on.
So the n-th text of each finds room in a place of its own, which is chosen once.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.shared_rows import NAME
from kerasplm.tasks.features import Features, Plan

# Rows of a multiple of this suit vector units.
_STEP = 8


class SharedRows:
    """Batches of features whose texts share rows, for one device.

    Args:
        features: The features.
        batch_size: B, features of a batch; all of them if there are fewer.

    Attributes:
        rows: R, rows of a batch.
        length: L, tokens of a row: those of the longest text, rounded up.
        steps: Batches of an epoch.

    Raises:
        ConfigError: There are no features.
    """

    def __init__(self, features: Features, batch_size: int) -> None:
        count = len(features)
        if not count:
            raise ConfigError("expected features to train on, found none")
        self.features, self.batch_size = features, min(batch_size, count)
        self.steps = -(-count // self.batch_size)
        lengths = np.sort(features.lengths)
        # Texts that are taken twice to fill a batch move others to later places, never
        # to earlier ones: a place for the longest that can come is enough.
        last = np.arange(1, self.batch_size + 1) * self.steps - 1
        sizes = lengths[np.minimum(last, count - 1)]
        sizes = np.repeat(sizes, max(features.choices, 1))
        self.length = -(-int(sizes.max()) // _STEP) * _STEP
        self._starts = first_fit(sizes, self.length)
        self.rows = int(self._starts.max()) // self.length + 1

    @property
    def fill(self) -> float:
        """Share of the places that hold a real token, on average."""
        tokens = len(self.features.token_ids) / len(self.features) * self.batch_size
        return tokens / (self.rows * self.length)

    def plan(self, seed: Sequence[int]) -> Plan:
        """Return the features of each batch of an epoch, the shortest first.

        Every batch is full: some features come twice in an epoch if their number is no
        multiple of B.

        Args:
            seed: Of the random choice: the same seed gives the same batches.
        """
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self.features))
        twice = np.arange(len(order)) < self.steps * self.batch_size - len(order)
        # Beside each other, so that both seldom come into one batch.
        order = np.repeat(order, 1 + twice)
        order = order[np.argsort(self.features.lengths[order], kind="stable")]
        parts = order.reshape(self.batch_size, self.steps)
        return list(rng.permuted(parts, axis=1).T)

    def batch(self, chosen: np.ndarray, rng: np.random.Generator | None = None) -> Any:
        """Return what `Features.batch` does, with the input `shared_rows`.

        Args:
            chosen: One of the batches of `plan`.
            rng: As for `Features.batch`.
        """
        made = self.features.batch(chosen, rng, self.length)
        inputs = made if self.features.targets is None else made[0]
        mask = inputs["padding_mask"].reshape(-1, self.length)
        text, token = np.nonzero(mask)
        places = np.full(self.rows * self.length, -1, "int32")
        places[self._starts[text] + token] = text * self.length + token
        inputs[NAME] = places.reshape(self.rows, self.length)
        return made

    @property
    def signature(self) -> Any:
        """Shapes and types of a batch; of targets of no fixed shape those of all."""
        some = np.zeros(self.batch_size, "int64")
        made = keras.tree.map_structure(
            lambda x: tf.TensorSpec(x.shape, x.dtype),
            self.features.batch(some, None, self.length),
        )
        targets = self.features.targets
        inputs = made if targets is None else made[0]
        inputs[NAME] = tf.TensorSpec((self.rows, self.length), tf.int32)
        if targets is None or targets.fixed:
            return made
        wanted = targets.signature
        return inputs | {name: wanted[name] for name in targets.teacher}, wanted


def first_fit(sizes: np.ndarray, length: int) -> np.ndarray:
    """Put texts into rows: the longest first, each into the first row with room.

    Args:
        sizes: (N,) tokens of each text, `length` at most.
        length: Of a row.

    Returns:
        (N,) where each begins, counted from the first token of the first row.

    Source: arXiv:2107.02027.
    """
    starts = np.zeros(len(sizes), "int64")
    used: list[int] = []
    for text in np.argsort(-sizes, kind="stable"):
        size = int(sizes[text])
        row = next((n for n, u in enumerate(used) if u + size <= length), len(used))
        if row == len(used):
            used.append(0)
        starts[text] = row * length + used[row]
        used[row] += size
    return starts
