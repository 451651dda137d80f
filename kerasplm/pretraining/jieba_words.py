"""The words of jieba, found in half its time or less."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from typing import Any

from kerasplm.errors import DataError
from kerasplm.jieba_import import import_jieba
from kerasplm.memo import Memo

# Texts whose words are remembered, of either kind; longer ones seldom come again.
_REMEMBERED = 1 << 15
_LONGEST = 16
# No word holds it: a dictionary has a word per line.
_END = "\n"


class JiebaCut:
    """Cut texts into the words that jieba's ``lcut`` finds.

    Its dictionary, its model of unknown words and its arithmetic, in the same order, so
    that rounding and ties are the same; but logarithms are taken once and not for every
    place in the text, paths are kept as numbers, and short texts are remembered.

    Args:
        dictionary: A dictionary of yours in jieba's format, used besides its own;
            what others told jieba is not seen.

    Raises:
        DataError: When jieba is not installed, or cannot read the dictionary.

    Example:
        >>> JiebaCut()("语言模型")  # doctest: +SKIP
        ['语言', '模型']

    Source:
        fxsj/jieba 0.42, ``Tokenizer.cut`` and ``finalseg.cut``.
    """

    def __init__(self, dictionary: str | os.PathLike[str] | None = None) -> None:
        """Read the dictionaries."""
        jieba = import_jieba()
        tokenizer = jieba.Tokenizer()
        if dictionary is not None:
            _add(tokenizer, dictionary)
        tokenizer.initialize()
        total = math.log(tokenizer.total)
        # 0: no word, but one begins with it. The weight of a word is below.
        self._weights: dict[str, float] = tokenizer.FREQ
        for word, count in self._weights.items():
            self._weights[word] = math.log(count) - total if count else 0.0
        self._unknown = math.log(1) - total
        self._split = jieba.re_han_default.split
        final = jieba.finalseg
        self._split_ideographs = final.re_han.split
        self._split_rest = final.re_skip.split
        self._apart = final.Force_Split_Words
        self._model = _Model(final)
        remembered = functools.lru_cache(_REMEMBERED)
        self._short = remembered(self._words)
        self._singles = remembered(self._new_words)

    def __call__(self, text: str) -> list[str]:
        """Return the words of a text, which make up all of it."""
        found: list[str] = []
        for number, part in enumerate(self._split(text)):
            if number % 2:
                cut = self._short if len(part) <= _LONGEST else self._words
                found += cut(part)
            elif "\r\n" in part:
                lines = part.split("\r\n")
                found += lines[0]
                for line in lines[1:]:
                    found.append("\r\n")
                    found += line
            else:
                found += part
        return found

    def _words(self, text: str) -> list[str]:
        """Return the words of the most probable path through the dictionary."""
        stops = self._path(text)
        found: list[str] = []
        begin = at = 0
        while at < len(text):
            stop = stops[at]
            if stop - at > 1:
                if begin < at:
                    found += self._singles(text[begin:at])
                found.append(text[at:stop])
                begin = stop
            at = stop
        if begin < at:
            found += self._singles(text[begin:])
        return found

    def _path(self, text: str) -> list[int]:
        """Return for each place where the word ends that begins there."""
        get, unknown = self._weights.get, self._unknown
        size = len(text)
        text += _END
        stops, scores = [0] * size, [0.0] * (size + 1)
        for start in range(size - 1, -1, -1):
            best, stop, end = -math.inf, 0, start + 1
            weight = get(text[start])
            while weight is not None:
                if weight:
                    score = weight + scores[end]
                    # Of equal ones the longest.
                    if score >= best:
                        best, stop = score, end
                end += 1
                weight = get(text[start:end])
            if not stop:
                stop = start + 1
                best = unknown + scores[stop]
            stops[start], scores[start] = stop, best
        return stops

    def _new_words(self, text: str) -> list[str]:
        """Return the words of characters that the dictionary leaves alone."""
        if len(text) == 1 or self._weights.get(text):
            return list(text)
        found: list[str] = []
        for number, part in enumerate(self._split_ideographs(text)):
            if number % 2:
                for word in self._model.words(part):
                    found += word if word in self._apart else [word]
            else:
                found += filter(None, self._split_rest(part))
        return found


def _add(tokenizer: Any, dictionary: str | os.PathLike[str]) -> None:
    try:
        with open(dictionary, "rb") as stream:
            tokenizer.load_userdict(stream)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{dictionary}: expected a dictionary of jieba, a word per line with its "
            f"count and kind or without, found something else ({error})"
        ) from error


class _Model:
    """Jieba's hidden Markov model: a character begins, goes on, ends or is a word."""

    def __init__(self, final: Any) -> None:
        """Take the logarithms of the probabilities."""
        least = final.MIN_FLOAT
        self._start = [final.start_P[state] for state in "BMES"]
        moves: Mapping[str, Mapping[str, float]] = final.trans_P
        self._moves = [
            moves[before].get(state, least)
            for before, state in ("EB", "SB", "MM", "BM", "BE", "ME", "SS", "ES")
        ]
        tables = [final.emit_P[state] for state in "BMES"]
        self._emitted = Memo(lambda char: [t.get(char, least) for t in tables])

    def words(self, text: str) -> list[str]:
        """Return the words of ideographs."""
        found, begin, done = [], 0, 0
        for at, state in enumerate(self._states(text)):
            if state == 0:
                begin = at
            elif state != 1:
                found.append(text[begin if state == 2 else at : at + 1])
                done = at + 1
        if done < len(text):
            found.append(text[done:])
        return found

    def _states(self, text: str) -> list[int]:
        """Return the most probable states, as places in "BMES".

        Of equally probable ones the last in the alphabet, as jieba compares letters.
        """
        eb, sb, mm, bm, be, me, ss, es = self._moves
        shown = map(self._emitted.__getitem__, text)
        b, m, e, s = map(sum, zip(self._start, next(shown), strict=True))
        before: list[tuple[int, int, int, int]] = []
        for in_b, in_m, in_e, in_s in shown:
            from_b = from_s = 3
            from_m = from_e = 1
            new_b, new_m = s + sb + in_b, m + mm + in_m
            new_e, new_s = m + me + in_e, s + ss + in_s
            if (other := e + eb + in_b) > new_b:
                new_b, from_b = other, 2
            if (other := b + bm + in_m) > new_m:
                new_m, from_m = other, 0
            if (other := b + be + in_e) > new_e:
                new_e, from_e = other, 0
            if (other := e + es + in_s) > new_s:
                new_s, from_s = other, 2
            before.append((from_b, from_m, from_e, from_s))
            b, m, e, s = new_b, new_m, new_e, new_s
        state = 3 if s >= e else 2
        states = [state]
        for step in reversed(before):
            state = step[state]
            states.append(state)
        return states[::-1]
