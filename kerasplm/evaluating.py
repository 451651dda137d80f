"""Ask a trained model about files: scores, predictions, submissions."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from kerasplm.errors import ConfigError
from kerasplm.exporting import check_length
from kerasplm.precision import Precision
from kerasplm.sources import open_source
from kerasplm.task_models import TaskModel
from kerasplm.tasks import Settings, Split, Task, task_named
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.saved import FILE, saved_task
from kerasplm.tokenizing import load_tokenizer
from kerasplm.zoo import Heads, load


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a model said of a file.

    Args:
        task: The task.
        split: The rows and where they were read.
        predictions: One per row.
        scores: The official scores; {} if the file has no answers.
        network: What was asked.
    """

    task: Task
    split: Split
    predictions: list[Any]
    scores: Mapping[str, float]
    network: TaskModel

    def write_submission(self, file: str | Path) -> None:
        """Write the predictions as the leaderboard takes them."""
        self.task.submission(file, self.split.rows, self.predictions)


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    split: str = "dev",
    task: str | Path | Task | None = None,
    family: str | None = None,
    precision: Precision | None = None,
    **changes: Any,
) -> Evaluation:
    """Score a trained model on a file, or predict a file without answers.

    Args:
        model: Folder that `finetune` wrote (its "model"), or a checkpoint of the
            original fine-tuning code with a task model.
        data: A file, or the folder with the files of the task.
        split: Which split of a folder: "train", "dev", "test", ...
        task: The task; default is the one the model was trained on.
        family: As for `load`.
        precision: As for `load`.
        **changes: `batch_size`, `max_length` and the options of the kind, where
            they are to differ from those of the training.

    Raises:
        PLMError: Something is missing, broken or does not fit.

    Example:
        >>> evaluate("out/model", "data/lcqmc").scores["accuracy"]  # doctest: +SKIP
    """
    return judged(*prepared(model, data, split, task, family, precision, **changes))


def prepared(
    model: str | Path,
    data: str | Path,
    split: str = "dev",
    task: str | Path | Task | None = None,
    family: str | None = None,
    precision: Precision | None = None,
    **changes: Any,
) -> tuple[TaskModel, Any, Task, Settings, Split]:
    """Return what `judged` takes; arguments as for `evaluate`."""
    with open_source(model) as source:
        known, settings = saved_task(source.folder) or (None, None)
    if task is not None:
        named = task if isinstance(task, Task) else task_named(task)
        known = named if known is None else _same_kind(named, known)
    if known is None:
        raise ConfigError(
            f"{model}: has no {FILE} that tells its task. Pass task=, a name or a JSON "
            "file"
        )
    if settings is None:
        settings = known.settings(model=model, family=family)
    options = dataclasses.asdict(settings.options) | {"max_length": settings.max_length}
    idle = set(changes) - set(options) - {"batch_size"}
    if idle:
        raise ConfigError(
            f"{', '.join(sorted(idle))}: no choice of an evaluation. There are "
            f"batch_size, {', '.join(sorted(options))}"
        )
    settings = known.settings(family=family, **{**options, **changes})
    known = known.at(data).chosen(settings)
    rows = known.rows(data, split)
    kind = cast(Heads, known.kind)
    network = load(model, heads=kind, family=family, precision=precision)
    tokenizer = load_tokenizer(model, family=family)
    check_labels(network, known)
    check_length(network.encoder.config, settings.max_length)
    return network, tokenizer, known, settings, rows


def judged(
    network: TaskModel, tokenizer: Any, task: Task, settings: Settings, rows: Split
) -> Evaluation:
    """Run a model over the rows of a split."""
    features = task.features(rows.rows, tokenizer, settings)
    predictions, scores = Judge(task, network, settings, tokenizer).judged(
        rows.rows, features
    )
    return Evaluation(task, rows, predictions, scores, network)


def check_labels(network: TaskModel, task: Task) -> None:
    """Refuse a model that tells other labels apart than the task.

    Raises:
        ConfigError: The labels, or their order, differ.
    """
    if network.labels and task.labels and network.labels != task.labels:
        raise ConfigError(
            f"{task.name}: expected a model with the labels {', '.join(task.labels)}, "
            f"found {', '.join(network.labels)}"
        )


def _same_kind(task: Task, trained: Task) -> Task:
    """Return a task for a model that was trained on another one of its kind."""
    if task.kind != trained.kind:
        raise ConfigError(
            f"{task.name}: is a task of kind {task.kind!r}, but the model was trained "
            f"on {trained.name}, of kind {trained.kind!r}"
        )
    return task if task.labels else dataclasses.replace(task, labels=trained.labels)
