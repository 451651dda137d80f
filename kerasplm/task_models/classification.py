"""Classification and regression on the pooled vector."""

from typing import Any

import keras
from keras import ops

from kerasplm.config import Activation
from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.task_models.pooled import PooledModel

Tensor = Any


@keras.saving.register_keras_serializable(package="kerasplm")
class Classifier(PooledModel):
    """An encoder with a classification or regression layer on the pooled vector.

    logits = dense(dropout(activation(pooled_output))); a pre-norm encoder has no norm
    after its last block, so the pooled vector is normalised first.

    Args:
        encoder: The encoder.
        labels: Names of the classes in order of their ids. For a regression, the
            name of the one value.
        pair: Whether the inputs are pairs of texts. The exported model takes its
            signature from it.
        dropout: Dropout before the dense layer, in [0, 1). The originals use 0.1
            whatever the encoder's own dropout is.
        task: Name of the task; ELECTRA's checkpoints store the layer under it.
        activation: On the pooled vector; "relu" in TinyBERT's code.

    Raises:
        ConfigError: Labels are missing or not unique, or the encoder's attention
            hides the text (its second half, for pairs) from the first token.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> Classifier(encoder, ["0", "1"])({"token_ids": np.array([[2, 7, 3]])}).shape
        TensorShape([1, 2])

    Source: `create_model` of google-research/bert run_classifier.py; of
    brightmart/albert_zh for the norm before it, of TinyBERT for the activation.
    """

    kind = "classification"

    def __init__(
        self,
        encoder: Encoder,
        labels: list[str] | tuple[str, ...],
        *,
        pair: bool = False,
        dropout: float = 0.1,
        task: str = "classification",
        activation: Activation = "linear",
        name: str = "classifier",
        **kwargs: Any,
    ) -> None:
        if not labels:
            raise ConfigError("labels must be at least one name. Received: none")
        super().__init__(
            encoder,
            labels,
            units=len(labels),
            pair=pair,
            dropout=dropout,
            task=task,
            activation=activation,
            name=name,
            **kwargs,
        )

    def call(self, inputs: Inputs, training: bool | None = None) -> Tensor:
        """Map a batch as for `Encoder` to logits (B, C)."""
        return self.scores(inputs, training)

    def objective(self, inputs: Inputs, targets: Tensor, outputs: Tensor) -> Tensor:
        """Return the mean cross-entropy, of a regression the mean squared error."""
        outputs = ops.cast(outputs, "float32")
        if len(self.labels) == 1:
            values = ops.cast(targets, "float32")
            return ops.mean(ops.square(outputs[:, 0] - values))
        return ops.mean(
            ops.sparse_categorical_crossentropy(targets, outputs, from_logits=True)
        )

    def facts(self) -> dict[str, Any]:
        """Return what a configuration JSON of ours says of the head."""
        kind = self.kind if len(self.labels) > 1 else "regression"
        return super().facts() | {"kind": kind}
