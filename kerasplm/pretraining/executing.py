"""Run several steps at once, under any strategy."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from kerasplm.pretraining.reductions import Ratio

Tensor = Any


def steps_on_iterator(
    model: Any,
    step: Callable[[Any], Any],
    compiled: bool,
    shown: Mapping[str, Ratio],
    counter: Ratio,
) -> Callable[..., dict[str, Tensor]]:
    """Return a function of an iterator and of the number of steps to take.

    That of Keras fails on several replicas if it is to take several steps.

    Args:
        model: A compiled `keras.Model`.
        step: Its `train_step` or `test_step`.
        compiled: Whether XLA compiles all that a step does.
        shown: The metrics to return.
        counter: A metric that each step updates.
    """
    strategy, eager = model.distribute_strategy, model.run_eagerly

    @tf.autograph.experimental.do_not_convert
    def one(data: Any) -> None:
        strategy.run(step, args=(data,))

    if not eager:
        one = tf.function(one, jit_compile=compiled, autograph=False)

    def many(iterator: Any, count: Any) -> dict[str, Tensor]:
        def body(n: Tensor) -> list[Tensor]:
            one(iterator.get_next())
            return [n + 1]

        tf.while_loop(lambda n: n < count, body, [tf.constant(0)])
        return {name: ratio.result() for name, ratio in shown.items()}

    run = many if eager else tf.function(many, autograph=False)

    def steps_taken() -> float:
        return float(keras.ops.convert_to_numpy(counter.sums)[1])

    def function(iterator: Any, count: int | None = None) -> dict[str, Tensor]:
        if not hasattr(iterator, "get_next"):  # `train_on_batch` has one batch
            batches = tf.data.Dataset.from_tensors(next(iterator)[0])
            iterator, count = iter(batches), 1
        if count is not None or model.steps_per_execution == 1:
            found: dict[str, Tensor] = run(iterator, tf.constant(count or 1))
            return found
        # `fit` and `evaluate` do not say how many batches are left.
        before = steps_taken()
        try:
            found = run(iterator, tf.constant(model.steps_per_execution))
        except tf.errors.OutOfRangeError:
            if steps_taken() == before:
                raise
            found = {name: ratio.result() for name, ratio in shown.items()}
        return found

    return function
