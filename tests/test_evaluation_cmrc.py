"""The scores of CMRC 2018, computed by hand."""

import random

import pytest

from kerasplm.errors import DataError
from kerasplm.evaluation.cmrc import (
    PUNCTUATION,
    cmrc_em,
    cmrc_f1,
    cmrc_scores,
    longest_common_run,
    mixed_segmentation,
    remove_punctuation,
)
from kerasplm.evaluation.latin import latin_words

CHARACTERS = "春夏秋冬风花雪月abc12 .,，。-"


def some_text(rng, most=12):
    return "".join(rng.choice(CHARACTERS) for _ in range(rng.randrange(most)))


def test_punctuation_has_33_entries_of_which_one_never_matches():
    assert len(PUNCTUATION) == len(set(PUNCTUATION)) == 33
    assert [sign for sign in PUNCTUATION if len(sign) > 1] == ["……"]
    assert remove_punctuation("".join(PUNCTUATION)) == "……"
    # These look as if they were in the list.
    assert remove_punctuation('‘,.!?()";…—') == '‘,.!?()";…—'


@pytest.mark.parametrize(
    ("text", "kept", "removed"),
    [
        ("", [], []),
        (" 春天，来了 ", ["春", "天", "，", "来", "了"], ["春", "天", "来", "了"]),
        # A removed sign does not end a word: "wi" and "fi" grow together.
        (
            "用Wi-Fi上网",
            ["用", "wi", "-", "fi", "上", "网"],
            ["用", "wifi", "上", "网"],
        ),
        ("第3.5版", ["第", "3.5", "版"], ["第", "3.5", "版"]),
        # 9FA5 is the last ideograph that stands alone; "龦" (9FA6) and kana do not.
        ("龥龥", ["龥", "龥"], ["龥", "龥"]),
        ("龦龦の", ["龦龦の"], ["龦龦の"]),
        ("……", ["……"], ["……"]),
        ("a_b", ["a", "_", "b"], ["ab"]),
    ],
)
def test_segments(text, kept, removed):
    assert mixed_segmentation(text) == kept
    assert mixed_segmentation(text, remove_punctuation=True) == removed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the end.", "the|end|."),
        # A full stop inside stays with its word unless a sentence ends there.
        ("a b.c d", "a|b.c|d"),
        ("no end. yet", "no|end|.|yet"),
        ("st. john", "st.|john"),  # a known abbreviation
        ("ex-gov. x", "ex-gov|.|x"),
        ("ex-gen. x", "ex-gen.|x"),  # known behind a hyphen
        ("t.f. gilbert", "t.f|.|gilbert"),  # not a known one
        ("x. bocki", "x.|bocki"),  # an initial before a lower-case word
        ("x. 12", "x|.|12"),  # but not before a number
        ("12. may", "12.|may"),
        ("12. (may)", "12|.|(|may|)"),
        ("hey! say! jump", "hey|!|say|!|jump"),
        ('he (x.) said "go."', "he|(|x|.|)|said|``|go|.|''"),
        ("(one.) two", "(|one|.|)|two"),  # the bracket stays with the sentence
        ('one." two', "one|.|''|two"),
        ("wait... what", "wait|...|what"),
        ("1,200, or", "1,200|,|or"),
        (",,x", ",|,x"),  # the second comma is used up by the first
        ("1–0 a—b", "1–0|a—b"),  # NLTK 3.10 cuts here
        ("don't can't it's we'll", "do|n't|ca|n't|it|'s|we|'ll"),
        ("cannot gonna gimme", "can|not|gon|na|gim|me"),
        ("wanna", "wan|na"),
        ("'tis more'n d'ye", "'t|is|more|'n|d|'ye"),
        ("rock 'n' roll", "rock|'n|'|roll"),
        ("'x y'", "'|x|y|'"),
        ("«a» ‘b", "«|a|»|‘|b"),
        ("50% $5 a@b #1 r&b", "50|%|$|5|a|@|b|#|1|r|&|b"),
        ("a  ''b''", "a|``|b|''"),
        (" \n ", ""),
    ],
)
def test_latin_words(text, words):
    assert latin_words(text) == (words.split("|") if words else [])


def test_latin_words_of_long_text_take_linear_time():
    # With a quadratic search each of these takes minutes.
    for piece in ("x. ", '."', "((", "..", "a!", "a,"):
        assert latin_words(piece * 10_000)
    assert latin_words("a." + " " * 300_000 + "b") == ["a.", "b"]
    assert latin_words("a." + ")" * 300_000 + "b")[:2] == ["a", "."]


def naive_run(one, other):
    """Try every pair of beginnings."""
    best = 0
    for i in range(len(one)):
        for j in range(len(other)):
            n = 0
            while (
                i + n < len(one) and j + n < len(other) and one[i + n] == other[j + n]
            ):
                n += 1
            best = max(best, n)
    return best


def test_longest_common_run():
    assert longest_common_run("", "abc") == 0
    assert longest_common_run(["ab", "c"], ["a", "bc"]) == 0  # items, not letters
    # A subsequence would give 3.
    assert longest_common_run("abc", "axbxc") == 1
    rng = random.Random(0)
    for _ in range(500):
        one, other = (rng.choices([1, 2, "a"], k=rng.randrange(9)) for _ in range(2))
        assert longest_common_run(one, other) == naive_run(one, other)
        assert longest_common_run(other, one) == longest_common_run(one, other)


def test_f1_by_hand():
    # 4 of 4 expected, 4 of 6 predicted: P 2/3, R 1, F1 4/5.
    assert cmrc_f1(["春夏秋冬"], "花春夏秋冬月") == pytest.approx(0.8)
    # The longest run is 2 although 4 segments agree: P = R = 2/5.
    assert cmrc_f1(["春夏风秋冬"], "春夏月秋冬") == pytest.approx(0.4)
    # The best of the references counts.
    assert cmrc_f1(["风", "春夏"], "春夏") == 1.0
    assert cmrc_f1(["风"], "花") == 0.0
    # Nothing but punctuation is nothing: 0, while the exact match is 1.
    assert cmrc_f1(["。"], "，") == 0.0
    assert cmrc_em(["。"], "，") == 1


def test_em_by_hand():
    assert cmrc_em(["春，夏"], " 春夏。") == 1
    assert cmrc_em(["ABC"], "abc") == 1
    assert cmrc_em(["春 夏"], "春夏") == 0  # a space inside is kept
    assert cmrc_em(["风", "花"], "花") == 1


def test_properties():
    rng = random.Random(1)
    for _ in range(300):
        one, other = some_text(rng), some_text(rng)
        assert cmrc_f1([one], other) == pytest.approx(cmrc_f1([other], one))
        assert cmrc_em([one], other) == cmrc_em([other], one)
        assert 0.0 <= cmrc_f1([one], other) <= 1.0
        if mixed_segmentation(one, remove_punctuation=True):
            assert cmrc_f1([other, one], one) == 1.0
        assert cmrc_em([other, one], one) == 1


def test_scores_by_hand():
    references = {"a": ["春夏秋冬", "春夏"], "b": ["风"], "c": ["花"], "d": ["月"]}
    predictions = {"a": "春夏秋", "b": "风。", "d": "雪", "other": "花"}
    # a: F1 against 春夏秋冬 is 2·1·.75/1.75 = 6/7, against 春夏 2·(2/3)·1/(5/3) = 4/5;
    # b: 1 and exact; c: no answer, 0; d: 0. F1 = (6/7 + 1)/4, EM = 1/4.
    scores = cmrc_scores(references, predictions)
    assert list(scores) == ["AVERAGE", "F1", "EM", "TOTAL", "SKIP"]
    assert scores["F1"] == pytest.approx(100 * 13 / 28)
    assert scores["EM"] == 25.0
    assert scores["AVERAGE"] == pytest.approx((100 * 13 / 28 + 25) / 2)
    assert (scores["TOTAL"], scores["SKIP"]) == (4, 1)


def test_perfect_predictions_score_100():
    references = {str(n): [f"答案{n}", "其他"] for n in range(20)}
    perfect = {question: answers[0] for question, answers in references.items()}
    scores = cmrc_scores(references, perfect)
    assert scores["F1"] == scores["EM"] == scores["AVERAGE"] == 100.0


def test_yes_no_by_hand():
    references = {
        "yes": ["YES", "YES", "是的"],
        "no": ["NO"],
        "unknown": [],
        "also": [],
        "span": ["春夏"],
        "skipped": [],
    }
    predictions = {
        "yes": "YES",
        "no": "YES",
        "unknown": "",
        "also": "春",
        "span": "春夏",
    }
    scores = cmrc_scores(references, predictions, yes_no=True)
    # EM: yes, unknown, span of 6. F1: the same but unknown, which has no segments.
    assert scores["EM"] == pytest.approx(50.0)
    assert scores["F1"] == pytest.approx(100 * 2 / 6)
    # Both references YES are met; the one NO is not; of two answered unknowns one.
    assert (scores["YES"], scores["NO"], scores["UNK"]) == (100.0, 0.0, 50.0)
    assert list(scores)[-2:] == ["TOTAL", "SKIP"]
    only_spans = cmrc_scores({"span": ["春"]}, {"span": "春"}, yes_no=True)
    assert not {"YES", "NO", "UNK"} & only_spans.keys()


def test_bad_input():
    with pytest.raises(DataError, match="expected questions"):
        cmrc_scores({}, {})
    with pytest.raises(DataError, match="question a: expected a reference"):
        cmrc_scores({"a": []}, {"a": ""})
    for function in (cmrc_f1, cmrc_em):
        for references in ([], "春"):
            with pytest.raises(DataError, match="expected a list of references"):
                function(references, "春")
