"""What an augmentation did, in numbers and samples."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.augmentation.augmenter import Place
from kerasplm.augmentation.records import Record
from kerasplm.errors import ConfigError

_SAMPLES = 5
# A sample longer than this is no help.
_LONGEST = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Statistics:
    """What was written.

    Args:
        output: The file.
        language: "zh" or "en".
        copies: Draws for each text.
        records: Entries of the training file.
        written: Entries of the new file, the old ones among them.
        texts: Texts that may be reworded.
        words: Words in them that may be replaced, by what they are.
        replaceable: Those of them for which there are substitutes.
        substitutes: All substitutes.
        samples: Some texts and a copy of each.
    """

    output: Path
    language: str
    copies: int
    records: int
    written: int
    texts: int
    words: int
    replaceable: int
    substitutes: int
    samples: tuple[tuple[str, str], ...]

    def table(self) -> list[tuple[str, str]]:
        """Return rows of names and values for people."""
        return [
            ("records", f"{self.records:,}"),
            ("records with their copies", f"{self.written:,}"),
            ("as many as", f"{self.written / max(self.records, 1):.1f} x"),
            ("language", self.language),
            ("draws per text", str(self.copies)),
            ("texts", f"{self.texts:,}"),
            ("words that may be replaced", f"{self.words:,}"),
            ("of them with substitutes", f"{self.replaceable:,}"),
            (
                "substitutes for each of these",
                f"{self.substitutes / max(self.replaceable, 1):.1f}",
            ),
        ]


@dataclasses.dataclass
class Counts:
    """What was counted so far; it is noted with the text, so that a run can go on."""

    records: int = 0
    written: int = 0
    texts: int = 0
    words: int = 0
    replaceable: int = 0
    substitutes: int = 0
    samples: list[list[str]] = dataclasses.field(default_factory=list)

    @classmethod
    def restored(cls, noted: Mapping[str, Any]) -> "Counts":
        """Return what was noted; zeros if nothing was.

        Raises:
            ConfigError: It is something else.
        """
        try:
            return cls(**noted)
        except TypeError as error:
            raise ConfigError(
                f"expected the counts of an unfinished augmentation, found {noted}"
            ) from error

    def noted(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    def add(
        self,
        record: Record,
        places: Sequence[Sequence[Place]],
        copies: Sequence[Sequence[str]],
    ) -> None:
        """Count a record.

        Args:
            record: The record.
            places: The words of each of its texts.
            copies: The texts of each of its copies.
        """
        self.records += 1
        self.written += 1 + len(copies)
        self.texts += len(record.slots)
        sizes = [len(place.words) for held in places for place in held]
        self.words += len(sizes)
        self.replaceable += sum(size > 0 for size in sizes)
        self.substitutes += sum(sizes)
        if len(self.samples) < _SAMPLES and copies:
            changed = next(
                [slot.text, text]
                for slot, text in zip(record.slots, copies[0], strict=True)
                if slot.text != text
            )
            if max(map(len, changed)) <= _LONGEST:
                self.samples.append(changed)

    def told(self, output: Path, language: str, copies: int) -> Statistics:
        """Return the statistics of the whole run."""
        values = self.noted() | {"samples": tuple(map(tuple, self.samples))}
        return Statistics(output, language, copies, **values)
