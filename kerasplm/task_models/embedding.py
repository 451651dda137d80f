"""Sentence embeddings: one vector for a text."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
from keras import ops

from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.task_models.base import TaskModel, check_attention
from kerasplm.task_models.choice import flattened

Tensor = Any
Pooling = Literal["pooled", "cls", "mean", "first_last_mean"]
# As keras.backend.l2_normalize of the original code.
_EPSILON = 1e-12
_NEVER = -1e9


@keras.saving.register_keras_serializable(package="kerasplm")
class SentenceEncoder(TaskModel):
    """Turn a text into a vector; texts of one meaning into vectors of one direction.

    It has no weights besides those of the encoder, so it can be made of every model.
    It is trained on pairs of texts with one meaning: among all other texts of the batch
    each text has to find its partner.

    Args:
        encoder: The encoder.
        labels: None.
        pooling: "pooled" takes the encoder's `pooled_output` (SimBERT; the vector of
            [CLS], of an encoder without pooler), "cls" the vector of [CLS] in the last
            layer, "mean" the mean of all tokens in the last layer, "first_last_mean"
            the mean of those of the first and the last layer.
        normalize: Whether vectors get the length 1, so that a dot product is a cosine.
        scale: Factor of the cosines in the softmax of the training.
        pair: Not used: the texts of a pair are sequences of their own.
        task: Name of the task.
        name: Name of the model.

    Raises:
        ConfigError: There is no such pooling, the scale is not positive, or the
            encoder's attention hides the text from the first token.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> SentenceEncoder(encoder)({"token_ids": np.array([[2, 7, 3]])}).shape
        TensorShape([1, 24])

    Source: ZhuiyiTechnology/simbert simbert.py; bojone/BERT-whitening for
    `first_last_mean`.
    """

    kind = "embedding"

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str] = (),
        *,
        pooling: Pooling = "pooled",
        normalize: bool = True,
        scale: float = 30.0,
        pair: bool = False,
        task: str = "embedding",
        name: str = "sentence_encoder",
        **kwargs: Any,
    ) -> None:
        if pooling not in get_args(Pooling):
            raise ConfigError(
                f"pooling must be one of {', '.join(get_args(Pooling))}. Received: "
                f"{pooling!r}"
            )
        if not scale > 0:
            raise ConfigError(f"scale must be positive. Received: {scale}")
        check_attention(encoder)
        super().__init__(encoder, labels, pair=pair, task=task, name=name, **kwargs)
        self.pooling = pooling
        self.normalize = normalize
        self.scale = float(scale)
        self.built = True

    @property
    def trains_pooler(self) -> bool:
        """Whether the vectors are the pooled ones."""
        return self.pooling == "pooled"

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return no layers: all weights are the encoder's."""
        return {}

    def call(self, inputs: Inputs, training: bool | None = None) -> Tensor:
        """Embed texts, or the texts of pairs.

        Args:
            inputs: As for `Encoder`, (B, T), or (B, 2, T) for pairs.
            training: Whether dropout is on.

        Returns:
            Vectors (B, D), or (B, 2, D), in float32.
        """
        count = ops.shape(inputs["token_ids"])[1]
        pairs = len(inputs["token_ids"].shape) == 3
        if pairs:
            inputs = {name: flattened(x) for name, x in inputs.items()}
        vectors = ops.cast(self._vectors(inputs, training), "float32")
        if self.normalize:
            vectors = unit(vectors)
        width = self.encoder.config.hidden_size
        return ops.reshape(vectors, (-1, count, width)) if pairs else vectors

    def _vectors(self, inputs: Inputs, training: bool | None) -> Tensor:
        both = self.pooling == "first_last_mean"
        first = self.pooling in ("pooled", "cls")
        out = self.encode(inputs, training, return_hidden_states=both, first_only=first)
        if self.pooling == "pooled":
            return out["pooled_output"]
        states = ops.cast(out["sequence_output"], "float32")
        if self.pooling == "cls":
            return states[:, 0]
        if both:
            # The first of the states is the input of the first layer.
            states = (states + ops.cast(out["hidden_states"][1], "float32")) / 2
        mask = inputs.get("padding_mask")
        if mask is None:
            return ops.mean(states, axis=1)
        weights = ops.cast(mask, "float32")[..., None]
        total = ops.sum(weights, axis=1)
        return ops.sum(states * weights, axis=1) / ops.maximum(total, 1.0)

    def objective(self, inputs: Inputs, targets: Tensor, outputs: Tensor) -> Tensor:
        """Return the similarity loss of SimBERT.

        Args:
            inputs: Pairs.
            targets: (B,), 1 for pairs of one meaning. Others take no part, neither as
                questions nor as wrong answers.
            outputs: (B, 2, D).
        """
        width = self.encoder.config.hidden_size
        vectors = ops.reshape(ops.cast(outputs, "float32"), (-1, width))
        alike = ops.cast(ops.equal(targets, 1), "float32")
        return in_batch_loss(unit(vectors), ops.repeat(alike, 2), self.scale)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "pooling": self.pooling,
            "normalize": self.normalize,
            "scale": self.scale,
        }


def unit(vectors: Tensor) -> Tensor:
    """Divide vectors (..., D) by their lengths."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _EPSILON))


def in_batch_loss(vectors: Tensor, taken: Tensor, scale: float) -> Tensor:
    """Average the cross-entropy of finding the partner among all texts of the batch.

    logits = scale * v vᵀ without the diagonal; the partner of text i is i XOR 1.

    Args:
        vectors: (N, D) of length 1; the texts of a pair are neighbours.
        taken: (N,) float32, 1 for texts that take part, 0 for others.
        scale: Factor of the cosines.

    Returns:
        A scalar; 0 if no text takes part.

    Example:
        >>> float(in_batch_loss(np.eye(4, dtype="float32"), np.ones(4), 30.0))
        1.0986...

    Source: `SimilarityLoss` of ZhuiyiTechnology/simbert simbert.py.
    """
    vectors = ops.convert_to_tensor(vectors, "float32")
    taken = ops.cast(taken, "float32")
    count = ops.shape(vectors)[0]
    index = ops.arange(count, dtype="int32")
    itself = ops.equal(index[:, None], index[None])
    hidden = ops.logical_or(itself, ops.equal(taken, 0)[None])
    logits = scale * ops.matmul(vectors, ops.transpose(vectors))
    logits = ops.where(hidden, ops.full_like(logits, _NEVER), logits)
    partner = index + 1 - 2 * (index % 2)
    losses = ops.sparse_categorical_crossentropy(partner, logits, from_logits=True)
    # Where nobody takes part the partner is hidden too: its loss is finite.
    return ops.sum(losses * taken) / ops.maximum(ops.sum(taken), 1.0)
