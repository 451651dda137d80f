"""Texts that are searched by meaning."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.errors import ConfigError
from kerasplm.retrieval import building
from kerasplm.retrieval import folder as files
from kerasplm.retrieval.engines import Engine, EngineName, check_engine, engine_of
from kerasplm.retrieval.vectors import Embedding, Measure, checked_text


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found.

    Args:
        text: The text.
        score: Its cosine with what was asked, or the dot product.
        number: Its place in the index, counted from 0 in the order of `add`.
    """

    text: str
    score: float
    number: int


class SentenceIndex:
    """Texts that are searched by the cosine of their vectors, exactly.

    An index lies in memory and grows by `add`, or in a folder: `build` embeds a corpus
    of any size into one, `load` opens it; its vectors stay on the disk and are read in
    blocks.

    Args:
        embed: The pipeline "feature-extraction" of a model, or any function that turns
            N texts into vectors (N, D).
        measure: What is compared: "cosine", or "dot", the product of the vectors.
        engine: "numpy"; or, with faiss, "faiss-flat" (exact, all vectors in memory),
            "faiss-ivf" or "faiss-hnsw" (they miss some).

    Raises:
        ConfigError: There is no such measure or engine, or faiss is not installed.

    Example:
        >>> index = SentenceIndex(lambda texts: np.eye(3)[[len(t) for t in texts]])
        >>> index.add(["", "好", "你好"])
        >>> index.search(["吗"], k=1)[0][0].text
        '好'
        >>> embed = plm.pipeline("feature-extraction",
        ...     "simbert-base-zh.zhuiyi")                     # doctest: +SKIP
        >>> SentenceIndex.build("index", open("questions.txt"),
        ...     embed).search(["怎么退款"])                    # doctest: +SKIP

    Source: ZhuiyiTechnology/simbert retrieval_test.py (dot products with all texts).
    """

    def __init__(
        self,
        embed: Any,
        *,
        measure: Measure = "cosine",
        engine: EngineName = "numpy",
    ) -> None:
        check_engine(engine)
        self._embedding = Embedding(embed, measure)
        self._name = engine
        self._engine: Engine | None = None
        self._blocks: list[np.ndarray] = []
        self._texts: Sequence[str] = []
        self._folder: Path | None = None

    @classmethod
    def build(
        cls,
        folder: str | Path,
        texts: Iterable[str],
        embed: Any,
        *,
        measure: Measure = "cosine",
        engine: EngineName = "numpy",
        shard_size: int = 2**15,
        progress: Callable[[int], None] | None = None,
    ) -> "SentenceIndex":
        """Embed a corpus into a folder, which appears when it is complete.

        A build with a pipeline that was interrupted goes on where it was when it is
        started again with the same texts.

        Args:
            folder: Where to write; it must not exist.
            texts: The corpus; an iterator is read as it goes, so memory is bounded. The
                line end of a text is left out.
            embed: As for the class.
            measure: As for the class.
            engine: As for the class.
            shard_size: Texts per file of vectors; so many vectors are held in memory.
            progress: Called with the number of texts after some of them are done.

        Returns:
            The index.

        Raises:
            ConfigError: The folder exists, or holds a build with other options; or as
                for the class.
            DataError: There are no texts, one is no str, or they are not those with
                which the build began.
        """
        check_engine(engine)
        embedding = Embedding(embed, measure)
        building.write(Path(folder), texts, embedding, shard_size, progress)
        return cls.load(folder, embed, engine=engine)

    @classmethod
    def load(
        cls, folder: str | Path, embed: Any, *, engine: EngineName = "numpy"
    ) -> "SentenceIndex":
        """Open the index of a folder.

        Args:
            folder: Which `build` wrote.
            embed: As it was built with; a pipeline of another model is refused.
            engine: As for the class.

        Raises:
            ConfigError: It is no index, is damaged, or was built with another model.
        """
        found = files.read(Path(folder))
        index = cls(embed, measure=found.facts["measure"], engine=engine)
        files.check_model(found, index._embedding.facts())
        index._blocks, index._texts = found.vectors, found.texts
        index._folder = found.folder
        return index

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._texts)

    @property
    def vectors(self) -> np.ndarray:
        """(N, D) float32 of length 1, or as they are ("dot"), one for each text."""
        if self._folder is None and len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        if len(self._blocks) > 1:
            return np.concatenate(self._blocks)
        return self._blocks[0] if self._blocks else np.empty((0, 0), np.float32)

    def add(self, texts: Sequence[str]) -> None:
        """Add texts behind those that are there.

        Args:
            texts: N texts; one that is there already is there twice.

        Raises:
            ConfigError: `embed` does not give one finite vector for each, or the index
                lies in a folder.
            DataError: One is no str.
        """
        if self._folder is not None or not isinstance(self._texts, list):
            raise ConfigError(
                f"{self._folder}: an index in a folder does not grow; build another"
            )
        texts = _several(texts, len(self))
        if texts:
            self._blocks.append(self._embedding(texts, self._width))
            self._texts += texts
            self._engine = None

    def search(self, texts: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """Return the k texts that are nearest to each text.

        Args:
            texts: What is asked.
            k: How many to return; less if there are not as many.

        Returns:
            For each text the hits, the nearest first; equal ones as they were added.

        Raises:
            ConfigError: k is not positive, or as for `add`; or the folder is damaged.
            DataError: A text is no str.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1. Received: {k}")
        texts = _several(texts, 0)
        if not texts or not len(self):
            return [[] for _ in texts]
        if self._engine is None:
            if self._folder is None:
                self._blocks = [self.vectors]
            self._engine = engine_of(self._name, self._blocks)
        queries = self._embedding(texts, self._width)
        scores, numbers = self._engine(queries, min(k, len(self)))
        return [
            [
                Hit(self._texts[n], score, n)
                for score, n in zip(*row, strict=True)
                if n >= 0
            ]
            for row in zip(scores.tolist(), numbers.tolist(), strict=True)
        ]

    @property
    def _width(self) -> int | None:
        return self._blocks[0].shape[1] if self._blocks else None


def _several(texts: Sequence[str], first: int) -> list[str]:
    if isinstance(texts, str):
        raise ConfigError(f"texts must be a list of texts. Received: {texts!r}")
    return [checked_text(text, n) for n, text in enumerate(texts, first)]
