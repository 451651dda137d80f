"""The scorers on files, from the command line, and on broken files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kerasplm.errors import DataError
from kerasplm.evaluation import cmrc, entities, labels, squad, triples
from kerasplm.evaluation.reading import read_predictions, read_references, run_command
from tests.test_architecture import imports

SQUAD_STYLE = {
    "version": "v1.0",
    "data": [
        {
            "id": "T_0",
            "title": "春",
            "paragraphs": [
                {
                    "id": "T_0",
                    "context": "春天在江南。",
                    "qas": [
                        {
                            "id": " T_0_Q_0 ",
                            "question": "春天在哪里？",
                            "answers": [
                                {"text": "江南", "answer_start": 3},
                                {"text": "在江南", "answer_start": 2},
                            ],
                        },
                        {
                            "id": "T_0_Q_1",
                            "question": "什么在江南？",
                            "answers": [{"text": "春天", "answer_start": 0}],
                        },
                    ],
                }
            ],
        }
    ],
}
FIRST_STYLE = [
    {
        "context_id": "T_0",
        "context_text": "春天在江南。",
        "title": "春",
        "qas": [
            {
                "query_id": "T_0_Q_0",
                "query_text": "春天在哪里？",
                "answers": ["江南", "在江南"],
            },
            {"query_id": "T_0_Q_1", "query_text": "什么在江南？", "answers": ["春天"]},
        ],
    }
]
REFERENCES = {"T_0_Q_0": ("江南", "在江南"), "T_0_Q_1": ("春天",)}


@pytest.fixture
def put(tmp_path):
    """Write a file: text, bytes, JSON, or JSON lines if it is a tuple."""

    def write(name, content):
        if isinstance(content, tuple):
            content = "\n".join(json.dumps(line) for line in content)
        if not isinstance(content, str | bytes):
            content = json.dumps(content, ensure_ascii=False)
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    "content",
    [SQUAD_STYLE, FIRST_STYLE, {"data": FIRST_STYLE}, SQUAD_STYLE["data"]],
    ids=["squad", "first", "first under data", "squad as a list"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_both_layouts(put, content, mark):
    file = put("dev.json", mark + json.dumps(content).encode())
    assert read_references(file) == REFERENCES


def question(**changes):
    return [{"qas": [{"id": "q", "answers": ["x"], **changes}]}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected JSON, found it broken at column 1"),
        ('[\n{"qas": [}]', r"broken at line 2, column 10 \(Expecting value\)"),
        (b"[\n\xff]", "line 2: expected UTF-8, found the byte 0xff"),
        ("[" * 100_000, "not usable JSON"),
        ({"version": 1}, "expected 'data', found version"),
        ({"data": 1}, "'data': expected a list, found 1"),
        ([], "expected questions, found none"),
        ([1], "item 1: expected a JSON object, found 1"),
        ([{"a": 1}], "item 1: expected 'paragraphs', found a"),
        ([{"paragraphs": [{}]}], "item 1: expected 'qas', found {}"),
        (question(id=3), "item 1, question 1: 'id': expected a string, found 3"),
        (question(answers={}), r"question 1 \(q\): 'answers': expected a list"),
        (question(answers=[]), r"\(q\): expected an answer, found none"),
        (question(answers=["x", {"text": 1}]), "answer 2: 'text': expected a string"),
        (question() * 2, r"item 2, question 1 \(q\): this question occurs twice"),
    ],
)
def test_broken_references(put, content, words):
    file = put("dev.json", content)
    with pytest.raises(DataError, match=f"^{file}: .*{words}"):
        read_references(file)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        (str, '{"a": "x",}', "expected JSON, found it broken at column 11"),
        (str, ["x"], "expected a JSON object, found ..x.."),
        (str, {"a": 3}, "'a': expected a string, found 3"),
        (str, {"a": None}, "'a': expected a string, found null"),
        (str, {"a": ["x" * 100]}, "'a': expected a string, found .* ...$"),
        (int, {"a": "3"}, "'a': expected a whole number, found .3."),
        (int, {"a": True}, "'a': expected a whole number, found true"),
        (int, {"a": 1.5}, "'a': expected a whole number, found 1.5"),
        (float, '{"a": NaN}', "'a': expected a number, found NaN"),
    ],
)
def test_broken_predictions(put, kind, content, words):
    file = put("predictions.json", content)
    with pytest.raises(DataError, match=f"^{file}: {words}"):
        read_predictions(file, kind)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="none.json: cannot be read .No such file"):
        read_references(tmp_path / "none.json")


def test_official_line_of_cmrc(put, capsys):
    expected = put("dev.json", SQUAD_STYLE)
    found = put("predictions.json", {"T_0_Q_0": "江南。"})
    cmrc.main(expected, found)
    said = capsys.readouterr()
    # One of two questions is answered, and right.
    assert said.out == (
        '{"AVERAGE": "50.000", "F1": "50.000", "EM": "50.000", "TOTAL": 2, "SKIP": 1, '
        f'"FILE": {json.dumps(found)}}}\n'
    )
    assert said.err == "1 unanswered questions: T_0_Q_1\n"


def test_yes_no_of_cmrc(put, capsys):
    expected = put("dev.json", question(answers=[]) + question(id="r", answers=["YES"]))
    cmrc.main(expected, put("predictions.json", {"q": "", "r": "NO"}), yes_no=True)
    scores = json.loads(capsys.readouterr().out)
    assert " ".join(scores) == "AVERAGE F1 EM YES UNK TOTAL SKIP FILE"
    assert (scores["YES"], scores["UNK"], scores["EM"]) == (
        "0.000",
        "100.000",
        "50.000",
    )


def test_squad_files(put, capsys):
    expected = put("dev.json", question())
    found = put("predictions.json", {"q": "the x"})
    squad.main(expected, found)
    assert capsys.readouterr().out == '{"exact_match": 100.0, "f1": 100.0}\n'
    sure = put("na_prob.json", {"q": 1})
    squad.main(expected, found, version="2", no_answer=sure, threshold=0.5)
    scores = json.loads(capsys.readouterr().out)
    assert (scores["exact"], scores["best_exact"]) == (0.0, 100.0)
    for file in (found, sure):
        put(os.path.basename(file), {})
        with pytest.raises(DataError, match=f"^{file}: expected a .* none for 'q'$"):
            squad.main(expected, found, version="2", no_answer=sure)
        put(os.path.basename(file), {"q": "x"})


def test_cluener_files(put, capsys):
    gold = (
        {"text": "张三和李四", "label": {"name": {"张三": [[0, 1]], "李四": [[3, 4]]}}},
    )
    expected = put("dev.json", gold)
    found = put(
        "predict.json",
        ({"id": 0, "label": {"name": {"张三": [[0, 1]], "李四": [[2, 4]]}}},),
    )
    entities.main(expected, found)
    scores = json.loads(capsys.readouterr().out)
    assert scores["surfaces"]["macro_f1"] == pytest.approx(0.1)  # one of ten types
    assert scores["places"]["micro"]["f1"] == 0.5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"label": {"nmae": {}}}, "line 1: expected a type of address, .*'nmae'"),
        ({"id": 0}, "line 1: expected 'label', found id"),
        ({"label": {"name": ["张三"]}}, "line 1: name: expected a JSON object"),
        (
            {"label": {"name": {"三": 1}}},
            "line 1: name: '三': expected a list, found 1",
        ),
        ({"label": {"name": {"三": [1, 2]}}}, "line 1: name: '三': expected first and"),
        ([], "line 1: expected a JSON object, found "),
    ],
)
def test_broken_cluener_files(put, line, words):
    good, bad = put("dev.json", ({"label": {}},)), put("bad.json", (line,))
    with pytest.raises(DataError, match=f"^{bad}: {words}"):
        entities.main(good, bad)


def spo(**parts):
    parts = {"subject": "A", "predicate": "作者", "object": "张三", **parts}
    return ({"text": "", "spo_list": [parts]},)


def test_triple_files(put, capsys):
    expected, found = put("dev.json", spo()), put("found.json", spo(subject="a "))
    triples.main(expected, found)
    triples.main(expected, found, tolerant=True)
    scores = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [score["f1"] for score in scores] == [0.0, 1.0]
    bad = put("bad.json", spo(object=["张三"]))
    with pytest.raises(DataError, match=f"{bad}: line 1: triple 1: 'object': expected"):
        triples.main(expected, bad)


def test_label_files(put, capsys):
    expected = put("dev.json", ({"label": "100"}, {"label": 101}, {"label": True}))
    found = put("found.json", ({"label": "100"}, {"label": "102"}, {"label": "true"}))
    labels.submission(expected, found)
    scores = json.loads(capsys.readouterr().out)
    assert scores["accuracy"] == pytest.approx(2 / 3)
    answers = put("dev_answer.json", {"#idiom1#": 1})
    labels.chid(answers, answers)
    assert json.loads(capsys.readouterr().out) == {"accuracy": 1.0, "total": 1}
    empty = put("empty.json", {})
    with pytest.raises(DataError, match=f"^{empty}: .* found none for #idiom1#"):
        labels.chid(answers, empty)


def test_different_numbers_of_lines_and_empty_files(put):
    one = put("one.json", ({"label": {}, "spo_list": []},))
    two = put("two.json", ({"label": {}, "spo_list": []},) * 2)
    for command in (entities.main, triples.main):
        with pytest.raises(DataError, match=f"^{two}: expected 1 lines, .* found 2"):
            command(one, two)
    texts = [put(f"{n}.json", ({"label": "a"},) * n) for n in (1, 2)]
    with pytest.raises(
        DataError, match=f"^{texts[1]}: expected 1 predictions, found 2"
    ):
        labels.submission(*texts)
    empty = put("empty.json", " \n")
    with pytest.raises(
        DataError, match=f"^{empty}: expected JSON lines, found an empty"
    ):
        triples.main(one, empty)


def test_bad_input_ends_with_one_line_and_status_2(monkeypatch, put, capsys):
    monkeypatch.setattr(sys, "argv", ["cmrc", put("dev.json", []), "none.json"])
    with pytest.raises(SystemExit) as stopped:
        run_command(cmrc.main)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert "dev.json: expected questions" in said


def test_scorers_know_no_higher_part_of_the_package():
    for file in Path(cmrc.__file__).parent.glob("*.py"):
        for module in imports(file):
            if module.startswith("kerasplm"):
                lower = (
                    "kerasplm.errors",
                    "kerasplm.evaluation",
                    "kerasplm.characters",
                )
                assert module.startswith(lower)


def test_modules_run_without_tensorflow():
    names = ("cmrc", "squad", "entities", "triples", "labels")
    code = (
        "import runpy, sys\n"
        f"for name in {names}:\n"
        "    sys.argv = [name, '--help']\n"
        "    try:\n"
        "        runpy.run_module('kerasplm.evaluation.' + name, run_name='__main__')\n"
        "    except SystemExit as stopped:\n"
        "        assert stopped.code == 0, name\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Usage") == len(names)
