"""What the strategies ask of a model: scores of the next token, with a memory.

Letters as in `kerasplm.layers`, and: W hypotheses or samples per text, R = B * W rows,
row b * W + w is hypothesis w of text b; S tokens of the source, G places of the memory.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from keras import ops

Tensor = Any


class NextToken(Protocol):
    """A model that reads texts once and then scores one token after the other.

    `source` (what was read, one row per text: hypotheses share it) and `memory` (what
    was generated, one row per hypothesis) are nested dictionaries, lists and tuples of
    tensors.
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
        self, tokens: Tensor, place: Tensor, source: Any, memory: Any
    ) -> tuple[Tensor, Any]:
        """Take one more token for each row.

        Args:
            tokens: (R,) int32, what was chosen last.
            place: Number of tokens that were chosen before them, a scalar.
            source: From `begin`.
            memory: From the call before.

        Returns:
            Logits of the next token (R, V), and the memory with these tokens.
        """
        ...


def remember(memory: Tensor, new: Tensor, place: Tensor) -> Tensor:
    """Write (R, N, 1, K) at one place of (R, N, G, K).

    A scatter: TensorFlow does it within the old memory, without a copy.
    """
    rows, heads = ops.shape(memory)[0], memory.shape[1]
    index = ops.arange(rows * heads, dtype="int32")
    at = [index // heads, index % heads, ops.zeros_like(index) + place]
    new = ops.reshape(new, (-1, new.shape[-1]))
    return ops.scatter_update(memory, ops.stack(at, axis=1), new)
