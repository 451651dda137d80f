"""Masks drawn in the graph: budgets, whole words, shares, determinism."""

import numpy as np
import pytest
import tensorflow as tf

from kerasplm.errors import PLMError
from kerasplm.pretraining.dynamic import Masking, _span, instance_seeds

PAD, CLS, SEP, MASK, VOCAB = 0, 1, 2, 3, 500
COMMON = {"vocab_size": VOCAB, "mask_id": MASK, "special_ids": (PAD, CLS, SEP)}


def instances(count=2000, length=64, seed=0):
    """Return ids, lengths and word starts: words of 1 to 4 tokens, two segments."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(12, length + 1, count)
    place = np.arange(length)[None]
    real = place < sizes[:, None]
    ids = np.where(real, rng.integers(5, VOCAB, (count, length)), PAD)
    ids[:, 0] = CLS
    ids[np.arange(count), sizes - 1] = SEP
    ids[np.arange(count), sizes // 2] = SEP
    starts = (rng.random((count, length)) < 0.5) | (ids < 5)
    starts |= np.roll(ids < 5, 1, axis=1)
    return ids.astype("int32"), sizes.astype("int32"), (starts & real).astype("int32")


def draw(masking, ids, sizes, starts, epoch=0, first=0):
    index = tf.range(first, first + len(ids), dtype="int64")
    seeds = masking.seeds(index, tf.fill(tf.shape(index), tf.cast(epoch, "int64")))
    out = masking(tf.constant(ids), tf.constant(sizes), tf.constant(starts), seeds)
    return {name: x.numpy() for name, x in out.items()}


def chosen(out, shape):
    """Return (B, T) bool from positions and weights."""
    masked = np.zeros(shape, bool)
    rows, slots = np.nonzero(out["mlm_weights"])
    masked[rows, out["mlm_positions"][rows, slots]] = True
    return masked


def near(hits, trials, share, sigmas=4.5):
    """Whether a count is what so many trials with that chance give."""
    deviation = np.sqrt(trials * share * (1 - share))
    return abs(hits - trials * share) < sigmas * deviation


WAYS = {
    "tokens": {"unit": "token"},
    "words": {"unit": "word"},
    "spans": {"unit": "word", "ngram": 3},
    "token spans": {"unit": "token", "ngram": 3},
}


@pytest.mark.parametrize("way", WAYS)
def test_budgets_words_and_slots(way):
    masking = Masking(**COMMON, max_predictions=8, **WAYS[way])
    ids, sizes, starts = instances()
    out = draw(masking, ids, sizes, starts)
    masked = chosen(out, ids.shape)
    budget = np.array([min(8, max(1, round(int(n) * 0.15))) for n in sizes])
    np.testing.assert_array_equal(masking.budget(sizes), budget)
    count = masked.sum(1)
    np.testing.assert_array_equal(out["mlm_weights"].sum(1), count)
    assert (count <= budget).all()
    if WAYS[way]["unit"] == "token":
        assert (count == budget).all()
    else:  # the last token is left where only longer words are left
        assert (count == budget).mean() > 0.99
    assert not (masked & (ids < 3)).any()
    np.testing.assert_array_equal(out["token_ids"][~masked], ids[~masked])
    # Positions ascend, each once; ids are the original ones; unused slots are 0.
    used = out["mlm_weights"] > 0
    steps = np.diff(out["mlm_positions"], axis=1)[used[:, 1:]]
    assert (steps > 0).all()
    theirs = np.take_along_axis(ids, out["mlm_positions"], 1)
    np.testing.assert_array_equal(out["mlm_ids"], np.where(used, theirs, 0))
    assert not out["mlm_positions"][~used].any()
    if WAYS[way]["unit"] == "word":  # whole words: a word is masked whole or not
        inner = (starts == 0) & (ids >= 3)
        rows, places = np.nonzero(inner)
        np.testing.assert_array_equal(masked[rows, places], masked[rows, places - 1])


def test_replacement_shares_and_random_tokens():
    masking = Masking(**COMMON, max_predictions=20, unit="token")
    ids, sizes, starts = instances(count=8000)
    out = draw(masking, ids, sizes, starts)
    masked = chosen(out, ids.shape)
    new, old = out["token_ids"][masked], ids[masked]
    total = len(new)
    allowed = VOCAB - 4
    assert near((new == MASK).sum(), total, 0.8)
    assert near((new == old).sum(), total, 0.1 + 0.1 / allowed)
    other = new[(new != MASK) & (new != old)]
    assert near(len(other), total, 0.1 * (1 - 1 / allowed))
    assert other.min() > MASK
    counts = np.bincount(other, minlength=VOCAB)[4:]
    expected = len(other) / allowed
    # Chi-square with 495 degrees of freedom: mean 495, deviation 31.5.
    assert abs(((counts - expected) ** 2 / expected).sum() - 495) < 4.5 * 31.5


def test_random_tokens_of_the_whole_vocabulary():
    masking = Masking(
        **COMMON,
        max_predictions=20,
        mask_share=0.0,
        random_share=1.0,
        random_ids=tuple(range(VOCAB)),
    )
    ids, sizes, starts = instances(count=8000)
    out = draw(masking, ids, sizes, starts)
    found = np.unique(out["token_ids"][chosen(out, ids.shape)])
    np.testing.assert_array_equal(found, np.arange(VOCAB))


@pytest.mark.parametrize("way", ["tokens", "words"])
def test_positions_are_uniform(way):
    """Every token of equal instances is chosen equally often."""
    masking = Masking(**COMMON, max_predictions=20, **WAYS[way])
    count, length = 20000, 42
    ids = np.tile(np.arange(10, 10 + length, dtype="int32"), (count, 1))
    ids[:, 0], ids[:, -1] = CLS, SEP
    starts = np.tile((np.arange(length) % 2 == 1).astype("int32"), (count, 1))
    out = draw(masking, ids, np.full(count, length, "int32"), starts)
    hits = chosen(out, ids.shape).sum(0)[1:-1]
    share = round(length * 0.15) / 40  # 6 of 40
    assert all(near(n, count, share) for n in hits), hits


def test_span_lengths():
    """Spans of n words with a chance proportional to 1 / n of what is possible."""
    draws = tf.constant(np.random.default_rng(0).random(60000), "float32")
    for possible, shares in ((3, (6, 3, 2)), (2, (2, 1)), (1, (1,))):
        given = [tf.fill([60000], n < possible) for n in range(3)]
        found = np.bincount(_span(given, draws), minlength=5)[1:]
        assert not found[possible:].any()
        for n, share in enumerate(shares):
            assert near(found[n], 60000, share / sum(shares)) or share == sum(shares)


def test_spans_become_shorter_where_the_budget_ends():
    masking = Masking(**COMMON, max_predictions=1, prob=0.9, unit="token", ngram=3)
    ids, sizes, starts = instances(count=300)
    assert (draw(masking, ids, sizes, starts)["mlm_weights"].sum(1) == 1).all()


def test_spans_do_not_cross_special_tokens():
    masking = Masking(
        **COMMON, max_predictions=2, prob=0.5, unit="token", ngram=2, mask_share=1.0,
        random_share=0.0,
    )  # fmt: skip
    ids = np.tile(np.array([[CLS, 9, SEP, 9, SEP]], "int32"), (500, 1))
    out = draw(masking, ids, np.full(500, 5, "int32"), np.ones_like(ids))
    assert (out["token_ids"] == [CLS, MASK, SEP, MASK, SEP]).all()


def test_same_masks_in_any_batch_and_epoch_changes_them():
    masking = Masking(**COMMON, max_predictions=8, ngram=2)
    given = instances(count=60)
    whole = draw(masking, *given)
    for size in (1, 7, 20):
        for first in range(0, 60, size):
            part = draw(masking, *(x[first : first + size] for x in given), first=first)
            for name, x in part.items():
                np.testing.assert_array_equal(x, whole[name][first : first + size])
    other = draw(masking, *given, epoch=1)
    differs = (other["mlm_positions"] != whole["mlm_positions"]).any(1)
    assert differs.mean() > 0.85  # the shortest have few spans to choose from
    again = Masking(**COMMON, max_predictions=8, ngram=2, seed=1)
    assert (draw(again, *given)["mlm_positions"] != whole["mlm_positions"]).any()


def test_ten_epochs_cover_what_ten_copies_cover():
    """Share of tokens masked at least once, and that of ten independent copies."""
    masking = Masking(**COMMON, max_predictions=20, unit="token")
    ids, sizes, starts = instances(count=1500)
    covered = np.zeros(ids.shape, bool)
    shares = []
    for epoch in range(10):
        masked = chosen(draw(masking, ids, sizes, starts, epoch), ids.shape)
        covered |= masked
        shares.append(masked.sum(1) / (ids >= 3).sum(1))
    expected = (1 - np.prod([1 - share for share in shares], axis=0)).mean()
    found = (covered.sum(1) / (ids >= 3).sum(1)).mean()
    print(
        f"coverage after 10 epochs: {found:.4f}, of independent copies: {expected:.4f}"
    )
    assert abs(found - expected) < 0.004


def test_electra_draws_with_replacement():
    masking = Masking.electra(**COMMON, max_predictions=10)
    assert masking.special_ids == (PAD, CLS, SEP, MASK)
    ids, sizes, starts = instances(count=6000)
    ids[:, 5] = np.where(ids[:, 5] > MASK, MASK, ids[:, 5])
    out = draw(masking, ids, sizes, starts)
    used = out["mlm_weights"] > 0
    expected = [max(1, min(10, round(int(n) * 0.15))) for n in sizes]
    np.testing.assert_array_equal(used.sum(1), expected)
    positions = out["mlm_positions"]
    theirs = np.take_along_axis(ids, positions, 1)
    assert (theirs[used] > MASK).all()
    np.testing.assert_array_equal(out["mlm_ids"], theirs * used)
    # Some positions stand twice, about as often as chance wants it.
    twice = sum(len(set(p[u])) < u.sum() for p, u in zip(positions, used, strict=True))
    chances = []
    for n, row in zip(expected, ids, strict=True):
        candidates = (row > MASK).sum()
        chances.append(1 - np.prod(1 - np.arange(n) / candidates))
    deviation = np.sqrt(sum(p * (1 - p) for p in chances))
    assert abs(twice - sum(chances)) < 4.5 * deviation
    # A slot is replaced with 85 %; a position that stands once, so too.
    masked = chosen(out, ids.shape)
    once = np.zeros(ids.shape, int)
    for row in range(len(ids)):
        np.add.at(once[row], positions[row][used[row]], 1)
    single = once == 1
    assert near((out["token_ids"][single] == MASK).sum(), single.sum(), 0.85)
    double = once == 2
    assert near((out["token_ids"][double] == MASK).sum(), double.sum(), 1 - 0.15**2)
    np.testing.assert_array_equal(out["token_ids"][~masked], ids[~masked])


def test_electra_without_replacement():
    masking = Masking.electra(**COMMON, max_predictions=10, with_replacement=False)
    ids, sizes, starts = instances(count=4000)
    out = draw(masking, ids, sizes, starts)
    masked = chosen(out, ids.shape)
    assert masked.sum() == out["mlm_weights"].sum()
    new = out["token_ids"][masked]
    assert near((new == MASK).sum(), len(new), 0.85)
    assert set(np.unique(new == ids[masked])) == {False, True}
    assert ((new == MASK) | (new == ids[masked])).all()


def test_instances_with_nothing_to_mask():
    """Rows without tokens, and rows of special tokens alone."""
    ids = np.array([[0] * 6, [CLS, SEP, 0, 0, 0, 0]], "int32")
    sizes = np.array([0, 2], "int32")
    for masking in (
        Masking(**COMMON, max_predictions=8, ngram=2),
        Masking.electra(**COMMON, max_predictions=8),
    ):
        out = draw(masking, ids, sizes, np.ones_like(ids))
        np.testing.assert_array_equal(out["token_ids"], ids)
        assert not out["mlm_weights"].any()
        assert out["mlm_positions"].shape == (2, 8)


def test_runs_in_a_data_set_with_static_shapes():
    masking = Masking(**COMMON, max_predictions=8)
    ids, sizes, starts = instances(count=64)
    seeds = instance_seeds(7, tf.range(64, dtype="int64"), tf.zeros(64, "int64"))
    data = tf.data.Dataset.from_tensor_slices((ids, sizes, starts, seeds))
    data = data.batch(16, drop_remainder=True).map(masking)
    assert data.element_spec["token_ids"].shape == (16, 64)
    assert data.element_spec["mlm_positions"].shape == (16, 8)
    assert len(list(data)) == 4


def test_seeds_differ():
    index = tf.range(50000, dtype="int64")
    zeros = tf.zeros_like(index)
    found = np.concatenate(
        [instance_seeds(s, index, zeros + e) for s in (0, 1) for e in (0, 1)]
    )
    # 200 000 draws of 2**31: about 9 coincidences.
    assert len(found) - len(np.unique(found)) < 30
    assert found.min() >= 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prob": 0.0}, "prob must be"),
        ({"prob": 1.5}, "prob must be"),
        ({"max_predictions": 0}, "max_predictions"),
        ({"ngram": 0}, "ngram"),
        ({"mask_share": 0.8, "random_share": 0.3}, "shares"),
        ({"unit": "char"}, "unit must be one of word, token"),
        ({"mask_id": VOCAB}, "mask_id"),
        ({"with_replacement": True}, "with_replacement"),
        ({"random_ids": (VOCAB,)}, "random_ids"),
        ({"random_ids": ()}, "no ids"),
    ],
)
def test_bad_options_are_refused(fields, message):
    with pytest.raises(PLMError, match=message):
        Masking(**{**COMMON, "max_predictions": 5, **fields})
