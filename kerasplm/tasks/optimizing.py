"""The optimizer, its schedule and the training method that settings ask for."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kerasplm.errors import ConfigError
from kerasplm.methods import FGM, PGD, VAT, GradientPenalty, Method, RDrop
from kerasplm.optimization import AdamW
from kerasplm.schedules import PiecewiseLinear, WarmupLinear

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings

SCHEDULES: Mapping[str, Any] = {
    "bert": "replace",
    "electra": "multiply",
    "nezha": "continuous",
}
"""Schedules with a warm-up: name to the rule of `WarmupLinear`."""

METHODS: Mapping[str, type[Method]] = {
    "fgm": FGM,
    "pgd": PGD,
    "gradient_penalty": GradientPenalty,
    "rdrop": RDrop,
    "vat": VAT,
}


def schedule_of(settings: "Settings", steps: int) -> Any:
    """Return the learning rate, a number or a schedule.

    Args:
        settings: The choices.
        steps: Updates of the whole training.
    """
    rate = settings.learning_rate
    if settings.schedule == "constant":
        return rate
    if settings.schedule == "piecewise":
        points = settings.schedule_points
        steps_of = map(int, points[::2])
        return PiecewiseLinear(rate, dict(zip(steps_of, points[1::2], strict=True)))
    warmup = int(steps * settings.warmup)
    return WarmupLinear(rate, steps, warmup, rule=SCHEDULES[settings.schedule])


def optimizer_of(settings: "Settings", steps: int) -> AdamW:
    """Return the optimizer of one fine-tuning.

    Args:
        settings: The choices.
        steps: Updates of the whole training.
    """
    averaging: dict[str, Any] = {}
    if settings.ema is not None:
        averaging = {"use_ema": True, "ema_momentum": settings.ema}
    # The Adam of stand-alone Keras, which Zhuiyi's scripts use, corrects the bias.
    plain = settings.optimizer == "adam"
    return AdamW(
        schedule_of(settings, steps),
        weight_decay=0.0 if plain else settings.weight_decay,
        epsilon=1e-7 if plain else 1e-6,
        bias_correction=plain,
        global_clipnorm=settings.clip_norm,
        layerwise_decay=settings.layer_decay,
        gradient_accumulation_steps=(
            settings.accumulation if settings.accumulation > 1 else None
        ),
        **averaging,
    )


def method_of(text: str | None) -> Method | None:
    """Return a training method from its name and numbers.

    Args:
        text: A key of `METHODS`, such as "fgm"; after colons its arguments in order,
            such as "pgd:1.0:0.3:3". None trains plainly.

    Raises:
        ConfigError: There is no such method, or the numbers do not fit it.

    Example:
        >>> method_of("fgm:0.3")
        FGM(epsilon=0.3)
    """
    if text is None:
        return None
    name, *given = text.split(":")
    if name not in METHODS:
        raise ConfigError(f"method: no {name!r}; there are {', '.join(METHODS)}")
    fields: list[Any] = list(dataclasses.fields(METHODS[name]))  # type: ignore[arg-type]
    names = [field.name for field in fields]
    try:
        if len(given) > len(fields):
            raise ValueError("too many numbers")
        values = [
            type(field.default)(value)
            for field, value in zip(fields, given, strict=False)
        ]
        return METHODS[name](*values)
    except ValueError as error:
        raise ConfigError(
            f"method: expected {name!r} or {name}:{':'.join(names).upper()}, found "
            f"{text!r} ({error})"
        ) from error
