"""What saves time: no initial values, and work that is begun before it is needed."""

import collections
import contextvars
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import keras

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREADS = 2
# Results that may wait: enough to keep the threads busy, few enough to need no room.
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


def ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Work on items in two threads, a few of them before they are needed.

    TensorFlow reads files and runs graphs without Python's lock.

    Args:
        work: Makes the result of an item.
        items: The items.

    Yields:
        The results, in the order of the items.

    Raises:
        Exception: What `work` raises, when the turn of that item has come.
    """
    if isinstance(items, Sequence) and len(items) < 2:  # no thread for one text
        yield from map(work, items)
        return
    waiting: collections.deque[Future[Result]] = collections.deque()
    pool = ThreadPoolExecutor(_THREADS, "kerasplm")
    try:
        for item in items:
            # With what the caller has set, such as `real_tokens_only`.
            context = contextvars.copy_context()
            waiting.append(pool.submit(context.run, work, item))
            if len(waiting) == _WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # after an error what has not begun is not done any more
        pool.shutdown(cancel_futures=True)
