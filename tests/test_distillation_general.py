"""General distillation on pre-training data; the coins of BERT-of-Theseus."""

import json
import threading

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm.cli import app
from kerasplm.distillation.batches import one_dictionary
from kerasplm.distillation.recording import Record
from kerasplm.distillation.theseus import LinearReplacing
from kerasplm.errors import ConfigError
from kerasplm.hooks import hooked
from kerasplm.pretraining.logs import read_history
from kerasplm.pretraining.training_settings import Settings, optimizer_of
from tests.pretraining_records import VOCAB, write_folder

SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Records, a teacher, the configuration of a student."""
    folder = tmp_path_factory.mktemp("files")
    write_folder(folder / "data")
    plm.save_checkpoint(
        plm.Encoder(plm.Config(**SIZES)), folder / "teacher" / "m.ckpt", family="bert"
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [chr(0x4E00 + n) for n in range(VOCAB - len(words))]
    text = "\n".join(words) + "\n"
    (folder / "teacher" / "vocab.txt").write_text(text, encoding="utf-8")
    small = SIZES | {"hidden_size": 8, "num_hidden_layers": 1, "hidden_act": "gelu"}
    (folder / "student.json").write_text(json.dumps(small))
    return folder


def distill(files, output, steps, *more):
    command = ["distill", "--teacher", files / "teacher", "--output", output]
    command += ["--student-config", files / "student.json", "--family", "tinybert"]
    command += ["--stages", "general", "--general-data", files / "data"]
    command += ["--general-steps", steps, "--strategy", "cpu"]
    for choice in ("batch_size=8", "max_length=24", "log_steps=1", "save_steps=2"):
        command += ["--general-set", choice]
    done = CliRunner().invoke(app, [str(word) for word in [*command, *more]])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output


def test_general_distillation(files, tmp_path):
    out = tmp_path / "out"
    rate = ("--general-set", "learning_rate=3e-3", "--general-set", "warmup=1")
    distill(files, out, 4, *rate)
    rows = read_history(out / "general" / "history.csv")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    settings = json.loads((out / "general" / "results.json").read_text())["settings"]
    assert (settings["schedule"], settings["clip_each"]) == ("nezha", True)
    assert rows[3]["loss"] < rows[0]["loss"]
    parts = ("attention_loss", "hidden_loss", "embedding_loss")
    for row in rows:
        assert sum(row[part] for part in parts) == pytest.approx(row["loss"], rel=1e-5)
    student = plm.load(out / "general" / "checkpoints" / "step-00000004")
    assert student.load_report.family == "tinybert"
    assert student.load_report.heads == ("fit_dense",)
    # The same command: nothing is left to do. Another choice: not in this folder.
    distill(files, out, 4, *rate)
    assert len(read_history(out / "general" / "history.csv")) == 4
    with pytest.raises(ConfigError, match="holds a run with other distillation"):
        distill(files, out, 4, *rate, "--compat")


def test_compat_clips_each_gradient(files, tmp_path):
    """As BertAdam does; what was clipped otherwise is another run."""
    optimizer = optimizer_of(Settings(clip_norm=0.5, clip_each=True))
    gradients = [np.full((4,), x, "float32") for x in (1.0, 0.1)]
    clipped = [np.asarray(x) for x in optimizer._clip_gradients(gradients)]
    np.testing.assert_allclose(clipped[0], 0.25, rtol=1e-6)
    np.testing.assert_allclose(clipped[1], 0.1, rtol=1e-6)
    with pytest.raises(ConfigError, match="clips each gradient alone; expected sett"):
        distill(files, tmp_path, 1, "--compat", "--general-set", "clip_each=false")
    with pytest.raises(ConfigError, match="clip_each: needs a clip_norm"):
        distill(files, tmp_path, 1, "--general-set", "clip_norm=none")


@pytest.fixture
def modules(tiny_config):
    """A predecessor of two layers, a successor of one, without dropout."""
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    large = tiny_config.replace(**still)
    models = (large, large.replace(num_hidden_layers=1))
    return [plm.Classifier(plm.Encoder(c), ["a", "b"], dropout=0.0) for c in models]


def test_theseus_replaces_whole_modules(modules, tiny_batch):
    """Its outputs are those of the four mixtures of two modules, and of no other."""
    old, new = modules
    model = plm.Theseus(old, new, replace=0.5, seed=1)
    before = old.get_weights()
    theirs, mine = Record(), Record()
    with hooked(old.encoder, theirs), hooked(new.encoder, mine):
        old(tiny_batch)
        new(tiny_batch)
    embedded = [record.states[0] for record in (theirs, mine)]
    kwargs = {"attention_mask": tiny_batch["padding_mask"][:, None, None, :]}
    mixtures = []
    for x in embedded:
        y = x
        for block in old.encoder.blocks:
            y = block(y, **kwargs)[0]
        for state in (y, new.encoder.blocks[0](x, **kwargs)[0]):
            mixtures.append(np.asarray(old.logits(old.encoder.pool(state))))
    seen = set()
    for _ in range(30):
        logits = np.asarray(model(tiny_batch, training=True))
        distances = [np.abs(logits - m).max() for m in mixtures]
        assert min(distances) < 1e-5
        seen.add(int(np.argmin(distances)))
    assert seen == {0, 1, 2, 3}
    # Outside of training: the successor alone.
    alone = np.asarray(model(tiny_batch))
    np.testing.assert_allclose(alone, mixtures[3], atol=1e-5)
    model.compile(plm.AdamW(1e-2))
    batch = one_dictionary(tiny_batch, np.array([0, 1]))
    data = tf.data.Dataset.from_tensors(batch).repeat(5)
    head = new.logits.get_weights()
    model.fit(data, verbose=0, shuffle=False)
    for one, two in zip(before, old.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(head, new.logits.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert np.abs(np.asarray(model(tiny_batch)) - alone).max() > 1e-3


def test_replacing_everything_is_the_successor(modules, tiny_batch):
    model = plm.Theseus(*modules, replace=1.0)
    for training in (True, False):
        np.testing.assert_allclose(
            model(tiny_batch, training=training), modules[1](tiny_batch), atol=1e-6
        )


def test_ways_to_compute_change_nothing(modules, tiny_batch):
    """Packed rows and recomputed blocks are of no use here, and do no harm."""
    old, new = modules
    plain = plm.Theseus(old, new, replace=0.5, seed=1)
    wanted = [np.asarray(plain(tiny_batch, training=True)) for _ in range(6)]
    for model in modules:
        model.encoder.recompute = True
    again = plm.Theseus(old, new, replace=0.5, seed=1)
    for logits in wanted:
        np.testing.assert_array_equal(again(tiny_batch, training=True), logits)


def test_hooks_are_of_one_thread(modules, tiny_batch):
    encoder, record = modules[0].encoder, Record()
    with hooked(encoder, record):
        other = threading.Thread(target=encoder, args=(tiny_batch,))
        other.start()
        other.join()
        assert not record.states
        encoder(tiny_batch)
    encoder(tiny_batch)
    assert (len(record.states), len(record.scores)) == (3, 2)


def test_replacing_schedule():
    schedule = LinearReplacing(0.2, 4)
    found = [round(float(schedule(step)), 4) for step in range(6)]
    assert found == [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    with pytest.raises(ConfigError, match="begin must be in"):
        LinearReplacing(2.0, 4)


def test_shared_layers_can_replace(tiny_config, tiny_batch):
    """An ALBERT has one block, which is several modules."""
    shared = tiny_config.replace(num_hidden_groups=1, embedding_size=8)
    models = [
        plm.Classifier(plm.Encoder(shared.replace(num_hidden_layers=n)), ["a", "b"])
        for n in (4, 2)
    ]
    model = plm.Theseus(*models, replace=1.0)
    assert np.isfinite(np.asarray(model(tiny_batch, training=True))).all()


def test_modules_that_do_not_fit(modules, tiny_config):
    old, new = modules
    for other, message in (
        (tiny_config.replace(hidden_size=8, num_hidden_layers=1), "hidden_size=8"),
        (tiny_config.replace(num_hidden_layers=3), "cannot be divided"),
    ):
        bad = plm.Classifier(plm.Encoder(other), ["a", "b"])
        with pytest.raises(ConfigError, match=message):
            plm.Theseus(old, bad)
    with pytest.raises(ConfigError, match="replace must be in"):
        plm.Theseus(old, new, replace=0.0)
    with pytest.raises(ConfigError, match="labels="):
        plm.Theseus(old, plm.Classifier(new.encoder, ["a", "c"]))
    with pytest.raises(ConfigError, match="must be a task model"):
        plm.Theseus(old.encoder, new)
