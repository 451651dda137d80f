"""Find out what a checkpoint is: its family, its configuration."""

import re
import warnings
from pathlib import Path
from typing import Any, Literal

from kerasplm import checkpoint
from kerasplm.config import BaseConfig
from kerasplm.errors import ConfigError
from kerasplm.families import Match, family_named, recognise
from kerasplm.files import read_json
from kerasplm.huggingface import from_config_json
from kerasplm.keras_h5 import from_bert4keras_json
from kerasplm.networks import network_of
from kerasplm.published import expand_hparams, own_block
from kerasplm.sources import Source

JsonFiles = dict[Path, dict[str, Any]]
Part = Literal["discriminator", "generator"]
_SIZES = re.compile("embedding_size|hidden_size|intermediate_size|num_.*")


def json_files(source: Source, config: str | Path | None = None) -> JsonFiles:
    """Read the configurations beside a checkpoint, or the one that was named."""
    files = source.configs() if config is None else [Path(config)]
    data = {file: expand_hparams(read_json(file)) for file in files}
    if source.kind == "huggingface":
        return {file: from_config_json(d, str(file)) for file, d in data.items()}
    if source.kind == "bert4keras":
        return {file: from_bert4keras_json(d) for file, d in data.items()}
    return data


def recognise_source(
    source: Source,
    reader: checkpoint.Weights,
    data: JsonFiles,
    family: str | None,
    part: Part | None,
) -> Match:
    """Find the family of a checkpoint from all that lies beside it."""
    if family is None:
        # Our own exports name their family in the JSON.
        blocks = [own_block(values) for values in data.values()]
        named = {block["family"] for block in blocks if "family" in block}
        parts = {"", "both", part or "discriminator"}
        named = {name for name in named if family_named(name).part in parts}
        family = named.pop() if len(named) == 1 else None
    return recognise(
        reader.shapes,
        where=source.name,
        hints=source.hints(data.values()),
        family=family,
        part=part,
        among=reader.families,
    )


def catalogued(source: Source, part: Part | None) -> tuple[str | None, dict[str, Any]]:
    """Return what the catalogue knows of a model: its family and `Config` fields.

    They win over the JSON: some releases have a wrong one, and a conversion to Hugging
    Face cannot say which form of gelu the original has. Whether there is a pooler, the
    weights say.
    """
    entry = source.entry
    if entry is None:
        return None, {}
    if part == "generator":
        fields, family = entry.generator or {}, None
    else:
        fields, family = entry.config, entry.family
    return family, {key: x for key, x in fields.items() if key != "pooler"}


def _candidates(data: JsonFiles, found: Match) -> JsonFiles:
    """Return the JSON objects that may describe the network."""
    part = found.family.part
    mine = {f: d for f, d in data.items() if part and f.name.startswith(part)}
    if mine:
        return mine
    if part == "generator":
        # The original code derives the generator's sizes from the discriminator's:
        # the shapes tell them; the rest is common to both.
        return {
            file: {k: v for k, v in values.items() if not _SIZES.fullmatch(k)}
            for file, values in data.items()
        }
    others = {f: d for f, d in data.items() if not f.name.startswith("generator")}
    return others or data


def configure(
    source: Source,
    found: Match,
    reader: checkpoint.Weights,
    data: JsonFiles,
    fields: dict[str, Any],
) -> tuple[BaseConfig, tuple[str, ...]]:
    """Return the configuration that fits the weights, and what was assumed."""
    name = source.name
    # A folder of Hugging Face holds one network and its own configuration.
    mine = _candidates(data, found) if source.kind == "tf1" else data
    candidates: list[tuple[str, dict[str, Any] | None]] = [
        (str(file), values) for file, values in mine.items()
    ]
    complete_config = network_of(found.family).complete_config
    results, problems = [], []
    for where, values in candidates or [(name, None)]:
        try:
            results.append(
                complete_config(
                    found, reader.shapes, values, fields, where, reader.sizes
                )
            )
        except ConfigError as error:
            problems.append(error)
    if not results:
        raise problems[0]
    if any(result != results[0] for result in results):
        files = ", ".join(file.name for file in data)
        raise ConfigError(
            f"{name}: several configurations fit the weights: {files}. Pass config=PATH"
        )
    config, assumed = results[0]
    if assumed:
        warnings.warn(
            f"{name}: no configuration gives {', '.join(assumed)}: taken from the "
            f"defaults of family {found.family.name!r}",
            stacklevel=3,
        )
    return config, assumed
