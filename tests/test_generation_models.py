"""With its memory every kind of model generates what it does without."""

import numpy as np
import pytest

from kerasplm.generation import Decoder, Decoding, next_token
from kerasplm.generation.sources import batch_of
from kerasplm.precision import computed_in
from tests.language import (
    FAMILIES,
    SEQ2SEQ,
    START,
    WithoutMemory,
    decode,
    first_texts,
    model_of,
    plain_greedy,
    sources,
)

NAMES = [*FAMILIES, *SEQ2SEQ]
COUNT = 16  # sources per kind: 208 of mixed lengths in all
END = 11


def test_there_are_enough_inputs():
    assert COUNT * len(NAMES) >= 200


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_memory_changes_nothing(name, beams):
    model, rows = model_of(name), sources(COUNT, len(name))
    decoding = Decoding(max_length=10, beams=beams, end_id=END, no_repeat_ngram=2)
    ours = decode(model, decoding, rows)
    plain = decode(WithoutMemory(model), decoding, rows)
    assert [x.ids for x in ours] == [x.ids for x in plain]
    scores = [x.scores for x in ours], [x.scores for x in plain]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-4)
    # The models say something: texts differ, and so do their tokens.
    texts = first_texts(ours)
    assert len(set(map(tuple, texts))) > 2
    assert max(len(set(text)) for text in texts) > 2


@pytest.mark.parametrize("name", ["nezha-unilm", "albert-zh-pre", "mt5"])
def test_greedy_is_the_plain_loop(name):
    model, rows = model_of(name), sources(2, 5)
    found = first_texts(decode(model, Decoding(max_length=8, end_id=END), rows))
    assert found == [plain_greedy(model, row, 8, END) for row in rows]


@pytest.mark.parametrize("name", ["nezha-unilm", "t5"])
@pytest.mark.parametrize(
    "options",
    [{"beams": 3}, {"beams": 3, "compatible": "bert4keras"}, {"samples": 2}],
    ids=str,
)
def test_a_batch_is_its_texts_one_by_one(name, options):
    rows = sources(6, 8)
    decoding = Decoding(max_length=8, end_id=END, **options)
    decoder = Decoder(next_token(model_of(name), START), decoding, started=name == "t5")
    together = decoder(batch_of(rows, 0), seed=4)
    for n, row in enumerate(rows):
        alone = decoder(batch_of([row], 0), numbers=[n], seed=4)
        assert alone[0].ids == together[n].ids
    assert decoder.traces == 1


@pytest.mark.parametrize(("name", "beams"), [("nezha-unilm", 3), ("t5", 1)])
def test_xla_generates_the_same(name, beams):
    rows, decoding = sources(4, 2), Decoding(max_length=6, beams=beams, end_id=END)
    plain = decode(model_of(name), decoding, rows)
    fast = decode(model_of(name), decoding, rows, jit_compile=True)
    assert [x.ids for x in fast] == [x.ids for x in plain]


@pytest.mark.parametrize("name", ["nezha-unilm", "t5"])
def test_half_precision(name):
    """One text at a time, as few rows take other products."""
    model, rows = model_of(name), sources(4, 2)
    with computed_in("float16", mixed=True):
        half = type(model).from_config(model.get_config())
    half.set_weights(model.get_weights())
    decoding = Decoding(max_length=4)
    decoder = Decoder(next_token(half, START), decoding)
    found = [decoder(batch_of([row], 0))[0] for row in rows]
    expected = decode(model, decoding, rows)
    same = [(x, y) for x, y in zip(found, expected, strict=True) if x.ids == y.ids]
    assert len(same) >= 2  # where two words are near the other one may win
    for x, y in same:
        np.testing.assert_allclose(x.scores, y.scores, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", ["nezha-unilm", "t5"])
def test_with_python_between_the_steps_it_is_the_same(name):
    rows, decoding = sources(4, 2), Decoding(max_length=6, beams=3, end_id=END)
    plain = decode(model_of(name), decoding, rows)
    seen = {}
    stepwise = decode(model_of(name), decoding, rows, watch=seen.__setitem__)
    assert [x.ids for x in stepwise] == [x.ids for x in plain]
    assert list(map(seen.get, range(4))) == first_texts(plain)
