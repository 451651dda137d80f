"""What the strategies ask of a model: scores of the next token, with a memory.

Letters as in `kerasplm.layers`, and: W hypotheses or samples per text, R = B * W rows,
row b * W + w is hypothesis w of text b; S tokens of the source, G places of the memory.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import keras
import tensorflow as tf

Tensor = Any


class NextToken(Protocol):
    """A model that reads texts once and then scores one token after the other.

    `source` (what was read, one row per text: hypotheses share it) and `memory` (what
    was generated, one row per hypothesis) are nested dictionaries, lists and tuples of
    tensors. Rows of the memory that belong to hypotheses are the model's to reorder.
    """

    def begin(
        self, inputs: Mapping[str, Tensor], width: int, room: int
    ) -> tuple[Tensor, Any, Any]:
        """Read the texts.

        Args:
            inputs: `token_ids`, `segment_ids`, `padding_mask`, (B, S) each; padding is
                at the end of a row.
            width: W.
            room: Tokens that will be generated at most.

        Returns:
            Logits of the first token (B, V), the source and the empty memory.
        """
        ...

    def step(
        self,
        tokens: Tensor,
        parents: Tensor,
        place: Tensor,
        source: Any,
        memory: Any,
    ) -> tuple[Tensor, Any]:
        """Take one more token for each row.

        Args:
            tokens: (R,) int32, what was chosen last.
            parents: (R,) int32, the row, as of the call before, that each row goes on
                from.
            place: Number of tokens that were chosen before them, a scalar.
            source: From `begin`.
            memory: From the call before.

        Returns:
            Logits of the next token (R, V), and the memory with these tokens.
        """
        ...


def normalized(layer: keras.layers.LayerNormalization, x: Tensor) -> Tensor:
    """Apply a layer normalisation to (R, D) in as few operations as it takes."""
    wide = tf.cast(x, tf.float32)
    mean = tf.reduce_mean(wide, axis=-1, keepdims=True)
    variance = tf.reduce_mean(
        tf.math.squared_difference(wide, mean), axis=-1, keepdims=True
    )
    scale = tf.math.rsqrt(variance + layer.epsilon) * layer.gamma
    return tf.cast(wide * scale + (layer.beta - mean * scale), x.dtype)
