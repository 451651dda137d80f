"""What is done with vectors before they are compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from kerasplm.errors import ConfigError, DataError

Measure = Literal["cosine", "dot"]
Embed = Callable[[Sequence[str]], np.ndarray]


def unit_vectors(vectors: Any) -> np.ndarray:
    """Divide vectors (N, D) by their lengths; a vector of zeros stays."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


class Embedding:
    """Turn texts into the vectors that are compared, and check them.

    Args:
        embed: The pipeline "feature-extraction", or a function that turns N texts into
            vectors (N, D).
        measure: "cosine" gives all vectors the length 1, "dot" leaves them.

    Raises:
        ConfigError: There is no such measure.
    """

    def __init__(self, embed: Any, measure: Measure) -> None:
        if measure not in get_args(Measure):
            raise ConfigError(
                f"measure must be one of {', '.join(get_args(Measure))}. Received: "
                f"{measure!r}"
            )
        self.measure = measure
        self._vectors: Embed = getattr(embed, "vectors", embed)
        self._facts: Callable[[], Mapping[str, Any]] | None
        self._facts = getattr(embed, "facts", None)

    def facts(self) -> dict[str, Any] | None:
        """Return what decides the vectors of a text; None if it is not known."""
        return None if self._facts is None else dict(self._facts())

    def __call__(self, texts: list[str], width: int | None) -> np.ndarray:
        """Return the vectors (N, D) of N > 0 texts in float32; equal texts run once.

        Args:
            texts: The texts.
            width: D, or None if any will do.

        Raises:
            ConfigError: `embed` does not give one finite vector for each.
        """
        places = {text: n for n, text in enumerate(dict.fromkeys(texts))}
        vectors = np.asarray(self._vectors(list(places)), np.float32)
        if self.measure == "cosine":
            vectors = unit_vectors(vectors)
        width = vectors.shape[-1] if width is None else width
        if vectors.shape != (len(places), width) or not np.isfinite(vectors).all():
            raise ConfigError(
                f"embed must give finite vectors of shape ({len(places)}, {width}). "
                f"Received: {vectors.shape}"
            )
        return vectors[[places[text] for text in texts]]


def checked_text(text: Any, number: int) -> str:
    """Return a text that can be written.

    Raises:
        DataError: It is not a str, or holds half a character.
    """
    if not isinstance(text, str):
        raise DataError(f"text {number}: expected a str, found {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"text {number}: expected Unicode, found a lone surrogate at character "
            f"{error.start}"
        ) from error
    return text
