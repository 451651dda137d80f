"""Models for questions on passages: what they take and give, keep, and learn."""

import dataclasses

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.optimization import AdamW
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.task_models import SpanExtractor
from kerasplm.task_models.span import STYLES
from kerasplm.tasks import TASKS
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.rows import Answer, QuestionRow

TASK = TASKS["cmrc2018"]
# Passages, and for each its questions with their answers.
PASSAGES = (
    (
        "小镇靠着一座青山，山脚有条叫白溪的小河，河上的石桥是三百年前修的。每年五月，"
        "镇上的人在桥头卖茶叶和竹笋。",
        (
            ("小河叫什么名字？", "白溪"),
            ("石桥是什么时候修的？", "三百年前"),
            ("人们在哪里卖茶叶？", "桥头"),
            ("什么时候卖竹笋？", "五月"),
        ),
    ),
    (
        "王师傅在城南开了一家面馆，店里只有六张桌子。他的儿子小林负责买菜，女儿小梅"
        "负责记账。面馆周一休息。",
        (
            ("面馆开在什么地方？", "城南"),
            ("店里有多少桌子？", "六张"),
            ("谁负责买菜？", "小林"),
            ("小梅负责什么？", "记账"),
            ("面馆哪天休息？", "周一"),
        ),
    ),
    (
        "这台旧望远镜是祖父从上海带回来的，镜筒长两米，用它能看见土星的光环。",
        (
            ("望远镜从哪里带回来？", "上海"),
            ("镜筒有多长？", "两米"),
            ("能看见什么？", "土星的光环"),
        ),
    ),
)
ROWS = [
    QuestionRow(question, question, context, (Answer(text, context.index(text)),))
    for context, asked in PASSAGES
    for question, text in asked
]
CHARS = sorted({char for row in ROWS for char in row.context + row.question})
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *CHARS]
FAMILIES = {"bert": "bert", "nezha": "nezha", "electra": "electra", "albert": "albert"}


def encoder(family, **fields):
    keras.utils.set_random_seed(1)
    own = {
        "nezha": {"position": "nezha"},
        "electra": {"pooler": "none", "hidden_act": "gelu_erf"},
        "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    }
    config = plm.Config(
        vocab_size=len(VOCAB),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return plm.Encoder(config.replace(**own.get(family, {}), **fields), family=family)


def prepared(style, **changes):
    settings = TASK.settings(
        head=style, max_length=44, max_query_length=12, stride=10, **changes
    )
    features = TASK.features(ROWS, PythonTokenizer(VOCAB), settings)
    model = TASK.model(
        encoder(FAMILIES[style]), settings=settings, optimizer=AdamW(2e-3)
    )
    return model, features, settings


@pytest.mark.parametrize("style", STYLES)
def test_learns_all_answers(style):
    model, features, settings = prepared(style)
    assert len(features) > len(ROWS)
    judge = Judge(TASK, model, settings)
    before = judge.score(ROWS, features)
    everything = np.arange(len(features))
    batch, targets = features.batch(everything)
    for _ in range(150):
        model.train_on_batch(batch, targets)
    after = judge.score(ROWS, features)
    assert before["em"] < 0.5
    assert after["em"] == after["f1"] == 1.0
    assert after["loss"] < 0.1 * before["loss"]
    # What is predicted does not depend on the targets being there.
    alone = dataclasses.replace(features, targets=None)
    predictions, none = judge.predict(ROWS, alone)
    assert none is None
    assert [one.text for one in predictions] == [row.answers[0].text for row in ROWS]
    for row, one in zip(ROWS, predictions, strict=True):
        assert row.context[one.start : one.end] == one.text


@pytest.mark.parametrize("style", STYLES)
def test_file_and_back(style, tmp_path):
    _, features, _ = prepared(style)
    network = encoder(FAMILIES[style])
    model = SpanExtractor(network, head=style, dropout=0.2, answerable_weight=0.3)
    inputs = dataclasses.replace(features, targets=None).batch(np.arange(3))
    wanted = model(inputs)
    plm.save_checkpoint(model, tmp_path / "m" / "model.ckpt")
    model.save(tmp_path / "whole.keras")
    for other in (
        plm.load(tmp_path / "m", heads="task"),
        plm.load(tmp_path / "m", heads="span"),
        keras.models.load_model(tmp_path / "whole.keras"),
    ):
        assert isinstance(other, SpanExtractor)
        assert other.facts() == model.facts()
        assert other.facts()["answerable_weight"] == 0.3
        for name, value in other(inputs).items():
            assert np.array_equal(value, wanted[name]), name


def test_no_names_for_the_head_of_another_code(tmp_path):
    model = SpanExtractor(encoder("bert"), head="albert")
    with pytest.raises(CheckpointError, match="no names for span/"):
        plm.save_checkpoint(model, tmp_path / "model.ckpt")
    assert not list(tmp_path.iterdir())


def test_no_such_head(folder):
    with pytest.raises(CheckpointError, match="no head for span"):
        plm.load(folder, heads="span")


@pytest.mark.parametrize("style", STYLES)
def test_one_call_for_loss_and_search(style):
    model, features, _ = prepared(style)
    batch, _ = features.batch(np.arange(4))
    both = model(batch)
    search = model({k: v for k, v in batch.items() if k != "start_positions"})
    taught = model(batch, training=True)
    assert set(both) == set(search) | set(taught)
    for name, value in search.items():
        assert np.array_equal(both[name], value)
    assert "start_top_index" not in taught


def test_unknown_places_cost_nothing():
    model, features, _ = prepared("bert")
    batch, targets = features.batch(np.arange(4))
    unknown = {name: np.full(4, -1) for name in ("start_positions", "end_positions")}
    loss = model.objective(batch, targets | unknown, model(batch))
    assert float(loss) == 0.0


def test_windows_of_albert_are_judged():
    model, features, _ = prepared("albert")
    batch, targets = features.batch(np.arange(8))
    outputs = model(batch)
    elsewhere = (targets["start_positions"] == 0).astype("int32")
    assert 0 < elsewhere.sum() < 8
    told = targets | {"is_impossible": elsewhere}
    loss = float(model.objective(batch, targets, outputs))
    assert loss == pytest.approx(float(model.objective(batch, told, outputs)))
    other, _, _ = prepared("electra")
    outputs = other(batch)
    loss = float(other.objective(batch, targets, outputs))
    assert loss != pytest.approx(float(other.objective(batch, told, outputs)))


def test_the_pooler_is_not_trained():
    model, _, _ = prepared("bert")
    pooler = {id(w) for w in model.encoder.pooler.weights}
    assert pooler
    assert not pooler & {id(w) for w in model.trainable_weights}
    assert pooler <= {id(w) for w in model.weights}


def test_bad_arguments():
    for changes in (
        {"head": "gpt"},
        {"options": {"beam": 3}},
        {"head": "electra", "options": {"units": 0}},
    ):
        with pytest.raises(ConfigError):
            SpanExtractor(encoder("bert"), **changes)
    with pytest.raises(ConfigError, match="does not see"):
        SpanExtractor(encoder("bert", attention="causal"))
