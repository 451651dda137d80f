"""PyTorch checkpoints that the original code wrote, in both formats of `.bin`."""

import numpy as np
import pytest

import kerasplm as plm
from tests.golden import HIDDEN, LOGITS, Case, Comparison, every

STATES = {"return_hidden_states": True, "return_attention_scores": True}


def compare_seen(compare, what, ours, theirs):
    """Compare scores; those that the mask hides lie near -10000."""
    seen = theirs > -5000
    assert ((np.asarray(ours) > -5000) == seen).all()
    compare(what, ours, theirs, LOGITS, seen)


def compare_scores(compare, out, io, prefix):
    for n, ours in enumerate(out["attention_scores"]):
        compare_seen(compare, f"{prefix}{n}", ours, io[f"{prefix}{n}"])


@every("pytorch")
def test_nezha_golden(case: Case):
    pytest.importorskip("torch")
    io, compare = case.io, Comparison(case)
    model = plm.load(case.folder, heads="pretraining")
    assert model.load_report.family == "nezha"
    out = model(case.batch(), **STATES)
    for n, state in enumerate(out["hidden_states"]):
        compare(f"hidden {n}", state, io[f"hidden_{n}"], HIDDEN)
    scores = np.asarray(out["attention_scores"][0])[1:]
    compare_seen(compare, "scores", scores, io["att_scores_0_rows1plus"])
    compare("pooled", out["pooled_output"], io["pooled"], HIDDEN)
    compare("mlm", out["mlm_logits"][1:], io["mlm_logits_rows1plus"], LOGITS)
    compare("nsp", out["sentence_pair_logits"], io["nsp_logits"], LOGITS)
    labels = [str(n) for n in range(len(io["classifier_bias"]))]
    classifier = plm.Classifier(model.encoder, labels)
    classifier.logits.set_weights([io["classifier_weight"].T, io["classifier_bias"]])
    logits = classifier(case.batch())
    compare("classification", logits, io["classification_logits"], LOGITS)
    compare.finish()


@every("distillation")
def test_tinybert_golden(case: Case, tmp_path):
    pytest.importorskip("torch")
    io, compare = case.io, Comparison(case, " (models)")
    batch = case.batch()
    for who in ("student", "teacher"):
        model = plm.load(case.folder / f"{who}_general", heads="pretraining")
        family = {"student": "tinybert", "teacher": "bert"}[who]
        assert model.load_report.family == family
        assert ("fit_dense/kernel" in model.load_report.unused) == (who == "student")
        out = model(batch, **STATES)
        for n, state in enumerate(out["hidden_states"]):
            compare(f"{who} {n}", state, io[f"general/{who}_hidden_{n}"], HIDDEN)
        compare(who, out["pooled_output"], io[f"general/{who}_pooled"], HIDDEN)
        compare_scores(compare, out, io, f"general/{who}_att_")
        if who == "teacher":
            compare("mlm", out["mlm_logits"], io["general/teacher_mlm_logits"], LOGITS)
            nsp = out["sentence_pair_logits"]
            compare("nsp", nsp, io["general/teacher_nsp_logits"], LOGITS)
        folder = case.folder / f"{who}_task"
        # The originals' classifier, with relu, is the same for both.
        task = plm.load(folder, heads="classification", family="tinybert")
        assert task.activation == "relu"
        compare(f"{who} logits", task(batch), io[f"task/{who}_logits"], LOGITS)
        out = task.encoder(batch, **STATES)
        compare_scores(compare, out, io, f"task/{who}_att_")
        plm.save_checkpoint(task, tmp_path / who / "model.ckpt")
        again = plm.load(tmp_path / who, heads="classification")
        assert again.activation == "relu"
        assert again.dropout.rate == 0.0
        compare(f"{who} again", again(batch), task(batch), 1e-9)
    compare.finish()
