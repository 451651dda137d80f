"""What a published row says, and how a table of rows is read. No numbers here."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kerasplm.recipes.names import ANY_MODEL, OTHER_TASKS, TASKS

Value = int | float | str | bool | None | tuple[float, ...]

SETTINGS = ("max_length", "batch_size", "learning_rate", "epochs")
"""Columns of a table of settings, in this order; more may follow as name=value."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeRow:
    """Hold one published set of hyper-parameters.

    Args:
        task: One of `TASKS` or `OTHER_TASKS`, or "*" for every task.
        who: Script, table or person that it is from, in a few words.
        models: Catalogue names or patterns such as "electra-*small*-zh.hfl"; "*"
            makes it the general row of the task. () if none of our models is meant.
        families: Families for whose every model it holds.
        values: Fields of `Recipe`; what is not stated is not there.
        source: Repository and file, or section of its README.
        variant: What makes it a special case, such as "TPU"; `recipe_for` never
            takes such a row. "" for an ordinary one.
        notes: What to know, one sentence each.
    """

    task: str
    who: str
    models: tuple[str, ...]
    families: tuple[str, ...]
    values: Mapping[str, Value]
    source: str
    variant: str = ""
    notes: tuple[str, ...] = ()

    @property
    def general(self) -> bool:
        """Whether it holds for every model."""
        return ANY_MODEL in self.models


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """Hold one published number, or the best and the mean of several runs.

    Args:
        task: One of `TASKS` or `OTHER_TASKS`.
        label: The model as published.
        models: Our names of the model; () if it is none of ours. Several where the
            source does not say which release it means.
        split: "dev", "test", "challenge" (of CMRC2018) or "online".
        metric: "accuracy", "em", "f1", "macro_f1", "f1_{entity type}", "average",
            "rouge_1", "rouge_2", "rouge_l" or "bleu"; all in percent.
        best: The best run, or the only one; None if only a mean is known.
        mean: Mean of the runs, if known.
        deviation: Standard deviation of the runs, if known.
        runs: Number of runs, if known.
        setting: What differs from ordinary fine-tuning, such as "FGM"; mostly "".
        values: Hyper-parameters that are stated with it, as fields of `Recipe`.
        protocol: What to know before comparing, or "".
        source: Repository and file, or section of its README.
    """

    task: str
    label: str
    models: tuple[str, ...]
    split: str
    metric: str
    best: float | None
    mean: float | None
    deviation: float | None
    runs: int | None
    setting: str
    values: Mapping[str, Value]
    protocol: str
    source: str


class _Column(NamedTuple):
    task: str
    split: str
    metrics: tuple[str, ...]
    setting: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Hold a published table: models in lines, scores and settings in columns.

    Args:
        source: As for `Score`.
        columns: Of a score: "task split metric", with slashes between several
            metrics and "; setting" behind, if there is one. Of a hyper-parameter:
            its name.
        rows: Lines `label | cell cell ...`. A cell of scores is `65.5/84.5` or
            `65.5(64.4)/84.5(84.0)`; "-" is not stated.
        models: Labels to catalogue names, separated by spaces.
        number: What a number is: "best" or "mean".
        brackets: What a number in brackets is: "mean", "best" or "deviation".
        runs: As for `Score`.
        notes: Protocol notes by label, by "task split", or "" for all.
    """

    source: str
    columns: tuple[str, ...]
    rows: str
    models: Mapping[str, str]
    number: str = "best"
    brackets: str = "mean"
    runs: int | None = None
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def lines(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield label and cells, by column."""
        for line in self.rows.strip().splitlines():
            label, _, cells = line.rpartition("|")
            yield (
                label.strip(),
                dict(zip(self.columns, cells.split(), strict=True)),
            )

    def scores(self) -> Iterator[Score]:
        """Yield the scores, line by line."""
        for label, cells in self.lines():
            values = _settings(cells)
            for name, cell in cells.items():
                if " " not in name or cell == "-":
                    continue
                column = _column(name)
                about = (label, f"{column.task} {column.split}", "")
                protocol = " ".join(filter(None, map(self.notes.get, about)))
                parts = cell.split("/")
                for metric, part in zip(column.metrics, parts, strict=True):
                    numbers = self._numbers(part)
                    yield Score(
                        task=column.task,
                        label=label,
                        models=self.names(label),
                        split=column.split,
                        metric=metric,
                        best=numbers.get("best"),
                        mean=numbers.get("mean"),
                        deviation=numbers.get("deviation"),
                        runs=self.runs,
                        setting=column.setting,
                        values=values,
                        protocol=protocol,
                        source=self.source,
                    )

    def recipes(self) -> Iterator[RecipeRow]:
        """Yield the lines that state hyper-parameters, as rows of recipes."""
        tasks = {_column(name).task: None for name in self.columns if " " in name}
        for label, cells in self.lines():
            values = _settings(cells)
            for task in tasks if values else ():
                yield RecipeRow(
                    task=task,
                    who=label,
                    models=self.names(label),
                    families=(),
                    values=values,
                    source=self.source,
                )

    def names(self, label: str) -> tuple[str, ...]:
        """Return the catalogue names of a label."""
        return tuple(self.models.get(label, "").split())

    def _numbers(self, cell: str) -> dict[str, float]:
        number, _, bracket = cell.rstrip(")").partition("(")
        found = {self.number: float(number)}
        return found | ({self.brackets: float(bracket)} if bracket else {})


def sets(
    who: str,
    source: str,
    rows: str,
    *,
    models: str = "",
    families: str = "",
    variant: str = "",
    notes: Iterable[str] = (),
    values: Mapping[str, Value] | None = None,
) -> tuple[RecipeRow, ...]:
    """Return rows of recipes from a table of settings.

    Args:
        who: As for `RecipeRow`, like all that follow.
        source: Likewise.
        rows: Lines `task task ... | max_length batch_size learning_rate epochs
            name=value ...`; "-" is not stated, and the four may end early.
        models: Separated by spaces.
        families: Separated by spaces.
        variant: As for `RecipeRow`.
        notes: Likewise.
        values: Fields that hold in every line.

    Returns:
        One row for each task of each line.

    Example:
        >>> sets("demo", "nowhere", "lcqmc | 128 32 2e-5 3 seed=1")[0].values["seed"]
        1
    """
    found = []
    for line in rows.strip().splitlines():
        tasks, _, text = line.partition("|")
        plain = [cell for cell in text.split() if "=" not in cell]
        named = dict(cell.split("=") for cell in text.split() if "=" in cell)
        cells = dict(zip(SETTINGS, plain, strict=False)) | named
        for task in tasks.split():
            found.append(
                RecipeRow(
                    task=task,
                    who=who,
                    models=tuple(models.split()),
                    families=tuple(families.split()),
                    values={**(values or {}), **_settings(cells)},
                    source=source,
                    variant=variant,
                    notes=tuple(notes),
                )
            )
    return tuple(found)


def known_task(name: str) -> bool:
    """Whether there is such a task, with recipes or only with numbers.

    Args:
        name: The name.

    Returns:
        True for one of `TASKS` or `OTHER_TASKS`.
    """
    return name in TASKS or name in OTHER_TASKS


def _column(name: str) -> _Column:
    head, _, setting = name.partition("; ")
    task, split, metrics = head.split()
    return _Column(task, split, tuple(metrics.split("/")), setting)


def _settings(cells: Mapping[str, str]) -> dict[str, Value]:
    """Return the hyper-parameters among the cells of a line."""
    return {
        name: _value(cell)
        for name, cell in cells.items()
        if " " not in name and cell != "-"
    }


def _value(cell: str) -> Value:
    if "," in cell:
        return tuple(_number(part) for part in cell.split(",") if part)
    return _number(cell) if cell[0].isdigit() or cell[0] in ".-" else cell


def _number(cell: str) -> float:
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)
