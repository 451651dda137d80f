"""Where the words of a tokenized sentence begin, by position in its text."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

from kerasplm.errors import DataError
from kerasplm.memo import Memo
from kerasplm.pretraining.jieba_words import JiebaCut
from kerasplm.python_tokenizer import PythonTokenizer

Cut = Callable[[str], Iterable[str]]
Source = Literal["jieba", "list", "spaces", "wordpiece"]
SOURCES: tuple[Source, ...] = ("jieba", "list", "spaces", "wordpiece")

# Sentences whose words are remembered: copies of a document come soon after it.
_REMEMBERED = 1 << 14
_RUN = re.compile("[0-9A-Za-z]+|.", re.DOTALL)
# The starts of a word by the number of its tokens; one of spaces has none.
_marks = Memo(lambda size: b"\1" + bytes(size - 1) if size else b"")


class Sentence(NamedTuple):
    """A tokenized sentence.

    Attributes:
        ids: Token ids, without special tokens.
        starts: A byte per token: 1 where a word begins, 0 inside it.
    """

    ids: tuple[int, ...]
    starts: bytes


class WordList:
    """Cut a text at the longest words of a list, from left to right.

    What no word covers is cut into single characters; letters and digits of ASCII
    stay together.

    Args:
        words: The words, as texts write them.

    Example:
        >>> WordList(["语言", "语言模型"])("用语言模型GPT2写")
        ['用', '语言模型', 'GPT2', '写']
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Index the words by their first character."""
        self.words = frozenset(word for word in words if len(word) > 1)
        sizes: dict[str, set[int]] = {}
        for word in self.words:
            sizes.setdefault(word[0], set()).add(len(word))
        self.sizes = {c: sorted(sizes[c], reverse=True) for c in sizes}

    @classmethod
    def read(cls, file: str | os.PathLike[str]) -> WordList:
        """Read a list: a word per line; what follows a space is not read.

        Args:
            file: A UTF-8 text.

        Returns:
            The list.

        Raises:
            DataError: When a line is not UTF-8, or there is no word of two
                characters.
        """
        words = []
        with open(file, "rb") as stream:
            for number, raw in enumerate(stream, 1):
                try:
                    words += raw.decode("utf-8-sig").split()[:1]
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{file}: line {number}: expected a word in UTF-8, found the "
                        f"byte 0x{raw[error.start]:02x}"
                    ) from error
        found = cls(words)
        if not found.words:
            raise DataError(
                f"{file}: expected a word per line, found none of two characters in "
                f"{len(words)} lines"
            )
        return found

    def __call__(self, text: str) -> list[str]:
        """Return the words of a text, which make up all of it."""
        found = []
        at = 0
        while at < len(text):
            for size in self.sizes.get(text[at], ()):
                word = text[at : at + size]
                if word in self.words:
                    break
            else:
                match = _RUN.match(text, at)
                assert match is not None  # it takes any character
                word = match.group()
            found.append(word)
            at += len(word)
        return found


class Words:
    r"""Tokenize sentences and tell where words begin.

    A token begins a word unless it is a ``##`` piece, or the token before it comes
    from the same word of the text. A token that covers several words (``[UNK]``)
    counts as part of the first.

    Args:
        tokenizer: The tokenizer.
        source: Where words come from. ``"jieba"``: its segmentation. ``"list"``:
            the longest words of a list. ``"spaces"``: the sentences are segmented
            text, their words are separated by spaces; the sentence is the same
            without the spaces around ideographs and punctuation, which is how it is
            tokenized. ``"wordpiece"``: ``##`` alone, so that every ideograph is a
            word.
        file: The list of words, or a dictionary for jieba besides its own.

    Raises:
        ValueError: When the source is unknown, or contradicts the file.
        DataError: When jieba is missing, or the file cannot be used.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "模", "型", "ke", "##ras"]
        >>> words = Words(PythonTokenizer(vocab), "spaces")
        >>> words("模型 Keras").starts, words("模 型").starts
        (b'\x01\x00\x01\x00', b'\x01\x01')

    Source:
        brightmart/roberta_zh, ``get_new_segment``, which looks words up in a set and
        not by position; ymcui/Chinese-BERT-wwm (whole words of Chinese).
    """

    def __init__(
        self,
        tokenizer: PythonTokenizer,
        source: Source = "jieba",
        file: str | os.PathLike[str] | None = None,
    ) -> None:
        """Get the segmentation ready."""
        if source not in SOURCES:
            raise ValueError(f"source must be one of {SOURCES}. Received: {source!r}")
        takes = {"list": (True,), "jieba": (True, False)}.get(source, (False,))
        if (file is not None) not in takes:
            raise ValueError(
                "file is the list of source='list', or a dictionary of "
                f"source='jieba'. Received: source={source!r}, file={file!r}"
            )
        self.tokenizer = tokenizer
        self.source = source
        self._begins = [int(not token.startswith("##")) for token in tokenizer.vocab]
        self._word = Memo(self._tokenize_word)
        self._cut: Cut = str.split
        if source == "jieba":
            self._cut = JiebaCut(file)
        elif source == "list" and file is not None:
            self._cut = WordList.read(file)
        self._remembered = functools.lru_cache(_REMEMBERED)(self._tokenize)

    def __call__(self, sentence: str) -> Sentence:
        """Tokenize a sentence.

        Args:
            sentence: The text; of the source ``"spaces"`` its words.

        Returns:
            The token ids and where words begin.
        """
        return self._remembered(sentence)

    def _tokenize(self, sentence: str) -> Sentence:
        if self.source == "wordpiece":
            ids = tuple(self.tokenizer.tokenize(sentence)[0])
            return Sentence(ids, bytes(map(self._begins.__getitem__, ids)))
        words = list(self._cut(sentence))
        spaces = self.source == "spaces"
        if self.tokenizer.pre_tokenize is not None and not spaces:
            return self._located(sentence, words)
        parts = list(map(self._word.__getitem__, words))
        starts = b"".join(map(_marks.__getitem__, map(len, parts)))
        found = Sentence(tuple(chain.from_iterable(parts)), starts)
        # Words on their own give the tokens of the sentence, unless a boundary cuts
        # a WordPiece word in two: then there are more tokens that begin one. So equal
        # tokens are proof that both agree on the places.
        if spaces or found.ids == tuple(self.tokenizer.tokenize(sentence)[0]):
            return found
        return self._located(sentence, words)

    def _tokenize_word(self, word: str) -> list[int]:
        return self.tokenizer.tokenize(word)[0]

    def _located(self, sentence: str, words: Sequence[str]) -> Sentence:
        """Compare the places of words and tokens; exact, and slow."""
        ids, spans = self.tokenizer.tokenize_offsets(sentence)
        number_at = list(_numbers(sentence, words))
        starts, before = [], -1
        for i, (start, _) in zip(ids, spans, strict=True):
            number = number_at[start]
            starts.append(self._begins[i] if number != before else 0)
            before = number
        return Sentence(tuple(ids), bytes(starts))


def _numbers(sentence: str, words: Iterable[str]) -> Iterator[int]:
    """Yield the number of the word that each character belongs to."""
    at, number = 0, -1
    for number, word in enumerate(words):
        start = sentence.find(word, at)
        if start < 0:
            raise DataError(
                f"expected words in the order of the text, found {word!r} after "
                f"{sentence[:at][-20:]!r}"
            )
        # Characters that the segmentation left out join the word after them.
        yield from (number for _ in range(start + len(word) - at))
        at = start + len(word)
    yield from (number + 1 for _ in range(len(sentence) - at))
