"""Run a task model over features: outputs, loss, predictions."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.task_models import TaskModel
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.features import Features, dataset_of
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Task


class Judge:
    """Ask one task model; its graph is traced once for all lengths.

    Args:
        task: The declaration.
        model: The model.
        settings: Batch size, and the thresholds of the kind.
    """

    def __init__(self, task: Task, model: TaskModel, settings: Settings) -> None:
        self.task = task
        self.model = model
        self.settings = settings
        self._call = tf.function(self._outputs, autograph=False, reduce_retracing=True)
        self._both = tf.function(self._judged, autograph=False, reduce_retracing=True)
        self._answer = tf.function(
            self._answered, autograph=False, reduce_retracing=True
        )

    def _outputs(self, inputs: Any) -> Any:
        outputs = self.model(inputs, training=False)
        return keras.tree.map_structure(_float32, outputs)

    def _judged(self, inputs: Any, targets: Any) -> Any:
        outputs = self.model(inputs, training=False)
        loss = self.model.objective(inputs, targets, outputs)
        return keras.tree.map_structure(_float32, outputs), loss

    def _answered(self, outputs: Any, question: Any) -> Any:
        answer = self.model.answer(outputs, question)
        return keras.tree.map_structure(_float32, answer)

    def _ask(self, outputs: Any, question: Mapping[str, np.ndarray]) -> Any:
        tensors = {name: tf.constant(x) for name, x in question.items()}
        answer = self._answer(outputs, tensors)
        return keras.tree.map_structure(np.asarray, answer)

    def found(self, features: Features) -> tuple[list[Any], float | None]:
        """Return what the model finds in every feature, and the mean loss.

        The features are run in order of their lengths, so that little padding is
        computed. The loss is None without targets.
        """
        size = self.settings.batch_size
        plan = batches_of(features.lengths, size, "length")
        out: list[Any] = [None] * len(features)
        total = 0.0
        for chosen, batch in zip(
            plan, dataset_of(features, [(plan, (0,))]), strict=True
        ):
            if features.targets is None:
                outputs = self._call(batch)
            else:
                outputs, loss = self._both(*batch)
                total += float(loss) * len(chosen)
            arrays = self.task.engine.second_pass(
                features,
                chosen,
                keras.tree.map_structure(np.asarray, outputs),
                self.settings,
                functools.partial(self._ask, outputs),
            )
            found = self.task.engine.found(
                self.task, features, chosen, arrays, self.settings
            )
            for number, one in zip(chosen, found, strict=True):
                out[number] = one
        mean = None if features.targets is None else total / max(len(features), 1)
        return out, mean

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

    def score(self, rows: Sequence[Any], features: Features) -> dict[str, float]:
        """Return the scores of the task, and its loss."""
        predictions, loss = self.predict(rows, features)
        scores = self.task.engine.score(self.task, rows, predictions)
        return scores | ({} if loss is None else {"loss": loss})


def _float32(x: Any) -> Any:
    return tf.cast(x, tf.float32) if x.dtype.is_floating else x
