"""See what an encoder computes inside while a larger model calls it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from kerasplm import masks
from kerasplm.encoder import Encoder

Tensor = Any


class Record(NamedTuple):
    """One call of an encoder.

    Args:
        states: (B, T, D) before the first block and after each.
        scores: (B, N, T, S) of each block, scaled and masked, before softmax.
        tokens: (B, T), True = real token.
        pairs: (B, 1, T, S), True = a real token sees a real token.
    """

    states: list[Tensor]
    scores: list[Tensor]
    tokens: Tensor
    pairs: Tensor


@contextlib.contextmanager
def replaced_call(
    layer: keras.layers.Layer, function: Callable[..., Any]
) -> Iterator[None]:
    """Let a layer do something else while the block lasts.

    Args:
        layer: A built layer.
        function: Takes the layer's own `call` first, then what that takes.
    """
    plain = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(plain, *args, **kwargs)

    # Past the tracking of Keras: this is no part of the layer.
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


@contextlib.contextmanager
def recorded(encoder: Encoder) -> Iterator[list[Record]]:
    """Give a list to which every call of the encoder inside adds a record."""
    found: list[Record] = []

    def call(
        plain: Callable[..., Any], inputs: Any, training: Any = None, **_: Any
    ) -> Any:
        out = plain(
            inputs,
            training=training,
            return_hidden_states=True,
            return_attention_scores=True,
        )
        tokens, pairs = seen(inputs, encoder)
        record = Record(out["hidden_states"], out["attention_scores"], tokens, pairs)
        found.append(record)
        return out

    with replaced_call(encoder, call):
        yield found


def seen(inputs: Mapping[str, Tensor], encoder: Encoder) -> tuple[Tensor, Tensor]:
    """Return which tokens are real, and which of them see each other."""
    token_ids = inputs["token_ids"]
    tokens = inputs.get("padding_mask")
    tokens = ops.ones_like(token_ids) if tokens is None else tokens
    tokens = ops.cast(tokens, "bool")
    mask = inputs.get("attention_mask")
    if mask is None:
        segments = inputs.get("segment_ids")
        segments = ops.zeros_like(token_ids) if segments is None else segments
        mask = masks.attention_mask(encoder.config.attention, tokens, segments)
    return tokens, ops.logical_and(mask, tokens[:, None, :, None])
