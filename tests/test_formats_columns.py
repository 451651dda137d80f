"""Texts and pairs in columns or under keys: official layouts and a user's own."""

import json

import pytest

from kerasplm.errors import ConfigError, DataError
from kerasplm.tasks.formats import FORMATS, Format, one_file, table_format
from kerasplm.tasks.rows import TextRow


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def tsv(*rows, separator="\t"):
    return "".join(separator.join(row) + "\n" for row in rows)


def json_lines(*objects):
    return "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects)


def read(form, *files, labels=(), labelled=None, aliases=None):
    form = FORMATS[form] if isinstance(form, str) else form
    return form.read(files, labels, labelled=labelled, aliases=aliases or {})


BINARY = ("0", "1")


# -- layouts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [(), ("text_a", "text_b", "label"), ("Sentence1", "sentence2", "label"), ("q1",)],
)
def test_pairs_with_and_without_header(header, tmp_path):
    data = [("甲 ", "乙", "0"), ("丙", "丁", "1 ")]
    if header == ("q1",):  # names that nobody knows beside one that says "header"
        header = ("q1", "q2", "label")
    file = put(tmp_path / "a.txt", tsv(*([header] if header else []), *data))
    found = read("lcqmc", file, labels=BINARY, labelled=True)
    assert found.rows == [TextRow(0, "甲 ", "乙", "0"), TextRow(1, "丙", "丁", "1")]
    assert not found.dropped + found.repaired


def test_names_in_the_header_win_over_places(tmp_path):
    text = "text_a\tlabel\n好\t1\n坏\t0\n"
    rows = read("chnsenticorp", put(tmp_path / "a.tsv", text), labels=BINARY).rows
    assert [(row.text, row.label) for row in rows] == [("好", "1"), ("坏", "0")]
    rows = read("chnsenticorp", put(tmp_path / "b.tsv", "text_a\n好\n")).rows
    assert rows == [TextRow(0, "好")]


def test_only_a_line_feed_ends_a_row(tmp_path):
    text = "\ufefflabel\ttext_a\r\n1\t好\u2028看\x85\r\n \r\n0\t 不好 \r\n"
    rows = read("chnsenticorp", put(tmp_path / "a.tsv", text), labels=BINARY).rows
    assert [row.text for row in rows] == ["好\u2028看\x85", " 不好 "]


def test_files_without_labels(tmp_path):
    file = put(tmp_path / "a.txt", tsv(("一", "二"), ("三", "四")))
    assert read("afqmc", file, labels=BINARY).rows[1] == TextRow(1, "三", "四")
    with pytest.raises(DataError, match="line 1: expected a label, found none"):
        read("afqmc", file, labels=BINARY, labelled=True)
    file = put(tmp_path / "b.json", json_lines({"id": 7, "sentence": "一", "label": 1}))
    assert read("tnews", file, labels=("100",), labelled=False).rows == [
        TextRow(7, "一")
    ]


def test_several_files_are_numbered_on(tmp_path):
    files = [put(tmp_path / f"{n}.tsv", tsv(("一", "二", "0"))) for n in range(3)]
    assert [row.id for row in read("bq", *files).rows] == [0, 1, 2]


def test_clue_labels_of_any_type_and_rows_without_agreement(tmp_path):
    pair = {"sentence1": "甲", "sentence2": "乙"}
    labels = ("contradiction", "entailment", "neutral")
    text = json_lines(pair | {"label": "-"}, pair | {"label": "neutral", "id": 5})
    for name in ("cmnli", "ocnli"):
        found = read(name, put(tmp_path / "a.json", text), labels=labels)
        assert found.rows == [TextRow(5, "甲", "乙", "neutral")]
        assert found.dropped == {"label '-'": 1}
    text = json_lines(
        {"sentence": "甲", "label": 100}, {"sentence": "乙", "label": "101"}
    )
    rows = read("tnews", put(tmp_path / "b.json", text), labels=("100", "101")).rows
    assert [row.label for row in rows] == ["100", "101"]
    line = {"index": "d1", "premise": "甲", "hypothesis": "乙"}
    file = put(tmp_path / "c.json", json_lines(line))
    assert read("clue_diagnostics", file).rows == [TextRow("d1", "甲", "乙")]


def test_xnli_in_three_layouts(tmp_path):
    labels = ("contradiction", "entailment", "neutral")
    aliases = {"contradictory": "contradiction"}
    plain = tsv(("premise", "hypo", "label"), ("甲", '"乙', "contradictory"))
    head = ("language", "gold_label", "x", "sentence1", "sentence2", "pairID")
    many = tsv(
        head,
        ("en", "neutral", "", "a", "b", "1"),
        ("zh", "neutral", "", "甲", "乙", "2"),
    )
    keys = json_lines({"premise": "甲", "hypo": "乙", "label": "entailment"})
    found = [
        read("xnli", put(tmp_path / name, text), labels=labels, aliases=aliases)
        for name, text in (("a.tsv", plain), ("b.tsv", many), ("c.json", keys))
    ]
    assert [rows.rows for rows in found] == [
        [TextRow(0, "甲", '"乙', "contradiction")],
        [TextRow(0, "甲", "乙", "neutral")],
        [TextRow(0, "甲", "乙", "entailment")],
    ]
    assert found[1].dropped == {"language is not 'zh'": 1}


def test_other_official_columns(tmp_path):
    def one(form, name, text, **how):
        (row,) = read(form, put(tmp_path / name, text), **how).rows
        return row.text, row.pair, row.label

    news = tsv(("2", "x", "题", "文"), separator="_!_")
    assert one("inews", "a.txt", news, labels=("2",)) == ("题", "文", "2")
    news = tsv(("3", "x", "y", "文", "z"), separator="_!_")
    assert one("thucnews", "b.txt", news, labels=("3",)) == ("文", None, "3")
    shop = 'label,title,comment\n5,"好，","很好,\r\n再""来"\n'
    assert one("jd", "c.csv", shop, labels=("5",)) == ("好，", '很好,\n再"来', "5")
    assert one("sentence_pair", "d.tsv", "1\t甲\t乙\n") == ("甲", "乙", "1")
    assert one("sentiment", "e.data", "真好\t1\n", labels=BINARY) == ("真好", None, "1")


def test_a_number_for_a_pair(tmp_path):
    file = put(tmp_path / "a.tsv", tsv(("甲", "乙", "-1.5"), ("丙", "丁", "5")))
    assert [row.label for row in read("sts", file).rows] == [-1.5, 5.0]
    glue = tsv(("index", "genre", "sentence1", "sentence2", "score"))
    file = put(tmp_path / "b.tsv", glue + tsv(("0", "x", "甲", "乙", "2.25")))
    assert read("sts", file, labelled=True).rows == [TextRow("0", "甲", "乙", 2.25)]
    for bad in ("好", "nan", "inf"):
        file = put(tmp_path / "c.tsv", tsv(("甲", "乙", "1"), ("甲", "乙", bad)))
        with pytest.raises(DataError, match=f"line 2: expected a number.*'{bad}'"):
            read("sts", file)


# -- a user's own columns ------------------------------------------------------------


def test_own_columns_by_name_and_by_number(tmp_path):
    text = 'no,review,stars\n7,"好,真好",五\n8,坏,一\n'
    form = table_format({"text": "Review", "label": "stars", "id": "no"})
    file = put(tmp_path / "train.csv", text)
    assert form.find(tmp_path, "train") == [file]
    assert read(form, file, labelled=True).rows == [
        TextRow("7", "好,真好", None, "五"),
        TextRow("8", "坏", None, "一"),
    ]
    form = table_format({"text": "review", "label": 2, "id": 0})
    assert read(form, file).rows[1] == TextRow("8", "坏", None, "一")
    form = table_format({"text": 1, "label": "stars"})
    assert read(form, file, labelled=True).rows[1] == TextRow(1, "坏", None, "一")
    form = table_format({"text": 2, "label": 0})
    file = put(tmp_path / "b.tsv", tsv(("是", "x", "文"), ("否", "y", "字")))
    assert read(form, file).rows[1] == TextRow(1, "字", None, "否")
    form = table_format({"text": "review", "label": "stars"})
    file = put(tmp_path / "c.jsonl", json_lines({"review": "好", "stars": 5}))
    assert read(form, file).rows == [TextRow(0, "好", None, "5")]


@pytest.mark.parametrize(
    ("columns", "text", "message"),
    [
        (
            {"text": "review"},
            "a,b\n1,2\n",
            "column 'review', found the columns 'a', 'b'",
        ),
        ({"text": "a", "label": "c"}, "a,b\n1,2\n", "expected a column 'c', found"),
        ({"text": "a"}, "a,b\n1,2\n3\n", "line 3: expected 2 columns .*found 1"),
        ({"text": 3}, "1,2\n", "line 1: expected 4 columns .*found 2"),
        ({"text": "a"}, 'a\n"1', "line 2: expected comma-separated columns"),
        ({"text": "a"}, 'a\n"1"2\n', "line 2: expected comma-separated columns"),
        ({"text": "a"}, "a\n", "expected examples, found an empty file"),
    ],
)
def test_broken_own_columns(columns, text, message, tmp_path):
    file = put(tmp_path / "a.csv", text)
    with pytest.raises(DataError, match=message) as error:
        read(table_format(columns), file, labelled="label" in columns)
    assert str(file) in str(error.value)


def test_wrong_declarations(tmp_path):
    with pytest.raises(ConfigError, match="must name 'text'.*Received: label"):
        read(table_format({"label": 1}), put(tmp_path / "a.tsv", "x\n"))
    with pytest.raises(ConfigError, match="counted from 0. Received: -1"):
        read(table_format({"text": -1}), tmp_path / "a.tsv")
    with pytest.raises(DataError, match="expected columns.*found JSON lines"):
        read(table_format({"text": 0}), put(tmp_path / "a.json", "{}\n"))


# -- broken files --------------------------------------------------------------------

GOOD = {"sentence": "电影", "label": "102"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json_lines(GOOD) + '{"sentence": \n', ("line 2", "broken JSON", "column")),
        (json_lines(GOOD) + "[1]\n", ("line 2", "JSON object", "list")),
        (json_lines({"label": "102"}), ("line 1", "'sentence'", "None", "label")),
        (json_lines({"sentence": 3}), ("line 1", "a text", "3")),
        ('{"sentence": "\\ud800"}\n', ("line 1", "a text", "ud800")),
        ('{"sentence": "x", "id": "\\ud800"}\n', ("line 1", "as id", "ud800")),
        (json_lines(GOOD | {"label": ["102"]}), ("line 1", "a label", "['102']")),
        (json_lines(GOOD | {"id": 1.5}), ("line 1", "as id", "1.5")),
        (json_lines(GOOD, GOOD | {"label": "105"}), ("line 2", "'105'", "'102'")),
        (json_lines(GOOD, {"sentence": "x"}), ("line 2", "expected a label", "none")),
        (json_lines(GOOD) + "[" * 100000, ("line 2", "unusable JSON")),
        (json_lines(GOOD) + '{"id": ' + "1" * 5000 + "}", ("line 2", "unusable JSON")),
        ("", ("empty file",)),
        ("\n \n", ("empty file",)),
        (b'{"sentence":\n "\xb5\xe7"}\n', ("line 2", "UTF-8", "0xb5", "position 3")),
    ],
)
def test_broken_json_lines(content, words, tmp_path):
    file = put(tmp_path / "a.json", content)
    with pytest.raises(DataError) as error:
        read("tnews", file, labels=("102",), labelled=True)
    for word in (str(file), *words):
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(file)) + 200
    str(error.value).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tsv(("甲", "乙", "0"), ("甲", "乙", "2")), "line 2: .*'0', '1', found '2'"),
        (tsv(("甲", "乙", "0"), ("甲", "乙")), "line 2: expected a label, found none"),
        (tsv(("甲", "乙", "0"), ("甲",)), "line 2: expected 3 columns .*found 1"),
        (tsv(("甲", "乙", "丙", "0")), "line 1: expected 3 columns .*found 4"),
        (tsv(("text_a", "text_b", "label")), "empty file"),
    ],
)
def test_broken_columns(content, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read("lcqmc", put(tmp_path / "a.tsv", content), labels=BINARY, labelled=True)


def test_some_labels_are_no_labels(tmp_path):
    file = put(tmp_path / "a.txt", tsv(("甲", "乙", "0"), ("甲", "乙")))
    with pytest.raises(DataError, match="line 2: has no label, but 1 of 2 rows"):
        read("lcqmc", file, labels=BINARY)


def test_unreadable_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read("lcqmc", tmp_path)


# -- names of files ------------------------------------------------------------------


def test_names(tmp_path):
    form = FORMATS["lcqmc"]
    file = put(tmp_path / "validation.tsv", "x")
    for split in ("dev", "valid", "validation"):
        assert form.find(tmp_path, split) == [file]
    assert form.find(file, "whatever") == [file]
    first = put(tmp_path / "test1.0.json", "x")
    second = put(tmp_path / "test1.1.json", "x")
    assert form.find(tmp_path, "test") == [first]
    assert form.find(tmp_path, "test1.1") == [second]
    put(tmp_path / "dev.txt", "x")
    put(tmp_path / "dev.tsv", "x")
    with pytest.raises(DataError, match=r"one file for 'dev', found dev.tsv, dev.txt"):
        form.find(tmp_path, "dev")
    with pytest.raises(DataError, match=r"expected train\{.json,.*found dev.tsv, dev"):
        form.find(tmp_path, "train")
    with pytest.raises(
        DataError, match="a split of train, dev, test, test1.1, found 'moon'"
    ):
        form.find(tmp_path, "moon")
    with pytest.raises(DataError, match="no such file or folder"):
        form.find(tmp_path / "no", "dev")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected train\{.*found nothing"):
        form.find(tmp_path / "empty", "train")


def test_files_that_belong_together(tmp_path):
    form = FORMATS["c3"]
    put(tmp_path / "d-dev.json", "x")
    with pytest.raises(DataError, match=r"d-dev.json \+ m-dev.json or c3-d-dev.json"):
        form.find(tmp_path, "dev")
    put(tmp_path / "m-dev.json", "x")
    names = [file.name for file in form.find(tmp_path, "dev")]
    assert names == ["d-dev.json", "m-dev.json"]
    chid = FORMATS["chid"]
    put(tmp_path / "train.json", "x")
    assert [f.name for f in chid.find(tmp_path, "train")] == ["train.json"]
    put(tmp_path / "train_answer.json", "x")
    assert len(chid.find(tmp_path, "train")) == 2


def test_every_official_format_names_all_splits():
    for name, form in FORMATS.items():
        assert isinstance(form, Format)
        assert {"train", "dev", "test"} <= set(form.names), name
    assert one_file((".x",), dev=("mine",))["dev"][0] == ("mine.x",)
