"""Token classification: one label for each token."""

from typing import Any

import keras
from keras import ops

from kerasplm.task_heads.base import (
    BERT_INITIALIZER,
    TaskHead,
    cross_entropy,
    positive,
    reduce,
)

Tensor = Any


@keras.saving.register_keras_serializable(package="kerasplm")
class TaggingHead(TaskHead):
    """Score every label for every token: dropout, dense.

    Args:
        labels: Number of labels C.
        dropout: Before the dense layer, in [0, 1); 0.1 in NEZHA's code, 0 in ELECTRA's.

    Raises:
        ConfigError: `labels` is not a positive whole number.

    Example:
        >>> TaggingHead(7)(np.zeros((1, 4, 8))).shape
        TensorShape([1, 4, 7])

    Source: `create_model` of huawei-noah NEZHA-TensorFlow run_classifier_ner.py;
    `TaggingTask` of google-research/electra finetune/tagging/tagging_tasks.py.
    """

    def __init__(
        self,
        labels: int,
        dropout: float = 0.1,
        kernel_initializer: Any = BERT_INITIALIZER,
        name: str = "tagging",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.labels = positive("labels", labels)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.logits = self.dense(labels, "logits")

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        self.logits.build(input_shape)

    def call(
        self,
        sequence_output: Tensor,
        positions: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Score the labels.

        Args:
            sequence_output: (B, T, D).
            positions: None for all tokens, or (B, M): the tokens that have labels
                (the first piece of each word).
            training: Whether dropout is on.

        Returns:
            (B, T or M, C).
        """
        x = sequence_output
        if positions is not None:
            index = ops.expand_dims(ops.cast(positions, "int32"), -1)
            x = ops.take_along_axis(x, index, axis=1)
        return self.logits(self.dropout(x, training=training))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        fields = {"labels": self.labels, "dropout": self.dropout.rate}
        return super().get_config() | fields


def tagging_loss(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the cross-entropy of the tokens that count.

    Args:
        logits: (B, T, C).
        labels: (B, T) ids; one outside of 0 ... C-1 costs nothing.
        mask: (B, T), nonzero = the token counts; None = all of them, padding too
            (NEZHA's code, whose label 0 is padding).
        reduction: "mean" over the tokens that count, "sum" (NEZHA, ELECTRA) or
            "none" for (B, T).

    Raises:
        ConfigError: There is no such reduction.

    Example:
        >>> float(tagging_loss(np.zeros((1, 2, 4)), [[3, 0]], [[1, 0]]))
        1.386294...

    Source: as for `TaggingHead`.
    """
    return reduce(cross_entropy(logits, labels), reduction, mask)
