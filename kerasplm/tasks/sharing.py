"""Batches of one shape: their texts share rows of a fixed number and length.

Every batch has texts of all lengths, one of the shortest, one of the next, and so on.
So the n-th text of each finds room in a place of its own, which is chosen once.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.shared_rows import NAME
from kerasplm.task_models import TaskModel
from kerasplm.tasks.features import Features, Plan

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings

# Rows of a multiple of this suit vector units.
_STEP = 8


@dataclasses.dataclass(frozen=True)
class SharedRows:
    """Batches of features whose texts share rows.

    Args:
        features: The features.
        batch_size: B, features of a batch.

    Raises:
        ConfigError: There are no features.
    """

    features: Features
    batch_size: int

    def __post_init__(self) -> None:
        """Give each text of a batch its place."""
        if not len(self.features):
            raise ConfigError("expected features to train on, found none")
        lengths = np.sort(self.features.lengths)
        # Texts that are taken twice to fill a batch move others to later places, never
        # to earlier ones: a place for the longest that can come is enough.
        last = np.arange(1, self.batch_size + 1) * self.steps - 1
        sizes = lengths[np.minimum(last, len(lengths) - 1)]
        sizes = np.repeat(sizes, max(self.features.choices, 1))
        length = -(-int(sizes.max()) // _STEP) * _STEP
        starts = first_fit(sizes, length)
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "rows", int(starts.max()) // length + 1)
        object.__setattr__(self, "_starts", starts)

    length: int = dataclasses.field(init=False)
    rows: int = dataclasses.field(init=False)
    _starts: np.ndarray = dataclasses.field(init=False, repr=False)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.features) // self.batch_size)

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
        order = np.resize(order, self.steps * self.batch_size)
        order = order[np.argsort(self.features.lengths[order], kind="stable")]
        strata = order.reshape(self.batch_size, self.steps)
        return list(rng.permuted(strata, axis=1).T)

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


def check_packing(model: TaskModel, features: Features, settings: "Settings") -> None:
    """Refuse packing where it does not go with the kind of task.

    Args:
        model: Compiled with the settings.
        features: To train on, with targets.
        settings: With packing.

    Raises:
        ConfigError: Packing, or compiling, is not for this model.
    """
    if not model.packable:
        raise ConfigError(
            f"packing is not for tasks of kind {model.kind!r}: their loss takes padded "
            "positions into account, or their texts are written"
        )
    assert features.targets is not None
    if compiles(settings) and not features.targets.fixed:
        raise ConfigError(
            f"jit=False is needed for this decoder of kind {model.kind!r}: the number "
            "of its targets varies, and XLA would compile again for every other one"
        )


def compiles(settings: "Settings") -> bool:
    """Return whether XLA compiles the steps of a training."""
    if settings.jit is not None:
        return settings.jit
    return settings.packing and bool(tf.config.list_physical_devices("GPU"))
