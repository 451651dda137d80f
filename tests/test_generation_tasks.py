"""Files of titles, answers, dialogues and one's own: what is read, what is refused."""

import json

import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.tasks import TASKS, task_from_json
from kerasplm.tasks.kinds.generation import Generation
from kerasplm.tasks.kinds.writing import GeneratedText
from kerasplm.tasks.rows import SourceRow

QUESTION = {
    "id": "q1",
    "question": "中国的首都是哪里",
    "passages": [
        {"passage": "首都是北京；人口 很多", "answer": "北京"},
        {"passage": "上海在东边", "answer": ""},
        {"passage": "北京，首都", "answer": "首都 北京"},
    ],
}


def put(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder


def rows(task, folder, split="train"):
    return TASKS[task].rows(folder, split).rows


def test_titles(tmp_path):
    folder = put(tmp_path, "summarization_csl_train.tsv", "\ufeff标题\t摘要\nB\tC\n\n")
    assert rows("csl_title", folder) == (
        SourceRow(0, ("摘要",), ("标题",)),
        SourceRow(1, ("C",), ("B",)),
    )
    put(tmp_path / "l", "val.tsv", "短 标题\t新闻\n")
    assert rows("lcsts", tmp_path / "l", "dev")[0].targets == ("短 标题",)
    put(tmp_path / "j", "train.json", '{"id": 7, "title": "甲", "content": "乙"}\n')
    assert rows("lcsts", tmp_path / "j") == (SourceRow(7, ("乙",), ("甲",)),)


BLOCK = """<doc id={}>
    {}<summary>
        河边花开
    </summary>
    <short_text>
        河边 <花> 开了。
    </short_text>
</doc>
"""
LABEL = "<human_label>{}</human_label>\n    "


def test_official_files_of_lcsts(tmp_path):
    put(tmp_path, "PART_I.txt", BLOCK.format(0, "") + "\n" + BLOCK.format("a1", ""))
    put(tmp_path, "PART_II.txt", BLOCK.format(7, LABEL.format(3)))
    told = [BLOCK.format(n, LABEL.format(n)) for n in range(1, 6)]
    put(tmp_path / "DATA", "PART_III.txt", "".join(told).replace("\n", "\r\n"))
    texts, targets = ("河边 <花> 开了。",), ("河边花开",)
    expected = tuple(SourceRow(name, texts, targets) for name in (0, "a1"))
    assert rows("lcsts", tmp_path) == expected
    assert rows("lcsts", tmp_path, "dev") == (SourceRow(7, texts, targets),)
    test = TASKS["lcsts"].rows(tmp_path, "test")
    assert [row.id for row in test.rows] == [3, 4, 5]
    assert dict(test.dropped) == {"human label below 3": 2}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</doc>", "", "line 1: expected </doc> behind this block, found none"),
        ("</doc>\n", "<doc id=2>\n</doc>\n", "line 1: expected </doc> behind"),
        ("</doc>", "</doc>\n标题", "line 9: expected <doc id=...>, found '标题'"),
        ("<summary>", "<title>", "line 1: expected a target, found none"),
        ("        河边花开\n", "", "line 1: expected a text in <summary>, found none"),
        ("short_text", "text", "line 1: expected a text in <short_text>, found"),
        ("<sum", "<human_label>六</human_label><sum", "a human label from 1 to 5, f"),
    ],
)
def test_bad_blocks(tmp_path, old, new, words):
    put(tmp_path, "PART_I.txt", BLOCK.format(0, "").replace(old, new))
    with pytest.raises(DataError, match=words):
        rows("lcsts", tmp_path)


def test_several_targets(tmp_path):
    line = {"source": "甲", "target": ["乙", "丙"]}
    declared = {"name": "mine", "kind": "generation"}
    put(tmp_path, "mine.json", json.dumps(declared))
    put(tmp_path, "train.jsonl", json.dumps(line) + "\n")
    task = task_from_json(tmp_path / "mine.json")
    (row,) = task.rows(tmp_path, "train").rows
    assert row == SourceRow(0, ("甲",), ("乙", "丙"))
    scores = Generation().score(task, [row], [GeneratedText("丙", 0.0)])
    assert scores["exact"] == scores["f1"] == 1.0


def test_columns_of_one_s_own(tmp_path):
    columns = {"text": "问题", "pair": "资料", "target": "回答", "id": 0}
    declared = {"name": "mine", "kind": "generation", "columns": columns}
    declared["options"] = {"beams": 3}
    declared["recipe"] = {"epochs": 2}
    put(tmp_path, "mine.json", json.dumps(declared))
    put(tmp_path, "train.csv", '号,问题,回答,资料\na,"甲,乙",丁,丙\n')
    task = task_from_json(tmp_path / "mine.json")
    assert task.pair
    assert (task.settings().options.beams, task.settings().epochs) == (3, 2)
    row = SourceRow("a", ("甲,乙", "丙"), ("丁",))
    assert task.rows(tmp_path, "train").rows == (row,)
    wrong = declared | {"columns": {"text": 0, "label": 1}}
    put(tmp_path, "mine.json", json.dumps(wrong))
    with pytest.raises(ConfigError, match="may name pair, target, id. Received: text"):
        task_from_json(tmp_path / "mine.json").rows(tmp_path, "train")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("train.tsv", "标题\t \n", r"train.tsv: line 1: expected a text, found an em"),
        ("train.tsv", "a\tb\n\t摘要\n", "line 2: expected a target, found an empty"),
        ("train.tsv", "标题\n", "line 1: expected a target, found none"),
        ("train.tsv", "a\tb\tc\n", "line 1: expected 2 columns"),
        ("train.json", '{"content": "a"}\n', "line 1: expected a target, found none"),
        ("train.json", '{"content": 1, "title": "a"}\n', "expected a text under"),
        ("train.json", '{"content": "a", "title": []}\n', "found an empty list"),
        ("train.json", '{"content": "a", "title": [1]}\n', "expected a list of texts"),
        ("train.json", '{"content": "a", "title": 5}\n', "expected a text under"),
        ("train.tsv", "", "expected examples, found an empty file"),
    ],
)
def test_bad_titles(tmp_path, name, text, words):
    with pytest.raises(DataError, match=words):
        rows("lcsts", put(tmp_path, name, text))


def test_dialogues(tmp_path):
    put(tmp_path, "corpus.txt", "你去哪\t北京\t什么时候\t什么时候去北京\n")
    expected = SourceRow(0, ("你去哪", "北京", "什么时候"), ("什么时候去北京",))
    assert rows("rewriting", tmp_path) == (expected,)
    for text, words in (
        ("a\tb\n", "line 1: expected at least 3 texts .* found 2, 0 of them"),
        ("a\t\tb\tc\n", "found 4, 1 of them empty"),
    ):
        with pytest.raises(DataError, match=words):
            rows("rewriting", put(tmp_path, "corpus.txt", text))


def test_questions_with_passages(tmp_path):
    put(tmp_path, "train.json", json.dumps([QUESTION]))
    found = rows("cips_sogou_qa", tmp_path)
    references = ("北京", "首都,北京")
    question = QUESTION["question"]
    assert found == (
        SourceRow(
            "q1", ("首都是北京,人口,很多", question), ("北京",), references, "q1"
        ),
        SourceRow("q1", ("上海在东边", question), ("",), references, "q1"),
        SourceRow("q1", ("北京,首都", question), ("北京",), references, "q1"),
    )
    pairs = TASKS["qa_pairs"].rows(tmp_path, "train")
    assert [row.targets for row in pairs.rows] == [(f"北京\n{question}",)] * 2
    assert pairs.rows[0].texts == ("首都是北京,人口,很多",)
    assert dict(pairs.dropped) == {"passage without an annotated answer": 1}
    asked = {**QUESTION, "passages": [{"passage": "a"}]}
    put(tmp_path, "test.json", json.dumps([asked]))
    assert rows("cips_sogou_qa", tmp_path, "test") == (
        SourceRow("q1", ("a", question), group="q1"),
    )


def test_sogou_is_divided(tmp_path):
    def questions(kind, count):
        return json.dumps([{**QUESTION, "id": f"{kind}{n}"} for n in range(count)])

    put(tmp_path, "SogouQA.json", questions("s", 7))
    put(tmp_path, "WebQA.json", questions("w", 2))
    train, dev = (rows("cips_sogou_qa", tmp_path, split) for split in ("train", "dev"))
    assert {row.id for row in dev} == {"s0", "s3", "s6"}
    assert [row.id for row in train[::3]] == [
        *("s1", "s1", "s2", "s2", "s4", "s4", "s5", "s5"),
        *("w0", "w1"),
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "expected a JSON array of questions, found dict"),
        ([{"id": "a"}], "question 0: expected a text under 'question'"),
        ([{**QUESTION, "passages": [{"answer": "a"}]}], "passage 0: expected a text"),
        ([{**QUESTION, "passages": 5}], "expected a list under 'passages'"),
    ],
)
def test_bad_questions(tmp_path, data, words):
    with pytest.raises(DataError, match=words):
        rows("cips_sogou_qa", put(tmp_path, "train.json", json.dumps(data)))


def test_files_for_the_leaderboard(tmp_path):
    asked = [SourceRow("a", ("x",), group="a"), SourceRow("a", ("y",), group="a")]
    said = [GeneratedText("北 京", -0.5)] * 2
    file = tmp_path / TASKS["cips_sogou_qa"].tests["test"]
    TASKS["cips_sogou_qa"].submission(file, asked, said)
    assert file.read_text("utf-8") == "a\t北 京\n"
    file = tmp_path / TASKS["csl_title"].tests["test"]
    TASKS["csl_title"].submission(file, [SourceRow(3, ("x",))], said[:1])
    assert json.loads(file.read_text("utf-8")) == {"id": 3, "text": "北 京"}


def test_recipes_are_the_published_ones():
    for model, length, size, rate, epochs in (
        (None, 256, 16, 1e-5, 30),
        ("wobert-base-zh.zhuiyi", 256, 16, 1e-5, 30),
        ("bert-wwm-base-zh.hfl", 256, 16, 1e-5, 20),
        ("t5-pegasus-base-zh.zhuiyi", 256, 32, 2e-4, 40),
    ):
        found = plm.TASKS["csl_title"].settings(model=model)
        assert (found.max_length, found.batch_size) == (length, size)
        assert (found.learning_rate, found.epochs) == (rate, epochs)
        assert (found.optimizer, found.schedule) == ("adam", "constant")
        assert found.options.max_answer_length == 32
    sogou = plm.TASKS["cips_sogou_qa"].settings()
    assert (sogou.max_length, sogou.options.max_query_length) == (256, 64)
    assert sogou.options.extract
