"""Taggers that the original code fine-tuned, loaded whole: logits, losses."""

import numpy as np
import tensorflow as tf

import kerasplm as plm
from kerasplm.task_heads.tagging import tagging_loss
from tests import golden
from tests.golden import HIDDEN, LOGITS, LOSS, Case, Comparison, every


def theirs(io, name: str) -> np.ndarray:
    """Return an input, whose name ELECTRA begins with that of the task."""
    return next(io[key] for key in io if key.endswith(name) and "/" not in key)


@every("finetune_tagging")
def test_tagger_golden(case: Case, tmp_path):
    io, params, compare = case.io, case.meta["params"], Comparison(case)
    model = plm.load(golden.complete(case, tmp_path), heads="tagging")
    assert model.tags == tuple(str(n) for n in range(params["num_labels"]))
    assert (model.labels, model.decoder) == ((), "softmax")
    assert model.task == params.get("task", "tagging")
    kernel, bias = model.tagging.logits.kernel, model.tagging.logits.bias
    with tf.GradientTape() as tape:
        logits = model(case.batch())["logits"]
        if "label_ids" in io:  # NEZHA: padding costs as label 0
            losses = tagging_loss(logits, io["label_ids"], reduction="none")
        else:  # ELECTRA: the first piece of each word
            at = theirs(io, "_labeled_positions")
            logits = tf.gather(logits, at, batch_dims=1)
            mask = theirs(io, "_labels_mask")
            losses = tagging_loss(logits, theirs(io, "_labels"), mask, "none")
        total = tf.reduce_sum(losses)
    compare("logits", logits, io["logits"], LOGITS)
    compare("loss", total / float(io["train/loss"]), 1.0, LOSS)
    if io["per_example_loss"].ndim == 1:
        losses = tf.reduce_sum(losses, axis=1)
    compare("losses", losses, io["per_example_loss"], LOGITS)
    ours = [g.numpy() for g in tape.gradient(total, [kernel.value, bias.value])]
    if "task" in params:
        prefix = f"train/clipped_grad/task_specific/{params['task']}/dense"
        expected = [io[f"{prefix}/kernel"], io[f"{prefix}/bias"]]
    else:
        prefix = "train/clipped_grad/output"
        expected = [io[f"{prefix}_weights"].T, io[f"{prefix}_bias"]]
    if "train/global_norm" in io:
        ours = [g / max(1.0, float(io["train/global_norm"])) for g in ours]
    else:  # without the norm only the direction is known
        ours = [g / tf.linalg.global_norm(ours) for g in ours]
        expected = [g / tf.linalg.global_norm(expected) for g in expected]
    for name, a, b in zip(("kernel", "bias"), ours, expected, strict=True):
        compare(f"gradient {name}", a, b, HIDDEN)
    compare.finish()


@every("finetune_tagging")
def test_own_loss_counts_real_tokens_only(case: Case, tmp_path):
    model = plm.load(golden.complete(case, tmp_path), heads="tagging")
    batch, rng = case.batch(), np.random.default_rng(0)
    tags = rng.integers(0, len(model.tags), batch["token_ids"].shape)
    outputs = model(batch)
    logits = outputs["logits"].numpy().astype("float64")
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(logits, tags[..., None], -1)[..., 0]
    expected = losses[batch["padding_mask"]].mean()
    found = float(model.objective(batch, tags, outputs))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_there_are_cases():
    assert len(golden.cases("finetune_tagging")) >= 2
