"""Many fine-tunings: models x tasks x seeds x grid, in one folder, resumable."""

import dataclasses
import functools
import gc
import itertools
import math
import re
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasplm.errors import ConfigError, PLMError, describe
from kerasplm.files import read_json, temporary_folder, write_json, write_text
from kerasplm.run_folder import RESULTS, finished, prepare
from kerasplm.tasks import Settings, Task, task_named

Grid = Mapping[str, Sequence[Any]]


@dataclasses.dataclass(frozen=True)
class Run:
    """One fine-tuning of several.

    Args:
        model: As for `load`.
        task: The declaration.
        data: Folder with the files of the task.
        folder: Output folder.
        choices: What differs from the recipe, the seed included.
    """

    model: str
    task: Task
    data: Path
    folder: Path
    choices: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Args:
        run: The run.
        results: Content of its `results.json`; None if it failed.
        error: Why it failed, in one line.
    """

    run: Run
    results: Mapping[str, Any] | None
    error: str = ""

    @property
    def score(self) -> float | None:
        """The score on the development set that the best weights maximise."""
        if self.results is None:
            return None
        return float(self.results["scores"]["dev"][self.results["metric"]])


def plan(
    models: Sequence[str],
    tasks: Mapping[str, Path],
    output: str | Path,
    *,
    seeds: Sequence[int] = (0,),
    grid: Grid | None = None,
    **choices: Any,
) -> list[Run]:
    """Return the runs of all combinations, in the order in which they are run.

    Each has the folder OUTPUT/model/task/choices, the choices being those of the grid
    and the seed, such as "learning_rate=1e-05,seed=0".

    Args:
        models: As for `load`.
        tasks: Names of tasks (or JSON files that declare them) and the folders of
            their data.
        output: Folder of all runs.
        seeds: Seeds of each combination.
        grid: Choices and the values to try, such as {"learning_rate": (1e-5, 3e-5)}.
        **choices: Other changes of the recipe, for all runs.

    Raises:
        ConfigError: A choice does not exist, or two models have the same last name.
    """
    grid = grid or {}
    names = [_plain(Path(model).name or model) for model in models]
    if len(set(names)) != len(names):
        raise ConfigError(
            f"models: the folders of the results would be the same: {', '.join(names)}"
        )
    tried = [
        dict(zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]
    runs = []
    for (model, name), (task, data) in itertools.product(
        zip(models, names, strict=True), tasks.items()
    ):
        declared = task_named(task)
        if declared.predicted_by:
            continue
        for one, seed in itertools.product(tried, seeds):
            changes = _known({**choices, **one, "seed": seed}, declared, tasks)
            declared.settings(**changes)  # refuses what does not exist, before any run
            own = {**one, "seed": seed}
            last = ",".join(f"{key}={value}" for key, value in own.items())
            folder = Path(output).expanduser() / name / declared.name / _plain(last)
            runs.append(Run(model, declared, Path(data), folder, changes))
    return runs


def _known(
    changes: Mapping[str, Any], task: Task, tasks: Mapping[str, Path]
) -> dict[str, Any]:
    """Return the choices without options of the kinds of other tasks of the suite."""
    others = [task_named(name).engine.options for name in tasks]
    known = {f.name for options in others for f in dataclasses.fields(options)}
    own = {f.name for f in dataclasses.fields(task.engine.options)}
    own |= {f.name for f in dataclasses.fields(Settings)}
    return {n: value for n, value in changes.items() if n in own or n not in known}


def _plain(name: str) -> str:
    return re.sub(r"[^\w.,=+-]+", "_", name)


def run_all(
    runs: Sequence[Run],
    *,
    verbose: int | str = "auto",
    tell: Callable[[str], None] = print,
) -> list[Outcome]:
    """Run what is not finished. A run that fails does not stop the others.

    Calling it again, also after a kill at any moment, goes on where it was stopped.

    Args:
        runs: From `plan`.
        verbose: As for `keras.Model.fit`.
        tell: Is given a line before and after each run.

    Returns:
        One outcome per run.
    """
    outcomes = []
    for number, run in enumerate(runs, 1):
        place = f"{number}/{len(runs)} {run.folder}"
        try:
            begins = functools.partial(tell, f"{place}: begins")
            results, did = _run(run, verbose, begins)
            outcomes.append(Outcome(run, results))
            metric = results["metric"]
            best = results["scores"]["dev"][metric]
            tell(f"{place}: {metric} {best:.4f}{'' if did else ' (was finished)'}")
        except (PLMError, OSError) as error:
            outcomes.append(Outcome(run, None, describe(error)))
            tell(f"{place}: failed: {describe(error)}")
        except Exception as error:  # one broken run must not cost the others
            file = run.folder.parent / f"{run.folder.name}.error.txt"
            write_text(file, traceback.format_exc())
            outcomes.append(Outcome(run, None, f"{type(error).__name__}: {error}"))
            tell(f"{place}: failed: {type(error).__name__}: {error}")
        # Graphs and weights of one run must not stay while the next one trains.
        keras.utils.clear_session()
        gc.collect()
    return outcomes


def _run(
    run: Run, verbose: int | str, begins: Callable[[], None]
) -> tuple[dict[str, Any], bool]:
    """Return the results of a run, and whether it had to be done."""
    from kerasplm.finetuning import train_prepared

    choices = dict(run.choices)
    # Runs of one task share the prepared data.
    cache = choices.pop("cache", None) or run.folder.parents[2] / "features"
    settings = run.task.settings(model=run.model, cache=str(cache), **choices)
    prepared = prepare(run.model, run.task, run.data, settings)
    done = finished(run.folder, prepared.facts)
    if done is not None:
        return done, False
    begins()
    train_prepared(prepared, run.folder, verbose=verbose)
    return read_json(run.folder / RESULTS), True


def best_runs(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], Outcome]:
    """Return the best finished run of each model and task, by its dev score."""
    best: dict[tuple[str, str], Outcome] = {}
    scores: dict[tuple[str, str], float] = {}
    for outcome in outcomes:
        key = (outcome.run.folder.parts[-3], outcome.run.task.name)
        score = outcome.score
        if score is not None and score > scores.get(key, -math.inf):
            best[key], scores[key] = outcome, score
    return best


def write_submissions(outcomes: Sequence[Outcome], output: str | Path) -> list[Path]:
    """Write one zip per model with the test answers of its best runs.

    The names in it are those that the leaderboard expects.

    Args:
        outcomes: From `run_all`.
        output: Folder; the files are MODEL.zip.

    Returns:
        The files.
    """
    files: dict[str, dict[str, Path]] = {}
    for (model, _), outcome in best_runs(outcomes).items():
        for file in outcome.run.folder.glob("*_predict.json"):
            files.setdefault(model, {})[file.name] = file
    written = []
    for model, parts in files.items():
        target = Path(output) / f"{model}.zip"
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target.parent) as work:
            with zipfile.ZipFile(
                work / "new.zip", "w", zipfile.ZIP_DEFLATED
            ) as archive:
                for name in sorted(parts):
                    # A fixed date: the same answers give the same file.
                    entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, parts[name].read_bytes())
            (work / "new.zip").replace(target)
        written.append(target)
    return written


def write_summary(outcomes: Sequence[Outcome], file: Path) -> None:
    """Write what became of all runs as JSON."""
    rows = [
        {
            "model": outcome.run.model,
            "task": outcome.run.task.name,
            "folder": str(outcome.run.folder),
            "choices": dict(outcome.run.choices),
            "score": outcome.score,
            "error": outcome.error,
        }
        for outcome in outcomes
    ]
    write_json(file, rows)


def finish(
    outcomes: Sequence[Outcome], tasks: Mapping[str, Path], output: str | Path
) -> None:
    """Write what stands over all runs, and print its table.

    That is `runs.json`, a zip for the leaderboard per model under `submissions/`, and
    the folder `report/`. Tasks with a test file only are answered by the best model
    of the task that they name.

    Args:
        outcomes: From `run_all`.
        tasks: Names of tasks and the folders of their data.
        output: Folder of all runs.
    """
    from kerasplm.evaluating import evaluate
    from kerasplm.report import write_report
    from kerasplm.reporting import print_table

    root = Path(output).expanduser()
    best = best_runs(outcomes)
    for name, data in tasks.items():
        task = task_named(name)
        for (_, trained), outcome in best.items():
            if trained == task.predicted_by:
                for split, usual in task.tests.items():
                    try:
                        run = outcome.run.folder
                        found = evaluate(run, data, split=split, task=task)
                        found.write_submission(run / usual)
                    except (PLMError, OSError) as error:
                        print(f"{name}: not answered: {describe(error)}")
    write_summary(outcomes, root / "runs.json")
    write_report([outcome.run.folder for outcome in outcomes], root / "report")
    written = write_submissions(outcomes, root / "submissions")
    rows = [
        (model, task, outcome.run.folder.name, outcome.score)
        for (model, task), outcome in best.items()
    ]
    print_table("best runs", ("model", "task", "choices", "dev score"), rows)
    for file in written:
        print(f"{file}: for the leaderboard")
    print(f"{root / 'report'}: tables, curves, worst examples")
    for outcome in outcomes:
        if outcome.error:
            print(f"{outcome.run.folder}: failed: {outcome.error}")
