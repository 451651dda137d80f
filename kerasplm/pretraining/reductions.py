"""Sums over the rows of a batch, the parts of a step, and the replicas."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

Tensor = Any
Batch = Mapping[str, Tensor]


class Ratio(keras.metrics.Metric):
    """The quotient of two sums that every replica knows in full.

    Metrics of Keras sum what the replicas saw when they are read, which all workers
    must then do at the same moment. Here the sums are joined within the step.

    Args:
        name: Name of the metric.
        shape: Of both sums: () for a mean. (N,) for the area under a ROC curve; the
            sums are then true and false positives at N rising thresholds.
    """

    def __init__(self, name: str, shape: tuple[int, ...] = ()) -> None:
        super().__init__(name=name, dtype="float32")
        self.sums = keras.Variable(
            "zeros", (2, *shape), "float32", trainable=False, aggregation="none"
        )

    def update_state(self, total: Tensor, count: Tensor = 1.0) -> None:
        """Add a sum of values and the sum of their weights."""
        both = (tf.cast(total, "float32"), tf.cast(count, "float32"))
        self.sums.assign_add(tf.stack(both))

    def result(self) -> Tensor:
        """Return the mean, 0 of nothing; or the area."""
        total, count = self.sums[0], self.sums[1]
        if not total.shape.rank:
            return tf.math.divide_no_nan(total, count)
        # Trapezoids, as in tf.metrics.auc; the lowest threshold has all of them.
        rate, false = (total + 1e-6) / (total[0] + 1e-6), count / (count[0] + 1e-6)
        return tf.reduce_sum((false[:-1] - false[1:]) * (rate[:-1] + rate[1:]) / 2)

    def reset_state(self) -> None:
        """Begin anew."""
        self.sums.assign(tf.zeros(self.sums.shape))


def summed(values: Any) -> Any:
    """Add up a structure of tensors over all replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    flat = tf.nest.flatten(values)
    small = [n for n, x in enumerate(flat) if not x.shape.rank]
    if small:  # one exchange for all of them
        stacked = tf.stack([tf.cast(flat[n], "float32") for n in small])
        total = context.all_reduce("SUM", stacked)
        for n, x in zip(small, tf.unstack(total), strict=True):
            flat[n] = x
    large = [n for n, x in enumerate(flat) if n not in set(small)]
    if large:
        totals = context.all_reduce("SUM", [flat[n] for n in large])
        for n, x in zip(large, totals, strict=True):
            flat[n] = x
    return tf.nest.pack_sequence_as(values, flat)


def dense(gradient: Tensor) -> Tensor:
    """Return the gradient of a looked-up table as a table, equal rows summed."""
    if isinstance(gradient, tf.IndexedSlices):
        rows = gradient.dense_shape[0]
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)
    return gradient


def tokens(batch: Batch) -> Tensor:
    """Count the real tokens."""
    mask = batch.get("padding_mask")
    if mask is None:
        return tf.cast(tf.size(batch["token_ids"]), "float32")
    return tf.reduce_sum(tf.cast(mask, "float32"))


def only_if(good: Any, total: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return a sum and its weight, or nothing of both."""
    return tf.where(good, total, 0.0), tf.where(good, count, 0.0)
