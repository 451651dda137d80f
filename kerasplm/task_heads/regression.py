"""Regression: one number for a text."""

from typing import Any

import keras
from keras import ops

from kerasplm.task_heads.base import BERT_INITIALIZER, TaskHead, reduce

Tensor = Any


@keras.saving.register_keras_serializable(package="kerasplm")
class RegressionHead(TaskHead):
    """Give a number for a vector: dropout, dense to one column.

    Args:
        dropout: Before the dense layer, in [0, 1).

    Example:
        >>> RegressionHead()(np.zeros((2, 8))).shape
        TensorShape([2])

    Source: `RegressionTask` of google-research/electra
    finetune/classification/classification_tasks.py.
    """

    def __init__(
        self,
        dropout: float = 0.1,
        kernel_initializer: Any = BERT_INITIALIZER,
        name: str = "regression",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.logits = self.dense(1, "logits")

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, D)."""
        self.logits.build(input_shape)

    def call(self, pooled_output: Tensor, training: bool | None = None) -> Tensor:
        """Map (B, D) to (B,)."""
        return self.logits(self.dropout(pooled_output, training=training))[..., 0]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {"dropout": self.dropout.rate}


def regression_loss(
    predictions: Tensor, targets: Tensor, reduction: str = "mean"
) -> Tensor:
    """Return the squared difference, averaged over the batch by default.

    Args:
        predictions: (B,).
        targets: (B,).
        reduction: "mean" (ALBERT), "sum" (ELECTRA) or "none".

    Raises:
        ConfigError: There is no such reduction.

    Example:
        >>> float(regression_loss([1.0, 3.0], [1.0, 1.0]))
        2.0
    """
    predictions = ops.cast(predictions, "float32")
    targets = ops.cast(targets, "float32")
    return reduce(ops.square(predictions - targets), reduction)
