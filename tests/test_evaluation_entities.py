"""Scores of entities, computed by hand; tags and entities both ways."""

import random

import pytest

from kerasplm.errors import DataError
from kerasplm.evaluation.entities import (
    CLUENER_TYPES,
    cluener_scores,
    entity_scores,
    token_scores,
)
from kerasplm.evaluation.score import Score, Scores, total
from kerasplm.evaluation.tags import SCHEMES, entities_of_tags, tags_of_entities

TYPES = ("name", "scene", "PER.NOM")


def random_entities(rng, length, gap=0):
    found, at = [], 0
    while at < length:
        end = at + rng.randrange(1, 5)
        if end <= length and rng.random() < 0.6:
            found.append((at, end, rng.choice(TYPES)))
        at = end + gap
    return found


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("", []),
        ("O O", []),
        ("B-a I-a O B-b", [(0, 2, "a"), (3, 4, "b")]),
        ("B-a B-a", [(0, 1, "a"), (1, 2, "a")]),
        ("B-a M-a E-a S-b", [(0, 3, "a"), (3, 4, "b")]),
        ("B-PER.NOM I-PER.NOM", [(0, 2, "PER.NOM")]),
        ("B-a-b I-a-b", [(0, 2, "a-b")]),  # the first separator counts
        # Broken ones, as conlleval reads them:
        ("I-a I-a", [(0, 2, "a")]),  # inside without beginning
        ("O E-a", [(1, 2, "a")]),
        ("B-a I-b", [(0, 1, "a"), (1, 2, "b")]),  # the type changes
        ("E-a E-a", [(0, 1, "a"), (1, 2, "a")]),  # an end closes
        ("B-a E-a I-a", [(0, 2, "a"), (2, 3, "a")]),
        ("S-a I-a", [(0, 1, "a"), (1, 2, "a")]),
        ("I-a S-a", [(0, 1, "a"), (1, 2, "a")]),
        ("B-a O I-a", [(0, 1, "a"), (2, 3, "a")]),
        ("B I O", [(0, 2, "")]),  # no types at all
    ],
)
def test_entities_of_tags(tags, entities):
    assert entities_of_tags(tags.split()) == entities


def test_what_is_outside_and_the_separator_can_be_chosen():
    tags = ["[CLS]", "B_name", "X", "I_name", "[SEP]"]
    found = entities_of_tags(tags, outside=("O", "X", "[CLS]", "[SEP]"), separator="_")
    assert found == [(1, 2, "name"), (3, 4, "name")]


def test_tags_of_entities():
    entities = [(5, 6, "b"), (0, 3, "a"), (3, 5, "a")]
    expected = {
        "BIO": "B-a I-a I-a B-a I-a B-b O",
        "BIOS": "B-a I-a I-a B-a I-a S-b O",
        "BIOES": "B-a I-a E-a B-a E-a S-b O",
        "BMES": "B-a M-a E-a B-a E-a S-b O",
        "IO": "I-a I-a I-a I-a I-a I-b O",
    }
    assert expected.keys() == SCHEMES.keys()
    for scheme, tags in expected.items():
        assert tags_of_entities(entities, 7, scheme) == tags.split()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_there_and_back(scheme):
    rng = random.Random(0)
    for _ in range(200):
        length = rng.randrange(20)
        entities = random_entities(rng, length, gap=scheme == "IO")
        tags = tags_of_entities(entities, length, scheme)
        assert len(tags) == length
        assert entities_of_tags(tags) == entities


def test_broken_tags_give_disjoint_entities_in_order():
    rng = random.Random(1)
    tags = ["O", *(f"{p}-{t}" for p in "BIMES" for t in TYPES)]
    for _ in range(500):
        sequence = rng.choices(tags, k=rng.randrange(15))
        found = entities_of_tags(sequence)
        inside = [place for start, end, _ in found for place in range(start, end)]
        assert inside == [n for n, tag in enumerate(sequence) if tag != "O"]
        for start, end, type_ in found:
            assert {tag[2:] for tag in sequence[start:end]} == {type_}


def test_entity_scores_by_hand():
    references = [[(0, 2, "a"), (3, 4, "b")], [(1, 3, "a")], []]
    predictions = [
        [(0, 2, "a"), (3, 4, "a")],
        [(1, 2, "a")],
        [(0, 1, "c"), (0, 1, "c")],
    ]
    scores = entity_scores(references, predictions)
    # a: one of two found, one of three predicted is right; b: not found; c: invented.
    assert scores.classes == {
        "a": Score(1, 3, 2),
        "b": Score(0, 0, 1),
        "c": Score(0, 1, 0),
    }
    assert scores.micro == Score(1, 4, 3)
    # P 1/4, R 1/3: F1 = 2/7. Macro: a has P 1/3, R 1/2, F1 2/5; the mean of 3.
    assert scores.micro.f1 == pytest.approx(2 / 7)
    assert scores.macro_f1 == pytest.approx(0.4 / 3)
    only = entity_scores(references, predictions, ["b", "a"])
    assert list(only.classes) == ["b", "a"]
    assert only.macro_f1 == pytest.approx(0.2)


def test_cluener_by_hand():
    references = [
        {
            "name": {"张三": [[0, 1], [9, 10]], "李四": [[3, 4]]},
            "book": {"春": [[6, 6]]},
        },
        {"name": {"王五": [[0, 1]]}},
    ]
    predictions = [
        # The place is wrong and one of two is missing: the surface counts.
        {"name": {"张三": [[7, 8]], "王五": [[0, 1]]}, "book": {"春": [[6, 6]]}},
        {"scene": {"王五": [[0, 1]]}},
    ]
    scores = cluener_scores(references, predictions)
    # name: 张三 right, 王五 of the first text wrong, 李四 and 王五 missing.
    assert scores.classes["name"] == Score(correct=1, predicted=2, expected=3)
    assert scores.classes["name"].f1 == pytest.approx(0.4)
    assert scores.classes["book"].f1 == 1.0
    assert scores.classes["scene"].f1 == 0.0  # the original divides by zero here
    assert scores.macro_f1 == pytest.approx(1.4 / 10)
    assert tuple(scores.classes) == CLUENER_TYPES


def test_perfect_predictions_score_1():
    rng = random.Random(2)
    for _ in range(50):
        texts = [random_entities(rng, 12) for _ in range(4)]
        texts[0] = [(0, 1, "name")]
        scores = entity_scores(texts, texts)
        assert scores.micro.f1 == scores.macro_f1 == 1.0
        other = [random_entities(rng, 12) for _ in range(4)]
        one_way, back = entity_scores(texts, other), entity_scores(other, texts)
        assert one_way.micro.f1 == pytest.approx(back.micro.f1)
        assert one_way.micro.precision == back.micro.recall
    label = {type_: ["春"] for type_ in CLUENER_TYPES}
    assert cluener_scores([label], [label]).macro_f1 == 1.0


def test_token_scores_by_hand():
    references = [["B", "I", "O", "O"], ["B"]]
    predictions = [["B", "O", "I", "O"], ["I"]]
    # Right: the first. Predicted in the classes: 3. Expected: 3. Not O.
    assert token_scores(references, predictions, ("B", "I")) == Score(1, 3, 3)
    assert token_scores(references, predictions, ("I",)) == Score(0, 2, 1)


def test_a_share_of_nothing_is_0():
    empty = Score()
    assert empty.precision == empty.recall == empty.f1 == 0.0
    assert Scores({}).macro_f1 == 0.0
    assert Scores({}).micro == total([]) == empty
    assert Score(1, 2, 4).to_dict() == {
        "precision": 0.5,
        "recall": 0.25,
        "f1": pytest.approx(1 / 3),
        "correct": 1,
        "predicted": 2,
        "expected": 4,
    }


def test_bad_input():
    with pytest.raises(DataError, match="tag 2 of 2: expected O or B, .* found 'X'"):
        entities_of_tags(["O", "X"])
    with pytest.raises(DataError, match="a scheme of BIO, .* found 'BILOU'"):
        tags_of_entities([], 1, "BILOU")
    for entity in [(0, 4, "a"), (-1, 1, "a"), (1, 1, "a"), (2, 1, "a")]:
        with pytest.raises(DataError, match="an entity within 0 and 3, found 'a'"):
            tags_of_entities([entity], 3)
    with pytest.raises(DataError, match="'b' from 1 to 3 overlaps"):
        tags_of_entities([(0, 2, "a"), (1, 3, "b")], 3)
    for function in (entity_scores, cluener_scores):
        with pytest.raises(DataError, match="predictions for 2 texts, found 1"):
            function([[], []], [[]])
    with pytest.raises(DataError, match="predictions for 2 texts, found 1"):
        token_scores([[], []], [[]], ())
    with pytest.raises(DataError, match="text 1: expected 2 classes, found 1"):
        token_scores([["O", "O"]], [["O"]], ())
