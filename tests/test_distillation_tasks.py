"""`kerasplm distill` on a task: stages, resume, reports, both methods."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm import finetuning
from kerasplm.cli import app
from kerasplm.distillation import comparing, job
from kerasplm.distillation.students import check_vocabularies, first_layers
from kerasplm.errors import ConfigError, VocabError
from tests.reviews import VOCAB

TASK = ("--task", "chnsenticorp", "--set", "save_steps=3", "--batch-size", 16)
TASK += ("--learning-rate", 3e-3, "--max-length", 20)


STAGES = ("--family", "tinybert", "--cache-answers")
STAGES += ("--set", "intermediate.epochs=9", "--set", "prediction.epochs=3")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", autouse=True)
def hurried():
    """Measure speed by one pass; the SavedModel is that of every fine-tuning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "export_trained", lambda *_: False)
        quick = functools.partial(comparing.compare, seconds=0.0)
        patch.setattr(job, "compare", quick)
        yield


@pytest.fixture
def uncompared(monkeypatch):
    """End after the stages."""
    monkeypatch.setattr(job, "compare", lambda *_: [])
    monkeypatch.setattr(job, "write_comparison", lambda *_: None)


def words_of(place, output, *more, data=True):
    words = ["distill", "--teacher", place / "out" / "model", "--output", output, *more]
    if data:
        words += ["--data", place / "data", *TASK]
    return [str(word) for word in words]


def distill(place, output, *more, data=True):
    done = CliRunner().invoke(app, words_of(place, output, *more, data=data))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A student of TinyBERT's family, narrower than its teacher."""
    file = tmp_path_factory.mktemp("config") / "student.json"
    sizes = {
        "vocab_size": 7,
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 24,
        "hidden_act": "gelu",
        "initializer_range": 0.2,
    }
    file.write_text(json.dumps(sizes))
    return file


def column(folder, name):
    names, *rows = (folder / "history.csv").read_text().splitlines()
    at = names.split(",").index(name)
    return [float(row.split(",")[at]) for row in rows]


@pytest.fixture(scope="module")
def distilled(done, place, config, tmp_path_factory):
    """The folder of a distillation in two stages, and what the command told."""
    out = tmp_path_factory.mktemp("distilled") / "out"
    return out, distill(place, out, "--student-config", config, *STAGES)


def test_two_stages(done, distilled, place, config):
    out, told = distilled
    more = ("--student-config", config, *STAGES)
    assert "teacher and student" in told
    assert "times as fast" in (out / "comparison.md").read_text()
    assert sorted(f.name for f in out.iterdir() if f.name[0] != ".") == [
        "comparison.json",
        "comparison.md",
        "comparison.png",
        "intermediate",
        "prediction",
        "student",
    ]
    first = json.loads((out / "intermediate" / "results.json").read_text())
    assert first["metric"] == "closeness"
    assert set(first["scores"]) == {"dev"}
    assert not (out / "intermediate" / "saved_model").exists()
    losses = column(out / "intermediate", "val_loss")
    assert losses[-1] < losses[0] / 2
    assert list((out / "prediction" / "answers").glob("*.npz"))
    model = plm.load(out / "prediction" / "model", heads="classification")
    assert model.load_report.family == "tinybert"
    assert (model.activation, model.dropout.rate) == ("relu", 0.0)
    assert model.encoder.config.hidden_size == 12
    # It learned the task, from the teacher's answers alone: half of the rows are good.
    scores = json.loads((out / "prediction" / "results.json").read_text())["scores"]
    assert scores["test"]["majority"] == 0.5
    assert scores["test"]["accuracy"] >= 0.9
    compared = json.loads((out / "comparison.json").read_text())
    teacher, student = compared["models"]
    assert teacher["scores"]["accuracy"] == done.scores["dev"]["accuracy"]
    best = max(column(out / "prediction", "val_accuracy"))
    assert student["scores"]["accuracy"] == pytest.approx(best)
    assert student["parameters"] < teacher["parameters"]
    assert min(teacher["speed"], student["speed"]) > 0
    # What is finished is not done again.
    files = [out / stage / "results.json" for stage in ("intermediate", "prediction")]
    before = [file.stat().st_mtime_ns for file in files]
    distill(place, out, *more)
    assert [file.stat().st_mtime_ns for file in files] == before
    with pytest.raises(ConfigError, match="holds a run with other distillation"):
        distill(place, out, *more, "--temperature", 2)


KILLED = """
import os, signal, sys
import keras
from kerasplm import finetuning
from kerasplm.cli import app

class Kill(keras.callbacks.Callback):
    left = 15
    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

plain = finetuning.fit_on
finetuning.fit_on = lambda *given, callbacks, **more: plain(
    *given, callbacks=[*callbacks, Kill()], **more)
app(sys.argv[1:])
"""


def test_a_killed_stage_goes_on(distilled, uncompared, place, config, tmp_path):
    """Killed in its second epoch, it ends as if nothing had been."""
    out = tmp_path / "out"
    more = ("--student-config", config, *STAGES[:-2], "--stages", "intermediate")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words_of(place, out, *more)],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    with np.load(out / "intermediate" / "state" / "state.npz") as data:
        meta = json.loads(str(data["meta"]))
    assert (meta["epoch"], meta["step"]) == (1, 3)
    distill(place, out, *more)
    for file in ("state/state.npz", "state/best.npz"):
        files = (folder / "intermediate" / file for folder in (distilled[0], out))
        one, two = map(np.load, files)
        for name in set(one.files) - {"meta"}:
            np.testing.assert_array_equal(one[name], two[name])
    assert len(one.files) > 10


def test_augmented_stage(done, uncompared, place, tmp_path):
    """The file is made once, before the stages, which train on it."""
    guesser = tmp_path / "guesser"
    network = plm.PretrainedModel(plm.load(place / "model"), ["mlm"])
    plm.save_checkpoint(network, guesser / "model.ckpt", family="bert")
    shutil.copy(place / "model" / "vocab.txt", guesser)
    # One word that may be replaced in each row; the two words of the vocabulary.
    for split, count in (("train", 24), ("dev", 8)):
        rows = [
            f"{n % 2}\t{('慢', '快')[n % 2] * (1 + n % 3)}手机\n" for n in range(count)
        ]
        data = tmp_path / "data" / f"{split}.tsv"
        data.parent.mkdir(exist_ok=True)
        data.write_text("label\ttext_a\n" + "".join(rows), "utf-8")
    out = tmp_path / "out"
    more = ("--student-layers", 1, "--epochs", 1, "--augment", 3)
    more += ("--stages", "prediction")
    more += ("--augment-model", guesser, "--data", tmp_path / "data", *TASK)
    distill(place, out, *more, data=False)
    file = out / "augmented" / "train.tsv"
    rows = plm.TASKS["chnsenticorp"].rows(file, "train")
    assert len(rows) > 24
    told = json.loads((out / "prediction" / "run.json").read_text())
    assert told["data"]["train"]["rows"] == len(rows)
    before = file.stat().st_mtime_ns
    distill(place, out, *more, data=False)
    assert file.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="holds a run with other seed"):
        distill(place, out, *more, "--seed", 2, data=False)


def test_theseus(done, place, tmp_path):
    out = tmp_path / "out"
    more = ("--method", "theseus", "--student-layers", 1, "--epochs", 1)
    distill(place, out, *more)
    for stage in ("replacing", "finetuning"):
        model = plm.load(out / stage / "model", heads="classification")
        assert model.encoder.config.num_hidden_layers == 1
    compared = json.loads((out / "comparison.json").read_text())
    assert compared["models"][1]["scores"]["accuracy"] > 0.8
    assert "student" in (out / "comparison.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--student-layers", 1, "--method", "x"), "method must be one of tinybert"),
        (("--student-layers", 1, "--stages", "replacing"), "the stages of tinybert"),
        (("--student-layers", "a"), "expected N or N1,N2, found 'a'"),
        (("--student-layers", 9), "expected layers from 0 to 1"),
        ((), "expected one of: a student"),
        (("--student-layers", 1, "--stages", "general"), "needs data of pre-train"),
        (("--student-layers", 1, "--alpha", 2), r"alpha must be in \[0, 1\]"),
        (("--student-layers", 1, "--set", "x.epochs=2"), "Received: x"),
        (("--student-layers", 1, "--set", "method=fgm"), "without another method"),
        (("--student-layers", 1, "--augment", 2), "--augment needs --augment-model"),
        (("--student-layers", 1, "--augment-model", "m"), "--augment needs --augment"),
        (
            ("--student-layers", 1, "--method", "theseus", "--augment", 2)
            + ("--augment-model", "m"),
            "an augmented file is for the stages intermediate and prediction; planned",
        ),
        (("--student-layers", 1, "--general-steps", 2), "general', which is not plan"),
        (("--student-layers", 1, "--general-set", "steps=2"), "needs --general-steps"),
        (("--student-layers", 1, "--strategy", "cpu"), "general', which is not plan"),
        (("--student", "m", "--family", "bert"), "family: for a student of a config"),
        (
            ("--student-layers", 1, "--method", "theseus", "--temperature", 2)
            + ("--compat", "--cache-answers"),
            "^cache_answers, temperature, compat: for the method tinybert only; "
            "theseus takes replace, replace_schedule$",
        ),
        (
            ("--student-layers", 1, "--replace", 0.3),
            "^replace: for the method theseus only; tinybert takes cache_answers, lay",
        ),
        (
            ("--student-layers", 1, "--replace-schedule", "linear"),
            "^replace_schedule: for the method theseus only",
        ),
    ],
)
def test_mistakes_are_told(done, place, tmp_path, words, message):
    with pytest.raises(ConfigError, match=message):
        distill(place, tmp_path / "out", *words)


def test_vocabularies_are_compared_by_content(place, tmp_path):
    shutil.copytree(place / "model", tmp_path / "m")
    check_vocabularies(place / "model", tmp_path / "m")
    words = [*VOCAB[:-2], VOCAB[-1], VOCAB[-2]]
    (tmp_path / "m" / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    number = len(VOCAB) - 2
    with pytest.raises(VocabError, match=f"id {number} is '{VOCAB[-2]}' and "):
        check_vocabularies(place / "model", tmp_path / "m")


def test_first_layers(tiny_config, tiny_batch):
    teacher = plm.Encoder(tiny_config)
    student = first_layers(teacher, [1])
    states = teacher(tiny_batch, return_hidden_states=True)["hidden_states"]
    mine = student(tiny_batch, return_hidden_states=True)["hidden_states"]
    np.testing.assert_array_equal(mine[0], states[0])
    for one, two in zip(
        student.blocks[0].get_weights(), teacher.blocks[1].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    shared = plm.Encoder(tiny_config.replace(num_hidden_groups=1))
    with pytest.raises(ConfigError, match="share weights"):
        first_layers(shared, 1)
