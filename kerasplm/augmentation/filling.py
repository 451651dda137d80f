"""Words for masked places: the best sequences of tokens that make a word."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasplm.augmentation.guessing import Best

# Two scores that are nearer than this may change places with the other texts of the
# batch, whose shapes change how sums are rounded (by up to 1.4e-5 for a token).
MARGIN = 1e-4
EXTRA = 4
"""Tokens beyond those that are tried, to see which ones are as good as the last."""

Hypothesis = tuple[tuple[int, ...], float]
"""Tokens, and the logarithm of their probability."""


class Filled(NamedTuple):
    """Words for one place, best first.

    Args:
        words: The words.
        sure: Whether rounding could not have chosen others.
    """

    words: list[str]
    sure: bool


def joint(
    best: Best,
    spell: Callable[[int], str],
    begins_word: Callable[[str], bool],
    accepts: Callable[[str], bool],
    count: int,
) -> Filled:
    """Return the words whose tokens have the largest product of probabilities.

    Args:
        best: For each masked token of the word, the best tokens, of which the last
            `EXTRA` are used only to tell how sure the choice is.
        spell: Token to text.
        begins_word: Whether a word begins so; others are not followed.
        accepts: Whether a whole word may be used; it begins as a word does.
        count: Most words to return.
    """
    sure = True
    hypotheses = [("", 0.0, False)]
    for scores, tokens in zip(*best, strict=True):
        end, tied, certain = _cut(scores)
        sure &= certain
        pieces = map(spell, tokens[:end].tolist())
        shares = scores[:end].tolist()
        rated = [*zip(pieces, shares, (n >= tied for n in range(end)), strict=True)]
        hypotheses = [
            (text + piece, score + more, loose or at_cut)
            for text, score, loose in hypotheses
            for piece, more, at_cut in rated
            if begins_word(text + piece)
        ]
    ranked = sorted(hypotheses, key=lambda x: -x[1])
    kept = list(itertools.islice((x for x in ranked if accepts(x[0])), count + 1))
    sure &= _is_sure(kept, count)
    return Filled([text for text, _, _ in kept[:count]], sure)


def extended(
    hypotheses: Sequence[Hypothesis],
    best: Sequence[Best],
    keeps: Callable[[tuple[int, ...]], bool],
    width: int,
) -> tuple[list[Hypothesis], bool]:
    """Return the best continuations of a beam by one token.

    Args:
        hypotheses: Tokens so far and their score.
        best: For each of them, the best tokens at the next place (one row), as for
            `joint`.
        keeps: Whether tokens may be followed.
        width: How many to keep.

    Returns:
        The continuations, best first, and whether rounding could not have chosen
        others.
    """
    sure = True
    every = []
    for (tokens, score), ((scores,), (ids,)) in zip(hypotheses, best, strict=True):
        end, tied, certain = _cut(scores)
        sure &= certain
        rated = zip(ids[:end].tolist(), scores[:end].tolist(), strict=True)
        every += [
            ((*tokens, token), score + more, n >= tied)
            for n, (token, more) in enumerate(rated)
            if keeps((*tokens, token))
        ]
    ranked = sorted(every, key=lambda x: (-x[1], x[0]))[: width + 1]
    sure &= _is_sure(ranked, width)
    return [(tokens, score) for tokens, score, _ in ranked[:width]], sure


def _cut(scores: np.ndarray) -> tuple[int, int, bool]:
    """Return how many tokens of one place to use.

    Where the last one that is used has nearly the score of the next one, all that
    are so near are used, and marked.

    Returns:
        The number of tokens, the number of the first one that is marked, and whether
        that can be told.
    """
    size = max(len(scores) - EXTRA, 1)
    near = scores[:-1] - scores[1:] < MARGIN
    if size >= len(scores) or not near[size - 1]:
        return size, size, True
    first, end = size - 1, size + 1
    while first > 0 and near[first - 1]:
        first -= 1
    while end < len(scores) and near[end - 1]:
        end += 1
    if end == len(scores):
        return size, size, False
    return end, first, True


def _is_sure(kept: Sequence[tuple[Any, float, bool]], count: int) -> bool:
    """Whether rounding could not change which are kept.

    The last one could change places with the next one; and what has a token at the
    cut of its place could be there or not.
    """
    if any(at_cut for _, _, at_cut in kept):
        return False
    return len(kept) <= count or kept[count - 1][1] - kept[count][1] >= MARGIN
