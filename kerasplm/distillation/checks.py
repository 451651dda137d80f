"""Which losses there are, and which models fit together."""

from collections.abc import Mapping

import keras

from kerasplm.checkpoint import body_of
from kerasplm.distillation.answers import check_answers
from kerasplm.errors import ConfigError
from kerasplm.task_models import TaskModel

LAYERS = ("attention", "hidden", "embedding")
LOSSES = (*LAYERS, "prediction", "hard")
_USUAL = dict.fromkeys(LAYERS, 1.0)


def checked_losses(losses: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weights of the losses that are used."""
    given = dict(_USUAL if losses is None else losses)
    unknown = [name for name in given if name not in LOSSES]
    if unknown or any(not weight >= 0 for weight in given.values()):
        raise ConfigError(
            f"losses must give weights, none negative, to {', '.join(LOSSES)}. "
            f"Received: {given}"
        )
    used = {name: float(weight) for name, weight in given.items() if weight}
    if not used:
        raise ConfigError("losses: expected a weight above 0, found none")
    return used


def check_models(
    teacher: keras.Model, student: keras.Model, losses: Mapping[str, float], heads: str
) -> None:
    """Refuse two models that do not fit together.

    Args:
        teacher: The teacher.
        student: The student.
        losses: Those that are used.
        heads: "same" or "mean".

    Raises:
        ConfigError: They do not.
    """
    wide, narrow = body_of(teacher), body_of(student)
    if wide is narrow:
        raise ConfigError("teacher and student are the same model")
    asked = [("vocab_size", "a common vocabulary"), ("attention", "one attention")]
    if "attention" in losses and heads == "same":
        why = "as many attention heads (or heads='mean', which compares means)"
        asked.append(("num_attention_heads", why))
    for name, why in asked:
        mine, theirs = getattr(narrow.config, name), getattr(wide.config, name)
        if mine != theirs:
            raise ConfigError(
                f"expected {why}; found {name}={theirs!r} in the teacher and "
                f"{mine!r} in the student"
            )
    if "prediction" in losses:
        check_answers(teacher, student)
    both = [isinstance(model, TaskModel) for model in (teacher, student)]
    if losses.keys() & set(LAYERS) and both[0] != both[1]:
        raise ConfigError(
            "expected two task models or two encoders, found a "
            f"{type(teacher).__name__} and a {type(student).__name__}"
        )
    if "hard" in losses and not isinstance(student, TaskModel):
        raise ConfigError(
            "the loss 'hard' needs a task model as the student, found a "
            f"{type(student).__name__}"
        )
