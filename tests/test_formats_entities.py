"""Entities, relations, and the files of predictions."""

import json

import pytest

from kerasplm.errors import DataError
from kerasplm.tasks.formats import (
    FORMATS,
    read_schemas,
    write_answers,
    write_choice_list,
    write_choices,
    write_entities,
    write_idioms,
    write_labels,
    write_triples,
)
from kerasplm.tasks.formats.entities import REPAIRED
from kerasplm.tasks.formats.relations import SLOTS
from kerasplm.tasks.formats.tags import spans_of
from kerasplm.tasks.rows import (
    ChoiceRow,
    Entity,
    EntityRow,
    QuestionRow,
    RelationRow,
    TextRow,
    Triple,
)


def put(path, *objects):
    lines = (x if isinstance(x, str) else json.dumps(x) for x in objects)
    path.write_bytes("\n".join(lines).encode("utf-8"))
    return path


def read(form, *files, labels=(), labelled=None, aliases=None):
    form = FORMATS[form]
    return form.read(files, labels, labelled=labelled, aliases=aliases or {})


def broken(form, file, message, **how):
    with pytest.raises(DataError, match=message) as error:
        read(form, file, **how)
    assert str(file) in str(error.value)
    str(error.value).encode()


# -- CLUENER -------------------------------------------------------------------------

SPANS = {
    "text": "张三在北京见张三",
    "label": {"name": {"张三": [[6, 7], [0, 1]]}, "address": {"北京": [[3, 4]]}},
}
ENTITIES = (Entity(0, 2, "name"), Entity(3, 5, "address"), Entity(6, 8, "name"))


def test_spans(tmp_path):
    bare = {"id": 5, "text": "无"}
    file = put(tmp_path / "a.json", SPANS, bare | {"label": {}})
    rows = read("cluener", file, labels=("name", "address"), labelled=True).rows
    assert rows == [EntityRow(0, SPANS["text"], ENTITIES), EntityRow(5, "无", ())]
    assert read("cluener", file, labelled=False).rows[0].entities is None
    (row,) = read("cluener", put(tmp_path / "b.json", bare)).rows
    assert row == EntityRow(5, "无")
    broken(
        "cluener", put(tmp_path / "c.json", bare), "expected entities", labelled=True
    )
    mixed = put(tmp_path / "d.json", SPANS, bare)
    broken("cluener", mixed, "line 2: has no entities, but 1 of 2 rows")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (
            {"name": {"张三": [[0, 2]]}},
            "'张三' at the characters 0 to 2, found '张三在'",
        ),
        ({"name": {"张三": [[9, 10]]}}, "found ''"),
        ({"name": {"": [[1, 0]]}}, "found ''"),
        ({"name": {"张三": [[-8, -7]]}}, "found ''"),
        ({"name": {"张三": [[0]]}}, r"\[first, last\] character, found \[0\]"),
        ({"name": {"张三": [[0, "1"]]}}, r"found \[0, '1'\]"),
        ({"name": {"张三": 0}}, "a list of"),
        ({"name": []}, "label: name: expected a JSON object, found list"),
        ({"game": {}}, "a label of 'name', 'address', found 'game'"),
        ({"\ud800": {}}, "found '.*ud800'"),
        ([], "label: expected a JSON object, found list"),
    ],
)
def test_broken_spans(label, message, tmp_path):
    file = put(tmp_path / "a.json", SPANS, SPANS | {"label": label})
    broken("cluener", file, "line 2: .*" + message, labels=("name", "address"))
    file = put(tmp_path / "a.json", SPANS | {"label": {"\ud800": {}}})
    broken("cluener", file, "a text as label, found")


# -- tags ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "spans", "repaired"),
    [
        ("O O", [], 0),
        ("B-X I-X O B-Y", [(0, 2, "X"), (3, 4, "Y")], 0),
        ("B-X B-X I-X", [(0, 1, "X"), (1, 3, "X")], 0),
        ("I-X I-X O", [(0, 2, "X")], 1),
        ("B-X I-Y I-Y", [(0, 1, "X"), (1, 3, "Y")], 1),
        ("B-X O I-X", [(0, 1, "X"), (2, 3, "X")], 1),
        ("B-X.Y M-X.Y E-X.Y S-Z", [(0, 3, "X.Y"), (3, 4, "Z")], 0),
        ("B-X E-X E-X", [(0, 2, "X"), (2, 3, "X")], 1),
        ("B-X S-X O B-X", [(0, 1, "X"), (1, 2, "X"), (3, 4, "X")], 2),
        ("B-X I-X L-X U-X", [(0, 3, "X"), (3, 4, "X")], 0),
        ("M-X O", [(0, 1, "X")], 1),
    ],
)
def test_spans_of_tags(tags, spans, repaired):
    tags = tags.split()
    closing = any(tag[0] in "ESLU" for tag in tags)
    found, count = spans_of(tags, closing)
    assert [(x.start, x.end, x.type) for x in found] == spans
    assert count == repaired


def test_columns_of_tags(tmp_path):
    lines = "张 B-PER\n三 I-PER\n  O\n在 O\n\n \n北 I-LOC\n京 I-LOC"
    found = read("peoples_daily", put(tmp_path / "a", lines), labelled=True)
    assert found.rows == [
        EntityRow(0, "张三 在", (Entity(0, 2, "PER"),)),
        EntityRow(1, "北京", (Entity(0, 2, "LOC"),)),
    ]
    assert found.repaired == {REPAIRED: 1}
    tabs = lines.replace(" B", "\tB").replace(" I", "\tI").replace(" O", "\tO")
    again = read("tags", put(tmp_path / "b", tabs.replace("\n", "\r\n")))
    assert again == found
    bmes = put(tmp_path / "c", "上\tB-L\nGDP\tM-L\n海\tE-L\n，\tO\n")
    (row,) = read("tags", bmes, labels=("LOC",), aliases={"L": "LOC"}).rows
    assert row == EntityRow(0, "上GDP海，", (Entity(0, 5, "LOC"),))
    four = put(tmp_path / "d", "人 NN x B-PER\n民 NN x I-PER\n")
    assert read("tags", four).rows[0].entities == (Entity(0, 2, "PER"),)
    assert read("tags", four, labelled=False).rows[0] == EntityRow(0, "人民")
    bare = read("tags", put(tmp_path / "e", "人\n1\n\n民\n")).rows
    assert bare == [EntityRow(0, "人1"), EntityRow(1, "民")]


def test_digits_of_segmentation(tmp_path):
    file = put(tmp_path / "a", "上0\tB-GPE.NAM\n海1\tI-GPE.NAM\n310\tO\n\n10\tO\n")
    rows = read("weibo", file).rows
    assert [row.text for row in rows] == ["上海3", "1"]
    assert rows[0].entities == (Entity(0, 2, "GPE.NAM"),)
    rows = read("weibo", put(tmp_path / "b", "上\tB-X\n310\tO\n")).rows
    assert rows[0].text == "上310"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("张 B-PER\n三\n", "line 2: expected 2 columns, found 1 in '三'"),
        ("张 B-PER\n三 x I-PER\n", "line 2: expected 2 columns, found 3"),
        ("张 B-PER\n三 PER\n", "line 2: expected a tag such as O, .*found 'PER'"),
        ("张 B-PER\n三 I-LOC\n", "line 2: expected a label of 'PER', found 'LOC'"),
        ("\n\n", "empty file"),
    ],
)
def test_broken_tags(text, message, tmp_path):
    broken("tags", put(tmp_path / "a", text), message, labels=("PER",))


def test_words_with_types(tmp_path):
    file = put(tmp_path / "a", "张三/nr 在/o 北京大学/nt //o  \u3000/o\n\n好/o\n")
    rows = read("msra", file, labelled=True).rows
    entities = (Entity(0, 2, "PERSON"), Entity(3, 7, "ORGANIZATION"))
    assert rows == [
        EntityRow(0, "张三在北京大学/\u3000", entities),
        EntityRow(1, "好", ()),
    ]
    assert read("msra", file, labelled=False).rows[0].entities is None
    for bad in ("好", "好/x"):
        file = put(tmp_path / "b", f"好/o\n{bad}")
        broken("msra", file, f"line 2: expected word/type .*found '{bad}'")


# -- relations -----------------------------------------------------------------------


def spo(subject, predicate, thing):
    return {"subject": subject, "predicate": predicate, "object": thing, "x": 1}


def test_relations(tmp_path):
    many = {"@value": "乙", "inWork": "丙"}
    found = read(
        "lic2019",
        put(
            tmp_path / "a.json",
            {
                "text": "文",
                "spo_list": [spo("甲", "父", "乙"), spo("丁", "父", many)] * 2,
            },
            {"text": "字", "spo_list": []},
        ),
        labels=("父",),
        labelled=True,
    )
    triples = (Triple("丁", "父", "乙"), Triple("甲", "父", "乙"))
    assert found.rows == [RelationRow(0, "文", triples), RelationRow(1, "字", ())]
    assert found.dropped == {SLOTS: 2}
    test = put(tmp_path / "b.json", {"text": "字"})
    assert read("lic2019", test).rows == [RelationRow(0, "字")]
    broken("lic2019", test, "line 1: expected relations, found none", labelled=True)
    for one, message in (
        (spo("甲", "母", "乙"), "triple 0: expected a label of '父', found '母'"),
        (spo("甲", "父", None), "a text under 'object'"),
        (spo("甲", "父", {"a": "b"}), "object: expected a text under '@value'"),
        (spo("\ud800", "父", "乙"), "a text under 'subject'"),
        ([], "a JSON object, found list"),
    ):
        file = put(tmp_path / "c.json", {"text": "文", "spo_list": [one]})
        broken("lic2019", file, "line 1: triple 0: .*" + message[-20:], labels=("父",))


def test_schemas(tmp_path):
    lines = [{"predicate": name, "object_type": n} for n, name in enumerate("父母父")]
    assert read_schemas(put(tmp_path / "all_50_schemas", *lines)) == ("父", "母")
    with pytest.raises(DataError, match="expected predicates, found an empty file"):
        read_schemas(put(tmp_path / "b", ""))
    with pytest.raises(DataError, match="line 1: expected a text under 'predicate'"):
        read_schemas(put(tmp_path / "c", {}))


# -- submissions ---------------------------------------------------------------------


def test_labels_are_written(tmp_path):
    rows = [TextRow(7, "甲"), TextRow("x", "乙")]
    write_labels(tmp_path / "new" / "a.json", rows, ["是", "否"])
    text = '{"id": 7, "label": "是"}\n{"id": "x", "label": "否"}\n'
    assert (tmp_path / "new" / "a.json").read_text(encoding="utf-8") == text
    write_labels(tmp_path / "b.json", rows, ["1", "2"], {"2": "乙"})
    lines = (tmp_path / "b.json").read_text(encoding="utf-8").splitlines()
    assert lines[0] == '{"id": 7, "label": "1", "label_desc": ""}'
    assert json.loads(lines[1])["label_desc"] == "乙"
    groups = [TextRow(n // 2, "甲", group=n // 2) for n in range(4)]
    write_labels(tmp_path / "c.json", groups, ["1", "0"])
    text = '{"id": 0, "label": "1"}\n{"id": 1, "label": "0"}\n'
    assert (tmp_path / "c.json").read_text(encoding="utf-8") == text


def test_answers_and_choices_are_written(tmp_path):
    def written(write, rows, predictions):
        write(tmp_path / "a.json", rows, predictions)
        return (tmp_path / "a.json").read_text(encoding="utf-8")

    questions = [QuestionRow("Q1", "谁", "他"), QuestionRow("Q2", "谁", "她")]
    text = '{\n    "Q1": "他",\n    "Q2": ""\n}\n'
    assert written(write_answers, questions, ["他", ""]) == text
    blanks = [ChoiceRow(f"#idiom{n}#", "", "", ("甲", "乙")) for n in range(2)]
    text = '{\n  "#idiom0#": 1,\n  "#idiom1#": 0\n}\n'
    assert written(write_idioms, blanks, [1, 0]) == text
    dialogues = [ChoiceRow(n, "", "", ("甲", "乙")) for n in range(2)]
    assert written(write_choice_list, dialogues, [1, 0]) == "[1, 0]\n"
    text = '{"id": 0, "label": 1}\n{"id": 1, "label": 0}\n'
    assert written(write_choices, dialogues, [1, 0]) == text
    with pytest.raises(DataError, match="a.json: expected 2 predictions, found 1"):
        write_choices(tmp_path / "a.json", dialogues, [1])
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_entities_and_relations_are_written_as_they_are_read(tmp_path):
    row = EntityRow(3, SPANS["text"], ENTITIES)
    file = tmp_path / "a.json"
    write_entities(file, [row], [ENTITIES])
    line = json.loads(file.read_text(encoding="utf-8"))
    assert list(line) == ["id", "label"]
    assert line["label"]["name"] == {"张三": [[0, 1], [6, 7]]}
    put(file, line | {"text": row.text})
    assert read("cluener", file).rows == [row]
    row = RelationRow(0, "文", (Triple("丁", "父", "乙"), Triple("甲", "父", "乙")))
    write_triples(file, [row], [row.triples[::-1]])
    assert read("lic2019", file).rows == [row]
