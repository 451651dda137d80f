"""Consistency: the predictions keep still under dropout or under a perturbation."""

import dataclasses
from typing import Any

import keras

from kerasplm.methods.base import (
    Batch,
    Method,
    Tensor,
    batch_loss,
    call_at,
    check_count,
    check_lengths,
    step_along,
    table_gradient,
    word_table,
)


@keras.saving.register_keras_serializable(package="kerasplm")
@dataclasses.dataclass(frozen=True)
class RDrop(Method):
    """Make two passes with different dropout agree.

    (L1 + L2) / 2 + alpha / 4 * mean(KL(p1 || p2) + KL(p2 || p1)): half of the paper's
    loss, so that alpha = 0 is plain training on the mean of two passes. The
    divergence sums over the classes, as in the paper (bert4torch averages over them,
    which divides alpha by their number), and averages over the rows, or over the real
    tokens where each token has classes. The metrics see the first pass.

    Args:
        alpha: Weight of the divergence.

    Raises:
        ConfigError: `alpha` is negative or not finite. In training: the model gives
            no logits of at least two classes.

    Example:
        >>> RDrop().alpha
        4.0

    Source: arXiv:2106.14448; `RDropLoss` of Tongjilibo/bert4torch losses.
    """

    alpha: float = 4.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_lengths(self, "alpha")

    def loss(
        self, model: keras.Model, batch: Batch, prepared: Any
    ) -> tuple[Tensor, Any]:
        """Return the loss of both passes, and the outputs of the first."""
        first = model(batch.x, training=True)
        second = model(batch.x, training=True)
        loss = (batch_loss(model, batch, first) + batch_loss(model, batch, second)) / 2
        p, q = self.logits(first), self.logits(second)
        divergence = divergence_of(p, q) + divergence_of(q, p)
        mean = mean_of(divergence, batch, batch.sample_weight)
        return loss + self.alpha / 4 * mean, first


@keras.saving.register_keras_serializable(package="kerasplm")
@dataclasses.dataclass(frozen=True)
class VAT(Method):
    """Make the predictions keep still where the word table moves them most.

    p = the model's own probabilities, without dropout and taken as constant. From
    random noise d of length xi, repeatedly: g = dKL(p || p(E + d))/dE, d = xi g / |g|.
    The loss is L + weight * mean(KL(p || p(E + epsilon g / |g|))).

    The labels are used in L only. Rows without a label may be mixed in: give them any
    label and the sample weight 0. (Keras divides the loss by all rows of the batch; a
    loss with reduction="mean_with_sample_weight" divides by those with a label.)

    bert4keras' example takes a second step of another optimizer on the divergence;
    here both make one loss, as in the paper.

    Args:
        xi: Length of the noise.
        epsilon: Length of the perturbation.
        iterations: How often the direction is refined.
        weight: Weight of the divergence.
        seed: Of the noise, together with the step of the optimizer.

    Raises:
        ConfigError: An argument is out of its range. In training: the model gives no
            logits of at least two classes.

    Example:
        >>> VAT(iterations=2).xi
        10.0

    Source: arXiv:1704.03976; `virtual_adversarial_training` of bojone/bert4keras
    examples/task_sentiment_virtual_adversarial_training.py.
    """

    xi: float = 10.0
    epsilon: float = 1.0
    iterations: int = 1
    weight: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_lengths(self, "xi", "epsilon", "weight")
        check_count(self, "iterations")

    def prepare(self, model: keras.Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the target logits and the perturbation (V, E)."""
        import tensorflow as tf

        target = self.logits(model(batch.x, training=False))
        table = word_table(model)
        step = tf.cast(tf.convert_to_tensor(model.optimizer.iterations), "int32")
        noise = tf.random.stateless_normal(
            table.shape, [self.seed, step], dtype=table.dtype
        )

        def divergence(outputs: Any) -> Tensor:
            return self._mean_divergence(batch, target, outputs)

        for _ in range(self.iterations):
            delta = step_along(noise, self.xi)
            noise = table_gradient(model, batch.x, delta, divergence)
        return target, step_along(noise, self.epsilon)

    def loss(
        self, model: keras.Model, batch: Batch, prepared: Any
    ) -> tuple[Tensor, Any]:
        """Return both parts of the loss, and the outputs at the clean table."""
        outputs = model(batch.x, training=True)
        loss = batch_loss(model, batch, outputs)
        target, delta = prepared
        perturbed = call_at(model, batch.x, delta)
        mean = self._mean_divergence(batch, target, perturbed)
        return loss + self.weight * mean, outputs

    def _mean_divergence(self, batch: Batch, target: Tensor, outputs: Any) -> Tensor:
        return mean_of(divergence_of(target, self.logits(outputs)), batch, None)


def divergence_of(target: Tensor, logits: Tensor) -> Tensor:
    """Return KL(softmax(target) || softmax(logits)) over the last axis."""
    import tensorflow as tf

    p = tf.nn.log_softmax(tf.cast(target, "float32"))
    q = tf.nn.log_softmax(tf.cast(logits, "float32"))
    return tf.reduce_sum(tf.exp(p) * (p - q), axis=-1)


def mean_of(values: Tensor, batch: Batch, sample_weight: Any) -> Tensor:
    """Average over the rows (B,), or over the real tokens (B, T), or of targets (B, M).

    As in Keras' losses the weights multiply the values, not their number.
    """
    import tensorflow as tf

    counted = tf.ones_like(values)
    mask = batch.x.get("target_mask", batch.x.get("padding_mask"))
    if values.shape.rank > 1 and mask is not None:
        counted = tf.cast(mask, values.dtype)
    if sample_weight is not None:
        weight = tf.cast(sample_weight, values.dtype)
        if weight.shape.rank < values.shape.rank:
            weight = weight[:, None]
        values *= weight
    return tf.reduce_sum(values * counted) / tf.reduce_sum(counted)
