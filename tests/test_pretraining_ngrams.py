"""The n-gram masks of ALBERT's data creator, by cases computed by hand."""

import random

import numpy as np

from kerasplm.pretraining.compat import ngrams
from tests.draws import Draws


def ngram_mask(rng, lengths, tokens, **changed):
    options = {
        "masked_lm_prob": 0.5,
        "max_predictions_per_seq": 20,
        "do_whole_word_mask": True,
        "ngram": 3,
        "favor_shorter_ngram": True,
        "do_permutation": False,
    }
    made = ngrams.NgramMask(["去"], rng, lengths, **options | changed)(tokens)
    rng.finish()
    lengths.finish()
    return made


CHARS = ["[CLS]", *"天气很好", "[SEP]", *"去公", "[SEP]"]  # words 0-3 and 4, 5


def test_runs_of_words_are_masked():
    # 9 * 0.5 = 4.5, to the even 4. Probabilities are 6/11, 3/11 and 2/11.
    rng = Draws([3, 0, 4, 1, 2, 5], 0.1, 0.1, 0.1, 0.1, None)
    out, positions, labels = ngram_mask(rng, Draws(0.6, 0.9), CHARS)
    # 好去, across the [SEP]; three from 天 are too many, two fit.
    assert positions == [1, 2, 4, 6]
    assert labels == ["天", "气", "好", "去"]
    assert out == [
        "[CLS]",
        *["[MASK]"] * 2,
        "很",
        "[MASK]",
        "[SEP]",
        *["[MASK]", "公", "[SEP]"],
    ]


def test_a_covered_run_still_costs_a_draw():
    rng = Draws([0, 1, 2, 3, 4, 5], 0.1, 0.1, 0.1, None)
    _, positions, _ = ngram_mask(rng, Draws(0.7, 0.1, 0.2), CHARS, masked_lm_prob=0.3)
    assert positions == [1, 2, 3]  # 天气, then 气 is covered, then 很


def test_slices_end_with_the_text():
    rng = Draws([5, 0, 1, 2, 3, 4], 0.1, 0.1, None)
    _, positions, _ = ngram_mask(rng, Draws(0.99, 0.0), CHARS, masked_lm_prob=0.25)
    assert positions == [1, 7]


def test_long_runs_are_favoured_on_demand():
    # Reversed: 2/11, 3/11, 6/11.
    rng = Draws(None, 0.1, 0.1, 0.1, None)
    _, positions, _ = ngram_mask(
        rng, Draws(0.46), CHARS, masked_lm_prob=0.3, favor_shorter_ngram=False
    )
    assert positions == [1, 2, 3]


def test_lengths_are_those_of_numpy():
    ours = ngrams.NgramMask(
        ["去"], random.Random(3), np.random.RandomState(5), masked_lm_prob=0.15,
        max_predictions_per_seq=20, do_whole_word_mask=True, ngram=3,
        favor_shorter_ngram=True, do_permutation=False,
    )  # fmt: skip
    theirs = np.random.RandomState(5)
    shares = np.array([6, 3, 2]) / 11
    for _ in range(200):
        drawn = np.searchsorted(ours.sums, ours.lengths.random_sample(), "right")
        assert drawn + 1 == theirs.choice([1, 2, 3], p=shares)


def test_permuted_tokens_are_predicted_too():
    rng = Draws([0, 1, 2, 3, 4, 5], 0.1, 0.1, [0, 2, 3, 5, 1, 4], [1, 0])
    out, positions, labels = ngram_mask(
        rng,
        Draws(0.1, 0.1, 0.1, 0.1, 0.1),
        CHARS,
        masked_lm_prob=0.25,
        do_permutation=True,
    )
    assert out == ["[CLS]", "[MASK]", "[MASK]", "好", "很", *CHARS[5:]]
    assert (positions, labels) == ([1, 2, 3, 4], list("天气很好"))


def test_no_probability_means_no_draw():
    made = ngram_mask(Draws(), Draws(), CHARS, masked_lm_prob=0)
    assert made == (CHARS, [], [])
