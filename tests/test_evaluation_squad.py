"""The scores of SQuAD, computed by hand."""

import random

import pytest

from kerasplm.errors import DataError
from kerasplm.evaluation.squad import (
    best_threshold,
    normalized_answer,
    squad2_scores,
    squad_em,
    squad_f1,
    squad_scores,
)

WORDS = ["the", "a", "red", "Fox", "runs.", "in", "1912", "!"]


def test_normalisation():
    assert normalized_answer(" The  An' Apple-a day ") == "applea day"
    assert normalized_answer("thea") == "thea"  # not an article
    assert normalized_answer("春，夏!") == "春，夏"  # only ASCII punctuation


def test_by_hand():
    # Common: red, fox. P = 2/2, R = 2/3, F1 = 4/5.
    assert squad_f1(["red fox runs"], "The red fox") == pytest.approx(0.8)
    # A word counts as often as both have it: 1 of 2 and 1 of 1.
    assert squad_f1(["go"], "go go") == pytest.approx(2 / 3)
    assert squad_f1(["x", "red"], "red!") == 1.0
    assert squad_em(["x", "red"], "Red!") == 1
    assert squad_em(["red fox"], "red") == 0
    # Empty against empty: version 1.1 finds no common word, 2.0 agreement.
    assert squad_f1(["the"], "!") == 0.0
    assert squad_f1(["the"], "!", both_empty=1.0) == 1.0
    # A Chinese answer is one word.
    assert squad_f1(["春夏秋冬"], "春夏秋") == 0.0


def test_version_1():
    references = {"a": ["red fox"], "b": ["x"], "c": ["in 1912", "1912"]}
    # a: P 1, R 1/2, F1 2/3; b: no answer; c: exact.
    scores = squad_scores(references, {"a": "red", "c": "1912.", "other": "x"})
    assert scores["exact_match"] == pytest.approx(100 / 3)
    assert scores["f1"] == pytest.approx(100 * (2 / 3 + 1) / 3)


def test_version_2_by_hand():
    references = {"a": ["red fox"], "b": ["x"], "c": [], "d": [], "e": ["the"]}
    predictions = {"a": "red", "b": "x", "c": "", "d": "y", "e": ""}
    # exact: b, c and e (whose only reference has no words); f1: a has 2/3 besides.
    scores = squad2_scores(references, predictions)
    assert scores == {
        "exact": pytest.approx(60.0),
        "f1": pytest.approx(100 * (3 + 2 / 3) / 5),
        "total": 5,
        "HasAns_exact": pytest.approx(200 / 3),
        "HasAns_f1": pytest.approx(100 * (2 + 2 / 3) / 3),
        "HasAns_total": 3,
        "NoAns_exact": 50.0,
        "NoAns_f1": 50.0,
        "NoAns_total": 2,
    }
    # Above the threshold: d is right then, a and e (which has references) are wrong.
    doubt = {"a": 0.9, "b": 0.5, "c": 0.1, "d": 0.8, "e": 0.7}
    scores = squad2_scores(references, predictions, doubt, threshold=0.5)
    assert scores["exact"] == scores["f1"] == 60.0
    assert scores["NoAns_exact"] == 100.0
    # Best exact: begin with c and d right (2 of 5). In the order of doubt: c answered
    # with "" stays 2, b gives 3, e gives 4, d gives 3, a stays 3.
    assert (scores["best_exact"], scores["best_exact_thresh"]) == (80.0, 0.7)
    assert (scores["best_f1"], scores["best_f1_thresh"]) == (80.0, 0.7)


def test_kinds_that_do_not_occur_are_left_out():
    assert not any(
        k.startswith("NoAns") for k in squad2_scores({"a": ["x"]}, {"a": "x"})
    )
    assert not any(k.startswith("HasAns") for k in squad2_scores({"a": []}, {"a": "x"}))


def test_best_threshold_of_no_answer_at_all():
    # Any answer is wrong: the best is to answer nothing, threshold 0.
    assert best_threshold(
        {"a": [], "b": []},
        {"a": "x", "b": "y"},
        {"a": 0.0, "b": 0.0},
        {"a": 0.1, "b": 0.2},
    ) == (100.0, 0.0)


def test_best_threshold_is_not_beaten():
    """The threshold gives what it promises, and no other one more."""
    rng = random.Random(0)
    for _ in range(200):
        names = [str(n) for n in range(rng.randrange(1, 8))]
        references = {n: rng.choice([[], ["red"], ["red fox"]]) for n in names}
        predictions = {n: rng.choice(["red", "Fox", "red fox", ""]) for n in names}
        doubt = dict(zip(names, rng.sample(range(1, 100), len(names)), strict=True))
        scores = squad2_scores(references, predictions, doubt)
        for name in ("exact", "f1"):
            best, at = scores[f"best_{name}"], scores[f"best_{name}_thresh"]
            tried = {
                threshold: squad2_scores(references, predictions, doubt, threshold)[
                    name
                ]
                for threshold in (0, *doubt.values())
            }
            assert best == pytest.approx(max(tried.values()))
            assert tried[at] == pytest.approx(best)


def test_properties():
    rng = random.Random(1)
    for _ in range(300):
        one, other = (
            " ".join(rng.choices(WORDS, k=rng.randrange(5))) for _ in range(2)
        )
        assert squad_f1([one], other) == pytest.approx(squad_f1([other], one))
        assert squad_f1([one], one, both_empty=1.0) == squad_em([one], one) == 1
        if squad_em([one], other):
            assert squad_f1([one], other, both_empty=1.0) == 1.0


def test_bad_input():
    with pytest.raises(DataError, match="expected questions"):
        squad_scores({}, {})
    with pytest.raises(DataError, match="expected questions"):
        squad2_scores({}, {})
    with pytest.raises(DataError, match="a list of references, found .."):
        squad_scores({"a": []}, {"a": "x"})
    with pytest.raises(DataError, match="a prediction .* none for 'b' and 1 more"):
        squad2_scores({"a": [], "b": [], "c": []}, {"a": ""})
    with pytest.raises(DataError, match="probability of no answer .* none for 'a'"):
        squad2_scores({"a": []}, {"a": ""}, {})
