"""The recipe of a task and a model: the most specific published row of each field."""

import dataclasses
import difflib
import functools
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from kerasplm.catalogue import model_info
from kerasplm.errors import ConfigError
from kerasplm.families import family_named
from kerasplm.recipes.base import RecipeRow, known_task
from kerasplm.recipes.defaults import CODE_OF, CODES
from kerasplm.recipes.names import ANY_MODEL, ANY_TASK, OTHER_TASKS, TASKS
from kerasplm.recipes.notes import LIKE, TRAPS

# How closely a row fits: the higher, the more specific.
_EXACT, _SIZE, _FAMILY, _GENERAL = 4, 3, 2, 1

_NO_WARMUP = ("constant", "piecewise")
# These count updates or belong to one run: they mean nothing beside another batch.
_OF_ONE_RUN = ("train_steps", "warmup_steps", "eval_steps", "save_steps", "seed")


class Citation(NamedTuple):
    """Say where fields of a recipe are from.

    Args:
        source: Script or table, repository and file.
        fields: Names of fields of `Recipe`.
    """

    source: str
    fields: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hold the hyper-parameters of one fine-tuning, each with its source.

    None means that it does not apply, or that nobody states it.

    Args:
        task: Name of the task.
        model: Name of the model in the catalogue, or None.
        family: Family of the model, or None.
        max_length: Tokens per input, special tokens included.
        batch_size: Examples per update.
        learning_rate: Peak of the schedule; with a `layer_decay`, of the last layers.
        epochs: Passes over the training set.
        warmup: Share of the updates in which the rate rises.
        schedule: "bert" (linear, drops at the end of the warm-up), "electra" (rise
            times fall), "nezha" (linear without a drop), "piecewise" (see
            `schedule_points`) or "constant".
        optimizer: "adamw" or "adam".
        bias_correction: Whether the optimizer corrects the bias of its moments.
        epsilon: Added to the root of the second moment.
        weight_decay: Decoupled decay; not of biases and norms.
        clip_norm: Largest norm of the gradients, or None.
        clip_each: Whether the norm is that of each tensor, not of all together.
        dropout: Dropout before the output layer.
        layer_decay: Factor of the rate from one layer to the one below.
        train_steps: Updates in all, where the source counts them; they fit its data,
            others take `epochs`.
        warmup_steps: Updates of the warm-up, likewise; others take `warmup`.
        schedule_points: Updates and factors of the rate, alternating.
        accumulation: Parts of a batch that are computed one after the other.
        ema: Decay of the moving average of the weights that is evaluated and saved.
        crf_learning_rate: Rate of the transitions of a CRF.
        crf_rate_factor: Rate of the transitions as a multiple of `learning_rate`.
        query_length: Most tokens of a question.
        doc_stride: Tokens from one window of a long text to the next.
        text_length: Most tokens or characters of the text before an answer or title.
        n_best: Starts and ends that decoding combines.
        max_answer_length: Most tokens of an answer or title.
        null_threshold: Above which a question counts as without an answer.
        eval_length: `max_length` in evaluation, if it differs.
        eval_steps: Updates between evaluations.
        save_steps: Updates between checkpoints.
        threshold: Cosine similarity above which two texts mean the same.
        seed: Seed of the published run.
        learning_rates: Rates worth trying.
        batch_sizes: Batches worth trying.
        notes: What to know, one sentence each.
        sources: Where each field is from.

    Example:
        >>> recipe_for("csl", "bert-base-zh.google").batch_size
        4
    """

    task: str
    model: str | None
    family: str | None
    max_length: int
    batch_size: int
    learning_rate: float
    epochs: int
    warmup: float
    schedule: str
    optimizer: str
    bias_correction: bool
    epsilon: float
    weight_decay: float
    clip_norm: float | None
    clip_each: bool
    dropout: float
    layer_decay: float | None = None
    train_steps: int | None = None
    warmup_steps: int | None = None
    schedule_points: tuple[float, ...] = ()
    accumulation: int = 1
    ema: float | None = None
    crf_learning_rate: float | None = None
    crf_rate_factor: float | None = None
    query_length: int | None = None
    doc_stride: int | None = None
    text_length: int | None = None
    n_best: int | None = None
    max_answer_length: int | None = None
    null_threshold: float | None = None
    eval_length: int | None = None
    eval_steps: int | None = None
    save_steps: int | None = None
    threshold: float | None = None
    seed: int | None = None
    learning_rates: tuple[float, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[Citation, ...] = ()

    def source_of(self, field: str) -> str:
        """Return the source of a field.

        Raises:
            ConfigError: No source states the field.
        """
        for source, fields in self.sources:
            if field in fields:
                return source
        raise ConfigError(f"recipe of {self.task!r}: no source states {field!r}")

    def describe(self) -> str:
        """Return all fields that are stated, by source, as text of several lines."""
        lines = [f"{self.task}, {self.model or self.family or 'any model'}"]
        for source, fields in self.sources:
            stated = (f"{name}={getattr(self, name)!r}" for name in fields)
            lines += [f"  {', '.join(stated)}", f"    from {source}"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


FIELDS = tuple(
    field.name
    for field in dataclasses.fields(Recipe)
    if field.name not in ("task", "model", "family", "notes", "sources")
)
"""Fields that a row may state."""


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
        ConfigError: There is no such task, it has no rows, or `model` is of another
            family.
        CatalogueError: There is no such model.
        FamilyError: There is no such family.

    Example:
        >>> recipe_for("lcqmc", "electra-small-zh.hfl").learning_rate
        0.0003
    """
    check_task(task)
    rates: tuple[float, ...] = ()
    if model is not None:
        entry = model_info(model)
        model, rates = entry.name, entry.learning_rates
        if family not in (None, entry.family):
            raise ConfigError(
                f"{model} is of family {entry.family!r}. Received: family={family!r}"
            )
        family = entry.family
    elif family is not None:
        family_named(family)
    rows = _ranked(task, model, family)
    notes = []
    if task in LIKE:
        other, why = LIKE[task]
        rows += _ranked(other, model, family)
        notes.append(why)
    if not any(row.general for _, row in rows):
        raise ConfigError(f"no recipe is published for {task!r}: {OTHER_TASKS[task]}")
    code, code_source = CODES[CODE_OF[family or "bert"]]
    values: dict[str, Any] = {}
    cited: dict[str, list[str]] = {}
    level_of: dict[str, int] = {}
    for level, row in rows:
        new = [name for name in row.values if name not in values]
        if "batch_size" not in new:
            new = [name for name in new if name not in _OF_ONE_RUN]
        values |= {name: row.values[name] for name in new}
        level_of |= dict.fromkeys(new, level)
        cited.setdefault(f"{row.source}: {row.who}", []).extend(new)
        notes += row.notes if new else ()
    rest = [name for name in code if name not in values]
    if {**code, **values}["schedule"] in _NO_WARMUP:
        # A general row's warm-up belongs to a schedule that has one.
        rest += [name for name in ("warmup", "warmup_steps") if name in values]
        values = {name: v for name, v in values.items() if name not in rest}
        for names in cited.values():
            names[:] = [name for name in names if name not in rest]
    values |= {name: code[name] for name in rest if name in code}
    cited[code_source] = list(dict.fromkeys(name for name in rest if name in code))
    rate = values["learning_rate"]
    if rates and rate not in rates and level_of.get("learning_rate", 0) <= _GENERAL:
        listed = ", ".join(f"{rate:g}" for rate in rates)
        notes.append(
            f"The rate is not published for this model, for which the catalogue lists "
            f"{listed}."
        )
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

    Raises:
        ConfigError: There is no such task.
    """
    if not known_task(task):
        close = difflib.get_close_matches(task, [*TASKS, *OTHER_TASKS], n=3)
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
