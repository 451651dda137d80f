"""Say what a checkpoint holds, without building its model."""

import dataclasses
from pathlib import Path

from kerasplm import checkpoint
from kerasplm.config import BaseConfig
from kerasplm.families import Match
from kerasplm.recognition import Part, configure, json_files, recognise_source
from kerasplm.sources import open_source


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What a checkpoint holds.

    Args:
        match: The family, and what it makes of every variable.
        shapes: Shapes by checkpoint name.
        config: The configuration that fits them.
    """

    match: Match
    shapes: dict[str, tuple[int, ...]]
    config: BaseConfig


def inspect(
    x: str | Path, *, family: str | None = None, part: Part | None = None
) -> Inspection:
    """Say what a checkpoint holds; of a TF1 checkpoint the index is enough.

    Args:
        x: As for `load`.
        family: As for `load`.
        part: As for `load`.

    Raises:
        PLMError: As for `load`.
    """
    with open_source(x) as source:
        reader = source.weights(index_only=True)
        data = json_files(source)
        found = recognise_source(source, reader, data, family, part)
        config, _ = configure(source, found, reader, data, {})
        return Inspection(found, reader.shapes, config)


def heads_in(
    x: str | Path, *, family: str | None = None, part: Part | None = None
) -> tuple[str, ...]:
    """Return the heads that a checkpoint holds, without building the model.

    Args:
        x: As for `load`.
        family: As for `load`.
        part: As for `load`.
    """
    with open_source(x) as source:
        reader = source.weights(index_only=True)
        found = recognise_source(source, reader, json_files(source), family, part)
        return checkpoint.heads_in(found)
