"""Extractive reading comprehension: which tokens begin and end the answer.

`SpanHead` and `ConditionalSpanHead` are called the same way and answer with the same
keys, so a decoder reads either: (B, T) `start_logits` and `end_logits`, or beams of
pairs; `answerable_logit` where the head judges whether there is an answer.
"""

from typing import Any

import keras
from keras import ops

from kerasplm.errors import ConfigError
from kerasplm.task_heads.base import (
    BERT_INITIALIZER,
    TaskHead,
    binary_cross_entropy,
    cross_entropy,
    reduce,
)

Tensor = Any


def block(logits: Tensor, allowed_mask: Tensor | None, value: float) -> Tensor:
    """Add `value` to the logits of tokens that cannot be in an answer.

    Args:
        logits: (..., T).
        allowed_mask: None, or broadcasts to (..., T), nonzero = may be in it.
        value: Large and negative; so large (1e30) that it swallows the logit, or not.
    """
    if allowed_mask is None or not value:
        return logits
    return logits + (1.0 - ops.cast(allowed_mask, "float32")) * value


@keras.saving.register_keras_serializable(package="kerasplm")
class SpanHead(TaskHead):
    """Score every token as start and as end: one dense layer to two columns.

    Args:
        mask_value: Added to both scores of tokens outside the allowed mask: 0 in the
            code of BERT and ALBERT (SQuAD v1), -10000 in NEZHA's.

    Example:
        >>> head = SpanHead(mask_value=-10000.0)
        >>> head(np.zeros((1, 4, 8)), np.array([[1, 0, 1, 1]]))["end_logits"].shape
        TensorShape([1, 4])

    Source: `create_model` of google-research/bert run_squad.py; of huawei-noah
    NEZHA-TensorFlow run_squad.py for the mask.
    """

    def __init__(
        self,
        mask_value: float = 0.0,
        kernel_initializer: Any = BERT_INITIALIZER,
        name: str = "span",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.mask_value = float(mask_value)
        self.logits = self.dense(2, "logits")

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        self.logits.build(input_shape)

    def call(
        self,
        sequence_output: Tensor,
        allowed_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        """Score the tokens.

        Args:
            sequence_output: (B, T, D).
            allowed_mask: (B, T), nonzero = the token may be in an answer.
            start_positions: Not used: the end does not depend on the start.
            training: Not used: there is no dropout.

        Returns:
            `start_logits` and `end_logits`, (B, T) each.
        """
        logits = self.logits(sequence_output)
        return {
            "start_logits": block(logits[..., 0], allowed_mask, self.mask_value),
            "end_logits": block(logits[..., 1], allowed_mask, self.mask_value),
        }

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {"mask_value": self.mask_value}


def span_loss(
    outputs: dict[str, Tensor],
    start_positions: Tensor,
    end_positions: Tensor,
    is_impossible: Tensor | None = None,
    answerable_weight: float = 0.5,
    reduction: str = "mean",
) -> Tensor:
    """Return the loss of a head that was called with the true starts.

    (start + end) / 2 + answerable_weight * answerable, each a cross-entropy. A
    position outside of the tokens costs nothing, as in the original code.

    Args:
        outputs: What the head returned.
        start_positions: (B,) first token of the answer; 0 = none in this window.
        end_positions: (B,) last token of the answer.
        is_impossible: (B,), 1 = no answer; needed where the head judges that.
        answerable_weight: 0.5 in the code of ALBERT and ELECTRA, 0.3 in that of
            Chinese-ELECTRA.
        reduction: Over the batch: "mean" (BERT, ALBERT, NEZHA), "sum" (ELECTRA) or
            "none" for (B,).

    Raises:
        ConfigError: The head judges answerability and `is_impossible` is missing,
            or there is no such reduction.

    Example:
        >>> logits = {"start_logits": np.zeros((1, 4)), "end_logits": np.zeros((1, 4))}
        >>> float(span_loss(logits, [1], [2]))
        1.386294...

    Source: as for the heads; `model_fn_builder` of their files.
    """
    losses = cross_entropy(outputs["start_logits"], start_positions)
    losses = (losses + cross_entropy(outputs["end_logits"], end_positions)) / 2.0
    if "answerable_logit" in outputs:
        if is_impossible is None:
            raise ConfigError(
                "span_loss: the head judges whether there is an answer, so "
                "is_impossible (B,) is needed. Received: None"
            )
        judged = binary_cross_entropy(outputs["answerable_logit"], is_impossible)
        losses = losses + answerable_weight * judged
    return reduce(losses, reduction)
