"""Say what a checkpoint holds, without building its model."""

import dataclasses
from pathlib import Path

from kerasplm import checkpoint, keras_files
from kerasplm.config import BaseConfig
from kerasplm.families import Match, family_named
from kerasplm.head_facts import kind_of
from kerasplm.recognition import Opened, Part, configure, opened
from kerasplm.task_models import TaskModel


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What a checkpoint holds.

    Args:
        match: The family, and what it makes of every variable.
        shapes: Shapes by checkpoint name.
        config: The configuration that fits them.
        heads: The heads that it holds.
        kind: Of the task model that it holds, a key of `task_models.MODELS`; None if
            it holds none.
    """

    match: Match
    shapes: dict[str, tuple[int, ...]]
    config: BaseConfig
    heads: tuple[str, ...]
    kind: str | None


def inspect(
    x: str | Path, *, family: str | None = None, part: Part | None = None
) -> Inspection:
    """Say what a checkpoint holds; of a TF1 checkpoint the index is enough.

    A file of Keras has no variables by name: its model is built to see them.

    Args:
        x: As for `load`.
        family: As for `load`.
        part: As for `load`.

    Raises:
        PLMError: As for `load`.
    """
    with opened(x, part, family) as it:
        if it.source.kind == "keras":
            return _keras(it)
        reader, found = it.read(index_only=True)
        config, _ = configure(it.source, found, reader, it.data, it.known)
        heads = checkpoint.heads_in(found)
        kind = kind_of(it.data, heads)
        return Inspection(found, reader.shapes, config, heads, kind)


def heads_in(
    x: str | Path, *, family: str | None = None, part: Part | None = None
) -> tuple[str, ...]:
    """Return the heads that a checkpoint holds.

    Args:
        x: As for `load`.
        family: As for `load`.
        part: As for `load`.
    """
    with opened(x, part, family) as it:
        if it.source.kind == "keras":
            return _keras(it).heads
        return checkpoint.heads_in(it.read(index_only=True)[1])


def task_kind(
    x: str | Path, *, family: str | None = None, part: Part | None = None
) -> str | None:
    """Return the kind of the task model that a checkpoint holds, if it holds one.

    Args:
        x: As for `load`.
        family: As for `load`.
        part: As for `load`.
    """
    with opened(x, part, family) as it:
        if it.source.kind == "keras":
            return _keras(it).kind
        held = checkpoint.heads_in(it.read(index_only=True)[1])
        return kind_of(it.data, held)


def _keras(it: Opened) -> Inspection:
    model = keras_files.build(it, {})
    weights = checkpoint.named_weights(model)
    bare = checkpoint.body_of(model)
    names = {path: path for path in weights}
    found = Match(family_named(bare.family or "bert"), names, (), (), (), (), {})
    shapes = {path: tuple(weight.shape) for path, weight in weights.items()}
    kind = model.kind if isinstance(model, TaskModel) else None
    return Inspection(found, shapes, bare.config, checkpoint.heads_of(model), kind)
