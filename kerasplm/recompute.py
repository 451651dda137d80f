"""Recompute activations in the backward pass: less memory for more time."""

from collections.abc import Callable
from typing import Any

import keras

Tensor = Any


def recomputed(layer: keras.layers.Layer) -> Callable[..., Tensor]:
    """Return a function that calls a layer and keeps nothing of its inside.

    The backward pass computes the inside once more. It sees the same dropout: both
    times begin with the same states of the layer's random generators, and these move
    on only once.

    Args:
        layer: Takes a tensor (B, T, D) first; of what it returns the first tensor
            is used.

    Returns:
        A function of that tensor and of keyword arguments, which have no gradients.

    Example:
        >>> encoder.recompute = True  # calls every block so  # doctest: +SKIP

    Source: arXiv:1604.06174.
    """
    weights = {id(weight) for weight in layer.weights}
    # What a layer holds besides its weights is the states of random generators.
    states = [v for v in layer.variables if id(v) not in weights]

    def run(x: Tensor, **rest: Any) -> Tensor:
        before = [keras.ops.copy(state) for state in states]

        def inside(x: Tensor) -> tuple[Tensor, ...]:
            given = list(zip(states, before, strict=True))
            with keras.StatelessScope(state_mapping=given) as scope:
                out = layer(x, **rest)[0]
            after = (scope.get_current_value(state) for state in states)
            # Whole numbers have no gradients: they go through as they are.
            return (out, *map(keras.ops.stop_gradient, after))

        out, *after = keras.remat(inside)(x)
        for state, value in zip(states, after, strict=True):
            state.assign(value)
        return out

    return run
