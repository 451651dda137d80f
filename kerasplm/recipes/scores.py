"""The published scores, and which of them a run should be compared with."""

import functools
from fnmatch import fnmatchcase

from kerasplm.catalogue import CATALOGUE, model_info
from kerasplm.errors import ConfigError
from kerasplm.recipes.base import Score, Table
from kerasplm.recipes.selection import check_task

SPLITS = ("dev", "test", "challenge", "online", "unstated")


def published_scores(
    task: str | None = None, model: str | None = None, split: str | None = None
) -> tuple[Score, ...]:
    """Return published scores, in percent.

    Args:
        task: Only of this task; one of `TASKS` or `OTHER_TASKS`.
        model: Only of this model: its name in the catalogue, or its label as
            published, such as "ERNIE" or "human"; "*" stands for any characters and
            case does not matter.
        split: Only of this split: "dev", "test", "challenge", "online" or
            "unstated".

    Returns:
        The scores, source by source.

    Raises:
        ConfigError: There is no such task or split.

    Example:
        >>> published_scores("ocnli", "bert-base-zh.google", "test")[0].mean
        72.2
    """
    if task is not None:
        check_task(task)
    if split is not None and split not in SPLITS:
        raise ConfigError(f"split must be one of {SPLITS}. Received: {split!r}")
    return tuple(
        score
        for score in _scores()
        if task in (None, score.task)
        and split in (None, score.split)
        and (model is None or _is(model.lower(), score))
    )


def closest(task: str, model: str, split: str | None = None) -> tuple[Score, ...]:
    """Return the scores that a run of a model should be compared with.

    They are of exactly this model after ordinary fine-tuning, from one source: the
    publisher of the model if it measured the task, else the first of CLUE, PaddleNLP
    and the others. Read `protocol` before comparing.

    Args:
        task: One of `TASKS` or `OTHER_TASKS`.
        model: Name in the catalogue.
        split: Only of this split.

    Returns:
        One score for each split and metric of the source; () if nobody published one.

    Raises:
        ConfigError: There is no such task or split.
        CatalogueError: There is no such model.

    Example:
        >>> [score.best for score in closest("xnli", "rbt3-base-zh.hfl")]
        [72.2, 72.3]
    """
    name = model_info(model).name
    found = [
        score
        for score in published_scores(task, split=split)
        if name in score.models and not score.setting
    ]
    repositories = PUBLISHERS[CATALOGUE[name].publisher]
    found.sort(key=lambda score: not score.source.startswith(repositories))
    return tuple(score for score in found if score.source == found[0].source)


PUBLISHERS = {
    "google": ("google-research/",),
    "hfl": ("ymcui/",),
    "brightmart": ("brightmart/",),
    "huawei": ("huawei-noah/",),
    "zhuiyi": ("ZhuiyiTechnology/",),
}
"""Publisher of models: where its own sources begin."""


@functools.cache
def tables() -> tuple[Table, ...]:
    """Return all tables in their order; they are read when first asked for."""
    from kerasplm.recipes import (
        data_brightmart,
        data_clue,
        data_hfl,
        data_others,
        data_paddle,
        data_zhuiyi,
    )

    return (
        *data_hfl.TABLES,
        *data_clue.TABLES,
        *data_paddle.TABLES,
        *data_brightmart.TABLES,
        *data_others.TABLES,
        *data_zhuiyi.TABLES,
    )


@functools.cache
def _scores() -> tuple[Score, ...]:
    return tuple(score for table in tables() for score in table.scores())


def _is(model: str, score: Score) -> bool:
    names = (*score.models, score.label.lower())
    return any(fnmatchcase(name, model) for name in names)
