"""Find what a pipeline needs in one place: model, tokenizer, how it was trained."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras

from kerasplm import inspection, zoo
from kerasplm.config import Config
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.files import read_json
from kerasplm.precision import Precision
from kerasplm.published import own_block
from kerasplm.recognition import Part, opened
from kerasplm.tasks.saved import FILE
from kerasplm.tokenizing import load_tokenizer


@dataclasses.dataclass(frozen=True)
class Place:
    """A model that is not loaded yet.

    Args:
        x: As for `load`; a folder that `finetune` wrote stands for the model in it.
        family: As for `load`.
        part: As for `load`.
        config: As for `load`.
        precision: As for `load`.
        fields: Other fields of the configuration.
        kind: Of the task model that its configuration tells of, or None.
        trained: What `finetune` wrote beside it of its task; {} if it did not.
        single: Whether it is a Keras file, which holds one whole model.
    """

    x: str | Path
    family: str | None
    part: Part | None
    config: str | Path | None
    precision: Precision | None
    fields: Mapping[str, Any]
    kind: str | None
    trained: Mapping[str, Any]
    single: bool

    def load(self, heads: Any) -> keras.Model:
        """Load the model with these heads."""
        return zoo.load(
            self.x,
            heads=heads,
            family=self.family,
            part=self.part,
            config=self.config,
            precision=self.precision,
            **self.fields,
        )

    def tokenizer(self) -> Any:
        """Load the tokenizer."""
        return load_tokenizer(
            self.x, in_graph=False, family=self.family, part=self.part
        )

    def has_classifier(self) -> bool:
        """Whether the original code left a classifier in it."""
        held = inspection.heads_in(self.x, family=self.family, part=self.part)
        return "classifier" in held


def place_of(
    x: str | Path,
    *,
    family: str | None = None,
    part: Part | None = None,
    config: str | Path | None = None,
    precision: Precision | None = None,
    **fields: Any,
) -> Place:
    """Look at a model without loading it; arguments as for `load`.

    Raises:
        ConfigError: What the training wrote beside the model is broken.
        PLMError: As for `load`.
    """
    with opened(x, part, family, config) as it:
        file = it.source.folder / FILE
        trained = read_json(file) if file.is_file() else {}
        heads = [own_block(data).get("head", {}) for data in it.data.values()]
        kinds = {str(head["kind"]) for head in heads if "kind" in head}
        single = it.source.kind == "keras"
    if not isinstance(trained.get("options", {}), dict):
        raise ConfigError(f"{file}: options must be an object")
    kind = kinds.pop() if len(kinds) == 1 else None
    return Place(x, family, part, config, precision, fields, kind, trained, single)


def load_task_model(place: Place, kind: str, wanted: str, names: Any) -> keras.Model:
    """Load a task model.

    Args:
        place: Where it is.
        kind: The kind that the pipeline is for.
        wanted: Name of the pipeline.
        names: Kinds to names of their pipelines.

    Raises:
        ConfigError: It is of another kind.
        CheckpointError: It is no task model.
    """
    if place.kind is None and not place.single:
        # The original code trained it, or nobody did.
        return place.load(kind)
    if place.kind not in (None, kind):
        raise ConfigError(
            f"{place.x}: holds a model of kind {place.kind!r}, for pipeline "
            f"{names.get(place.kind, 'feature-extraction')!r}, not for {wanted!r}"
        )
    return place.load("task")


def load_comparing(place: Place) -> keras.Model:
    """Load a classifier of pairs, a model for embeddings, or the bare encoder."""
    if place.kind in ("classification", "embedding"):
        return place.load("task")
    if place.single:
        try:
            return place.load("task")
        except CheckpointError:
            return place.load(None)
    if place.kind is None and place.has_classifier():
        return place.load("classification")
    return place.load(None)


def loading_options(names: Iterable[str]) -> list[str]:
    """Return which options belong to the loading of a model."""
    known = {field.name for field in dataclasses.fields(Config)}
    known |= {"family", "part", "config", "precision"}
    return [name for name in names if name in known]
