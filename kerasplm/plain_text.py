"""Texts that one operation of tensorflow-text tokenizes as the originals do.

Its pre-tokenization takes no rules, but for most characters of most texts it does what
they say. Which characters these are is asked of it, not assumed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from kerasplm import symbols as sym
from kerasplm.characters import CharRules
from kerasplm.vocab import Vocabulary

_BASIC_PLANE = 0x10000
# A letter of the probe that no candidate is.
_LETTER = "\u0436"
_PROBE = f"{{c}}{{c}}{_LETTER} {{c}}{_LETTER}{{c}}{_LETTER}{{c}}"
# The ids (0 is unknown, 1 the letter) of "{c}{c}ж {c}ж{c}ж{c}" where the character is a
# letter, divides words, or is a word of its own.
_JOINS, _DIVIDES, _STANDS = (0, 0), (1, 1, 1), (0, 0, 1, 0, 1, 0, 1, 0)


class PlainText:
    """Tokenize texts of plain characters: a WordPiece model with pre-tokenization.

    A plain character stays what it is, and what it does to words does not depend on
    its neighbours. Letters are plain in ASCII only: there bytes, in which the operation
    measures words, are characters.

    Args:
        words: The vocabulary.
        rules: What happens to characters.
        max_word_chars: A word of more characters becomes ``[UNK]``.
    """

    def __init__(
        self, words: Vocabulary, rules: CharRules, max_word_chars: int
    ) -> None:
        self._lowercase = rules.lowercase
        plain = _plain_codes(rules)
        self._pattern = f"[{_ranges(plain)}]*"
        letters = {chr(code) for code, ids in plain.items() if ids == _JOINS}
        # A token that is no word and no piece of one would only mislead the builder:
        # one that no plain text holds has its place.
        rows = [
            token
            if words.index[token] == i and _is_word(token, letters, plain)
            else f"{_LETTER}{i}"
            for i, token in enumerate(words.tokens)
        ]
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            rows, max_bytes_per_word=max_word_chars, token_out_type=tf.int32
        )

    def __call__(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Return the ids of the texts that are plain, and which are.

        Args:
            text: B texts, UTF-8.

        Returns:
            Ids, ragged (B, None) int32, none where a text is not plain; (B,) bool.
        """
        # Without an encoding only ASCII changes, which no neighbour decides.
        text = tf.strings.lower(text) if self._lowercase else text
        plain = tf.strings.regex_full_match(text, self._pattern)
        return self._wordpiece.tokenize(tf.where(plain, text, "")), plain


def _is_word(
    token: str, letters: set[str], plain: Mapping[int, tuple[int, ...]]
) -> bool:
    """Tell whether a plain text can hold a word or a piece that is this token."""
    if token == "[UNK]" or (len(token) == 1 and plain.get(ord(token)) == _STANDS):
        return True
    return (
        bool(token) and token != "##" and letters.issuperset(token.removeprefix("##"))
    )


@functools.lru_cache(maxsize=16)
def _plain_codes(rules: CharRules) -> Mapping[int, tuple[int, ...]]:
    """Return the characters for which rules and pre-tokenization agree, with their ids.

    The ids are those of the probe.
    """
    codes = np.arange(_BASIC_PLANE, dtype=np.int32)
    symbols = sym.outline(rules)[0][:_BASIC_PLANE]
    kinds = {
        _DIVIDES: symbols == sym.SPACE,
        _STANDS: symbols == codes,
        _JOINS: (symbols == sym.LETTER) & (codes < 128),
    }
    expected = {
        code: ids
        for ids, found in kinds.items()
        for code in np.flatnonzero(found).tolist()
    }
    probe = tf_text.FastWordpieceTokenizer(
        ["[UNK]", _LETTER], token_out_type=tf.int32, max_bytes_per_word=100
    )
    with tf.device("CPU:0"):
        texts = [_PROBE.format(c=chr(code)) for code in expected]
        found = probe.tokenize(tf.constant(texts)).to_list()
    pairs = zip(expected.items(), found, strict=True)
    return {code: ids for (code, ids), theirs in pairs if (*theirs,) == ids}


def _ranges(codes: Iterable[int]) -> str:
    r"""Return the inside of a character class of RE2.

    Example:
        >>> print(_ranges([1, 2, 3, 9]))
        \x{1}-\x{3}\x{9}-\x{9}
    """
    found: list[list[int]] = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in found)
