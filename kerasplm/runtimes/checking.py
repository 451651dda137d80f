"""What an exported file scores on a task, beside the model that it was made of."""

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError, ExportError
from kerasplm.evaluating import judged, prepared
from kerasplm.runtimes import litert, onnx
from kerasplm.runtimes.common import INPUTS, Arrays, told
from kerasplm.task_models import Classifier, TaskModel
from kerasplm.tasks import Task

STARTS = {".onnx": onnx.start, ".tflite": litert.start}


def compare_scores(
    file: str | Path,
    model: str | Path,
    data: str | Path,
    *,
    split: str = "dev",
    task: str | Path | Task | None = None,
    family: str | None = None,
    **changes: Any,
) -> dict[str, tuple[float, float]]:
    """Score an exported classifier and its Keras model on the same rows.

    Both get the same inputs, of at most the length that the file takes.

    Args:
        file: What `export_onnx` or `export_litert` wrote, with its JSON file beside.
        model: The trained model that was exported, as for `evaluate`.
        data: A file with answers, or the folder with the files of the task.
        split: As for `evaluate`, as all that follow.
        task: Default is the one the model was trained on.
        family: As for `load`.
        **changes: `batch_size`, `max_length` and the options of the kind.

    Returns:
        Each score of the task, and its loss: that of the Keras model, that of the
        file.

    Raises:
        PLMError: Something is missing, broken, or does not fit; there are no answers.

    Example:
        >>> compare_scores("out/model.onnx", "out/model", "data/lcqmc/dev.txt")[
        ...     "accuracy"]  # doctest: +SKIP
        (0.869, 0.868)
    """
    file = Path(file).expanduser()
    facts = _facts(file)
    found = prepared(model, data, split, task, family, **changes)
    network, tokenizer, known, settings, rows = found
    if not isinstance(network, Classifier):
        raise ConfigError(
            f"{model}: expected a classifier, found a model of kind {network.kind!r}"
        )
    if facts["labels"] != list(network.labels):
        raise ConfigError(
            f"{file}: expected the labels of {model}, {', '.join(network.labels)}; "
            f"found {facts['labels']}"
        )
    longest = facts["max_length"] or settings.max_length
    settings = dataclasses.replace(
        settings, max_length=min(longest, settings.max_length)
    )
    exported = cast(TaskModel, Exported(network, file, facts["inputs"]["token_ids"]))
    pair = [
        judged(one, tokenizer, known, settings, rows) for one in (network, exported)
    ]
    ours, theirs = (one.scores for one in pair)
    if not ours:
        raise ConfigError(f"{data}: has no answers to score")
    return {name: (ours[name], theirs[name]) for name in ours}


class Exported:
    """An exported classifier in the place of the Keras model.

    Args:
        network: The Keras model, for its loss.
        file: The file.
        size: Rows and tokens of its inputs, a number where they are fixed.
    """

    def __init__(self, network: Classifier, file: Path, size: list[Any]) -> None:
        self.objective = network.objective
        self._classes = len(network.labels)
        with told(file, "cannot be run"):
            self._run = STARTS[file.suffix](file)
        self._rows, self._tokens = (n if isinstance(n, int) else None for n in size)

    def __call__(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Return the scores (B, C) of a batch."""
        values = [tf.cast(inputs[name], tf.int32) for name in INPUTS]
        out = tf.numpy_function(self._scores, values, tf.float32)
        return tf.ensure_shape(out, [None, self._classes])

    def _scores(self, *values: np.ndarray) -> np.ndarray:
        rows, tokens = values[0].shape
        step = self._rows or rows
        full = [(0, -rows % step), (0, (self._tokens or tokens) - tokens)]
        padded = [np.pad(value, full) for value in values]
        parts = [
            self._asked(
                {n: v[i : i + step] for n, v in zip(INPUTS, padded, strict=True)}
            )
            for i in range(0, rows, step)
        ]
        return np.concatenate(parts)[:rows]

    def _asked(self, batch: Arrays) -> np.ndarray:
        found = self._run(batch)
        return found["logits"] if "logits" in found else found["value"][:, None]


def _facts(file: Path) -> dict[str, Any]:
    """Return what the file beside an export says of it."""
    if file.suffix not in STARTS:
        raise ConfigError(f"{file}: expected the name of a file in {', '.join(STARTS)}")
    beside = file.with_name(f"{file.name}.json")
    try:
        facts = json.loads(beside.read_text(encoding="utf-8"))
        longest, size = facts["max_length"], facts["inputs"]["token_ids"]
        fits = isinstance(longest, int | None) and len(size) == 2 and "labels" in facts
        found: Any = facts
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        fits, found = False, repr(error)
    if not fits:
        raise ExportError(
            f"{beside}: expected labels, max_length and inputs of {file.name}, as the "
            f"export told them; found {found}"
        )
    return dict(facts)
