"""One pre-training from names and files: what `kerasplm pretrain` does."""

import contextlib
import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.catalogue import CATALOGUE
from kerasplm.checkpoint import their_names
from kerasplm.config import Config
from kerasplm.errors import ConfigError, DataError
from kerasplm.files import alone
from kerasplm.pretraining.agreement import (
    case_of,
    check_agreement,
    check_apart,
    facts_beside,
    vocabulary_digest,
)
from kerasplm.pretraining.corpus import Corpus, Masks
from kerasplm.pretraining.locating import located
from kerasplm.pretraining.loop import pretrain
from kerasplm.pretraining.models import checked
from kerasplm.pretraining.objectives import Objective, named
from kerasplm.pretraining.pipeline import Pipeline
from kerasplm.pretraining.results import Result
from kerasplm.pretraining.sources import Records, find_records
from kerasplm.pretraining.starting import electra_model, pretraining_model
from kerasplm.pretraining.strategies import is_chief, strategy_of
from kerasplm.pretraining.training_settings import WITHOUT_EFFECT, Settings
from kerasplm.run_folder import claim, digest
from kerasplm.saving import family_of, save_checkpoint
from kerasplm.tokenizing import load_tokenizer, save_tokenizer
from kerasplm.vocabulary_tools import check_vocab
from kerasplm.zoo import load_config

_log = logging.getLogger("kerasplm")

ELECTRA = "rtd"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingJob:
    """What to train on what.

    Args:
        data: As for `find_records`.
        output: Folder for the results, see `pretrain`.
        model: What to begin with, as for `load`; None: `config`.
        config: Configuration JSON of a model that begins at random.
        vocab: Vocabulary file; None: that of `model`.
        family: Whose names the checkpoints get, where the files do not tell.
        objectives: Names from `OBJECTIVES`, with a weight after a colon ("sop:0.5");
            or "rtd" alone, ELECTRA.
        electra: Arguments of `electra_model`, such as {"disc_weight": 20.0}.
        fields: Fields of `Config` to change, such as {"hidden_dropout_prob": 0.0}.
        masks: How instances become rows.
        settings: How to train.
        strategy: Name, see `strategy_of`.
        tpu: See `strategy_of`.
        zone: See `strategy_of`.
        project: See `strategy_of`.
        eval_data: Held-out instances.

    Raises:
        ConfigError: The choices contradict each other.

    Example:
        >>> job = PretrainingJob(data="wiki", output="out", model="bert-base-zh.google")
        >>> job.objectives
        ('mlm',)
    """

    data: Any
    output: str | Path
    model: str | None = None
    config: str | None = None
    vocab: str | None = None
    family: str | None = None
    objectives: tuple[str, ...] = ("mlm",)
    electra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    masks: Masks = dataclasses.field(default_factory=Masks)
    settings: Settings = dataclasses.field(default_factory=Settings)
    strategy: str = "auto"
    tpu: str | None = None
    zone: str | None = None
    project: str | None = None
    eval_data: Any = None

    def __post_init__(self) -> None:
        """Check what can be checked without files."""
        if (self.model is None) == (self.config is None):
            raise ConfigError(
                "expected either a model or a configuration to begin with"
            )
        if self.config in CATALOGUE and self.family is None:
            # Its checkpoints get the names of the released ones.
            object.__setattr__(self, "family", CATALOGUE[self.config].family)
        kinds = set(self._names)
        if ELECTRA in kinds and self.objectives != (ELECTRA,):
            raise ConfigError(
                f"objective {ELECTRA!r} (ELECTRA) stands alone and without a weight "
                "(those are disc_weight and gen_weight). Received: "
                f"{', '.join(self.objectives)}"
            )
        if self.electra and not self.is_electra:
            raise ConfigError(
                f"{', '.join(self.electra)}: only of the objective {ELECTRA!r}"
            )
        if not self.is_electra:
            self.chosen()
        usual, chosen = Settings(), self.settings
        names = ("eval_steps", "eval_batches", "best")
        idle = [n for n in names if getattr(chosen, n) != getattr(usual, n)]
        if idle and self.eval_data is None:
            raise ConfigError(
                f"{' and '.join(idle)}: without effect, as there are no held-out "
                "instances (eval_data)"
            )

    @property
    def is_electra(self) -> bool:
        """Whether generator and discriminator are trained."""
        return ELECTRA in self.objectives

    def chosen(self) -> list[Objective]:
        """Return the objectives.

        Raises:
            ConfigError: There is no such objective, or a weight is no number.
        """
        found = named(self.objectives)
        for one in found:
            if self.masks.packing > 1 and not one.packable:
                raise ConfigError(
                    f"packing: expected 1, as {one.name} compares rows with each "
                    f"other, found {self.masks.packing}"
                )
        return list(checked(found))

    def run(self, show: bool = True) -> Result:
        """Train, or go on with it.

        Args:
            show: Whether to tell on the terminal how it goes.

        Raises:
            PLMError: Something does not fit; see `pretrain`.
        """
        # It needs what a job is.
        from kerasplm.pretraining.dry_run import warn_of_memory

        # Machines and TPUs must be known before TensorFlow does anything.
        strategy = strategy_of(
            self.strategy, tpu=self.tpu, zone=self.zone, project=self.project
        )
        settings, folder = self.settings, Path(self.output).expanduser()
        if folder.exists() and not folder.is_dir():
            raise ConfigError(
                f"{folder}: expected a folder for the results, found a file"
            )
        source = self.model if self.vocab is None else self.vocab
        if source is None:
            raise ConfigError(
                "a model that begins at random needs a vocabulary file (vocab)"
            )
        records = find_records(self.data)
        held_out = None if self.eval_data is None else find_records(self.eval_data)
        tokenizer = self._tokenizer(source, records)
        for one in (records, held_out):
            if one is not None:
                case = tokenizer.get_config()
                check_agreement(one.files, tokenizer.vocab, self._names, case)
        check_apart(records.files, () if held_out is None else held_out.files)

        def export(model: Any, goal: Path) -> None:
            save_checkpoint(model, goal / "model.ckpt", family=self._family)
            save_tokenizer(tokenizer, goal)

        def build() -> Any:
            model = self._model()
            self._check(model, tokenizer)
            return model

        shortest = min(stage.length for stage in settings.parts())
        size = tokenizer.vocab_size
        with contextlib.ExitStack() as stack:
            for one in (held_out, records):
                if one is not None:
                    stack.enter_context(located(one, shortest, size))
            corpus = self._corpus(tokenizer, records, held_out)
            warn_of_memory(self, strategy)
            if is_chief(strategy):
                stack.enter_context(alone(folder))
                claim(folder, self._facts(tokenizer, records))
            return pretrain(
                build,
                corpus,
                folder,
                settings=settings,
                strategy=strategy,
                export=export,
                show=show,
                facts={"objectives": list(self.objectives), "model": self.model},
            )

    def _tokenizer(self, source: str, records: Records) -> Any:
        """Return the tokenizer; a vocabulary file alone tells nothing of letters."""
        case: dict[str, Any] = {}
        if source.endswith(".txt"):
            for _, facts in facts_beside(records.files):
                case = case or case_of(facts)
        return load_tokenizer(source, in_graph=False, family=self.family, **case)

    @property
    def _names(self) -> list[str]:
        """Names of the objectives, without their weights."""
        return [text.partition(":")[0] for text in self.objectives]

    @property
    def _family(self) -> str | None:
        # The two networks of an ELECTRA have a family each.
        return None if self.is_electra else self.family

    def _corpus(
        self, tokenizer: Any, records: Records, held_out: Records | None
    ) -> Corpus:
        settings, masks = self.settings, self.masks
        fields = [f for one in self._objective_fields() for f in one]
        masked = "mlm_positions" in fields and records.form != "masked"
        if "pair_labels" in fields and "next_sentence_labels" not in records.features:
            raise DataError(
                f"{records.files[0]}: expected next_sentence_labels for nsp and sop, "
                f"found {', '.join(sorted(records.features))}"
            )
        if records.form == "masked":
            self._check_masks(records)
        longest = max(stage.length for stage in settings.parts())
        masking = None
        if masked:
            masking = masks.masking(tokenizer, longest, self.is_electra, settings.seed)
        stages = [
            dataclasses.replace(
                stage,
                max_predictions=masks.predictions(stage.length) if masked else None,
            )
            for stage in settings.parts()
        ]
        pipeline = Pipeline(
            masking=masking,
            seed=settings.seed,
            packing=masks.packing,
            mirror="simbert" in self._names,
            shuffle_buffer=masks.shuffle_buffer,
            vocab_size=tokenizer.vocab_size,
        )
        return Corpus(records, stages, pipeline, held_out)

    def _check_masks(self, records: Records) -> None:
        """Refuse objectives that must see no masks; tell which choices do nothing."""
        where = f"{records.files[0]}: holds masks of its own"
        for one in [] if self.is_electra else self.chosen():
            if one.attention != "bidirectional":
                raise DataError(
                    f"{where}, which {one.name} would learn as tokens; expected data "
                    "of the form dynamic"
                )
        names = ("mask_prob", "max_predictions", "whole_words", "ngram")
        usual = Masks()
        idle = [n for n in names if getattr(self.masks, n) != getattr(usual, n)]
        if idle:
            _log.warning("%s: %s without effect", where, " and ".join(idle))

    def _objective_fields(self) -> Sequence[Sequence[str]]:
        if self.is_electra:
            return [("mlm_positions",)]
        return [one.fields for one in self.chosen()]

    def _start(self) -> Config | str:
        if self.model is not None:
            return self.model
        config = load_config(str(self.config), family=self.family)
        if not isinstance(config, Config):
            raise ConfigError(
                f"{self.config}: expected the configuration of an encoder"
            )
        return config

    def _model(self) -> Any:
        start, recompute = self._start(), self.settings.recompute
        if self.is_electra:
            return electra_model(
                start, recompute=recompute, fields=dict(self.fields), **self.electra
            )
        return pretraining_model(
            start,
            self.chosen(),
            recompute=recompute,
            family=self.family,
            **self.fields,
        )

    def _check(self, model: Any, tokenizer: Any) -> None:
        """Make sure, before hours of training, that all fits and can be saved."""
        check_vocab(tokenizer, model.encoder)
        limit = model.encoder.config.max_positions
        longest = max(stage.length for stage in self.settings.parts())
        if limit is not None and longest > limit:
            raise ConfigError(
                f"max_length={longest}, but the model has {limit} positions "
                "(max_position_embeddings)"
            )
        two = ("nsp", "sop", "unilm", "simbert")
        pairs = [name for name in self._names if name in two]
        if pairs and model.encoder.config.type_vocab_size == 1:
            raise ConfigError(
                f"{' and '.join(pairs)}: two segments are needed, but the model knows "
                "one (type_vocab_size)"
            )
        for network in getattr(model, "networks", [model]):
            their_names(network, family_of(network, self._family))

    def _facts(self, tokenizer: Any, records: Records) -> dict[str, Any]:
        """Return what the result depends on."""
        chosen = dataclasses.asdict(self.settings)
        settings = {n: x for n, x in chosen.items() if n not in WITHOUT_EFFECT}
        start = self._start()
        parts = self.settings.parts()
        stages = [[s.steps, s.length, s.batch_size] for s in parts]
        begun = start.to_dict() if isinstance(start, Config) else digest(start)
        facts = {
            "model": begun,
            "objectives": list(self.objectives),
            "electra": dict(self.electra),
            "fields": dict(self.fields),
            "masks": dataclasses.asdict(self.masks),
            "settings": settings | {"stages": stages},
            "data": [
                [Path(file).name, count, Path(file).stat().st_size]
                for file, count in zip(records.files, records.counts, strict=True)
            ],
            "vocabulary": vocabulary_digest(tokenizer.vocab),
        }
        return dict(json.loads(json.dumps(facts)))  # a tuple is read back as a list
