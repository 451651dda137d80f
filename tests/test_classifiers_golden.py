"""Classifiers that the original code fine-tuned: logits, losses, gradients."""

import numpy as np
import tensorflow as tf

import kerasplm as plm
from tests import golden
from tests.golden import HIDDEN, LOGITS, LOSS, Case, Comparison, every, softmax


@every("finetune")
def test_finetuned_golden(case: Case, tmp_path):
    io, compare = case.io, Comparison(case)
    folder = golden.complete(case, tmp_path)
    encoder = plm.load(folder)
    out = encoder(case.batch())
    for what in ("sequence_output", "pooled_output"):
        if what in io:
            compare(what, out[what], io[what], HIDDEN)
    kind = case.meta["kind"].split("/")[1].removeprefix("electra_")
    assert kind in ("classification", "regression")
    compare_classifier(case, folder, kind, compare)
    compare.finish()


def compare_classifier(case: Case, folder, kind: str, compare: Comparison) -> None:
    io = case.io
    model = plm.load(folder, heads="classification")
    labels = next(io[key] for key in io if key.endswith(("label_ids", "targets")))
    weights = [model.logits.kernel.value, model.logits.bias.value]
    with tf.GradientTape() as tape:
        logits = model(case.batch())
        loss, per_example = classification_loss(logits, labels, kind)
        # ELECTRA's fine-tuning sums the losses of the batch.
        if model.load_report.family == "electra":
            loss = tf.reduce_sum(per_example)
    theirs = io["logits"] if "logits" in io else io["predictions"][:, None]
    compare("logits", logits, theirs.reshape(logits.shape), LOGITS)
    if "probabilities" in io and kind == "classification":
        compare("probabilities", softmax(logits), io["probabilities"], LOGITS)
    compare("losses", per_example, io["per_example_loss"], LOGITS)
    if "loss" in io:
        compare("loss", loss, io["loss"], LOSS)
    # The original clips by the norm of all gradients, which the case records.
    norm = float(io.get("train/global_norm", np.inf))
    task = model.task
    names = (
        ("output_weights", "output_bias")
        if "train/clipped_grad/output_weights" in io
        else (f"task_specific/{task}/dense/kernel", f"task_specific/{task}/dense/bias")
    )
    for name, grad in zip(names, tape.gradient(loss, weights), strict=True):
        theirs = io[f"train/clipped_grad/{name}"]
        grad = np.asarray(grad).T if name == "output_weights" else np.asarray(grad)
        if np.isfinite(norm):
            compare(f"gradient {name}", grad * min(1.0, 1.0 / norm), theirs, HIDDEN)
        else:  # without the norm only the direction is known
            ours = grad / np.linalg.norm(grad)
            compare(f"gradient {name}", ours, theirs / np.linalg.norm(theirs), HIDDEN)


def classification_loss(logits, labels, kind):
    if kind == "regression":
        per_example = tf.square(logits[:, 0] - tf.cast(labels, "float32"))
    else:
        per_example = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(per_example), per_example
