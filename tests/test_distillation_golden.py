"""Distillation against TinyBERT's code: inside of the models, losses, gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.checkpoint import named_weights
from kerasplm.distillation import losses
from kerasplm.distillation.maps import layer_map
from kerasplm.distillation.model import Distillation
from kerasplm.distillation.recording import Record
from kerasplm.hooks import hooked
from kerasplm.optimization import AdamW
from kerasplm.schedules import WarmupLinear
from tests.golden import HIDDEN, LOGITS, LOSS, Case, Comparison, every

TRACE = 1e-6
SEED = {"padding": "tinybert", "reduction": "entries"}


def task_model(case: Case, who: str):
    folder = case.folder / f"{who}_task"
    return plm.load(folder, heads="classification", family="tinybert")


def distillation(case: Case, stage: str, teacher, student, **options):
    """Return the model with the student's own `fit_dense`."""
    model = Distillation(teacher, student, **SEED, **options)
    folder = case.folder / f"student_{stage}"
    report = plm.load_checkpoint(model, folder, family="tinybert")
    assert "fit_dense/kernel" in report.loaded
    return model


def compare_inside(case, compare, model, stage):
    """States, projected states, scores; hidden scores lie near -10000."""
    io, batch = case.io, case.batch()
    for who, network in (("student", model.student), ("teacher", model.teacher)):
        body = getattr(network, "encoder", network)
        record = Record()
        with hooked(body, record):
            network(batch)
        for n, state in enumerate(record.states):
            key = f"{stage}/{who}_hidden_{n}"
            if key in io:
                compare(key, state, io[key], HIDDEN)
            if who == "student":
                key = f"{stage}/student_fit_{n}"
                compare(key, model.projection(state, number=n), io[key], HIDDEN)
        for n, scores in enumerate(record.scores):
            theirs = io[f"{stage}/{who}_att_{n}"]
            compare(f"{stage} {who} {n}", scores, theirs, LOGITS, theirs > -5000)


def compare_losses(case, compare, model, stage):
    io = case.io
    terms, measures = model.outcome(case.batch())
    rep = terms["hidden"].value + terms["embedding"].value
    for key, ours in (
        ("att_loss", terms["attention"].value),
        ("rep_loss", rep),
        ("loss", sum(term.value for term in terms.values())),
    ):
        theirs = io[f"{stage}/{key}"]
        compare(f"{stage} {key}", ours / theirs, 1.0, LOSS)
    assert sorted(measures) == ["attention_loss", "embedding_loss", "hidden_loss"]


@every("distillation")
def test_general_distillation(case: Case):
    pytest.importorskip("torch")
    io, compare = case.io, Comparison(case, " (general)")
    teacher, student = (
        plm.load(case.folder / f"{who}_general") for who in ("teacher", "student")
    )
    model = distillation(case, "general", teacher, student)
    wanted = case.meta["general_layer_map"]
    assert list(model.layers_of_teacher) == wanted["attention"]
    compare_inside(case, compare, model, "general")
    compare_losses(case, compare, model, "general")
    for n, theirs in enumerate(io["general/att_loss_per_layer"]):
        mine = io[f"general/student_att_{n}"]
        other = io[f"general/teacher_att_{model.layers_of_teacher[n]}"]
        total, count = losses.attention(mine, other)
        compare(f"attention {n}", total / count / theirs, 1.0, LOSS)
    for n, theirs in enumerate(io["general/rep_loss_per_layer"]):
        other = io[f"general/teacher_hidden_{wanted['hidden'][n]}"]
        total, count = losses.states(io[f"general/student_fit_{n}"], other)
        compare(f"states {n}", total / count / theirs, 1.0, LOSS)
    with tf.GradientTape() as tape:
        terms, _ = model.outcome(case.batch())
        loss = sum(term.value for term in terms.values())
    weights = named_weights(model)
    paths = {
        "bert.embeddings.word_embeddings.weight": "encoder/embeddings/word",
        "bert.encoder.layer.0.attention.self.query.weight": (
            "encoder/layer_0/attention/query/kernel"
        ),
        "bert.encoder.layer.0.intermediate.dense.weight": (
            "encoder/layer_0/ffn/inner/kernel"
        ),
        "bert.encoder.layer.1.attention.self.key.bias": (
            "encoder/layer_1/attention/key/bias"
        ),
        "bert.encoder.layer.1.output.LayerNorm.weight": (
            "encoder/layer_1/ffn_norm/gamma"
        ),
        "fit_dense.weight": "fit_dense/kernel",
        "fit_dense.bias": "fit_dense/bias",
    }
    recorded_ = {k.removeprefix("general/grad/") for k in io if "general/grad/" in k}
    assert recorded_ == set(paths)
    grads = tape.gradient(loss, [weights[path].value for path in paths.values()])
    for name, grad in zip(paths, grads, strict=True):
        theirs = io[f"general/grad/{name}"]
        ours = tf.convert_to_tensor(grad).numpy()
        if name.endswith("weight") and "embeddings" not in name and ours.ndim == 2:
            ours = ours.T
        where = None
        if "embeddings" in name:  # torch leaves the row of padding alone
            where = np.arange(len(theirs)) > 0
            assert not theirs[0].any()
        compare(f"gradient {name}", ours, theirs, HIDDEN, where)
    compare.finish()


@every("distillation")
def test_task_distillation(case: Case):
    pytest.importorskip("torch")
    io, compare = case.io, Comparison(case, " (task)")
    teacher, student = task_model(case, "teacher"), task_model(case, "student")
    assert (student.activation, student.dropout.rate) == ("relu", 0.0)
    model = distillation(case, "task", teacher, student)
    compare_inside(case, compare, model, "task")
    compare_losses(case, compare, model, "task")
    batch = case.batch()
    compare("teacher logits", teacher(batch), io["task/teacher_logits"], LOGITS)
    compare("student logits", model(batch), io["task/student_logits"], LOGITS)
    for temperature in (1, 2, 4):
        second = Distillation(
            teacher,
            student,
            losses={"prediction": 1.0},
            temperature=temperature,
            **SEED,
        )
        with tf.GradientTape() as tape:
            terms, _ = second.outcome(batch)
            loss = terms["prediction"].value
        key = f"task/soft_ce_T{temperature}"
        compare(key, loss / io[key], 1.0, LOSS)
        (grad,) = tape.gradient(loss, [student.logits.kernel.value])
        theirs = io[f"{key}_grad_classifier_weight"]
        compare(f"{key} gradient", grad.numpy().T, theirs, HIDDEN)
    total, count = losses.squared_error(
        io["task/regression_logits"][:, 0], io["regression_labels"]
    )
    compare("regression", total / count / io["task/regression_mse"], 1.0, LOSS)
    for temperature in (1, 2):
        total, _, entries = losses.soft_cross_entropy(
            io["soft_ce/student_logits"], io["soft_ce/teacher_logits"], temperature
        )
        theirs = io[f"soft_ce/T{temperature}"]
        compare(f"soft {temperature}", total / entries / theirs, 1.0, LOSS)
    compare.finish()


@every("distillation")
def test_layer_maps(case: Case):
    for name, found in case.meta["layer_map_examples"].items():
        teacher, student = (int(x[7:]) for x in name.split("_"))
        layers = layer_map("uniform", teacher, student)
        assert list(layers) == found["attention"]
        assert [0, *(n + 1 for n in layers)] == found["hidden"]


@every("distillation")
@pytest.mark.parametrize("schedule", ["none", "warmup_linear"])
def test_bert_adam(case: Case, schedule):
    """Clips every tensor alone, and counts steps from 0."""
    io, compare = case.io, Comparison(case, f" (BertAdam, {schedule})")
    names = ("a.weight", "a.bias")
    init = [io[f"bertadam/{schedule}/init/{name}"] for name in names]
    kinds = ("kernel", "bias")
    weights = [
        keras.Variable(x, name=kind) for x, kind in zip(init, kinds, strict=True)
    ]
    rate = 0.05
    found = AdamW(
        WarmupLinear(rate, 10, 3, rule="continuous") if schedule != "none" else rate,
        global_clipnorm=None,
        clipnorm=1.0,
    )
    for step in range(len(io[f"bertadam/{schedule}/grads/a.bias"])):
        grads = [io[f"bertadam/{schedule}/grads/{name}"][step] for name in names]
        found.apply_gradients(zip(map(tf.constant, grads), weights, strict=True))
        for name, weight in zip(names, weights, strict=True):
            theirs = io[f"bertadam/{schedule}/values/{name}"][step]
            compare(f"{step} {name}", weight, theirs, TRACE)
    compare.finish()
