"""Teacher and student side by side: size, speed, score."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasplm.evaluating import evaluate
from kerasplm.files import write_bytes, write_json, write_text
from kerasplm.report.pictures import side_by_side
from kerasplm.reporting import print_table
from kerasplm.sources import open_source
from kerasplm.task_models import TaskModel
from kerasplm.tasks import Settings, Task
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.features import Features
from kerasplm.tasks.graphs import Graph
from kerasplm.tasks.saved import saved_task
from kerasplm.tokenizing import load_tokenizer

_COLUMNS = ("model", "layers", "width", "weights", "dev", "rows/s", "of the teacher")


@dataclasses.dataclass(frozen=True)
class Compared:
    """One model of a comparison.

    Args:
        name: What it is: "teacher", "student".
        folder: Where it lies.
        layers: Number of layers.
        width: Hidden size.
        parameters: Number of weights, of the whole task model.
        scores: On the development set.
        speed: Rows of the development set per second.
    """

    name: str
    folder: str
    layers: int
    width: int
    parameters: int
    scores: Mapping[str, float]
    speed: float


def compare(
    models: Mapping[str, str | Path],
    task: Task,
    data: str | Path,
    settings: Settings,
    *,
    batch_size: int = 32,
    seconds: float = 2.0,
) -> list[Compared]:
    """Score models on the development set and measure their speed.

    All compute the same rows in the same batches, in order of their lengths.

    Args:
        models: Name to folder.
        task: The task.
        data: Folder with its files.
        settings: Lengths and options, where a folder does not say its own.
        batch_size: Of the measurement.
        seconds: For how long each is measured, at least.
    """
    task = task.at(data).chosen(settings)
    rows = task.rows(settings.dev or data, "dev").rows
    found = []
    for name, folder in models.items():
        with open_source(folder) as source:
            own = saved_task(source.folder) is not None
        asked = settings.dev or data
        more: dict[str, Any] = {}
        if not own:
            more = {"task": task, "max_length": settings.max_length}
            more |= dataclasses.asdict(settings.options)
        judged = evaluate(folder, asked, **more)
        network = judged.network
        features = task.features(rows, load_tokenizer(folder), settings)
        config = network.encoder.config
        found.append(
            Compared(
                name,
                str(folder),
                config.num_hidden_layers,
                config.hidden_size,
                network.count_params(),
                judged.scores,
                rows_per_second(network, features, batch_size, seconds)
                * len(rows)
                / max(len(features), 1),
            )
        )
    return found


def rows_per_second(
    network: TaskModel, features: Features, batch_size: int, seconds: float
) -> float:
    """Return how many features a model computes in a second, after a first pass.

    Args:
        network: The model.
        features: What is computed, again and again.
        batch_size: Of the batches.
        seconds: For how long, at least.
    """
    graph = Graph(lambda inputs: network(inputs, training=False))
    plain = dataclasses.replace(features, targets=None)
    plan = batches_of(plain.lengths, batch_size, "length")
    batches = [
        {name: tf.constant(x) for name, x in plain.batch(chosen).items()}
        for chosen in plan
    ]
    for batch in batches:
        graph([plain.signature], batch)
    done, begin = 0, time.perf_counter()
    while not done or time.perf_counter() - begin < seconds:
        for batch in batches:
            graph([plain.signature], batch)
        done += len(plain)
    return done / (time.perf_counter() - begin)


def write_comparison(
    found: Sequence[Compared], task: Task, folder: Path, facts: Mapping[str, Any]
) -> None:
    """Write comparison.json, comparison.md and comparison.png, and print the table.

    Args:
        found: From `compare`, the teacher first.
        task: The task.
        folder: Where to write.
        facts: More for the JSON.
    """
    rows = [_row(one, found[0], task.metric_name) for one in found]
    title = f"{task.name}: teacher and student"
    lines = [f"# {title}", "", f"| {' | '.join(_COLUMNS)} |"]
    lines.append("|" + " --- |" * len(_COLUMNS))
    lines += ["| " + " | ".join(map(_told, row)) + " |" for row in rows]
    lines += ["", f"dev: {task.metric_name}. rows/s: measured on this machine."]
    write_text(folder / "comparison.md", "\n".join(lines) + "\n")
    score = f"{task.metric_name} (dev)"
    measures = {
        score: [one.scores[task.metric_name] for one in found],
        "million weights": [one.parameters / 1e6 for one in found],
        "rows per second": [one.speed for one in found],
    }
    png = side_by_side([one.name for one in found], measures, title)
    write_bytes(folder / "comparison.png", png)
    models = [dataclasses.asdict(one) for one in found]
    write_json(folder / "comparison.json", {**facts, "models": models})
    print_table(title, _COLUMNS, rows)


def _row(one: Compared, teacher: Compared, metric: str) -> tuple[Any, ...]:
    smaller = one.parameters / teacher.parameters
    faster, score = one.speed / teacher.speed, one.scores[metric]
    share = f"{smaller:.0%} of the weights, {faster:.1f} times as fast"
    weights = f"{one.parameters:,}"
    speed = round(one.speed, 1)
    return (one.name, one.layers, one.width, weights, round(score, 4), speed, share)


def _told(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
