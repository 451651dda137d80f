"""How tokens are chosen: all options of the decoder, checked once."""

import dataclasses
import math
from typing import Any, Literal, get_args

from kerasplm.errors import ConfigError

Compatible = Literal["bert4keras"]

_AT_LEAST = {
    "max_length": 1,
    "min_length": 0,
    "beams": 1,
    "samples": 1,
    "top_k": 1,
    "no_repeat_ngram": 0,
    "min_ends": 1,
    "end_id": 0,
    "repetition_lag": 0,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoding:
    """Hold every choice of the decoder; lengths count the tokens that are generated.

    Without `samples` the result is the best of a beam search, with one beam the greedy
    choice. Every step, the log-probabilities of the next token are multiplied by the
    repetition penalty where the token was generated before; forbidden tokens are left
    out; what is left is divided by the temperature and normalised again.

    Args:
        max_length: Tokens at most, the end token included.
        min_length: Tokens that a text has before its end token at least.
        beams: Hypotheses of the beam search (W).
        samples: Number of texts drawn at random for each source (W); None draws none.
        temperature: Divides the log-probabilities.
        top_k: Draw from the k most probable tokens only.
        top_p: Draw from the most probable tokens whose probabilities reach p together,
            the one that crosses p included; after `top_k`.
        repetition_penalty: Exponent, at least 1, of the probability of tokens that were
            generated already.
        repetition_exempt: Tokens that may repeat.
        repetition_lag: The last tokens that do not count as generated yet.
        no_repeat_ngram: No n tokens in a row occur twice; 0 allows it.
        length_penalty: The score of a finished text is its log-probability divided by
            length ** length_penalty: 0 finds the most probable text, 1 the one with the
            most probable tokens.
        suppress: Tokens that are never chosen.
        end_id: Token that ends a text; None generates `max_length` tokens.
        min_ends: The text ends with the n-th end token.
        compatible: "bert4keras" counts as its `AutoRegressiveDecoder` does: min_length
            includes a start token and only delays the end; in a beam search finished
            texts that are not the best at once are dropped, and the beam shrinks.

    Raises:
        ConfigError: An option has a bad value, or two exclude each other.

    Example:
        >>> Decoding(max_length=32, beams=4).width
        4
    """

    max_length: int = 64
    min_length: int = 0
    beams: int = 1
    samples: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    repetition_exempt: tuple[int, ...] = ()
    repetition_lag: int = 0
    no_repeat_ngram: int = 0
    length_penalty: float = 0.0
    suppress: tuple[int, ...] = ()
    end_id: int | None = None
    min_ends: int = 1
    compatible: Compatible | None = None

    def __post_init__(self) -> None:
        """Check every option, then those that must agree."""
        for name, least in _AT_LEAST.items():
            value = getattr(self, name)
            if value is None and name in ("samples", "top_k", "end_id"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"{name} must be a whole number >= {least}. Received: {value!r}"
                )
        self._check_numbers()
        if self.compatible not in (None, *get_args(Compatible)):
            raise ConfigError(
                f"compatible must be None or one of {', '.join(get_args(Compatible))}. "
                f"Received: {self.compatible!r}"
            )
        if self.samples is not None and self.beams > 1:
            raise ConfigError(
                "beams and samples exclude each other. Received: "
                f"beams={self.beams}, samples={self.samples}"
            )
        drawing = [n for n in ("top_k", "top_p") if getattr(self, n) is not None]
        if drawing and self.samples is None:
            raise ConfigError(
                f"{' and '.join(drawing)} choose among what is drawn at random; say "
                "also how many texts to draw, such as samples=1"
            )
        if self.min_length > self.max_length:
            raise ConfigError(
                "min_length must not be more than max_length. Received: "
                f"{self.min_length} and {self.max_length}"
            )

    def _check_numbers(self) -> None:
        ranges: dict[str, tuple[float, float]] = {
            "temperature": (0.0, math.inf),
            "top_p": (0.0, 1.0),
            "repetition_penalty": (1.0, math.inf),
            "length_penalty": (-math.inf, math.inf),
        }
        for name, (low, high) in ranges.items():
            value: Any = getattr(self, name)
            if value is None and name == "top_p":
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            positive = name in ("temperature", "top_p")
            if (
                not number
                or not math.isfinite(value)
                or not low <= value <= high
                or (positive and value == 0)
            ):
                raise ConfigError(
                    f"{name} must be a number {'above' if positive else 'from'} "
                    f"{low:g}{'' if math.isinf(high) else f' to {high:g}'}. Received: "
                    f"{value!r}"
                )

    def static(self) -> "Decoding":
        """Return what decides the graph: the same for all ends and minimal lengths."""
        return dataclasses.replace(
            self,
            end_id=None if self.end_id is None else 0,
            min_length=min(self.min_length, 1),
            min_ends=1,
        )

    def limits(self) -> dict[str, int]:
        """Return the rest, which a graph is given; the end token -1 never occurs."""
        end_id = -1 if self.end_id is None else self.end_id
        return {
            "end_id": end_id,
            "min_length": self.min_length,
            "min_ends": self.min_ends,
        }

    @property
    def width(self) -> int:
        """Hypotheses or samples per text (W)."""
        return self.samples or self.beams

    @property
    def bert4keras(self) -> bool:
        """Whether everything is done as bert4keras does it."""
        return self.compatible is not None
