"""Whole streams of the original data creators, by cases computed by hand."""

import inspect

import pytest

from kerasplm.pretraining.compat import (
    CREATORS,
    albert_google,
    albert_zh,
    albert_zh_google,
    bert,
    electra,
    electra_zh,
    roberta_zh,
    segment,
)
from kerasplm.pretraining.compat.documents import Instance
from tests.draws import KEEP, TOKENIZER, drawing, shown, writing


@pytest.fixture
def text(tmp_path):
    return writing(tmp_path)


@pytest.fixture
def draw(monkeypatch):
    yield from drawing(monkeypatch)


ONCE = {"dupe_factor": 1, "max_predictions_per_seq": 1}


def test_bert_takes_the_next_sentence_or_a_random_one(text, draw):
    file = text("天气", "很好", "", "去公园", "看花")
    draw(
        None,
        # The first document, at full length: cut after one sentence; a random
        # second part from its second sentence on; a mask.
        *(0.1, 1, 0.49, 1, 1, None, *KEEP),
        # 很好 went back; it is alone, so nothing asks for 0.5: ten attempts at a
        # document, the second one differs.
        *(0, 1, 0, None, *KEEP),
        # The second document, short: 4 tokens; the true next part.
        *(0.09, 4, 1, 0.5, None, *KEEP),
        [2, 0, 1],
    )
    made = bert.instances([file], TOKENIZER, max_seq_length=10, **ONCE)
    assert [shown(instance) for instance in made] == [
        ("[CLS]去公园[SEP]看花[SEP]", 5, False),
        ("[CLS]天气[SEP]看花[SEP]", 4, True),
        ("[CLS]很好[SEP]去公园看花[SEP]", 4, True),
    ]


def test_albert_zh_swaps_and_loses_lonely_sentences(text, draw, monkeypatch):
    monkeypatch.setattr(segment, "import_jieba", lambda: Jieba)
    file = text("天气很好", "去公园", "看花", "", "开了")
    draw(
        None,
        # At full length, 7 tokens: two sentences reach it; swapped; 看花 is alone
        # at the end and lost.
        *(0.9, 1, 0.49, [2, 0, 1, 3, 4], 0.1, 0.1),
        0.9,  # the second document has one sentence only
        [0],
    )
    made = albert_zh.instances(
        [file],
        TOKENIZER,
        max_seq_length=10,
        max_predictions_per_seq=2,
        masked_lm_prob=0.2,
        dupe_factor=1,
        do_whole_word_mask=True,
    )
    assert [shown(instance) for instance in made] == [
        ("[CLS]去公园[SEP][MASK][MASK]很好[SEP]", 5, True)
    ]
    # The third word of 去 公园 天气 很 好.
    assert made[0].positions == [5, 6]
    assert made[0].labels == ["天", "##气"]


class Jieba:
    """Finds two words, and single characters."""

    @staticmethod
    def lcut(text):
        return [*text, "天气", "公园"]


def test_albert_zh_without_chinese_asks_no_jieba(text, draw, monkeypatch):
    monkeypatch.setattr(segment, "import_jieba", lambda: pytest.fail("jieba"))
    draw(None, 0.9, 1, 0.5, None, 0.1, None)
    made = albert_zh.instances(
        [text("天气", "很好")], TOKENIZER, non_chinese=True, masked_lm_prob=0.01, **ONCE
    )
    assert [shown(one) for one in made] == [("[CLS][MASK]气[SEP]很好[SEP]", 4, False)]


def test_marks_stay_in_labels_without_whole_words(text, draw, monkeypatch):
    monkeypatch.setattr(segment, "import_jieba", lambda: Jieba)
    draw(None, [1, 0, 2, 3, 4, 5, 6], *KEEP, None)
    made = roberta_zh.instances(
        [text("天气很好", "去公园")], TOKENIZER, max_seq_length=9, **ONCE
    )
    # All of segment 0, and the label is always 1.
    assert [shown(one) for one in made] == [("[CLS]天气很好去公园[SEP]", 9, True)]
    assert (made[0].positions, made[0].labels) == ([2], ["##气"])


def test_copies_of_roberta_zh_differ_in_masks_only(text, draw, monkeypatch):
    asked = []
    monkeypatch.setattr(segment, "import_jieba", lambda: asked.append(1) or Jieba)
    draw(None, None, 0.1, [6, 0, 1, 2, 3, 4, 5], 0.1, None)
    made = roberta_zh.instances(
        [text("天气很好<eop>", "去公园")], TOKENIZER, max_seq_length=9,
        dupe_factor=2, max_predictions_per_seq=1,
    )  # fmt: skip
    assert [one.positions for one in made] == [[1], [7]]
    assert len(asked) == 1  # the words of a text are found once


GOOGLE = {"dupe_factor": 1, "masked_lm_prob": 0, "max_seq_length": 10}


@pytest.mark.parametrize("random_next", [False, True])
def test_a_lonely_sentence_of_albert_takes_another_document(text, draw, random_next):
    draw(None, 0.9, 1, 0, 0.9, 0, 0, None)
    made = albert_google.instances(
        [text("天气", "", "很好")],
        TOKENIZER,
        random_next_sentence=random_next,
        **GOOGLE,
    )
    assert [shown(one) for one in made] == [
        ("[CLS]天气[SEP]很好[SEP]", 4, True),
        ("[CLS]很好[SEP]天气[SEP]", 4, True),
    ]
    assert made[0].boundary == [1] * 7


def test_albert_swaps_or_takes_a_random_part(text, draw):
    file = text("天气", "很好", "", "看花")
    rest = (0.9, 0, 1, None)  # the second document, 看花 with 很好
    draw(None, 0.9, 1, 0.4, *rest)
    made = albert_google.instances([file], TOKENIZER, **GOOGLE)
    assert shown(made[0]) == ("[CLS]很好[SEP]天气[SEP]", 4, True)
    assert shown(made[1]) == ("[CLS]看花[SEP]很好[SEP]", 4, True)
    draw(None, 0.9, 1, 0.4, 1, 0, 1, 0, *rest)
    made = albert_google.instances(
        [file], TOKENIZER, random_next_sentence=True, **GOOGLE
    )
    # The random part puts 很好 back.
    assert [shown(one)[0] for one in made] == [
        *("[CLS]天气[SEP]看花[SEP]", "[CLS]很好[SEP]看花[SEP]"),
        "[CLS]看花[SEP]很好[SEP]",
    ]
    draw(None, 0.9, 1, 0.5, *rest)
    made = albert_google.instances(
        [file], TOKENIZER, random_next_sentence=True, **GOOGLE
    )
    assert shown(made[0]) == ("[CLS]天气[SEP]很好[SEP]", 4, False)


def test_permuted_records_are_twice_as_wide():
    record = albert_google.features(
        Instance(["[CLS]", "天", "[SEP]"], 3, [1], ["气"], boundary=[1, 1, 1]),
        TOKENIZER,
        max_seq_length=4,
        max_predictions_per_seq=2,
        do_permutation=True,
    )
    assert record["masked_lm_ids"] == [6, 0, 0, 0]
    assert record["token_boundary"] == [1, 1, 1, 0]


def test_the_copy_of_albert_means_the_opposite(text):
    file = text("天气很好去公园看花开了" * 3, "看花" * 20)
    options = {"dupe_factor": 9, "max_seq_length": 64}
    copy = albert_zh_google.instances([file], TOKENIZER, **options)
    assert copy == albert_google.instances([file], TOKENIZER, **options)
    copy = albert_zh_google.instances(
        [file], TOKENIZER, favor_shorter_ngram=True, **options
    )
    theirs = albert_google.instances(
        [file], TOKENIZER, favor_shorter_ngram=False, **options
    )
    assert copy == theirs


def test_electra_cuts_at_lengths_and_documents(text, draw):
    file = text("天气很好", "去公园", "看花", "", "", "开了")
    draw(
        None,  # one file
        # 天气很好去公园 reach the target of 7; the goal is 2, 去公园 is too much;
        # the next target is 5.
        *(0.1, 0.04, 5),
        *(0.05, 0.05),  # the blank line: 看花 alone
        *(0.1, 0.9),  # the second one collects nothing; the end of the file
    )
    made = list(electra.instances([file], TOKENIZER, max_seq_length=7))
    assert [shown(one)[:2] for one in made] == [
        ("[CLS]天气很好[SEP]", 6),
        ("[CLS]看花[SEP]", 4),
        ("[CLS]开了[SEP]", 4),
    ]
    record = electra.features(made[1], TOKENIZER, max_seq_length=7)
    assert record == {
        "input_ids": [2, 12, 13, 3, 0, 0, 0],
        "input_mask": [1, 1, 1, 1, 0, 0, 0],
        "segment_ids": [0] * 7,
    }


def test_electra_and_its_copy_part_at_the_second_sentence(text, draw):
    file = text("天", "很好去", "公园")
    draw(None, 0.1, 0.5, 0.05)  # the goal is 4: 很好去 is on the edge
    theirs = list(electra.instances([file], TOKENIZER, max_seq_length=12))
    assert shown(theirs[0])[:2] == ("[CLS]天公园[SEP]很好去[SEP]", 5)
    draw(None, 0.1, 0.05)
    copy = list(electra_zh.instances([file], TOKENIZER, max_seq_length=12))
    assert shown(copy[0])[:2] == ("[CLS]天很好去公园[SEP]", 8)


def test_a_long_first_sentence_opens_the_second_segment_of_the_copy(text, draw):
    file = text("天", "很好去", "公园")
    draw(None, 0.1, 0.05)  # the goal is 1, which 天 reaches
    theirs = list(electra.instances([file], TOKENIZER, max_seq_length=6))
    assert shown(theirs[0])[:2] == ("[CLS]天[SEP]很好[SEP]", 3)
    draw(None, 0.1, 0.6, 0.4, 0.05)
    copy = list(electra_zh.instances([file], TOKENIZER, max_seq_length=6))
    # 天 and 很好去 are in the second one; room for one token is left there.
    assert shown(copy[0])[:2] == ("[CLS]公园[SEP]天[SEP]", 4)


def test_processes_of_electra_share_the_files(tmp_path):
    for name in "cabd":
        (tmp_path / name).write_text("天气\n", encoding="utf-8")
    files = sorted(tmp_path.iterdir(), reverse=True)
    parts = [
        list(electra.instances(files, TOKENIZER, num_processes=3, job_id=job))
        for job in range(3)
    ]
    assert [len(part) for part in parts] == [2, 1, 1]


FLAGS = {"max_seq_length": 128, "max_predictions_per_seq": 20, "random_seed": 12345}
FLAGS |= {"dupe_factor": 10, "masked_lm_prob": 0.15, "short_seq_prob": 0.1}
GOOGLE_FLAGS = {"max_seq_length": 512, "ngram": 3, "random_next_sentence": False}


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("bert", FLAGS | {"do_whole_word_mask": False}),
        ("albert_zh", FLAGS | {"do_whole_word_mask": False, "non_chinese": False}),
        (
            "albert_google",
            GOOGLE_FLAGS | {"dupe_factor": 40, "favor_shorter_ngram": True},
        ),
        ("albert_zh_google", {"dupe_factor": 10, "favor_shorter_ngram": False}),
        ("electra", {"max_seq_length": 128, "num_processes": 1}),
    ],
)
def test_defaults_are_those_of_the_flags(name, flags):
    given = inspect.signature(CREATORS[name].instances).parameters
    assert {flag: given[flag].default for flag in flags} == flags
