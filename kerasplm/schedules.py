"""Learning rates as functions of the step: the schedules of the original code."""

from collections.abc import Mapping
from typing import Any, Literal

import keras
from keras import ops

from kerasplm.errors import ConfigError

Tensor = Any
WarmupRule = Literal["replace", "multiply", "continuous"]
RULES: tuple[WarmupRule, ...] = ("replace", "multiply", "continuous")


@keras.saving.register_keras_serializable(package="kerasplm")
class WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 during the warm-up, fall to 0 at the last step.

    fall(s) = peak * (1 - s / steps) ** power

    The originals join the rise to it in three ways:

    - "replace" (BERT, RoBERTa-zh, ALBERT): peak * s / warmup, then fall(s). At the
      end of the warm-up the rate drops from the peak to fall(warmup).
    - "multiply" (ELECTRA): min(1, s / warmup) * fall(s).
    - "continuous" (NEZHA): peak * s / warmup, then fall(s) times the factor that
      makes it the peak at the end of the warm-up.

    Args:
        peak: The highest rate; with "multiply" it is not quite reached.
        steps: Optimizer steps of the whole training.
        warmup: Optimizer steps of the warm-up; 0 has none. A fraction of a step
            counts, as in ELECTRA's code.
        rule: How the warm-up is joined to the fall.
        power: Of the fall; 1 is linear.

    Raises:
        ConfigError: An argument is out of its range.

    Example:
        >>> [round(float(WarmupLinear(1.0, 10, 2)(s)), 2) for s in (0, 1, 2, 9)]
        [0.0, 0.5, 0.8, 0.1]

    Source: `create_optimizer` of google-research/bert optimization.py, of
    google-research/electra model/optimization.py, of NEZHA's optimization.py.
    """

    def __init__(
        self,
        peak: float,
        steps: int,
        warmup: float = 0,
        rule: WarmupRule = "replace",
        power: float = 1.0,
    ) -> None:
        super().__init__()
        if steps < 1 or not 0 <= warmup <= steps:
            raise ConfigError(
                "steps must be positive and warmup in [0, steps]. Received: "
                f"steps={steps}, warmup={warmup}"
            )
        if rule not in RULES:
            raise ConfigError(
                f"rule must be one of {', '.join(RULES)}. Received: {rule!r}"
            )
        if rule == "continuous" and warmup == steps:
            raise ConfigError(
                "rule='continuous' needs steps after the warm-up. Received: "
                f"steps={steps}, warmup={warmup}"
            )
        if power <= 0:
            raise ConfigError(f"power must be positive. Received: {power}")
        self.peak, self.steps, self.warmup = peak, steps, warmup
        self.rule, self.power = rule, power

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        done = ops.minimum(step, float(self.steps)) / self.steps
        fall = self.peak * (1.0 - done) ** self.power
        if not self.warmup:
            return fall
        risen = step / float(self.warmup)
        if self.rule == "multiply":
            return fall * ops.minimum(risen, 1.0)
        if self.rule == "continuous":
            fall = fall / (1.0 - self.warmup / self.steps) ** self.power
        return ops.where(step < self.warmup, self.peak * risen, fall)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
            "rule": self.rule,
            "power": self.power,
        }


@keras.saving.register_keras_serializable(package="kerasplm")
class PiecewiseLinear(keras.optimizers.schedules.LearningRateSchedule):
    """Join the given points by straight lines.

    Args:
        peak: The rate where the multiplier is 1.
        knots: Multiplier at steps: {1000: 1, 2000: 0.1} rises from 0 to the peak
            during 1000 steps, falls to a tenth during the next 1000 and stays.
            Without a multiplier at step 0 that is 0.

    Raises:
        ConfigError: There are no knots, or a step or a multiplier is negative.

    Example:
        >>> rate = PiecewiseLinear(1.0, {10: 1, 20: 0.1})
        >>> [round(float(rate(s)), 2) for s in (0, 5, 10, 15, 99)]
        [0.0, 0.5, 1.0, 0.55, 0.1]

    Source: `piecewise_linear` of bojone/bert4keras backend.py.
    """

    def __init__(self, peak: float, knots: Mapping[int, float]) -> None:
        super().__init__()
        # Keys come as strings out of a JSON file.
        points = sorted((int(step), float(knots[step])) for step in knots)
        if not points or any(step < 0 or value < 0 for step, value in points):
            raise ConfigError(
                "knots must map steps to multipliers, none negative. Received: "
                f"{dict(knots)}"
            )
        self.peak, self.knots = peak, dict(points)

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        points = list(({0: 0.0} | self.knots).items())
        multiplier = ops.full_like(step, points[0][1])
        for (start, low), (end, high) in zip(points, points[1:], strict=False):
            done = ops.minimum((step - start) / (end - start), 1.0)
            line = low + (high - low) * done
            multiplier = ops.where(step >= start, line, multiplier)
        return self.peak * multiplier

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        knots = {str(step): value for step, value in self.knots.items()}
        return {"peak": self.peak, "knots": knots}
