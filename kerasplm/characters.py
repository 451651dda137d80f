"""What the original tokenizers do with each character, before WordPiece."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Literal, TypedDict

Control = Literal["bert", "electra", "isolate"]
Kind = Literal["drop", "space", "alone", "punctuation", "letter"]

CJK_BLOCKS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""First and last code point of what the original takes for ideographs."""


@functools.lru_cache(maxsize=1 << 14)
def is_cjk(char: str) -> bool:
    """Tell whether a character is an ideograph to BERT: a word of its own.

    Args:
        char: One character.

    Returns:
        True inside the eight blocks of the original; kana, Hangul and the
        ideographs added to Unicode since 2017 are not in them.

    Example:
        >>> is_cjk("中"), is_cjk("が"), is_cjk("〇")
        (True, False, False)

    Source:
        google-research/bert, tokenization.py, ``_is_chinese_char``.
    """
    code = ord(char)
    return any(first <= code <= last for first, last in CJK_BLOCKS)


@functools.lru_cache(maxsize=1 << 14)
def is_punctuation(char: str) -> bool:
    """Tell whether a character is punctuation to BERT.

    Args:
        char: One character.

    Returns:
        True for ASCII signs (``$`` and ``^`` too) and every category ``P*``.

    Example:
        >>> is_punctuation("，"), is_punctuation("$"), is_punctuation("￥")
        (True, True, False)

    Source:
        google-research/bert, tokenization.py, ``_is_punctuation``.
    """
    if char < "\x7f":
        return char > " " and not char.isalnum()
    return unicodedata.category(char)[0] == "P"


@functools.lru_cache(maxsize=1 << 16)
def _kind(char: str, control: Control) -> Kind:
    category = unicodedata.category(char)
    if control == "isolate":
        if char.isspace():
            return "space"
        lone = category in ("Cc", "Cf") or is_cjk(char) or is_punctuation(char)
        return "alone" if lone else "letter"
    # Zl and Zp are no whitespace to the original, but str.split cuts there.
    if char in "\t\n\r" or category[0] == "Z":
        return "space"
    dropped = category in ("Cc", "Cf") if control == "bert" else category[0] == "C"
    if dropped or char == "\ufffd":
        return "drop"
    if is_cjk(char):
        return "alone"
    return "punctuation" if is_punctuation(char) else "letter"


@dataclass(frozen=True)
class CharRules:
    """Say what happens to each character before WordPiece.

    Args:
        lowercase: Whether letters are lower-cased.
        strip_accents: Whether text is decomposed (NFD) and loses its
            nonspacing marks (category Mn). None: as ``lowercase``.
        control: ``"bert"`` drops the categories Cc and Cf, ``"electra"`` every
            category C*, ``"isolate"`` none: there a control character, like
            punctuation, is a word of its own (run_squad.py of NEZHA).

    Raises:
        ValueError: When ``control`` is none of the three.

    Example:
        >>> CharRules(lowercase=True).fold("É"), CharRules(lowercase=False).fold("É")
        ('e', 'É')
    """

    lowercase: bool = True
    strip_accents: bool | None = None
    control: Control = "bert"

    def __post_init__(self) -> None:
        """Resolve ``strip_accents`` and check ``control``."""
        if self.control not in ("bert", "electra", "isolate"):
            raise ValueError(
                "control must be 'bert', 'electra' or 'isolate'. Received: "
                f"control={self.control!r}"
            )
        if self.strip_accents is None:
            object.__setattr__(self, "strip_accents", self.lowercase)

    def kind(self, char: str) -> Kind:
        """Return what the tokenizer does with a character of the original text.

        Args:
            char: One character.

        Returns:
            ``"alone"`` characters are cut out before lower-casing,
            ``"punctuation"`` after it, ``"space"`` separates words, ``"drop"``
            vanishes without separating, ``"letter"`` joins its neighbours.

        Example:
            >>> [CharRules().kind(char) for char in "中a，\u3000"]
            ['alone', 'letter', 'punctuation', 'space']
        """
        return _kind(char, self.control)

    def expand(self, char: str) -> str:
        """Lower-case and decompose one character; marks are still there.

        Args:
            char: One character.

        Returns:
            One or more characters. A final sigma is not seen here.

        Example:
            >>> len(CharRules().expand("É"))
            2
        """
        if self.lowercase:
            char = char.lower()
        return unicodedata.normalize("NFD", char) if self.strip_accents else char

    def strip(self, chars: Iterable[str]) -> list[str]:
        """Return the characters that the rules keep after ``expand``."""
        if not self.strip_accents:
            return list(chars)
        return [char for char in chars if unicodedata.category(char) != "Mn"]

    def fold(self, char: str) -> str:
        """Return what one character, seen alone, becomes.

        Args:
            char: One character.

        Returns:
            Zero or more characters.

        Example:
            >>> CharRules().fold("が"), CharRules().fold("\u0301")
            ('か', '')
        """
        return "".join(self.strip(self.expand(char)))

    def needs_context(self, char: str) -> bool:
        """Tell whether the neighbours change what a character becomes.

        Args:
            char: One character.

        Returns:
            True for the capital sigma, which has a final form, and for marks
            that survive stripping, which NFD may have to sort.

        Example:
            >>> CharRules().needs_context("Σ"), CharRules().needs_context("S")
            (True, False)
        """
        if self.lowercase and char == "Σ":
            return True
        kept = self.fold(char) if self.strip_accents else ""
        return any(unicodedata.combining(part) for part in kept)

    def clean(
        self, text: Iterable[str], places: Sequence[int] | None = None
    ) -> tuple[list[str], list[int]]:
        """Drop control characters, write spaces for whitespace and around loners.

        Args:
            text: The characters.
            places: Where each comes from; None: from its own position.

        Returns:
            The characters that stay, and the place of each.

        Example:
            >>> CharRules().clean("a中")
            (['a', ' ', '中', ' '], [0, 1, 1, 1])
        """
        chars: list[str] = []
        kept: list[int] = []
        for i, char in enumerate(text):
            kind = self.kind(char)
            if kind == "drop":
                continue
            part = {"space": [" "], "alone": [" ", char, " "]}.get(kind, [char])
            chars += part
            kept += [i if places is None else places[i]] * len(part)
        return chars, kept

    def normalize(
        self, chars: Sequence[str], places: Sequence[int]
    ) -> tuple[list[str], list[int]]:
        """Lower-case, decompose, sort marks and strip accents, in context.

        Args:
            chars: The characters.
            places: Where each comes from, ascending.

        Returns:
            The normal characters, and the place of each, ascending.

        Example:
            >>> CharRules().normalize("ΟΣ é", range(4))
            (['ο', 'ς', ' ', 'e'], [0, 1, 2, 3])
        """
        if self.lowercase:
            sizes = [len(char.lower()) for char in chars]
            places = [p for p, n in zip(places, sizes, strict=True) for _ in range(n)]
            # Lowered as a whole: a final sigma depends on its neighbours.
            chars = "".join(chars).lower()
        if not self.strip_accents:
            return list(chars), list(places)
        out: list[str] = []
        origin: list[int] = []
        marks: list[tuple[int, str, int]] = []
        end = ((" ", -1),)  # flushes the last marks
        for char, place in chain(zip(chars, places, strict=True), end):
            for part in unicodedata.normalize("NFD", char):
                rank = unicodedata.combining(part)
                if rank:
                    marks.append((rank, part, place))
                    continue
                marks.sort(key=lambda mark: mark[0])
                kept = [m for m in marks if unicodedata.category(m[1]) != "Mn"]
                out += [part for _, part, _ in kept]
                # The places stay in order, so that spans never cross.
                origin += sorted(place for _, _, place in kept)
                marks.clear()
                if unicodedata.category(part) != "Mn":
                    out.append(part)
                    origin.append(place)
        return out[:-1], origin[:-1]


class Options(TypedDict):
    """Keyword arguments of both tokenizers."""

    lowercase: bool
    strip_accents: bool | None
    control: Control


def _lower(control: Control, strip_accents: bool = True) -> Options:
    return Options(lowercase=True, strip_accents=strip_accents, control=control)


def _cased(control: Control) -> Options:
    return Options(lowercase=False, strip_accents=False, control=control)


RULES: Mapping[str, Options] = MappingProxyType(
    {
        "bert_lower": _lower("bert"),
        "bert_cased": _cased("bert"),
        "roberta_zh": _lower("bert"),
        "albert_zh": _lower("bert"),
        "albert_zh_google": _lower("bert"),
        "albert_google": _lower("bert"),
        "albert_google_cased": _cased("bert"),
        "electra_lower": _lower("electra"),
        "electra_cased": _cased("electra"),
        "electra_lower_keep_accents": _lower("electra", strip_accents=False),
        "electra_zh_lower": _lower("electra"),
        "nezha_lower": _lower("bert"),
        "nezha_cased": _cased("bert"),
        "nezha_gen_lower": _lower("electra"),
        "nezha_gen_cased": _cased("electra"),
        # run_squad.py of NEZHA has a tokenizer of its own, which keeps accents.
        "nezha_squad_lower": _lower("isolate", strip_accents=False),
        "nezha_squad_cased": _cased("isolate"),
    }
)
"""Keyword arguments of both tokenizers that reproduce each original tokenizer."""
