"""A dense layer on the pooled vector, as most tasks have it."""

from collections.abc import Sequence
from typing import Any

import keras

from kerasplm.config import Activation
from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.layers import ACTIVATIONS, initializer, norm
from kerasplm.task_models.base import TaskModel, check_attention

Tensor = Any


class PooledModel(TaskModel):
    """Base of the models with one dense layer on the pooled vector.

    logits = dense(dropout(activation(pooled_output))); a pre-norm encoder has no norm
    after its last block, so the pooled vector is normalised first.

    Args:
        encoder: The encoder.
        labels: As for `TaskModel`.
        units: Width of the dense layer.
        pair: Whether an input holds two texts, told apart by their segments.
        dropout: Before the dense layer, in [0, 1).
        task: As for `TaskModel`.
        activation: On the pooled vector.
        name: Name of the model.

    Raises:
        ConfigError: There is no such activation, or the encoder's attention hides the
            text (its second half, for pairs) from the first token.
    """

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str],
        *,
        units: int,
        pair: bool,
        dropout: float,
        task: str,
        activation: Activation,
        name: str,
        **kwargs: Any,
    ) -> None:
        check_attention(encoder, pair)
        super().__init__(encoder, labels, pair=pair, task=task, name=name, **kwargs)
        if activation not in ACTIVATIONS:
            raise ConfigError(
                f"activation must be one of {', '.join(ACTIVATIONS)}. Received: "
                f"{activation!r}"
            )
        self.activation = activation
        self.dropout = keras.layers.Dropout(dropout)
        config = encoder.config
        self.norm = None
        if config.ln_type == "pre":
            self.norm = norm(config, "norm")
            self.norm.build((None, config.hidden_size))
        self.logits = keras.layers.Dense(
            units, kernel_initializer=initializer(config), name="logits"
        )
        self.logits.build((None, config.hidden_size))
        self.built = True

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the layers by the names of the family tables."""
        parts = {"classifier/logits": self.logits}
        return parts if self.norm is None else parts | {"classifier/norm": self.norm}

    def scores(self, inputs: Inputs, training: bool | None = None) -> Tensor:
        """Map a batch as for `Encoder` to (B, units)."""
        pooled = self.encode(inputs, training, first_only=True)["pooled_output"]
        if self.norm is not None:
            pooled = self.norm(pooled)
        pooled = ACTIVATIONS[self.activation](pooled)
        return self.logits(self.dropout(pooled, training=training))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "dropout": self.dropout.rate,
            "activation": self.activation,
        }
