"""Run a function in graph mode, traced once for all batch sizes and lengths."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.ahead import Result, ahead
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.features import Features
from kerasplm.tensorflow_kernels import only_cpu


class Graph:
    """A function whose graph is traced once for each signature.

    Several threads may call it at once.

    Args:
        function: Takes nested tensors and returns nested tensors; those of floating
            point come back in float32.

    Example:
        >>> double = Graph(lambda x: 2 * x)
        >>> spec = tf.TensorSpec([None], tf.int32)
        >>> [double([spec], np.arange(n)).shape[0] for n in (3, 5, 1)], double.traces
        ([3, 5, 1], 1)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._graphs: dict[Any, Any] = {}
        self._lock = threading.Lock()
        self.traces = 0
        """How often Python ran the function to make a graph of it."""

    def __call__(self, signature: list[Any], *values: Any) -> Any:
        """Return tensors.

        Args:
            signature: Nested `tf.TensorSpec`, as the values are nested; sizes that
                vary are None.
            *values: Arrays or tensors.
        """
        key = str(signature)
        graph = self._graphs.get(key)
        if graph is None:
            with self._lock:
                graph = self._graphs.get(key)
                if graph is None:
                    graph = tf.function(
                        self._traced, input_signature=signature, autograph=False
                    )
                    graph.get_concrete_function()
                    self._graphs[key] = graph
        return graph(*values)

    def _traced(self, *values: Any) -> Any:
        self.traces += 1
        return keras.tree.map_structure(_float32, self._function(*values))


def each(
    features: Features,
    batch_size: int,
    ask: Callable[[np.ndarray], Result],
    together: bool = True,
) -> Iterator[tuple[np.ndarray, Result]]:
    """Ask a model about all features, with little padding.

    Where there is nothing but a CPU two batches are asked at a time: while one is at an
    operation that keeps one core busy, the other has the rest. An accelerator has no
    such gaps, and less memory. What TensorFlow keeps for each thread, such as
    `tf.debugging.enable_check_numerics`, does not reach these two.

    Args:
        features: The features; batches are taken in the order of their lengths.
        batch_size: Features of a batch, at most.
        ask: Returns what the model says of the features of these numbers.
        together: False asks one batch after the other anyway.

    Returns:
        For each batch the numbers of its features, and what the model says of them.
    """
    batches = batches_of(features.lengths, batch_size, "length")
    results = (ahead if together and only_cpu() else map)(ask, batches)
    return zip(batches, results, strict=True)


def _float32(x: Any) -> Any:
    return tf.cast(x, tf.float32) if x.dtype.is_floating else x
