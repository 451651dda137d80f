"""How each task is distilled: published choices and ours, as data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

_TINYBERT = "huawei-noah/Pretrained-Language-Model TinyBERT, task_distill.py; README"
_PAPER = "arXiv:1909.10351, sections 4.2 and B"
_OURS = "not published: by the number of rows, as the paper does for GLUE"
_THESEUS = "bojone/bert4keras examples/task_iflytek_bert_of_theseus.py"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to distil one task.

    Args:
        epochs: Of the intermediate stage.
        max_length: Tokens per input; None: as the task is fine-tuned.
        augment: Sentences made of each one by augmentation.
        source: Where this is from.
    """

    epochs: int
    max_length: int | None = None
    augment: int = 20
    source: str = _OURS


def _glue(epochs: int, max_length: int, augment: int) -> Recipe:
    # What task_distill.py means to set, and then reads from other names.
    return Recipe(
        epochs=epochs, max_length=max_length, augment=augment, source=_TINYBERT
    )


RECIPES: Mapping[str, Recipe] = {
    "cola": _glue(50, 64, 30),
    "mnli": _glue(5, 128, 10),
    "mrpc": _glue(20, 128, 30),
    "sst-2": _glue(10, 64, 20),
    "sts-b": _glue(20, 128, 30),
    "qqp": _glue(5, 128, 10),
    "qnli": _glue(10, 128, 20),
    "rte": _glue(20, 128, 30),
    # CLUE and the tasks of the Chinese models: large sets as MNLI, middle as SST-2,
    # small as RTE.
    "afqmc": Recipe(epochs=10),
    "tnews": Recipe(epochs=10, max_length=128),
    "iflytek": Recipe(epochs=20, max_length=128),
    "cmnli": Recipe(epochs=5, augment=10),
    "ocnli": Recipe(epochs=10),
    "csl": Recipe(epochs=10),
    "wsc": Recipe(epochs=50, augment=30),
    "cluewsc2020": Recipe(epochs=50, augment=30),
    "xnli": Recipe(epochs=5, augment=10),
    "lcqmc": Recipe(epochs=5, augment=10),
    "bq": Recipe(epochs=10, augment=10),
    "chnsenticorp": Recipe(epochs=20),
}
"""Recipes of the tasks, by their names."""

USUAL = Recipe(epochs=10)
"""Of any other task."""

STAGES: Mapping[str, Mapping[str, Any]] = {
    # A constant rate: stage 1 of task_distill.py has the schedule "none".
    "intermediate": {"learning_rate": 5e-5, "batch_size": 32, "schedule": "constant"},
    "prediction": {
        "learning_rate": 3e-5,
        "batch_size": 32,
        "epochs": 3,
        "schedule": "nezha",  # warmup_linear of BertAdam
        "warmup": 0.1,
    },
    "replacing": {
        "learning_rate": 2e-5,
        "batch_size": 32,
        "epochs": 10,
        "schedule": "constant",
    },
    "finetuning": {
        "learning_rate": 2e-5,
        "batch_size": 32,
        "epochs": 5,
        "schedule": "constant",
    },
    "teacher": {},
}
"""Choices of each stage on a task, the same for all tasks."""

GENERAL: Mapping[str, Any] = {
    "learning_rate": 5e-5,
    "schedule": "nezha",  # warmup_linear of BertAdam
    "clip_norm": 1.0,
    "clip_each": True,
}
"""Choices of general distillation that differ from those of pre-training.

Source: huawei-noah/Pretrained-Language-Model TinyBERT, general_distill.py.
"""

SOURCES = {
    "intermediate": f"{_TINYBERT}; {_PAPER}",
    "prediction": f"{_TINYBERT}; {_PAPER}",
    "replacing": _THESEUS,
    "finetuning": _THESEUS,
    "teacher": "the recipe of the task",
}


def stage_choices(task: str, stage: str) -> dict[str, Any]:
    """Return the choices of a stage that differ from those of fine-tuning the task.

    Args:
        task: Name of a task.
        stage: A key of `STAGES`.

    Example:
        >>> stage_choices("cola", "intermediate")["epochs"]
        50
    """
    recipe = RECIPES.get(task.lower(), USUAL)
    found = dict(STAGES[stage])
    if stage == "intermediate":
        found["epochs"] = recipe.epochs
    if stage != "teacher" and recipe.max_length is not None:
        found["max_length"] = recipe.max_length
    return found
