"""Word vectors from a text file, and the nearest words."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kerasplm.errors import ConfigError, DataError
from kerasplm.memo import Memo

LIMIT = 100_000
"""How many vectors of a file are read: files list frequent words first."""

# A line longer than this is none of word vectors, but would fill the memory.
_LONGEST_LINE = 1 << 20


class WordVectors:
    """Words and their vectors, scaled to length one.

    Args:
        words: The words; of equal ones the first counts.
        vectors: (words, width).

    Example:
        >>> vectors = WordVectors(["好", "棒", "狗"], [[1, 0], [1, 0.1], [0, 1]])
        >>> vectors.nearest("好", 1)
        ['棒']

    Source: huawei-noah TinyBERT, data_augmentation.py.
    """

    def __init__(self, words: Sequence[str], vectors: object) -> None:
        self.words = list(words)
        table = np.asarray(vectors, "float32")
        if table.ndim != 2 or len(table) != len(self.words):
            raise ConfigError(
                f"expected vectors of shape ({len(self.words)}, width). Received: "
                f"{table.shape}"
            )
        norms = np.linalg.norm(table, axis=1, keepdims=True)
        self.table = table / np.where(norms > 0, norms, 1)
        self._place: dict[str, int] = {}
        for n, word in enumerate(self.words):
            self._place.setdefault(word, n)
        self._found = Memo(self._nearest)

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.words)

    @classmethod
    def read(cls, file: str | os.PathLike[str], limit: int = LIMIT) -> "WordVectors":
        """Read a file of lines "word number number ...".

        A first line of two whole numbers, how many vectors there are and how wide they
        are (word2vec, Tencent), is checked; GloVe has none.

        Args:
            file: A UTF-8 text.
            limit: Most vectors to read, the first ones: memory is at most about
                `limit` x width x 8 bytes.

        Raises:
            ConfigError: The limit is not positive.
            DataError: A line is broken: another width, no number, NaN, not UTF-8; the
                message names the line.
        """
        if limit < 1:
            raise ConfigError(f"vectors_limit must be positive. Received: {limit}")
        file = Path(file).expanduser()
        words: list[str] = []
        rows: list[np.ndarray] = []
        width, promised = 0, None
        for number, line in _lines(file):
            cells = line.split(" ")
            if number == 1 and len(cells) == 2 and all(map(str.isdecimal, cells)):
                promised, width = int(cells[0]), int(cells[1])
                continue
            if not line and not width:
                raise _wrong(file, number, "a word and its vector", "an empty line")
            width = width or len(cells) - 1
            word = " ".join(cells[: len(cells) - width])
            rows.append(_vector(file, number, word, cells, width))
            words.append(word)
            if len(words) == limit:
                break
        else:
            if promised is not None and promised != len(words):
                raise DataError(
                    f"{file}: line 1: expected {promised} vectors as it says, found "
                    f"{len(words)}"
                )
        if not words:
            raise DataError(f"{file}: expected word vectors, found none")
        return cls(words, np.stack(rows))

    def nearest(self, word: str, count: int) -> list[str]:
        """Return the words of the largest cosine, best first; [] for an unknown one.

        Args:
            word: As in the file, or in lower case there.
            count: How many.
        """
        found: list[str] = self._found[word, count]
        return found

    def _nearest(self, key: tuple[str, int]) -> list[str]:
        word, count = key
        place = self._place.get(word, self._place.get(word.lower()))
        if place is None:
            return []
        # One word at a time: what is found does not depend on the others asked for.
        scores = self.table @ self.table[place]
        scores[place] = -np.inf
        best = np.argsort(-scores, kind="stable")[: min(count, len(scores) - 1)]
        return [self.words[n] for n in best]


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    with file.open("rb") as stream:
        number = 0
        while raw := stream.readline(_LONGEST_LINE):
            number += 1
            if len(raw) == _LONGEST_LINE:
                raise _wrong(
                    file, number, "a word and its vector", f"over {len(raw)} bytes"
                )
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                found = f"the byte 0x{raw[error.start]:02x}"
                raise _wrong(file, number, "UTF-8", found) from error
            yield number, text.rstrip(" \r\n")


def _vector(
    file: Path, number: int, word: str, cells: Sequence[str], width: int
) -> np.ndarray:
    # A word may hold blanks itself, but not end in a number: that is one too many.
    beyond = " " in word and _is_number(word.rpartition(" ")[2])
    if not word or width < 1 or beyond:
        raise _wrong(
            file, number, f"a word and {max(width, 1)} numbers", f"{len(cells)} parts"
        )
    try:
        vector = np.array(cells[len(cells) - width :], "float32")
    except ValueError as error:
        raise _wrong(file, number, f"a word and {width} numbers", str(error)) from error
    if not np.isfinite(vector).all():
        raise _wrong(file, number, "finite numbers", f"one that is not, of {word!r}")
    return vector


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(file: Path, number: int, expected: str, found: str) -> DataError:
    return DataError(f"{file}: line {number}: expected {expected}, found {found}")
