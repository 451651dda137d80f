"""The models that pre-training trains: an encoder, its heads, its objectives."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from kerasplm import masks
from kerasplm.encoder import INPUTS, Encoder
from kerasplm.errors import ConfigError
from kerasplm.heads import HEADS, PretrainedModel
from kerasplm.idle_pooler import WithoutIdlePooler
from kerasplm.pretraining.draws import gather
from kerasplm.pretraining.objectives import OBJECTIVES, Objective
from kerasplm.pretraining.stepping import DistributedStep
from kerasplm.pretraining.terms import Measures, Term

Tensor = Any
Batch = Mapping[str, Tensor]


class Outcomes(DistributedStep):
    """What every pre-training model can do: give its loss in parts that add up."""

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return the summands of the loss by name."""
        raise NotImplementedError

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return what is reported: for each name a sum and a count."""
        raise NotImplementedError

    def outcome(
        self, batch: Batch, training: bool = False
    ) -> tuple[dict[str, Term], Measures]:
        """Run a batch.

        Args:
            batch: Inputs and targets in one dictionary.
            training: Whether dropout is on.

        Returns:
            The summands of the loss; what is reported, as (sum, count).
        """
        outputs = self(batch, training=training)  # type: ignore[operator]
        return self.terms(outputs, batch), self.measures(outputs, batch)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the loss of a batch that is whole on one device."""
        return sum(term.value for term in self.terms(y_pred, x).values())


def encoder_inputs(batch: Batch, encoder: Encoder) -> dict[str, Tensor]:
    """Return what the encoder takes of a batch, packed rows kept apart.

    Args:
        batch: With `pack_ids` (B, T), 1, 2, ... for each instance in a row and 0 for
            padding, no token sees another instance.
        encoder: Its attention decides what else a token sees.
    """
    inputs = {name: batch[name] for name in INPUTS if name in batch}
    if "pack_ids" in batch:
        inputs["attention_mask"] = masks.within_texts(
            encoder.config.attention,
            ops.cast(batch["pack_ids"], "int32"),
            inputs["segment_ids"],
        )
    return inputs


@keras.saving.register_keras_serializable(package="kerasplm")
class PretrainingModel(WithoutIdlePooler, Outcomes, PretrainedModel):
    """An encoder that is trained for one or several objectives.

    It is a `PretrainedModel` with the heads that the objectives need: it is saved, and
    loaded again with `load(..., heads="pretraining")`, like one.

    Args:
        encoder: The encoder.
        objectives: What it is trained for, such as [mlm(), sop()].
        recompute: Whether the inside of the blocks is computed again for the
            gradients instead of kept: less memory, more time.
        name: Name of the model.

    Raises:
        ConfigError: There is no objective, one twice, or two need different attention
            or not that of the encoder.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> list(PretrainingModel(encoder, [mlm(), sop()]).heads)
        ['mlm', 'sentence_pair']
    """

    def __init__(
        self,
        encoder: Encoder,
        objectives: Sequence[Objective],
        *,
        recompute: bool = False,
        name: str = "pretraining_model",
        **kwargs: Any,
    ) -> None:
        objectives = checked(objectives)
        attention = objectives[0].attention
        if encoder.config.attention != attention:
            raise ConfigError(
                f"{objectives[0].name} needs attention={attention!r}, the encoder has "
                f"{encoder.config.attention!r}. Load it with attention={attention!r}"
            )
        super().__init__(encoder, heads_for(objectives), name=name, **kwargs)
        self.objectives = objectives
        self.recompute = recompute
        self.fresh: tuple[str, ...] = ()
        encoder.recompute = recompute

    @property
    def trains_pooler(self) -> bool:
        """Whether an objective takes the pooled vector."""
        return any(one.pooled for one in self.objectives)

    def call(
        self,
        inputs: Batch,
        training: bool | None = None,
        return_hidden_states: bool = False,
        return_attention_scores: bool = False,
        skip_padding: bool = False,
    ) -> dict[str, Any]:
        """Run the encoder and every head.

        Args:
            inputs: A batch; its targets are passed over.
            training: Whether dropout is on.
            return_hidden_states: As for `Encoder`.
            return_attention_scores: As for `Encoder`.
            skip_padding: As for `Encoder`.

        Returns:
            As `PretrainedModel`. Of packed rows `pooled_output` (B, S, D) and
            `sentence_pair_logits` (B, S, 2) are those of each instance.
        """
        given = encoder_inputs(inputs, self.encoder)
        if any("mlm_positions" in one.fields for one in self.objectives):
            given["mlm_positions"] = inputs["mlm_positions"]
        out = super().call(
            given,
            training,
            return_hidden_states,
            return_attention_scores,
            skip_padding,
        )
        if "first_positions" in inputs:
            first = gather(out["sequence_output"], inputs["first_positions"])
            width, count = first.shape[-1], first.shape[1]
            pooled = self.encoder.pool(ops.reshape(first, (-1, 1, width)))
            out["pooled_output"] = ops.reshape(pooled, (-1, count, width))
            if "sentence_pair" in self.heads:
                logits = self.heads["sentence_pair"](out["pooled_output"])
                out["sentence_pair_logits"] = logits
        return out

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return the summands of all objectives by name."""
        self._check(batch)
        parts = (one.terms(outputs, batch) for one in self.objectives)
        return {name: term for part in parts for name, term in part.items()}

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return the measures of all objectives."""
        parts = (one.measures(outputs, batch) for one in self.objectives)
        return {name: pair for part in parts for name, pair in part.items()}

    def _check(self, batch: Batch) -> None:
        for one in self.objectives:
            if "pack_ids" in batch and not one.packable:
                raise ConfigError(
                    f"{one.name} compares rows with each other. Received: packed rows"
                )
            missing = [field for field in one.fields if field not in batch]
            if missing:
                raise ConfigError(
                    f"{one.name} needs {', '.join(missing)}, which the batches do not "
                    f"have. They have {', '.join(sorted(batch))}"
                )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "objectives": [
                {"objective": one.name, **dataclasses.asdict(one)}
                for one in self.objectives
            ],
            "recompute": self.recompute,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Build from what `get_config` returned."""
        config = dict(config)
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        facts = [dict(one) for one in config.pop("objectives")]
        objectives = [OBJECTIVES[one.pop("objective")](**one) for one in facts]
        return cls(encoder, objectives, **config)


def checked(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Return the objectives if one model can be trained for all of them.

    Raises:
        ConfigError: There is none, one twice, or two need different attention.
    """
    names = [one.name for one in objectives]
    if not names or len(set(names)) < len(names):
        raise ConfigError(
            f"objectives must be one or several, each once. Received: {names}"
        )
    kinds = {one.attention for one in objectives}
    if len(kinds) > 1:
        raise ConfigError(
            f"{' and '.join(names)} need different attention: "
            f"{' and '.join(sorted(kinds))}"
        )
    if sum("pair_labels" in one.fields for one in objectives) > 1:
        raise ConfigError(
            f"{' and '.join(names)}: expected nsp or sop, not both: the label of a "
            "pair means one thing"
        )
    return tuple(objectives)


def heads_for(objectives: Iterable[Objective]) -> list[str]:
    """Return the heads that the objectives train, in the order of `HEADS`."""
    needed = {head for one in objectives for head in one.heads}
    return [head for head in HEADS if head in needed]
