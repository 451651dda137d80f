"""What a published pre-training says."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from kerasplm.catalogue import CATALOGUE
from kerasplm.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingRecipe:
    """One published pre-training.

    Args:
        name: Short name.
        model: Row of the catalogue that it trained; gives the configuration.
        start: Row whose weights it began with; "" began from random ones.
        objectives: Names of the objectives; "rtd" is that of ELECTRA.
        data: Options of `kerasplm pretraining-data`.
        training: Fields of `training_settings.Settings`. What the source does not
            say is not there.
        corpus: What it was trained on, in a few words.
        source: Where the numbers are from.
        notes: What is missing, unsure or chosen by us, one sentence each.
    """

    name: str
    model: str
    start: str = ""
    objectives: tuple[str, ...]
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    corpus: str
    source: str
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """Configuration of the model; of ELECTRA that of the discriminator."""
        return Config(**CATALOGUE[self.model].config)

    @property
    def generator(self) -> Config | None:
        """Configuration of ELECTRA's generator."""
        fields = CATALOGUE[self.model].generator
        return None if fields is None else Config(**fields)

    @property
    def family(self) -> str:
        """Family of the model: gives its checkpoints their names."""
        return CATALOGUE[self.model].family

    def describe(self) -> str:
        """Return all fields as readable text of several lines."""
        rows = {
            "model": self.model + (f", from {self.start}" if self.start else ""),
            "objectives": ", ".join(self.objectives),
            "data": _shown(self.data),
            "training": _shown(self.training),
            "corpus": self.corpus,
            "source": self.source,
        }
        lines = [f"{self.name}", *(f"  {key:<12}{row}" for key, row in rows.items())]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
