"""Heads on an encoder: the pre-training objectives."""

from typing import Any, Self

import keras
from keras import ops

from kerasplm.config import Config
from kerasplm.embeddings import Embeddings
from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.layers import ACTIVATIONS, ConfiguredLayer, initializer, norm

Tensor = Any


class MaskedLMHead(ConfiguredLayer):
    """Score every word of the vocabulary: dense, activation, norm, tied decoder.

    The width after the dense layer is that of the tied decoder's input: D with a
    projection before the embedding norm, else E.
    """

    def __init__(self, config: Config, name: str = "mlm") -> None:
        super().__init__(config, name)
        self.dense_layer = self.dense(config.table_size, "dense")
        self.norm = norm(config, "norm")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.dense_layer.build((None, self.config.hidden_size))
        self.norm.build((None, self.config.table_size))
        self.bias = self.add_weight(
            name="bias", shape=(self.config.vocab_size,), initializer="zeros"
        )

    def call(self, x: Tensor) -> Tensor:
        """Map (..., D) to the input of the tied decoder (..., table size)."""
        return self.norm(ACTIVATIONS[self.config.hidden_act](self.dense_layer(x)))

    def logits(self, x: Tensor, embeddings: Embeddings) -> Tensor:
        """Map (..., D) to (..., V); the decoder is the word table itself."""
        return embeddings.attend(self(x)) + ops.cast(self.bias, x.dtype)


class TokenDiscriminator(ConfiguredLayer):
    """Tell for each token whether it was replaced: dense, activation, dense to 1.

    Source: `_get_discriminator_output` of google-research/electra.
    """

    def __init__(self, config: Config, name: str = "rtd") -> None:
        super().__init__(config, name)
        self.dense_layer = self.dense(config.hidden_size, "dense")
        # The original gives this layer no initializer: TF's default is Glorot's.
        self.prediction = keras.layers.Dense(1, name="prediction")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.dense_layer.build((None, self.config.hidden_size))
        self.prediction.build((None, self.config.hidden_size))

    def call(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to logits (B, T, 1); positive means replaced."""
        return self.prediction(ACTIVATIONS[self.config.hidden_act](self.dense_layer(x)))


def build_head(config: Config, name: str) -> keras.layers.Layer:
    """Return the built pre-training head of that name.

    Args:
        config: Of the encoder below.
        name: "mlm", "sentence_pair" (NSP or SOP, two classes) or "rtd".

    Raises:
        ConfigError: There is no such head.
    """
    if name == "mlm":
        head: keras.layers.Layer = MaskedLMHead(config)
    elif name == "rtd":
        head = TokenDiscriminator(config)
    elif name == "sentence_pair":
        head = keras.layers.Dense(
            2, kernel_initializer=initializer(config), name="sentence_pair"
        )
    else:
        raise ConfigError(
            f"heads: no pre-training head {name!r}; there are {', '.join(HEADS)}"
        )
    head.build((None, config.hidden_size))
    return head


HEADS = ("mlm", "sentence_pair", "rtd")


@keras.saving.register_keras_serializable(package="kerasplm")
class PretrainedModel(keras.Model):
    """An encoder with the pre-training heads that its checkpoint holds.

    Args:
        encoder: The encoder; its word table is also the decoder of "mlm".
        heads: Any of "mlm", "sentence_pair", "rtd".

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> model = PretrainedModel(encoder, ["mlm"])
        >>> model({"token_ids": np.array([[2, 7, 3]])})["mlm_logits"].shape
        TensorShape([1, 3, 100])
    """

    def __init__(
        self,
        encoder: Encoder,
        heads: list[str] | tuple[str, ...],
        name: str = "pretrained_model",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.encoder = encoder
        self.heads = {head: build_head(encoder.config, head) for head in heads}
        self.built = True

    def call(
        self,
        inputs: Inputs,
        training: bool | None = None,
        return_hidden_states: bool = False,
        return_attention_scores: bool = False,
        skip_padding: bool = False,
    ) -> dict[str, Any]:
        """Run the encoder and every head.

        Args:
            inputs: As for `Encoder`; with `mlm_positions` (B, M) the MLM head
                scores only those tokens.
            training: Whether dropout is on.
            return_hidden_states: As for `Encoder`.
            return_attention_scores: As for `Encoder`.
            skip_padding: As for `Encoder`.

        Returns:
            What `Encoder` returns, and for each head `mlm_logits` (B, M or T, V),
            `sentence_pair_logits` (B, 2; class 1 = random or swapped),
            `rtd_logits` (B, T, 1; positive = replaced).
        """
        out = self.encoder(
            {key: x for key, x in inputs.items() if key != "mlm_positions"},
            training=training,
            return_hidden_states=return_hidden_states,
            return_attention_scores=return_attention_scores,
            skip_padding=skip_padding,
        )
        sequence = out["sequence_output"]
        if "mlm" in self.heads:
            positions = inputs.get("mlm_positions")
            x = sequence
            if positions is not None:
                index = ops.expand_dims(ops.cast(positions, "int32"), -1)
                x = ops.take_along_axis(sequence, index, axis=1)
            out["mlm_logits"] = self.heads["mlm"].logits(x, self.encoder.embeddings)
        if "sentence_pair" in self.heads:
            out["sentence_pair_logits"] = self.heads["sentence_pair"](
                out["pooled_output"]
            )
        if "rtd" in self.heads:
            out["rtd_logits"] = self.heads["rtd"](sequence)
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "heads": list(self.heads),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Build from what `get_config` returned."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(encoder, config["heads"], name=config["name"])
