"""Fine-tuning as a user does it: real processes, real files, killed and resumed."""

import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm import finetuning
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.training import TrainingState

GOOD, BAD = "好美香快乐净", "坏丑臭慢苦脏"
FILLER = "这家店的面条房间手机书和人都很太不"
VOCAB = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *dict.fromkeys(GOOD + BAD + FILLER),
]


def review(rng, label):
    words = rng.choice(list(FILLER), rng.integers(2, 9)).tolist()
    words.insert(rng.integers(len(words) + 1), rng.choice(list((BAD, GOOD)[label])))
    return "".join(words)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A small checkpoint with its vocabulary, and data in ChnSentiCorp's format."""
    place = tmp_path_factory.mktemp("place")
    keras.utils.set_random_seed(5)
    config = plm.Config(
        vocab_size=len(VOCAB),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        initializer_range=0.2,  # so small a network learns faster from larger weights
    )
    plm.save_checkpoint(plm.Encoder(config), place / "model" / "bert_model.ckpt")
    (place / "model" / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    rng = np.random.default_rng(0)
    for split, count in (("train", 160), ("dev", 40), ("test", 40)):
        lines = [f"{n % 2}\t{review(rng, n % 2)}\n" for n in range(count)]
        file = place / "data" / f"{split}.tsv"
        file.parent.mkdir(exist_ok=True)
        file.write_text("label\ttext_a\n" + "".join(lines), "utf-8")
    return place


RECIPE = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "max_length": 20,
    "save_steps": 3,
}


def train(place, output, callbacks=(), **changes):
    return finetuning.finetune(
        place / "model",
        "chnsenticorp",
        place / "data",
        output,
        settings=plm.TASKS["chnsenticorp"].settings(**(RECIPE | changes)),
        verbose=0,
        callbacks=callbacks,
    )


@pytest.fixture(scope="module")
def done(place):
    return train(place, place / "out")


def test_it_learns_and_writes_everything(done, place):
    assert done.scores["dev"]["accuracy"] > 0.9
    assert done.scores["dev"]["majority"] == 0.5
    assert len(done.history) == 4
    out = place / "out"
    assert sorted(f.name for f in out.iterdir()) == [
        "chnsenticorp_predict.json",
        "history.csv",
        "learning_curve.png",
        "model",
        "results.json",
        "saved_model",
        "settings.json",
        "state",
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
from tests.test_finetuning import train
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
    assert again.seconds < 5
    assert again.scores == done.scores


def test_output_folder_of_another_run(done, place, tmp_path):
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train(place, place / "out", epochs=5)
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(ConfigError, match="is not empty"):
        train(place, tmp_path)
    assert os.listdir(tmp_path) == ["precious.txt"]


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


# -- export --------------------------------------------------------------------------

SERVER = """
import sys, json
import numpy as np
import tensorflow as tf
import tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
kind = {True: "U", False: "f8"}
for texts in json.loads(sys.argv[2]):
    out = serve(**{k: tf.constant(v) for k, v in texts.items()})
    out = {k: v.numpy().astype(kind[v.dtype == tf.string]) for k, v in out.items()}
    print(json.dumps({k: v.tolist() for k, v in sorted(out.items())}))
assert "kerasplm" not in sys.modules
"""


def serve(folder, *batches):
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(folder), json.dumps(batches)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_exported_classifier_equals_the_live_one(done, place):
    tokenizer = plm.load_tokenizer(place / "model")
    batches = [["这店很好", "太臭"], ["书" * 50], ["慢", "房间净", "，", ""]]
    outs = serve(place / "out" / "saved_model", *({"text": b} for b in batches))
    for texts, out in zip(batches, outs, strict=True):
        logits = done.model(tokenizer(texts, max_length=24))
        expected = tf.nn.softmax(logits).numpy()
        np.testing.assert_allclose(out["probabilities"], expected, atol=1e-6)
        assert out["label"] == [done.model.labels[n] for n in expected.argmax(-1)]
    labels = place / "out" / "saved_model" / "assets.extra" / "labels.txt"
    assert labels.read_text() == "0\n1\n"


def test_exported_pairs_and_encoder(place, tmp_path):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    model = plm.TASKS["lcqmc"].model(encoder)
    plm.export(model, tokenizer, tmp_path / "pairs", max_length=10)
    a, b = ["这家店", "人" * 30], ["面条很好", "房" * 5]
    out = serve(tmp_path / "pairs", {"text": a, "text_pair": b})[0]
    expected = tf.nn.softmax(model(tokenizer(a, b, max_length=10)))
    np.testing.assert_allclose(out["probabilities"], expected, atol=1e-6)

    plm.export(encoder, tokenizer, tmp_path / "vectors")
    out = serve(tmp_path / "vectors", {"text": a})[0]
    batch = tokenizer(a, max_length=24)
    for key, value in encoder(batch).items():
        np.testing.assert_allclose(out[key], value, atol=1e-5)
    np.testing.assert_array_equal(out["padding_mask"], batch["padding_mask"])


def test_export_refuses(place, tmp_path, tiny_config):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    python = plm.load_tokenizer(place / "model", in_graph=False)
    with pytest.raises(ConfigError, match="in-graph Tokenizer.*PythonTokenizer"):
        plm.export(encoder, python, tmp_path / "a")
    small = plm.Encoder(tiny_config.replace(vocab_size=9))
    with pytest.raises(ConfigError, match="tokens, the model 9"):
        plm.export(small, tokenizer, tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="is not a SavedModel; left alone"):
        plm.export(encoder, tokenizer, tmp_path / "full")
    plm.export(encoder, tokenizer, tmp_path / "twice")
    plm.export(encoder, tokenizer, tmp_path / "twice")
    assert sorted(os.listdir(tmp_path)) == ["full", "twice"]


def test_failed_export_leaves_the_old_one(place, tmp_path, monkeypatch):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    plm.export(encoder, tokenizer, tmp_path / "x")

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space"):
        plm.export(encoder, tokenizer, tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x" / "saved_model.pb").is_file()


# -- command line --------------------------------------------------------------------


def command(*args, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "kerasplm.cli", *map(str, args)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_command_finetune_and_export(place, tmp_path):
    options = [f"--{k.replace('_', '-')}={v}" for k, v in RECIPE.items()]
    common = ("--model", place / "model", "--data", place / "data")
    out = command(
        "finetune",
        *common,
        "--task=chnsenticorp",
        "--output",
        tmp_path / "run",
        *options,
        "--epochs=1",
        "--warmup=0.2",
        "--dropout=0.05",
        "--seed=3",
        "--family=bert",
    )
    assert "accuracy" in out
    assert "learning_curve.png" in out
    model = tmp_path / "run" / "model"
    out = command("export", "--model", model, "--output", tmp_path / "e")
    assert "SavedModel" in out
    assert serve(tmp_path / "e", {"text": ["好"]})[0]["label"]
    args = ("--output", tmp_path / "v", "--max-length=9", "--family=bert")
    command("export", "--model", place / "model", *args)
    assert serve(tmp_path / "v", {"text": ["好"]})[0]["pooled_output"]


def test_command_errors_are_one_line(place, tmp_path):
    common = ("--model", place / "model", "--output", tmp_path / "x")
    out = command("finetune", *common, "--task=lcqmx", "--data", place / "data", code=2)
    assert "no task 'lcqmx'" in out
    assert "Traceback" not in out
    out = command("finetune", *common, "--task=lcqmc", "--data", tmp_path, code=2)
    assert "expected train{" in out
    assert "Traceback" not in out
    assert not (tmp_path / "x").exists()


def test_help_names_every_command():
    out = command("--help")
    for name in ("finetune", "export", "demo"):
        assert name in out
    assert "--from-scratch" in command("finetune", "--help")
    assert command("--version").strip() == plm.__version__
