"""Marked texts, passages with questions, choices and blanks."""

import json
import sys
import types

import pytest

from kerasplm.errors import DataError
from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.formats.clue import mark, nearest
from kerasplm.tasks.formats.clue import read_pronouns as pronouns
from kerasplm.tasks.formats.questions import MOVED, NO_OFFSET, NOT_FOUND
from kerasplm.tasks.rows import Answer, ChoiceRow, QuestionRow, TextRow


def put(path, *objects):
    lines = (x if isinstance(x, str) else json.dumps(x) for x in objects)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def read(form, *files, labels=(), labelled=None):
    return FORMATS[form].read(files, labels, labelled=labelled, aliases={})


def broken(form, file, message, **how):
    with pytest.raises(DataError, match=message) as error:
        read(form, file, **how)
    assert str(file) in str(error.value)
    str(error.value).encode()


# -- CLUE ----------------------------------------------------------------------------


def test_keywords(tmp_path):
    line = {"id": 3, "abst": "摘要。", "keyword": ["词", "another word"], "label": "1"}
    file = put(tmp_path / "a.json", line, line | {"label": 0})
    found = read("csl", file, labels=("0", "1"), labelled=True).rows
    assert found[0] == TextRow(3, "词 another word", "摘要。", "1")
    assert found[1].label == "0"
    assert read("csl", file, labelled=False).rows[0].label is None
    for bad in ("词", [1], ["\ud800"], None):
        file = put(tmp_path / "b.json", line, line | {"keyword": bad})
        broken("csl", file, "line 2: expected a list of texts under 'keyword'")


def sentence(text, noun, first, pronoun, second, **more):
    target = {"span1_text": noun, "span1_index": first}
    target |= {"span2_text": pronoun, "span2_index": second}
    return {"text": text, "target": target, **more}


@pytest.mark.parametrize(
    ("args", "marked"),
    [
        (("小明说他饿了", 0, "小明", 3, "他"), "_小明_说[他]饿了"),
        (("他说小明饿了", 2, "小明", 0, "他"), "[他]说_小明_饿了"),
        (("那只猫它跑了", 2, "猫", 3, "它"), "那只_猫_[它]跑了"),
        # One in the other: the marks are counted as the original counts them.
        (("小明自己说", 0, "小明自己", 2, "自己"), "_小明自[己_]说"),
    ],
)
def test_marks(args, marked):
    assert mark(*args) == marked


def test_pronouns(tmp_path):
    good = sentence("小明说他饿了", "小明", 0, "他", 3, idx=8, label=True)
    file = put(tmp_path / "a.json", good)
    rows = read("cluewsc2020", file, labels=("true", "false"), labelled=True).rows
    assert rows == [TextRow(8, "_小明_说[他]饿了", None, "true")]
    moved = sentence("小明说他饿了", "小明", 1, "他", -1, idx=9, label="true")
    gone = sentence("小明说他饿了", "小红", 0, "他", 3, idx=9, label="true")
    file = put(tmp_path / "b.json", good, moved, gone)
    broken("cluewsc2020", file, "line 2: target: expected span1_text '小明' at .* 1")
    found = pronouns([file], (), labelled=None, aliases={}, repair=True)
    assert [row.text for row in found.rows] == ["_小明_说[他]饿了"] * 2
    assert found.repaired.total() == 2
    assert found.dropped == {"span not in the text": 1}
    for change in ({"span1_index": "0"}, {"span2_text": None}, {"span1_index": True}):
        bad = good | {"target": good["target"] | change}
        broken("cluewsc2020", put(tmp_path / "c.json", bad), "line 1: target: expected")
    bad = put(tmp_path / "d.json", good | {"target": None})
    broken("cluewsc2020", bad, "line 1: target: expected a JSON object, found None")
    bad = put(
        tmp_path / "e.json", good | {"target": good["target"] | {"span1_text": ""}}
    )
    broken("cluewsc2020", bad, "expected span1_text ''")


def test_causes(tmp_path):
    one = {"premise": "下雨了。", "choice0": "地湿了。", "choice1": "天晴了。"}
    effect = one | {"question": "effect", "label": 0, "idx": 4}
    cause = one | {"question": "cause", "label": "1"}
    rows = read("copa", put(tmp_path / "a.json", effect, cause), labelled=True).rows
    assert rows == [
        TextRow(4, "下雨了。", "地湿了。", "1", 4),
        TextRow(4, "下雨了。", "天晴了。", "0", 4),
        TextRow(1, "地湿了。", "下雨了。", "0", 1),
        TextRow(1, "天晴了。", "下雨了。", "1", 1),
    ]
    del cause["label"]
    assert read("copa", put(tmp_path / "b.json", cause)).rows[0].label is None
    broken("copa", put(tmp_path / "c.json", effect | {"label": 2}), "found '2'")
    why = effect | {"question": "why"}
    broken("copa", put(tmp_path / "d.json", why), "cause or effect, found 'why'")


@pytest.mark.parametrize(
    ("start", "place"), [(0, 0), (1, 0), (2, 0), (3, 4), (4, 4), (6, 4), (99, 4)]
)
def test_nearest(start, place):
    assert nearest("甲乙丙丁甲乙", "甲乙", start) == place
    assert nearest("甲乙丙丁甲乙", "丙甲", start) == -1


# -- questions -----------------------------------------------------------------------


def question(name, *answers, **more):
    return {"id": name, "question": "谁？", "answers": list(answers), **more}


def answer(text, start):
    return {"text": text, "answer_start": start}


def squad(*questions, context="张三和李四，还有张三。", **more):
    paragraph = {"context": context, "qas": list(questions)}
    return {
        "version": "x",
        "data": [{"title": "题", "paragraphs": [paragraph]}],
        **more,
    }


def test_squad_layout_and_places(tmp_path):
    data = squad(
        question("q0", answer("张三", 0), answer("李四", 3), answer("张三", 8)),
        question("q1", answer("李四", 1)),
        question("q2", answer("张三", 6)),
        question("q3", answer("王五", 2)),
        question("q4", answer("张三", -1)),
        question("q5", is_impossible=True),
    )
    found = read("cmrc2018", put(tmp_path / "a.json", data), labelled=True)
    answers = [[(x.text, x.start) for x in row.answers] for row in found.rows]
    assert answers == [
        [("张三", 0), ("李四", 3), ("张三", 8)],
        [("李四", 3)],
        [("张三", 8)],
        [("王五", -1)],
        [("张三", 0)],
        [],
    ]
    assert found.repaired == {MOVED: 2, NOT_FOUND: 1, NO_OFFSET: 1}
    assert [row.impossible for row in found.rows] == [False] * 5 + [True]
    rows = read("squad", tmp_path / "a.json", labelled=False).rows
    assert {row.answers for row in rows} == {None}


def test_other_layouts(tmp_path):
    own = {"query_id": "Q", "query_text": "谁？", "answers": ["李四", "张三"]}
    item = {"context_id": "C", "context_text": "张三和李四", "qas": [own]}
    found = read("cmrc2018", put(tmp_path / "a.json", [item]))
    answers = (Answer("李四", 3), Answer("张三", 0))
    assert found.rows == [QuestionRow("Q", "谁？", "张三和李四", answers)]
    assert found.repaired == {NO_OFFSET: 2}
    flat = squad()["data"][0]["paragraphs"][0] | {"qas": [question(7, answer("和", 2))]}
    (row,) = read("squad", put(tmp_path / "b.json", {"data": [flat]})).rows
    assert (row.id, row.answers) == ("7", (Answer("和", 2),))
    legal = question("q", is_impossible="true")
    (row,) = read("squad", put(tmp_path / "c.json", squad(legal))).rows
    assert row.impossible
    assert row.answers == ()


def test_hidden_answers(tmp_path):
    fake = [answer("FAKE_ANSWER_1", -1), answer("", -1)]
    none = {"id": "q2", "question": "谁？"}
    data = squad(question("q0", *fake), question("q1"), none)
    file = put(tmp_path / "a.json", data)
    found = read("cmrc2018", file)
    assert [row.answers for row in found.rows] == [None] * 3
    assert not found.repaired
    broken(
        "cmrc2018", file, "article 0: paragraph 0: question 0: .*none", labelled=True
    )
    some = put(
        tmp_path / "b.json", squad(question("a", answer("和", 2)), question("b"))
    )
    broken("cmrc2018", some, "question 1: has no answer, but 1 of 2 rows")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (squad(question("a"), question("a")), "question 1: .*another id.*'a' again"),
        (squad({"question": "谁？"}), "an id under 'id' or 'query_id', found None"),
        (squad({"id": "a"}), "a text under 'question' or 'query_text'"),
        (
            squad(question("a", answer("和", "2"))),
            "answer 0: .*answer_start, found '2'",
        ),
        (squad(question("a", 3)), "answer 0: expected a JSON object, found int"),
        (squad(question("a", is_impossible=2)), "true or false under 'is_impossible'"),
        (squad(context=3), "paragraph 0: expected a text under 'context' or"),
        (squad() | {"data": {}}, "a list under 'data'"),
        (squad(), "expected examples, found an empty file"),
        ("[1,\n2", "line 2: expected JSON, found broken JSON at column 2"),
        ("3", "expected a JSON object, found int"),
        ("", "line 1: expected JSON, found broken JSON"),
    ],
)
def test_broken_questions(data, message, tmp_path):
    broken("cmrc2018", put(tmp_path / "a.json", data), message)


def test_simplified_characters_keep_their_places(tmp_path, monkeypatch):
    table = {"漢": "汉", "語": "语", "裡面": "里", "們": "们"}

    def convert(text):
        for old, new in table.items():
            text = text.replace(old, new)
        return text

    def load(name):
        assert name == "t2s"
        return types.SimpleNamespace(convert=convert)

    monkeypatch.setitem(sys.modules, "opencc", types.SimpleNamespace(OpenCC=load))
    data = squad(question("q", answer("語們", 3)), context="裡面漢語們")
    data["data"][0]["paragraphs"][0]["qas"][0]["question"] = "漢？"
    (row,) = read("drcd_simplified", put(tmp_path / "a.json", data)).rows
    assert row.context == "裡面汉语们"  # "里" is shorter, so it is left
    assert row.question == "汉？"
    assert row.answers == (Answer("语们", 3),)
    (row,) = read("drcd", tmp_path / "a.json").rows
    assert row.context == "裡面漢語們"
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(DataError, match=r"pip install 'kerasplm\[opencc\]'"):
        read("drcd_simplified", tmp_path / "a.json")


# -- choices -------------------------------------------------------------------------


def test_dialogues(tmp_path):
    one = {"question": "WHO?", "choice": ["A先生", "b", "C", "丁", "e"], "answer": "b"}
    item = [["男：OK。", "女：好。"], [one, one | {"id": 9, "answer": ""}], "1-2"]
    train = put(tmp_path / "d.json", json.dumps([item[:1] + [[one]] + item[2:]]))
    rows = read("c3", train, train, labelled=True).rows
    choices = ("a先生", "b", "c", "丁", "e")
    assert rows[1] == ChoiceRow(1, "男：ok。\n女：好。", "who?", choices, 1)
    test = put(tmp_path / "t.json", json.dumps([item]))
    assert [row.answer for row in read("c3", test, labelled=False).rows] == [None] * 2
    assert read("c3", test, labelled=False).rows[1].id == 9
    broken("c3", test, "item 0: question 1: has no answer, but 1 of 2")
    for bad, message in (
        ({}, "expected a list of items, found dict"),
        ([{}], "item 0: expected .texts, questions, id., found {}"),
        ([[["x"], [one | {"answer": "z"}], "1"]], "question 0: .*'b', .*found 'z'"),
        ([[["x"], [one | {"choice": []}], "1"]], "question 0: expected choices"),
        ([["x", [one], "1"]], "item 0: expected a list of texts"),
        ([], "empty file"),
    ):
        broken("c3", put(tmp_path / "bad.json", json.dumps(bad)), message)


def test_idioms(tmp_path):
    line = {
        "candidates": ["画蛇添足", "守株待兔", "亡羊补牢"],
        "content": ["他#idiom01#——“好”…", "一#idiom02#二#idiom03#三"],
    }
    answers = {"#idiom01#": 2, "#idiom02#": 0, "#idiom03#": 1, "#idiom04#": 1}
    second = line | {"content": ["四#idiom04#"]}
    files = [put(tmp_path / "train.json", line, second)]
    files.append(put(tmp_path / "train_answer.json", answers))
    rows = read("chid", *files, labelled=True).rows
    texts = [(row.id, row.context, row.question, row.answer, row.group) for row in rows]
    assert texts == [
        ("#idiom01#", "他", '--"好"...', 2, 0),
        ("#idiom02#", "一", "二#idiom03#三", 0, 0),
        ("#idiom03#", "一#idiom02#二", "三", 1, 0),
        ("#idiom04#", "四", "", 1, 1),
    ]
    assert rows[0].choices == tuple(line["candidates"])
    assert [row.answer for row in read("chid", files[0]).rows] == [None] * 4
    with pytest.raises(DataError, match="line 1: expected an answer, found none"):
        read("chid", files[0], labelled=True)
    for change, message in (
        ({"#idiom03#": 3}, "an answer from 0 to 2 to '#idiom03#', found 3"),
        ({"#idiom03#": "1"}, "found '1'"),
        ({"#idiom03#": None}, "an answer to '#idiom03#', found none"),
    ):
        put(files[1], answers | change)
        with pytest.raises(DataError, match=f"line 1: expected {message}|{message}"):
            read("chid", *files)
    broken("chid", put(tmp_path / "a.json", line, line), "line 2: .*'#idiom01#' again")
    broken("chid", put(tmp_path / "b.json", line | {"content": ["x"]}), "found 0")
    empty = put(tmp_path / "c.json", line | {"candidates": []})
    broken("chid", empty, "expected candidates")


def test_idioms_with_answers_in_the_lines(tmp_path):
    line = {"id": 15, "candidates": ["甲", "乙"], "content": "一#idiom#二", "answer": 1}
    rows = read("chid", put(tmp_path / "a.json", line, line | {"id": 2})).rows
    assert rows[0] == ChoiceRow(15, "一", "二", ("甲", "乙"), 1, 0)
    assert rows[1].group == 1
    bad = put(tmp_path / "b.json", line | {"content": "#idiom##idiom#"})
    broken("chid", bad, "expected one blank #idiom#, found 2")
