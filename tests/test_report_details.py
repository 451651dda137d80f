"""What fine-tuning leaves for people: examples, confusions, card, logs."""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.report.card import model_card
from kerasplm.report.details import details, prediction_lines
from kerasplm.report.outputs import model_name, setting_sources
from kerasplm.report.plain import plain, readable
from kerasplm.tasks.features import joined
from kerasplm.tasks.kinds.classification import ClassPrediction
from kerasplm.tasks.rows import TextRow
from tests.event_files import scalars

STRICT = {"parse_constant": pytest.fail}  # NaN and Infinity are no JSON


def read(path):
    return json.loads(path.read_text("utf-8"), **STRICT)


def judged(shares, labels):
    """Rows of growing length with labels, and what a model says of them."""
    task = plm.TASKS["chnsenticorp"]
    rows = [TextRow(n, "好" * (n + 1), label=x) for n, x in enumerate(labels)]
    features = joined([([1] * (n + 3), [0] * (n + 3)) for n in range(len(rows))], 0)
    found = [
        ClassPrediction(str(int(x > 0.5)), np.array([1 - x, x], "float32"))
        for x in shares
    ]
    return task, rows, features, found


def test_details_of_known_predictions():
    case = judged([0.9, 0.2, 0.6, 0.0], ["1", "1", "0", "0"])
    found = details(*case, max_length=6, count=2)
    assert found["confusion"] == {"labels": ["0", "1"], "matrix": [[1, 1], [1, 1]]}
    assert found["classes"]["1"]["precision"] == 0.5
    assert found["macro_f1"] == found["right"] == 0.5
    assert [x["row"] for x in found["worst"]] == [1, 2]
    assert found["worst"][0]["wrong"] == pytest.approx(-np.log(0.2), rel=1e-6)
    assert not found["worst"][0]["right"]
    assert found["worst"][0]["example"]["text"] == "好好"
    assert found["worst"][0]["prediction"]["label"] == "0"
    assert [(x["row"], x["tokens"]) for x in found["longest"]] == [(3, 6), (2, 5)]
    assert [x["right"] for x in found["longest"]] == [True, False]
    histogram = found["lengths"].pop("histogram")
    assert sum(histogram["counts"]) == found["lengths"]["features"] == 4
    assert histogram["counts"][3:7] == [1, 1, 1, 1]
    assert found["lengths"]["max"] == 6
    assert found["lengths"]["full"] == 0.25
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_longest_counts_all_windows_and_then_what_was_cut():
    task, rows, _, found = judged([0.9, 0.9, 0.9], ["1", "1", "1"])
    windows = joined([([1] * 4, [0] * 4)] * 4, 0, [0, 0, 1, 2])
    longest = details(task, rows, windows, found, max_length=4)["longest"]
    assert [(x["row"], x["tokens"]) for x in longest] == [(0, 8), (2, 4), (1, 4)]


def test_prediction_lines():
    lines = list(prediction_lines(*(judged([0.75], ["1"])[i] for i in (0, 1, 3))))
    assert lines == [
        {
            "id": 0,
            "label": "1",
            "probabilities": {"0": 0.25, "1": 0.75},
            "wrong": pytest.approx(-np.log(0.75)),
            "right": True,
        }
    ]


def test_plain_values_are_strict_json():
    row = TextRow("\ud800", "a", label=float("inf"))
    value = plain({1: np.array([np.nan, 1.5]), "row": row, "set": {np.int64(3)}})
    assert value["1"] == [None, 1.5]
    assert value["row"]["id"] == "?"
    assert value["row"]["label"] is None
    assert value["set"] == [3]
    json.dumps(value, allow_nan=False).encode()


def test_readable_tells_the_largest_of_many_shares():
    text = readable({"p": {str(n): n / 10 for n in range(8)}, "none": None})
    assert text == "p: 7: 0.7, 6: 0.6, 5: 0.5, 4: 0.4, 3: 0.3, ..."


def test_files_of_a_run(done, place):
    found = read(place / "out" / "dev_details.json")
    matrix = np.array(found["confusion"]["matrix"])
    assert matrix.sum() == 40
    assert matrix.trace() / 40 == done.scores["dev"]["accuracy"] == found["right"]
    text = (place / "out" / "dev_predictions.jsonl").read_text("utf-8")
    lines = [json.loads(line, **STRICT) for line in text.splitlines()]
    assert [line["id"] for line in lines] == list(range(40))
    assert np.mean([line["right"] for line in lines]) == found["right"]
    assert max(line["wrong"] for line in lines) == found["worst"][0]["wrong"]
    run = read(place / "out" / "run.json")
    assert run["data"]["train"]["rows"] == 160
    assert run["data"]["train"]["files"][0]["name"] == "train.tsv"
    assert run["model"]["parameters"] == done.model.count_params()
    assert run["model"]["family"] == "bert"
    assert run["settings"]["epochs"] == {"value": 4, "source": "chosen for this run"}


def test_tensorboard_has_every_epoch_once(done, place):
    logs = place / "out" / "tensorboard"
    found = [x for x in scalars(logs / "validation") if x[1] == "epoch_accuracy"]
    wanted = [row["val_accuracy"] for row in done.history]
    assert [step for step, _, _ in found] == [0, 1, 2, 3]
    np.testing.assert_allclose([value for *_, value in found], wanted, rtol=1e-6)
    found = scalars(logs / "train")
    assert sorted(step for step, tag, _ in found if tag == "epoch_loss") == [0, 1, 2, 3]
    assert not [tag for _, tag, _ in found if tag.startswith("batch")]


def test_sources_of_settings():
    task = plm.TASKS["chnsenticorp"]
    model = "rbt3-base-zh.hfl"
    told = setting_sources(task, task.settings(model=model, seed=3), model)
    assert told["seed"] == {"value": 3, "source": "chosen for this run"}
    assert "ymcui" in told["learning_rate"]["source"]
    assert told["save_steps"]["source"] == "default of kerasplm"
    assert told["stride"]["source"] == "default of kerasplm"
    inews = plm.TASKS["inews"]
    told = setting_sources(inews, inews.settings(), None)
    assert told["stride"]["source"].startswith("task, ")


def test_name_of_a_model(tmp_path):
    assert model_name("RBT3-base-zh.hfl") == "rbt3-base-zh.hfl"
    assert model_name(tmp_path / "x" / "rbt3-base-zh.hfl") == "rbt3-base-zh.hfl"
    assert model_name(str(tmp_path / "mine") + "/") == "mine"


def test_card_of_a_run(done, place):
    card = (place / "out" / "model" / "README.md").read_text("utf-8")
    _, front, text = card.split("---\n", 2)
    assert "license: unknown\n" in front
    assert "pipeline_tag: text-classification\n" in front
    assert f"value: {done.scores['dev']['accuracy']:.6f}\n" in front
    assert "# model fine-tuned on chnsenticorp" in text
    assert '= kerasplm.load("FOLDER", heads="task")' in text
    run = read(place / "out" / "run.json")
    for split in ("train", "dev", "test"):
        assert run["data"][split]["files"][0]["sha256"] in card
    assert str(place) not in card


def test_card_names_published_scores_licence_and_sources(place, done):
    facts = read(place / "out" / "run.json")
    facts["model"] |= {"name": "rbt3-base-zh.hfl", "catalogue": "rbt3-base-zh.hfl"}
    facts["task"] |= {"name": "lcqmc", "title": "<b>|a|\nb", "labels": ["`x`", "$y$"]}
    scores = {"dev": {"accuracy": 0.85, "loss": 1.0}}
    card = model_card(facts, {"scores": scores, "kerasplm": "1"})
    assert "license: apache-2.0\n" in card
    assert 'base_model: "hfl/rbt3"' in card
    assert "| dev | accuracy | 85.0 | 85.3 | ymcui/Chinese-BERT-wwm" in card
    assert "lcqmc: &lt;b&gt;\\|a\\|<br>b |" in card
    assert "\\`x\\`, \\$y\\$" in card
    assert "kerasplm 1\n" in card
