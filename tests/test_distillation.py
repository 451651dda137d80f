"""Distillation: losses by hand, every pair of families, what is trained and saved."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.distillation import losses
from kerasplm.distillation.maps import layer_map
from kerasplm.distillation.recording import Record, seen
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.hooks import hooked
from kerasplm.precision import computed_in


@pytest.fixture
def pair(tiny_config):
    """A teacher and a student without dropout."""
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 16}
    return (
        plm.Encoder(tiny_config),
        plm.Encoder(tiny_config.replace(**sizes, **still)),
    )


def values(terms):
    return {name: float(term.total / term.count) for name, term in terms.items()}


def check_counts(model, batch):
    """The short way to the counts gives those of the losses."""
    terms, counts = model.outcome(batch)[0], model.counts(batch)
    assert set(terms) == set(counts)
    for name, term in terms.items():
        assert float(counts[name]) == float(term.count), name


def test_layer_maps():
    assert layer_map("uniform", 12, 6) == (1, 3, 5, 7, 9, 11)
    assert layer_map("uniform", 24, 6) == (3, 7, 11, 15, 19, 23)
    assert layer_map("top", 12, 3) == (9, 10, 11)
    assert layer_map("bottom", 12, 3) == (0, 1, 2)
    assert layer_map([0, 4, 4], 5, 3) == (0, 4, 4)


@pytest.mark.parametrize(
    ("choice", "sizes", "message"),
    [
        ("uniform", (12, 5), "the 12 layers of the teacher cannot be divided into 5"),
        ("uniform", (4, 6), "a student with at most 4 layers"),
        ("middle", (4, 2), "one of uniform, top, bottom"),
        ([0, 4], (4, 2), "expected 2 layers of the teacher, each from 0 to 3"),
        ([0], (4, 2), "expected 2 layers"),
    ],
)
def test_bad_layer_maps(choice, sizes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        layer_map(choice, *sizes)


def test_losses_by_hand(pair, tiny_batch):
    """Both ways of padding, in numpy."""
    teacher, student = pair
    mask = tiny_batch["padding_mask"]
    pairs = (mask[:, None, :, None] & mask[:, None, None, :]).repeat(4, 1)
    records = {}
    for who, model in (("teacher", teacher), ("student", student)):
        records[who] = Record()
        with hooked(model, records[who]):
            model(tiny_batch)
    scores = [np.asarray(records[who].scores[-1]) for who in ("student", "teacher")]
    for padding in ("masked", "tinybert"):
        model = plm.Distillation(teacher, student, padding=padding)
        assert model.layers_of_teacher == (1,)
        found = values(model.outcome(tiny_batch)[0])
        check_counts(model, tiny_batch)
        if padding == "masked":
            attention = np.square(scores[0] - scores[1])[pairs].mean()
        else:
            cut = [np.where(x <= -100, 0, x) for x in scores]
            attention = np.square(cut[0] - cut[1]).mean()
        assert found["attention"] == pytest.approx(attention, rel=1e-5)
        kernel, bias = (np.asarray(w) for w in model.projection.shared.weights)
        for name, mine, theirs in (("embedding", 0, 0), ("hidden", 1, 2)):
            state = np.asarray(records["student"].states[mine]) @ kernel + bias
            squares = np.square(state - np.asarray(records["teacher"].states[theirs]))
            squares = squares[mask] if padding == "masked" else squares
            assert found[name] == pytest.approx(squares.mean(), rel=1e-5)


def test_masked_losses_do_not_depend_on_padding(pair, tiny_batch):
    model = plm.Distillation(*pair)
    longer = {n: np.pad(x, ((0, 0), (0, 3))) for n, x in tiny_batch.items()}
    longer["token_ids"][:, -3:] = 7
    short, long = (values(model.outcome(b)[0]) for b in (tiny_batch, longer))
    assert long == pytest.approx(short, rel=1e-5)
    seed = plm.Distillation(*pair, padding="tinybert")
    seed.projection.set_weights(model.projection.get_weights())
    short, long = (values(seed.outcome(b)[0]) for b in (tiny_batch, longer))
    assert abs(long["attention"] / short["attention"] - 1) > 1e-2


def test_very_low_scores_are_dropped_in_both():
    student = np.array([[[[-101.0, 1.0]]]], "float32")
    teacher = np.array([[[[3.0, -10000.0]]]], "float32")
    total, count = losses.attention(student, teacher)
    assert (float(total), float(count)) == (9.0 + 1.0, 2.0)


def test_soft_cross_entropy_by_hand():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 3, 4)).astype("float32")
    rows, classes = np.array([1, 0, 1]), np.array([[1, 1, 0, 1]] * 3, bool)
    total, count, entries = losses.soft_cross_entropy(
        student, teacher, 2.0, rows, classes
    )
    expected = 0.0
    for n in (0, 2):
        q, p = (x[n][classes[n]] / 2.0 for x in (student, teacher))
        p, q = np.exp(p) / np.exp(p).sum(), np.exp(q) / np.exp(q).sum()
        expected -= (p * np.log(q)).sum()
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert (float(count), float(entries)) == (2.0, 6.0)


FAMILIES = {
    "nezha": {"position": "nezha", "max_relative_position": 4},
    "albert": {"embedding_size": 8, "num_hidden_groups": 1},
    "albert_zh": {"embedding_projection": "before_norm", "embedding_size": 8}
    | {"num_hidden_groups": 1, "ln_type": "pre"},
    "electra": {"embedding_size": 8, "pooler": "none"},
    "roformer": {"position": "rotary", "embedding_size": 8},
}


PAIRS = (("nezha", "bert"), ("albert", "bert"), ("albert_zh", "albert"))
PAIRS += (("electra", "bert"), ("roformer", "electra"), ("bert", "albert"))


@pytest.mark.parametrize(("teacher", "student"), PAIRS)
def test_every_teacher_with_every_student(teacher, student, tiny_config, tiny_batch):
    wide = plm.Encoder(tiny_config.replace(**FAMILIES.get(teacher, {})))
    narrow = {"num_hidden_layers": 1, "hidden_size": 12}
    small = plm.Encoder(tiny_config.replace(**FAMILIES.get(student, {}), **narrow))
    model = plm.Distillation(wide, small)
    with tf.GradientTape() as tape:
        terms, _ = model.outcome(tiny_batch, training=True)
        loss = sum(term.value for term in terms.values())
    grads = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(g is not None for g in grads)
    assert np.isfinite(float(loss))
    check_counts(model, tiny_batch)
    assert all(v.path.split("/")[0] != "pooler" for v in model.trainable_variables)


def test_heads_of_another_number(tiny_config, tiny_batch):
    teacher = plm.Encoder(tiny_config)
    student = plm.Encoder(tiny_config.replace(num_attention_heads=2))
    with pytest.raises(ConfigError, match="as many attention heads.*=4.*and 2"):
        plm.Distillation(teacher, student)
    plm.Distillation(teacher, student, losses={"hidden": 1})
    model = plm.Distillation(teacher, student, heads="mean", layer_map=[1, 0])
    found = values(model.outcome(tiny_batch)[0])["attention"]
    theirs, mine = Record(), Record()
    with hooked(teacher, theirs), hooked(student, mine):
        teacher(tiny_batch)
        student(tiny_batch)
    pairs = np.asarray(seen(tiny_batch, student)[1])[:, 0]
    expected = sum(
        np.square(np.asarray(a).mean(1) - np.asarray(b).mean(1))[pairs].mean()
        for a, b in zip(mine.scores, theirs.scores[::-1], strict=True)
    )
    assert found == pytest.approx(expected, rel=1e-5)


def test_fit_leaves_the_teacher_alone(pair, tiny_batch, tmp_path):
    teacher, student = pair
    before = teacher.get_weights()
    model = plm.Distillation(teacher, student, projection="per_layer")
    mine = {id(v) for v in model.variables}
    assert not mine & {id(v) for v in teacher.variables}
    assert len(model.projection.dense) == 2
    model.accumulation = 2
    scaled = keras.optimizers.LossScaleOptimizer(plm.AdamW(1e-2), initial_scale=8.0)
    model.compile(scaled)
    data = tf.data.Dataset.from_tensors(tiny_batch).repeat(30)
    history = model.fit(data, epochs=2, verbose=0, shuffle=False).history
    assert history["loss"][1] < 0.7 * history["loss"][0]
    assert {"attention_loss", "hidden_loss", "embedding_loss"} < set(history)
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # Teacher's dropout never runs: the same batch gives the same.
    one, two = (values(model.outcome(tiny_batch, True)[0]) for _ in range(2))
    assert one == two
    plm.save_checkpoint(model, tmp_path / "s" / "model.ckpt", family="bert")
    again = plm.load(tmp_path / "s")
    np.testing.assert_array_equal(
        again(tiny_batch)["sequence_output"], model(tiny_batch)["sequence_output"]
    )


def test_students_of_tinybert_keep_their_projection(tiny_config, tiny_batch, tmp_path):
    teacher = plm.Encoder(tiny_config.replace(hidden_size=24))
    student = plm.Encoder(tiny_config.replace(hidden_act="gelu_erf"), family="tinybert")
    model = plm.Distillation(teacher, student)
    plm.save_checkpoint(model, tmp_path / "tf1" / "model.ckpt")
    plm.save_huggingface(model, tmp_path / "hf")
    for where in ("tf1", "hf"):
        loaded = plm.load(tmp_path / where)
        assert loaded.load_report.family == "tinybert"
        assert loaded.load_report.heads == ("fit_dense",)
        fresh = plm.Distillation(teacher, plm.Encoder(student.config))
        plm.load_checkpoint(fresh, tmp_path / where)
        one, two = (values(m.outcome(tiny_batch)[0]) for m in (model, fresh))
        assert one == two
    # A checkpoint without it: named, and may be skipped.
    plm.save_checkpoint(student, tmp_path / "bare" / "model.ckpt")
    with pytest.raises(CheckpointError, match="missing: fit_dense/kernel"):
        plm.load_checkpoint(fresh, tmp_path / "bare", family="tinybert")
    plm.load_checkpoint(
        fresh, tmp_path / "bare", family="tinybert", skip=("fit_dense/.*",)
    )


def test_mixed_precision(tiny_config, tiny_batch):
    with computed_in("bfloat16", mixed=True):
        teacher, student = plm.Encoder(tiny_config), plm.Encoder(tiny_config)
        model = plm.Distillation(teacher, student)
    terms, _ = model.outcome(tiny_batch)
    assert all(term.total.dtype == "float32" for term in terms.values())
    assert all(v.dtype == "float32" for v in model.projection.weights)


def test_models_that_do_not_fit(tiny_config):
    encoder = plm.Encoder(tiny_config)
    other = plm.Encoder(tiny_config.replace(vocab_size=61))
    one = plm.Classifier(encoder, ["a", "b"])
    prediction = {"losses": {"prediction": 1}}
    crf = {"decoder": "crf"}
    for pair, choices, message in (
        ((encoder, encoder), {}, "the same model"),
        ((encoder, other), {}, "common vocabulary; found vocab_size=60"),
        ((encoder, plm.Encoder(tiny_config)), prediction, "needs task models"),
        ((encoder, one), {"losses": {"hidden": 1}}, "the same model"),
        (
            (one, plm.Classifier(plm.Encoder(tiny_config), ["a", "c"])),
            prediction,
            "the same labels",
        ),
        (
            (one, plm.EntityTagger(plm.Encoder(tiny_config), ["a"])),
            prediction,
            "of one kind",
        ),
        (
            [
                plm.EntityTagger(plm.Encoder(tiny_config), ["a"], **crf)
                for _ in range(2)
            ],
            prediction,
            "only decoder='softmax'",
        ),
        ((encoder, other), {"losses": {"hiden": 1}}, "losses must give weights"),
        ((encoder, other), {"losses": {}}, "weight above 0"),
        ((encoder, other), {"temperature": 0}, "temperature"),
        ((encoder, other), {"padding": "none"}, "padding must be one of"),
    ):
        with pytest.raises(ConfigError, match=message):
            plm.Distillation(*pair, **choices)
    with pytest.raises(ConfigError, match="projection must be one of"):
        plm.Distillation(encoder, plm.Encoder(tiny_config), projection="two")
