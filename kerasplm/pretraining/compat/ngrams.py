"""The n-gram masks of ALBERT's creator, with its order of random draws."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from kerasplm.pretraining.compat.documents import Sentence
from kerasplm.pretraining.compat.masking import (
    Masked,
    candidates,
    labelled,
    number_to_predict,
    replacement,
)


class NgramMask:
    """Mask runs of one to ``ngram`` words.

    Args:
        words: All tokens of the vocabulary.
        rng: Draws everything but lengths.
        lengths: Draws lengths, as ``numpy.random`` does in the original.
        masked_lm_prob: Share of the tokens to predict; 0: no masks.
        max_predictions_per_seq: The most to predict.
        do_whole_word_mask: Whether ``##`` pieces go with the piece before.
        ngram: Most words of a run.
        favor_shorter_ngram: Whether a run of n words has the probability 1/n;
            otherwise the probabilities are reversed.
        do_permutation: Whether as many other tokens change places.

    Source:
        google-research/albert, create_pretraining_data.py,
        ``create_masked_lm_predictions``.
    """

    def __init__(
        self,
        words: Sequence[str],
        rng: random.Random,
        lengths: np.random.RandomState,
        *,
        masked_lm_prob: float,
        max_predictions_per_seq: int,
        do_whole_word_mask: bool,
        ngram: int,
        favor_shorter_ngram: bool,
        do_permutation: bool,
    ) -> None:
        """Work out the probabilities of the lengths."""
        self.words, self.rng, self.lengths = words, rng, lengths
        self.masked_lm_prob = masked_lm_prob
        self.max_predictions_per_seq = max_predictions_per_seq
        self.do_whole_word_mask = do_whole_word_mask
        self.do_permutation = do_permutation
        shares = 1.0 / np.arange(1, ngram + 1)
        shares /= shares.sum()
        if not favor_shorter_ngram:
            shares = shares[::-1]
        # What numpy's choice does with probabilities, done once: a search of one
        # uniform draw among their sums.
        sums = (shares / shares.sum()).cumsum()
        self.sums: list[float] = (sums / sums[-1]).tolist()

    def __call__(self, tokens: Sentence) -> Masked:
        """Return the corrupted tokens, the positions, and the tokens there.

        Args:
            tokens: The tokens, special ones included.
        """
        if self.masked_lm_prob == 0:
            return list(tokens), [], []
        sets = candidates(tokens, self.do_whole_word_mask)
        wanted = number_to_predict(
            len(tokens), self.masked_lm_prob, self.max_predictions_per_seq
        )
        starts = list(range(len(sets)))
        self.rng.shuffle(starts)
        out = list(tokens)
        covered: set[int] = set()
        for run in self._runs(sets, starts, wanted, covered, ()):
            for i in run:
                out[i] = replacement(tokens[i], self.words, self.rng)
        self.rng.shuffle(starts)  # whether there is a permutation or not
        if self.do_permutation:
            moved: set[int] = set()
            for _ in self._runs(sets, starts, wanted, moved, covered):
                pass
            places = sorted(moved)
            origins = list(places)
            self.rng.shuffle(origins)
            for place, origin in zip(places, origins, strict=True):
                out[place] = tokens[origin]
            covered |= moved
        return out, *labelled(covered, tokens)

    def _runs(
        self,
        sets: list[list[int]],
        starts: list[int],
        wanted: int,
        covered: set[int],
        taken: Collection[int],
    ) -> Iterator[list[int]]:
        """Yield the runs that fit, and add them to ``covered``."""
        for start in starts:
            if len(covered) >= wanted:
                break
            length = 1 + bisect_right(self.sums, self.lengths.random_sample())
            run = sum(sets[start : start + length], [])
            while len(covered) + len(run) > wanted and length > 1:
                length -= 1
                run = sum(sets[start : start + length], [])
            if len(covered) + len(run) > wanted:
                continue
            if any(i in covered or i in taken for i in run):
                continue
            covered.update(run)
            yield run


def boundary(tokens: Sequence[str]) -> list[int]:
    """Return 1 for each token that starts a word, special ones too.

    Args:
        tokens: The tokens.

    Returns:
        As many numbers.

    Example:
        >>> boundary(["[CLS]", "ke", "##ras", "[SEP]"])
        [1, 1, 0, 1]

    Source:
        google-research/albert, create_pretraining_data.py,
        ``create_masked_lm_predictions``.
    """
    return [int(not token.startswith("##")) for token in tokens]
