"""Tokens of questions with choices, against lists by hand and literal loops."""

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError, VocabError
from kerasplm.tasks import TASKS
from kerasplm.tasks.kinds.choice_layouts import lengths_within
from kerasplm.tasks.rows import ChoiceRow
from tests.choosing import TOKENIZER, VOCAB, sequences, settings_of, spell

C3, CHID = TASKS["c3"], TASKS["chid"]


def features(task, rows, tokenizer=TOKENIZER, **changes):
    return task.features(rows, tokenizer, settings_of(task, **changes))


def popped(lengths, budget):
    """The loop of the original: of equal ones the first loses a token."""
    kept = list(lengths)
    while sum(kept) > budget:
        kept[kept.index(max(kept))] -= 1
    return kept


def test_truncation_is_that_of_the_loop():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        lengths = rng.integers(0, 12, rng.integers(1, 5)).tolist()
        budget = int(rng.integers(0, 30))
        assert lengths_within(lengths, budget) == popped(lengths, budget)


def test_c3_tokens():
    row = ChoiceRow(0, "他去了学", "他在哪里", ("东", "西南"), 1)
    found = features(C3, [row])
    assert sequences(found) == [
        ("[CLS] 他 去 了 学 [SEP] 他 在 哪 里 [SEP] 东 [SEP]", "000000" + "1" * 7),
        ("[CLS] 他 去 了 学 [SEP] 他 在 哪 里 [SEP] 西 南 [SEP]", "000000" + "1" * 8),
        *[
            (
                "[CLS] 他 去 了 学 [SEP] 他 在 哪 里 [SEP] 无 效 答 案 [SEP]",
                "000000" + "1" * 10,
            )
        ]
        * 2,
    ]
    assert found.choices == 4
    assert found.targets.classes.tolist() == [1]
    assert found.lengths.tolist() == [16]


def test_c3_pops_the_longest():
    context, question, choices = (
        "甲乙丙丁戊己庚辛" * 3,
        "春夏秋冬",
        ("东南西北东南西", "猫"),
    )
    row = ChoiceRow(0, context, question, choices, 0)
    for limit in (10, 11, 15, 19, 23, 28, 64):
        found = sequences(features(C3, [row], max_length=limit, fill=0))
        for choice, (tokens, segments) in zip(choices, found, strict=True):
            a, b, c = popped([len(context), len(choice), len(question)], limit - 4)
            parts = (context[:a], question[:c], choice[:b])
            first, second, third = (" ".join(part) for part in parts)
            expected = f"[CLS] {first} [SEP] {second} [SEP] {third} [SEP]"
            assert tokens == " ".join(expected.split())
            assert segments == "0" * (a + 2) + "1" * (b + c + 2)
            assert len(segments) <= limit


def test_rows_with_different_numbers_of_choices():
    few = ChoiceRow(0, "他去", "哪里", ("东", "西"), 0)
    many = ChoiceRow(1, "他去", "哪里", ("东", "西", "南", "北", "山", "水"), 5)
    found = features(C3, [few, many])
    assert found.choices == 6
    assert np.diff(found.starts).reshape(2, 6)[0].tolist() == [9, 9, 12, 12, 0, 0]
    # Where only rows with few choices are in a batch, only those are computed.
    assert found.inputs(np.array([0]))["token_ids"].shape == (1, 4, 12)
    both = found.inputs(np.array([1, 0]))
    assert both["token_ids"].shape == (2, 6, 12)
    assert both["padding_mask"].any(-1).sum(-1).tolist() == [6, 4]


def around(tokens, place, room):
    """Return the window as the original cuts it; a side gets what the other leaves."""
    left, right = tokens[:place], tokens[place + 1 :]
    half = room // 2
    if len(left) <= half:
        return left, right[: room - len(left)]
    if len(right) <= room - half:
        before = room - len(right)
        return left[max(len(left) - before, 0) :], right
    return left[-half:] if half else [], right[: room - half]


def cloze(tokens, place, choice, limit):
    """One sequence of the original, from a list in which "#" is another blank."""
    left, right = around(tokens, place, limit - 8)

    def masked(side):
        return [x for one in side for x in (["[MASK]"] * 4 if one == "#" else [one])]

    new_left = masked(left)[-len(left) :] if left else []
    new_right = masked(right)[: len(right)]
    ids = ["[CLS]", *choice, "[SEP]", *new_left, "[unused1]", *new_right, "[SEP]"]
    return " ".join(ids)


def test_chid_tokens():
    row = ChoiceRow("#idiom1#", "他很", "，好。", ("东南西北", "春夏秋冬"), 1, 0)
    found = features(CHID, [row])
    assert sequences(found) == [
        ("[CLS] 东 南 西 北 [SEP] 他 很 [unused1] ， 好 。 [SEP]", "0" * 13),
        ("[CLS] 春 夏 秋 冬 [SEP] 他 很 [unused1] ， 好 。 [SEP]", "0" * 13),
    ]
    assert found.choices == 2


def test_chid_other_blanks_become_masks():
    row = ChoiceRow(
        "#idiom2#", "他#idiom000001#很", "好#idiom3#。", ("东南西北",), 0, 0
    )
    ((tokens, _),) = sequences(features(CHID, [row]))
    # Each side keeps as many tokens as before: of the masks some are cut.
    assert tokens == (
        "[CLS] 东 南 西 北 [SEP] [MASK] [MASK] 很 [unused1] 好 [MASK] [MASK] [SEP]"
    )


def test_chid_windows_are_those_of_the_original():
    rng = np.random.default_rng(1)
    letters = list("甲乙丙丁戊己庚辛春夏秋冬猫狗鸟鱼")
    for _ in range(400):
        tokens = rng.choice([*letters, "#"], rng.integers(1, 60)).tolist()
        place = int(rng.integers(len(tokens)))
        texts = [
            "".join("#idiom12#" if one == "#" else one for one in side)
            for side in (tokens[:place], tokens[place + 1 :])
        ]
        limit = int(rng.integers(10, 50))
        row = ChoiceRow("#idiom0#", *texts, ("东南西北", "一二三四"), 0, 0)
        found = sequences(features(CHID, [row], max_length=limit))
        for choice, (sequence, segments) in zip(row.choices, found, strict=True):
            assert sequence == cloze(tokens, place, choice, limit)
            assert len(segments) <= limit
            assert set(segments) == {"0"}


def test_chid_longer_candidates_take_from_the_window():
    row = ChoiceRow(0, "甲" * 30, "乙" * 30, ("东南西北东南西北", "一"), 0)
    found = sequences(features(CHID, [row], max_length=20))
    assert [len(segments) for _, segments in found] == [20, 13]
    row = ChoiceRow(0, "甲", "乙", ("东" * 30,), 0)
    ((tokens, segments),) = sequences(features(CHID, [row], max_length=12))
    assert tokens == f"[CLS] {' '.join('东' * 8)} [SEP] [unused1] [SEP]"


def test_both_tokenizers_give_the_same():
    rows = [
        ChoiceRow(0, "他#idiom1#很", "好", ("东南西北", "一二三四"), 1, 0),
        ChoiceRow(1, "", "", ("东南", "一"), 0, 1),
    ]
    for task in (C3, CHID):
        one = features(task, rows)
        other = features(task, rows, plm.Tokenizer(VOCAB))
        np.testing.assert_array_equal(one.token_ids, other.token_ids)
        np.testing.assert_array_equal(one.starts, other.starts)


def test_what_does_not_work():
    row = ChoiceRow(7, "甲", "乙", ("东",), 0)
    with pytest.raises(DataError, match="row 7: expected choices, found none"):
        features(C3, [ChoiceRow(7, "甲", "乙", (), None)])
    with pytest.raises(ConfigError, match="at least 10 .* Received: 9"):
        features(C3, [row], max_length=9)
    with pytest.raises(ConfigError, match="layout must be one of question, cloze"):
        C3.settings(layout="table")
    with pytest.raises(ConfigError, match="submission must be one of lines, list"):
        C3.settings(submission="xml")
    plain = plm.PythonTokenizer([t for t in VOCAB if t != "[unused1]"])
    with pytest.raises(VocabError, match=r"'\[unused1\]'.* blank="):
        features(CHID, [row], plain)
    found = features(CHID, [row], plain, blank="[MASK]")
    assert found.token_ids.tolist().count(plain.vocab.index("[MASK]")) == 1
    without = plm.PythonTokenizer([t for t in VOCAB if t != "[MASK]"])
    features(CHID, [row], without)
    with pytest.raises(VocabError, match=r"'\[MASK\]'"):
        features(CHID, [ChoiceRow(0, "#idiom1#", "", ("东",), 0)], without)


def test_spell():
    assert spell([2, 3]) == "[CLS] [SEP]"
