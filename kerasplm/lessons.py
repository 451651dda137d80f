"""What a fine-tuning trains, where that is not the task's own model on its own data."""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from kerasplm.task_models import TaskModel
from kerasplm.tasks import Settings
from kerasplm.tasks.features import Features


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What `fit` trains, where that is not the task's own model on its own data.

    Args:
        network: The task's model, which is judged and saved.
        model: What is trained, compiled; it holds the network.
        features: The training set.
        batches: From batches of the features to those that the model takes.
        evaluate: Scores after every epoch; None: those of the task.
        metric: The one that the best weights maximise; None: that of the task.
    """

    network: TaskModel
    model: keras.Model
    features: Features
    batches: Callable[[tf.data.Dataset], tf.data.Dataset] = lambda data: data
    evaluate: Callable[[], Mapping[str, float]] | None = None
    metric: str | None = None

    @property
    def judged(self) -> bool:
        """Whether the network can answer the task after this lesson."""
        return self.evaluate is None


Teach = Callable[
    [TaskModel, dict[str, Features], keras.optimizers.Optimizer, Settings], Lesson
]
