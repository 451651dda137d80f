"""Read the folder of a fine-tuning, whatever state it is in."""

import csv
import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.catalogue import CATALOGUE
from kerasplm.errors import PLMError
from kerasplm.files import read_json
from kerasplm.recipes import Score, closest

_BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What the files of a run say.

    Args:
        name: Its folder, relative to that of all runs.
        model: Name of the model.
        task: Name of the task.
        identity: Of model, data and settings without the seed: runs that share it
            differ by their seeds only.
        settings: The choices.
        facts: As `run_facts` wrote them; {} if the file is missing.
        scores: Scores by split; {} if the run is not finished.
        seconds: Time of the training.
        history: Logs of every evaluation.
        details: As `details` gave them; {} if the file is missing.
        problem: Why the run counts for nothing; "" if it does count.
        missing: What is missing or broken of a run that counts.
    """

    name: str
    model: str = ""
    task: str = ""
    identity: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    history: Sequence[Mapping[str, float]] = ()
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    problem: str = ""
    missing: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The score by which the best weights were chosen."""
        told = self.facts.get("task", {}).get("metric")
        names = [name for name in self.scores.get("dev", {}) if name != "loss"]
        return str(told or (names[0] if names else ""))

    @property
    def parameters(self) -> int | None:
        """Weights of the model with its head, if the files tell."""
        found: int | None = self.facts.get("model", {}).get("parameters")
        return found


def read_run(folder: Path, root: Path) -> Run:
    """Return what a folder holds; a file that cannot be read never raises.

    Args:
        folder: Of one run.
        root: Of all runs.
    """
    name = Path(os.path.relpath(folder, root)).as_posix()
    name = folder.name if name == "." else name
    run = Run(name=name, model=folder.parent.parent.name, task=folder.parent.name)
    if not folder.is_dir():
        return dataclasses.replace(run, problem="no such folder")
    try:
        told = read_json(folder / "settings.json")
        settings = {**told["settings"], **_options(told["settings"])}
        digest = [told.get("model"), told.get("data"), told.get("labels")]
        others = {key: value for key, value in settings.items() if key != "seed"}
        run = dataclasses.replace(
            run,
            task=str(told["task"]),
            settings=settings,
            identity=json.dumps([digest, others], sort_keys=True),
        )
    except _BROKEN as error:
        return dataclasses.replace(run, problem=_told(error, folder, "settings.json"))
    missing: list[str] = []
    facts = _optional(folder, "run.json", missing, _facts) or {}
    if facts:
        run = dataclasses.replace(run, facts=facts, model=facts["model"]["name"])
    if not (folder / "results.json").exists():
        return dataclasses.replace(run, problem="not finished")
    try:
        results = read_json(folder / "results.json")
        scores = {str(key): _numbers(x) for key, x in results["scores"].items()}
        seconds = _number(results["seconds"])
    except _BROKEN as error:
        return dataclasses.replace(run, problem=_told(error, folder, "results.json"))
    return dataclasses.replace(
        run,
        scores=scores,
        seconds=seconds,
        history=_optional(folder, "history.csv", missing, _history) or (),
        details=_optional(folder, "dev_details.json", missing, _details) or {},
        missing=tuple(missing),
    )


def published(run: Run, split: str, metric: str) -> Score | None:
    """Return the published score beside which a run's stands, if there is one.

    Args:
        run: The run.
        split: "dev" or "test".
        metric: Name of the score.
    """
    return published_score(run.task, run.model, split, metric)


def published_score(task: str, model: str, split: str, metric: str) -> Score | None:
    """Return the published score of a task, model, split and metric, or None."""
    if model not in CATALOGUE or split not in ("dev", "test"):
        return None
    try:
        found = closest(task, model, split)
    except PLMError:  # a task of the user's own
        return None
    return next((score for score in found if score.metric == metric), None)


def _optional(folder: Path, name: str, missing: list[str], read: Any) -> Any:
    try:
        return read(folder / name)
    except FileNotFoundError:
        missing.append(f"{name} is missing")
    except _BROKEN as error:
        missing.append(_told(error, folder, name))
    return None


def _facts(path: Path) -> dict[str, Any]:
    facts = _object(path)
    model, task = facts["model"], facts["task"]
    parameters = model["parameters"]
    if not isinstance(model["name"], str) or not isinstance(task["metric"], str):
        raise ValueError("expected names of model and metric")
    if not isinstance(parameters, int):
        raise ValueError("expected the number of parameters")
    return facts


def _details(path: Path) -> dict[str, Any]:
    """Read details, and check the shape of all that is drawn or tabled."""
    found = _object(path)
    for name in ("worst", "longest"):
        for example in found[name]:
            if not isinstance(example["prediction"], dict | list | str):
                raise ValueError(f"expected a prediction in {name!r}")
            [example[key] for key in ("row", "wrong", "right", "tokens", "example")]
    if found["lengths"]:
        histogram = found["lengths"]["histogram"]
        edges, counts = _list(histogram["edges"]), _list(histogram["counts"])
        if len(edges) != len(counts) + 1:
            raise ValueError("expected one edge more than counts in 'lengths'")
        _number(found["lengths"]["max_length"])
    if "confusion" in found:
        size = len(found["confusion"]["labels"])
        lines = [_list(line) for line in found["confusion"]["matrix"]]
        if [len(line) for line in lines] != [size] * size:
            raise ValueError("expected a square matrix in 'confusion'")
        if not all(isinstance(x, str) for x in found["confusion"]["labels"]):
            raise ValueError("expected labels in 'confusion'")
    for told in found.get("classes", {}).values():
        [_number(told[key]) for key in ("precision", "recall", "f1", "expected")]
    return found


def _history(path: Path) -> list[dict[str, float]]:
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = {name: x for name, x in row.items() if name and x}
            rows.append({name: _number(float(x)) for name, x in cells.items()})
            if "epoch" not in rows[-1]:
                raise ValueError("expected a column 'epoch'")
    return rows


def _object(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FileNotFoundError(path)
    return read_json(path)


def _options(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    options = settings.get("options") or {}
    return options if isinstance(options, Mapping) else {}


def _numbers(scores: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _number(x) for name, x in scores.items()}


def _list(values: Any) -> list[float]:
    return [_number(x) for x in values]


def _number(x: Any) -> float:
    if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
        raise ValueError(f"expected a number, found {x!r}")
    return x


def _told(error: Exception, folder: Path, name: str) -> str:
    """Return a message that does not say where on this machine the folder lies."""
    if isinstance(error, KeyError):
        return f"{name}: has no {error}"
    text = str(error).replace(f"{folder / name}: ", "").replace(str(folder), "")
    return f"{name}: {text}"
