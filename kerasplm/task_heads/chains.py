"""Loops over the tokens of a batch: what a CRF and an MEMM share.

They run on every backend, in graphs where the number of tokens is not known, and under
XLA.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Tensor = Any


def neighbours(mask: Tensor) -> Tensor:
    """Return (B, T): 1 where the token and the one before it are real."""
    return ops.pad(mask[:, 1:] * mask[:, :-1], ((0, 0), (1, 0)))


def borders(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return where (B, T) the real tokens begin, and where they end."""
    linked = neighbours(mask)
    return mask - linked, mask - ops.pad(linked[:, 1:], ((0, 0), (0, 1)))


def best_path(
    extend: Callable[[Tensor, Tensor], Tensor],
    steps: Tensor,
    nodes: Tensor,
    mask: Tensor,
) -> Tensor:
    """Find the best labels (B, T) by Viterbi's algorithm.

    Args:
        extend: Adds the scores of a step to the best scores (B, C) so far; gives
            (B, C, C), from label to label.
        steps: (B, T, ...), what `extend` gets at each token that follows another.
        nodes: (B, T, C), scores of labels where the real tokens begin.
        mask: (B, T), float32, 1 = real token.
    """
    linked = neighbours(mask)
    labels, inner = nodes.shape[-1], steps.shape[2:]
    width = math.prod(inner)

    def forward(carry: tuple[Tensor, Tensor], x: Tensor) -> tuple[Any, Any]:
        step, node = x[:, :width], x[:, width : width + labels]
        real, link = x[:, -2:-1], x[:, -1:]
        paths = extend(carry[0], ops.reshape(step, (-1, *inner)))
        pointers = ops.cast(ops.argmax(paths, axis=1), "int32")
        grown = ops.where(link > 0, ops.max(paths, axis=1), node)
        best = ops.where(real > 0, grown, carry[0])
        return (best, pointers), (best, pointers)

    zeros = ops.zeros_like(nodes[:, 0])
    begin = (zeros, ops.zeros_like(zeros, dtype="int32"))
    flat = ops.reshape(steps, (*ops.shape(nodes)[:2], width))
    by_time = pack(ops.concatenate([flat, nodes], axis=-1), mask, linked)
    (best, _), (_, pointers) = ops.scan(forward, begin, by_time)

    def back(label: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        # The pointers of a token lead from its label to that of the one before.
        label = ops.expand_dims(label, 1)
        earlier = ops.take_along_axis(x[:, :-1], label, axis=1)
        label = ops.where(x[:, -1:] > 0, earlier, label)[:, 0]
        return label, label

    end = ops.cast(ops.argmax(best, axis=1), "int32")
    link = ops.expand_dims(swap(ops.cast(linked, "int32")), -1)
    pointers = ops.concatenate([pointers, link], axis=-1)
    _, path = ops.scan(back, end, pointers[1:], reverse=True)
    path = ops.concatenate([path, ops.expand_dims(end, 0)], axis=0)
    return swap(path) * ops.cast(mask, "int32")


def pack(x: Tensor, *masks: Tensor) -> Tensor:
    """Join (B, T, n) and masks (B, T) to one tensor, time first.

    Keras' loop over time takes several tensors only where T is known.
    """
    parts = [x, *(ops.expand_dims(mask, -1) for mask in masks)]
    return swap(ops.concatenate(parts, axis=-1))


def fold(step: Callable[[Tensor, Tensor], Tensor], value: Tensor, xs: Tensor) -> Tensor:
    """Apply a step to a value and each of xs (T, ...) in turn; it has a gradient.

    On JAX only a scan has one; elsewhere XLA asks a loop for its largest length, which
    Keras' scan does not tell.
    """
    if keras.backend.backend() == "jax":
        return ops.scan(lambda carry, x: (step(carry, x), None), value, xs)[0]
    length = ops.shape(xs)[0]

    def body(i: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        return i + 1, step(value, ops.take(xs, i, axis=0))

    return ops.while_loop(
        lambda i, value: i < length, body, (0, value), maximum_iterations=length
    )[1]


def swap(x: Tensor) -> Tensor:
    """Exchange batch and time."""
    return ops.swapaxes(x, 0, 1)
