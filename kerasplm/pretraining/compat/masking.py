"""The masks of the original creators, with their order of random draws."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from kerasplm.pretraining.compat.documents import Sentence

Masked = tuple[Sentence, list[int], list[str]]
_MARKED = re.compile("##[\u4e00-\u9fa5]")


def candidates(tokens: Sequence[str], do_whole_word_mask: bool) -> list[list[int]]:
    """Return the sets of positions that are masked together.

    Args:
        tokens: The tokens of an instance, ``[CLS]`` and ``[SEP]`` included.
        do_whole_word_mask: Whether a ``##`` piece joins the set before it.

    Returns:
        Positions, those of special tokens left out. The first piece of all starts a
        set even with ``##``; after a ``[SEP]`` such a piece joins the set before.

    Example:
        >>> candidates(["[CLS]", "ke", "##ras", "好", "[SEP]"], True)
        [[1, 2], [3]]

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_masked_lm_predictions``.
    """
    found: list[list[int]] = []
    for i, token in enumerate(tokens):
        if token in ("[CLS]", "[SEP]"):
            continue
        if do_whole_word_mask and found and token.startswith("##"):
            found[-1].append(i)
        else:
            found.append([i])
    return found


def number_to_predict(size: int, prob: float, most: int) -> int:
    """Return how many of ``size`` tokens, special ones included, are predicted.

    Args:
        size: Number of tokens.
        prob: Share of them.
        most: ``max_predictions_per_seq``.

    Returns:
        At least one; halves are rounded to the even number.

    Example:
        >>> number_to_predict(25, 0.1, 20), number_to_predict(3, 0.0, 20)
        (2, 1)
    """
    return min(most, max(1, round(size * prob)))


def replacement(token: str, words: Sequence[str], rng: random.Random) -> str:
    """Draw what stands for a chosen token: [MASK], the token, or a random one."""
    if rng.random() < 0.8:
        return "[MASK]"
    if rng.random() < 0.5:
        return token
    return words[rng.randint(0, len(words) - 1)]


@lru_cache(maxsize=1 << 16)
def bare(token: str) -> str:
    """Return a character without the mark of ``get_new_segment``.

    Example:
        >>> bare("##国"), bare("##ras")
        ('国', '##ras')
    """
    return token[2:] if _MARKED.search(token) else token


def mask(
    tokens: Sentence,
    words: Sequence[str],
    rng: random.Random,
    *,
    masked_lm_prob: float,
    max_predictions_per_seq: int,
    do_whole_word_mask: bool,
    marked: bool = False,
) -> Masked:
    """Choose tokens and replace them as BERT's creator does.

    Args:
        tokens: The tokens, special ones included.
        words: All tokens of the vocabulary.
        rng: Draws in the order of the original.
        masked_lm_prob: Share of the tokens to predict.
        max_predictions_per_seq: The most to predict.
        do_whole_word_mask: Whether ``##`` pieces go with the piece before.
        marked: Whether characters inside a word carry ``##``, which the input then
            loses; labels keep it.

    Returns:
        The corrupted tokens, the positions, and the tokens that were there.

    Example:
        >>> rng = random.Random(1)
        >>> mask(["[CLS]", "好", "[SEP]"], ["x"], rng, masked_lm_prob=0.15,
        ...      max_predictions_per_seq=20, do_whole_word_mask=False)
        (['[CLS]', '[MASK]', '[SEP]'], [1], ['好'])

    Source:
        google-research/bert, brightmart/roberta_zh and brightmart/albert_zh,
        create_pretraining_data.py, ``create_masked_lm_predictions``.
    """
    sets = candidates(tokens, do_whole_word_mask)
    rng.shuffle(sets)
    given = [bare(token) for token in tokens] if marked else tokens
    wanted = number_to_predict(len(tokens), masked_lm_prob, max_predictions_per_seq)
    out = list(given)
    chosen: list[int] = []
    for positions in sets:
        if len(chosen) >= wanted:
            break
        if len(chosen) + len(positions) > wanted:
            continue
        for i in positions:
            out[i] = replacement(given[i], words, rng)
            chosen.append(i)
    return out, *labelled(chosen, tokens)


def labelled(
    chosen: Iterable[int], tokens: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Return the positions in order, and the tokens there."""
    positions = sorted(chosen)
    return positions, [tokens[i] for i in positions]
