"""Questions to features: windows, places, targets; options; scores; files."""

import json

import numpy as np
import pytest

import kerasplm as plm
from benchmarks import offsets
from kerasplm.errors import ConfigError, DataError
from kerasplm.evaluation.cmrc import cmrc_em, cmrc_f1
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.task_models.span import STYLES
from kerasplm.tasks import TASKS
from kerasplm.tasks.kinds.span import SpanOptions
from kerasplm.tasks.kinds.span_decoding import SpanPrediction
from kerasplm.tasks.kinds.span_features import SpanTargets
from kerasplm.tasks.rows import Answer, QuestionRow

WORDS = ("小", "河", "在", "哪", "里", "山", "前", "有", "一", "条", "，", "。")
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, "water", "##fall", "20", "##24"]
TASK = TASKS["cmrc2018"]
CONTEXT = "山前 有一条Waterfall，在2024。"
#          0 1  3 4 5 6    15 16 17  21


def row(question="哪里", context=CONTEXT, answers=(), name="q", impossible=False):
    return QuestionRow(name, question, context, answers, impossible)


def features(rows, **changes):
    tokenizer = PythonTokenizer(VOCAB)
    settings = TASK.settings(**{"max_query_length": 4, "max_length": 40, **changes})
    return TASK.features(rows, tokenizer, settings), settings


def words(found, n):
    return [VOCAB[i] for i in found.token_ids[found.span(n)]]


def test_one_window():
    answer = Answer("Waterfall", 6)
    found, _ = features([row(answers=(answer,))])
    assert len(found) == 1
    tokens = "[CLS] 哪 里 [SEP] 山 前 有 一 条 water ##fall ， 在 20 ##24 。 [SEP]"
    assert words(found, 0) == tokens.split()
    assert found.segment_ids.tolist() == [0] * 4 + [1] * 13
    assert found.places[:4].tolist() == [[-1, -1]] * 4
    surfaces = [CONTEXT[start:end] for start, end in found.places[4:-1]]
    assert surfaces == [
        "山",
        "前",
        "有",
        "一",
        "条",
        "Water",
        "fall",
        "，",
        "在",
        "20",
        "24",
        "。",
    ]
    assert found.places[-1].tolist() == [-1, -1]
    assert found.best.tolist() == [False] * 4 + [True] * 12 + [False]
    inputs, targets = found.batch(np.array([0]))
    assert targets["start_positions"].tolist() == [9]
    assert targets["end_positions"].tolist() == [10]
    assert targets["is_impossible"].tolist() == [0]
    assert inputs["start_positions"].tolist() == [9]


def test_windows_of_a_passage():
    """Room for seven tokens and for five, each window two behind the last."""
    answer = Answer("条Water", 5)
    rows = [row(answers=(answer,)), row("小河在哪里山前", answers=(Answer("山", 0),))]
    found, _ = features(rows, max_length=12, max_query_length=4, stride=2)
    assert found.owner.tolist() == [0] * 4 + [1] * 5
    assert words(found, 1) == [
        "[CLS]",
        "哪",
        "里",
        "[SEP]",
        "有",
        "一",
        "条",
        "water",
        "##fall",
        "，",
        "在",
        "[SEP]",
    ]
    # A question of more than four tokens is cut.
    assert words(found, 4)[:6] == ["[CLS]", "小", "河", "在", "哪", "[SEP]"]
    targets = found.targets
    assert targets.starts[:4].tolist() == [8, 6, 4, 0]
    assert targets.ends[:4].tolist() == [9, 7, 5, 0]
    assert targets.starts[4:].tolist() == [6, 0, 0, 0, 0]
    # Each token of the passage has its most context in exactly one window.
    for owner, count in ((0, 12), (1, 12)):
        chosen = np.flatnonzero(found.owner == owner)
        at = np.concatenate(
            [np.arange(60)[:0], *(np.r_[found.span(n)] for n in chosen)]
        )
        places = found.places[at][found.best[at]]
        assert len(places) == len({tuple(p) for p in places}) == count


@pytest.mark.parametrize(
    ("start", "text", "tokens"),
    [
        (0, "山", (0, 0)),
        (1, "前 有", (1, 2)),
        (2, " 有", (2, 2)),  # a space made no token
        (8, "te", (5, 5)),  # inside of a piece: the whole piece
        (10, "rfall，", (5, 7)),
        (17, "20", (9, 9)),
        (17, "2024", (9, 10)),
        (19, "24。", (10, 11)),
        (2, " ", None),
        (-1, "山", None),
    ],
)
def test_targets(start, text, tokens):
    found, _ = features([row(answers=(Answer(text, start),))])
    got = (int(found.targets.starts[0]), int(found.targets.ends[0]))
    assert got == ((-1, -1) if tokens is None else (tokens[0] + 4, tokens[1] + 4))


def test_unanswerable_and_unknown():
    impossible = row(answers=(), impossible=True)
    known = row(answers=(Answer("山", 0),), name="k")
    found, _ = features([impossible, known])
    assert found.targets.impossible.tolist() == [1, 0]
    assert found.targets.starts.tolist() == [0, 4]
    found, _ = features([known, row(answers=None, name="t")])
    assert found.targets is None
    assert not isinstance(found.batch(np.array([0])), tuple)


def test_empty_texts_and_long_questions():
    rows = [row("", "", ()), row("里" * 500, "", ()), row("", " \n", ())]
    found, settings = features(rows)
    assert [words(found, n)[0] for n in range(3)] == ["[CLS]"] * 3
    assert found.lengths.tolist() == [3, 7, 3]
    outputs = {
        name: np.zeros((3, 7), "float32") for name in ("start_logits", "end_logits")
    }
    chosen = np.arange(3)
    each = TASK.engine.found(TASK, found, chosen, outputs, settings)
    got = TASK.engine.predictions(TASK, rows, found, each, settings)
    assert [one.text for one in got] == ["", "", ""]


def test_no_room_for_the_passage():
    with pytest.raises(ConfigError, match="max_length=67 leaves no room.*64 tokens"):
        features([row()], max_length=67, max_query_length=64)
    assert len(features([row()], max_length=68, max_query_length=64)[0])


def test_a_passage_is_tokenized_once():
    class Counting(PythonTokenizer):
        count = 0

        def tokenize_offsets(self, text):
            self.count += 1
            return super().tokenize_offsets(text)

    tokenizer = Counting(VOCAB)
    settings = TASK.settings(max_query_length=4, max_length=40)
    rows = [row(name=str(n)) for n in range(5)] + [row(context="小河")]
    assert len(TASK.features(rows, tokenizer, settings)) == 6
    assert tokenizer.count == 2


def test_tokenize_offsets():
    ids, spans = PythonTokenizer(VOCAB).tokenize_offsets(CONTEXT)
    full, _, places = PythonTokenizer(VOCAB).encode_offsets(CONTEXT)
    assert (ids, spans) == (full[1:-1], places[1:-1])


def test_options():
    for wrong in ({"stride": 0}, {"n_best": 0}, {"head": "gpt"}, {"evaluator": "x"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            TASK.settings(**wrong)
    assert TASK.settings(head="albert").options == SpanOptions(
        head="albert", max_answer_length=50
    )


def predicted(text, context=CONTEXT):
    start = context.find(text)
    return SpanPrediction(text, start, start + len(text), 0.5, None, ())


def test_scores_of_cmrc():
    rows = [
        row(answers=(Answer("山前", 0), Answer("山", 0)), name="a"),
        row(answers=(Answer("Waterfall", 6),), name="b"),
    ]
    given = [predicted("山"), predicted("条Waterfall")]
    scores = TASK.engine.score(TASK, rows, given)
    f1 = (1 + cmrc_f1(["Waterfall"], "条Waterfall")) / 2
    assert scores == pytest.approx(
        {"em": 0.5, "f1": f1, "average": (0.5 + f1) / 2, "examples": 2}
    )
    assert cmrc_em(["山"], "山") == 1
    wrong = TASK.engine.wrong(TASK, rows, given)
    assert wrong[0] == 0
    assert wrong[1] == pytest.approx(1 - cmrc_f1(["Waterfall"], "条Waterfall") / 2)
    with pytest.raises(DataError):
        TASK.engine.score(TASK, [row()], [predicted("")])


def test_scores_of_squad():
    blue = row("?", "It is blue.", (Answer("blue", 6),), "a")
    none = row("?", "It is blue.", (), "b", impossible=True)
    right = [predicted("blue", blue.context), predicted("", blue.context)]
    one, two = TASKS["squad_v1"], TASKS["squad_v2"]
    assert one.engine.score(one, [blue], right[:1])["em"] == 1.0
    scores = two.engine.score(two, [blue, none], right[:1] * 2)
    assert (scores["em"], scores["has_answer_f1"], scores["no_answer"]) == (0.5, 1, 0)
    assert two.engine.score(two, [blue, none], right)["average"] == 1.0
    assert two.engine.wrong(two, [blue, none], right[:1] * 2).tolist() == [0, 1]


def test_submission(tmp_path):
    rows = [row(name="a"), row(name="b")]
    given = [predicted("山前"), predicted("")]
    TASK.submission(tmp_path / "answers.json", rows, given)
    text = (tmp_path / "answers.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"a": "山前", "b": ""}
    assert "山" in text
    shown = TASK.engine.show(TASK, rows[0], given[0])
    assert json.loads(json.dumps(shown))["id"] == "a"


@pytest.mark.parametrize("name", ["cmrc2018", "drcd", "squad_v1", "squad_v2"])
def test_declared_tasks(name, tmp_path):
    task = TASKS[name]
    data = [{"context": CONTEXT, "qas": []}]
    answers = [{"text": "山前", "answer_start": 0}]
    data[0]["qas"].append({"id": "1", "question": "哪里", "answers": answers})
    files = {"squad_v1": "train-v1.1.json", "squad_v2": "train-v2.0.json"}
    text = json.dumps({"data": [{"paragraphs": data}]}, ensure_ascii=False)
    (tmp_path / files.get(name, "train.json")).write_text(text, encoding="utf-8")
    rows = task.rows(tmp_path, "train").rows
    assert rows == (row(answers=(Answer("山前", 0),), name="1"),)
    settings = task.settings()
    assert settings.head_dropout == 0.0
    assert settings.max_length in (384, 512)
    assert settings.options.version2 == (name == "squad_v2")
    found = task.features(rows, PythonTokenizer(VOCAB), settings)
    assert isinstance(found.targets, SpanTargets)


@pytest.mark.parametrize(
    ("family", "style"),
    [("bert", "bert"), ("nezha", "nezha"), ("electra", "electra"), ("albert", "bert")],
)
def test_head_of_the_original_code(tiny_config, family, style):
    encoder = plm.Encoder(tiny_config, family=family)
    assert TASK.model(encoder).style == style
    assert TASK.model(plm.Encoder(tiny_config), head="albert").style == "albert"
    assert set(STYLES) == {"bert", "nezha", "electra", "albert"}


def test_answers_come_back_to_the_letter(tmp_path, capsys):
    """The measurement of benchmarks/offsets, on answers with and without flaws."""
    surfaces = ("Waterfall", "山前 有", "前 ", "024", "条Water")
    answers = [{"text": s, "answer_start": CONTEXT.index(s)} for s in surfaces]
    asked = [
        {"id": str(n), "question": "哪里", "answers": [one]}
        for n, one in enumerate([*answers, {"text": "大海", "answer_start": 0}])
    ]
    data = [{"paragraphs": [{"context": CONTEXT * 30, "qas": asked}]}]
    (tmp_path / "cmrc2018_clue").mkdir()
    file = tmp_path / "cmrc2018_clue" / "train.json"
    file.write_text(json.dumps({"data": data}), encoding="utf-8")
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("\n".join(VOCAB), encoding="utf-8")
    status = offsets.main(["--data", str(tmp_path), "--vocab", str(vocab)])
    printed = capsys.readouterr().out
    assert status == 0
    assert "'024' came back as '2024'" in printed
    assert "'前 ' came back as '前'" in printed
    rows = list(offsets.single(TASK.rows(file.parent, "train").rows))
    counts, _ = offsets.check(TASK, rows, PythonTokenizer(VOCAB))
    assert counts == {
        "exact": 3,
        offsets.UNKNOWN: 1,
        offsets.PIECE: 1,
        offsets.SPACE: 1,
    }
