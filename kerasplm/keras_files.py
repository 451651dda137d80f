"""Models and weights that Keras 3 saved: `.keras` and `.weights.h5`."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from kerasplm import checkpoint
from kerasplm.config import BaseConfig
from kerasplm.encoder import Encoder
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.families import family_named
from kerasplm.heads import PretrainedModel
from kerasplm.load_report import LoadReport
from kerasplm.networks import network_of
from kerasplm.published import own_block
from kerasplm.recognition import Opened, config_alone
from kerasplm.seq2seq.model import Seq2Seq
from kerasplm.task_models import MODELS, TaskModel, model_from_facts

# Groups of a `.weights.h5` file that show the heads of a `PretrainedModel`.
_HEADS = {
    "masked_lm_head": "mlm",
    "dense": "sentence_pair",
    "token_discriminator": "rtd",
}
_DAMAGE = (ValueError, OSError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile)


def load(it: Opened, heads: str | None, fields: Mapping[str, Any]) -> keras.Model:
    """Load the model of a Keras file.

    Args:
        it: Where it is; beside `.weights.h5` is one of our configurations.
        heads: As for `kerasplm.load`.
        fields: `Config` fields to change; the weights stay.

    Raises:
        CheckpointError: It is damaged, holds code, or another model.
        ConfigError: The configuration is missing or does not fit.
    """
    model = build(it, fields)
    bare = checkpoint.body_of(model)
    kinds: dict[str | None, tuple[type[keras.Model], ...]] = {
        None: (Encoder, Seq2Seq),
        "pretraining": (PretrainedModel, Seq2Seq),
        "task": (TaskModel,),
        **{kind: (cls,) for kind, cls in MODELS.items()},
    }
    if heads not in kinds:
        raise ConfigError(f"heads must be one of {', '.join(map(str, kinds))}")
    wanted = bare if heads is None else model
    if not isinstance(wanted, kinds[heads]):
        raise CheckpointError(
            f"{it.source.name}: holds no head for {heads}, but a {type(model).__name__}"
        )
    names = {path: path for path in checkpoint.named_weights(model)}
    kept = checkpoint.named_weights(wanted)
    wanted.load_report = LoadReport(
        family=bare.family or "",
        prefix=str(it.source.checkpoint),
        loaded={name: name for name in kept},
        skipped=(),
        unused=tuple(name for name in names if name not in kept),
        slots=(),
        heads=checkpoint.heads_of(model),
        lacks=(),
    )
    return wanted


def build(it: Opened, fields: Mapping[str, Any]) -> keras.Model:
    """Return the whole model of a Keras file; arguments and errors as for `load`."""
    path = it.source.checkpoint
    if path.suffix == ".keras":
        model = load_archive(path, fields)
    else:
        model = load_weights(path, *_config(path, it.data, it.family, fields))
    bare = checkpoint.body_of(model)
    if bare.family is None:
        bare.family = it.family
    if it.family not in (None, bare.family):
        raise FamilyError(
            f"{it.source.name}: expected family {it.family!r}, found {bare.family!r}"
        )
    held = family_named(bare.family).part if bare.family else ""
    if it.part not in (None, held) and held != "both":
        raise FamilyError(
            f"{it.source.name}: expected a {it.part}, found family {bare.family!r}"
        )
    return model


def _config(
    path: Path,
    data: Mapping[Path, Mapping[str, Any]],
    family: str | None,
    fields: Mapping[str, Any],
) -> tuple[BaseConfig, dict[str, Any]]:
    """Return the configuration of weights that have none in them."""
    if len(data) != 1:
        names = ", ".join(file.name for file in data) or "none"
        raise ConfigError(
            f"{path}: the file holds no configuration: expected one JSON beside it or "
            f"config=PATH, found {names}"
        )
    ((file, values),) = data.items()
    config, name = config_alone(file, dict(values), family, dict(fields))
    return config, {**own_block(values), "family": name}


def load_archive(path: Path, changes: Mapping[str, Any]) -> keras.Model:
    """Load a model that `model.save("x.keras")` wrote, without its optimizer.

    Keras builds only registered classes; code in the file (a Lambda) is refused.

    Args:
        path: The file.
        changes: `Config` fields to change; the weights stay.

    Raises:
        CheckpointError: It is damaged, holds code, or another model than ours.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path}: no model that Keras saved ({_line(error)})"
        ) from error
    if not isinstance(model, Encoder | PretrainedModel | TaskModel | Seq2Seq):
        raise CheckpointError(
            f"{path}: expected an Encoder, a PretrainedModel, a task model or a "
            f"Seq2Seq, found {type(model).__name__}"
        )
    if not changes:
        return model
    own = model.get_config()
    parent = own.get("encoder", {}).get("config", own)
    bare = checkpoint.body_of(model)
    parent["config"] = bare.config.replace(**changes).to_dict()
    changed = type(model).from_config(own)
    shapes = [(list(a.shape), list(b.shape)) for a, b in _pairs(changed, model)]
    if len(changed.weights) != len(model.weights) or any(a != b for a, b in shapes):
        raise ConfigError(
            f"{path}: its weights do not fit a network with "
            + ", ".join(f"{key}={value!r}" for key, value in changes.items())
        )
    changed.set_weights(model.get_weights())
    return changed


def _pairs(a: keras.Model, b: keras.Model) -> Any:
    return zip(a.weights, b.weights, strict=False)


def load_weights(path: Path, config: BaseConfig, own: Mapping[str, Any]) -> keras.Model:
    """Build the model of a `.weights.h5` file and fill it.

    Args:
        path: What `model.save_weights` wrote.
        config: The configuration, which the file does not hold.
        own: The family, and what our JSON says of the head.

    Raises:
        CheckpointError: It is damaged or of another model.
        ConfigError: It holds a task model, and nothing says which.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups, heads = set(file), list(file.get("heads", ()))
    except OSError as error:
        raise CheckpointError(f"{path}: no HDF5 file ({_line(error)})") from error
    network = network_of(family_named(own["family"]))
    encoder = network.model(config, family=own["family"])
    model: keras.Model = encoder
    if not network.heads and "decoder" in groups:
        pass  # not inside of a task model
    elif heads and set(heads) <= set(_HEADS):
        held = [_HEADS[head] for head in heads]
        model = PretrainedModel(encoder, [h for h in _HEADS.values() if h in held])
    elif "encoder" in groups:
        if "head" not in own:
            raise ConfigError(
                f"{path}: holds a task model, but no configuration beside it says "
                "which. Build the model and call its load_weights"
            )
        model = model_from_facts(encoder, own["head"])
    try:
        model.load_weights(path)
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path}: does not fit the model of the configuration ({_line(error)})"
        ) from error
    return model


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
