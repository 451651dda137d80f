"""A maximum-entropy Markov model that reads the labels in both directions."""

from typing import Any

import keras
from keras import ops

from kerasplm.task_heads.base import (
    TaskHead,
    cross_entropy,
    float_mask,
    positive,
    reduce,
)
from kerasplm.task_heads.chains import best_path, borders, neighbours
from kerasplm.task_heads.crf import multiplier, scaled

Tensor = Any


@keras.saving.register_keras_serializable(package="kerasplm")
class MEMM(TaskHead):
    """Score each label given the label before it, and given the label after it.

    p(y_t | y_{t-1}) = softmax((logits_t + transitions[y_{t-1}]) / 2) and the same
    backwards with the transposed table; the first token of a direction has its
    logits alone. Called, it gives the sequences for which the product of both
    directions is largest.

    Args:
        labels: Number of labels C.
        rank: None for a full table; else transitions = left @ right.T, each (C, rank).
        lr_multiplier: As for `CRF`.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> float(MEMM(4).loss(np.zeros((1, 1, 4)), [[2]]))
        1.386294...

    Source: `MaximumEntropyMarkovModel` of bojone/bert4keras layers.py, which has no
    decoder.
    """

    def __init__(
        self,
        labels: int,
        rank: int | None = None,
        lr_multiplier: float = 1.0,
        kernel_initializer: Any = "glorot_uniform",
        name: str = "memm",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.labels = positive("labels", labels)
        self.rank = None if rank is None else positive("rank", rank)
        self.lr_multiplier = multiplier(lr_multiplier)

    def build(self, input_shape: Any = None) -> None:
        """Create the table of transitions, or its two factors."""
        initializer = scaled(self.kernel_initializer, 1.0 / self.lr_multiplier)
        names = ("transitions",) if self.rank is None else ("left", "right")
        self.tables = [
            self.add_weight(
                name=name,
                shape=(self.labels, self.rank or self.labels),
                initializer=initializer,
            )
            for name in names
        ]

    def scores(self) -> Tensor:
        """Return the transitions (C, C), from row to column, as they are used."""
        tables = [ops.convert_to_tensor(x) * self.lr_multiplier for x in self.tables]
        if len(tables) == 1:
            return tables[0]
        return ops.matmul(tables[0], ops.transpose(tables[1]))

    def directions(
        self, logits: Tensor, labels: Tensor, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the scores (B, T, C) given the labels before, and those after."""
        if not self.built:
            self.build()
        logits = ops.cast(logits, "float32")
        linked = neighbours(float_mask(padding_mask, logits))
        table = self.scores()
        # At padding a label may be any number: there the mask hides what it takes.
        labels = ops.clip(ops.cast(labels, "int32"), 0, self.labels - 1)
        before = ops.pad(ops.take(table, labels, axis=0)[:, :-1], _FIRST)
        after = ops.pad(ops.take(ops.transpose(table), labels, axis=0)[:, 1:], _LAST)
        has_before = ops.expand_dims(linked, -1)
        has_after = ops.pad(has_before[:, 1:], _LAST)
        return (
            logits + has_before * (before - logits) / 2.0,
            logits + has_after * (after - logits) / 2.0,
        )

    def loss(
        self, logits: Tensor, labels: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Average the cross-entropy over the real tokens and both directions.

        Args:
            logits: (B, T, C).
            labels: (B, T) ids; at padding any number.
            padding_mask: As for `CRF.log_likelihood`.

        Returns:
            A scalar.
        """
        forward, backward = self.directions(logits, labels, padding_mask)
        losses = cross_entropy(forward, labels) + cross_entropy(backward, labels)
        return reduce(losses, "mean", padding_mask) / 2.0

    def call(self, logits: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return the labels (B, T) of the best sequences, 0 at padding.

        Args:
            logits: (B, T, C).
            padding_mask: As for `CRF.log_likelihood`.
        """
        mask = float_mask(padding_mask, logits)
        table = self.scores()
        alone = ops.log_softmax(logits, axis=-1)
        _, last = borders(mask)
        end = alone * ops.expand_dims(last, -1)
        # [B, T, from, to]: a label given the one before, and the one before given it.
        forward = (ops.expand_dims(logits, 2) + table) / 2.0
        backward = (ops.expand_dims(logits, 3) + table) / 2.0
        pairs = ops.log_softmax(forward, axis=3) + ops.expand_dims(end, 2)
        earlier = ops.log_softmax(backward, axis=2)[:, :-1]
        pairs = pairs + ops.pad(earlier, ((0, 0), (1, 0), (0, 0), (0, 0)))

        def extend(best: Tensor, pair: Tensor) -> Tensor:
            return ops.expand_dims(best, 2) + pair

        return best_path(extend, pairs, alone + end, mask)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "labels": self.labels,
            "rank": self.rank,
            "lr_multiplier": self.lr_multiplier,
        }


_FIRST = ((0, 0), (1, 0), (0, 0))
_LAST = ((0, 0), (0, 1), (0, 0))
