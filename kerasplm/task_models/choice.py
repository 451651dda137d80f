"""Multiple choice: one score for every candidate."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasplm.config import Activation
from kerasplm.encoder import Encoder, Inputs
from kerasplm.task_models.pooled import PooledModel

Tensor = Any
# Added to nothing: it stands where there is no candidate, so that softmax gives 0.
NO_CHOICE = -1e9


@keras.saving.register_keras_serializable(package="kerasplm")
class MultipleChoice(PooledModel):
    """An encoder with one score per candidate, of which the highest is chosen.

    Each candidate is a sequence of its own with the passage and the question. Its
    score is a dense layer with one unit on the pooled vector.

    Args:
        encoder: The encoder.
        labels: None: candidates have no names.
        pair: Whether a sequence has two segments.
        dropout: Before the dense layer, in [0, 1).
        task: Name of the task; ELECTRA's checkpoints store the layer under it.
        activation: On the pooled vector; "relu" in TinyBERT's code.
        name: Name of the model.

    Raises:
        ConfigError: The encoder's attention hides the text from the first token.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> batch = {"token_ids": np.array([[[2, 7, 3], [2, 8, 3]]])}
        >>> MultipleChoice(encoder)(batch).shape
        TensorShape([1, 2])

    Source: `create_model` of google-research/albert race_utils.py; CLUEbenchmark/CLUE
    mrc_pytorch/pytorch_modeling.py, `BertForMultipleChoice`.
    """

    kind = "choice"

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str] = (),
        *,
        pair: bool = True,
        dropout: float = 0.1,
        task: str = "choice",
        activation: Activation = "linear",
        name: str = "multiple_choice",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            encoder,
            labels,
            units=1,
            pair=pair,
            dropout=dropout,
            task=task,
            activation=activation,
            name=name,
            **kwargs,
        )

    def call(self, inputs: Inputs, training: bool | None = None) -> Tensor:
        """Score the candidates of each question.

        Args:
            inputs: As for `Encoder`, but (B, C, T). A candidate without any token is
                padding: it has the score -1e9.
            training: Whether dropout is on.

        Returns:
            Logits (B, C) in float32.
        """
        flat = {name: flattened(x) for name, x in inputs.items()}
        scores = ops.cast(self.scores(flat, training), "float32")
        count = ops.shape(inputs["token_ids"])[1]
        scores = ops.reshape(scores, (-1, count))
        mask = inputs.get("padding_mask")
        if mask is None:
            return scores
        real = ops.any(ops.cast(mask, "bool"), axis=-1)
        return ops.where(real, scores, ops.full_like(scores, NO_CHOICE))

    def objective(self, inputs: Inputs, targets: Tensor, outputs: Tensor) -> Tensor:
        """Return the mean cross-entropy over the candidates."""
        return ops.mean(
            ops.sparse_categorical_crossentropy(
                targets, ops.cast(outputs, "float32"), from_logits=True
            )
        )


def flattened(x: Tensor) -> Tensor:
    """Reshape (B, C, T) to (B * C, T)."""
    return ops.reshape(x, (-1, ops.shape(x)[-1]))
