"""Documents become instances: small cases by hand, and what always holds."""

import random

import pytest

from kerasplm.pretraining.builders import (
    LAYOUTS,
    Piece,
    cut,
    halves,
    instances,
    join,
    take,
)

CLS, SEP = 1, 2


def piece(*ids, starts=None):
    return Piece(ids, bytes(starts or [1] * len(ids)))


def built(name, pieces, length=16, seed=0, **options):
    rng = random.Random(seed)
    layout = LAYOUTS[name]
    found = instances(pieces, layout, length, (CLS, SEP), rng, **options)
    return list(found)


def parts(instance):
    """Return the tokens of both segments without special tokens."""
    ids, segments = instance.input_ids, instance.segment_ids
    first = [i for i, s in zip(ids, segments, strict=True) if not s]
    second = [i for i, s in zip(ids, segments, strict=True) if s]
    assert first[0] == CLS
    assert first[-1] == SEP
    assert not second or second[-1] == SEP
    return first[1:-1], second[:-1]


def document(seed, sentences=30, longest=14, begin=1000):
    """Return pieces of words of one to four tokens; every token is another one."""
    rng, pieces = random.Random(seed), []
    for _ in range(sentences):
        size = rng.randint(1, longest)
        starts = [1, *(rng.random() < 0.5 for _ in range(size - 1))]
        pieces.append(Piece(list(range(begin, begin + size)), bytes(starts)))
        begin += size
    return pieces


def prepared(name, pieces, length):
    most = LAYOUTS[name].longest_piece(length)
    return [part for whole in pieces for part in cut(whole, most)]


def test_cut_at_words():
    whole = piece(5, 6, 7, 8, 9, starts=[1, 0, 1, 0, 1])
    assert [p.ids for p in cut(whole, 5)] == [(5, 6, 7, 8, 9)]
    assert [p.ids for p in cut(whole, 4)] == [(5, 6, 7, 8), (9,)]
    assert [p.ids for p in cut(whole, 3)] == [(5, 6), (7, 8, 9)]
    assert [p.ids for p in cut(whole, 1)] == [(5,), (6,), (7,), (8,), (9,)]
    assert join(cut(whole, 3)).starts == whole.starts


def test_halves_at_a_word():
    def ids(*starts):
        found = halves(Piece(list(range(len(starts))), bytes(starts)))
        return found and tuple(len(p.ids) for p in found)

    assert ids(1, 1, 1, 1) == (2, 2)
    assert ids(1, 0, 0, 1, 1) == (3, 2)
    assert ids(1, 1, 0, 0, 0, 1) == (1, 5)
    assert ids(1, 0, 0, 0, 1) == (4, 1)
    assert ids(1, 1, 0, 0) == (1, 3)
    assert ids(1, 0, 0) is None
    assert ids(1) is None


def test_take():
    pieces = [piece(*range(n)) for n in (3, 4, 5)]
    assert take(pieces, 0, 7, 1) == 2
    assert take(pieces, 0, 2, 1) == 1
    assert take(pieces, 0, 2, 2) == 2
    assert take(pieces, 1, 99, 1) == 3


def test_doc_sentences_by_hand():
    pieces = [piece(10, 11, 12), piece(13, 14, starts=[1, 0]), piece(15, 16)]
    first, second = built("doc-sentences", pieces, length=8)
    assert first.input_ids == [CLS, 10, 11, 12, 13, 14, SEP]
    assert first.segment_ids == bytes(7)
    assert first.token_boundary == bytes([1, 1, 1, 1, 1, 0, 1])
    assert first.label is None
    assert second.input_ids == [CLS, 15, 16, SEP]


def test_causal_by_hand():
    pieces = [piece(10, 11, 12, 13), piece(14, 15, 16, starts=[1, 0, 0]), piece(17)]
    found = [x.input_ids for x in built("causal", pieces, length=8)]
    # Six tokens would cut the word of 14, 15 and 16.
    assert found == [[CLS, 10, 11, 12, 13, SEP], [CLS, 14, 15, 16, 17, SEP]]


def test_sop_by_hand():
    labels = set()
    for seed in range(20):
        (one,) = built("sop", [piece(10, 11), piece(12)], short=0.0, seed=seed)
        swapped = [CLS, 12, SEP, 10, 11, SEP], bytes([0, 0, 0, 1, 1, 1])
        in_order = [CLS, 10, 11, SEP, 12, SEP], bytes([0, 0, 0, 0, 1, 1])
        assert (one.input_ids, one.segment_ids) == (swapped if one.label else in_order)
        labels.add(one.label)
    assert labels == {0, 1}


def test_a_single_sentence_is_halved():
    (one,) = built("unilm", [piece(10, 11, 12, 13, starts=[1, 0, 1, 0])])
    assert parts(one) == ([10, 11], [12, 13])
    assert built("unilm", [piece(10, 11, starts=[1, 0])]) == []
    assert built("sop", [piece(10)]) == []


def test_nsp_by_hand():
    mine, theirs = [piece(10, 11), piece(12)], [piece(50), piece(51)]
    seen = set()
    for seed in range(60):
        found = built("nsp", mine, short=0.0, seed=seed, stranger=lambda rng: theirs)
        seen.add(tuple((*map(tuple, parts(x)), x.label) for x in found))
    after_mine = ((10, 11), (12,), 0)
    assert (after_mine,) in seen
    # The rest comes back after a stranger; one token has no halves.
    assert {len(x) for x in seen} == {1, 2}
    for found in seen - {(after_mine,)}:
        assert [(x[0], x[2]) for x in found] == [((10, 11), 1), ((12,), 1)]
        assert all(x[1] in {(50, 51), (51,)} for x in found)


def test_nsp_alone_has_the_next_sentence():
    for seed in range(20):
        (one,) = built("nsp", [piece(10, 11), piece(12)], short=0.0, seed=seed)
        assert (*parts(one), one.label) == ([10, 11], [12], 0)


@pytest.mark.parametrize("name", [n for n in LAYOUTS if not LAYOUTS[n].groups])
@pytest.mark.parametrize("length", [8, 17, 32])
@pytest.mark.parametrize("short", [0.0, 0.5])
def test_no_token_is_lost(name, length, short):
    for seed in range(10):
        pieces = prepared(name, document(seed), length)
        other = prepared(name, document(seed, begin=90000), length)
        options = {"short": short, "stranger": lambda rng, other=other: other}
        found = built(name, pieces, length, seed, **options)
        assert found == built(name, pieces, length, seed, **options)
        assert max(len(x.input_ids) for x in found) <= length
        tokens = []
        starts = {i: s for p in (*pieces, *other) for i, s in zip(*p, strict=True)}
        for x in found:
            assert len(x.input_ids) == len(x.segment_ids) == len(x.token_boundary)
            for i, start in zip(x.input_ids, x.token_boundary, strict=True):
                assert start == starts.get(i, 1)
            first, second = parts(x)
            strange = [i for i in second if i >= 90000]
            if name == "nsp":
                assert strange == (second if x.label else [])
                assert second
            if name == "sop" and x.label:
                first, second = second, first
            assert first
            tokens += first + [i for i in second if i < 90000]
        # Only a last word without a partner goes without.
        whole = [i for p in pieces for i in p.ids]
        assert tokens == whole[: len(tokens)]
        rest = whole[len(tokens) :]
        assert not rest or (LAYOUTS[name].shared and rest == list(pieces[-1].ids))
        assert sum(starts[i] for i in rest) <= 1


def test_labels_are_balanced():
    for name in ("nsp", "sop"):
        labels = []
        for seed in range(40):
            pieces, other = document(seed), document(99, begin=90000)
            labels += [
                x.label
                for x in built(name, pieces, 32, seed, stranger=lambda rng, o=other: o)
            ]
        assert 0.4 < sum(labels) / len(labels) < 0.6, name


def test_short_instances_are_as_many_as_wished():
    pieces = document(3, sentences=6000, longest=3)
    for short in (0.0, 0.3):
        found = built("doc-sentences", pieces, 32, short=short)
        # Whole sentences leave at most two tokens of room.
        few = [x for x in found[:-1] if len(x.input_ids) < 30]
        assert abs(len(few) / len(found) - short * 28 / 29) < 0.05


def test_electra_has_one_segment_or_two():
    pieces = document(5, sentences=4000, longest=4)
    found = built("electra", pieces, 64, short=0.0)
    single = [x for x in found if not any(x.segment_ids)]
    assert 0.05 < len(single) / len(found) < 0.15
    firsts = [len(parts(x)[0]) for x in found if any(x.segment_ids)]
    # Half of 61 tokens, or the sentence over it.
    assert 25 <= min(firsts) <= max(firsts) <= 34
