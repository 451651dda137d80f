"""Fine-tune a checkpoint on a task: from official files to an exported model."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm import reporting
from kerasplm._version import VERSION
from kerasplm.checkpoint import their_names
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, DataError
from kerasplm.exporting import export
from kerasplm.files import read_json, write_text
from kerasplm.heads import Classifier
from kerasplm.optimization import adamw
from kerasplm.saving import family_of, save_checkpoint
from kerasplm.sources import open_source
from kerasplm.tasks import Task, task_named
from kerasplm.tasks.batching import Encoded, batches_of, dataset_of, encode
from kerasplm.tasks.reading import Examples, files_of
from kerasplm.tasks.settings import Settings
from kerasplm.tokenizing import load_tokenizer, save_tokenizer
from kerasplm.training import TrainingState, fit_on
from kerasplm.vocabulary_tools import check_vocab
from kerasplm.zoo import load, load_config


@dataclasses.dataclass(frozen=True)
class Result:
    """What a fine-tuning gave.

    Args:
        model: The classifier with the best weights on the development set.
        scores: Accuracy by split, and the share of the most frequent label.
        history: Logs of every epoch.
        seconds: Time of the training, over all processes that did it.
        folder: Where everything was written.
    """

    model: Classifier
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
            vocabulary), `saved_model/` (takes strings; not for a vocabulary of
            words), `learning_curve.png`, `history.csv`, `results.json`,
            `{task}_predict.json` if there is a test file, and `state/` while
            training.
        settings: Default is the task's recipe; `task.settings(epochs=5)` changes it.
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
    settings = settings or task.settings()
    folder = Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a folder for the results, found a file")
    splits = _read(task, data, settings)
    tokenizer = load_tokenizer(model, family=settings.family)
    keras.utils.set_random_seed(settings.seed)
    encoder = _encoder(model, settings)
    _check_fit(encoder, settings, task, tokenizer)
    _remember(folder, model, task, settings, splits)
    encoded = {
        name: encode(split, tokenizer, settings.max_length)
        for name, split in splits.items()
    }
    count = len(encoded["train"])
    steps = -(-count // settings.batch_size)
    total = steps * settings.epochs
    classifier = task.model(
        encoder,
        optimizer=adamw(
            settings.learning_rate, total, warmup=int(total * settings.warmup)
        ),
    )
    # Before hours of training: the result can be saved.
    their_names(classifier, family_of(classifier, settings.family))
    state = TrainingState(folder / "state", steps, settings.save_steps)
    state.restore(classifier)
    fit_on(
        classifier,
        state,
        settings.epochs,
        lambda epoch, step: _training_batches(encoded["train"], settings, epoch, step),
        validation_data=_sorted(encoded["dev"], settings.batch_size)[0],
        callbacks=list(callbacks),
        verbose=verbose,
    )
    state.load_best(classifier)
    result = Result(classifier, {}, state.history, state.seconds, folder)
    for name in [name for name in splits if name != "train"]:
        found = predict(classifier, encoded[name], settings.batch_size)
        if splits[name].labels is not None:
            result.scores[name] = _scores(found, splits[name])
        if name == "test":
            file = folder / f"{task.name}_predict.json"
            task.submission(file, splits[name], found.argmax(-1))
    _write(result, task, tokenizer, settings.family)
    return result


def predict(model: Classifier, encoded: Encoded, batch_size: int = 32) -> np.ndarray:
    """Return the probabilities (examples, C) in the order of the file.

    The examples are run in order of their lengths, so that little padding is
    computed.
    """
    data, order = _sorted(encoded, batch_size, labels=False)
    logits = model.predict(data, verbose=0)
    out = np.empty_like(logits)
    out[order] = logits
    exp = np.exp(out - out.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def _sorted(
    encoded: Encoded, batch_size: int, labels: bool = True
) -> tuple[Any, np.ndarray]:
    """Return batches sorted by length, any number of times, and the order of rows."""
    plan = batches_of(encoded.lengths, batch_size, "length")
    if not labels:
        encoded = dataclasses.replace(encoded, labels=None)
    data = dataset_of(encoded, itertools.repeat(plan))
    data = data.apply(tf.data.experimental.assert_cardinality(len(plan)))
    return data, np.concatenate(plan)


def _training_batches(
    encoded: Encoded, settings: Settings, epoch: int, step: int
) -> Any:
    """Return all batches from (epoch, step) on; the order depends on nothing else."""

    def plans() -> Iterator[list[np.ndarray]]:
        for n in range(epoch, settings.epochs):
            seed = (settings.seed, n)
            plan = batches_of(encoded.lengths, settings.batch_size, "shuffled", seed)
            yield plan[step:] if n == epoch else plan

    return dataset_of(encoded, plans(), in_one_pass=True)


def _read(task: Task, data: str | Path, settings: Settings) -> dict[str, Examples]:
    """Read all splits; the test split may be absent."""
    files = {name: getattr(settings, name) for name in ("train", "dev", "test")}
    folder = Path(data).expanduser()
    if folder.is_file():
        raise DataError(
            f"{data}: expected a folder with train and dev files, found a file; name "
            "single files with train=, dev= and test="
        )
    names = ["train", "dev"]
    if files["test"] or files_of(folder, "test"):
        names.append("test")
    return {name: task.examples(files[name] or data, name) for name in names}


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
    splits: dict[str, Examples],
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
        | {"train": "", "dev": "", "test": "", "save_steps": 0},
        "data": {
            name: hashlib.sha256(split.file.read_bytes()).hexdigest()
            for name, split in splits.items()
        },
    }
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


def _scores(probabilities: np.ndarray, split: Examples) -> dict[str, float]:
    labels = np.array(split.labels)
    chosen = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float((probabilities.argmax(-1) == labels).mean()),
        "loss": float(-np.log(np.maximum(chosen, 1e-30)).mean()),
        "majority": float(np.bincount(labels).max() / len(labels)),
        "examples": len(labels),
    }


def _write(result: Result, task: Task, tokenizer: Any, family: str | None) -> None:
    """Write the trained model in every form, the scores and the picture."""
    folder = result.folder
    save_checkpoint(result.model, folder / "model" / "model.ckpt", family=family)
    save_tokenizer(tokenizer, folder / "model")
    if isinstance(tokenizer, tf.Module):  # words are not segmented in graph
        export(result.model, tokenizer, folder / "saved_model")
    facts = {
        "task": task.name,
        "scores": result.scores,
        "seconds": round(result.seconds, 1),
        "kerasplm": VERSION,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    write_text(folder / "results.json", json.dumps(facts, indent=1) + "\n")
    reporting.write_history(result.history, folder / "history.csv")
    reporting.draw_curves(result.history, folder / "learning_curve.png", task.name)


def print_result(result: Result, task: str) -> None:
    """Print the scores as a table, and where everything was written."""
    rows = [
        (split, int(s["examples"]), s["accuracy"], s["majority"], s["loss"])
        for split, s in result.scores.items()
    ]
    columns = ("split", "examples", "accuracy", "most frequent label", "loss")
    reporting.print_table(f"{task}, best epoch on dev", columns, rows)
    names = {
        "model": "trained model under its TF1 names, with vocabulary",
        "saved_model": "SavedModel that takes strings",
        "learning_curve.png": "loss and accuracy over the epochs",
        "history.csv": "the same as numbers",
        f"{task}_predict.json": "predictions for the test file",
        "results.json": "the table above",
    }
    there = [(n, what) for n, what in names.items() if (result.folder / n).exists()]
    reporting.print_table(str(result.folder), ("file", "content"), there)
