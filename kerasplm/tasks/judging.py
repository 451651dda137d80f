"""Run a task model over features: outputs, loss, predictions."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.task_models import TaskModel
from kerasplm.task_models.base import real_tokens_only
from kerasplm.tasks.features import Features
from kerasplm.tasks.graphs import Graph, each
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Task


class Judge:
    """Ask one task model; its graph is traced once for all lengths.

    Several threads may ask it at once.

    Args:
        task: The declaration.
        model: The model.
        settings: Batch size, and the thresholds of the kind.
        tokenizer: From `load_tokenizer`; needed for a kind that writes texts.
    """

    def __init__(
        self, task: Task, model: TaskModel, settings: Settings, tokenizer: Any = None
    ) -> None:
        self.task = task
        self.model = model
        self.settings = settings
        self.tokenizer = tokenizer
        self._call = Graph(self._outputs)
        self._both = Graph(self._judged)
        self._answer = Graph(self._answered)
        self._loss = Graph(self._lost)

    @property
    def traces(self) -> int:
        """How many graphs were traced so far."""
        graphs = (self._call, self._both, self._answer, self._loss)
        return sum(graph.traces for graph in graphs)

    def _outputs(self, inputs: Any) -> Any:
        with real_tokens_only():
            return self.model(inputs, training=False)

    def _judged(self, inputs: Any, targets: Any) -> Any:
        outputs = self._outputs(inputs)
        return outputs, self.model.objective(inputs, targets, outputs)

    def _lost(self, inputs: Any, targets: Any) -> Any:
        return self._judged(inputs, targets)[1]

    def _answered(self, outputs: Any, question: Any) -> Any:
        return self.model.answer(outputs, question)

    def _ask(self, outputs: Any, question: Mapping[str, np.ndarray]) -> Any:
        tensors = {name: tf.constant(x) for name, x in question.items()}
        signature = keras.tree.map_structure(_spec, [outputs, tensors])
        answer = self._answer(signature, outputs, tensors)
        return keras.tree.map_structure(np.asarray, answer)

    def found(self, features: Features) -> tuple[list[Any], float | None]:
        """Return what the model finds in every feature, and the mean loss.

        The features are run in order of their lengths, so that little padding is
        computed. The loss is None without targets.
        """

        def ask(chosen: np.ndarray) -> tuple[list[Any], float]:
            read = self._written if self.task.engine.writes else self._read
            arrays, loss = read(features, chosen)
            found = self.task.engine.found(
                self.task, features, chosen, arrays, self.settings
            )
            return found, loss

        out: list[Any] = [None] * len(features)
        total = 0.0
        size, together = self.settings.batch_size, not self.task.engine.writes
        for chosen, (found, loss) in each(features, size, ask, together):
            total += loss * len(chosen)
            for number, one in zip(chosen, found, strict=True):
                out[number] = one
        mean = None if features.targets is None else total / max(len(features), 1)
        return out, mean

    def _read(self, features: Features, chosen: np.ndarray) -> tuple[Any, float]:
        """Return the outputs of a batch, as arrays, and its loss; 0 without targets."""
        batch, loss = features.repeatable(chosen), 0.0
        if features.targets is None:
            outputs = self._call([features.signature], batch)
        else:
            outputs, loss = self._both([*features.signature], *batch)
        arrays = self.task.engine.second_pass(
            features,
            chosen,
            keras.tree.map_structure(np.asarray, outputs),
            self.settings,
            functools.partial(self._ask, outputs),
        )
        return arrays, float(loss)

    def _written(self, features: Features, chosen: np.ndarray) -> tuple[Any, float]:
        """Return what the model writes for a batch, and its loss; 0 without targets."""
        if self.tokenizer is None:
            raise ConfigError(
                f"{self.task.name}: texts are written with a tokenizer: pass tokenizer="
            )
        loss = 0.0
        if features.targets is not None:
            batch = features.batch(chosen)
            loss = float(self._loss([*features.signature], *batch))
        written = self.task.engine.written(
            self.model, self.tokenizer, features, chosen, self.settings
        )
        return written, loss

    def predict(
        self, rows: Sequence[Any], features: Features
    ) -> tuple[list[Any], float | None]:
        """Return one prediction per row, and the mean loss.

        Args:
            rows: The rows.
            features: What `Task.features` made of them.
        """
        found, loss = self.found(features)
        predictions = self.task.engine.predictions(
            self.task, rows, features, found, self.settings
        )
        return predictions, loss

    def judged(
        self, rows: Sequence[Any], features: Features
    ) -> tuple[list[Any], dict[str, float]]:
        """Return one prediction per row, and the scores; {} without targets."""
        predictions, loss = self.predict(rows, features)
        if loss is None:
            return predictions, {}
        scores = self.task.engine.score(self.task, rows, predictions)
        return predictions, scores | {"loss": loss}

    def score(self, rows: Sequence[Any], features: Features) -> dict[str, float]:
        """Return the scores of the task, and its loss."""
        return self.judged(rows, features)[1]


def _spec(x: tf.Tensor) -> tf.TensorSpec:
    """Return the signature of a tensor whose rows and tokens vary."""
    sizes = [None if axis < 2 else size for axis, size in enumerate(x.shape)]
    return tf.TensorSpec(sizes, x.dtype)
