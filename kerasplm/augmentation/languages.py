"""Which words of a text may be replaced, and by which: Chinese and English."""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from kerasplm.augmentation import lexicon_en, lexicon_zh
from kerasplm.characters import is_cjk
from kerasplm.errors import ConfigError
from kerasplm.jieba_import import import_jieba

Span = tuple[int, int]
LANGUAGES = ("auto", "zh", "en")
# jieba's tags: persons, places, organisations, other names.
_NAMES = ("nr", "ns", "nt", "nz")
# Numbers, measures, times, pronouns, particles, prepositions, conjunctions, modal
# words, interjections, sounds, prefixes, suffixes, foreign words, what is no word.
_FUNCTION = frozenset(["m", "q", "t", "r", "u", "p", "c", "y", "e", "o", "h", "k", "x"])
_CONTENT = frozenset("nva")
_ENGLISH = re.compile(r"[^\W_]+")
# Candidates that jieba's corpus has less often are mistakes of segmentation.
_RARE = 10
# Share of the letters that makes a text Chinese: names and brands are Latin there.
_HAN = 0.2


class Language(Protocol):
    """What depends on the language of the texts."""

    pieces: bool
    """Whether the model may guess a word of several tokens."""

    def words(self, text: str) -> list[Span]:
        """Return the characters [start, end) of each word that may be replaced."""

    def may_be_token(self, token: str) -> bool:
        """Whether a token of the vocabulary may be a part of a candidate."""

    def begins_word(self, start: str) -> bool:
        """Whether a word begins so."""

    def accepts(self, word: str, candidate: str) -> bool:
        """Whether the candidate may replace the word: label-safe, and a word."""

    def styled(self, word: str, candidate: str) -> str:
        """Return the candidate in the letter case of the word."""


class Chinese:
    """Words of jieba with two characters or more, and single content characters.

    Stop words, numbers, names (by jieba's tags), negations and what is not Chinese
    are left alone; candidates are words of jieba's dictionary that are none of these,
    no opposite, and neither praise nor blame where the word is not.

    Raises:
        DataError: jieba is not installed.

    Source: fxsj/jieba 0.42 (`posseg`); TinyBERT's paper, algorithm 1, for whole words.
    """

    pieces = True

    def __init__(self) -> None:
        jieba = import_jieba()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its regular expressions are old
            import jieba.posseg as posseg
        posseg.initialize()
        self._cut = posseg.lcut
        self._tags: dict[str, str] = posseg.dt.word_tag_tab
        self._frequencies: dict[str, int] = jieba.dt.FREQ
        # The beginnings of words are in it, too. Asked for each pair of candidate
        # tokens: no Python in between.
        self.begins_word: Callable[[str], bool] = self._frequencies.__contains__

    def words(self, text: str) -> list[Span]:
        """Return the words of the text that may be replaced."""
        found, at = [], 0
        for word, tag in self._cut(text):
            start = text.find(word, at)
            if start < 0:
                continue
            at = start + len(word)
            if _is_han(word) and self._is_content(word, tag):
                found.append((start, at))
        return found

    def may_be_token(self, token: str) -> bool:
        """Whether it is all ideographs."""
        return _is_han(token) and not lexicon_zh.NEGATIONS & set(token)

    def accepts(self, word: str, candidate: str) -> bool:
        """Whether it is a content word, no opposite, and of no other tone."""
        return (
            candidate != word
            and _is_han(candidate)
            and self._frequencies.get(candidate, 0) >= _RARE
            and self._is_content(candidate, self._tags.get(candidate, "x"))
            and not _opposed(word, candidate)
            and _tone_zh(candidate) in (0, _tone_zh(word))
        )

    def styled(self, word: str, candidate: str) -> str:
        """Return the candidate."""
        return candidate

    def _is_content(self, word: str, tag: str) -> bool:
        if word in lexicon_zh.STOP_WORDS or tag.startswith(_NAMES):
            return False
        if lexicon_zh.NEGATIONS & set(word) or set(word) <= lexicon_zh.NUMERALS:
            return False
        if len(word) == 1:
            return tag[:1] in _CONTENT
        return tag[:1] not in _FUNCTION


class English:
    """Words of ASCII letters that are no stop words, as TinyBERT's code takes them.

    Source: huawei-noah TinyBERT, data_augmentation.py.
    """

    pieces = False

    def words(self, text: str) -> list[Span]:
        """Return the words of the text that may be replaced."""
        return [
            match.span()
            for match in _ENGLISH.finditer(text)
            if _is_english(match.group())
            and match.group().lower() not in lexicon_en.STOP_WORDS
        ]

    def may_be_token(self, token: str) -> bool:
        """Whether it is a word of letters."""
        return len(token) > 1 and _is_english(token)

    def begins_word(self, start: str) -> bool:
        """Whether a word begins so: any."""
        return True

    def accepts(self, word: str, candidate: str) -> bool:
        """Whether it is a content word, no opposite, and of no other tone."""
        word, candidate = word.lower(), candidate.lower()
        return (
            candidate != word
            and _is_english(candidate)
            and candidate not in lexicon_en.STOP_WORDS
            and candidate not in lexicon_en.OPPOSITES.get(word, ())
            and not _negated(word, candidate)
            and _tone_en(candidate) in (0, _tone_en(word))
        )

    def styled(self, word: str, candidate: str) -> str:
        """Return the candidate with the capitals of the word."""
        candidate = candidate.lower()
        if word.isupper() and len(word) > 1:
            return candidate.upper()
        return candidate.title() if word.istitle() else candidate


def language_of(texts: Iterable[str]) -> str:
    """Return "zh" if at least a fifth of the letters are ideographs, else "en".

    Example:
        >>> language_of(["房间有WiFi"]), language_of(["The hotel is fine."])
        ('zh', 'en')
    """
    han = letters = 0
    for text in texts:
        for char in text:
            if char.isalpha():
                letters += 1
                han += is_cjk(char)
    return "zh" if han > 0 and han >= _HAN * letters else "en"


def language_named(name: str, texts: Iterable[str] = ()) -> Language:
    """Return the language "zh" or "en", or for "auto" that of the texts.

    Raises:
        ConfigError: There is no such language.
        DataError: Chinese needs jieba, which is not installed.
    """
    if name not in LANGUAGES:
        raise ConfigError(
            f"language must be one of {', '.join(LANGUAGES)}. Received: {name!r}"
        )
    made: dict[str, Any] = {"zh": Chinese, "en": English}
    found: Language = made[language_of(texts) if name == "auto" else name]()
    return found


def outside(words: Sequence[Span], fixed: Sequence[Span]) -> list[Span]:
    """Return the words that share no character with what is fixed."""
    return [
        (start, end)
        for start, end in words
        if all(end <= first or last <= start for first, last in fixed)
    ]


def _is_han(word: str) -> bool:
    return bool(word) and all(map(is_cjk, word))


def _is_english(word: str) -> bool:
    return word.isascii() and word.isalpha()


def _opposed(word: str, candidate: str) -> bool:
    """Whether a term of the word has an opposite in the candidate."""
    sizes = range(1, len(word) + 1)
    terms = (word[n : n + size] for size in sizes for n in range(len(word) - size + 1))
    return any(
        other in candidate and other not in word
        for term in terms
        for other in lexicon_zh.OPPOSITES.get(term, ())
    )


def _negated(one: str, other: str) -> bool:
    """Whether one of the words is the other one behind a negating prefix."""
    short, long = sorted((one, other), key=len)
    if any(prefix + short == long for prefix in lexicon_en.NEGATING_PREFIXES):
        return True
    stems = {word.removesuffix("ful").removesuffix("less") for word in (one, other)}
    return len(stems) == 1 and (one.endswith("less") or other.endswith("less"))


def _tone_zh(word: str) -> int:
    """Return 1 for praise, -1 for blame, else 0; whole words tell before parts."""
    terms = {word}, set(word)
    for found in terms:
        tone = bool(found & lexicon_zh.PRAISE) - bool(found & lexicon_zh.BLAME)
        if tone:
            return tone
    return 0


def _tone_en(word: str) -> int:
    """Return 1 for praise, -1 for blame, else 0."""
    return (word in lexicon_en.PRAISE) - (word in lexicon_en.BLAME)
