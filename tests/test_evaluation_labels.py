"""Scores of classes, choices, numbers and relations, computed by hand."""

import math
import random

import numpy as np
import pytest

from kerasplm.errors import DataError
from kerasplm.evaluation import labels as scorers
from kerasplm.evaluation.correlations import (
    average_ranks,
    pearson_correlation,
    spearman_correlation,
)
from kerasplm.evaluation.score import Score
from kerasplm.evaluation.triples import triple_scores, without_case_and_spaces


def test_accuracy_and_majority():
    assert scorers.accuracy(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(2 / 3)
    assert scorers.accuracy(np.array([1, 0]), np.array([1, 0])) == 1.0
    assert scorers.majority_share(["a", "b", "b"]) == pytest.approx(2 / 3)


def test_groups_of_copa_by_hand():
    groups = [0, 0, 1, 1, 2, 2, 3, 3]
    right = [1, 0, 0, 1, 0, 1, 0, 1]
    scores = [0.2, 0.1, 0.7, 0.9, 0.5, 0.5, 0.9, 0.1]
    # Group 0 and 1 right; in group 2 the first of equal ones is chosen: wrong; 3 wrong.
    assert scorers.chosen_rows(groups, scores) == {0: 0, 1: 3, 2: 4, 3: 6}
    assert scorers.group_accuracy(groups, right, scores) == 0.5
    # Rows of one group need not stand together, and there may be more than two.
    assert scorers.group_accuracy("abaab", [0, 0, 0, 1, 1], [1, 2, 3, 4, 5]) == 1.0


def test_confusion_and_f1_by_hand():
    references, predictions = list("aaabbc"), list("aabbba")
    matrix = scorers.confusion_matrix(references, predictions, "abcd")
    assert matrix.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    scores = scorers.class_scores(references, predictions, "abcd")
    # a: 2 of 3 predicted, 2 of 3 expected; b: 2 of 3, 2 of 2; c and d: 0.
    assert scores.classes["a"] == Score(2, 3, 3)
    assert scores.classes["b"].f1 == pytest.approx(0.8)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0.8) / 4)
    accuracy = scorers.accuracy(references, predictions)
    assert scores.micro.f1 == scores.micro.recall == pytest.approx(accuracy)


def test_matthews_by_hand():
    # 3 true positives, 2 true negatives, 1 false positive, 2 false negatives:
    # (3·2 - 1·2) / √(4·5·3·4) = 4 / √240.
    references, predictions = [1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 1]
    expected = 4 / math.sqrt(240)
    assert scorers.matthews_correlation(references, predictions) == pytest.approx(
        expected
    )
    # Three classes, (2, 1, 1) times expected, (1, 2, 1) times predicted. 1 of 4 right:
    # (4·1 - (2·1 + 1·2 + 1·1)) / √((16 - 6)(16 - 6)) = -1/10; 3 of 4: (12 - 5) / 10.
    assert scorers.matthews_correlation("aabc", "abcb") == pytest.approx(-0.1)
    assert scorers.matthews_correlation("aabc", "abbc") == pytest.approx(0.7)
    assert scorers.matthews_correlation([1, 1], [0, 1]) == 0.0
    assert scorers.matthews_correlation([1, 0], [0, 1]) == -1.0


def test_properties_of_classes():
    rng = random.Random(0)
    for _ in range(100):
        one, other = (rng.choices("abc", k=10) for _ in range(2))
        assert scorers.accuracy(one, one) == 1.0
        assert scorers.accuracy(one, other) == scorers.accuracy(other, one)
        matrix = scorers.confusion_matrix(one, other, "abc")
        assert (matrix == scorers.confusion_matrix(other, one, "abc").T).all()
        assert matrix.trace() / matrix.sum() == scorers.accuracy(one, other)
        back = scorers.matthews_correlation(other, one)
        assert scorers.matthews_correlation(one, other) == pytest.approx(back)
        if len(set(one)) > 1:
            assert scorers.matthews_correlation(one, one) == pytest.approx(1.0)


def test_ranks():
    assert average_ranks([3, 1, 3, 3, 2]).tolist() == [4, 1, 4, 4, 2]
    assert average_ranks([5.0]).tolist() == [1]


def test_correlations_by_hand():
    # Deviations (-1, 0, 1) and (-2, -2, 4): 6 / √(2·24).
    assert pearson_correlation([1, 2, 3], [0, 0, 6]) == pytest.approx(6 / math.sqrt(48))
    # Ranks (1, 2, 3) and (1.5, 1.5, 3): 1.5 / √(2·1.5).
    assert spearman_correlation([1, 2, 3], [0, 0, 6]) == pytest.approx(
        1.5 / math.sqrt(3)
    )
    assert pearson_correlation([1, 2], [4, 3]) == pytest.approx(-1.0)
    assert math.isnan(pearson_correlation([1, 2], [0.1, 0.1]))
    assert math.isnan(spearman_correlation([2, 2], [1, 2]))


def test_properties_of_correlations():
    rng = np.random.default_rng(0)
    for _ in range(50):
        one, other = rng.normal(size=(2, 20))
        found = pearson_correlation(one, other)
        assert -1 <= found <= 1
        assert pearson_correlation(other, one) == pytest.approx(found)
        assert pearson_correlation(one * 1e200, 5 - other) == pytest.approx(-found)
        assert pearson_correlation(one, one) == pytest.approx(1.0)
        ranked = spearman_correlation(one, other)
        assert spearman_correlation(np.exp(one), other**3) == pytest.approx(ranked)
        ranks = average_ranks(rng.integers(0, 5, 20))
        assert ranks.sum() == 20 * 21 / 2


def test_chid():
    answers = {"#idiom1#": 3, "#idiom2#": 0, "#idiom3#": 9}
    found = {"#idiom1#": 3, "#idiom2#": 1, "#idiom3#": 9, "#idiom4#": 1}
    assert scorers.chid_accuracy(answers, found) == pytest.approx(2 / 3)
    del found["#idiom2#"]
    with pytest.raises(DataError, match="each of 3 blanks, found none for #idiom2#"):
        scorers.chid_accuracy(answers, found)


def test_triples_by_hand():
    gold = [[("A", "作者", "张三"), ("A", "出版", "春社")], [("B", "作者", "李四")], []]
    found = [
        [("a", "作者", "张 三"), ("A", "出版", "春社")],
        [],
        [("C", "作者", "王五")] * 2,
    ]
    # Right: 出版. Predicted 3 (a repeated one is one), expected 3.
    assert triple_scores(gold, found) == Score(1, 3, 3)
    assert triple_scores(gold, found, without_case_and_spaces) == Score(2, 3, 3)
    assert triple_scores(gold, found, key=lambda t: t[1]) == Score(2, 3, 3)
    assert triple_scores(gold, gold).f1 == 1.0
    assert triple_scores(gold, found).f1 == triple_scores(found, gold).f1
    # The same triple in another text is another one.
    assert triple_scores([gold[0], []], [[], gold[0]]).correct == 0
    # The predicate must agree as it is spelled.
    assert without_case_and_spaces(("A b", "P p", "C")) == ("P p", "ab", "c")


def test_bad_input():
    for function in (scorers.accuracy, scorers.matthews_correlation):
        with pytest.raises(DataError, match="expected 1 predictions, found 2"):
            function(["a"], ["a", "b"])
        with pytest.raises(DataError, match="expected references, found none"):
            function([], [])
    with pytest.raises(DataError, match="found none"):
        scorers.majority_share([])
    with pytest.raises(
        DataError, match="row 2: expected a prediction of 'a', found 'b'"
    ):
        scorers.confusion_matrix(["a", "a"], ["a", "b"], ["a"])
    with pytest.raises(DataError, match="row 1: expected a score, found nan"):
        scorers.chosen_rows(["a"], [math.nan])
    for right, words in [([0, 0], "found 0"), ([1, 1], "found 2")]:
        with pytest.raises(DataError, match=f"group 'a': expected one right.*{words}"):
            scorers.group_accuracy(["a", "a"], right, [0.1, 0.2])
    with pytest.raises(DataError, match="group 'a': expected 0 or 1, found 2"):
        scorers.group_accuracy(["a"], [2], [0.1])
    with pytest.raises(DataError, match="two numbers or more, found 1"):
        pearson_correlation([1], [1])
    with pytest.raises(
        DataError, match="row 2: expected a finite prediction, found nan"
    ):
        spearman_correlation([1, 2], [1, math.nan])
    with pytest.raises(DataError, match="expected 2 predictions, found 1"):
        pearson_correlation([1, 2], [1])
    with pytest.raises(DataError, match="predictions for 1 texts, found 0"):
        triple_scores([[]], [])
