"""Find out what a checkpoint is: its family, its configuration."""

import contextlib
import dataclasses
import re
import warnings
from collections.abc import Iterator
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
from kerasplm.sources import Source, open_source

JsonFiles = dict[Path, dict[str, Any]]
Part = Literal["discriminator", "generator"]
_SIZES = re.compile("embedding_size|hidden_size|intermediate_size|num_.*")


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model that was found, and all that is known of it but its weights.

    Args:
        source: Its files.
        data: The configurations beside it, in the words of the originals.
        family: As it was given, or as the catalogue says.
        part: As it was given.
        known: `Config` fields that the catalogue gives. They win over the JSON: some
            releases have a wrong one, and a conversion to Hugging Face cannot say
            which form of gelu the original has. Whether there is a pooler, the weights
            say.
    """

    source: Source
    data: JsonFiles
    family: str | None
    part: Part | None
    known: dict[str, Any]

    def read(
        self, index_only: bool = False, heads: str | None = None
    ) -> tuple[checkpoint.Weights, Match]:
        """Open the weights and find their family."""
        reader = self.source.weights(index_only, heads)
        family, data = self.family, self.data
        if family is None:
            # Our own exports name their family in the JSON.
            blocks = [own_block(values) for values in data.values()]
            named = {block["family"] for block in blocks if "family" in block}
            parts = {"", "both", self.part or "discriminator"}
            named = {name for name in named if family_named(name).part in parts}
            family = named.pop() if len(named) == 1 else None
        found = recognise(
            reader.shapes,
            where=self.source.name,
            hints=self.source.hints(data.values()),
            family=family,
            part=self.part,
            among=reader.families,
        )
        return reader, found


@contextlib.contextmanager
def opened(
    x: str | Path,
    part: Part | None = None,
    family: str | None = None,
    config: str | Path | None = None,
) -> Iterator[Opened]:
    """Find a model; arguments and errors as for `kerasplm.load`."""
    with open_source(x, part) as source:
        entry, known = source.entry, {}
        if entry is not None and part == "generator":
            known = dict(entry.generator or {})
        elif entry is not None:
            known, family = dict(entry.config), family or entry.family
        known.pop("pooler", None)
        yield Opened(source, json_files(source, config), family, part, known)


def json_files(source: Source, config: str | Path | None = None) -> JsonFiles:
    """Read the configurations beside a checkpoint, or the one that was named."""
    files = source.configs() if config is None else [Path(config)]
    data = {file: expand_hparams(read_json(file)) for file in files}
    if source.kind == "bert4keras":
        return {file: from_bert4keras_json(d) for file, d in data.items()}
    return {file: translated(file, d, source.kind) for file, d in data.items()}


def translated(file: Path, data: dict[str, Any], kind: str = "") -> dict[str, Any]:
    """Return a JSON in the words of the originals, if it is one of Hugging Face."""
    if kind == "huggingface" or (kind != "tf1" and "model_type" in data):
        return from_config_json(data, str(file))
    return data


def config_alone(
    file: Path, data: dict[str, Any], family: str | None, fields: dict[str, Any]
) -> tuple[BaseConfig, str]:
    """Return the configuration that a JSON gives without weights, and its family.

    Raises:
        ConfigError: Nothing tells the family, or a field is bad.
    """
    name = family or own_block(data).get("family")
    if name is None:
        raise ConfigError(
            f"{file}: a configuration alone does not tell its family. Pass "
            "family= (--family)"
        )
    facts = family_named(name)
    network = network_of(facts)
    try:
        given = network.fields_from_json(data, facts) | fields
        given.setdefault("hidden_act", facts.gelu)
        return network.config.from_dict(given), name
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


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
