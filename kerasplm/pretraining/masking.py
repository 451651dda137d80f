"""Clean static masks: whole words, n-grams, 80/10/10, true labels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress
from typing import NamedTuple

import numpy as np

from kerasplm.vocab import TokenizerBase


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Say which tokens are predicted.

    Args:
        probability: Share of the tokens, special ones counted, to predict.
        max_predictions: The most tokens to predict.
        whole_words: Whether the tokens of a word are masked together.
        ngram: Most words (tokens, without ``whole_words``) that are masked together;
            a run of n has a probability proportional to 1/n.
        favor_shorter: Whether that is so; otherwise the longest run has the
            probability of the shortest, and so on.

    Raises:
        ValueError: When a number is out of range.

    Example:
        >>> Masking(probability=0.15, max_predictions=20).budget(128)
        19
    """

    probability: float = 0.15
    max_predictions: int = 20
    whole_words: bool = True
    ngram: int = 1
    favor_shorter: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 < self.probability <= 1:
            raise ValueError(
                "probability must be above 0 and at most 1. Received: "
                f"probability={self.probability}"
            )
        if self.max_predictions < 1 or self.ngram < 1:
            raise ValueError(
                "max_predictions and ngram must be positive. Received: "
                f"max_predictions={self.max_predictions}, ngram={self.ngram}"
            )

    def budget(self, size: int) -> int:
        """Return how many of ``size`` tokens, special ones counted, are predicted."""
        return min(self.max_predictions, max(1, round(size * self.probability)))


class Masked(NamedTuple):
    """The masks of an instance.

    Attributes:
        input_ids: All ids, the chosen ones replaced.
        positions: Where tokens are to be predicted, ascending.
        labels: The true ids there.
    """

    input_ids: list[int]
    positions: list[int]
    labels: list[int]


class Masker:
    """Choose tokens of instances and replace them.

    Of the chosen tokens each becomes, on its own, ``[MASK]`` (80 %), itself (10 %)
    or any token of the vocabulary (10 %). Differs from the originals in that labels
    are the true ids, no run crosses a special token, and a run is as long as drawn.

    Args:
        tokenizer: Knows the vocabulary and the special tokens.
        masking: Which tokens are predicted.

    Raises:
        VocabError: When the vocabulary has no ``[MASK]``.

    Example:
        >>> masker = Masker(tokenizer, Masking(ngram=3))  # doctest: +SKIP
        >>> masker(ids, starts, np.random.default_rng((seed, 0)))  # doctest: +SKIP

    Source:
        google-research/bert and google-research/albert,
        create_pretraining_data.py, ``create_masked_lm_predictions``.
    """

    def __init__(self, tokenizer: TokenizerBase, masking: Masking) -> None:
        """Work out the probabilities of the lengths."""
        self.masking = masking
        self.mask_id = tokenizer.id_of("[MASK]")
        self.vocab_size = tokenizer.vocab_size
        self.special = frozenset((tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id))
        shares = 1 / np.arange(1, masking.ngram + 1)
        self.shares = shares if masking.favor_shorter else shares[::-1]

    def __call__(
        self, ids: Sequence[int], starts: Sequence[int], rng: np.random.Generator
    ) -> Masked:
        """Mask an instance.

        Args:
            ids: Its token ids, with special tokens.
            starts: As many numbers, 1 where a word begins; those of special tokens
                are not read, and the token after one begins a word.
            rng: Draws; one made of the seed, the document and the copy gives the
                same masks each time.

        Returns:
            The masks; none when there are only special tokens.
        """
        chosen = self._choose(
            self.sets(ids, starts), self.masking.budget(len(ids)), rng
        )
        chosen.sort()
        labels = [ids[i] for i in chosen]
        out = list(ids)
        fates = rng.random(len(chosen)).tolist()
        others = rng.integers(self.vocab_size, size=len(chosen)).tolist()
        for i, fate, other in zip(chosen, fates, others, strict=True):
            if fate < 0.8:
                out[i] = self.mask_id
            elif fate < 0.9:
                out[i] = other
        return Masked(out, chosen, labels)

    def sets(self, ids: Sequence[int], starts: Sequence[int]) -> list[list[range]]:
        """Return the words, in runs that no special token interrupts.

        Args:
            ids: Token ids, with special tokens.
            starts: 1 where a word begins.

        Returns:
            A list of words per run; a word is a range of positions.
        """
        stops = [i for i, token in enumerate(ids) if token in self.special]
        runs: list[list[range]] = []
        begin = 0
        for stop in (*stops, len(ids)):
            if begin < stop:
                places: Sequence[int] = range(begin + 1, stop)
                if self.masking.whole_words:
                    places = list(compress(places, starts[begin + 1 : stop]))
                runs.append(list(map(range, (begin, *places), (*places, stop))))
            begin = stop + 1
        return runs

    def _choose(
        self, runs: list[list[range]], budget: int, rng: np.random.Generator
    ) -> list[int]:
        """Take words in random order until the budget is used up.

        A word that exceeds what is left is passed over, so that all of it is used
        where there are short words.
        """
        words = list(chain.from_iterable(runs))
        order = rng.permutation(len(words)).tolist()
        if self.masking.ngram == 1:
            chosen: list[int] = []
            for n in order:
                if len(chosen) + len(words[n]) <= budget:
                    chosen += words[n]
                    if len(chosen) == budget:
                        break
            return chosen
        return self._choose_ngrams(runs, words, order, budget, rng)

    def _choose_ngrams(
        self,
        runs: list[list[range]],
        words: list[range],
        order: list[int],
        budget: int,
        rng: np.random.Generator,
    ) -> list[int]:
        """Do the same with runs of words, shorter ones where a long one is too much."""
        totals = accumulate(map(len, runs))
        ends = [end for run, end in zip(runs, totals, strict=True) for _ in run]
        sums = np.cumsum(self.shares).tolist()
        draws = rng.random(len(order)).tolist()
        free = [True] * len(words)
        chosen: list[int] = []
        for n, draw in zip(order, draws, strict=True):
            if not free[n]:
                continue
            most = 1
            limit = min(ends[n], n + self.masking.ngram)
            while n + most < limit and free[n + most]:
                most += 1
            # Lengths that there is no room for are not drawn.
            length = 1 + bisect_right(sums, draw * sums[most - 1], 0, most)
            stop = min(length, most) + n
            room = words[n].start + budget - len(chosen)
            while stop > n and words[stop - 1].stop > room:
                stop -= 1
            for word in range(n, stop):
                free[word] = False
                chosen += words[word]
            if len(chosen) == budget:
                break
        return chosen
