"""Named entities: one tag for each token, or a score for every span and type."""

from collections.abc import Sequence
from typing import Any, Literal

import keras

from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.evaluation.tags import SCHEMES
from kerasplm.layers import norm
from kerasplm.task_heads import CRF, EfficientGlobalPointer, GlobalPointer, TaggingHead
from kerasplm.task_heads.global_pointer import sparse_global_pointer_loss
from kerasplm.task_heads.tagging import tagging_loss
from kerasplm.task_models.base import TaskModel

Tensor = Any
Decoder = Literal["softmax", "crf", "global_pointer", "efficient_global_pointer"]
Scheme = Literal["BIO", "BIOS", "BIOES", "BMES"]

TAGGERS: tuple[Decoder, ...] = ("softmax", "crf")
"""Decoders that give every token one tag: their entities do not overlap."""
POINTERS: dict[Decoder, type[GlobalPointer]] = {
    "global_pointer": GlobalPointer,
    "efficient_global_pointer": EfficientGlobalPointer,
}
"""Decoders that score every span: their entities may lie in each other."""
DECODERS: tuple[Decoder, ...] = (*TAGGERS, *POINTERS)
TAG_SCHEMES: tuple[Scheme, ...] = ("BIO", "BIOS", "BIOES", "BMES")
"""Schemes that keep neighbouring entities of one type apart."""


def tags_of_types(types: Sequence[str], scheme: str = "BIO") -> tuple[str, ...]:
    """Return the tags of types of entities in the order of their ids.

    Args:
        types: Types of entities.
        scheme: One of `TAG_SCHEMES`.

    Raises:
        ConfigError: There is no such scheme.

    Example:
        >>> tags_of_types(["PER", "LOC"])
        ('O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC')

    Source: bojone/bert4keras task_sequence_labeling_ner_crf.py for the order.
    """
    check_choice("scheme", scheme, TAG_SCHEMES)
    prefixes = dict.fromkeys(SCHEMES[scheme])
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in prefixes))


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Make sure that a value is one of some.

    Raises:
        ConfigError: It is not.
    """
    if value not in choices:
        raise ConfigError(
            f"{name} must be one of {', '.join(choices)}. Received: {value!r}"
        )


@keras.saving.register_keras_serializable(package="kerasplm")
class EntityTagger(TaskModel):
    """An encoder with a head that finds named entities.

    Called, it gives what its loss and `Kind.found` need, in float32:

    - "softmax": `logits` (B, T, C), the scores of the C tags of every token.
    - "crf": `logits`, and `transitions` (B, C, C), the scores of tag after tag, the
      same for every text.
    - pointers: `scores` (B, N, T, T), of every span from token i to j for each of N
      types; a span above 0 is an entity. Memory grows with T squared.

    A pre-norm encoder has no norm after its last block, so one comes first here.
    [CLS] and [SEP] carry the tag O as every other real token does.

    Args:
        encoder: The encoder.
        labels: Types of entities; may be left out where `tags` name them.
        decoder: One of `DECODERS`.
        scheme: Of the tags, one of `TAG_SCHEMES`.
        tags: Names of the tags in order of their ids, where they are not
            `tags_of_types(labels, scheme)`: of a checkpoint of an original code.
        pair: As for `TaskModel`.
        dropout: Before the dense layer of the tags, or before the pointer, in [0, 1).
        head_size: Width of the pointer's queries and keys.
        crf_multiplier: How many times as fast as the encoder the transitions move;
            1000 in bert4keras.
        task: Name of the task; ELECTRA's checkpoints store the layer under it.

    Raises:
        ConfigError: There is no such decoder or scheme, there are no types and no
            tags, or a number is out of range.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> tagger = EntityTagger(encoder, ["PER"])
        >>> tagger({"token_ids": np.array([[2, 7, 3]])})["logits"].shape
        TensorShape([1, 3, 3])

    Source: `create_model` of huawei-noah NEZHA-TensorFlow run_classifier_ner.py;
    bojone/bert4keras task_sequence_labeling_ner_crf.py; arXiv:2208.03054.
    """

    kind = "tagging"
    pooled = False
    scores_padding = True

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str] = (),
        *,
        decoder: Decoder = "softmax",
        scheme: Scheme = "BIO",
        tags: Sequence[str] | None = None,
        pair: bool = False,
        dropout: float = 0.1,
        head_size: int = 64,
        crf_multiplier: float = 1.0,
        task: str = "tagging",
        name: str = "entity_tagger",
        **kwargs: Any,
    ) -> None:
        check_choice("decoder", decoder, DECODERS)
        if not labels and (not tags or decoder in POINTERS):
            raise ConfigError("labels must be at least one type of entity. Got none")
        if tags is None and decoder in TAGGERS:
            tags = tags_of_types(labels, scheme)
        super().__init__(encoder, labels, pair=pair, task=task, name=name, **kwargs)
        self.decoder, self.scheme, self.head_size = decoder, scheme, head_size
        self.tags = tuple(str(tag) for tag in tags or ())
        if len(set(self.tags)) != len(self.tags):
            raise ConfigError(f"tags must be names, each once. Received: {tags!r}")
        self.crf_multiplier = crf_multiplier
        shape = (None, None, encoder.config.hidden_size)
        self.tagging: Any = None
        self.crf: CRF | None = None
        self.pointer: GlobalPointer | None = None
        self.norm: keras.layers.Layer | None = None
        if encoder.config.ln_type == "pre":
            self.norm = norm(encoder.config, "norm")
            self.norm.build(shape)
        self.dropout = keras.layers.Dropout(dropout)
        if decoder in POINTERS:
            self.pointer = POINTERS[decoder](heads=len(labels), head_size=head_size)
            self.pointer.build(shape)
        else:
            self.tagging = TaggingHead(len(self.tags), dropout=0.0)
            self.tagging.build(shape)
        if decoder == "crf":
            self.crf = CRF(len(self.tags), crf_multiplier)
            self.crf.build()
        self.built = True

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the layers by the names of the family tables."""
        parts = {
            "task/norm": self.norm,
            "classifier": self.tagging,
            "task/crf": self.crf,
            "task/pointer": self.pointer,
        }
        return {name: layer for name, layer in parts.items() if layer is not None}

    def call(self, inputs: Inputs, training: bool | None = None) -> dict[str, Tensor]:
        """Map a batch as for `Encoder` to the outputs that the class describes."""
        x = self.encode(inputs, training)["sequence_output"]
        if self.norm is not None:
            x = self.norm(x)
        x = self.dropout(x, training=training)
        if self.pointer is not None:
            return {"scores": self.pointer(x, inputs.get("padding_mask"))}
        logits = self.tagging(x)
        if self.crf is None:
            return {"logits": logits}
        # One table for each text, so that batches can be joined.
        table = keras.ops.broadcast_to(
            self.crf.scores(), (keras.ops.shape(logits)[0], *self.crf.transitions.shape)
        )
        return {"logits": logits, "transitions": table}

    def objective(self, inputs: Inputs, targets: Tensor, outputs: Any) -> Tensor:
        """Return the loss.

        Args:
            inputs: What the model was called with.
            targets: (B, T) ids of tags, at padding any number; for a pointer (B, N, P,
                2), first and last token of each entity, filled up with (0, 0).
            outputs: What the model returned.

        Returns:
            The mean cross-entropy of the real tokens (softmax), the mean of the
            negative log-likelihood of a text (CRF), or the sum over types of the
            multi-label cross-entropy, averaged over the texts (pointers).
        """
        if self.pointer is not None:
            return sparse_global_pointer_loss(targets, outputs["scores"])
        mask = inputs.get("padding_mask")
        if self.crf is None:
            return tagging_loss(outputs["logits"], targets, mask)
        found = self.crf.log_likelihood(outputs["logits"], targets, mask)
        return -keras.ops.mean(found)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "decoder": self.decoder,
            "scheme": self.scheme,
            "tags": list(self.tags) or None,
            "dropout": self.dropout.rate,
            "head_size": self.head_size,
            "crf_multiplier": self.crf_multiplier,
        }
