"""Adversarial training: at the perturbed word table, or with a penalty on its pull."""

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
    norm,
    step_along,
    table_gradient,
    unscaled,
    word_table,
)


class Adversarial(Method):
    """Train at the perturbed table that `prepare` finds."""

    def uphill(
        self, model: keras.Model, batch: Batch, delta: Tensor, length: float
    ) -> Tensor:
        """Return a step (V, E) of that length up the gradient at E + delta."""

        def loss(outputs: Any) -> Tensor:
            return batch_loss(model, batch, outputs)

        return step_along(table_gradient(model, batch.x, delta, loss), length)

    def loss(
        self, model: keras.Model, batch: Batch, prepared: Any
    ) -> tuple[Tensor, Any]:
        """Return the loss at the perturbed table, and the outputs there."""
        outputs = call_at(model, batch.x, prepared)
        return batch_loss(model, batch, outputs), outputs


@keras.saving.register_keras_serializable(package="kerasplm")
@dataclasses.dataclass(frozen=True)
class FGM(Adversarial):
    """Train where one step of length epsilon up the gradient leads.

    delta = epsilon * g / (|g| + 1e-8) with g = dL/dE; the update is that of the
    gradient at E + delta, not of the sum with the clean one. Loss and metrics are
    those at E + delta. Costs a second pass forth and back.

    Args:
        epsilon: Length of the step.

    Raises:
        ConfigError: `epsilon` is negative or not finite.

    Example:
        >>> FGM().epsilon
        0.5

    Source: arXiv:1605.07725; `adversarial_training` of bojone/bert4keras
    examples/task_iflytek_adversarial_training.py.
    """

    epsilon: float = 0.5

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_lengths(self, "epsilon")

    def prepare(self, model: keras.Model, batch: Batch) -> Tensor:
        """Return the perturbation (V, E)."""
        return self.uphill(model, batch, 0.0, self.epsilon)


@keras.saving.register_keras_serializable(package="kerasplm")
@dataclasses.dataclass(frozen=True)
class PGD(Adversarial):
    """Train where several steps up the gradient lead, at most epsilon away.

    In each step delta += alpha * g / (|g| + 1e-8) with g = dL/dE at E + delta, then
    delta is cut to the length epsilon. The update is that of the gradient at the last
    E + delta. With one step and alpha = epsilon it is FGM.

    Args:
        epsilon: The largest length of the perturbation.
        alpha: Length of a step.
        steps: Number of steps; each costs a pass forth and back.

    Raises:
        ConfigError: A length is negative or not finite, or `steps` is not positive.

    Example:
        >>> PGD(epsilon=1.0, alpha=0.3, steps=3)
        PGD(epsilon=1.0, alpha=0.3, steps=3)

    Source: arXiv:1706.06083, with the norms of FGM as in Tongjilibo/bert4torch.
    """

    epsilon: float = 1.0
    alpha: float = 0.3
    steps: int = 3

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_lengths(self, "epsilon", "alpha")
        check_count(self, "steps")

    def prepare(self, model: keras.Model, batch: Batch) -> Tensor:
        """Return the perturbation (V, E)."""
        import tensorflow as tf

        delta = tf.zeros_like(word_table(model).value)
        for _ in range(self.steps):
            delta += self.uphill(model, batch, delta, self.alpha)
            length = norm(delta)
            delta = tf.where(
                length > self.epsilon, delta * (self.epsilon / length), delta
            )
        return delta


@keras.saving.register_keras_serializable(package="kerasplm")
@dataclasses.dataclass(frozen=True)
class GradientPenalty(Method):
    """Add half the squared norm of the gradient by the word table to the loss.

    L + epsilon / 2 * |dL/dE|²; the gradient is differentiated again, which costs
    about as much as a second pass forth and back and more memory.

    Args:
        epsilon: Weight of the penalty.

    Raises:
        ConfigError: `epsilon` is negative or not finite.

    Example:
        >>> GradientPenalty().epsilon
        1.0

    Source: `loss_with_gradient_penalty` of bojone/bert4keras
    examples/task_iflytek_gradient_penalty.py; see the module for the norm.
    """

    epsilon: float = 1.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_lengths(self, "epsilon")

    def loss(
        self, model: keras.Model, batch: Batch, prepared: Any
    ) -> tuple[Tensor, Any]:
        """Return the penalised loss, and the outputs."""
        import tensorflow as tf

        table = word_table(model).value
        with tf.GradientTape() as tape:
            tape.watch(table)
            outputs = model(batch.x, training=True)
            loss = batch_loss(model, batch, outputs)
            scaled = model.optimizer.scale_loss(loss)
        gradient = unscaled(model, tape.gradient(scaled, table))
        penalty = tf.reduce_sum(tf.square(gradient))
        # Where the loss scale of mixed precision made it overflow the gradient does
        # too, and the step is skipped; the mean of the losses must stay finite.
        penalty = tf.where(tf.math.is_finite(penalty), penalty, 0.0)
        return loss + 0.5 * self.epsilon * penalty, outputs
