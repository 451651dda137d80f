"""The loop of pre-training: states, checkpoints, logs, and what stops it."""

import json

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, DataError
from kerasplm.pretraining import strategies
from kerasplm.pretraining.logs import line, read_history
from kerasplm.pretraining.loop import pretrain
from kerasplm.pretraining.stages import Stage
from kerasplm.pretraining.training_settings import (
    Settings,
    optimizer_of,
    schedule_of,
)
from tests import toy_pretraining as toy
from tests.event_files import scalars

CHOICES = {
    "steps": 10,
    "batch_size": 4,
    "max_length": 12,
    "learning_rate": 1e-3,
    "log_steps": 2,
    "save_steps": 3,
    "keep": 2,
    "peak_flops": None,
}


class Spoiled(toy.Toy):
    """Its loss is not finite once a batch of this length comes."""

    def outcome(self, batch, training=False):
        terms, measures = super().outcome(batch, training)
        if training and batch["token_ids"].shape[1] == 14:
            terms["pair"] = terms["pair"]._replace(weight=float("inf"))
        return terms, measures


def train(folder, kind=toy.Toy, data=toy.Data, **changes):
    settings = Settings(**{**CHOICES, **changes})

    def build():
        model = toy.model()
        return kind(model.encoder, list(model.heads))

    return pretrain(build, data(settings), folder, settings=settings, show=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_keeps_the_last_states_and_the_best_checkpoint(trained):
    states = names(trained.folder / "state")
    assert states == ["step-00000009.npz", "step-00000010.npz"]
    best = json.loads((trained.folder / "checkpoints" / "best.json").read_text())
    scores = {r["step"]: r["val_loss"] for r in trained.history if "val_loss" in r}
    assert list(scores) == [3, 6, 9, 10]
    assert best["score"] == min(scores.values()) == scores[best["step"]]
    others = [step for step in scores if step != best["step"]][-2:]
    kept = [f"step-{step:08d}" for step in sorted([*others, best["step"]])]
    assert names(trained.folder / "checkpoints") == ["best.json", *kept]
    assert not list(trained.folder.rglob(".tmp-*"))


def test_exports_are_the_model(trained):
    folder = trained.folder / "checkpoints" / "step-00000010"
    model = plm.load(folder, heads="pretraining")
    for mine, theirs in zip(
        model.get_weights(), trained.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_logs_agree_and_the_picture_is_there(trained):
    rows = read_history(trained.folder / "history.csv")
    assert rows == [pytest.approx(row) for row in trained.history]
    assert [row["step"] for row in rows] == [2, 3, 4, 6, 8, 9, 10]
    found = scalars(trained.folder / "tensorboard")
    losses = [(step, value) for step, tag, value in found if tag == "loss"]
    assert losses == [
        (row["step"], pytest.approx(row["loss"])) for row in trained.history
    ]
    held_out = [step for step, tag, _ in found if tag == "development/loss"]
    assert held_out == [3, 6, 9, 10]
    png = (trained.folder / "learning_curve.png").read_bytes()
    assert png[1:4] == b"PNG"
    results = json.loads((trained.folder / "results.json").read_text())
    assert results["tokens"] == sum(
        row["tokens"] * (row["step"] - before)
        for before, row in zip([0, 2, 3, 4, 6, 8, 9], rows, strict=True)
    )
    assert rows[0]["learning_rate"] == pytest.approx(
        float(schedule_of(Settings(**CHOICES))(1))
    )


def test_a_torn_line_and_lines_after_the_state_are_written_again(trained, tmp_path):
    """What a kill leaves: a state that is older than the log."""
    import shutil

    folder = tmp_path / "out"
    shutil.copytree(trained.folder, folder)
    (folder / "state" / "step-00000010.npz").unlink()
    with (folder / "history.csv").open("a") as out:
        out.write("11,0.5")
    again = train(folder)
    assert [(r["step"], r["loss"]) for r in again.history] == [
        (r["step"], r["loss"]) for r in trained.history
    ]
    for mine, theirs in zip(
        again.model.get_weights(), trained.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_state(tmp_path):
    with pytest.raises(ConfigError, match=r"step 4: .*loss.* not finite.*00003 is the"):
        train(tmp_path, Spoiled, stages=("3:12", "7:14"))
    assert names(tmp_path / "state") == ["step-00000003.npz"]
    assert not (tmp_path / "results.json").exists()
    whole = plm.load(tmp_path / "checkpoints" / "step-00000003", heads="pretraining")
    assert all(np.isfinite(weight).all() for weight in whole.get_weights())


def test_data_that_end_too_early(tmp_path):
    class Short(toy.Data):
        def batches(self, *place):
            return super().batches(*place).take(4)

    with pytest.raises(DataError, match="the data ended before step 5 of 10"):
        train(tmp_path, data=Short)


def test_refuses_a_damaged_or_foreign_state(trained, tmp_path):
    state = tmp_path / "state" / "step-00000005.npz"
    state.parent.mkdir()
    whole = (trained.folder / "state" / "step-00000010.npz").read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="step-00000005.npz: damaged"):
        train(tmp_path)
    state.write_bytes(whole)
    with pytest.raises(CheckpointError, match="with other weights"):
        train(tmp_path, optimizer="adamw", precision="float16")


def test_line_on_the_terminal():
    values = {"loss": 1.0, "val_loss": 2.0, "utilisation": 0.417, "seconds_left": 59.6}
    assert (
        line(values)
        == "loss 1.0000 · val_loss 2.0000 · 41.7% of the peak · 0:01:00 left"
    )


@pytest.mark.parametrize(
    ("choices", "kind", "facts"),
    [
        ({}, plm.AdamW, {"beta_2": 0.999, "weight_decay": 0.01}),
        ({"optimizer": "lamb"}, plm.LAMB, {"rule": "google"}),
        ({"optimizer": "lamb-brightmart"}, plm.LAMB, {"exclude_from_adaptation": ()}),
        (
            {"optimizer": "lamb-nezha"},
            plm.LAMB,
            {"rule": "nezha", "bias_correction": True},
        ),
    ],
)
def test_optimizers(choices, kind, facts):
    optimizer = optimizer_of(Settings(steps=10, **choices))
    assert type(optimizer) is kind
    config = optimizer.get_config()
    assert {name: config[name] for name in facts} == facts


def test_stages_are_read():
    settings = Settings(steps=5, stages=("3:12", "2:16:8"), batch_size=4)
    assert settings.parts() == (
        Stage(steps=3, length=12, batch_size=4),
        Stage(steps=2, length=16, batch_size=8),
    )


def test_tpu_is_connected_initialised_and_used(monkeypatch):
    """Up to where the hardware is needed."""
    calls = []

    def record(name, result=None):
        def call(*args, **kwargs):
            calls.append((name, args, kwargs))
            return result

        return call

    resolvers = tf.distribute.cluster_resolver
    monkeypatch.setattr(resolvers, "TPUClusterResolver", record("resolver", "R"))
    monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", record("connect"))
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", record("begin"))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", record("strategy", "S"))
    assert strategies.strategy_of("auto", tpu="pod", zone="z", project="p") == "S"
    where = {"tpu": "pod", "zone": "z", "project": "p"}
    uses = [(name, ("R",), {}) for name in ("connect", "begin", "strategy")]
    assert calls == [("resolver", (), where), *uses]


def test_tpu_that_cannot_be_reached(monkeypatch):
    for name in ("TPU_NAME", "COLAB_TPU_ADDR"):
        monkeypatch.delenv(name, raising=False)

    def fail(**where):
        raise ValueError("Please provide a TPU Name to connect to.")

    resolvers = tf.distribute.cluster_resolver
    monkeypatch.setattr(resolvers, "TPUClusterResolver", fail)
    with pytest.raises(ConfigError, match=r"no name \(ValueError: Please"):
        strategies.strategy_of("tpu")


@pytest.mark.parametrize(
    ("text", "found"),
    [("{", "JSON"), ("{}", "cluster"), ('{"cluster": {"worker": []}}', "task")],
)
def test_machines_that_are_not_named(monkeypatch, text, found):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=f"(?s)TF_CONFIG: expected JSON.*{found}"):
        strategies.strategy_of("multi_worker")
