"""Search texts by meaning."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerasplm.errors import ConfigError

Embed = Callable[[Sequence[str]], np.ndarray]
_QUERIES = 256


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found.

    Args:
        text: The text.
        score: Its cosine with what was asked.
        number: Its place in the index, counted from 0 in the order of `add`.
    """

    text: str
    score: float
    number: int


def embedder(
    model: Any, tokenizer: Any, *, max_length: int = 32, batch_size: int = 64
) -> Embed:
    """Return the function that turns texts into vectors of length 1.

    Args:
        model: A `SentenceEncoder`.
        tokenizer: From `load_tokenizer`.
        max_length: Tokens per text, special tokens included; longer ones lose their
            last tokens.
        batch_size: Texts that are computed at once; those of similar length together.

    Returns:
        A function of N texts that gives (N, D) float32.

    Example:
        >>> model = load("simbert_base_zhuiyi", heads="embedding")  # doctest: +SKIP
        >>> embed = embedder(model, load_tokenizer(x))  # doctest: +SKIP

    Source: ZhuiyiTechnology/simbert retrieval_test.py.
    """
    from keras import ops

    width = model.encoder.config.hidden_size

    def embed(texts: Sequence[str]) -> np.ndarray:
        texts = list(texts)
        vectors = np.empty((len(texts), width), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), batch_size):
            chosen = order[start : start + batch_size]
            inputs = tokenizer([texts[n] for n in chosen], max_length=max_length)
            found = model(
                {name: ops.convert_to_tensor(x) for name, x in inputs.items()},
                training=False,
            )
            vectors[chosen] = ops.convert_to_numpy(found)
        return unit_vectors(vectors)

    return embed


def unit_vectors(vectors: Any) -> np.ndarray:
    """Divide vectors (N, D) by their lengths; a vector of zeros stays."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


class SentenceIndex:
    """Texts that are searched by the cosine of their vectors, exactly.

    Args:
        embed: Turns N texts into vectors (N, D); see `embedder`.

    Example:
        >>> index = SentenceIndex(lambda texts: np.eye(3)[[len(t) for t in texts]])
        >>> index.add(["", "好", "你好"])
        >>> index.search(["吗"], k=1)[0][0].text
        '好'

    Source: ZhuiyiTechnology/simbert retrieval_test.py (dot products with all texts).
    """

    def __init__(self, embed: Embed) -> None:
        self.embed = embed
        self.texts: list[str] = []
        self._blocks: list[np.ndarray] = []

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    @property
    def vectors(self) -> np.ndarray:
        """(N, D) float32 of length 1, one for each text."""
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0] if self._blocks else np.empty((0, 0), np.float32)

    def add(self, texts: Sequence[str]) -> None:
        """Add texts behind those that are there.

        Args:
            texts: N texts; one that is there already is there twice.

        Raises:
            ConfigError: `embed` does not give one finite vector for each.
        """
        texts = _several(texts)
        if texts:
            self._blocks.append(self._embedded(texts))
            self.texts += texts

    def search(self, texts: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """Return the k texts that are nearest to each text.

        Args:
            texts: What is asked.
            k: How many to return; less if there are not as many.

        Returns:
            For each text the hits, the nearest first; equal ones as they were added.

        Raises:
            ConfigError: k is not positive, or as for `add`.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1. Received: {k}")
        texts = _several(texts)
        if not texts or not self.texts:
            return [[] for _ in texts]
        corpus, queries = self.vectors, self._embedded(texts)
        found = []
        for start in range(0, len(texts), _QUERIES):
            for row in queries[start : start + _QUERIES] @ corpus.T:
                best = _largest(row, k)
                hits = [Hit(self.texts[n], float(row[n]), int(n)) for n in best]
                found.append(hits)
        return found

    def _embedded(self, texts: list[str]) -> np.ndarray:
        vectors = unit_vectors(self.embed(texts))
        width = self._blocks[0].shape[1] if self._blocks else vectors.shape[-1]
        if vectors.shape != (len(texts), width) or not np.isfinite(vectors).all():
            raise ConfigError(
                f"embed must give finite vectors of shape ({len(texts)}, {width}). "
                f"Received: {vectors.shape}"
            )
        return vectors


def _several(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise ConfigError(f"texts must be a list of texts. Received: {texts!r}")
    return list(texts)


def _largest(row: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k largest numbers, of equal ones the first."""
    if k < len(row):
        least = np.partition(row, len(row) - k)[len(row) - k]
        above = np.flatnonzero(row > least)
        same = np.flatnonzero(row == least)[: k - len(above)]
        places = np.concatenate([above, same])
    else:
        places = np.arange(len(row))
    return places[np.lexsort((places, -row[places]))]
