"""Words for masked places: the best sequences of tokens that make a word."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kerasplm.augmentation.guessing import Best

# Two scores that are nearer than this may change places with the other texts of the
# batch, whose shapes change how sums are rounded; 50 times what was seen.
MARGIN = 1e-4

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
        best: For each masked token of the word, the best tokens. The last one of them
            is not used: it tells how sure the choice is.
        spell: Token to text.
        begins_word: Whether a word begins so; others are not followed.
        accepts: Whether a whole word may be used.
        count: Most words to return.
    """
    scores, tokens = best
    last = len(scores) - 1
    hypotheses = [("", 0.0)]
    for n in range(len(scores)):
        pieces = [spell(token) for token in tokens[n, :-1].tolist()]
        rated = list(zip(pieces, scores[n, :-1].tolist(), strict=True))
        hypotheses = [
            (text + piece, score + more)
            for text, score in hypotheses
            for piece, more in rated
            if n == last or begins_word(text + piece)
        ]
    ranked = sorted(hypotheses, key=lambda x: -x[1]) if last else hypotheses
    kept: list[tuple[str, float]] = []
    for text, score in ranked:
        if len(kept) > count:
            break
        if accepts(text):
            kept.append((text, score))
    return Filled([text for text, _ in kept[:count]], _is_sure(kept, scores, count))


def _is_sure(kept: Sequence[tuple[str, float]], scores: np.ndarray, count: int) -> bool:
    """Whether other words could not have come in by rounding.

    A word could change places with the one behind the last, or bring a token that
    was just not among the best of its place.
    """
    if len(kept) > count and kept[count - 1][1] - kept[count][1] < MARGIN:
        return False
    cut = scores[:, -2] - scores[:, -1] < MARGIN
    if len(kept) <= count:
        return not cut.any()
    # The best word that the token at the cut could make.
    reach = scores[:, 0].sum() - scores[:, 0] + scores[:, -2]
    return not (cut & (reach >= kept[count - 1][1] - MARGIN)).any()


def extended(
    hypotheses: Sequence[Hypothesis],
    best: Sequence[Best],
    keeps: Callable[[tuple[int, ...]], bool],
    width: int,
) -> tuple[list[Hypothesis], bool]:
    """Return the best continuations of a beam by one token.

    Args:
        hypotheses: Tokens so far and their score.
        best: For each of them, the best tokens at the next place (one row), of which
            the last one is not used, as in `joint`.
        keeps: Whether tokens may be followed.
        width: How many to keep.

    Returns:
        The continuations, best first, and whether rounding could not have chosen
        others.
    """
    every = [
        ((*tokens, token), score + more)
        for (tokens, score), (scores, ids) in zip(hypotheses, best, strict=True)
        for token, more in zip(ids[0, :-1].tolist(), scores[0].tolist(), strict=False)
        if keeps((*tokens, token))
    ]
    ranked = sorted(every, key=lambda x: (-x[1], x[0]))
    kept, full = ranked[:width], len(ranked) > width
    sure = not full or ranked[width - 1][1] - ranked[width][1] >= MARGIN
    worst = kept[-1][1] if full else -math.inf
    for (_, score), (scores, _) in zip(hypotheses, best, strict=True):
        near = scores[0, -2] - scores[0, -1] < MARGIN
        if near and score + scores[0, -2] >= worst - MARGIN:
            sure = False
    return kept, bool(sure)
