"""Clean static masks."""

from collections import Counter

import numpy as np
import pytest

from kerasplm.errors import VocabError
from kerasplm.pretraining.masking import Masker, Masking
from kerasplm.python_tokenizer import PythonTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENIZER = PythonTokenizer([*SPECIAL, *map(chr, range(0x4E00, 0x4E00 + 1000))])
CLS, SEP, MASK = 2, 3, 4


def instance(sizes, seconds=()):
    """Return ids and word starts of a pair of segments, by the sizes of words."""
    ids, starts = [CLS], [1]
    for part in (sizes, seconds):
        for size in part:
            ids += range(len(ids) + 100, len(ids) + 100 + size)
            starts += [1] + [0] * (size - 1)
        if part:
            ids.append(SEP)
            starts.append(1)
    return ids, starts


def many(ids, starts, count=400, **options):
    masker = Masker(TOKENIZER, Masking(**options))
    return [masker(ids, starts, np.random.default_rng((7, n))) for n in range(count)]


def test_the_budget_counts_special_tokens():
    masking = Masking(probability=0.1, max_predictions=4)
    assert [masking.budget(n) for n in (2, 15, 25, 35, 500)] == [1, 2, 2, 4, 4]


def test_words_are_the_tokens_between_starts():
    ids, starts = instance([2, 1], [3])
    starts[4] = starts[5] = 0  # what follows a special token begins a word
    masker = Masker(TOKENIZER, Masking())
    assert masker.sets(ids, starts) == [[range(1, 3), range(3, 4)], [range(5, 8)]]
    masker = Masker(TOKENIZER, Masking(whole_words=False))
    assert masker.sets(ids[1:4], starts) == [[range(n, n + 1) for n in range(3)]]
    assert masker.sets([CLS, SEP, 0], [1, 1, 1]) == []


@pytest.mark.parametrize("ngram", [1, 3])
def test_labels_are_true_and_the_rest_is_untouched(ngram):
    ids, starts = instance([1, 2, 3] * 6, [2] * 10)
    for masked in many(ids, starts, ngram=ngram):
        assert masked.positions == sorted(set(masked.positions))
        assert masked.labels == [ids[i] for i in masked.positions]
        chosen = set(masked.positions)
        for i, (ours, theirs) in enumerate(zip(masked.input_ids, ids, strict=True)):
            assert ours == theirs or i in chosen
        assert not chosen & {i for i, token in enumerate(ids) if token in (CLS, SEP)}


@pytest.mark.parametrize("ngram", [1, 3])
def test_the_budget_is_used_up(ngram):
    ids, starts = instance([1, 2, 3] * 6, [2] * 10)
    budget = Masking().budget(len(ids))
    assert budget == 9
    for masked in many(ids, starts, ngram=ngram):
        assert len(masked.positions) == budget


@pytest.mark.parametrize("ngram", [1, 3])
def test_words_are_masked_as_a_whole(ngram):
    sizes = [1, 2, 3] * 6
    ids, starts = instance(sizes)
    ends = np.cumsum([1, *sizes]).tolist()
    words = [set(range(a, b)) for a, b in zip(ends, ends[1:], strict=False)]
    for masked in many(ids, starts, ngram=ngram):
        chosen = set(masked.positions)
        assert all(word <= chosen or not word & chosen for word in words)


def test_without_whole_words_each_token_is_as_likely():
    ids, starts = instance([3] * 10)
    counts = Counter()
    for masked in many(ids, starts, 4000, whole_words=False, max_predictions=1):
        counts.update(masked.positions)
    assert sorted(counts) == list(range(1, 31))
    # Each has 4000 / 30 = 133 with a standard deviation of 11.4.
    assert max(abs(n - 4000 / 30) for n in counts.values()) < 5 * 11.4


def test_replacements_are_80_10_10():
    ids, starts = instance([1] * 98)
    fates = Counter()
    for masked in many(ids, starts, 2000, max_predictions=50, probability=0.5):
        for i in masked.positions:
            token = masked.input_ids[i]
            fates[
                "mask" if token == MASK else "kept" if token == ids[i] else "other"
            ] += 1
    total = sum(fates.values())
    assert total == 2000 * 50
    for fate, share in (("mask", 0.8), ("kept", 0.1), ("other", 0.1)):
        deviation = (share * (1 - share) / total) ** 0.5
        # One random token in 1005 is the same by chance, or [MASK].
        assert abs(fates[fate] / total - share) < 5 * deviation + 0.0002


@pytest.mark.parametrize(
    ("favor_shorter", "shares"), [(True, (6, 3, 2)), (False, (2, 3, 6))]
)
def test_run_lengths_have_their_probabilities(favor_shorter, shares):
    ids, starts = instance([1] * 298)
    lengths = Counter()
    masker = Masker(TOKENIZER, Masking(ngram=3, favor_shorter=favor_shorter))
    sets = masker.sets(ids, starts)
    for n in range(6000):
        rng = np.random.default_rng((1, n))
        first = masker._choose(sets, 3, rng)
        # The first run of a budget of three is as long as drawn, but at the end.
        if first[0] < 297:
            lengths[next((k for k in (1, 2) if first[k] - first[k - 1] != 1), 3)] += 1
    total = sum(lengths.values())
    for n, share in enumerate(shares, 1):
        expected = share / 11
        deviation = (expected * (1 - expected) / total) ** 0.5
        # A neighbour by chance is one in a hundred.
        assert abs(lengths[n] / total - expected) < 5 * deviation + 0.01


def test_no_run_crosses_a_special_token():
    ids, starts = instance([1] * 2, [1] * 2)
    masker = Masker(TOKENIZER, Masking(ngram=2, favor_shorter=False))
    sets = masker.sets(ids, starts)
    pairs = Counter(
        tuple(masker._choose(sets, 2, np.random.default_rng(n))) for n in range(3000)
    )
    crossing = pairs[(2, 4)] + pairs[(4, 2)]
    # By chance: 2, then 4 (1/4 * 1/3); 4 alone, then 2 (1/4 * 1/3 * 1/3). As a run
    # it would be 2/9.
    assert abs(crossing - 3000 / 9) < 5 * (3000 / 9 * 8 / 9) ** 0.5


def test_the_same_seed_gives_the_same_masks():
    ids, starts = instance([1, 2, 3] * 10)
    for ngram in (1, 3):
        first, again = (many(ids, starts, 20, ngram=ngram) for _ in range(2))
        assert first == again
        assert len({tuple(masked.positions) for masked in first}) > 10


def test_nothing_to_mask_is_no_error():
    assert many([CLS, SEP], [1, 1], 1) == [([CLS, SEP], [], [])]
    # Words that are longer than the budget stay.
    ids, starts = instance([5, 5])
    assert many(ids, starts, 1, ngram=3) == [(ids, [], [])]


@pytest.mark.parametrize(
    "options",
    [{"probability": 0.0}, {"probability": 1.1}, {"max_predictions": 0}, {"ngram": 0}],
)
def test_numbers_out_of_range(options):
    with pytest.raises(ValueError, match="Received"):
        Masking(**options)


def test_a_vocabulary_without_mask_is_an_error():
    with pytest.raises(VocabError, match="MASK"):
        Masker(PythonTokenizer(SPECIAL[:4]), Masking())
