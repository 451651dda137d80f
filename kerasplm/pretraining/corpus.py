"""Records as the loop of pre-training reads them: by stage, place and machine."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasplm.errors import ConfigError, DataError
from kerasplm.pretraining.batches import batches, staged_batches
from kerasplm.pretraining.dynamic import Masking
from kerasplm.pretraining.pipeline import Data, Pipeline
from kerasplm.pretraining.sources import Records, find_records
from kerasplm.pretraining.stages import Stage
from kerasplm.tasks.choices import check_types

_LABELS = "next_sentence_labels"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Masks:
    """Hold the choices of how instances become rows. `Masking` says more.

    Args:
        mask_prob: Share of the tokens that are to be predicted.
        max_predictions: Most of them in a row; None: a little more than the share.
        whole_words: Whether words are masked whole.
        ngram: Most words in a span.
        packing: Most instances in one row; 1 packs none.
        shuffle_buffer: Rows that are shuffled together.

    Raises:
        ConfigError: A choice is out of its range.

    Example:
        >>> Masks(ngram=3).predictions(128)
        20
    """

    mask_prob: float = 0.15
    max_predictions: int | None = None
    whole_words: bool = True
    ngram: int = 1
    packing: int = 1
    shuffle_buffer: int = 2**14

    def __post_init__(self) -> None:
        """Check types and numbers."""
        check_types(Masks, dataclasses.asdict(self))
        if not 0 < self.mask_prob < 1:
            raise ConfigError(
                f"mask_prob must be above 0 and below 1. Received: {self.mask_prob}"
            )
        for name in ("max_predictions", "ngram", "packing", "shuffle_buffer"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1. Received: {value}")

    def predictions(self, length: int) -> int:
        """Return the most masked positions of a row of that many tokens.

        Source: `max_predictions_per_seq` of google-research/electra
        configure_pretraining.py; BERT's 20 of 128.
        """
        if self.max_predictions is not None:
            return self.max_predictions
        return max(1, int((self.mask_prob + 0.01) * length))

    def masking(self, tokenizer: Any, length: int, electra: bool, seed: int) -> Masking:
        """Return how tokens are masked.

        Args:
            tokenizer: Knows the vocabulary.
            length: Tokens of the longest row.
            electra: Whether masks are those of ELECTRA: without random tokens.
            seed: Of the draws.

        Raises:
            ConfigError: The vocabulary has no [MASK].
        """
        if tokenizer.mask_id is None:
            raise ConfigError("the vocabulary has no [MASK]; expected one to mask with")
        fields = {
            "vocab_size": tokenizer.vocab_size,
            "mask_id": tokenizer.mask_id,
            "special_ids": (tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id),
            "max_predictions": self.predictions(length),
            "prob": self.mask_prob,
            "seed": seed,
        }
        words = self.whole_words or self.ngram > 1
        spans: dict[str, Any] = {"unit": "word" if words else "token"}
        spans["ngram"] = self.ngram
        if electra:
            return Masking.electra(**fields, **spans, with_replacement=not words)
        return Masking(**fields, **spans)


class Corpus:
    """The batches of a training, and those of its evaluation.

    Args:
        data: As for `find_records`.
        stages: The parts of the training.
        pipeline: How batches are made.
        evaluation: Held-out instances; None has none.

    Raises:
        DataError: The data are not there, damaged, or too long for a stage.
        ConfigError: The batches cannot be made so.

    Example:
        >>> Corpus("data/wiki", stages, pipeline)  # doctest: +SKIP
    """

    def __init__(
        self,
        data: Data,
        stages: Sequence[Stage],
        pipeline: Pipeline,
        evaluation: Data | None = None,
    ) -> None:
        self.data, self.stages = data, stages
        self.pipeline, self.evaluation = pipeline, evaluation
        self._held_out: dict[Any, tf.data.Dataset] = {}
        staged_batches(data, stages, pipeline)  # before anything else is done
        if evaluation is not None:
            _check_alike(find_records(data), find_records(evaluation))
            for stage in range(len(stages)):
                found = self.held_out(stage, 1, (0, 1), 1)
                if found is not None and not int(found.reduce(0, lambda n, _: n + 1)):
                    raise DataError(
                        f"{find_records(evaluation).files[0]}: expected a batch of "
                        f"{stages[stage].batch_size} rows or more, found fewer rows"
                    )

    def batches(
        self, stage: int, skip: int, shard: tuple[int, int], replicas: int
    ) -> tf.data.Dataset:
        """Return the batches of a stage after its first `skip` ones."""
        start = skip + sum(before.steps for before in self.stages[:stage])
        pipeline = dataclasses.replace(self.pipeline, shard=shard, replicas=replicas)
        left = staged_batches(self.data, self.stages, pipeline, start=start)
        return left[0][2]()

    def held_out(
        self, stage: int, count: int, shard: tuple[int, int], replicas: int
    ) -> tf.data.Dataset | None:
        """Return the first batches of the evaluation, always with the same masks."""
        if self.evaluation is None:
            return None
        # To make its graph takes longer than a small evaluation.
        key = (stage, shard, replicas)
        if key not in self._held_out:
            its = self.stages[stage]
            once: dict[str, Any] = {
                "shuffle": False,
                "epochs": 1,
                "shard": shard,
                "replicas": replicas,
            }
            self._held_out[key] = batches(
                self.evaluation,
                its.length,
                its.batch_size,
                dataclasses.replace(self.pipeline, **once),
                max_predictions=its.max_predictions,
            )
        return self._held_out[key].take(count * replicas)


def _check_alike(data: Records, evaluation: Records) -> None:
    """Refuse held-out instances that give other batches than the data."""
    for name, its, theirs in (
        ("masks", data.form == "masked", evaluation.form == "masked"),
        ("labels of pairs", _LABELS in data.features, _LABELS in evaluation.features),
    ):
        if its != theirs:
            raise DataError(
                f"{evaluation.files[0]}: expected held-out instances "
                f"{'with' if its else 'without'} {name} as in {data.files[0]}, found "
                f"them {'with' if theirs else 'without'}"
            )
