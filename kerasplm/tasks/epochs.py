"""The batches of a training, epoch by epoch."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.tasks.batching import Order, batches_of
from kerasplm.tasks.features import Batches, Features, Plan, dataset_of
from kerasplm.tasks.sharing import SharedRows

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings


class Layout(Batches, Protocol):
    """Features as batches."""

    def plan(self, seed: Sequence[int]) -> Plan:
        """Return the features of each batch of an epoch."""


class Padded:
    """Batches of features, each padded to its longest one.

    Args:
        features: The features.
        batch_size: Features of a batch.
        order: As for `batches_of`.
    """

    def __init__(self, features: Features, batch_size: int, order: Order) -> None:
        self.features, self.batch_size, self.order = features, batch_size, order

    @property
    def signature(self) -> Any:
        """Shapes and types of a batch, for `tf.data`."""
        return self.features.signature

    def plan(self, seed: Sequence[int]) -> Plan:
        """Return the features of each batch of an epoch."""
        lengths = self.features.lengths
        return batches_of(lengths, self.batch_size, self.order, seed)

    def batch(self, chosen: np.ndarray, rng: np.random.Generator) -> Any:
        """Return inputs, or (inputs, targets)."""
        return self.features.batch(chosen, rng)


def layout_of(
    features: Features, settings: "Settings", order: Order = "shuffled"
) -> Layout:
    """Return batches of features as some settings want them.

    Raises:
        ConfigError: Texts that share rows are wanted in an order that is not random.
    """
    if not settings.packing:
        return Padded(features, settings.batch_size, order)
    if order != "shuffled":
        raise ConfigError(f"packing needs order='shuffled'. Received: {order!r}")
    return SharedRows(features, settings.batch_size)


def training_batches(
    features: Features, settings: "Settings", epoch: int, step: int
) -> tf.data.Dataset:
    """Return all batches from (epoch, step) on; the order depends on nothing else.

    Args:
        features: To train on.
        settings: The choices of the training.
        epoch: The first epoch, from 0 on.
        step: The first step in it, from 0 on.
    """
    layout = layout_of(features, settings)

    def plans() -> Iterator[Any]:
        for n in range(epoch, settings.epochs):
            seed = (settings.seed, n)
            plan = layout.plan(seed)
            yield plan[step:] if n == epoch else plan, seed

    return dataset_of(layout, plans(), in_one_pass=True)


def compiles(settings: "Settings", features: Features) -> bool:
    """Return whether XLA compiles the steps of a training.

    Args:
        settings: The choices of the training.
        features: To train on, with targets.

    Raises:
        ConfigError: It shall, but would have to do so again and again.
    """
    targets = features.targets
    fixed = settings.packing and targets is not None and targets.fixed
    if settings.jit and not fixed:
        raise ConfigError(
            "jit: the number of this decoder's targets varies, and XLA would compile "
            "again for every other one"
        )
    if settings.jit is None:
        return fixed and bool(tf.config.list_physical_devices("GPU"))
    return settings.jit
