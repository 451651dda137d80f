"""What a model shall say of each feature, batch by batch."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Targets:
    """Base: arrays, of which `batch` makes what the loss of a model takes.

    The fields of a subclass are numpy arrays, so that features can be stored
    without pickle.
    """

    signature: ClassVar[Any]
    teacher: ClassVar[tuple[str, ...]] = ()
    """Names of the targets, if they are a dictionary, that the model takes as inputs
    too: what it would have to find first, such as the begin of an answer."""
    fixed: ClassVar[bool] = True
    """Whether all batches of as many features and tokens have one shape."""

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return the targets of some features, padded to a length of T tokens.

        Args:
            chosen: Numbers of the features.
            length: T of the batch.
            rng: For targets that are drawn anew each epoch.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class ClassTargets(Targets):
    """One class per feature.

    Args:
        classes: (features,) int32.
    """

    classes: np.ndarray
    signature: ClassVar[Any] = tf.TensorSpec([None], tf.int32)

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return (B,) int32."""
        return self.classes[chosen]


@dataclasses.dataclass(frozen=True)
class ValueTargets(Targets):
    """One number per feature.

    Args:
        values: (features,) float32.
    """

    values: np.ndarray
    signature: ClassVar[Any] = tf.TensorSpec([None], tf.float32)

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return (B,) float32."""
        return self.values[chosen]


def ragged(rows: list[Any], width: tuple[int, ...] = (), dtype: str = "int32") -> Any:
    """Return the rows one after the other, and where each begins.

    Args:
        rows: Lists of numbers, or of tuples of them.
        width: Shape of one element.
        dtype: Of the numbers.

    Returns:
        Values (elements, *width) and starts (rows + 1,).
    """
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    values = [np.asarray(row, dtype).reshape(-1, *width) for row in rows]
    empty = np.empty((0, *width), dtype)
    return np.concatenate([empty, *values]), starts.astype("int64")


def places_in(starts: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the elements of some ragged rows lie, and a mask (B, longest).

    Args:
        starts: (rows + 1,), where each row begins.
        chosen: Numbers of the rows.
    """
    lengths = starts[chosen + 1] - starts[chosen]
    mask = np.arange(max(lengths.max(initial=0), 1))[None] < lengths[:, None]
    at = (starts[chosen][:, None] + np.arange(mask.shape[1]))[mask]
    return at, mask


def targets_named(name: str) -> type[Targets]:
    """Return the class of targets of that name, among those that are imported.

    Raises:
        KeyError: There is none.
    """
    todo = [Targets]
    while todo:
        cls = todo.pop()
        if cls.__name__ == name:
            return cls
        todo += cls.__subclasses__()
    raise KeyError(name)
