"""Extract relations: subject then objects, or three tables of pairs of tokens."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import keras
from keras import ops

from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.layers import norm
from kerasplm.task_heads.base import float_mask
from kerasplm.task_heads.relation import (
    GPLinker,
    ObjectHead,
    SubjectHead,
    gplinker_loss,
    relation_loss,
)
from kerasplm.task_models.base import TaskModel, model_inputs

Tensor = Any

Decoder = Literal["subject_object", "gplinker"]
DECODERS: tuple[str, ...] = get_args(Decoder)


@keras.saving.register_keras_serializable(package="kerasplm")
class RelationExtractor(TaskModel):
    """An encoder with a head that finds subjects, predicates and objects.

    Called, it gives what its loss and decoding need, in float32:

    - "subject_object": `subjects` (B, T, 2), logits of every token as start and end of
      a subject (`power_probability`); with the input `subject` (B, 2), the first and
      last token of one subject of each text, also `objects` (B, T, P, 2); outside of
      training also `hidden` (B, T, D), of which `answer` makes the objects of the
      subjects that were found.
    - "gplinker": `entities` (B, 2, T, T), `heads` and `tails` (B, P, T, T), see
      `GPLinker`. Memory grows with T squared times P.

    Args:
        encoder: The encoder.
        labels: The P predicates in order of their ids.
        decoder: One of `DECODERS`.
        pair: As for `TaskModel`.
        dropout: Before the head, in [0, 1); the originals have none.
        head_size: Width of the queries and keys of "gplinker".
        task: Name of the task.

    Raises:
        ConfigError: There is no predicate or no such decoder, or a number is out of
            range.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> model = RelationExtractor(encoder, ["作者", "父亲"])
        >>> model({"token_ids": np.array([[2, 7, 3]])})["subjects"].shape
        TensorShape([1, 3, 2])

    Source: ZhuiyiTechnology/pretrained-models examples/task_lic2019_ie.py;
    bojone/bert4keras examples/task_relation_extraction_gplinker.py.
    """

    kind = "relation"
    pooled = False
    scores_padding = True

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str],
        *,
        decoder: Decoder = "subject_object",
        pair: bool = False,
        dropout: float = 0.0,
        head_size: int = 64,
        task: str = "relation",
        name: str = "relation_extractor",
        **kwargs: Any,
    ) -> None:
        if not labels:
            raise ConfigError("labels must be at least one predicate. Received: none")
        if decoder not in DECODERS:
            raise ConfigError(
                f"decoder must be one of {', '.join(DECODERS)}. Received: {decoder!r}"
            )
        super().__init__(encoder, labels, pair=pair, task=task, name=name, **kwargs)
        self.decoder, self.head_size = decoder, head_size
        self.dropout = keras.layers.Dropout(dropout)
        config = encoder.config
        shape = (None, None, config.hidden_size)
        self.norm = self.subject = self.object = self.gplinker = None
        if config.ln_type == "pre":  # such an encoder ends without a norm
            self.norm = norm(config, "norm")
            self.norm.build(shape)
        if decoder == "gplinker":
            self.gplinker = GPLinker(len(labels), head_size)
            self.gplinker.build(shape)
        else:
            self.subject, self.object = SubjectHead(), ObjectHead(len(labels))
            self.subject.build(shape)
            self.object.build(shape)
        self.built = True

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the layers of the head by our own names: no original code has any."""
        layers = (self.norm, self.subject, self.object, self.gplinker)
        return {f"task/{layer.name}": layer for layer in layers if layer is not None}

    def call(self, inputs: Inputs, training: bool | None = None) -> dict[str, Tensor]:
        """Map a batch as for `Encoder`, with or without `subject`, to scores."""
        out = self.encode(
            model_inputs(inputs, "subject"),
            training,
            return_hidden_states=self.gplinker is None,
        )
        x = out["sequence_output"]
        if self.norm is not None:
            x = self.norm(x)
        x = self.dropout(x, training=training)
        if self.gplinker is not None:
            return self.gplinker(x, padding_mask=inputs.get("padding_mask"))
        assert self.subject is not None
        assert self.object is not None
        found = {"subjects": self.subject(x)}
        hidden = self.dropout(out["before_last_norm"], training=training)
        if "subject" in inputs:
            found["objects"] = self.object(hidden, inputs["subject"])
        if not training:
            found["hidden"] = hidden
        return found

    def answer(
        self, outputs: Mapping[str, Tensor], question: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Score the objects of subjects that were found in a batch.

        Args:
            outputs: What the model returned outside of training.
            question: `subjects` (S, 2), first and last token of each; `owner` (S,),
                its text in the batch.

        Returns:
            `objects` (S, T, P, 2) logits.

        Raises:
            ConfigError: The model has no subjects ("gplinker").
        """
        if self.object is None:
            raise ConfigError(f"decoder={self.decoder!r} finds objects without asking")
        hidden = ops.take(outputs["hidden"], question["owner"], axis=0)
        return {"objects": self.object(hidden, question["subjects"])}

    def objective(self, inputs: Inputs, targets: Any, outputs: Any) -> Tensor:
        """Return the loss of the decoder's original."""
        if self.gplinker is not None:
            return gplinker_loss(targets, outputs)
        mask = float_mask(inputs.get("padding_mask"), outputs["subjects"])
        # A text of which no relation was located says nothing about the others.
        known = ops.cast(targets["known"], "float32")
        return relation_loss(
            outputs["subjects"],
            outputs["objects"],
            targets["subjects"],
            targets["objects"],
            mask * ops.expand_dims(known, -1),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "decoder": self.decoder,
            "dropout": self.dropout.rate,
            "head_size": self.head_size,
        }
