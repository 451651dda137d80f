"""Character rules as tables over all code points, for the in-graph tokenizer."""

from __future__ import annotations

import functools
import unicodedata
from typing import NamedTuple

import numpy as np

from kerasplm.characters import CJK_BLOCKS, CharRules, is_punctuation
from kerasplm.vocab import Vocabulary

# A symbol is what a character has become: the id of a one-character word, or one
# of these, or, below LETTERS, a letter: LETTER - its code point.
SPACE, DROP, BARRIER, COMPLEX = -1, -2, -3, -16
LETTERS, LETTER = -(1 << 21), -(1 << 22)
# Character properties that decide the form of a sigma.
CASED, IGNORABLE = 1, 2
SIGMA, FINAL_SIGMA = ord("Σ"), ord("ς")

_CODES = 0x110000
Paged = tuple[np.ndarray, np.ndarray]


class Tables(NamedTuple):
    """Constants that turn code points into symbols.

    ``symbols`` and ``cases`` are two-level: the number of the page for the upper
    bits of a code point, and the pages of 256 entries. In them a letter is stored
    as an offset from its own code point, which makes most pages equal.
    ``COMPLEX - k`` stands for row k of ``parts``, the symbols of a character that
    becomes several; ``ranks`` is their place in the canonical order of marks. A
    ``BARRIER`` is a stripped mark across which no mark is sorted.
    """

    symbols: Paged
    cases: Paged
    parts: np.ndarray
    ranks: np.ndarray


def build_tables(words: Vocabulary, rules: CharRules) -> Tables:
    """Tabulate the rules, and the ids of one-character words.

    Args:
        words: The vocabulary.
        rules: What happens to characters.

    Returns:
        The tables, int32.

    Example:
        >>> words = Vocabulary.of(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "好"])
        >>> index, pages = build_tables(words, CharRules()).symbols
        >>> int(pages[index[ord("好") // 256] * 256 + ord("好") % 256])
        4
    """
    symbols, cases, parts, ranks = outline(rules)
    ids = np.full(_CODES, words.index["[UNK]"], np.int32)
    for token, i in words.index.items():
        if len(token) == 1:
            ids[ord(token)] = i
    symbols, parts = (
        np.where(table >= 0, ids[np.maximum(table, 0)], table)
        for table in (symbols, parts)
    )
    return Tables(_paged(symbols), _paged(cases), parts, ranks)


@functools.lru_cache(maxsize=16)
def outline(rules: CharRules) -> tuple[np.ndarray, ...]:
    """Tabulate the rules without a vocabulary: code points stand for ids."""
    # Most code points are ideographs that stay as they are, unassigned, or private.
    passed = np.isin(_categories(), ("Cn", "Co"))
    symbols = np.full(_CODES, LETTER, np.int32)
    for start, end in CJK_BLOCKS:
        symbols[start : end + 1] = np.arange(start, end + 1)
    if rules.control == "electra":
        symbols[passed] = DROP
    for start, end in CJK_BLOCKS:
        # The two compatibility blocks decompose.
        passed[start : end + 1] |= start not in (0xF900, 0x2F800)
    rows: list[list[tuple[int, int]]] = []
    for code in np.flatnonzero(~passed).tolist():
        spelled = _spell(chr(code), rules)
        first, rank = spelled[0]
        if len(spelled) > 1 or rank or (rules.lowercase and code == SIGMA):
            symbols[code] = COMPLEX - len(rows)
            rows.append(spelled)
        else:
            symbols[code] = first if first > LETTERS else first + code
    rows = rows or [[(DROP, 0)]]
    width = max(map(len, rows))
    table = np.array([row + [(DROP, 0)] * (width - len(row)) for row in rows], np.int32)
    cases = _cases()
    if rules.control == "isolate":
        # Lone characters are cut out before lower-casing: a sigma ends at them.
        cases = np.where(symbols >= 0, 0, cases)
    return symbols, cases, table[..., 0], table[..., 1]


def _spell(char: str, rules: CharRules) -> list[tuple[int, int]]:
    """Return the symbols of a character, each with its rank among marks."""
    kind = rules.kind(char)
    if kind in ("drop", "space"):
        return [(DROP if kind == "drop" else SPACE, 0)]
    spelled = []
    for part in rules.expand(char):
        rank = unicodedata.combining(part) if rules.strip_accents else 0
        if rules.strip(part):
            lone = kind == "alone" or is_punctuation(part)
            spelled.append((ord(part) if lone else LETTER - ord(part), rank))
        elif rank == 0:
            spelled.append((BARRIER, 0))
    return spelled or [(DROP, 0)]


@functools.lru_cache(maxsize=1)
def _categories() -> np.ndarray:
    return np.array(list(map(unicodedata.category, map(chr, range(_CODES)))))


@functools.lru_cache(maxsize=1)
def _cases() -> np.ndarray:
    """Ask ``str.lower`` which characters decide the form of a sigma."""
    cases = np.zeros(_CODES, np.int32)
    # Of the many uncased letters only two count as lower case.
    passed = np.isin(_categories(), ("Lo", "Co", "Cn"))
    for code in [ord("ª"), ord("º"), *np.flatnonzero(~passed).tolist()]:
        if (chr(code) + "Σ").lower()[-1] == "ς":
            cases[code] = CASED
        elif ("a" + chr(code) + "Σ").lower()[-1] == "ς":
            cases[code] = IGNORABLE
    return cases


def _paged(table: np.ndarray) -> Paged:
    """Store equal pages once."""
    pages: dict[bytes, int] = {}
    table = table.astype(np.int32).reshape(-1, 256)
    index = [pages.setdefault(page.tobytes(), len(pages)) for page in table]
    return np.array(index, np.int32), np.frombuffer(b"".join(pages), np.int32)
