"""Every model of the goldens loads by `kerasplm.load` and gives the same numbers."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kerasplm as plm
from kerasplm import checkpoint, losses
from kerasplm.layers import ACTIVATIONS
from kerasplm.relative import relative_table, rotations
from kerasplm.shared_rows import encoded
from kerasplm.tasks.sharing import first_fit
from tests import golden
from tests.golden import (
    HIDDEN,
    LATER,
    LOGITS,
    LOSS,
    Case,
    Comparison,
    cases,
    every,
    softmax,
)

KNOWN = {
    "pretrain",
    "pretrain_electra",
    "causal_lm",
    "bert4keras",
    "finetune",  # tests/test_classifiers_golden.py
    "finetune_span",  # tests/test_heads_golden.py, as the next three
    "finetune_tagging",
    "crf",
    "global_pointer",
    "foreign",
    "pytorch",  # tests/test_pytorch_golden.py
    "seq2seq",  # tests/test_seq2seq_golden.py
    "distillation",  # tests/test_distillation_golden.py
    "helpers",
    "tokenizers",
    "tokenizer_bert4keras",
    "optimizers_tf1",  # tests/test_optimization_golden.py
    "optimizers_bert4keras",
    "pretraining_data",  # tests/test_pretraining_data_golden.py
}


def test_golden_cases_all_have_a_check():
    """A case that nothing handles must not pass unseen."""
    found = cases()
    assert found, f"no golden cases in {golden.ROOT}"
    unhandled = [c.name for c in found if c.kind not in KNOWN | set(LATER)]
    assert not unhandled, f"no check for {unhandled}"


def compare_states(compare, out, io, prefix=""):
    layers = io[prefix + "all_encoder_layers"]
    assert len(out["hidden_states"]) == len(layers) + 1
    for n, theirs in enumerate(layers):
        compare(f"{prefix}layer {n}", out["hidden_states"][n + 1], theirs, HIDDEN)
    last = io.get(prefix + "sequence_output", layers[-1])
    compare("sequence", out["sequence_output"], last, HIDDEN)
    if prefix + "pooled_output" in io:
        compare("pooled", out["pooled_output"], io[prefix + "pooled_output"], HIDDEN)
    if prefix + "attention_probs_0" in io:
        ours = softmax(np.asarray(out["attention_scores"][0])[:1])
        compare("attention", ours, io[prefix + "attention_probs_0"], HIDDEN)


WITH_STATES = {"return_hidden_states": True, "return_attention_scores": True}


def compare_gradients(compare, case, model, loss_of):
    """The first moment after one step is 0.1 times the clipped gradient."""
    family = plm.FAMILIES[model.load_report.family]
    names = checkpoint.their_names(model, family)
    reader = tf.train.load_checkpoint(str(next(case.folder.glob("*.index")))[:-6])
    held = reader.get_variable_to_shape_map()
    weights = checkpoint.named_weights(model)
    slots = {
        path: name + ending
        for path, (name, _) in names.items()
        for ending in ("/adam_m", "/lamb_m")
        if name + ending in held
    }
    if not slots:
        return
    with tf.GradientTape() as tape:
        loss = loss_of(model)
    grads = tape.gradient(loss, [weights[path].value for path in slots])
    grads = [tf.convert_to_tensor(g) for g in grads]
    norm = float(case.io.get("train_global_norm", tf.linalg.global_norm(grads)))
    for (path, slot), grad in zip(slots.items(), grads, strict=True):
        theirs = reader.get_tensor(slot) / 0.1
        theirs = theirs.T if names[path][1] else theirs
        compare(f"gradient {path}", grad * min(1.0, 1.0 / norm), theirs, HIDDEN)


@every("pretrain")
def test_pretraining_golden(case: Case):
    io, compare = case.io, Comparison(case)
    model = plm.load(case.folder, heads="pretraining")
    batch = case.batch() | {"mlm_positions": io["masked_lm_positions"]}
    out = model(batch, **WITH_STATES)
    compare("embedding", out["embedding_output"], io["embedding_output"], HIDDEN)
    compare_states(compare, out, io)
    mlm = ops.convert_to_numpy(out["mlm_logits"])
    compare("mlm", mlm.reshape(io["mlm_logits"].shape), io["mlm_logits"], LOGITS)
    sentence = out["sentence_pair_logits"]
    compare("sentence pair", sentence, io["sentence_logits"], LOGITS)

    labels = io["next_sentence_labels"][:, 0]
    rest = (io["masked_lm_ids"], io["masked_lm_weights"])
    mlm_loss = losses.masked_lm(mlm, *rest)
    sentence_loss = losses.sentence_pair(sentence, labels)
    # roberta_zh builds the NSP head but trains only on MLM.
    mlm_only = case.meta["family"].startswith("roberta_zh")
    compare("mlm loss", mlm_loss, io["mlm_loss"], LOSS)
    compare("sentence loss", sentence_loss, io["sentence_loss"], LOSS)
    total = mlm_loss + (0.0 if mlm_only else sentence_loss)
    compare("loss", total, io["total_loss"], LOSS)

    def loss_of(model):
        out = model(batch)
        loss = losses.masked_lm(out["mlm_logits"], *rest)
        if not mlm_only:
            loss += losses.sentence_pair(out["sentence_pair_logits"], labels)
        return loss

    compare_gradients(compare, case, model, loss_of)
    compare.finish()


def compare_lean(compare, encoder, batch, layers, pooled):
    """Compare what a graph computes of real tokens only, for every shape of batch."""
    batch = {name: tf.cast(x, "int32") for name, x in batch.items()}
    spec = {name: tf.TensorSpec((None, None), x.dtype) for name, x in batch.items()}

    @tf.function(input_signature=[spec], autograph=False)
    def run(batch):
        out = encoder(batch, skip_padding=True, return_hidden_states=True)
        lean = encoder(batch, skip_padding=True, first_only=True)
        return out["hidden_states"][1:], lean["pooled_output"]

    states, ours = run(batch)
    real = np.asarray(batch["padding_mask"], bool)
    for n, (state, theirs) in enumerate(zip(states, layers, strict=True)):
        compare(f"real tokens of layer {n}", state.numpy()[real], theirs[real], HIDDEN)
    compare("pooled, alone", ours, pooled, HIDDEN)


@every("pretrain")
def test_pretraining_without_padding_golden(case: Case):
    io, compare = case.io, Comparison(case)
    layers, pooled = io["all_encoder_layers"], io["pooled_output"]
    compare_lean(compare, plm.load(case.folder), case.batch(), layers, pooled)
    compare.finish()


@every("pretrain_electra")
def test_electra_without_padding_golden(case: Case):
    io, compare = case.io, Comparison(case)
    if "disc_all_encoder_layers" not in io:
        pytest.skip("a generator alone")
    layers = io["disc_all_encoder_layers"]
    batch = case.batch("corrupted_input_ids")
    # Without a pooler the first token of the last layer stands for the text.
    compare_lean(compare, plm.load(case.folder), batch, layers, layers[-1][:, 0])
    compare.finish()


@every("pretrain_electra")
def test_electra_pretraining_golden(case: Case):
    io, compare = case.io, Comparison(case)
    generator = plm.load(case.folder, heads="pretraining", part="generator")
    batch = case.batch("masked_input_ids")
    batch |= {"mlm_positions": io["masked_lm_positions"]}
    out = generator(batch, **WITH_STATES)
    # ELECTRA's embedding output is what enters the first block.
    first = io["gen_embedding_output"]
    compare("generator embedding", out["hidden_states"][0], first, HIDDEN)
    compare_states(compare, out, io, "gen_")
    compare("mlm", out["mlm_logits"], io["mlm_logits"], LOGITS)
    rest = (io["masked_lm_ids"], io["masked_lm_weights"])
    mlm_loss = losses.masked_lm(out["mlm_logits"], *rest, epsilon=1e-6)
    compare("mlm loss", mlm_loss, io["mlm_loss"], LOSS)
    hparams = case.meta.get("hparams", {})
    total = hparams.get("gen_weight", 1.0) * mlm_loss
    if "disc_logits" in io:
        model = plm.load(case.folder, heads="pretraining")
        out = model(case.batch("corrupted_input_ids"), **WITH_STATES)
        first = io["disc_embedding_output"]
        compare("embedding", out["hidden_states"][0], first, HIDDEN)
        compare_states(compare, out, io, "disc_")
        compare("rtd", out["rtd_logits"][..., 0], io["disc_logits"], LOGITS)
        rtd_loss = losses.replaced_token(
            out["rtd_logits"], io["is_fake_tokens"], io["input_mask"]
        )
        compare("rtd loss", rtd_loss, io["disc_loss"], LOSS)
        total += hparams.get("disc_weight", 50.0) * rtd_loss
    # The sum is near 100, where a step of float32 is 7.6e-6: four steps at the most.
    step = float(np.spacing(np.float32(io["total_loss"])))
    compare("loss", total, io["total_loss"], max(LOSS, 4 * step))
    compare.finish()


@every("causal_lm")
def test_causal_lm_golden(case: Case):
    io, compare = case.io, Comparison(case)
    model = plm.load(case.folder, heads="pretraining")
    out = model({"token_ids": io["input_ids"]}, **WITH_STATES)
    compare("embedding", out["embedding_output"], io["embedding_output"], HIDDEN)
    compare_states(compare, out, io)
    compare("logits", out["mlm_logits"], io["logits"], LOGITS)
    ours = np.log(softmax(np.asarray(out["mlm_logits"], "float64")))
    compare("log probabilities", ours, io["log_probs"], LOGITS)
    compare.finish()


HIERARCHICAL = {"hidden_act": "gelu_erf"}
# How the groups of a bert4keras case were computed: Config fields, names of inputs.
GROUPS: dict[str, tuple[dict, str]] = {
    "gelu_erf": ({"hidden_act": "gelu_erf"}, ""),
    "gelu_tanh": ({"hidden_act": "gelu_tanh"}, ""),
    "unilm": ({"hidden_act": "gelu_erf", "attention": "unilm"}, "unilm_"),
    "lm": ({"hidden_act": "gelu_erf", "attention": "causal"}, "lm_"),
    "quirk_zero_id": ({"hidden_act": "gelu_erf"}, "quirk_zero_id_"),
    "custom_position": ({"hidden_act": "gelu_erf"}, ""),
    "pair": ({}, "pair_"),
    "pair_gelu_tanh": ({"hidden_act": "gelu_tanh"}, "pair_"),
    "sent": ({}, "sent_"),
    "hierarchical": (HIERARCHICAL | {"hierarchical_positions": 0.4}, "hierarchical_"),
    "hierarchical_0.3": (
        HIERARCHICAL | {"hierarchical_positions": 0.3},
        "hierarchical_",
    ),
}
GROUPS_LATER = ("loss",)
GROUPS_ELSEWHERE = ("keep",)  # test_vocabulary_golden.py


@every("bert4keras")
def test_bert4keras_golden(case: Case):
    compare = Comparison(case)
    groups = {key.split("/")[0] for key in case.io if "/" in key}
    handled = {g for g in groups if g in GROUPS}
    others = GROUPS_LATER + GROUPS_ELSEWHERE
    assert all(g in GROUPS or g.startswith(others) for g in groups), groups
    assert handled
    for group in sorted(handled):
        compare_bert4keras(case, group, compare)
    compare.finish()


def compare_bert4keras(case: Case, group: str, compare: Comparison) -> None:
    io, (fields, prefix) = case.io, GROUPS[group]
    token_ids = io.get(prefix + "token_ids", io.get("unilm_token_ids"))
    token_ids = io["token_ids"] if token_ids is None else token_ids
    segments = io.get(prefix + "segment_ids", io.get("unilm_segment_ids"))
    segments = io["segment_ids"] if segments is None else segments
    real = token_ids != 0
    mask = real.copy()
    mask[:, 0] = True  # bert4keras never masks the first token
    batch = {"token_ids": token_ids, "segment_ids": segments, "padding_mask": mask}
    if group == "custom_position":
        batch["position_ids"] = io["custom_position_ids"]
    model = plm.load(case.folder, heads="pretraining", **fields)
    out = model(batch, **WITH_STATES)
    encoder = model.encoder
    states = out["hidden_states"]
    tolerances = case.meta["recommended_tolerance"]
    hidden, logits = tolerances["hidden_atol"], tolerances["logits_atol"]
    assert hidden <= HIDDEN
    assert logits <= LOGITS
    compared = 0
    for key, theirs in io.items():
        if not key.startswith(group + "/"):
            continue
        what = key.split("/")[1]
        if what == "embedding_norm":
            compare(key, out["embedding_output"], theirs, hidden, real)
        elif what == "embedding_mapped":
            compare(key, states[0], theirs, hidden, real)
        elif what.endswith("_attention"):
            n = int(what.split("_")[1])
            ours = after_attention(encoder, n, states[n], out, batch)
            compare(key, ours, theirs, hidden, real)
        elif what.startswith("layer_"):
            ours = states[int(what.split("_")[1]) + 1]
            compare(key, ours, theirs, hidden, real)
        elif what == "mlm_logits":
            compare(key, out["mlm_logits"], theirs, logits, real)
        elif what == "mlm_proba":
            compare(key, softmax(out["mlm_logits"]), theirs, logits, real)
        elif what == "nsp_proba":
            compare(key, softmax(out["sentence_pair_logits"]), theirs, logits)
        elif what == "discriminator_logits":
            compare(key, out["rtd_logits"], theirs, logits, real)
        elif what == "discriminator_proba":
            compare(key, ops.sigmoid(out["rtd_logits"]), theirs, logits, real)
        elif what in ("pooled_tanh", "pooled_linear", "pooled_linear_2", "vectors"):
            linear = encoder.pooler(out["sequence_output"][:, 0])
            kind = "tanh" if what == "pooled_tanh" else "linear"
            compare(key, ACTIVATIONS[kind](linear), theirs, hidden)
            if encoder.config.pooler == kind:
                compare(key, out["pooled_output"], theirs, hidden)
        elif what in ("vectors_normed", "similarity"):
            x = np.asarray(out["pooled_output"])
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
            compare(key, x @ x.T if what == "similarity" else x, theirs, hidden)
        else:
            raise AssertionError(f"{case.name}: no check for {key}")
        compared += 1
    assert compared


def after_attention(encoder, n, x, out, batch):
    """Return the first normalised residual sum of block n."""
    block = encoder.layers_in_order()[n]
    weights = ops.softmax(out["attention_scores"][n], axis=-1)
    mask = weights > 0  # what the softmax keeps is what the mask allowed
    positions = encoder.config.position
    relative = rotary = None
    if positions == "nezha":
        relative = relative_table(encoder.config, x.shape[1], "float32")
    elif positions == "rotary":
        rotary = rotations(encoder.config, np.arange(x.shape[1])[None], "float32")
    a, _ = block.attention(x, attention_mask=mask, relative=relative, rotary=rotary)
    return block.attention_norm(x + a)


@every("foreign")
def test_foreign_golden(case: Case):
    """A model that is not supported is refused with its variables, not loaded wrong."""
    with pytest.raises(plm.PLMError) as error:
        plm.load(case.folder)
    assert str(case.folder) in str(error.value)
    compared = Comparison(case, " (refused)")
    compared.count = 1
    compared.finish()


@every("pretrain")
def test_pretraining_in_shared_rows_golden(case: Case):
    io, compare = case.io, Comparison(case)
    batch = case.batch()
    real = np.asarray(batch["padding_mask"], bool)
    length = real.shape[1]
    starts = first_fit(real.sum(1), length)
    places = np.full(starts.max() // length * length + length, -1)
    text, token = np.nonzero(real)
    number = real.cumsum(1)[real] - 1
    places[starts[text] + number] = text * length + token
    shared = batch | {"shared_rows": places.reshape(-1, length)}
    encoder = plm.load(case.folder)
    out = encoded(encoder, shared, return_hidden_states=True)
    layers = zip(out["hidden_states"][1:], io["all_encoder_layers"], strict=True)
    for n, (ours, theirs) in enumerate(layers):
        compare(f"real tokens of layer {n}", ours.numpy()[real], theirs[real], HIDDEN)
    compare("pooled", out["pooled_output"], io["pooled_output"], HIDDEN)
    compare.finish()
