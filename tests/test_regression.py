"""Regression: numbers for pairs of texts."""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import DataError
from kerasplm.task_models import Classifier
from kerasplm.tasks import TASKS
from kerasplm.tasks.rows import TextRow
from tests.choosing import TOKENIZER, learn, scores, settings_of

STSB = TASKS["stsb"]
SCORE = STSB.engine.score


def pairs():
    """Pairs that share none to five of their five words."""
    words = "猫狗鸟鱼书笔纸灯"
    rows = []
    for n in range(12):
        first = [words[(n + k) % 8] for k in range(5)]
        shared = n % 6
        second = first[:shared] + list("山水火土春")[shared:]
        rows.append(TextRow(n, "".join(first), "".join(second), float(shared)))
    return rows


@pytest.fixture(scope="module")
def trained():
    return learn(STSB, pairs(), epochs=60, rate=3e-3)


def test_numbers_are_learnt(trained):
    found = scores(STSB, trained[1], pairs())
    assert found["spearman"] > 0.97
    assert found["pearson"] > 0.97
    assert found["mse"] < 0.3
    assert found["loss"] == pytest.approx(found["mse"], rel=1e-4)


def test_scores_are_those_of_the_definition():
    rows = [TextRow(n, "", "", value) for n, value in enumerate((0.0, 1.0, 2.5, 5.0))]
    found = SCORE(STSB, rows, [0.5, 0.4, 2.0, 9.0])
    assert found["pearson"] == pytest.approx(
        np.corrcoef([0, 1, 2.5, 5], [0.5, 0.4, 2.0, 9.0])[0, 1]
    )
    assert found["spearman"] == pytest.approx(0.8)
    assert found["mse"] == pytest.approx((0.25 + 0.36 + 0.25 + 16) / 4)
    assert found["examples"] == 4
    same = SCORE(STSB, rows, [1.0] * 4)
    assert (same["pearson"], same["spearman"]) == (0.0, 0.0)
    np.testing.assert_allclose(
        STSB.engine.wrong(STSB, rows, [0.0, 0.0, 0.0, 0.0]), [0, 1, 6.25, 25]
    )


def test_windows_are_averaged(trained):
    network, judge = trained
    long = [TextRow(0, "猫狗", "山水火土春" * 5, 2.0), TextRow(1, "猫", "狗", 1.0)]
    settings = settings_of(STSB, max_length=16, stride=4)
    features = STSB.features(long, TOKENIZER, settings)
    count = np.bincount(features.owner)
    assert count.tolist() == [5, 1]
    assert features.targets.values.tolist() == [2.0] * 5 + [1.0]
    found, _ = judge.predict(long, features)
    outputs = np.asarray(network(features.inputs(np.arange(6))))[:, 0]
    expected = [outputs[:5].mean(), outputs[5]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert all(isinstance(value, float) for value in found)


def test_saved_and_loaded(trained, tmp_path):
    network, judge = trained
    batch = STSB.features(pairs(), TOKENIZER, judge.settings).inputs(np.arange(12))
    expected = np.asarray(network(batch))
    assert expected.shape == (12, 1)
    plm.save_checkpoint(network, tmp_path / "model.ckpt", family="bert")
    for heads in ("task", "regression"):
        again = plm.load(tmp_path, heads=heads)
        assert isinstance(again, Classifier)
        np.testing.assert_array_equal(np.asarray(again(batch)), expected)


def test_files(tmp_path):
    (tmp_path / "train.tsv").write_text("猫\t狗\t2.5\n山\t水\t0\n", "utf-8")
    rows = STSB.rows(tmp_path, "train").rows
    assert [(row.text, row.pair, row.label) for row in rows] == [
        ("猫", "狗", 2.5),
        ("山", "水", 0.0),
    ]
    header = "sentence1\tsentence2\tscore\n"
    (tmp_path / "train.tsv").write_text(header + "猫\t狗\t2.5\n", "utf-8")
    assert len(STSB.rows(tmp_path, "train").rows) == 1
    (tmp_path / "dev.tsv").write_text("猫\t狗\t2.5\n山\t水\t多\n", "utf-8")
    with pytest.raises(DataError, match="line 2.*number"):
        STSB.rows(tmp_path, "dev")
    STSB.submission(tmp_path / "out", rows, [2.25, 0.5])
    text = (tmp_path / "out").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines == [{"id": 0, "label": 2.25}, {"id": 1, "label": 0.5}]
    assert STSB.engine.show(STSB, rows[0], 2.25) == {"id": 0, "value": 2.25}


def test_a_score_needs_numbers():
    rows = [TextRow(0, "", "", 1.0), TextRow(1, "", "", 2.0)]
    with pytest.raises(DataError, match="finite prediction"):
        SCORE(STSB, rows, [float("nan"), 1.0])
    with pytest.raises(DataError, match="two numbers or more"):
        SCORE(STSB, rows[:1], [1.0])


def test_without_numbers_there_are_no_targets():
    rows = [TextRow(0, "猫", "狗")]
    assert STSB.features(rows, TOKENIZER, settings_of(STSB)).targets is None
