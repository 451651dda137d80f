"""The original WordPiece tokenizers in pure Python, with character offsets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np

from kerasplm.characters import Control, is_punctuation
from kerasplm.memo import Memo
from kerasplm.vocab import TokenizerBase

Padding = Literal["longest", "max_length"]
Span = tuple[int, int]
Located = list[tuple[int, Span]]

# A fast-path word never holds it: a text that does takes the exact path.
_EXACT = "\0"


def pair_lengths(first: int, second: int, budget: int) -> Span:
    """Return how many tokens of each text of a pair survive truncation.

    The closed form of "pop the last token of the longer text, of the second when
    they are equal, until both fit".

    Args:
        first: Tokens of the first text.
        second: Tokens of the second text.
        budget: Tokens that both may have together.

    Returns:
        The two shortened lengths.

    Example:
        >>> pair_lengths(9, 2, 7), pair_lengths(9, 9, 7)
        ((5, 2), (4, 3))

    Source:
        google-research/bert, run_classifier.py, ``_truncate_seq_pair``.
    """
    return (
        min(first, max(budget - budget // 2, budget - second)),
        min(second, max(budget // 2, budget - first)),
    )


class PythonTokenizer(TokenizerBase):
    """Tokenize as the original TF1 code does, without TensorFlow.

    Gives the ids of ``Tokenizer``, and also offsets, token strings and words.

    Args:
        vocab: Path of the vocabulary file, or the token of every id.
        lowercase: Whether letters are lower-cased.
        strip_accents: Whether text is decomposed (NFD) and loses its
            nonspacing marks. None: as ``lowercase``.
        control: What happens to control characters, see ``CharRules``. The
            options of each original are in ``kerasplm.characters.RULES``.
        max_word_chars: A word of more characters becomes ``[UNK]``.
        pre_tokenize: Cuts the lower-cased text into words, in order, for word
            vocabularies such as WoBERT's: a word of the vocabulary is one token,
            any other goes the usual way. WoBERT uses
            ``lambda text: jieba.cut(text, HMM=False)``.

    Raises:
        VocabError: When the vocabulary cannot be used.
        ValueError: When ``control`` is unknown.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "你", "好", "ke", "##ras"]
        >>> tokenizer = PythonTokenizer(vocab)
        >>> tokenizer(["你好", "Keras"])["token_ids"].tolist()
        [[2, 4, 5, 3], [2, 6, 7, 3]]
        >>> tokenizer.encode_offsets("好 Keras")[2]
        [(0, 0), (0, 1), (2, 4), (4, 7), (0, 0)]

    Source:
        google-research/bert, tokenization.py, ``FullTokenizer``, and its copies in
        ``RULES``; bojone/bert4keras, tokenizers.py (``pre_tokenize``, ``decode``).
    """

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Sequence[str],
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        control: Control = "bert",
        max_word_chars: int = 200,
        pre_tokenize: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        """Read the vocabulary."""
        super().__init__(
            vocab,
            lowercase=lowercase,
            strip_accents=strip_accents,
            control=control,
            max_word_chars=max_word_chars,
        )
        self.pre_tokenize = pre_tokenize
        self._longest_token = max(map(len, self._words.tokens))
        self._table = Memo(self._spell)
        self._pieces = Memo(self._split_word)

    def __call__(
        self,
        text: str | Sequence[str],
        pair: str | Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        padding: Padding = "longest",
    ) -> dict[str, np.ndarray]:
        """Encode a batch of texts, or of pairs, as the models take them.

        Args:
            text: One text (a batch of one) or B texts.
            pair: The second texts, as many as there are texts.
            max_length: Longest row, special tokens included. A text loses its
                last tokens; of a pair the longer text does, the second when
                they are equally long. None: no truncation.
            padding: ``"longest"`` pads to the longest row, ``"max_length"`` to
                ``max_length``.

        Returns:
            ``token_ids`` (B, T) int32, ``segment_ids`` (B, T) int32 (1 for the
            second text and its ``[SEP]``), ``padding_mask`` (B, T) bool, True at
            real tokens.

        Raises:
            ValueError: When the options contradict each other, or the numbers
                of texts and pairs differ.
        """
        self._check_options(max_length, padding, pair is not None)
        firsts = self.tokenize(text)
        seconds = None if pair is None else self.tokenize(pair)
        if seconds is not None:
            self._check_counts(len(firsts), len(seconds))
        rows = [
            self._frame(first, None if seconds is None else seconds[i], max_length)
            for i, first in enumerate(firsts)
        ]
        width = max((len(ids) for ids, _ in rows), default=2 if pair is None else 3)
        if padding == "max_length" and max_length is not None:
            width = max_length
        token_ids = np.full((len(rows), width), self.pad_id, np.int32)
        segment_ids = np.zeros((len(rows), width), np.int32)
        lengths = np.array([len(ids) for ids, _ in rows], np.int32)
        for row, (ids, segment) in enumerate(rows):
            token_ids[row, : len(ids)] = ids
            segment_ids[row, segment : len(ids)] = 1
        return {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": np.arange(width) < lengths[:, None],
        }

    def tokenize(self, texts: str | Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, without special tokens.

        Args:
            texts: One text (a batch of one) or many; bytes count as UTF-8, and
                bytes that are not are left out.

        Returns:
            A list of ids per text.
        """
        return [self._ids(text) for text in _as_texts(texts)]

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of one text, without special tokens."""
        return [self._words.tokens[i] for i in self._ids(text)]

    def tokenize_offsets(self, text: str) -> tuple[list[int], list[Span]]:
        """Return the ids of one text and where each token comes from.

        ``text[start:end]`` is the smallest part of the original text that made
        the token, whatever lower-casing, accents, control characters or
        ``[UNK]`` did to it. Spans follow each other; only pieces of one original
        character (Hangul) share it.

        Args:
            text: The text.

        Returns:
            Token ids without special tokens, and their ``(start, end)`` in
            characters.

        Raises:
            ValueError: When ``pre_tokenize`` yields a word that does not follow in
                the text.
        """
        located = self._located(text)
        return [i for i, _ in located], [span for _, span in located]

    def encode_offsets(
        self, text: str, pair: str | None = None, *, max_length: int | None = None
    ) -> tuple[list[int], list[int], list[Span]]:
        """Encode one text or pair and say where each token comes from.

        Args:
            text: The text.
            pair: The second text.
            max_length: As in a call.

        Returns:
            Token ids, segment ids, and the span of each token in its own text, as
            ``tokenize_offsets`` gives it; ``(0, 0)`` for special tokens.

        Raises:
            ValueError: When ``max_length`` is too small, or as there.
        """
        self._check_options(max_length, "longest", pair is not None)
        first, spans = self.tokenize_offsets(text)
        second, others = (None, []) if pair is None else self.tokenize_offsets(pair)
        ids, segment = self._frame(first, second, max_length)
        none = [(0, 0)]
        spans = none + spans[: segment - 2] + none
        if second is not None:
            spans += others[: len(ids) - segment - 1] + none
        return ids, [0] * segment + [1] * (len(ids) - segment), spans

    def _frame(
        self, first: list[int], second: list[int] | None, max_length: int | None
    ) -> tuple[list[int], int]:
        """Truncate and add special tokens: the ids, and where segment 1 starts."""
        if second is None:
            keep = len(first) if max_length is None else max_length - 2
            ids = [self.cls_id, *first[:keep], self.sep_id]
            return ids, len(ids)
        keep, rest = len(first), len(second)
        if max_length is not None:
            keep, rest = pair_lengths(keep, rest, max_length - 3)
        ids = [self.cls_id, *first[:keep], self.sep_id, *second[:rest], self.sep_id]
        return ids, keep + 2

    def _ids(self, text: str) -> list[int]:
        if self.pre_tokenize is None:
            spelled = text.translate(self._table)
            if _EXACT not in spelled:
                words = map(self._pieces.__getitem__, spelled.split())
                return list(chain.from_iterable(words))
        return [i for i, _ in self._located(text)]

    def _spell(self, code: int) -> str:
        """Return what the fast path writes for a character."""
        char = chr(code)
        kind = self._rules.kind(char)
        if kind in ("drop", "space"):
            return " " if kind == "space" else ""
        if self._rules.needs_context(char):
            return _EXACT
        folded = self._rules.fold(char)
        if kind == "alone":
            return f" {folded} "
        return "".join(f" {c} " if is_punctuation(c) else c for c in folded)

    def _split_word(self, word: str) -> tuple[int, ...]:
        """Return the longest pieces from the left, or [UNK] where one lacks."""
        if len(word) > self._max_word_chars:
            return (self.unk_id,)
        index, ids, start = self._words.index, [], 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest_token), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in index:
                    ids.append(index[piece])
                    start = end
                    break
            else:
                return (self.unk_id,)
        return tuple(ids)

    def _located(self, text: str) -> Located:
        """Return the id and the span of every token of a text."""
        if self.pre_tokenize is not None:
            return self._located_words(text, self.pre_tokenize)
        spelled = [self._table[ord(char)] for char in text]
        if any(_EXACT in part for part in spelled):
            return self._locate_chars(*self._rules.normalize(*self._rules.clean(text)))
        return self._locate(spelled, range(len(text)))

    def _located_words(
        self, text: str, pre_tokenize: Callable[[str], Iterable[str]]
    ) -> Located:
        """Do the same with the words of ``pre_tokenize``."""
        chars, places = self._rules.normalize(text, range(len(text)))
        normal, found, cursor = "".join(chars), [], 0
        for word in pre_tokenize(normal):
            start = normal.find(word, cursor)
            if start < 0:
                raise ValueError(
                    "pre_tokenize must yield words of the text in their order. "
                    f"Received: {word!r} after {normal[:cursor][-20:]!r}"
                )
            cursor = start + len(word)
            if word in self._words.index and word:
                span = (places[start], places[cursor - 1] + 1)
                found.append((self._words.index[word], span))
            else:
                cleaned = self._rules.clean(word, places[start:cursor])
                found.extend(self._locate_chars(*cleaned))
        return found

    def _locate_chars(self, chars: Iterable[str], places: Iterable[int]) -> Located:
        """Locate the tokens of clean, normal characters."""
        spelled = (f" {c} " if is_punctuation(c) else c for c in chars)
        return self._locate(spelled, places)

    def _locate(self, spelled: Iterable[str], places: Iterable[int]) -> Located:
        """Locate the tokens of what each place spells, spaces between words."""
        found: Located = []
        word = ""
        origin: list[int] = []
        for part, place in chain(zip(spelled, places, strict=True), ((" ", -1),)):
            for char in part:
                if char != " ":
                    word += char
                    origin.append(place)
                elif word:
                    found += self._pieces_of(word, origin)
                    word, origin = "", []
        return found

    def _pieces_of(self, word: str, origin: list[int]) -> Located:
        ids = self._pieces[word]
        if len(ids) == 1:
            return [(ids[0], (origin[0], origin[-1] + 1))]
        found, start = [], 0
        for i in ids:
            end = start + len(self._words.tokens[i]) - (2 if start else 0)
            found.append((i, (origin[start], origin[end - 1] + 1)))
            start = end
        return found


def _as_texts(texts: Any) -> list[str]:
    """Return a list of str."""
    texts = [texts] if isinstance(texts, (str, bytes)) else list(texts)
    out = [t.decode("utf-8", "ignore") if isinstance(t, bytes) else t for t in texts]
    for text in out:
        if not isinstance(text, str):
            raise ValueError(f"text must be str or a list of str. Received: {text!r}")
    return out
