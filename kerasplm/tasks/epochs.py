"""The batches of a training, epoch by epoch."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from kerasplm.tasks.batching import Order, batches_of
from kerasplm.tasks.features import Batches, Features, Plan, dataset_of
from kerasplm.tasks.sharing import SharedRows

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings


def layout_of(
    features: Features, batch_size: int, order: Order, packing: bool
) -> tuple[Batches, Callable[[Sequence[int]], Plan]]:
    """Return what makes batches, and what chooses their features.

    Args:
        features: The features.
        batch_size: Features of a batch.
        order: As for `batches_of`; without effect with packing.
        packing: Whether texts share rows.

    Returns:
        For `dataset_of`; and a function of the seed of an epoch.
    """
    if packing:
        shared = SharedRows(features, batch_size)
        return shared, shared.plan
    lengths = features.lengths
    return features, lambda seed: batches_of(lengths, batch_size, order, seed)


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
    size, packing = settings.batch_size, settings.packing
    source, plan_of = layout_of(features, size, "shuffled", packing)

    def plans() -> Iterator[Any]:
        for n in range(epoch, settings.epochs):
            seed = (settings.seed, n)
            plan = plan_of(seed)
            yield plan[step:] if n == epoch else plan, seed

    return dataset_of(source, plans(), in_one_pass=True)
