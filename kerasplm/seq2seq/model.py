"""The encoder-decoder model."""

from typing import Any, Self

import keras
from keras import ops

from kerasplm import masks
from kerasplm.encoder import Inputs, check_inputs
from kerasplm.seq2seq.config import Seq2SeqConfig
from kerasplm.seq2seq.initial import initial
from kerasplm.seq2seq.layers import Stack

Tensor = Any
# `segment_ids` is what tokenizers return besides; T5 has no segments.
_SOURCE = ("token_ids", "padding_mask", "segment_ids")
_TARGET = ("target_ids", "target_padding_mask")


@keras.saving.register_keras_serializable(package="kerasplm")
class Seq2Seq(keras.Model):
    """Read a text with an encoder and score the words of another one.

    T5-PEGASUS: the body of mT5 with a vocabulary of Chinese words. All weights exist
    after construction. Sub-layers are reachable as `embedding`, `encoder.blocks[i]`,
    `decoder.blocks[i]` and `output_layer`.

    `model(batch)` is training with a known target; `encode` and `decode` are its two
    halves, for generation: the source is read once, the target grows.

    Args:
        config: Sizes and choices.
        name: Name of the model.
        family: Whose checkpoint it was loaded from; only kept, for saving.

    Example:
        >>> model = Seq2Seq(Seq2SeqConfig(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=2, num_attention_heads=3, attention_head_size=16,
        ...     intermediate_size=48))
        >>> source = model.encode({"token_ids": np.array([[5, 7, 3, 6]])})
        >>> model.decode(source | {"target_ids": np.array([[1, 8]])})["logits"].shape
        TensorShape([1, 2, 100])

    Source: `T5` of bojone/bert4keras models.py, model="mt5.1.1", as trained by
    ZhuiyiTechnology/t5-pegasus.
    """

    def __init__(
        self,
        config: Seq2SeqConfig,
        name: str = "seq2seq",
        family: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.config = config
        self.family = family
        self.embedding = keras.layers.Embedding(
            config.vocab_size,
            config.hidden_size,
            embeddings_initializer=initial(config, "embedding"),
            name="embedding",
        )
        self.encoder = Stack(config, "encoder", config.num_hidden_layers, decoder=False)
        self.decoder = Stack(config, "decoder", config.decoder_layers, decoder=True)
        self.output_layer = keras.layers.Dense(
            config.vocab_size,
            use_bias=False,
            kernel_initializer=initial(config, "output_layer"),
            name="output",
        )
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create all weights."""
        if getattr(self, "built", False):
            return
        self.embedding.build((None, None))
        self.encoder.build(None)
        self.decoder.build(None)
        self.output_layer.build((None, None, self.config.hidden_size))
        self.built = True

    def encode(
        self,
        inputs: Inputs,
        training: bool | None = None,
        return_hidden_states: bool = False,
    ) -> dict[str, Any]:
        """Read the source.

        Args:
            inputs: `token_ids` (B, S) int; optional `padding_mask` (B, S), True =
                real token, default all True; `segment_ids` is accepted, not used.
            training: Whether dropout is on.
            return_hidden_states: Add `encoder_hidden_states`, a list of the word
                vectors and the output of every block, (B, S, D) each.

        Returns:
            `encoder_output` (B, S, D) and `padding_mask` (B, S): what `decode` needs
            of the source.

        Raises:
            ValueError: An input is missing or unknown.
        """
        check_inputs(inputs, ("token_ids",), _SOURCE)
        token_ids, mask = _ids_and_mask(inputs, "token_ids", "padding_mask")
        output, states = self.encoder(
            self.embedding(token_ids),
            attention_mask=masks.padding(mask),
            training=training,
        )
        out = {"encoder_output": output, "padding_mask": mask}
        if return_hidden_states:
            out["encoder_hidden_states"] = states
        return out

    def decode(
        self,
        inputs: Inputs,
        training: bool | None = None,
        return_hidden_states: bool = False,
    ) -> dict[str, Any]:
        """Score the next word after every word of the target.

        Args:
            inputs: `encoder_output` (B, S, D) and `target_ids` (B, T) int; optional
                `padding_mask` (B, S) of the source and `target_padding_mask` (B, T),
                True = real token, default all True.
            training: Whether dropout is on.
            return_hidden_states: Add `decoder_hidden_states`, as for `encode`.

        Returns:
            `logits` (B, T, V); `decoder_output` (B, T, D), normalised, not scaled.

        Raises:
            ValueError: An input is missing or unknown.
        """
        known = ("encoder_output", "padding_mask", "encoder_hidden_states", *_TARGET)
        check_inputs(inputs, ("encoder_output", "target_ids"), known)
        target_ids, mask = _ids_and_mask(inputs, *_TARGET)
        context = inputs["encoder_output"]
        context_mask = inputs.get("padding_mask")
        if context_mask is None:
            context_mask = ops.ones(ops.shape(context)[:2], "bool")
        output, states = self.decoder(
            self.embedding(target_ids),
            attention_mask=masks.attention_mask("causal", mask, target_ids),
            context=context,
            context_mask=masks.padding(context_mask),
            training=training,
        )
        out = {"logits": self.logits(output), "decoder_output": output}
        if return_hidden_states:
            out["decoder_hidden_states"] = states
        return out

    def logits(self, output: Tensor) -> Tensor:
        """Map normalised outputs of the decoder (..., D) to (..., V)."""
        if self.config.scale_output:
            output = output * self.config.hidden_size**-0.5
        return self.output_layer(output)

    def call(
        self,
        inputs: Inputs,
        training: bool | None = None,
        return_hidden_states: bool = False,
    ) -> dict[str, Any]:
        """Score the next word after every word of a known target.

        Args:
            inputs: As for `encode`, with `target_ids` (B, T) int and optional
                `target_padding_mask` (B, T), True = real token.
            training: Whether dropout is on.
            return_hidden_states: Add `encoder_hidden_states` and
                `decoder_hidden_states`.

        Returns:
            `logits` (B, T, V), `encoder_output` (B, S, D), `decoder_output`
            (B, T, D), and what was asked.

        Raises:
            ValueError: An input is missing or unknown.
        """
        check_inputs(inputs, ("token_ids", "target_ids"), (*_SOURCE, *_TARGET))
        source = {k: inputs[k] for k in _SOURCE if k in inputs}
        target = {k: inputs[k] for k in _TARGET if k in inputs}
        out = self.encode(source, training, return_hidden_states)
        out |= self.decode(out | target, training, return_hidden_states)
        del out["padding_mask"]
        return out

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return {
            "config": self.config.to_dict(),
            "name": self.name,
            "family": self.family,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Build from what `get_config` returned."""
        model = cls(
            Seq2SeqConfig.from_dict(config["config"]),
            name=config["name"],
            family=config.get("family"),
        )
        model.trainable = config.get("trainable", True)
        return model


def _ids_and_mask(inputs: Inputs, ids: str, mask: str) -> tuple[Tensor, Tensor]:
    """Return the ids as int32 and the mask as booleans, by default all True."""
    token_ids = ops.cast(inputs[ids], "int32")
    given = inputs.get(mask)
    if given is None:
        return token_ids, ops.ones(ops.shape(token_ids), "bool")
    return token_ids, ops.cast(given, "bool")
