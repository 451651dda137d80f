"""Titles learned by heart: fit, evaluate, predict, save, load, the commands."""

import json
import logging
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm import evaluating, finetuning
from kerasplm.cli import app
from kerasplm.errors import CheckpointError, ConfigError, DataError
from kerasplm.task_models import TextGenerator
from kerasplm.tasks import TASKS
from tests.titles import (
    PAIRS,
    VOCAB,
    encoder,
    rows,
    seq2seq,
    tokenizer,
    write_files,
    write_model,
)

TASK = TASKS["csl_title"]
LEARN = {
    "epochs": 40,
    "batch_size": 8,
    "learning_rate": 1e-2,
    "max_length": 24,
    "max_answer_length": 8,
    "save_steps": 1000,
}


def learn(place, name, **changes):
    settings = TASK.settings(**{**LEARN, **changes})
    return finetuning.finetune(
        place / name,
        TASK,
        place / "data",
        place / f"out_{name}",
        settings=settings,
        verbose=0,
    )


def inputs():
    settings = TASK.settings(max_length=24, max_answer_length=8)
    features = TASK.features(rows(), tokenizer(), settings)
    return features.batch(np.arange(len(PAIRS)))[0]


def run(*arguments):
    done = CliRunner().invoke(app, [str(x) for x in arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("titles")
    write_files(place / "data")
    whole = plm.PretrainedModel(encoder(), ["mlm", "sentence_pair"])
    write_model(whole, place / "unilm")
    write_model(seq2seq(), place / "t5")
    return place


@pytest.fixture(scope="module")
def done(place):
    return learn(place, "unilm")


def test_it_learns_by_heart(done, place):
    assert done.scores["dev"]["rouge_l"] > 0.95
    assert done.scores["dev"]["examples"] == len(PAIRS)
    assert done.history[-1]["val_examples"] == len(PAIRS)
    assert done.history[-1]["val_loss"] < 0.1
    lines = (place / "out_unilm" / "dev_predictions.jsonl").read_text("utf-8")
    told = [json.loads(line) for line in lines.splitlines()]
    right = [a["text"] == title for a, (_, title) in zip(told, PAIRS, strict=True)]
    assert [one["right"] for one in told] == right
    assert sum(right) >= 7
    card = (place / "out_unilm" / "model" / "README.md").read_text("utf-8")
    assert 'pipeline("text-generation"' in card


def test_the_saved_model_writes_what_was_predicted(done, place, tmp_path):
    out, texts = place / "out_unilm", [text for text, _ in PAIRS]
    lines = (out / "dev_predictions.jsonl").read_text("utf-8").splitlines()
    expected = [json.loads(line)["text"] for line in lines]
    run("export", "--model", out, "--output", tmp_path / "again")
    for folder in (out / "saved_model", tmp_path / "again"):
        write = tf.saved_model.load(str(folder)).signatures["serving_default"]
        found = write(text=tf.constant(texts))["text"].numpy()
        assert [text.decode() for text in found] == expected
    # The whole folder of the run is a model to `generate`, too.
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n", "utf-8")
    options = ("--max-length", "8", "--output", tmp_path / "x.jsonl")
    run("generate", "--model", out, "--input", tmp_path / "in.txt", *options)
    lines = (tmp_path / "x.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == expected
    told = json.loads((out / "model" / "task.json").read_text("utf-8"))
    told["options"]["extract"] = True
    shutil.copytree(out / "model", tmp_path / "m")
    (tmp_path / "m" / "task.json").write_text(json.dumps(told))
    command = [
        "export",
        "--model",
        str(tmp_path / "m"),
        "--output",
        str(tmp_path / "y"),
    ]
    failed = CliRunner().invoke(app, command)
    assert "csl_title reads several texts, copies or writes" in str(failed.exception)
    (tmp_path / "m" / "task.json").unlink()
    failed = CliRunner().invoke(app, command)
    assert "does not tell its task; pass --generate" in str(failed.exception)
    assert not (tmp_path / "y").exists()


def test_the_head_of_the_checkpoint_is_taken(place):
    settings = TASK.settings(model=place / "unilm", max_length=24, max_answer_length=8)
    body = finetuning.start(place / "unilm", TASK, settings)
    model = TASK.model(body, settings=settings)
    whole = plm.load(place / "unilm", heads="pretraining", attention="unilm")
    for one, other in zip(
        model.network.heads["mlm"].weights, whole.heads["mlm"].weights, strict=True
    ):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    with pytest.raises(ConfigError, match="max_length=44 and targets of 8, but .* 48"):
        learn(place, "unilm", max_length=44)


def test_a_fresh_head_is_said(place, caplog, tmp_path):
    write_model(encoder(), tmp_path / "bare")
    settings = TASK.settings(max_length=24, max_answer_length=8, dropout=0.2)
    with caplog.at_level(logging.WARNING, "kerasplm"):
        body = finetuning.start(tmp_path / "bare", TASK, settings)
    assert "holds no MLM head; the head that scores words begins with" in caplog.text
    assert isinstance(body, plm.Encoder)
    assert (body.config.attention, body.config.hidden_dropout_prob) == ("unilm", 0.2)
    body = finetuning.start(place / "t5", TASK, settings)
    assert body.config.hidden_dropout_prob == 0.2
    other = TASK.settings(from_scratch=True, dropout=0.3, family="t5_pegasus")
    body = finetuning.start(place / "t5", TASK, other)
    assert isinstance(body, plm.Seq2Seq)
    assert body.config.hidden_dropout_prob == 0.3
    assert body.config.initializer_range is None
    with pytest.raises(ConfigError, match="expected the configuration of an encoder"):
        finetuning.start(place / "t5", TASKS["lcqmc"], other)


@pytest.mark.parametrize("body", [encoder, seq2seq])
def test_saved_and_loaded(body, tmp_path):
    model = TextGenerator(body(), task="csl_title")
    expected = np.asarray(model(inputs()))
    plm.save_checkpoint(model, tmp_path / "m" / "model.ckpt")
    for heads in ("task", "generation"):
        again = plm.load(tmp_path / "m", heads=heads)
        np.testing.assert_array_equal(np.asarray(again(inputs())), expected)
    assert again.facts() == model.facts()
    whole = plm.load(tmp_path / "m", heads="pretraining")
    same = TextGenerator(whole)
    np.testing.assert_array_equal(np.asarray(same(inputs())), expected)
    plm.load_checkpoint(TextGenerator(body()), tmp_path / "m")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(again(inputs())), expected)
    model.save_weights(tmp_path / "m" / "model.weights.h5")
    again = plm.load(tmp_path / "m" / "model.weights.h5", heads="task")
    np.testing.assert_array_equal(np.asarray(again(inputs())), expected)
    words = "no head for span|heads must be None, 'pretraining', 'task'"
    with pytest.raises((CheckpointError, ConfigError), match=words):
        plm.load(tmp_path / "m", heads="span")


def test_evaluated_and_predicted(done, place, tmp_path):
    folder = place / "out_unilm" / "model"
    found = evaluating.evaluate(folder, place / "data")
    assert found.scores["rouge_l"] == done.scores["dev"]["rouge_l"]
    beams = evaluating.evaluate(folder, place / "data", beams=3, batch_size=3)
    assert beams.scores["exact"] >= 7 / 8
    found.write_submission(tmp_path / "x.json")
    lines = (tmp_path / "x.json").read_text("utf-8").splitlines()
    assert json.loads(lines[0]) == {"id": 0, "text": found.predictions[0].text}
    write = plm.pipeline("text-generation", folder)
    answers = write([text for text, _ in PAIRS])
    assert [a["text"] for a in answers] == [p.text for p in found.predictions]
    alone = write(PAIRS[0][0])
    assert alone == write((PAIRS[0][0],))
    assert alone["text"] == answers[0]["text"]
    assert alone["score"] == pytest.approx(answers[0]["score"], abs=1e-5)
    assert list(answers[0]) == ["text", "score"]
    for item, words in (
        (5, "expected an item"),
        ((1,), "a text must be a str"),
        ({"title": "x"}, "input 0: expected a str"),
    ):
        with pytest.raises(DataError, match=words):
            write(item)
    model = plm.load(folder, heads="task")
    plain = plm.pipeline("text-generation", model, plm.load_tokenizer(folder))
    assert plain.settings.max_length == 48 - 32
    with pytest.raises(ConfigError, match="more than the 48 positions"):
        plm.pipeline("text-generation", folder, max_length=47)(PAIRS[0][0])


def test_commands(done, place, tmp_path):
    folder = place / "out_unilm" / "model"
    assert "rouge_l" in run("evaluate", "--model", folder, "--data", place / "data")
    lines = "".join(f"{text}\n" for text, _ in PAIRS)
    (tmp_path / "in.txt").write_text(lines, "utf-8")
    out = tmp_path / "out.jsonl"
    run("predict", "--model", folder, "--input", tmp_path / "in.txt", "--output", out)
    told = [json.loads(x)["text"] for x in out.read_text("utf-8").splitlines()]
    scores = done.scores["dev"]
    right = sum(a == title for a, (_, title) in zip(told, PAIRS, strict=True))
    assert right == round(scores["exact"] * len(PAIRS))
    options = ("--split=dev", "--set", "batch_size=8", "--output", tmp_path / "s.json")
    out = run("submit", "--model", folder, "--data", place / "data", *options)
    assert "8 answers" in out
    assert "max_answer_length" in run("tasks", "csl_title")


def test_a_file_of_one_s_own_and_t5(place, tmp_path):
    """The whole way by command, with another network and another layout of the file."""
    data = tmp_path / "data"
    data.mkdir()
    lines = [json.dumps({"a": t, "b": "雪", "c": y}) + "\n" for t, y in PAIRS]
    for split in ("train", "dev"):
        (data / f"{split}.jsonl").write_text("".join(lines), "utf-8")
    columns = {"text": "a", "pair": "b", "target": "c"}
    declared = {"name": "mine", "kind": "generation", "columns": columns}
    (tmp_path / "mine.json").write_text(json.dumps(declared), "utf-8")
    choices = ("--set", "max_answer_length=6", "--set", "top_k=3", "--max-length", "24")
    choices += ("--set", "dev_rows=1")
    where = ("--model", place / "t5", "--data", data, "--output", tmp_path / "out")
    task = ("--task", tmp_path / "mine.json", "--epochs", "2", "--batch-size", "4")
    run("finetune", *where, *task, *choices)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["metric"] == "bleu"
    write = plm.pipeline("text-generation", tmp_path / "out" / "model")
    first = write((PAIRS[0][0], "雪"))
    assert first == write((PAIRS[0][0], "雪"))  # what is drawn depends on the seed
    assert len(first["text"]) <= 6
    assert set(first["text"].replace(" ", "")) <= set("".join(VOCAB))
    # Between the epochs one row was written, in the end all of them.
    header, *lines = (tmp_path / "out" / "history.csv").read_text().splitlines()
    at = header.split(",").index("val_examples")
    assert [float(line.split(",")[at]) for line in lines] == [1, 1]
    assert results["scores"]["dev"]["examples"] == len(PAIRS)
    model = plm.load(tmp_path / "out" / "model", heads="task")
    graph = plm.load_tokenizer(place / "unilm", in_graph=True)
    with pytest.raises(ConfigError, match="expected a Classifier, an Encoder or"):
        plm.export(model, graph, tmp_path / "saved")
