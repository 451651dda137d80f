"""Which stages a distillation has, and which of its choices they take."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kerasplm.distillation.choices import Choices
from kerasplm.errors import ConfigError

if TYPE_CHECKING:
    from kerasplm.distillation.job import DistillationJob
    from kerasplm.pretraining.training_settings import Settings

STAGES: Mapping[str, tuple[str, ...]] = {
    "tinybert": ("teacher", "general", "intermediate", "prediction"),
    "theseus": ("teacher", "replacing", "finetuning"),
}
"""Stages of each method, in their order."""
USUAL: Mapping[str, tuple[str, ...]] = {
    "tinybert": ("intermediate", "prediction"),
    "theseus": ("replacing", "finetuning"),
}
"""Those that are done if none are named."""
AUGMENTED = ("intermediate", "prediction")
"""Those that train on an augmented file, if there is one."""

_OWN: Mapping[str, tuple[str, ...]] = {
    "tinybert": ("cache_answers", *(x.name for x in dataclasses.fields(Choices))),
    "theseus": ("replace", "replace_schedule"),
}
"""Choices that no other method takes."""


def check_job(job: "DistillationJob") -> None:
    """Check what can be checked without files.

    Args:
        job: A distillation, whose method is checked first: its plan depends on it.

    Raises:
        ConfigError: Choices contradict each other, or have no effect.
    """
    if job.method not in STAGES:
        raise ConfigError(
            f"method must be one of {', '.join(STAGES)}. Received: {job.method!r}"
        )
    unknown = [name for name in job.stages if name not in STAGES[job.method]]
    unknown += [name for name in job.stage_changes if name not in job.plan]
    if unknown:
        raise ConfigError(
            f"the stages of {job.method} are {', '.join(STAGES[job.method])}; "
            f"planned are {', '.join(job.plan)}. Received: {', '.join(unknown)}"
        )
    _check_choices(job)
    given = [job.student, job.student_config, job.student_layers]
    if sum(x is not None for x in given) != 1:
        raise ConfigError(
            "expected one of: a student, a configuration of the student, layers of "
            "the teacher"
        )
    if job.student is not None and job.family is not None:
        raise ConfigError("family: for a student of a configuration or of layers only")
    if job.of_task and (job.task is None or job.data is None):
        raise ConfigError(f"{', '.join(job.of_task)}: needs a task and its data")
    if "general" in job.plan and (job.general is None or not job.general_data):
        raise ConfigError(
            "the stage 'general' needs data of pre-training and a number of steps"
        )
    asked = (job.general, job.general_data, job.general_teacher, job.general_masked)
    if "general" not in job.plan and (any(asked) or job.strategy != "auto"):
        raise ConfigError("choices of the stage 'general', which is not planned")
    if job.general is not None:
        check_general(job.choices, job.general)
    if job.augmented is not None:
        check_augmented(job)
    if job.replace_schedule not in ("constant", "linear"):
        raise ConfigError(
            "replace_schedule must be constant or linear. Received: "
            f"{job.replace_schedule!r}"
        )
    if job.changes.get("method") is not None:
        raise ConfigError("a distillation is trained without another method")
    # The teacher alone is fine-tuned.
    stages = {k: v for k, v in job.stage_changes.items() if k != "teacher"}
    for changes in (job.changes, *stages.values()):
        if changes.get("packing") or changes.get("jit"):
            raise ConfigError("packing and jit: for fine-tuning, not for distillation")


def check_augmented(job: "DistillationJob") -> None:
    """Raise `ConfigError` if no stage takes an augmented training file."""
    if not set(AUGMENTED) & set(job.plan):
        raise ConfigError(
            f"an augmented file is for the stages {' and '.join(AUGMENTED)}; "
            f"planned are {', '.join(job.plan)}"
        )


def check_general(choices: Choices, settings: "Settings") -> None:
    """Raise `ConfigError` if general distillation is not trained as the losses say."""
    if choices.compat and not settings.clip_each:
        raise ConfigError(
            "compat: TinyBERT's code clips each gradient alone; expected settings with "
            "clip_each=True"
        )


def _check_choices(job: "DistillationJob") -> None:
    """Refuse choices of another method: they would do nothing."""
    usual: dict[str, Any] = {x.name: x.default for x in dataclasses.fields(job)}
    # What `compat` chooses is not the user's choice.
    usual |= dataclasses.asdict(Choices(compat=job.choices.compat)) | {"compat": False}
    for method, names in _OWN.items():
        idle = [
            name
            for name in names
            if getattr(job.choices if hasattr(job.choices, name) else job, name)
            != usual[name]
        ]
        if method != job.method and idle:
            raise ConfigError(
                f"{', '.join(idle)}: for the method {method} only; {job.method} "
                f"takes {', '.join(_OWN[job.method])}"
            )
