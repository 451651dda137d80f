"""The network with which a fine-tuning begins."""

import logging
from pathlib import Path
from typing import Any

import keras

from kerasplm.errors import ConfigError
from kerasplm.families import family_named
from kerasplm.inspection import inspect
from kerasplm.networks import NETWORKS, network_of
from kerasplm.tasks import Settings, Task
from kerasplm.zoo import load, load_config

_log = logging.getLogger("kerasplm")


def start(model: str | Path, task: Task, settings: Settings) -> keras.Model:
    """Load what a task model is built on, or build it with random weights.

    Args:
        model: As for `load`.
        task: The declaration.
        settings: Dropout, family, whether to begin from scratch.

    Returns:
        An `Encoder`; for a task that writes texts a `PretrainedModel` with its MLM head
        if the checkpoint holds one, or a `Seq2Seq`.

    Raises:
        PLMError: As for `load`.
    """
    # A classifier reads both ways, also on a model that was pre-trained to generate.
    writes = task.engine.writes
    encoder_only: dict[str, Any] = {
        "attention": "unilm" if writes else "bidirectional",
        "attention_probs_dropout_prob": settings.dropout,
    }
    common: dict[str, Any] = {
        "hidden_dropout_prob": settings.dropout,
        "hierarchical_positions": settings.hierarchical_positions,
    }
    given = {k: x for k, x in (encoder_only | common).items() if x is not None}
    family = settings.family
    if settings.from_scratch:
        return _from_scratch(model, task, family, given, tuple(encoder_only))
    if not writes:
        return load(model, family=family, **given)
    held = inspect(model, family=family)
    if not network_of(held.match.family).heads:
        more = {k: x for k, x in given.items() if k not in encoder_only}
        return load(model, family=family, **more)
    if "mlm" in held.heads:
        return load(model, heads="pretraining", family=family, **given)
    _log.warning(
        "%s: holds no MLM head; the head that scores words begins with random weights",
        model,
    )
    return load(model, family=family, **given)


def _from_scratch(
    model: str | Path,
    task: Task,
    family: str | None,
    given: dict[str, Any],
    encoder_only: tuple[str, ...],
) -> keras.Model:
    plain = load_config(model, family=family)
    (network,) = (n for n in NETWORKS.values() if n.config is type(plain))
    if network.model not in task.engine.bodies:
        raise ConfigError(f"{model}: expected the configuration of an encoder")
    if not network.heads:
        given = {k: x for k, x in given.items() if k not in encoder_only}
    config = load_config(model, family=family, **given)
    name = family_named(family).name if family is not None else None
    return network.model(config, family=name)
