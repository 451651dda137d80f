"""The optimizer and the learning-rate schedule of the original code."""

import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasplm.errors import ConfigError

Tensor = Any

# The originals match "LayerNorm" and "bias" in their names; these are our endings.
NO_DECAY = (r"gamma$", r"beta$", r"bias$")


@keras.saving.register_keras_serializable(package="kerasplm")
class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay and without bias correction.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g²
    w = w - lr (m / (sqrt(v) + epsilon) + weight_decay w)

    Keras' own AdamW corrects the bias of m and v, which changes the first thousands
    of steps, and matches names to exclude against `variable.name` only.

    Args:
        learning_rate: Number or schedule.
        weight_decay: Rate of the decay, multiplied by the learning rate.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment; roberta_zh's pre-training uses 0.98.
        epsilon: Added outside the square root.
        exclude_from_decay: Regular expressions, searched in `variable.path`.
        global_clipnorm: Scale all gradients so that their joint norm is at most
            this. None does not clip.
        name: Name of the optimizer.
        **kwargs: Other arguments of `keras.optimizers.Optimizer`, such as
            `gradient_accumulation_steps` or `use_ema`.

    Example:
        >>> AdamW(2e-5).get_config()["weight_decay"]
        0.01

    Source: `AdamWeightDecayOptimizer` of google-research/bert optimization.py.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 2e-5,
        weight_decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        exclude_from_decay: Sequence[str] = NO_DECAY,
        global_clipnorm: float | None = 1.0,
        name: str = "adamw",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            global_clipnorm=global_clipnorm,
            name=name,
            **kwargs,
        )
        self.decay_rate = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.exclude_from_decay = tuple(exclude_from_decay)

    def build(self, variables: list[keras.Variable]) -> None:
        """Create both moments of every variable."""
        if self.built:
            return
        super().build(variables)
        self._m, self._v = self.add_optimizer_variables(variables, ["m", "v"])
        excluded = re.compile("|".join(self.exclude_from_decay) or r"(?!)")
        self._decays = [not excluded.search(variable.path) for variable in variables]

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        m, v = self._m[index], self._v[index]
        # The gradient of a looked-up table comes as rows; the moments are dense.
        if hasattr(gradient, "dense_shape"):
            gradient = ops.add(ops.zeros_like(variable), gradient)
        gradient = ops.cast(gradient, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * gradient)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        update = m / (ops.sqrt(v) + self.epsilon)
        if self._decays[index]:
            update += self.decay_rate * variable
        self.assign_sub(variable, rate * update)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "weight_decay": self.decay_rate,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "exclude_from_decay": self.exclude_from_decay,
        }


@keras.saving.register_keras_serializable(package="kerasplm")
class WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 during the warm-up, fall linearly to 0 at the last step.

    rate(s) = peak * s / warmup              for s < warmup
            = peak * (1 - s / steps)         after it

    As in the originals the rise replaces the fall: at the end of the warm-up the
    rate drops from the peak to peak * (1 - warmup / steps).

    Args:
        peak: The highest rate.
        steps: Optimizer steps of the whole training.
        warmup: Optimizer steps of the warm-up; 0 has none.

    Raises:
        ConfigError: `steps` is not positive, or `warmup` is not in [0, steps].

    Example:
        >>> [round(float(WarmupLinear(1.0, 10, 2)(s)), 2) for s in (0, 1, 2, 9)]
        [0.0, 0.5, 0.8, 0.1]

    Source: `create_optimizer` of google-research/bert optimization.py.
    """

    def __init__(self, peak: float, steps: int, warmup: int = 0) -> None:
        super().__init__()
        if steps < 1 or not 0 <= warmup <= steps:
            raise ConfigError(
                "steps must be positive and warmup in [0, steps]. Received: "
                f"steps={steps}, warmup={warmup}"
            )
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        done = ops.minimum(step, float(self.steps)) / self.steps
        fall = self.peak * (1.0 - done)
        if not self.warmup:
            return fall
        return ops.where(
            step < self.warmup, self.peak * step / float(self.warmup), fall
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


def adamw(
    learning_rate: float, steps: int, warmup: int | None = None, **kwargs: Any
) -> AdamW:
    """Return the originals' optimizer with their schedule.

    Args:
        learning_rate: Peak of the schedule.
        steps: Optimizer steps of the whole training.
        warmup: Optimizer steps of the warm-up; default a tenth of `steps`.
        **kwargs: Other arguments of `AdamW`.

    Example:
        >>> adamw(2e-5, steps=1000).learning_rate.shape
        TensorShape([])
    """
    if warmup is None:
        warmup = int(steps * 0.1)
    return AdamW(WarmupLinear(learning_rate, steps, warmup), **kwargs)
