"""The recipe of a task and a model: the most specific published row of each field."""

import difflib
import functools
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from kerasplm.catalogue import model_info
from kerasplm.errors import ConfigError
from kerasplm.families import family_named
from kerasplm.recipes.base import RecipeRow, known_task
from kerasplm.recipes.defaults import CODE_OF, CODES
from kerasplm.recipes.names import ANY_MODEL, ANY_TASK, OTHER_TASKS, TASKS
from kerasplm.recipes.notes import LIKE, TRAPS
from kerasplm.recipes.recipe import FIELDS, Citation, Recipe

# How closely a row fits: the higher, the more specific.
_EXACT, _SIZE, _FAMILY, _GENERAL = 4, 3, 2, 1

_NO_WARMUP = ("constant", "piecewise")
# These count updates or belong to one run: they mean nothing beside another batch.
_OF_ONE_RUN = ("train_steps", "warmup_steps", "eval_steps", "save_steps", "seed")


def recipes(task: str | None = None) -> tuple[RecipeRow, ...]:
    """Return the published sets of hyper-parameters, in the order of precedence.

    Args:
        task: Only of this task, with the rows that hold for every task; default all.

    Returns:
        The rows. Among them are those of models that are not ours.

    Raises:
        ConfigError: There is no such task.

    Example:
        >>> recipes("ocnli")[-1].general
        True
    """
    if task is None:
        return _rows()
    check_task(task)
    return tuple(row for row in _rows() if row.task in (task, ANY_TASK))


def recipe_for(
    task: str, model: str | None = None, family: str | None = None
) -> Recipe:
    """Return the published hyper-parameters of a task, for a model if one is given.

    Each field is from the first row that states it, in this order:

    1. rows that name exactly this model,
    2. rows for a pattern of names that fits it (mostly a size),
    3. rows for its family,
    4. the general rows of the task,
    5. what the family's own code does by default.

    Among rows of one kind those of the task come before those of every task; then
    tables that state settings and scores together (CLUE, brightmart, others), then
    PaddleNLP's best of a grid, then scripts, then rates alone. What counts updates,
    and the seed, is taken only with the batch. A task without a row of its own takes
    those of another one, and a note says so.

    Args:
        task: One of `TASKS`, or of those in `OTHER_TASKS` that have rows.
        model: Name in the catalogue; case does not matter.
        family: Family of a model that is not in the catalogue.

    Returns:
        The recipe, with the source of each field.

    Raises:
        ConfigError: There is no such task, no row of it fits the model, or `model` is
            of another family.
        CatalogueError: There is no such model.
        FamilyError: There is no such family.

    Example:
        >>> recipe_for("lcqmc", "electra-small-zh.hfl").learning_rate
        0.0003
    """
    check_task(task)
    model, family = _identify(model, family)
    rows = _ranked(task, model, family)
    notes = []
    if task in LIKE:
        other, why = LIKE[task]
        rows += _ranked(other, model, family)
        notes.append(why)
    if all(row.task == ANY_TASK for _, row in rows):
        raise ConfigError(
            f"no recipe of {task!r} ({OTHER_TASKS[task]}) is published for "
            f"{model or family or 'models in general'}"
        )
    code, code_source = CODES[CODE_OF[family or "bert"]]
    values: dict[str, Any] = {}
    cited: dict[str, list[str]] = {}
    rate_level = 0
    for level, row in rows:
        new = [name for name in row.values if name not in values]
        if "batch_size" not in new:
            new = [name for name in new if name not in _OF_ONE_RUN]
        values |= {name: row.values[name] for name in new}
        cited.setdefault(f"{row.source}: {row.who}", []).extend(new)
        notes += row.notes if new else ()
        rate_level = level if "learning_rate" in new else rate_level
    cited[code_source] = [name for name in code if name not in values]
    values = {**code, **values}
    if values["schedule"] in _NO_WARMUP:
        # Another row's warm-up belongs to a schedule that has one.
        values |= {"warmup": 0.0, "warmup_steps": None}
        for names in cited.values():
            names[:] = [name for name in names if not name.startswith("warmup")]
            names += ["warmup"] if "schedule" in names else []
    if model is not None and rate_level <= _GENERAL:
        notes += _rates_note(model, values["learning_rate"])
    notes += [
        text
        for for_task, for_model, text in TRAPS
        if fnmatchcase(task, for_task) and fnmatchcase(model or "", for_model)
    ]
    return Recipe(
        task=task,
        model=model,
        family=family,
        **values,
        notes=tuple(dict.fromkeys(notes)),
        sources=tuple(
            Citation(source, tuple(sorted(names, key=FIELDS.index)))
            for source, names in cited.items()
            if names
        ),
    )


def check_task(task: str) -> None:
    """Refuse a name that is no task.

    Args:
        task: The name.

    Raises:
        ConfigError: There is no such task.
    """
    if not known_task(task):
        names = [*TASKS, *OTHER_TASKS]
        close = [name for name in names if task and name.startswith(task)]
        close = close or difflib.get_close_matches(task, names, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else ""
        raise ConfigError(
            f"no task {task!r}. {hint or 'There are ' + ', '.join(TASKS)}".strip()
        )


@functools.cache
def _rows() -> tuple[RecipeRow, ...]:
    """Return all rows in their order; the tables are read when first asked for."""
    from kerasplm.recipes import (
        data_classification,
        data_families,
        data_paddle,
        data_reading,
    )
    from kerasplm.recipes.scores import tables

    stated = tuple(row for table in tables() for row in table.recipes())
    return (
        *stated,
        *data_paddle.BEST,
        *data_families.SCRIPTS,
        *data_classification.SCRIPTS,
        *data_reading.SCRIPTS,
        *data_families.SIZES,
        *data_paddle.GRID,
    )


def _ranked(
    task: str, model: str | None, family: str | None
) -> list[tuple[int, RecipeRow]]:
    """Return the rows that hold, the most specific first."""
    held = [
        (level, row)
        for row in _rows()
        if row.task in (task, ANY_TASK) and not row.variant
        if (level := _level(row, model, family))
    ]
    return sorted(held, key=lambda pair: (-pair[0], pair[1].task == ANY_TASK))


def _level(row: RecipeRow, model: str | None, family: str | None) -> int:
    """Return how closely a row fits a model; 0 if it does not."""
    if model in row.models:
        return _EXACT
    if model is not None and _fits(model, row.models):
        return _SIZE
    if family in row.families:
        return _FAMILY
    return _GENERAL if row.general else 0


def _fits(model: str, patterns: Iterable[str]) -> bool:
    return any(p != ANY_MODEL and fnmatchcase(model, p) for p in patterns)


def _identify(model: str | None, family: str | None) -> tuple[str | None, str | None]:
    """Return the name as the catalogue writes it, and the family.

    Raises:
        ConfigError: The model is of another family.
        CatalogueError: There is no such model.
        FamilyError: There is no such family.
    """
    if model is None:
        return None, family_named(family).name if family is not None else None
    entry = model_info(model)
    if family not in (None, entry.family):
        raise ConfigError(
            f"{entry.name} is of family {entry.family!r}. Received: family={family!r}"
        )
    return entry.name, entry.family


def _rates_note(model: str, rate: float) -> tuple[str, ...]:
    """Return a note if a rate that is not the model's own is not in the catalogue."""
    rates = model_info(model).learning_rates
    if not rates or rate in rates:
        return ()
    listed = ", ".join(f"{rate:g}" for rate in rates)
    return (
        f"The rate is not published for this model, for which the catalogue lists "
        f"{listed}.",
    )
