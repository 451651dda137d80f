"""What makes loading fast: no initial values, and tensors that are read in time."""

import collections
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras

_THREADS = 2
# Tensors that may wait: enough to keep the threads busy, few enough to need no room.
_WAITING = 4


def empty(shape: Sequence[int], dtype: Any = None) -> Any:
    """Initialize a weight that will be read before it is used.

    With TensorFlow its memory is not even touched: a model takes the room of its
    weights once, not twice.
    """
    if keras.backend.backend() != "tensorflow":
        return keras.ops.zeros(shape, dtype)
    import tensorflow as tf

    return tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)


def read_ahead(read: Callable[[str], Any], names: Iterable[str]) -> Iterator[Any]:
    """Read in threads, a few tensors before they are needed.

    TensorFlow's readers copy and check the bytes without Python's lock.

    Args:
        read: Returns the tensor of a name.
        names: What to read.

    Yields:
        The tensors, in the order of the names.

    Raises:
        CheckpointError: As `read` does, when the turn of that tensor has come.
    """
    waiting: collections.deque[Future[Any]] = collections.deque()
    with ThreadPoolExecutor(_THREADS, "kerasplm-read") as pool:
        for name in names:
            waiting.append(pool.submit(read, name))
            if len(waiting) == _WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
