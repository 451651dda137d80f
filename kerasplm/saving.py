"""Write a model back under the names of the original code."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasplm import checkpoint
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.families import FAMILIES, Family, family_named, match
from kerasplm.files import write_text
from kerasplm.networks import network_of
from kerasplm.published import OWN
from kerasplm.task_models import TaskModel


def save_checkpoint(
    model: keras.Model | Sequence[keras.Model],
    prefix: str | Path,
    *,
    family: str | None = None,
) -> None:
    """Write a model under its original TF1 names, with its configuration JSON.

    `tf.compat.v1.train.Saver` restores the result in the original code.

    Args:
        model: `Encoder`, `PretrainedModel`, `Seq2Seq` or a task model such as
            `Classifier`; or several that belong in one checkpoint, such as ELECTRA's
            discriminator and generator; or an `Electra`, which holds both.
        prefix: Path such as "out/bert_model.ckpt"; writes .index and .data-* under
            it, and beside it the configuration and the file "checkpoint".
        family: Name of the family; default is that from which the model was loaded,
            or the one whose table and facts fit the model.

    Raises:
        CheckpointError: The family has no names for some weights, or two models
            hold different values under one name.
        FamilyError: No family fits, or several do.
        ConfigError: The prefix is a folder.

    Example:
        >>> save_checkpoint(encoder, "out/bert_model.ckpt")  # doctest: +SKIP
    """
    several = model if isinstance(model, list | tuple) else None
    models = list(several or getattr(model, "networks", [model]))
    families = [family_of(m, family) for m in models]
    path = Path(str(prefix).removesuffix(".index")).expanduser()
    if str(prefix).endswith("/") or path.is_dir():
        raise ConfigError(
            f"{prefix}: expected a prefix such as {path / 'bert_model.ckpt'}, found a "
            "folder"
        )
    tensors = checkpoint.collect(models, families)
    checkpoint.write(path, tensors)
    for one, its in zip(models, families, strict=True):
        data = config_data(one, its)
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        write_text(path.parent / its.config_file, text)
    write_text(path.parent / "checkpoint", f'model_checkpoint_path: "{path.name}"\n')


def config_data(model: keras.Model, family: Family) -> dict[str, Any]:
    """Return the configuration JSON of a model under the keys of its original."""
    data = network_of(family).to_json(checkpoint.body_of(model).config, family)
    data[OWN] |= head_facts(model)
    return data


def head_facts(model: keras.Model) -> dict[str, Any]:
    """Return what a JSON of ours says of a task model; {} for any other model."""
    return {"head": model.facts()} if isinstance(model, TaskModel) else {}


def family_of(model: keras.Model, name: str | None) -> Family:
    """Return the family under whose names to write the model."""
    body = checkpoint.body_of(model)
    name = name or known_family(model)
    if name is not None:
        return family_named(name)
    fits = [f for f in FAMILIES.values() if _fits(model, body.config, f)]
    if len(fits) != 1:
        raise FamilyError(
            f"expected one family with names for this model, found "
            f"{', '.join(f.name for f in fits) or 'none'}. Pass family=, one of "
            f"{', '.join(FAMILIES)}"
        )
    return fits[0]


def known_family(model: keras.Model) -> str | None:
    """Return the name of the family that a model was loaded or made as, or None."""
    body = checkpoint.body_of(model)
    for owner in (model, body):
        if hasattr(owner, "load_report") and owner.load_report.family:
            return str(owner.load_report.family)
    name: str | None = body.family
    return name


def _fits(model: keras.Model, config: Any, family: Family) -> bool:
    try:
        names = [name for name, _ in checkpoint.their_names(model, family).values()]
    except CheckpointError:
        return False
    facts = dict(network_of(family).facts)
    if config.hidden_act.startswith("gelu"):
        facts["hidden_act"] = family.gelu
    facts |= family.fixed
    agrees = all(getattr(config, key) == value for key, value in facts.items())
    possible = family.part != "generator"
    return possible and agrees and match(family, names).exact
