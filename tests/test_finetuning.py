"""Fine-tuning as a user does it: real processes, real files, killed and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, DataError, VocabError
from kerasplm.files import alone
from kerasplm.precision import PRECISIONS
from kerasplm.task_models import TaskModel
from kerasplm.training import TrainingState
from tests.event_files import scalars
from tests.golden import COMPACT
from tests.reviews import train


def test_it_learns_and_writes_everything(done, place):
    assert done.scores["dev"]["accuracy"] > 0.9
    assert done.scores["dev"]["majority"] == 0.5
    assert len(done.history) == 4
    out = place / "out"
    assert sorted(f.name for f in out.iterdir()) == [
        "chnsenticorp_predict.json",
        "dev_details.json",
        "dev_predictions.jsonl",
        "features",
        "history.csv",
        "learning_curve.png",
        "model",
        "results.json",
        "run.json",
        "saved_model",
        "settings.json",
        "state",
        "tensorboard",
    ]
    results = json.loads((out / "results.json").read_text())
    assert results["scores"] == done.scores
    assert (out / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    header, *lines = (out / "history.csv").read_text().splitlines()
    assert header.startswith("epoch,")
    assert len(lines) == 4
    rows = (out / "chnsenticorp_predict.json").read_text().splitlines()
    answers = [json.loads(row) for row in rows]
    assert [a["id"] for a in answers] == list(range(40))
    right = np.mean([a["label"] == str(n % 2) for n, a in enumerate(answers)])
    assert right == done.scores["test"]["accuracy"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_steps_are_traced_once(precision, place, tmp_path, monkeypatch):
    """All variables exist before the first step, so that its graph stays."""
    traced, step = [], TaskModel.train_step

    def counted(self, data):
        traced.append(self)
        return step(self, data)

    monkeypatch.setattr(TaskModel, "train_step", counted)
    done = train(place, tmp_path / "out", precision=precision)
    assert len(traced) == 1
    assert done.scores["dev"]["accuracy"] > 0.9


def test_written_model_is_the_trained_one(done, place):
    folder = place / "out" / "model"
    again = plm.load(folder, heads="classification")
    assert again.labels == ("0", "1")
    assert again.task == "chnsenticorp"
    tokenizer = plm.load_tokenizer(folder)
    batch = tokenizer(["这店很好", "太臭"], max_length=20)
    np.testing.assert_array_equal(again(batch), done.model(batch))


def test_best_epoch_is_kept(done):
    best = max(row["val_accuracy"] for row in done.history)
    assert done.scores["dev"]["accuracy"] == pytest.approx(best)


KILLER = """
import os, signal, sys
import keras
sys.path.insert(0, sys.argv[3])
from tests.golden import COMPACT
from tests.reviews import train
from pathlib import Path

class Kill(keras.callbacks.Callback):
    left = int(sys.argv[2])
    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

place = Path(sys.argv[1])
train(place, place / "killed", [Kill()])
"""


def killed_after(place, steps):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = [sys.executable, "-c", KILLER, str(place), str(steps), root]
    return subprocess.run(code, capture_output=True, text=True).returncode


def test_killed_and_resumed_equals_undisturbed(done, place):
    # In the middle of the second epoch, then right at the beginning of the third.
    assert killed_after(place, 15) == -signal.SIGKILL
    state = TrainingState(place / "killed" / "state", 10)
    with np.load(state.file) as data:
        meta = json.loads(str(data["meta"]))
    assert (meta["epoch"], meta["step"]) == (1, 3)
    assert killed_after(place, 8) == -signal.SIGKILL
    resumed = train(place, place / "killed")
    assert [row["epoch"] for row in resumed.history] == [1, 2, 3, 4]
    logged = scalars(place / "killed" / "tensorboard" / "validation")
    steps = [step for step, name, _ in logged if name == "epoch_accuracy"]
    assert steps == [0, 1, 2, 3]
    for mine, theirs in zip(
        resumed.model.get_weights(), done.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    last = [np.load(place / run / "state" / "state.npz") for run in ("out", "killed")]
    assert set(last[0].files) == set(last[1].files)
    for name in set(last[0].files) - {"meta"}:
        np.testing.assert_array_equal(last[0][name], last[1][name])


def test_same_seed_same_weights_other_seed_others(done, place):
    same = train(place, place / "same")
    other = train(place, place / "other", seed=1, epochs=1)
    pairs = zip(same.model.get_weights(), done.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    pairs = zip(other.model.get_weights(), done.model.get_weights(), strict=True)
    assert not any(np.array_equal(a, b) for a, b in pairs if a.ndim > 1)


def test_finished_run_is_not_trained_again(done, place):
    again = train(place, place / "out")
    assert again.seconds == done.seconds
    assert again.scores == done.scores


def test_output_folder_of_another_run(done, place, tmp_path):
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train(place, place / "out", epochs=5)
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(ConfigError, match="is not empty"):
        train(place, tmp_path)
    assert os.listdir(tmp_path) == ["precious.txt"]


def test_one_fine_tuning_per_folder(place, tmp_path):
    """The second must not touch what the first one writes."""
    (tmp_path / "run" / ".tmp-of-the-first").mkdir(parents=True)
    with alone(tmp_path / "run"):
        with pytest.raises(ConfigError, match="run: another run writes there now"):
            train(place, tmp_path / "run", epochs=1)
        assert (tmp_path / "run" / ".tmp-of-the-first").is_dir()


def test_damaged_state(place, tmp_path):
    train(place, tmp_path / "run", epochs=1)
    file = tmp_path / "run" / "state" / "state.npz"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="state.npz: damaged training state"):
        train(place, tmp_path / "run", epochs=1)


def test_too_long_for_the_model(place, tmp_path):
    with pytest.raises(ConfigError, match="max_length=25.*24 positions"):
        train(place, tmp_path / "x", max_length=25)
    assert not (tmp_path / "x").exists()


def test_data_must_be_a_folder(place, tmp_path):
    task = plm.TASKS["chnsenticorp"]
    file = place / "data" / "train.tsv"
    with pytest.raises(DataError, match="expected a folder.*found a file"):
        plm.finetune(place / "model", task, file, tmp_path / "x")


def test_words_and_unilm(tmp_path, place):
    """WoBERT's words are cut in Python; a generator's mask would hide the pair."""
    with pytest.raises(ConfigError, match="does not see the text.*bidirectional"):
        plm.TASKS["lcqmc"].model(plm.load(COMPACT / "simbert"))
    folder = tmp_path / "wobert"
    shutil.copytree(COMPACT / "wobert", folder)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train.txt", "dev.txt"):
        (data / name).write_text("今天天气不错\t自然语言处理\t1\n北京\t图书馆\t0\n")
    settings = plm.TASKS["lcqmc"].settings(epochs=1, batch_size=2, max_length=16)
    for model in (folder, COMPACT / "simbert"):
        out = tmp_path / f"out_{model.name}"
        result = plm.finetune(model, "lcqmc", data, out, settings=settings, verbose=0)
        assert result.model.encoder.config.attention == "bidirectional"
        assert (out / "saved_model").exists() == (model.name == "simbert")
        again = plm.load(out / "model", heads="classification")
        assert again.encoder.config.attention == "bidirectional"


def test_from_scratch_and_own_files(place, tmp_path):
    data = place / "data"
    result = train(
        place,
        tmp_path / "run",
        from_scratch=True,
        family="bert",
        epochs=1,
        dropout=0.0,
        train=str(data / "dev.tsv"),
        dev=str(data / "test.tsv"),
        test=str(data / "train.tsv"),
    )
    assert result.scores["test"]["examples"] == 160
    assert result.model.encoder.config.hidden_dropout_prob == 0.0
    assert plm.load(tmp_path / "run" / "model", heads="classification").labels


def test_stock_fit_with_stock_callbacks(place, tmp_path):
    task = plm.TASKS["chnsenticorp"]
    tokenizer = plm.load_tokenizer(place / "model")
    model = task.model(plm.load(place / "model"))
    options = {"tokenizer": tokenizer, "batch_size": 16, "max_length": 20}
    data = task.dataset(place / "data", "train", **options)
    dev = task.dataset(place / "data", "dev", **options)
    total = 3 * len(data)
    model.compile(
        optimizer=plm.adamw(3e-3, steps=total),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    best = tmp_path / "best.keras"
    history = model.fit(
        data,
        validation_data=dev,
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=3),
            keras.callbacks.ModelCheckpoint(best, save_best_only=True),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.TensorBoard(tmp_path / "logs"),
        ],
    )
    assert len(history.history["val_loss"]) == 3
    loaded = keras.models.load_model(best)
    assert loaded.evaluate(dev, verbose=0)[0] == pytest.approx(
        min(history.history["val_loss"]), abs=1e-5
    )
    assert int(loaded.optimizer.iterations) > 0
    # Elsewhere `import kerasplm` is all it takes, the optimizer included.
    code = "import sys, keras, kerasplm; keras.models.load_model(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(best)], check=True)


def test_divergence_is_an_error(place, tmp_path):
    with pytest.raises(ConfigError, match="not finite after epoch 1.*lower"):
        train(place, tmp_path / "run", epochs=1, learning_rate=1e30)
    assert not (tmp_path / "run" / "results.json").exists()


def test_model_counts_by_its_content(place, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(place / "model", copy / "model")
    (copy / "data").symlink_to(place / "data")
    first = train(copy, tmp_path / "run", epochs=1)
    again = train(place, tmp_path / "run", epochs=1)  # the same model elsewhere
    assert again.seconds == first.seconds > 0
    other = plm.load(copy / "model")
    other.pooler.bias.assign(np.ones(16))
    plm.save_checkpoint(other, copy / "model" / "bert_model.ckpt")
    with pytest.raises(ConfigError, match="holds a run with other model"):
        train(copy, tmp_path / "run", epochs=1)
    (tmp_path / "run" / "state" / "best.npz").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="best.npz: damaged training state"):
        train(place, tmp_path / "run", epochs=1)


def test_vocabulary_must_fit_a_new_network(place, tmp_path):
    ignore = shutil.ignore_patterns("*.ckpt*")
    shutil.copytree(place / "model", tmp_path / "model", ignore=ignore)
    with (tmp_path / "model" / "vocab.txt").open("a") as file:
        file.write("新\n")
    (tmp_path / "data").symlink_to(place / "data")
    told = "the vocabulary: has .* tokens, but the word table of the model has .* rows"
    with pytest.raises(VocabError, match=told):
        train(tmp_path, tmp_path / "run", from_scratch=True, family="bert")
    assert not (tmp_path / "run").exists()
