"""Fine-tune a checkpoint on a task: from official files to an exported model."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm import reporting
from kerasplm._version import VERSION
from kerasplm.checkpoint import their_names
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, DataError
from kerasplm.exporting import export
from kerasplm.files import read_json, write_bytes, write_json, write_text
from kerasplm.report.card import model_card
from kerasplm.report.outputs import EpochLogs, run_facts, write_details
from kerasplm.report.pictures import curves
from kerasplm.saving import family_of, save_checkpoint
from kerasplm.sources import open_source
from kerasplm.task_models import Classifier, TaskModel
from kerasplm.tasks import Settings, Split, Task, task_named
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.cache import cached_features
from kerasplm.tasks.features import Features, dataset_of
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.optimizing import optimizer_of, precision
from kerasplm.tokenizing import load_tokenizer, save_tokenizer
from kerasplm.training import TrainingState, fit_on
from kerasplm.vocabulary_tools import check_vocab
from kerasplm.zoo import load, load_config


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
        task: A task or its name in `TASKS`.
        data: Folder with the train, dev and (optional) test files.
        output: Folder for the results: `model/` (TF1 names, configuration,
            vocabulary, card), `saved_model/` (takes strings; not for a vocabulary of
            words), `learning_curve.png`, `history.csv`, `tensorboard/`,
            `dev_predictions.jsonl`, `dev_details.json` (confusions, worst and longest
            rows), `run.json` (data, settings and their sources), `results.json`,
            `{task}_predict.json` if there is a test file, and `state/` while
            training. `kerasplm.report.write_report` makes one report of many.
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
    task = task_named(task) if isinstance(task, str) else task
    settings = settings or task.settings(model=model)
    folder = Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a folder for the results, found a file")
    splits = _read(task, data, settings)
    tokenizer = load_tokenizer(model, family=settings.family)
    keras.utils.set_random_seed(settings.seed)
    with precision(settings.mixed_precision):
        encoder = _encoder(model, settings)
    _check_fit(encoder, settings, task, tokenizer)
    _remember(folder, model, task, settings, splits)
    cache = folder / "features" if settings.cache is None else Path(settings.cache)
    features = {
        name: cached_features(cache, task, split, tokenizer, settings)
        for name, split in splits.items()
    }
    if features["dev"].targets is None:
        raise DataError(f"{splits['dev'].files[0]}: expected answers, found none")
    steps = -(-len(features["train"]) // settings.batch_size)
    total = steps * settings.epochs
    with precision(settings.mixed_precision):
        optimizer = optimizer_of(settings, -(-total // settings.accumulation))
        network = task.model(encoder, settings=settings, optimizer=optimizer)
    # Before hours of training: the result can be saved.
    their_names(network, family_of(network, settings.family))
    facts = run_facts(model, network, task, settings, splits)
    write_json(folder / "run.json", facts)
    judge = Judge(task, network, settings)
    state = TrainingState(
        folder / "state",
        steps,
        evaluate=lambda: judge.score(splits["dev"].rows, features["dev"]),
        metric=task.metric or task.engine.metric,
        save_steps=settings.save_steps,
        evaluations=settings.evaluations,
        patience=settings.patience,
    )
    state.restore(network)
    fit_on(
        network,
        state,
        settings.epochs,
        lambda epoch, step: _training_batches(features["train"], settings, epoch, step),
        callbacks=[EpochLogs(folder / "tensorboard"), *callbacks],
        verbose=verbose,
    )
    state.load_best(network)
    result = Result(network, {}, state.history, state.seconds, folder)
    for name in [name for name in splits if name != "train"]:
        rows = splits[name].rows
        predictions, loss = judge.predict(rows, features[name])
        if loss is not None:
            scores = task.engine.score(task, rows, predictions)
            result.scores[name] = scores | {"loss": loss}
        if name == "dev":
            write_details(folder, task, settings, rows, features[name], predictions)
        if name == "test":
            file = task.submission_file or f"{task.name}_predict.json"
            task.submission(folder / file, rows, predictions)
    _write(result, task, tokenizer, settings.family, facts)
    return result


def _training_batches(
    features: Features, settings: Settings, epoch: int, step: int
) -> Any:
    """Return all batches from (epoch, step) on; the order depends on nothing else."""

    def plans() -> Iterator[Any]:
        for n in range(epoch, settings.epochs):
            seed = (settings.seed, n)
            plan = batches_of(features.lengths, settings.batch_size, "shuffled", seed)
            yield plan[step:] if n == epoch else plan, seed

    return dataset_of(features, plans(), in_one_pass=True)


def _read(task: Task, data: str | Path, settings: Settings) -> dict[str, Split]:
    """Read all splits; the test split may be absent."""
    files = {name: getattr(settings, name) for name in ("train", "dev", "test")}
    folder = Path(data).expanduser()
    if folder.is_file():
        raise DataError(
            f"{data}: expected a folder with train and dev files, found a file; name "
            "single files with train=, dev= and test="
        )
    names = ["train", "dev"]
    if files["test"] or task.has(folder, "test"):
        names.append("test")
    return {name: task.rows(files[name] or data, name) for name in names}


def _encoder(model: str | Path, settings: Settings) -> Encoder:
    # A classifier reads both ways, also on a model that was pre-trained to generate.
    fields: dict[str, Any] = {"attention": "bidirectional"}
    if settings.dropout is not None:
        fields["hidden_dropout_prob"] = settings.dropout
        fields["attention_probs_dropout_prob"] = settings.dropout
    if settings.from_scratch:
        config = load_config(model, family=settings.family, **fields)
        if not isinstance(config, Config):
            raise ConfigError(f"{model}: expected the configuration of an encoder")
        return Encoder(config)
    return load(model, family=settings.family, **fields)


def _check_fit(
    encoder: Encoder, settings: Settings, task: Task, tokenizer: Any
) -> None:
    config = encoder.config
    check_vocab(tokenizer, encoder)
    if task.pair and config.type_vocab_size == 1:
        raise ConfigError(
            f"{task.name} is a task of pairs, but the model knows one segment only "
            "(type_vocab_size)"
        )
    limit = config.max_position_embeddings
    if config.position == "absolute" and settings.max_length > limit:
        raise ConfigError(
            f"max_length={settings.max_length}, but the model has {limit} positions "
            "(max_position_embeddings)"
        )


def _remember(
    folder: Path,
    model: str | Path,
    task: Task,
    settings: Settings,
    splits: dict[str, Split],
) -> None:
    """Write what is being trained; refuse a folder in which something else was.

    Raises:
        ConfigError: The folder holds the run of other settings, data or model.
    """
    facts = {
        "task": task.name,
        "labels": list(task.labels),
        "model": _digest(model),
        # A file may move; its content may not change.
        "settings": dataclasses.asdict(settings)
        | {"train": "", "dev": "", "test": "", "save_steps": 0, "cache": ""},
        "data": {
            name: [
                hashlib.sha256(file.read_bytes()).hexdigest() for file in split.files
            ]
            for name, split in splits.items()
        },
    }
    facts = json.loads(json.dumps(facts))  # a tuple is read back as a list
    file = folder / "settings.json"
    if file.is_file():
        before = read_json(file)
        other = [key for key in facts if before.get(key) != facts[key]]
        if other:
            raise ConfigError(
                f"{folder}: holds a run with other {' and '.join(other)} (see "
                f"{file.name}). Choose another output folder, or remove this one"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty and holds no run; choose another")
    else:
        write_text(file, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def _digest(model: str | Path) -> str:
    """Return a hash of the model; the index holds the checksums of the weights."""
    with open_source(model) as source:
        files = [*source.configs(), source.vocab()]
        if source.prefix is not None:
            index = source.prefix.with_name(f"{source.prefix.name}.index")
            files.append(source.prefix if source.kind != "tf1" else index)
        found = [file.read_bytes() for file in files if file is not None]
    return hashlib.sha256(b"".join(found)).hexdigest()


def _write(
    result: Result,
    task: Task,
    tokenizer: Any,
    family: str | None,
    told: dict[str, Any],
) -> None:
    """Write the trained model in every form, its card, the scores and the picture."""
    folder = result.folder
    save_checkpoint(result.model, folder / "model" / "model.ckpt", family=family)
    save_tokenizer(tokenizer, folder / "model")
    # Words are not segmented in graph.
    if isinstance(tokenizer, tf.Module) and isinstance(result.model, Classifier):
        export(result.model, tokenizer, folder / "saved_model")
    facts = {
        "task": task.name,
        "scores": result.scores,
        "seconds": round(result.seconds, 1),
        "kerasplm": VERSION,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    write_text(folder / "model" / "README.md", model_card(told, facts))
    reporting.write_history(result.history, folder / "history.csv")
    png = curves(result.history, task.name, told["task"]["metric"])
    write_bytes(folder / "learning_curve.png", png)
    # The last file: a run that has it is finished.
    write_text(folder / "results.json", json.dumps(facts, indent=1) + "\n")


def print_result(result: Result, task: str) -> None:
    """Print the scores as a table, and where everything was written."""
    names = list(dict.fromkeys(name for s in result.scores.values() for name in s))
    rows = [
        (split, *(s.get(name, "") for name in names))
        for split, s in result.scores.items()
    ]
    reporting.print_table(f"{task}, best weights on dev", ("split", *names), rows)
    files = {
        "model": "trained model under its TF1 names, with vocabulary and card",
        "saved_model": "SavedModel that takes strings",
        "learning_curve.png": "loss and score over the epochs",
        "history.csv": "the same as numbers",
        "tensorboard": "the same for tensorboard --logdir",
        "dev_details.json": "confusions, worst and longest rows of dev",
        "dev_predictions.jsonl": "predictions for dev, and how wrong they are",
        f"{task}_predict.json": "predictions for the test file",
        "run.json": "data and settings, each with its source",
        "results.json": "the table above",
    }
    there = [(n, what) for n, what in files.items() if (result.folder / n).exists()]
    reporting.print_table(str(result.folder), ("file", "content"), there)
