"""What of the outputs of a task model is a probability that can be learned."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras import ops

from kerasplm.errors import ConfigError
from kerasplm.task_models import TaskModel
from kerasplm.task_models.choice import NO_CHOICE

Tensor = Any


class Answer(NamedTuple):
    """Logits of one decision.

    Args:
        logits: (..., C); of a number (B, 1).
        rows: (...), 1 = counts; None: all do.
        classes: (..., C), True = the class exists; None: all do.
    """

    logits: Tensor
    rows: Tensor | None = None
    classes: Tensor | None = None


Inputs = Mapping[str, Tensor]
Answers = dict[str, Answer]


def _classes(outputs: Any, inputs: Inputs) -> Answers:
    return {"logits": Answer(outputs)}


def _choices(outputs: Any, inputs: Inputs) -> Answers:
    return {"logits": Answer(outputs, classes=outputs > NO_CHOICE / 2)}


def _tags(outputs: Any, inputs: Inputs) -> Answers:
    return {"logits": Answer(outputs["logits"], rows=inputs.get("padding_mask"))}


def _spans(outputs: Any, inputs: Inputs) -> Answers:
    mask = inputs.get("padding_mask")
    found = {
        name: Answer(outputs[name], classes=mask)
        for name in ("start_logits", "end_logits")
    }
    if "answerable_logit" in outputs:
        logit = outputs["answerable_logit"]
        both = ops.stack([ops.zeros_like(logit), logit], axis=-1)
        found["answerable_logit"] = Answer(both)
    return found


_KINDS: dict[str, Callable[[Any, Inputs], Answers]] = {
    "classification": _classes,
    "choice": _choices,
    "tagging": _tags,
    "span": _spans,
}


def answers(model: TaskModel, outputs: Any, inputs: Inputs) -> Answers:
    """Return the decisions in the outputs of a model, by name.

    Args:
        model: A model that `check_answers` lets pass.
        outputs: What it returned.
        inputs: What it was called with.
    """
    return _KINDS[model.kind](outputs, inputs)


def is_number(model: Any) -> bool:
    """Whether a model gives one number instead of classes."""
    one = getattr(model, "kind", "") == "classification"
    return one and len(model.labels) == 1


def check_answers(teacher: Any, student: Any) -> None:
    """Make sure that a student can learn the answers of a teacher.

    Raises:
        ConfigError: One is no task model, they answer different questions, or their
            answers are no probabilities of classes.
    """
    for who, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, TaskModel):
            raise ConfigError(
                f"the prediction loss needs task models, but the {who} is a "
                f"{type(model).__name__}"
            )
    if teacher.kind != student.kind:
        raise ConfigError(
            f"expected a teacher and a student of one kind, found {teacher.kind!r} "
            f"and {student.kind!r}"
        )
    if student.kind not in _KINDS:
        raise ConfigError(
            f"answers of kind {student.kind!r} are no probabilities of classes: "
            "without the prediction loss"
        )
    for name in ("labels", "tags", "decoder"):
        mine, theirs = (getattr(m, name, None) for m in (student, teacher))
        if mine != theirs:
            raise ConfigError(
                f"expected a teacher and a student with the same {name}, found "
                f"{theirs!r} and {mine!r}"
            )
    if getattr(student, "decoder", "softmax") != "softmax":
        raise ConfigError(
            f"decoder={student.decoder!r}: only decoder='softmax' gives a probability "
            "of each tag that can be learned"
        )
