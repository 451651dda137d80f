"""The choices of one pre-training."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import keras

from kerasplm.errors import ConfigError
from kerasplm.optimization import LAMB, NO_DECAY, AdamW
from kerasplm.precision import PRECISIONS
from kerasplm.pretraining.stages import Stage
from kerasplm.schedules import WarmupLinear
from kerasplm.tasks.choices import check_types

SCHEDULES: Mapping[str, Any] = {
    "bert": "replace",
    "electra": "multiply",
    "nezha": "continuous",
}
"""Schedules with a warm-up: name to the rule of `WarmupLinear`."""

OPTIMIZERS: Mapping[str, tuple[type[AdamW], Mapping[str, Any]]] = {
    "adamw": (AdamW, {}),
    "lamb": (LAMB, {"exclude_from_adaptation": NO_DECAY}),
    "lamb-brightmart": (LAMB, {"exclude_from_adaptation": ()}),
    "lamb-nezha": (
        LAMB,
        {"exclude_from_adaptation": (), "bias_correction": True, "rule": "nezha"},
    ),
}
"""The originals' optimizers: name to class and what is fixed; "lamb" is Google's."""


# What changes neither the data nor the weights, but for rounding.
WITHOUT_EFFECT = (
    "accumulation",
    "best",
    "eval_batches",
    "eval_steps",
    "jit",
    "keep",
    "log_steps",
    "peak_flops",
    "recompute",
    "save_steps",
    "steps_per_execution",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold the choices of one pre-training.

    Args:
        steps: Updates of the whole training.
        batch_size: Rows per update, over all replicas.
        max_length: Tokens per row.
        stages: Parts with other lengths or batch sizes, such as
            ("900000:128", "100000:512:64"): steps, tokens, and rows if they are not
            `batch_size`. They must add up to `steps`. None: one part.
        learning_rate: Peak of the schedule.
        warmup: Updates in which the rate rises; None is a tenth of all.
        schedule: "bert", "electra" or "nezha" (how rise and fall are joined, see
            `WarmupLinear`), or "constant".
        power: Of the fall; 1 is linear.
        optimizer: "adamw", "lamb" (Google's), "lamb-brightmart", "lamb-nezha".
        beta_2: Decay of the second moment; roberta_zh's was 0.98.
        weight_decay: Decoupled decay; not of biases and norms.
        clip_norm: Largest joint norm of the gradients; None does not clip.
        clip_each: Whether it is the norm of each gradient alone, as in BertAdam.
        layer_decay: Factor of the rate from each layer to the one below.
        precision: "float32", or "bfloat16" (TPU, new GPUs) or "float16" (older GPUs,
            with loss scaling) for the activations.
        accumulation: Parts into which a replica divides its rows to save memory.
        recompute: Compute activations again in the backward pass to save memory.
        jit: Compile the step with XLA; None does so if there is an accelerator.
        steps_per_execution: Updates between two returns to Python.
        log_steps: Updates between two lines of the log.
        save_steps: Updates between two checkpoints.
        keep: How many checkpoints to keep beside the best one.
        eval_steps: Updates between two evaluations; None: at each checkpoint.
        eval_batches: Batches of one evaluation.
        best: Metric of the evaluation that says which checkpoint is best; one with
            "loss" in its name is to be small, any other large.
        peak_flops: What one replica can do, in operations per second; 0 measures it,
            None leaves the utilisation out.
        seed: Of the weights, the order of the data, masks and dropout.

    Raises:
        ConfigError: A choice is out of its range, or two contradict each other.

    Example:
        >>> Settings(steps=100).parts()
        (Stage(steps=100, length=128, batch_size=32, max_predictions=None, data=None),)
    """

    steps: int = 100_000
    batch_size: int = 32
    max_length: int = 128
    stages: tuple[str, ...] | None = None
    learning_rate: float = 1e-4
    warmup: int | None = None
    schedule: str = "bert"
    power: float = 1.0
    optimizer: str = "adamw"
    beta_2: float = 0.999
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    clip_each: bool = False
    layer_decay: float | None = None
    precision: str = "float32"
    accumulation: int = 1
    recompute: bool = False
    jit: bool | None = None
    steps_per_execution: int = 1
    log_steps: int = 100
    save_steps: int = 1000
    keep: int = 5
    eval_steps: int | None = None
    eval_batches: int = 100
    best: str = "loss"
    peak_flops: float | None = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check types and numbers."""
        check_types(Settings, {f.name: getattr(self, f.name) for f in fields(self)})
        positive = ("steps", "batch_size", "learning_rate", "clip_norm", "accumulation")
        more = ("log_steps", "save_steps", "eval_steps", "eval_batches", "keep")
        for name in (*positive, *more, "steps_per_execution", "layer_decay", "power"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name} must be positive. Received: {value}")
        for name in ("beta_2", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be in [0, 1). Received: {getattr(self, name)}"
                )
        for name, known in (
            ("schedule", (*SCHEDULES, "constant")),
            ("optimizer", tuple(OPTIMIZERS)),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} must be one of {', '.join(known)}. Received: "
                    f"{getattr(self, name)!r}"
                )
        if self.clip_each and self.clip_norm is None:
            raise ConfigError("clip_each: needs a clip_norm")
        if self.max_length < 3:
            raise ConfigError(
                f"max_length must be at least 3. Received: {self.max_length}"
            )
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be in [0, 2**32). Received: {self.seed}")
        if self.warmup is not None and not 0 <= self.warmup <= self.steps:
            raise ConfigError(
                f"warmup must be in [0, steps]. Received: warmup={self.warmup}, "
                f"steps={self.steps}"
            )
        if self.peak_flops is not None and self.peak_flops < 0:
            raise ConfigError(
                f"peak_flops must not be negative. Received: {self.peak_flops}"
            )
        self.parts()

    def parts(self) -> tuple[Stage, ...]:
        """Return the stages in order."""
        if self.stages is None:
            size = self.batch_size
            return (Stage(steps=self.steps, length=self.max_length, batch_size=size),)
        found = tuple(self._stage(text) for text in self.stages)
        if sum(stage.steps for stage in found) != self.steps:
            raise ConfigError(
                f"stages must have {self.steps} steps in all, as steps says. "
                f"Received: {', '.join(self.stages)}"
            )
        return found

    def _stage(self, text: str) -> Stage:
        given = text.split(":")
        if len(given) not in (2, 3) or not all(x.isdecimal() for x in given):
            raise ConfigError(
                "stages: expected STEPS:LENGTH or STEPS:LENGTH:BATCH_SIZE, such as "
                f"100000:512, found {text!r}"
            )
        steps, length, *rows = map(int, given)
        size = rows[0] if rows else self.batch_size
        if steps < 1 or length < 3 or size < 1:
            raise ConfigError(
                "stages: expected positive numbers and 3 tokens or more, found "
                f"{text!r}"
            )
        return Stage(steps=steps, length=length, batch_size=size)


def schedule_of(settings: Settings) -> Any:
    """Return the learning rate, a number or a schedule.

    Args:
        settings: The choices.

    Example:
        >>> schedule_of(Settings(steps=10, schedule="constant", learning_rate=0.1))
        0.1
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    warmup = settings.steps // 10 if settings.warmup is None else settings.warmup
    return WarmupLinear(
        settings.learning_rate,
        settings.steps,
        warmup,
        rule=SCHEDULES[settings.schedule],
        power=settings.power,
    )


def optimizer_of(settings: Settings) -> keras.optimizers.Optimizer:
    """Return the optimizer; with float16 one that scales the loss.

    Args:
        settings: The choices.

    Example:
        >>> optimizer_of(Settings(optimizer="lamb-nezha")).rule
        'nezha'
    """
    kind, fixed = OPTIMIZERS[settings.optimizer]
    optimizer = kind(
        schedule_of(settings),
        beta_2=settings.beta_2,
        weight_decay=settings.weight_decay,
        global_clipnorm=None if settings.clip_each else settings.clip_norm,
        clipnorm=settings.clip_norm if settings.clip_each else None,
        layerwise_decay=settings.layer_decay,
        **fixed,
    )
    if settings.precision == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
