"""Strategies on distributions that are small enough to search by hand."""

import itertools
import math

import numpy as np
import pytest

from kerasplm.errors import ConfigError
from kerasplm.generation import Decoding
from kerasplm.generation.sampling import sample
from tests.language import Fixed, decode

# Words: 0 "end", 1 "a", 2 "b", 3 "c". Rows: after end, a, b, c; at the start.
CHAIN = Fixed(
    [
        [0.25, 0.25, 0.25, 0.25],
        [0.10, 0.50, 0.30, 0.10],
        [0.90, 0.05, 0.03, 0.02],
        [0.30, 0.20, 0.10, 0.40],
        [0.05, 0.50, 0.40, 0.05],
    ]
)
ONE = [[5, 6]]


def chain(**options):
    return decode(CHAIN, Decoding(**{"end_id": 0, "max_length": 4} | options), ONE)[0]


def by_hand(length_penalty=0.0, max_length=4, min_ends=1, min_length=0):
    """Score every sequence; return the best ones, the best first."""
    table = np.exp(CHAIN.logits)
    found = []
    for size in range(1, max_length + 1):
        for ids in itertools.product(range(4), repeat=size):
            ends = [n for n, token in enumerate(ids, 1) if token == 0]
            whole = len(ends) >= min_ends and ends[min_ends - 1] == size
            open_ = len(ends) < min_ends and size == max_length
            if not (whole or open_) or whole and size <= min_length:
                continue
            score = sum(math.log(table[a, b]) for a, b in itertools.pairwise([4, *ids]))
            found.append((score / size**length_penalty, list(ids)))
    return sorted(found, reverse=True)


def test_greedy_takes_the_most_probable_token():
    found = chain()
    assert found.ids == [[1, 1, 1, 1]]
    assert found.scores[0] == pytest.approx(4 * math.log(0.5), abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"length_penalty": 1.0},
        {"length_penalty": -1.0},
        {"length_penalty": 3.0, "max_length": 5},
        {"min_ends": 2},
        {"min_length": 3},
    ],
    ids=str,
)
def test_a_wide_beam_finds_the_best_of_all(options):
    """With as many beams as it takes nothing is lost on the way."""
    rows = np.zeros((61, 60))  # 56 words more that never occur
    rows[:4, :4], rows[60, :4] = np.exp(CHAIN.logits[:4]), np.exp(CHAIN.logits[4])
    table = Fixed(rows)
    decoding = Decoding(**{"end_id": 0, "max_length": 4} | options, beams=30)
    score, ids = by_hand(**options)[0]
    found = decode(table, decoding, ONE)[0]
    assert found.ids == [ids]
    assert found.scores[0] == pytest.approx(score, abs=1e-4)


def test_a_finished_text_waits_for_the_running_ones():
    """ "b end" (0.36) ends first and stays behind "a" (0.5) until that gets worse."""
    found = chain(beams=2)
    assert found.ids == [[2, 0]]
    assert found.scores[0] == pytest.approx(math.log(0.4 * 0.9), abs=1e-5)


def test_bert4keras_drops_what_the_pool_keeps():
    # 0 end, 1 a, 2 b, 3 c, 4 d, 5 e.
    rows = np.zeros((8, 7))
    rows[7, 1:3] = 0.55, 0.45
    rows[1, [0, 3]] = 0.05, 0.95
    rows[2, [0, 2]] = 0.8, 0.2
    rows[3, 4:6] = 0.5, 0.5
    rows[4:6] = [0.2, 0, 0, 0, 0.4, 0.4, 0]
    options = {"end_id": 0, "max_length": 5, "beams": 2}
    kept = decode(Fixed(rows), Decoding(**options), ONE)[0]
    # "b end" = 0.36 is second to "a c" = 0.52 when it ends, and the best in the end.
    assert kept.ids == [[2, 0]]
    compatible = Decoding(**options, compatible="bert4keras")
    dropped = decode(Fixed(rows), compatible, ONE)[0]
    assert dropped.ids[0][:2] == [1, 3]


def test_min_length_holds_back_the_end():
    table = Fixed([[0.9, 0.06, 0.04]] * 4)
    for least in range(4):
        found = decode(table, Decoding(end_id=0, max_length=5, min_length=least), ONE)
        assert found[0].ids == [[1] * least + [0]]


def test_min_ends_counts_ends():
    table = Fixed([[0.1, 0.6, 0.3], [0.6, 0.1, 0.3], [0.4, 0.3, 0.3], [0.1, 0.6, 0.3]])
    assert decode(table, Decoding(end_id=0, max_length=9), ONE)[0].ids == [[1, 0]]
    found = decode(table, Decoding(end_id=0, max_length=9, min_ends=3), ONE)[0]
    assert found.ids == [[1, 0, 1, 0, 1, 0]]
    beam = Decoding(end_id=0, max_length=4, min_ends=2, beams=1, length_penalty=1.0)
    assert decode(table, beam, ONE)[0].ids == [[1, 0, 1, 0]]


def test_without_an_end_every_text_has_full_length():
    found = decode(CHAIN, Decoding(max_length=7), ONE)[0]
    assert found.ids == [[1] * 7]
    found = decode(CHAIN, Decoding(max_length=7, beams=2), ONE)[0]
    assert len(found.ids[0]) == 7


def test_repetition_penalty():
    """p ** 2 of a token that was there: 0.5 -> 0.25 < 0.3."""
    table = Fixed([[0.2, 0.5, 0.3]] * 4)
    options = {"max_length": 4, "repetition_penalty": 2.0}
    # After 1 and 2: 0.2 > 0.09; then 1 (0.25) again.
    assert decode(table, Decoding(**options), ONE)[0].ids == [[1, 2, 1, 1]]
    found = decode(table, Decoding(**options, repetition_exempt=(1,)), ONE)
    assert found[0].ids == [[1, 1, 1, 1]]
    strong = {**options, "repetition_penalty": 9.0}
    assert decode(table, Decoding(**strong), ONE)[0].ids == [[1, 2, 0, 1]]
    # The last token does not count yet.
    found = decode(table, Decoding(**strong, repetition_lag=1), ONE)
    assert found[0].ids == [[1, 1, 2, 2]]


def test_no_repeat_ngram():
    table = Fixed([[0.2, 0.5, 0.3]] * 4)

    def ids(size, length):
        options = {"max_length": length, "no_repeat_ngram": size}
        return decode(table, Decoding(**options), ONE)[0].ids[0]

    assert ids(1, 3) == [1, 2, 0]
    assert ids(2, 6) == [1, 1, 2, 1, 0, 1]
    for size, length in ((2, 6), (3, 9)):
        text = ids(size, length)
        grams = list(zip(*(text[n:] for n in range(size)), strict=False))
        assert len(set(grams)) == len(grams)
    # When no pair is left that is new, a text ends; one that cannot end goes on.
    assert ids(1, 5)[:3] == [1, 2, 0]
    decoding = Decoding(max_length=9, no_repeat_ngram=1, end_id=0, min_length=9)
    assert decode(table, decoding, ONE)[0].ids == [[1, 2, 0]]


def test_suppressed_tokens_do_not_occur():
    found = chain(suppress=(1, 3))
    assert found.ids == [[2, 0]]


def shares(decoding, table, seed=0, count=4000):
    found = decode(Fixed([table] * (len(table) + 1)), decoding, ONE * count, seed=seed)
    tokens = np.array([ids for one in found for ids in one.ids])[:, 0]
    return np.bincount(tokens, minlength=len(table)) / len(tokens)


TABLE = [0.1, 0.4, 0.2, 0.3]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, TABLE),
        ({"temperature": 0.5}, np.square(TABLE) / np.square(TABLE).sum()),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_p": 0.7}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_p": 0.71}, [0, 4 / 9, 2 / 9, 3 / 9]),
        ({"top_p": 0.01}, [0, 1, 0, 0]),
        # After top_k: 4/7 and 3/7, of which the first alone reaches 0.5.
        ({"top_k": 2, "top_p": 0.5}, [0, 1, 0, 0]),
        ({"suppress": (1,)}, [1 / 6, 0, 2 / 6, 3 / 6]),
    ],
    ids=str,
)
def test_samples_follow_the_distribution(options, expected):
    found = shares(Decoding(max_length=1, samples=1, **options), TABLE)
    expected = np.array(expected)
    assert (found[expected == 0] == 0).all()
    # Five standard deviations of a share of 4000.
    np.testing.assert_allclose(found, expected, atol=5 * 0.5 / 4000**0.5)


def test_a_draw_picks_the_token_at_its_place():
    scores = np.log(np.tile(TABLE, (6, 1))).astype("float32")
    draws = np.array([0.0, 0.05, 0.2, 0.6, 0.75, np.nextafter(np.float32(1), 0)], "f4")
    assert sample(scores, draws, None, None).numpy().tolist() == [0, 0, 1, 2, 3, 3]
    # Sorted: 0.4 (1), 0.3 (3), 0.2 (2), 0.1 (0).
    assert sample(scores, draws, 4, None).numpy().tolist() == [1, 1, 1, 3, 2, 0]
    never = np.log(np.array([[0.5, 0.5, 1e-40]] * 2, "f4"))
    never[:, 2] = -np.inf
    assert sample(never, draws[[0, 5]], None, None).numpy().tolist() == [0, 1]


def test_equal_seeds_draw_equal_texts():
    decoding = Decoding(max_length=9, samples=5, end_id=0)
    rows = ONE * 6

    def texts(seed, rows=rows, **options):
        return [x.ids for x in decode(CHAIN, decoding, rows, seed=seed, **options)]

    first = texts(1)
    assert texts(1) == first
    assert texts(2) != first
    # Sources and samples draw for themselves.
    assert len({str(ids) for ids in first}) == 6
    assert len({str(ids) for ids in first[0]}) > 1
    alone = texts(1, ONE, numbers=[4])
    assert alone == first[4:5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 0}, "max_length must be a whole number >= 1. Received: 0"),
        ({"beams": 2.0}, "beams must be a whole number"),
        ({"samples": 0}, "samples must be"),
        ({"samples": 2, "beams": 2}, "beams and samples exclude each other"),
        ({"top_k": 3}, "top_k choose among what is drawn.*samples=1"),
        ({"top_k": 0, "samples": 1}, "top_k must be"),
        ({"top_p": 0.0, "samples": 1}, "top_p must be a number above 0 to 1"),
        ({"top_p": 1.5, "samples": 1}, "top_p must be"),
        ({"temperature": 0}, "temperature must be a number above 0"),
        ({"temperature": math.nan}, "temperature must be"),
        ({"repetition_penalty": 0.5}, "repetition_penalty must be a number from 1"),
        ({"length_penalty": math.inf}, "length_penalty must be"),
        ({"min_length": 65}, "min_length must not be more than max_length"),
        ({"compatible": "keras"}, "compatible must be None or one of bert4keras"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        Decoding(**options)


def test_too_many_beams():
    with pytest.raises(ConfigError, match="beams=2 are too many for .* 1 tokens"):
        decode(Fixed([[1.0], [1.0]]), Decoding(beams=2), ONE)
