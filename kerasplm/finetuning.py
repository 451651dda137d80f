"""Fine-tune a checkpoint on a task: from official files to an exported model."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm import reporting
from kerasplm._version import VERSION
from kerasplm.checkpoint import body_of, their_names
from kerasplm.errors import ConfigError, DataError, ExportError
from kerasplm.exporting_trained import export_trained
from kerasplm.files import alone, write_bytes, write_json, write_text
from kerasplm.lessons import Lesson, Teach
from kerasplm.precision import computed_in
from kerasplm.report.card import model_card
from kerasplm.report.outputs import EpochLogs, run_facts, write_details
from kerasplm.report.pictures import curves
from kerasplm.run_folder import Prepared, claim, prepare
from kerasplm.saving import family_of, save_checkpoint
from kerasplm.starting import start
from kerasplm.state_files import build_optimizer
from kerasplm.task_models import TaskModel
from kerasplm.tasks import Settings, Split, Task
from kerasplm.tasks.cache import cached_features, length_statistics
from kerasplm.tasks.epochs import compiles, training_batches
from kerasplm.tasks.features import Features
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.optimizing import optimizer_of
from kerasplm.tasks.saved import save_task
from kerasplm.tasks.sharing import SharedRows
from kerasplm.tokenizing import load_tokenizer, save_tokenizer
from kerasplm.training import TrainingState, fit_on
from kerasplm.vocabulary_tools import check_vocab

_log = logging.getLogger("kerasplm")


@dataclasses.dataclass(frozen=True)
class Result:
    """What a fine-tuning gave.

    Args:
        model: The model with the best weights on the development set.
        scores: The scores of the task by split.
        history: Logs of every evaluation.
        seconds: Time of the training, over all processes that did it.
        folder: Where everything was written.
    """

    model: TaskModel
    scores: dict[str, dict[str, float]]
    history: list[dict[str, float]]
    seconds: float
    folder: Path


def finetune(
    model: str | Path,
    task: str | Task,
    data: str | Path,
    output: str | Path,
    *,
    settings: Settings | None = None,
    verbose: int | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Result:
    """Fine-tune a checkpoint on the official files of a task.

    Calling it again with the same output folder goes on where it was stopped and
    ends with the same weights as if it had not been.

    Args:
        model: As for `load`.
        task: A task, its name in `TASKS`, or a JSON file that declares it.
        data: Folder with the train, dev and (optional) test files.
        output: Folder for the results: `model/` (TF1 names, configuration,
            vocabulary, card), `saved_model/` (see `export_trained`; takes strings, so
            not for a vocabulary of words), `learning_curve.png`, `history.csv`,
            `tensorboard/`, `dev_predictions.jsonl`, `dev_details.json` (confusions,
            worst and longest rows), `run.json` (data, settings and their sources),
            `results.json`, `{task}_predict.json` if there is a test file, and `state/`
            while training. `kerasplm.report.write_report` makes one report of many.
        settings: Default is the published recipe for task and model,
            `task.settings(model)`; `task.settings(model, epochs=5)` changes it.
        verbose: As for `keras.Model.fit`.
        callbacks: Further Keras callbacks.

    Returns:
        The model with the best weights, the scores, and where they are.

    Raises:
        PLMError: A file is broken or something does not fit; nothing is trained.

    Example:
        >>> finetune("albert_tiny", "lcqmc", "data/lcqmc", "out")  # doctest: +SKIP
    """
    prepared = prepare(model, task, data, settings)
    return train_prepared(prepared, output, verbose=verbose, callbacks=callbacks)


def train_prepared(
    prepared: Prepared,
    output: str | Path,
    *,
    verbose: int | str = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    teach: Teach | None = None,
) -> Result:
    """Do what `finetune` does, after the files were read.

    Args:
        prepared: From `prepare`.
        output: As for `finetune`.
        verbose: As for `finetune`.
        callbacks: As for `finetune`.
        teach: Makes of the task's model, the features and the optimizer what is
            trained; None trains the task's model.
    """
    model, task, settings = prepared.model, prepared.task, prepared.settings
    if teach is not None and settings.packing:
        raise ConfigError("packing is for fine-tuning, not for distillation")
    folder = Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a folder for the results, found a file")
    tokenizer = load_tokenizer(model, family=settings.family)
    keras.utils.set_random_seed(settings.seed)
    with computed_in(settings.precision, mixed=True):
        encoder = start(model, task, settings)
    _check_fit(encoder, settings, task, tokenizer)
    with alone(folder):
        claim(folder, prepared.facts)
        return _trained(prepared, folder, encoder, tokenizer, verbose, callbacks, teach)


def _trained(
    prepared: Prepared,
    folder: Path,
    encoder: keras.Model,
    tokenizer: Any,
    verbose: int | str,
    callbacks: Sequence[keras.callbacks.Callback],
    teach: Teach | None,
) -> Result:
    """Train in a folder that nobody else writes into."""
    model, task, settings = prepared.model, prepared.task, prepared.settings
    splits = prepared.splits
    cache = folder / "features" if settings.cache is None else Path(settings.cache)
    features = {
        name: cached_features(cache, task, split, tokenizer, settings)
        for name, split in splits.items()
    }
    if verbose:
        _print_data(task, splits, features, settings)
    for name in ("train", "dev"):
        if features[name].targets is None:
            raise DataError(f"{splits[name].files[0]}: expected answers, found none")
    steps = -(-len(features["train"]) // settings.batch_size)
    total = steps * settings.epochs
    if settings.accumulation > total:
        raise ConfigError(
            f"accumulation={settings.accumulation}, but there are {total} batches in "
            "all: nothing would be trained"
        )
    with computed_in(settings.precision, mixed=True):
        optimizer = optimizer_of(settings, -(-total // settings.accumulation))
        network = task.model(encoder, settings=settings, optimizer=optimizer)
        network.jit_compile = compiles(settings, features["train"])
        if teach is None:
            lesson = Lesson(network, network, features["train"])
            # A step that creates variables would be traced again without them.
            build_optimizer(network)
        else:
            lesson = teach(network, features, optimizer, settings)
            network = lesson.network
    # Before hours of training: the result can be saved.
    their_names(network, family_of(network, settings.family))
    facts = run_facts(model, network, task, settings, splits)
    write_json(folder / "run.json", facts)
    judge = Judge(task, network, settings, tokenizer)
    watched = task.engine.watched(splits["dev"].rows, features["dev"], settings)
    state = TrainingState(
        folder / "state",
        steps,
        evaluate=lesson.evaluate or (lambda: judge.score(*watched)),
        metric=lesson.metric or task.metric_name,
        save_steps=settings.save_steps,
        evaluations=settings.evaluations,
        patience=settings.patience,
    )
    state.restore(lesson.model)

    def batches(epoch: int, step: int) -> Any:
        data = training_batches(lesson.features, settings, epoch, step)
        return lesson.batches(data)

    fit_on(
        lesson.model,
        state,
        settings.epochs,
        batches,
        callbacks=[EpochLogs(folder / "tensorboard"), *callbacks],
        verbose=verbose,
    )
    state.load_best(lesson.model)
    network.jit_compile = False  # for `predict`, whose batches have any shape
    result = Result(network, {}, state.history, state.seconds, folder)
    if lesson.evaluate is not None:
        result.scores["dev"] = dict(lesson.evaluate())
    for name in [name for name in splits if name != "train" and lesson.judged]:
        rows = splits[name].rows
        predictions, scores = judge.judged(rows, features[name])
        if scores:
            result.scores[name] = scores
        if name == "dev":
            write_details(folder, task, settings, rows, features[name], predictions)
        if name in task.tests:
            task.submission(folder / task.tests[name], rows, predictions)
    _write(result, task, tokenizer, settings, facts, lesson.metric)
    return result


def _print_data(
    task: Task,
    splits: dict[str, Split],
    features: dict[str, Features],
    settings: Settings,
) -> None:
    """Print how much data there are and how long; say what the reader changed."""
    rows = []
    for name, split in splits.items():
        found = length_statistics(features[name], settings.max_length)
        share = f"{found.pop('full'):.1%}"
        rows.append((name, len(split), *found.values(), share))
    columns = ("split", "rows", "features", "mean", "median", "p95", "p99", "max")
    if settings.packing:
        shared = SharedRows(features["train"], settings.batch_size)
        print(
            f"train: {shared.batch_size} features share {shared.rows} rows of "
            f"{shared.length} tokens, which are {shared.fill:.0%} full"
        )
    title = f"{task.name}: tokens of a feature, at most {settings.max_length}"
    reporting.print_table(title, (*columns, "at the limit"), rows)
    for name, split in splits.items():
        for what, counts in (("left out", split.dropped), ("repaired", split.repaired)):
            for reason, count in counts.items():
                print(f"{name}: {count} {what}: {reason}")


def _check_fit(
    encoder: keras.Model, settings: Settings, task: Task, tokenizer: Any
) -> None:
    config = body_of(encoder).config
    check_vocab(tokenizer, encoder)
    writes = task.engine.writes  # what is written is told apart, not the sources
    if task.pair and not writes and config.type_vocab_size == 1:
        raise ConfigError(
            f"{task.name} is a task of pairs, but the model knows one segment only "
            "(type_vocab_size)"
        )
    limit = config.max_positions
    longest = task.engine.longest(settings)
    if limit is not None and longest > limit:
        target = longest - settings.max_length
        more = f" and targets of {target}" if target else ""
        raise ConfigError(
            f"max_length={settings.max_length}{more}, but the model has {limit} "
            "positions (max_position_embeddings); with hierarchical_positions=0.4 it "
            "takes their square"
        )


def _write(
    result: Result,
    task: Task,
    tokenizer: Any,
    settings: Settings,
    told: dict[str, Any],
    metric: str | None,
) -> None:
    """Write the trained model in every form, its card, the scores and the picture.

    With a metric of its own the training was not for the answers: they are not shown.
    """
    folder, judged = result.folder, metric is None
    save_checkpoint(
        result.model, folder / "model" / "model.ckpt", family=settings.family
    )
    save_tokenizer(tokenizer, folder / "model")
    save_task(folder / "model", task, settings)
    # Words are not segmented in graph.
    if judged and isinstance(tokenizer, tf.Module):
        try:
            export_trained(result.model, tokenizer, folder / "saved_model", settings)
        except ExportError as error:  # the model itself is written
            _log.warning("%s; no SavedModel was written", error)
    facts = {
        "task": task.name,
        "kind": task.kind,
        "metric": metric or task.metric_name,
        "scores": result.scores,
        "parameters": result.model.count_params(),
        "seconds": round(result.seconds, 1),
        "kerasplm": VERSION,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    if judged:
        write_text(folder / "model" / "README.md", model_card(told, facts))
    reporting.write_history(result.history, folder / "history.csv")
    png = curves(result.history, task.name, metric or task.metric_name)
    write_bytes(folder / "learning_curve.png", png)
    # The last file: a run that has it is finished.
    write_json(folder / "results.json", facts)


def print_result(result: Result, task: str) -> None:
    """Print the scores as a table, and where everything was written."""
    names = list(dict.fromkeys(name for s in result.scores.values() for name in s))
    rows = [
        (name, *(s.get(name, "") for s in result.scores.values())) for name in names
    ]
    columns = ("score", *result.scores)
    reporting.print_table(f"{task}, best weights on dev", columns, rows)
    files = {
        "model": "trained model under its TF1 names, with vocabulary and card",
        "saved_model": "SavedModel that takes strings",
        "learning_curve.png": "loss and score over the epochs",
        "history.csv": "the same as numbers",
        "tensorboard": "the same for tensorboard --logdir",
        "dev_details.json": "confusions, worst and longest rows of dev",
        "dev_predictions.jsonl": "predictions for dev, and how wrong they are",
        "run.json": "data and settings, each with its source",
        "results.json": "the table above",
    }
    there = [(n, what) for n, what in files.items() if (result.folder / n).exists()]
    sent = sorted(file.name for file in result.folder.glob("*_predict.*"))
    there += [(name, "answers to a test file, for the leaderboard") for name in sent]
    reporting.print_table(str(result.folder), ("file", "content"), there)
