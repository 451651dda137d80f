"""Run a function in graph mode, traced once for all batch sizes and lengths."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasplm.ahead import Item, Result, ahead
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
    work: Callable[[Item], Result], batches: Sequence[Item], together: bool = True
) -> Iterator[Result]:
    """Run a model on batches, two at a time where there is nothing but a CPU.

    While one batch is at an operation that keeps one core busy, the other has the rest.
    An accelerator has no such gaps, and less memory.

    Args:
        work: Returns what the model says of a batch.
        batches: The batches.
        together: False runs one after the other anyway.

    Yields:
        The results, in the order of the batches.
    """
    return (ahead if together and only_cpu() else map)(work, batches)


def _float32(x: Any) -> Any:
    return tf.cast(x, tf.float32) if x.dtype.is_floating else x
