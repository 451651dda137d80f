"""Pre-training objectives: which head, attention and fields each needs, and its loss.

Letters: B rows, T tokens, P masked positions, S packed instances of a row, V words.
Every objective gives sums and counts, not means: those of several devices are added
up before they are divided.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from kerasplm.config import AttentionKind
from kerasplm.errors import ConfigError
from kerasplm.losses import nll, weighted
from kerasplm.pretraining.terms import Measures, Term, hits

Tensor = Any
Batch = Mapping[str, Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """What a model is trained for.

    Args:
        weight: Factor of its loss in the sum.

    Raises:
        ConfigError: The weight is negative.
    """

    weight: float = 1.0

    name: ClassVar[str]
    heads: ClassVar[tuple[str, ...]]
    """Heads of `PretrainedModel` that it trains."""
    attention: ClassVar[AttentionKind]
    """What a token may see."""
    fields: ClassVar[tuple[str, ...]]
    """Fields of the batch that it needs beside the inputs of the encoder."""
    pooled: ClassVar[bool] = False
    """Whether it trains the pooler."""
    packable: ClassVar[bool] = True
    """Whether a row may hold several instances."""

    def __post_init__(self) -> None:
        """Check the weight."""
        if not self.weight >= 0:
            raise ConfigError(
                f"{self.name}: weight must not be negative. Received: {self.weight}"
            )

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return the summands of the loss.

        Args:
            outputs: What the model returned for the batch.
            batch: Inputs and targets.
        """
        raise NotImplementedError

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return what is reported: for each name a sum and a count.

        Args:
            outputs: What the model returned for the batch.
            batch: Inputs and targets.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedLM(Objective):
    """Find the original tokens at masked positions.

    Args:
        weight: Factor of its loss in the sum.
        epsilon: Added to the number of masked tokens: 1e-5 in BERT's code and what
            grew from it, 1e-6 in ELECTRA's.

    Example:
        >>> mlm(weight=2.0).heads
        ('mlm',)

    Source: `get_masked_lm_output` of google-research/bert run_pretraining.py.
    """

    epsilon: float = 1e-5

    name: ClassVar[str] = "mlm"
    heads: ClassVar[tuple[str, ...]] = ("mlm",)
    attention: ClassVar[AttentionKind] = "bidirectional"
    fields: ClassVar[tuple[str, ...]] = ("mlm_positions", "mlm_ids", "mlm_weights")

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return one summand, the cross-entropy over the masked tokens."""
        losses = nll(outputs["mlm_logits"], batch["mlm_ids"])
        parts = weighted(losses, batch["mlm_weights"])
        return {"mlm": Term(*parts, self.epsilon, self.weight)}

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return masked_lm_loss and masked_lm_accuracy."""
        logits, ids = outputs["mlm_logits"], batch["mlm_ids"]
        return {
            "masked_lm_loss": weighted(nll(logits, ids), batch["mlm_weights"]),
            "masked_lm_accuracy": weighted(hits(logits, ids), batch["mlm_weights"]),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentencePair(Objective):
    """Tell whether the second text is the one that follows the first.

    Args:
        weight: Factor of its loss in the sum.

    Source: `get_next_sentence_output` of google-research/bert run_pretraining.py.
    """

    heads: ClassVar[tuple[str, ...]] = ("sentence_pair",)
    attention: ClassVar[AttentionKind] = "bidirectional"
    fields: ClassVar[tuple[str, ...]] = ("pair_labels", "pair_weights")
    pooled: ClassVar[bool] = True
    title: ClassVar[str]

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return one summand, the cross-entropy over the pairs."""
        losses = nll(outputs["sentence_pair_logits"], batch["pair_labels"])
        parts = weighted(losses, batch["pair_weights"])
        return {self.name: Term(*parts, 0.0, self.weight)}

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return loss and accuracy."""
        logits, labels = outputs["sentence_pair_logits"], batch["pair_labels"]
        weights = batch["pair_weights"]
        return {
            f"{self.title}_loss": weighted(nll(logits, labels), weights),
            f"{self.title}_accuracy": weighted(hits(logits, labels), weights),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class NextSentence(SentencePair):
    """Tell whether the second text is a random one (BERT).

    Args:
        weight: Factor of its loss in the sum.

    Example:
        >>> nsp().heads
        ('sentence_pair',)
    """

    name: ClassVar[str] = "nsp"
    title: ClassVar[str] = "next_sentence"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentenceOrder(SentencePair):
    """Tell whether the two texts were swapped (ALBERT).

    Args:
        weight: Factor of its loss in the sum.

    Example:
        >>> sop().heads
        ('sentence_pair',)
    """

    name: ClassVar[str] = "sop"
    title: ClassVar[str] = "sentence_order"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CausalLM(Objective):
    """Predict every token from those before it (NEZHA-Gen).

    Args:
        weight: Factor of its loss in the sum.

    Example:
        >>> causal_lm().attention
        'causal'
    """

    name: ClassVar[str] = "causal_lm"
    heads: ClassVar[tuple[str, ...]] = ("mlm",)
    attention: ClassVar[AttentionKind] = "causal"
    fields: ClassVar[tuple[str, ...]] = ("padding_mask",)

    def targets(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the next token of every token, and the weights, (B, T - 1) each."""
        weights = ops.cast(batch["padding_mask"][:, 1:], "float32")
        if "pack_ids" in batch:  # what follows must be of the same instance
            packs = batch["pack_ids"]
            weights *= ops.cast(ops.equal(packs[:, 1:], packs[:, :-1]), "float32")
        return batch["token_ids"][:, 1:], weights

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return one summand, the cross-entropy over the predicted tokens."""
        ids, weights = self.targets(batch)
        parts = weighted(nll(outputs["mlm_logits"][:, :-1], ids), weights)
        return {"lm": Term(*parts, 0.0, self.weight)}

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return lm_loss and lm_accuracy."""
        (ids, weights), logits = self.targets(batch), outputs["mlm_logits"][:, :-1]
        return {
            "lm_loss": weighted(nll(logits, ids), weights),
            "lm_accuracy": weighted(hits(logits, ids), weights),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class UniLM(CausalLM):
    """Predict the second text, token by token, from the whole of the first.

    Args:
        weight: Factor of its loss in the sum.

    Example:
        >>> unilm().attention
        'unilm'

    Source: arXiv:1905.03197; `CrossEntropy` of the seq2seq examples of
    bojone/bert4keras.
    """

    name: ClassVar[str] = "unilm"
    attention: ClassVar[AttentionKind] = "unilm"
    fields: ClassVar[tuple[str, ...]] = ("segment_ids", "padding_mask")

    def targets(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the next token of every token; weights are 1 in segment 1."""
        ids, weights = super().targets(batch)
        return ids, weights * ops.cast(batch["segment_ids"][:, 1:], "float32")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimBERT(UniLM):
    """Write a text that means the same, and find its vector among the batch.

    Rows 2k and 2k + 1 are a pair of texts in both orders. Each row has to find its
    partner among all other rows of the batch of its device.

    Args:
        weight: Factor of both losses in the sum.
        scale: Factor of the cosines.

    Example:
        >>> simbert().heads
        ('mlm',)

    Source: `TotalLoss` of ZhuiyiTechnology/simbert simbert.py.
    """

    scale: float = 30.0

    name: ClassVar[str] = "simbert"
    packable: ClassVar[bool] = False
    pooled: ClassVar[bool] = True

    def _similarity(self, outputs: Batch) -> tuple[Tensor, Tensor]:
        """Return the scaled cosines (B, B) of all rows, and the row of each partner."""
        vectors = ops.cast(outputs["pooled_output"], "float32")
        count = vectors.shape[0]
        if count is not None and count % 2:
            raise ConfigError(
                f"simbert: expected pairs of rows, found {count}: batch_size must be a "
                "multiple of 2 * replicas * accumulation"
            )
        square = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
        vectors *= ops.rsqrt(ops.maximum(square, 1e-12))
        cosines = self.scale * ops.matmul(vectors, ops.transpose(vectors))
        rows = ops.arange(ops.shape(vectors)[0], dtype="int32")
        own = ops.equal(rows[:, None], rows[None, :])
        return ops.where(own, -1e9, cosines), rows + 1 - 2 * (rows % 2)

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return the summand of the words and that of the vectors."""
        losses = nll(*self._similarity(outputs))
        parts = weighted(losses, ops.ones_like(losses))
        return super().terms(outputs, batch) | {
            "similarity": Term(*parts, 0.0, self.weight)
        }

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return those of the words, similarity_loss and similarity_accuracy."""
        logits, partners = self._similarity(outputs)
        ones = ops.ones_like(partners)
        return super().measures(outputs, batch) | {
            "similarity_loss": weighted(nll(logits, partners), ones),
            "similarity_accuracy": weighted(hits(logits, partners), ones),
        }


mlm = MaskedLM
nsp = NextSentence
sop = SentenceOrder
causal_lm = CausalLM
unilm = UniLM
simbert = SimBERT

OBJECTIVES: dict[str, type[Objective]] = {
    one.name: one for one in (mlm, nsp, sop, causal_lm, unilm, simbert)
}
"""All of them by name."""


def named(texts: Sequence[str]) -> list[Objective]:
    """Return objectives by their names.

    Args:
        texts: From `OBJECTIVES`, with a weight after a colon or without.

    Raises:
        ConfigError: There is no such objective, or a weight is no number.

    Example:
        >>> [one.weight for one in named(["mlm", "sop:0.5"])]
        [1.0, 0.5]
    """
    found = []
    for text in texts:
        name, _, weight = text.partition(":")
        if name not in OBJECTIVES:
            raise ConfigError(
                f"objective: no {name!r}; there are {', '.join(OBJECTIVES)}, rtd"
            )
        try:
            found.append(OBJECTIVES[name](weight=float(weight or 1)))
        except ValueError as error:
            raise ConfigError(
                f"objective: expected NAME or NAME:WEIGHT, found {text!r} ({error})"
            ) from error
    if not any(one.weight for one in found):
        raise ConfigError(f"objective: expected a weight above 0, found {texts}")
    return found
