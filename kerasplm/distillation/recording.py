"""See what an encoder computes inside while a larger model calls it."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasplm import masks
from kerasplm.encoder import Encoder
from kerasplm.hooks import Hook

Tensor = Any


class Record(Hook):
    """Keeps the inside of one call of an encoder.

    Attributes:
        states: (B, T, D) before the first block and after each.
        scores: (B, N, T, S) of each block, scaled and masked, before softmax.
    """

    def __init__(self) -> None:
        self.states: list[Tensor] = []
        self.scores: list[Tensor] = []

    def embedded(self, x: Tensor, asked: Mapping[str, Any]) -> Tensor:
        """Keep the input of the first block."""
        self.states.append(x)
        return x

    def applied(
        self,
        number: int,
        before: Tensor,
        x: Tensor,
        scores: Tensor,
        asked: Mapping[str, Any],
    ) -> Tensor:
        """Keep what a block gives."""
        self.states.append(x)
        self.scores.append(scores)
        return x


def seen(inputs: Mapping[str, Tensor], encoder: Encoder) -> tuple[Tensor, Tensor]:
    """Return which tokens are real, and which of them see each other.

    Args:
        inputs: As for the encoder, or (B, C, T) for choices.
        encoder: The encoder.

    Returns:
        (B, T), True = real token; (B, 1, T, S), True = a real token sees a real one.
        B counts all choices.
    """

    def flat(name: str, default: Any) -> Tensor:
        x = inputs.get(name)
        x = default(inputs["token_ids"]) if x is None else x
        return ops.reshape(x, (-1, ops.shape(x)[-1]))

    tokens = ops.cast(flat("padding_mask", ops.ones_like), "bool")
    mask = inputs.get("attention_mask")
    if mask is None:
        segments = flat("segment_ids", ops.zeros_like)
        mask = masks.attention_mask(encoder.config.attention, tokens, segments)
    return tokens, ops.logical_and(mask, tokens[:, None, :, None])
