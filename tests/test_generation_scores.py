"""Rouge and BLEU: the numbers of the packages `rouge` 1.0.1 and `nltk` 3.10.4.

With both installed, 3000 random pairs (one to three references; blanks, full stops,
empty texts) gave no difference at all; the values below are from that run.
"""

import pytest

from kerasplm.evaluation.generation import ROUGE, bleu, rouge, text_scores

# Prediction, references; rouge_1, rouge_2, rouge_l, bleu.
CASES = [
    (
        "深度学习综述",
        ["深度学习的综述"],
        [0.9230769181, 0.7272727223, 0.9230769181, 0.5115078116],
    ),
    (
        "基于BERT的标题生成",
        ["一种基于Bert的中文标题生成方法"],
        [0.7857142809, 0.6923076876, 0.7857142809, 0.471364222],
    ),
    ("", ["标题"], [0.0] * 4),
    ("  ", ["标题"], [0.0] * 4),
    (".", ["一"], [0.0] * 4),
    ("无关", ["标题"], [0.0] * 4),
    (
        "A.B. 研究",
        ["a.b.c研究", "B的研究"],
        [0.888888884, 0.5714285665, 0.888888884, 0.4111336169],
    ),
    ("的的的的", ["的"], [0.999999995, 0.0, 0.999999995, 0.0803428419]),
    (
        "人口 与 发展",
        ["人口与发展", "人口 与发展"],
        [0.999999995, 0.999999995, 0.999999995, 0.513345048],
    ),
    (
        "遗传算法求解TSP问题",
        ["求解TSP问题的遗传算法", "TSP问题的遗传算法求解"],
        [0.9565217341, 0.8571428522, 0.6086956472, 0.8831219854],
    ),
]


@pytest.mark.parametrize(("prediction", "references", "expected"), CASES)
def test_scores_are_those_of_the_packages(prediction, references, expected):
    found = text_scores(prediction, references)
    assert list(found) == [*ROUGE, "bleu"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-10)


def test_the_nearest_reference_counts():
    one, other = "一种新的算法", "关于天气"
    both = text_scores("天气算法", [one, other])
    each = [rouge("天气算法", text) for text in (one, other)]
    for name in ROUGE:
        assert both[name] == max(scores[name] for scores in each)
    assert both["bleu"] == bleu("天气算法", [one, other]) > bleu("天气算法", [one])
    with pytest.raises(ValueError, match="found none"):
        text_scores("天气", [])


def test_equal_texts_reach_the_top():
    found = text_scores("今天天气很好", ["今天天气很好"])
    assert found["bleu"] == 1.0
    assert min(found.values()) == pytest.approx(1.0, abs=1e-7)
