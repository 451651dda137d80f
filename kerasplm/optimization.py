"""The optimizers of the original code."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from kerasplm.errors import ConfigError
from kerasplm.fused import kernels
from kerasplm.learning_rates import factors
from kerasplm.schedules import WarmupLinear

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

    With `use_ema=True` the mean of the weights is that of bert4keras: it starts from
    nothing and is corrected for that. In Keras it starts from the first weights,
    which stay in it for thousands of steps. `keras.callbacks.SwapEMAWeights` puts it
    into the model for the evaluation.

    With `gradient_accumulation_steps` schedules and the mean count updates, as a step
    on the joined batch would; Keras' own optimizers count batches.

    Args:
        learning_rate: Number or schedule.
        weight_decay: Rate of the decay, multiplied by the learning rate.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment; roberta_zh's pre-training uses 0.98.
        epsilon: Added outside the square root.
        exclude_from_decay: Regular expressions, searched in `variable.path`.
        global_clipnorm: Scale all gradients so that their joint norm is at most
            this. None does not clip.
        bias_correction: Divide m by 1 - b1^t and v by 1 - b2^t in update t, as
            bert4keras does.
        layerwise_decay: Multiply the learning rate of each layer by this factor
            once more than that of the layer above; see
            `kerasplm.learning_rates.factors`.
        rate_multipliers: Factors of the learning rate by regular expression,
            searched in `variable.path`, as {"crf": 100}.
        name: Name of the optimizer.
        **kwargs: Other arguments of `keras.optimizers.Optimizer`, such as
            `gradient_accumulation_steps` or `use_ema`.

    Raises:
        ConfigError: `ema_momentum` is not below 1. When the optimizer meets the
            weights: `layerwise_decay` or `rate_multipliers` do not fit them.

    Example:
        >>> AdamW(2e-5).get_config()["weight_decay"]
        0.01

    Source: `AdamWeightDecayOptimizer` of google-research/bert optimization.py.
    """

    adapts: ClassVar[bool] = False
    """Whether the rate of a variable depends on its update."""

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 2e-5,
        weight_decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        exclude_from_decay: Sequence[str] = NO_DECAY,
        global_clipnorm: float | None = 1.0,
        bias_correction: bool = False,
        layerwise_decay: float | None = None,
        rate_multipliers: Mapping[str, float] | None = None,
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
        self.bias_correction = bias_correction
        self.layerwise_decay = layerwise_decay
        self.rate_multipliers = dict(rate_multipliers or {})
        if self.ema_momentum >= 1:
            raise ConfigError(
                f"ema_momentum must be below 1. Received: {self.ema_momentum}"
            )

    def build(self, variables: list[keras.Variable]) -> None:
        """Create both moments of every variable."""
        if self.built:
            return
        paths = [variable.path for variable in variables]
        # Before any variable is created: this may refuse.
        self._factors = factors(paths, self.layerwise_decay, self.rate_multipliers)
        self._decays = [not _found(self.exclude_from_decay, path) for path in paths]
        super().build(variables)
        self._m, self._v = self.add_optimizer_variables(variables, ["m", "v"])

    def _clip_gradients(self, grads: list[Tensor]) -> list[Tensor]:
        own = kernels()
        if own is None or not self.global_clipnorm:
            clipped: list[Tensor] = super()._clip_gradients(grads)
            return clipped
        # Without tensors of the squares; a norm that was computed before is used again.
        return own.clip_by_global_norm(grads, self.global_clipnorm)

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
        rate = ops.cast(learning_rate, variable.dtype) * self._factors[index]
        own = kernels()
        plain = not (self.adapts or self.bias_correction)
        if plain and own is not None and own.joins(gradient):
            options = {"beta_1": self.beta_1, "beta_2": self.beta_2}
            options |= {"epsilon": self.epsilon}
            options |= {"decay": self.decay_rate * self._decays[index]}
            own.adam_step(variable, m.value, v.value, gradient, rate, **options)
            return
        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * gradient)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient))
        if self.bias_correction:
            step = ops.cast(self.iterations + 1, variable.dtype)
            m = m / (1 - self.beta_1**step)
            v = v / (1 - self.beta_2**step)
        update = m / (ops.sqrt(v) + self.epsilon)
        if self._decays[index]:
            update += self.decay_rate * variable
        rate *= self._ratio(index, variable, gradient, m, v, update)
        self.assign_sub(variable, rate * update)

    def _ratio(
        self,
        index: int,
        variable: keras.Variable,
        gradient: Tensor,
        m: Tensor,
        v: Tensor,
        update: Tensor,
    ) -> Tensor:
        """Return by what the update of a variable is multiplied: here nothing."""
        return 1.0

    def _get_current_learning_rate(self) -> Tensor:
        rate = self._learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            return rate(self.iterations)
        return super()._get_current_learning_rate()

    def _update_model_variables_moving_average(
        self, trainable_variables: list[keras.Variable]
    ) -> None:
        """Move the mean of the weights, after an update.

        The mean from zeros, e = b e + (1 - b) w, divided by 1 - b^t, is kept as it
        is after the division, so that Keras' callbacks can use it.
        """
        if not self.use_ema:
            return
        count = ops.cast(self.iterations + 1, "float32")
        b = self.ema_momentum
        momentum = b * (1 - b ** (count - 1)) / (1 - b**count)
        every = self.gradient_accumulation_steps
        if every:
            updated = ops.equal((self._iterations + 1) % every, 0)
            momentum = ops.where(updated, momentum, 1.0)
        for variable, mean in zip(
            trainable_variables, self._model_variables_moving_average, strict=True
        ):
            old = ops.cast(momentum, variable.dtype)
            mean.assign(old * mean + (1 - old) * variable)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "weight_decay": self.decay_rate,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "exclude_from_decay": self.exclude_from_decay,
            "bias_correction": self.bias_correction,
            "layerwise_decay": self.layerwise_decay,
            "rate_multipliers": dict(self.rate_multipliers),
        }


@keras.saving.register_keras_serializable(package="kerasplm")
class LAMB(AdamW):
    """AdamW whose update of each variable is as long as the variable itself.

    u = m / (sqrt(v) + epsilon) + weight_decay w
    w = w - lr |w| / |u| u              (the ratio is 1 where |w| or |u| is 0)

    Three forms of it trained the released models:

    - google-research/albert, and albert_zh's `lamb_optimizer_google.py`: the default.
    - albert_zh's `lamb_optimizer.py` also adapts what is not decayed:
      `exclude_from_adaptation=()`.
    - NEZHA: `exclude_from_adaptation=(), bias_correction=True, rule="nezha"`. There
      |u| is that of m / sqrt(v + epsilon) + weight_decay w, decayed or not, and the
      ratio is at most 10, and 1 where |w| or |g| is 0.

    Keras' own Lamb corrects the bias, leaves the decay out of |u| and adapts every
    variable.

    Args:
        learning_rate: Number or schedule.
        exclude_from_adaptation: Regular expressions, searched in `variable.path`, of
            the variables whose ratio is 1.
        rule: "google" or "nezha".
        name: Name of the optimizer.
        **kwargs: Other arguments of `AdamW`.

    Raises:
        ConfigError: There is no such rule.

    Example:
        >>> LAMB(WarmupLinear(0.00176, steps=125_000, warmup=3125)).rule
        'google'

    Source: `LAMBOptimizer` of google-research/albert lamb_optimizer.py, of
    brightmart/albert_zh, of NEZHA's optimization.py; arXiv:1904.00962.
    """

    adapts = True

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        exclude_from_adaptation: Sequence[str] = NO_DECAY,
        rule: Literal["google", "nezha"] = "google",
        name: str = "lamb",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name=name, **kwargs)
        if rule not in ("google", "nezha"):
            raise ConfigError(f"rule must be 'google' or 'nezha'. Received: {rule!r}")
        self.exclude_from_adaptation = tuple(exclude_from_adaptation)
        self.rule = rule

    def build(self, variables: list[keras.Variable]) -> None:
        """Create both moments of every variable."""
        if self.built:
            return
        self._adapts = [
            not _found(self.exclude_from_adaptation, variable.path)
            for variable in variables
        ]
        super().build(variables)

    def _ratio(
        self,
        index: int,
        variable: keras.Variable,
        gradient: Tensor,
        m: Tensor,
        v: Tensor,
        update: Tensor,
    ) -> Tensor:
        if not self._adapts[index]:
            return 1.0
        length = _norm(variable)
        if self.rule == "google":
            return _quotient(length, _norm(update), _norm(update))
        compared = m / ops.sqrt(v + self.epsilon) + self.decay_rate * variable
        ratio = _quotient(length, _norm(compared), _norm(gradient))
        return ops.minimum(ratio, 10.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "exclude_from_adaptation": self.exclude_from_adaptation,
            "rule": self.rule,
        }


def _found(patterns: Sequence[str], path: str) -> bool:
    return any(re.search(pattern, path) for pattern in patterns)


def _norm(x: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(x)))


def _quotient(length: Tensor, other: Tensor, shown: Tensor) -> Tensor:
    """Return length / other, or 1 where `length` or `shown` is 0."""
    usable = ops.logical_and(length > 0, shown > 0)
    return ops.where(usable, length / ops.where(other > 0, other, 1.0), 1.0)


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
