"""Task heads against the original code: logits, beams, losses, gradients."""

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.task_heads import (
    CRF,
    MEMM,
    ConditionalSpanHead,
    EfficientGlobalPointer,
    GlobalPointer,
    SpanHead,
    TaggingHead,
)
from kerasplm.task_heads import multilabel as ml
from kerasplm.task_heads.crf import viterbi
from kerasplm.task_heads.global_pointer import (
    global_pointer_loss,
    sparse_global_pointer_loss,
)
from kerasplm.task_heads.span import span_loss
from kerasplm.task_heads.tagging import tagging_loss
from tests import golden
from tests.golden import HIDDEN, LOGITS, LOSS, Case, Comparison, every

# Our weights to the names of the original code: those that a checkpoint holds count.
PLAIN_SPAN = {
    "span/logits/kernel": "cls/squad/output_weights",
    "span/logits/bias": "cls/squad/output_bias",
}
ALBERT_SPAN = {
    f"span/{ours}/{w}": f"{theirs}/{w}"
    for ours, theirs, weights in (
        ("start", "start_logits/dense", ("kernel", "bias")),
        ("end_hidden", "end_logits/dense_0", ("kernel", "bias")),
        ("end_norm", "end_logits/LayerNorm", ("gamma", "beta")),
        ("end", "end_logits/dense_1", ("kernel", "bias")),
        ("answerable_hidden", "answer_class/dense_0", ("kernel", "bias")),
        ("answerable", "answer_class/dense_1", ("kernel",)),
    )
    for w in weights
}


def electra_span(task: str, joint: bool) -> dict[str, str]:
    names = ("start", "end", "answerable_first")
    if joint:
        names = ("start", "end", "answerable_hidden", "answerable")
    table = {}
    for w in ("kernel", "bias"):
        for n, name in enumerate(names):
            dense = f"dense_{n}" if n else "dense"
            table[f"span/{name}/{w}"] = f"task_specific/{task}/{dense}/{w}"
        if joint:
            table[f"span/end_hidden/{w}"] = f"task_specific/{task}/qa_hidden/{w}"
    return table


def tagging_table(task: str | None) -> dict[str, str]:
    if task is None:
        names = ("output_weights", "output_bias")
    else:
        names = tuple(f"task_specific/{task}/dense/{w}" for w in ("kernel", "bias"))
    ours = ("tagging/logits/kernel", "tagging/logits/bias")
    return dict(zip(ours, names, strict=True))


def stored_transposed(name: str) -> bool:
    return name.endswith("output_weights")


def fill(head, width: int, folder, table: dict[str, str]) -> None:
    """Set every weight of a head from a checkpoint."""
    head.build((None, None, width))
    prefix = next(folder.glob("*.index")).with_suffix("")
    reader = tf.train.load_checkpoint(str(prefix))
    assert {w.path for w in head.weights} == set(table)
    for weight in head.weights:
        value = reader.get_tensor(table[weight.path])
        weight.assign(value.T if stored_transposed(table[weight.path]) else value)


def encode(case: Case, folder, compare: Comparison):
    out = plm.load(folder)(case.batch())
    for what in ("sequence_output", "pooled_output"):
        if what in case.io:
            compare(what, out[what], case.io[what], HIDDEN)
    return out["sequence_output"]


def compare_gradients(case, compare, head, table, gradients) -> None:
    """The original clips by the norm of all gradients, which most cases record."""
    ours, theirs = {}, {}
    for weight, grad in zip(head.weights, gradients, strict=True):
        name = table[weight.path]
        theirs[name] = case.io[f"train/clipped_grad/{name}"]
        ours[name] = grad.numpy().T if stored_transposed(name) else grad.numpy()
    if "train/global_norm" in case.io:
        scale, unit = max(1.0, float(case.io["train/global_norm"])), 1.0
    else:  # without the norm only the direction of the head's gradient is known
        scale, unit = (tf.linalg.global_norm(list(x.values())) for x in (ours, theirs))
    for name in ours:
        compare(f"gradient {name}", ours[name] / scale, theirs[name] / unit, HIDDEN)


def span_case(case: Case, width: int):
    """Return the head that the original builds, its table, mask and reduction."""
    io, params = case.io, case.meta["params"]
    if "p_mask" in io:
        beams = {"start_beam": params["start_n_top"], "end_beam": params["end_n_top"]}
        head = ConditionalSpanHead.albert(width, **beams)
        return head, ALBERT_SPAN, 1 - io["p_mask"], "mean"
    if "task" in params:
        # Questions and padding are closed; the first token stands for "no answer".
        allowed = io["input_mask"] * io["segment_ids"]
        allowed[:, 0] = 1
        task, beam = params["task"], io["start_top_index"].shape[-1]
        joint = f"train/clipped_grad/task_specific/{task}/qa_hidden/bias" in io
        fields = {} if joint else {"joint": False, "answerable": "first"}
        head = ConditionalSpanHead(start_beam=beam, end_beam=beam, **fields)
        return head, electra_span(task, joint), allowed, "sum"
    if "input_span_mask" in io:
        head = SpanHead(mask_value=-10000.0)
        return head, PLAIN_SPAN, io["input_span_mask"], "mean"
    return SpanHead(), PLAIN_SPAN, None, "mean"


def feature(io, name: str) -> np.ndarray:
    """Return an input, whose name ELECTRA begins with that of the task."""
    return next(io[key] for key in io if key.endswith(name) and "/" not in key)


@every("finetune_span")
def test_span_head_golden(case: Case, tmp_path):
    io, compare = case.io, Comparison(case)
    folder = golden.complete(case, tmp_path)
    x = encode(case, folder, compare)
    head, table, allowed, reduction = span_case(case, x.shape[-1])
    fill(head, x.shape[-1], folder, table)
    starts = feature(io, "start_positions")
    targets = [starts, feature(io, "end_positions")]
    if any(key.endswith("is_impossible") for key in io):
        targets.append(feature(io, "is_impossible"))
    fields = {}
    if case.meta["source_repo"] == "ymcui/Chinese-ELECTRA":
        fields["answerable_weight"] = 0.3
    with tf.GradientTape() as tape:
        out = head(x, allowed, starts)
        loss = span_loss(out, *targets, reduction=reduction, **fields)
    compare("loss", loss, io["train/loss"], LOSS)
    compare_gradients(case, compare, head, table, tape.gradient(loss, head.weights))
    if "train/per_example_loss" in io:
        losses = span_loss(out, *targets, reduction="none", **fields)
        compare("losses", losses, io["train/per_example_loss"], LOSS)
    found = head(x, allowed)
    if "per_example_loss" in io:  # the original fills in zeros where it searches
        ends = {"end_logits": found.get("end_logits", np.zeros_like(io["end_logits"]))}
        losses = span_loss(found | ends, *targets, reduction="none", **fields)
        compare("searched losses", losses, io["per_example_loss"], LOSS)
    compare_span(compare, io, "train/", out)
    compare_span(compare, io, "", found)
    compare.finish()


def compare_span(compare: Comparison, io, prefix: str, out) -> None:
    log_softmax = tf.nn.log_softmax
    ours = {
        "start_logits": out["start_logits"],
        "start_log_probs": log_softmax(out["start_logits"]),
        "predict_start_log_probs": log_softmax(out["start_logits"]),
        "answerable_logit": out.get("answerable_logit"),
        "cls_logits": out.get("answerable_logit"),
    }
    if "end_logits" in out:
        ours |= {
            "end_logits": out["end_logits"],
            "end_log_probs": log_softmax(out["end_logits"]),
            "predict_end_log_probs": log_softmax(out["end_logits"]),
        }
    for name, value in ours.items():
        if prefix + name in io:
            theirs = io[prefix + name]
            # Scores of closed tokens are so large that their own rounding shows.
            scale = np.maximum(1.0, np.abs(theirs) / 100.0)
            compare(prefix + name, value / scale, theirs / scale, LOGITS)
    for name in ("start_top", "end_top"):
        if f"{name}_index" not in out:
            continue
        theirs = io[f"{prefix}{name}_index"]
        ours = np.reshape(out[f"{name}_index"], theirs.shape)
        compare(f"{name}_index", ours, theirs, 0.5)
        theirs = io[f"{prefix}{name}_log_probs"]
        ours = np.reshape(out[f"{name}_log_probs"], theirs.shape)
        scale = np.maximum(1.0, np.abs(theirs) / 100.0)
        compare(f"{name}_log_probs", ours / scale, theirs / scale, LOGITS)


@every("finetune_tagging")
def test_tagging_head_golden(case: Case, tmp_path):
    io, params, compare = case.io, case.meta["params"], Comparison(case)
    folder = golden.complete(case, tmp_path)
    x = encode(case, folder, compare)
    head, table = TaggingHead(params["num_labels"]), tagging_table(params.get("task"))
    fill(head, x.shape[-1], folder, table)
    labels, mask, positions = io.get("label_ids"), None, None
    if labels is None:
        labels, mask = feature(io, "_labels"), feature(io, "_labels_mask")
        positions = feature(io, "_labeled_positions")
    with tf.GradientTape() as tape:
        logits = head(x, positions)
        loss = tagging_loss(logits, labels, mask, "sum")
    compare("logits", logits, io["logits"], LOGITS)
    theirs = float(io["train/loss"])  # a sum of up to 210 losses
    compare("loss", loss / theirs, 1.0, LOSS)
    losses = tagging_loss(logits, labels, mask, "none").numpy()
    if io["per_example_loss"].ndim == 1:
        losses = losses.sum(1)
    compare("losses", losses, io["per_example_loss"], LOGITS)
    if "predictions" in io:
        compare("predictions", np.argmax(logits, -1), io["predictions"], 0.5)
    compare_gradients(case, compare, head, table, tape.gradient(loss, head.weights))
    compare.finish()


@every("crf")
def test_crf_golden(case: Case):
    io, meta, compare = case.io, case.meta, Comparison(case)
    logits, labels, mask = tf.constant(io["logits"]), io["labels"], io["mask"]
    for name, factor in (("crf_lr1", 1.0), ("crf_lr1000", 1000.0)):
        crf = CRF(logits.shape[-1], lr_multiplier=factor)
        crf.build()
        crf.transitions.assign(io["trans"] / factor)
        compare("transitions", crf.scores(), io[f"{name}/trans"], LOSS)
        for note, padding_mask in (("", mask), ("_nomask", None)):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                losses = -crf.log_likelihood(logits, labels, padding_mask)
            compare(name + note, losses, io[f"{name}/sparse_loss{note}"], LOSS)
            weight = crf.transitions.value
            grads = tape.gradient(losses, [weight, logits])
            # A gradient grows with the multiplier.
            theirs = io[f"{name}/grad__trans{note}"] / factor
            compare(f"gradient{note}", grads[0] / factor, theirs, HIDDEN)
            compare(
                f"gradient{note}", grads[1], io[f"{name}/grad_logits{note}"], HIDDEN
            )
    for note, starts, ends in (
        ("free", None, None),
        ("starts0_ends0", [0], [0]),
        ("starts01_ends02", [0, 1], [0, 2]),
    ):
        crf = CRF(logits.shape[-1], starts=starts, ends=ends)
        crf.build()
        crf.transitions.assign(io["trans"])
        paths = crf(logits, mask).numpy()
        for row, length in enumerate(meta["lengths"]):
            theirs = meta["viterbi"][note][row]
            nodes = io["logits"][row, :length]
            compare(note, paths[row, :length], theirs, 0.5)
            compare(note, viterbi(nodes, io["trans"], starts, ends), theirs, 0.5)
            assert not paths[row, length:].any()
    ties = meta["viterbi_all_ties"]
    crf.starts = crf.ends = None
    crf.transitions.assign(np.zeros_like(io["trans"]))
    compare("ties", crf(tf.zeros((1, len(ties), logits.shape[-1])))[0], ties, 0.5)
    for name, tables in (
        ("memm_full", [io["trans"]]),
        ("memm_hidden3", [io["memm_hidden3/l_trans"], io["memm_hidden3/r_trans"]]),
    ):
        memm = MEMM(
            logits.shape[-1], rank=tables[0].shape[1] if len(tables) > 1 else None
        )
        memm.build()
        memm.set_weights(tables)
        loss = memm.loss(logits, labels, mask)
        compare(name, loss, io[f"{name}/sparse_loss"], LOSS)
        right = [
            np.mean((np.argmax(scores, -1) == labels)[mask])
            for scores in memm.directions(logits, labels, mask)
        ]
        compare(name, np.mean(right), io[f"{name}/sparse_accuracy"], LOSS)
    compare.finish()


POINTERS = {"gp": GlobalPointer, "egp": EfficientGlobalPointer}


@every("global_pointer")
def test_global_pointer_golden(case: Case):
    io, meta, compare = case.io, case.meta, Comparison(case)
    groups = sorted({key.split("/")[0] for key in io if "gp_" in key})
    assert len(groups) == 10
    for group in groups:
        kind, *flags = group.split("_")
        head = POINTERS[kind](
            meta["heads"],
            head_size=meta["head_size"],
            rotary="rope" in flags,
            tril="tril" in flags,
            use_bias="nobias" not in flags,
        )
        head.build(io["hidden"].shape)
        head.set_weights([io[k] for k in io if k.startswith(f"{group}/w_")])
        for note, mask in (("", io["mask"]), ("_nomask", None)):
            if f"{group}/scores{note}" not in io:
                continue
            scores, theirs = head(io["hidden"], mask), io[f"{group}/scores{note}"]
            closed = np.isneginf(theirs)
            assert np.array_equal(scores == ml.NO_ENTRY, closed)
            theirs = np.where(closed, ml.NO_ENTRY, theirs)
            compare(f"{group}{note}", scores, theirs, LOGITS)
        scores = head(io["hidden"], io["mask"])
        for name, ours in {
            "loss_per_row": ml.multilabel_categorical_crossentropy(
                io["labels"].reshape(12, -1), tf.reshape(scores, (12, -1))
            ),
            "loss_gp": global_pointer_loss(io["labels"], scores),
            "sparse_loss": ml.sparse_multilabel_categorical_crossentropy(
                io["sparse_labels"] @ [9, 1], tf.reshape(scores, (3, 4, -1)), True
            ),
            "sparse_loss_mean_of_sum": sparse_global_pointer_loss(
                io["sparse_labels"], scores
            ),
        }.items():
            if f"{group}/{name}" in io:
                compare(f"{group} {name}", ours, io[f"{group}/{name}"], LOSS)
    sparse = ml.sparse_multilabel_categorical_crossentropy
    dense = ml.multilabel_categorical_crossentropy
    y = io["loss/y_pred"]
    for name, ours in {
        "multilabel": dense(io["loss/y_true"], y),
        "multilabel_soft": dense(io["loss/y_true_soft"], y),
        "sparse_multilabel": sparse(io["loss/sparse_idx"], y),
        "sparse_multilabel_mask_zero": sparse(io["loss/sparse_idx_mask_zero"], y, True),
    }.items():
        compare(name, ours, io[f"loss/{name}"], LOSS)
    compare.finish()


@pytest.mark.parametrize("kind", ["crf", "global_pointer", "finetune_span"])
def test_goldens_hold_the_heads(kind):
    assert golden.cases(kind)
