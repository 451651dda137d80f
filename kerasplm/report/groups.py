"""Runs of one model on one task: seeds of the same settings, settings of a grid."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kerasplm.recipes import Score
from kerasplm.report.plain import COUNTS
from kerasplm.report.runs import Run, published


@dataclasses.dataclass(frozen=True)
class Numbers:
    """A score over the seeds, in percent.

    Args:
        best: The highest.
        mean: The mean.
        deviation: Standard deviation (of a sample); None of one run.
        runs: How many.
    """

    best: float
    mean: float
    deviation: float | None
    runs: int


@dataclasses.dataclass(frozen=True)
class Seeds:
    """Runs that differ by their seeds only."""

    runs: Sequence[Run]

    def numbers(self, split: str, metric: str) -> Numbers | None:
        """Return a score over the seeds, or None if no run has it."""
        found = [
            100 * run.scores[split][metric]
            for run in self.runs
            if metric in run.scores.get(split, {})
        ]
        if not found:
            return None
        spread = statistics.stdev(found) if len(found) > 1 else None
        return Numbers(max(found), statistics.fmean(found), spread, len(found))

    @property
    def seconds(self) -> float:
        """Mean time of the trainings."""
        return statistics.fmean(run.seconds for run in self.runs)


@dataclasses.dataclass(frozen=True)
class Group:
    """All runs of one model on one task.

    Args:
        model: Name of the model.
        task: Name of the task.
        metric: The score that matters.
        settings: Runs by settings, those with the highest mean first.
    """

    model: str
    task: str
    metric: str
    settings: Sequence[Seeds]

    @property
    def best(self) -> Seeds:
        """The settings with the highest mean on the development set."""
        return self.settings[0]

    def varied(self) -> list[str]:
        """Return the names of the settings that are not the same in all runs."""
        every = [seeds.runs[0].settings for seeds in self.settings]
        names = dict.fromkeys(name for one in every for name in one)
        return [
            name
            for name in names
            if name not in ("seed", "options")
            and any(one.get(name) != every[0].get(name) for one in every)
        ]

    def chosen(self, seeds: Seeds) -> dict[str, Any]:
        """Return the values of the settings that vary."""
        return {name: seeds.runs[0].settings.get(name) for name in self.varied()}

    def published(self, split: str, metric: str) -> Score | None:
        """Return the published score beside which a score of ours stands."""
        return published(self.best.runs[0], split, metric)

    def scores(self) -> list[tuple[str, str]]:
        """Return split and name of each score that is a share, the main one first."""
        found = dict.fromkeys(
            (split, name)
            for run in self.best.runs
            for split, scores in run.scores.items()
            for name in (self.metric, *scores)
            if name in scores and name not in COUNTS
        )
        return list(found)

    def shown(self) -> list[tuple[str, str]]:
        """Return those scores that matter or that somebody published."""
        return [
            (split, name)
            for split, name in self.scores()
            if name == self.metric or self.published(split, name)
        ]


def groups_of(runs: Iterable[Run]) -> list[Group]:
    """Return the finished runs by model and task, and within by settings.

    Args:
        runs: Any runs; those with a problem are left out.
    """
    cells: dict[tuple[str, str], dict[str, list[Run]]] = {}
    for run in runs:
        if not run.problem and run.metric in run.scores.get("dev", {}):
            cell = cells.setdefault((run.model, run.task), {})
            cell.setdefault(run.identity, []).append(run)
    return [
        _group(model, task, found) for (model, task), found in sorted(cells.items())
    ]


def _group(model: str, task: str, found: Mapping[str, Sequence[Run]]) -> Group:
    metric = next(iter(found.values()))[0].metric
    settings = [Seeds(runs) for _, runs in sorted(found.items())]

    def mean(seeds: Seeds) -> float:
        numbers = seeds.numbers("dev", metric)
        return -numbers.mean if numbers else 1.0

    return Group(model, task, metric, sorted(settings, key=mean))
