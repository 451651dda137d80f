"""The choices of data creation: they and the text decide every byte of the output."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

from kerasplm.errors import DataError
from kerasplm.pretraining.builders import LAYOUTS, Layout

Form = Literal["dynamic", "static"]
FORMS = ("dynamic", "static")


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """What instances look like.

    Args:
        layout: Name in `LAYOUTS`.
        form: "dynamic": tokens and word starts, masks are drawn in training;
            "static": the padded features of the originals, masks drawn now.
        max_length: Tokens of an instance at most, with [CLS] and [SEP].
        max_predictions: Masked tokens of an instance at most. None: the share of
            `max_length` that `masked_lm_prob` is.
        masked_lm_prob: Share of tokens to predict.
        short_seq_prob: Share of shorter instances. None: as usual for the layout.
        dupe_factor: Copies of each document with other cuts, pairs and masks. None:
            10 for static masks, as the originals have it, else 1.
        min_tokens: Shorter documents and rests are dropped.
        seed: Of everything that is drawn.
        whole_words: Where words start: "jieba"; "segmented": the text has spaces
            between words; a file with a word per line; "wordpiece": where no "##"
            stands; "none": the same, and static masks take single tokens.
        ngram: Words that are masked together at most.
        shards: Files. None: one for each 32 MiB of text.
        block_bytes: Text that is worked on at once. None: by the size of the corpus.

    Raises:
        DataError: A value is out of range.

    Example:
        >>> DataSettings("sop", max_length=512).max_predictions
        77
    """

    layout: str = "nsp"
    form: Form = "dynamic"
    max_length: int = 128
    max_predictions: int | None = None
    masked_lm_prob: float = 0.15
    short_seq_prob: float | None = None
    dupe_factor: int | None = None
    min_tokens: int = 5
    seed: int = 12345
    whole_words: str = "none"
    ngram: int = 1
    shards: int | None = None
    block_bytes: int | None = None

    def __post_init__(self) -> None:
        """Check the values and fill in what follows from others."""
        _expect("layout", self.layout, self.layout in LAYOUTS, ", ".join(LAYOUTS))
        _expect("form", self.form, self.form in FORMS, " or ".join(FORMS))
        _expect("max_length", self.max_length, self.max_length >= 8, "8 or more")
        prob = self.masked_lm_prob
        _expect("masked_lm_prob", prob, 0 < prob < 1, "a share between 0 and 1")
        layout = LAYOUTS[self.layout]
        share = self.short_seq_prob
        share = layout.short if share is None else share
        _expect("short_seq_prob", share, 0 <= share <= 1, "a share from 0 to 1")
        most = self.max_predictions
        if most is None:
            most = max(1, round(self.max_length * prob))
        fits = 1 <= most <= self.max_length
        _expect("max_predictions", most, fits, f"1 to {self.max_length}")
        copies = self.dupe_factor
        if copies is None:
            copies = 10 if self.form == "static" and layout.masks else 1
        for name, value in (
            ("dupe_factor", copies),
            ("min_tokens", self.min_tokens),
            ("ngram", self.ngram),
            ("shards", 1 if self.shards is None else self.shards),
            ("block_bytes", 1 if self.block_bytes is None else self.block_bytes),
        ):
            _expect(name, value, value >= 1, "1 or more")
        object.__setattr__(self, "short_seq_prob", share)
        object.__setattr__(self, "max_predictions", most)
        object.__setattr__(self, "dupe_factor", copies)

    @property
    def rules(self) -> Layout:
        """Return the layout."""
        return LAYOUTS[self.layout]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the settings that `to_json` was asked of."""
        return cls(**data)


def _expect(name: str, found: object, good: bool, expected: str) -> None:
    if not good:
        raise DataError(f"{name}: expected {expected}, found {found!r}")
