"""ELECTRA: a generator fills masked positions, a discriminator finds what it wrote."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import keras
from keras import ops

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.heads import PretrainedModel
from kerasplm.losses import nll, replaced, weighted
from kerasplm.pretraining.draws import scatter_update, uniform
from kerasplm.pretraining.electra_parts import ElectraOptions, check, with_tables_of
from kerasplm.pretraining.models import Outcomes, encoder_inputs
from kerasplm.pretraining.terms import Measures, Term, curve, hits

Tensor = Any
Batch = Mapping[str, Tensor]

_EPSILON = 1e-6
_NEEDED = ("token_ids", "padding_mask", "mlm_positions", "mlm_ids", "mlm_weights")


@keras.saving.register_keras_serializable(package="kerasplm")
class Electra(Outcomes, keras.Model):
    """Generator and discriminator, trained together.

    Args:
        generator: `PretrainedModel` with the head "mlm"; None where tokens are drawn
            from all alike. With tied embeddings it is made anew around the tables of
            the discriminator, with its own other weights.
        discriminator: `PretrainedModel` with the head "rtd"; None where only masked
            tokens are to be found. The same as the generator where one network is
            both.
        recompute: As for `PretrainingModel`.
        name: Name of the model.
        **options: As for `ElectraOptions`.

    Raises:
        ConfigError: The networks do not fit the options or each other.

    Example:
        >>> model = Electra(generator, discriminator, disc_weight=20.0)
        ... # doctest: +SKIP

    Source: `PretrainingModel` of google-research/electra run_pretraining.py
    (arXiv:2003.10555).
    """

    def __init__(
        self,
        generator: PretrainedModel | None,
        discriminator: PretrainedModel | None,
        *,
        recompute: bool = False,
        name: str = "electra",
        **options: Any,
    ) -> None:
        super().__init__(name=name)
        self.options = ElectraOptions(**options)
        check(self.options, generator, discriminator)
        tied = not self.options.untied_generator_embeddings
        if tied and generator is not None and discriminator is not None:
            generator = with_tables_of(discriminator, generator)
        self.generator = generator
        self.discriminator = discriminator
        self.recompute = recompute
        self.fresh: tuple[str, ...] = ()
        for network in self.networks:
            network.encoder.recompute = recompute
        self.built = True

    @property
    def networks(self) -> list[PretrainedModel]:
        """The networks that belong into one checkpoint, the discriminator first."""
        both = (self.discriminator, self.generator)
        return list({id(one): one for one in both if one is not None}.values())

    @property
    def encoder(self) -> Encoder:
        """The encoder that later tasks use."""
        return self.networks[0].encoder

    def call(self, inputs: Batch, training: bool | None = None) -> dict[str, Any]:
        """Run the generator, draw tokens, run the discriminator.

        Args:
            inputs: A masked batch with its targets. `draw_seeds` (B,) int32 decide
                which tokens are drawn.
            training: Whether dropout is on.

        Returns:
            `mlm_logits` (B, P, V); with a discriminator also `sampled_ids` (B, P),
            `corrupted_ids` (B, T), `replaced` (B, T) int32, 1 where a token is not
            the original one, and `rtd_logits` (B, T, 1).
        """
        missing = [field for field in _NEEDED if field not in inputs]
        if missing:
            raise ConfigError(
                f"ELECTRA needs {', '.join(missing)}, which the batches do not have. "
                f"They have {', '.join(sorted(inputs))}"
            )
        logits = self._generate(inputs, training)
        out = {"mlm_logits": logits}
        if self.discriminator is None:
            return out
        out |= self.fake(inputs, logits)
        network = self.discriminator
        given = encoder_inputs(inputs, network.encoder)
        encoded = network.encoder(
            given | {"token_ids": out["corrupted_ids"]}, training=training
        )
        out["rtd_logits"] = network.heads["rtd"](encoded["sequence_output"])
        return out

    def _generate(self, inputs: Batch, training: bool | None) -> Tensor:
        network = self.generator
        if network is None:
            size = self.encoder.config.vocab_size
            return ops.zeros((*ops.shape(inputs["mlm_positions"]), size), "float32")
        given = encoder_inputs(inputs, network.encoder)
        encoded = network.encoder(given, training=training)["sequence_output"]
        index = ops.cast(inputs["mlm_positions"], "int32")[:, :, None]
        x = ops.take_along_axis(encoded, index, axis=1)
        return network.heads["mlm"].logits(x, network.encoder.embeddings)

    def fake(self, inputs: Batch, logits: Tensor) -> dict[str, Tensor]:
        """Put drawn tokens in the place of the masked ones.

        Args:
            inputs: As for `call`.
            logits: (B, P, V), of the generator.

        Source: `_get_fake_data` of google-research/electra run_pretraining.py.
        """
        if "draw_seeds" not in inputs:
            raise ConfigError(
                "ELECTRA draws tokens: it needs draw_seeds, which the batches do not "
                f"have. They have {', '.join(sorted(inputs))}"
            )
        # In float32: the small numbers of the noise vanish in half precision.
        logits = ops.cast(ops.stop_gradient(logits), "float32")
        logits = logits / self.options.temperature
        ids = ops.cast(inputs["mlm_ids"], "int32")
        if self.options.disallow_correct:
            logits -= 1000.0 * ops.one_hot(ids, logits.shape[-1], dtype="float32")
        noise = uniform(inputs["draw_seeds"], tuple(logits.shape[1:]))
        gumbel = -ops.log(-ops.log(noise + 1e-9) + 1e-9)
        sampled = ops.cast(ops.argmax(logits + gumbel, axis=-1), "int32")
        positions = inputs["mlm_positions"]
        original, _ = scatter_update(inputs["token_ids"], ids, positions)
        corrupted, written = scatter_update(original, sampled, positions)
        same = ops.cast(ops.equal(corrupted, original), "int32")
        return {
            "sampled_ids": sampled,
            "corrupted_ids": corrupted,
            "replaced": written * (1 - same),
        }

    def terms(self, outputs: Batch, batch: Batch) -> dict[str, Term]:
        """Return the summand of the generator and that of the discriminator."""
        losses = nll(outputs["mlm_logits"], batch["mlm_ids"])
        parts = weighted(losses, batch["mlm_weights"])
        terms = {"mlm": Term(*parts, _EPSILON, self.options.gen_weight)}
        if "rtd_logits" in outputs:
            losses = replaced(outputs["rtd_logits"], outputs["replaced"])
            parts = weighted(losses, batch["padding_mask"])
            terms["disc"] = Term(*parts, _EPSILON, self.options.disc_weight)
        return terms

    def measures(self, outputs: Batch, batch: Batch) -> Measures:
        """Return what the original reports, under its names.

        `disc_auc` has curves in the place of numbers: see `terms.measured`. As in the
        original padding counts there as tokens that are surely not replaced, and
        `disc_loss` is the mean over rows.
        """
        logits, ids = outputs["mlm_logits"], batch["mlm_ids"]
        weights = batch["mlm_weights"]
        found = {
            "masked_lm_accuracy": weighted(hits(logits, ids), weights),
            "masked_lm_loss": weighted(nll(logits, ids), weights),
        }
        if "rtd_logits" not in outputs:
            return found
        sampled = ops.equal(outputs["sampled_ids"], ops.cast(ids, "int32"))
        real = ops.cast(batch["padding_mask"], "float32")
        labels = ops.cast(outputs["replaced"], "float32")
        scores = ops.cast(outputs["rtd_logits"][..., 0], "float32")
        guesses = ops.cast(scores > 0, "float32")
        right = ops.cast(ops.equal(guesses, labels), "float32")
        tokens = ops.sum(real, axis=-1) + _EPSILON
        losses = replaced(outputs["rtd_logits"], outputs["replaced"])
        rows = ops.sum(losses * real, axis=-1) / tokens
        return found | {
            "sampled_masked_lm_accuracy": weighted(
                ops.cast(sampled, "float32"), weights
            ),
            "disc_loss": weighted(rows, ops.ones_like(rows)),
            "disc_auc": curve(labels * real, ops.sigmoid(scores) * real),
            "disc_accuracy": weighted(right, real),
            "disc_precision": weighted(right, guesses * real),
            "disc_recall": weighted(right, labels * real),
        }

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        models = {"generator": self.generator, "discriminator": self.discriminator}
        if self.generator is self.discriminator:
            models["generator"] = None
        parts = {
            name: None if one is None else keras.saving.serialize_keras_object(one)
            for name, one in models.items()
        }
        return {
            **parts,
            **dataclasses.asdict(self.options),
            "recompute": self.recompute,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Build from what `get_config` returned."""
        config = dict(config)
        generator, discriminator = (
            None if one is None else keras.saving.deserialize_keras_object(one)
            for one in (config.pop("generator"), config.pop("discriminator"))
        )
        if generator is None and not config["uniform_generator"]:
            generator = discriminator
        return cls(generator, discriminator, **config)
