"""Models for questions on passages as the originals fine-tuned them, through `load`."""

import numpy as np
import tensorflow as tf

import kerasplm as plm
from kerasplm.checkpoint import their_names
from kerasplm.families import FAMILIES
from tests import golden
from tests.golden import LOSS, Case, Comparison, every
from tests.test_heads_golden import compare_gradients, compare_span, feature

STYLES = {
    "bert_squad": "bert",
    "nezha_squad": "nezha",
    "albert_google_squad_v1": "bert",
    "albert_google_squad_v2": "albert",
    "electra": "electra",
    "electra_zh": "electra",
}


@every("finetune_span")
def test_span_model_golden(case: Case, tmp_path):
    io, params, compare = case.io, case.meta["params"], Comparison(case, " load")
    folder = golden.complete(case, tmp_path)
    model = plm.load(folder, heads="span")
    assert model.style == STYLES[case.meta["family"]]
    assert model.task == params.get("task", "span")
    inputs = case.batch()
    if "input_span_mask" in io:
        allowed = np.asarray(model._allowed(inputs))
        assert np.array_equal(allowed, io["input_span_mask"])
    if "p_mask" in io:  # a row has padding inside of its texts
        whole = (np.diff(io["input_mask"]) <= 0).all(1)
        allowed = np.asarray(model._allowed(inputs))
        assert whole.sum() > 1
        assert np.array_equal(allowed[whole], 1 - io["p_mask"][whole])
        inputs["allowed_mask"] = 1 - io["p_mask"]
    if model.style in ("albert", "electra"):  # the beams of the case are small
        beams = {"start_beam": params.get("start_n_top"), "end_beam": None}
        if "p_mask" in io:
            beams["end_beam"] = params["end_n_top"]
        else:
            beams = dict.fromkeys(beams, io["start_top_index"].shape[-1])
        model.head.settings.update(beams)
    if case.meta["source_repo"] == "ymcui/Chinese-ELECTRA":
        model.answerable_weight = 0.3
    targets = {name: feature(io, name) for name in ("start_positions", "end_positions")}
    impossible = [key for key in io if key.endswith("is_impossible")]
    zeros = np.zeros_like(targets["start_positions"])
    targets["is_impossible"] = io[impossible[0]] if impossible else zeros
    told = inputs | {"start_positions": targets["start_positions"]}
    with tf.GradientTape() as tape:
        out = model(told, training=False)
        loss = model.objective(told, targets, out)
    compare("loss", loss, io["train/loss"], LOSS)
    names = their_names(model, FAMILIES[model.load_report.family])
    table = {path: name for path, (name, _) in names.items()}
    gradients = tape.gradient(loss, model.head.weights)
    compare_gradients(case, compare, model.head, table, gradients)
    taught = {k: v for k, v in out.items() if "_top_" not in k}
    compare_span(compare, io, "train/", taught)
    found = model(inputs)
    compare_span(compare, io, "", found)
    # One call gives both: what the loss takes, and what a search finds.
    for key in found:
        if "_top_" in key:
            assert np.array_equal(found[key], out[key])
    assert set(out) == set(found) | {"end_logits"}
    compare.finish()
    again(model, tmp_path / "again" / "model.ckpt", inputs, found)


def again(model, prefix, inputs, found) -> None:
    """Write the model under the names of the original; read it as ours and as its."""
    plm.save_checkpoint(model, prefix)
    written = tf.train.load_checkpoint(str(prefix)).get_variable_to_shape_map()
    assert set(model.load_report.loaded.values()) == set(written)
    ours = plm.load(prefix.parent, heads="task")
    assert ours.facts() == model.facts()
    theirs = plm.load(prefix, heads="span", config=next(prefix.parent.glob("*.json")))
    for other in (ours, theirs):
        other.head.__dict__.get("settings", {}).update(
            model.head.__dict__.get("settings", {})
        )
        for name, value in other(inputs).items():
            assert np.array_equal(value, found[name]), name


def test_goldens_hold_all_heads():
    families = {case.meta["family"] for case in golden.cases("finetune_span")}
    assert {STYLES[f] for f in families} == {"bert", "nezha", "albert", "electra"}
