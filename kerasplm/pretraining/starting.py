"""Begin to pre-train: from random weights or from a checkpoint."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasplm.checkpoint import heads_in
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, FamilyError
from kerasplm.families import FAMILIES
from kerasplm.heads import PretrainedModel
from kerasplm.pretraining.electra import Electra
from kerasplm.pretraining.electra_parts import ElectraOptions, generator_config
from kerasplm.pretraining.models import PretrainingModel, checked, heads_for
from kerasplm.pretraining.objectives import Objective
from kerasplm.recognition import Part, opened
from kerasplm.zoo import load

_log = logging.getLogger("kerasplm")


def pretraining_model(
    x: Config | str | Path,
    objectives: Sequence[Objective],
    *,
    recompute: bool = False,
    family: str | None = None,
    **options: Any,
) -> PretrainingModel:
    """Return a model to pre-train, from random weights or from a checkpoint.

    Heads that the checkpoint lacks begin at random; the model's `fresh` names them.

    Args:
        x: `Config`: random weights. Otherwise as for `load`.
        objectives: What it is trained for.
        recompute: As for `PretrainingModel`.
        family: Whose names the checkpoints get; or as for `load`.
        **options: As for `load` (`keep_tokens`, `compound_tokens`, `skip`, fields of
            `Config`); fields of `Config` where `x` is one.

    Returns:
        `PretrainingModel`, its encoder with the attention that the objectives need.

    Raises:
        ConfigError: The objectives do not fit together, or as for `load`.

    Example:
        >>> model = pretraining_model("bert-base-zh.google", [mlm()])  # doctest: +SKIP
    """
    objectives = checked(objectives)
    needed, attention = heads_for(objectives), objectives[0].attention
    options = {"attention": attention, **options}
    if isinstance(x, Config):
        encoder = Encoder(x.replace(**options), family=family)
        model = PretrainingModel(encoder, objectives, recompute=recompute)
        model.fresh = ("encoder", *needed)
        return model
    there = _heads_in(x, family=family)
    held = [head for head in needed if head in there]
    loaded = load(x, heads="pretraining" if held else None, family=family, **options)
    encoder = loaded.encoder if held else loaded
    model = PretrainingModel(encoder, objectives, recompute=recompute)
    for head in held:
        model.heads[head].set_weights(loaded.heads[head].get_weights())
    model.load_report = loaded.load_report
    model.fresh = _fresh(x, [head for head in needed if head not in held])
    if idle := [head for head in there if head not in needed]:
        # Beside a trained encoder it would be that of another model.
        _log.warning(
            "%s: its %s is not trained, and left out of the checkpoints",
            x,
            " and ".join(idle),
        )
    return model


def _fresh(x: str | Path, names: Sequence[str]) -> tuple[str, ...]:
    if names:
        _log.warning("%s: holds no %s; begun at random", x, " and ".join(names))
    return tuple(names)


def _heads_in(
    x: str | Path, part: Part | None = None, family: str | None = None
) -> tuple[str, ...]:
    """Return the pre-training heads that a checkpoint holds."""
    with opened(x, part, family, None) as it:
        return heads_in(it.read(heads="pretraining")[1])


def electra_model(
    x: Config | str | Path,
    *,
    generator: str | Path | None = None,
    generator_hidden_size: float = 0.25,
    generator_layers: float = 1.0,
    recompute: bool = False,
    fields: dict[str, Any] | None = None,
    **options: Any,
) -> Electra:
    """Return an ELECTRA to pre-train, from random weights or from a checkpoint.

    What the checkpoint lacks begins at random; the model's `fresh` names it.

    Args:
        x: `Config` of the discriminator: random weights. Otherwise a checkpoint of an
            ELECTRA, as for `load`.
        generator: Where the generator is, if not in `x`.
        generator_hidden_size: Its share of the hidden size, if it begins at random.
        generator_layers: Its share of the layers, likewise.
        recompute: As for `PretrainingModel`.
        fields: What else `load` takes for both networks, such as `compound_tokens`
            or fields of `Config`.
        **options: As for `ElectraOptions`. Default of `untied_generator_embeddings`
            is what the checkpoint's generator has.

    Raises:
        ConfigError: An option is unknown, or the checkpoint is not of an ELECTRA.

    Example:
        >>> config = Config(vocab_size=100, hidden_size=64, num_hidden_layers=1,
        ...     num_attention_heads=1, intermediate_size=48)
        >>> electra_model(config).generator.encoder.config.hidden_size
        16
    """
    fields = dict(fields or {})
    unknown = sorted(set(options) - set(ElectraOptions.__dataclass_fields__))
    if unknown:
        raise ConfigError(
            f"{', '.join(unknown)}: no such option. There are "
            f"{', '.join(ElectraOptions.__dataclass_fields__)}"
        )
    chosen = ElectraOptions(**options)
    heads = ["mlm"] if chosen.one_network else []
    heads += ["rtd"] if chosen.electra_objective else []
    family = "electra_shared" if chosen.one_network else "electra"
    main, fresh = _network(x, heads, family, fields)
    if chosen.one_network or chosen.uniform_generator:
        first = main if chosen.one_network else None
        second = main if chosen.electra_objective else None
        model = Electra(first, second, recompute=recompute, **options)
    else:
        where = x if generator is None else generator
        other = None
        if not isinstance(where, Config):
            other = _generator(where, fields, generator is not None)
        if other is None:
            untied = chosen.untied_generator_embeddings
            sizes = generator_config(
                main.encoder.config,
                hidden_size=generator_hidden_size,
                layers=generator_layers,
                untied_embeddings=untied,
            )
            named = "electra_generator_untied" if untied else "electra_generator"
            other = PretrainedModel(Encoder(sizes, family=named), ["mlm"])
            fresh.append("generator")
        else:
            word = other.load_report.loaded["encoder/embeddings/word"]
            own = word.startswith("generator/")
            options.setdefault("untied_generator_embeddings", own)
        model = Electra(other, main, recompute=recompute, **options)
    model.fresh = tuple(fresh) if isinstance(x, Config) else _fresh(x, fresh)
    return model


def _network(
    x: Config | str | Path, heads: list[str], family: str, fields: dict[str, Any]
) -> tuple[PretrainedModel, list[str]]:
    """Return a network with the heads, and what of it began at random."""
    if isinstance(x, Config):
        config = x.replace(**{"pooler": "none", **fields})
        return PretrainedModel(Encoder(config, family=family), heads), [
            "encoder",
            *heads,
        ]
    there = _heads_in(x)
    held = [head for head in heads if head in there]
    loaded = load(x, heads="pretraining" if held else None, **fields)
    if not FAMILIES[loaded.load_report.family].part:
        raise ConfigError(
            f"{x}: expected a checkpoint of an ELECTRA, found one of "
            f"{FAMILIES[loaded.load_report.family].title}"
        )
    if held == heads and list(loaded.heads) == heads:
        return loaded, []
    encoder = loaded.encoder if held else loaded
    model = PretrainedModel(encoder, heads)
    encoder.family = family
    for head in held:
        model.heads[head].set_weights(loaded.heads[head].get_weights())
    return model, [head for head in heads if head not in held]


def _generator(
    x: str | Path, fields: dict[str, Any], named: bool
) -> PretrainedModel | None:
    """Load the generator, if there is one."""
    try:
        return load(x, heads="pretraining", part="generator", **fields)
    except FamilyError:
        if named:  # then it must be there
            raise
        return None
