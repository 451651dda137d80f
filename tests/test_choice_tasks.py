"""Multiple choice from rows to predictions, scores and files."""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.checkpoint import write
from kerasplm.errors import CheckpointError
from kerasplm.task_models import MODELS, MultipleChoice
from kerasplm.tasks import TASKS
from kerasplm.tasks.kinds.choice import ChoicePrediction, exclusive
from kerasplm.tasks.rows import ChoiceRow
from tests.choosing import TOKENIZER, encoder, learn, scores, settings_of
from tests.models import read_all

C3, CHID = TASKS["c3"], TASKS["chid"]
COLOURS = tuple("红黄蓝白")
_THINGS = tuple("猫狗鸟鱼书笔")


def questions():
    """A dozen questions on who has which colour; two to five answers."""
    rows = []
    for n in range(12):
        right = COLOURS[n % 4]
        thing, other = _THINGS[n % 6], _THINGS[(n + 1) % 6]
        context = f"他的{thing}是{right}的，她的{other}很大"
        others = [c for c in COLOURS if c != right]
        choices = [right, *others[: 1 + n % 3]]
        if n == 5:
            choices.append("山")
        choices = tuple(choices[n % 2 :] + choices[: n % 2])
        rows.append(
            ChoiceRow(n, context, f"{thing}的颜色", choices, choices.index(right))
        )
    return rows


def blanks():
    """Six lines with two blanks each and four idioms of my own."""
    idioms = ("春夏秋冬", "东南西北", "山水火土", "一二三四")
    words = {0: "天气", 1: "哪里", 2: "花草", 3: "多少"}
    rows = []
    for line in range(6):
        choices = idioms[line % 4 :] + idioms[: line % 4]
        for k in (line % 4, (line + 1 + line // 4) % 4):
            context, question = f"今明{words[k]}，#idiom9#", f"，{words[k]}好"
            name = f"#idiom{line}{k}#"
            answer = choices.index(idioms[k])
            rows.append(ChoiceRow(name, context, question, choices, answer, line))
    return rows


def greedy(matrix):
    """The original: sort (candidate, row, score), take what is still free."""
    cells = [
        (candidate, row, score)
        for candidate, line in enumerate(np.transpose(matrix))
        for row, score in enumerate(line)
    ]
    answers = {}
    for candidate, row, _ in sorted(cells, key=lambda cell: cell[2], reverse=True):
        if row not in answers and candidate not in answers.values():
            answers[row] = candidate
    return answers


def test_exclusive_assignment_is_the_greedy_one():
    rng = np.random.default_rng(0)
    groups = [
        # Few different scores: ties count too.
        rng.integers(0, 4, (rng.integers(1, 7), rng.integers(1, 7))) * 0.5 - 1
        for _ in range(500)
    ]
    for matrix, answers in zip(groups, exclusive(groups), strict=True):
        expected = greedy(matrix)
        for row, answer in enumerate(answers):
            # With more rows than candidates the rest take their best.
            assert answer == expected.get(row, int(matrix[row].argmax()))
    assert exclusive([]) == []


def test_one_sees_another_before_its_best_is_gone():
    matrix = np.array([[3.0, 2.9, 0.0], [2.0, 0.5, 1.0], [9.0, 8.0, 7.0]])
    assert exclusive([matrix]) == [[1, 2, 0]]


@pytest.fixture(scope="module")
def answered():
    return learn(C3, questions(), epochs=60, rate=2e-3, batch_size=6)


@pytest.fixture(scope="module")
def filled():
    return learn(CHID, blanks(), epochs=60)


def test_questions_are_learnt(answered):
    found = scores(C3, answered[1], questions())
    assert found["accuracy"] == 1.0
    assert found["loss"] < 0.5
    assert found["examples"] == 12
    assert found["chance"] == pytest.approx(
        np.mean([1 / len(row.choices) for row in questions()])
    )
    assert "groups" not in found


def test_idioms_are_learnt(filled):
    found = scores(CHID, filled[1], blanks())
    assert found["accuracy"] == found["accuracy_alone"] == 1.0
    assert found["groups"] == 1.0


def test_an_answer_that_fills_up_is_never_predicted(answered):
    network, judge = answered
    rows = [ChoiceRow(0, "他", "谁", ("猫", "狗"), None)]
    features = C3.features(rows, TOKENIZER, judge.settings)
    assert features.targets is None
    assert features.choices == 4
    (one,), loss = judge.predict(rows, features)
    assert loss is None
    assert one.probabilities.shape == (2,)
    assert one.probabilities.sum() == pytest.approx(1)


def test_padding_changes_nothing(answered):
    """The logits of a question do not depend on what stands beside it."""
    network, judge = answered
    features = C3.features(questions(), TOKENIZER, judge.settings)
    together = np.asarray(network(features.inputs(np.arange(12))))
    assert together.shape == (12, 5)
    for n in range(12):
        alone = np.asarray(network(features.inputs(np.array([n]))))[0]
        np.testing.assert_allclose(together[n][: len(alone)], alone, atol=2e-5)
        assert (together[n][len(alone) :] == np.float32(-1e9)).all()


def test_choices_are_scored_on_their_own():
    network = MultipleChoice(encoder())
    ids = np.random.default_rng(0).integers(5, 40, (2, 3, 7))
    logits = np.asarray(network({"token_ids": ids}))
    flat = network.encoder({"token_ids": ids.reshape(6, 7)})["pooled_output"]
    kernel, bias = network.logits.get_weights()
    expected = (np.asarray(flat) @ kernel + bias).reshape(2, 3)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    loss = float(network.objective({}, np.array([2, 0]), logits))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert loss == pytest.approx(-np.log(shares[[0, 1], [2, 0]]).mean(), abs=1e-5)


def test_every_weight_gets_a_gradient():
    import tensorflow as tf

    network = MultipleChoice(encoder())
    inputs, targets = C3.features(questions(), TOKENIZER, settings_of(C3)).batch(
        np.arange(12)
    )
    with tf.GradientTape() as tape:
        loss = network.objective(inputs, targets, network(inputs, training=True))
    weights = network.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        values = np.asarray(tf.convert_to_tensor(gradient))
        assert np.isfinite(values).all()
        # The bias of all choices alike, and that of keys, change no softmax.
        flat = weight.path.endswith(("logits/bias", "key/bias"))
        assert np.abs(values).max() < 1e-6 if flat else np.abs(values).max() > 0


def test_saved_and_loaded(answered, tmp_path):
    network, judge = answered
    batch = C3.features(questions(), TOKENIZER, judge.settings).inputs(np.arange(12))
    expected = np.asarray(network(batch))
    plm.save_checkpoint(network, tmp_path / "m" / "model.ckpt", family="bert")
    for heads in ("task", "choice"):
        again = plm.load(tmp_path / "m", heads=heads)
        assert isinstance(again, MultipleChoice)
        assert again.task == "c3"
        np.testing.assert_array_equal(np.asarray(again(batch)), expected)
    network.save(tmp_path / "model.keras")
    again = plm.load(tmp_path / "model.keras", heads="task")
    np.testing.assert_array_equal(np.asarray(again(batch)), expected)


def test_a_checkpoint_of_the_original_code(answered, tmp_path):
    """`race_utils.py` leaves output_weights [1, D] and no word of ours."""
    network, _ = answered
    plm.save_checkpoint(network, tmp_path / "model.ckpt", family="bert")
    file = tmp_path / "bert_config.json"
    data = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in data.items() if k != "kerasplm"}))
    tensors = read_all(tmp_path / "model.ckpt")
    assert tensors["output_weights"].shape == (1, 32)
    again = plm.load(tmp_path, heads="choice", hidden_act="gelu_tanh")
    assert again.logits.kernel.shape == (32, 1)
    two = np.zeros((2, 32), "float32"), np.zeros(2, "float32")
    names = ("output_weights", "output_bias")
    write(tmp_path / "model.ckpt", tensors | dict(zip(names, two, strict=True)))
    with pytest.raises(CheckpointError, match="one output for each choice, found 2"):
        plm.load(tmp_path, heads="choice")


def test_predictions_become_files(tmp_path):
    rows = questions()[:2]
    found = [ChoicePrediction(1, np.array([0.25, 0.75])), None]
    found[1] = ChoicePrediction(0, np.array([0.5, 0.25, 0.25]))
    C3.submission(tmp_path / "a", rows, found)
    lines = (tmp_path / "a").read_text().splitlines()
    assert lines == ['{"id": 0, "label": 1}', '{"id": 1, "label": 0}']
    CHID.submission(tmp_path / "b", blanks()[:2], found)
    expected = {row.id: p.answer for row, p in zip(blanks()[:2], found, strict=True)}
    assert json.loads((tmp_path / "b").read_text()) == expected
    shown = C3.engine.show(C3, rows[0], found[0])
    assert shown == {
        "id": 0,
        "label": 1,
        "answer": rows[0].choices[1],
        "probabilities": [0.25, 0.75],
    }
    wrong = C3.engine.wrong(C3, [rows[0]], found[:1])
    right = [0.25, 0.75][rows[0].answer]
    np.testing.assert_allclose(wrong, -np.log(right))


def test_group_scores():
    rows = [
        ChoiceRow(n, "", "", ("甲", "乙"), 0, group) for n, group in enumerate("aabb")
    ]
    sure = np.array([0.9, 0.1])
    found = [ChoicePrediction(answer, sure) for answer in (0, 0, 0, 1)]
    assert CHID.engine.score(CHID, rows, found) == {
        "accuracy": 0.75,
        "accuracy_alone": 1.0,
        "groups": 0.5,
        "chance": 0.5,
        "examples": 4,
    }


def test_files_of_the_tasks(tmp_path):
    item = [["他去东山"], [{"question": "哪里", "choice": ["东山", "西山"]}], "1-1"]
    item[1][0]["answer"] = "东山"
    for name in ("d-train.json", "m-train.json"):
        (tmp_path / name).write_text(json.dumps([item]), "utf-8")
    split = C3.rows(tmp_path, "train")
    assert [row.answer for row in split.rows] == [0, 0]
    line = {"content": ["甲#idiom1#乙#idiom2#"], "candidates": ["春夏秋冬", "一二三四"]}
    (tmp_path / "dev.json").write_text(json.dumps(line) + "\n", "utf-8")
    answers = {"#idiom1#": 1, "#idiom2#": 0}
    (tmp_path / "dev_answer.json").write_text(json.dumps(answers), "utf-8")
    rows = CHID.rows(tmp_path, "dev").rows
    assert [(row.answer, row.group) for row in rows] == [(1, 0), (0, 0)]
    assert CHID.features(rows, TOKENIZER).choices == 2


def test_models_know_their_kind():
    assert MODELS["choice"] is MultipleChoice
    assert MultipleChoice(encoder()).facts() == {
        "kind": "choice",
        "labels": [],
        "pair": True,
        "task": "choice",
        "dropout": 0.1,
        "activation": "linear",
    }
