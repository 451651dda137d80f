"""T5-PEGASUS of the goldens loads and gives the numbers of the original code."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.seq2seq.layers import bucket_table
from tests.golden import (
    COMPACT,
    HIDDEN,
    LOGITS,
    LOSS,
    ROOT,
    Case,
    Comparison,
    cases,
    every,
    softmax,
)
from tests.test_tokenizer_golden import check_pairs, check_wobert

# Fields with which a group of arrays was computed.
GROUPS = {
    "no_cross_position_bias": {"cross_position_bias": False},
    "gelu_tanh": {"hidden_act": "gelu_tanh"},
    "gelu_tanh_no_cross_position_bias": {
        "hidden_act": "gelu_tanh",
        "cross_position_bias": False,
    },
}
INPUTS = ("encoder_token_ids", "decoder_token_ids")
INPUTS += ("keep_tokens", "keep_encoder_token_ids", "keep_decoder_token_ids")


def test_there_is_a_case():
    """The copy in this repository; another folder need not have one."""
    assert cases("seq2seq") or ROOT != COMPACT


def real(ids):
    """Return bert4keras' padding mask, and where outputs are defined."""
    mask = ids != 0
    first = mask.copy()
    first[:, 0] = True  # bert4keras never masks the first token
    return first, mask


def batch_of(source, target):
    return {
        "token_ids": source,
        "padding_mask": real(source)[0],
        "target_ids": target,
        "target_padding_mask": real(target)[0],
    }


@every("seq2seq")
def test_seq2seq_golden(case: Case):
    io, compare = case.io, Comparison(case)
    source, target = io["encoder_token_ids"], io["decoder_token_ids"]
    batch = batch_of(source, target)
    in_source, in_target = real(source)[1], real(target)[1]
    tolerance = case.meta["recommended_tolerance"]
    assert tolerance["hidden_atol"] >= HIDDEN
    assert tolerance["logits_atol"] >= LOGITS
    model = plm.load(case.folder, heads="pretraining")
    out = model(batch, return_hidden_states=True)
    checks = {
        "encoder/output": (out["encoder_output"], HIDDEN, in_source),
        "decoder/output_norm": (out["decoder_output"], HIDDEN, in_target),
        "decoder/output_scaled": (
            out["decoder_output"] * model.config.hidden_size**-0.5,
            HIDDEN,
            in_target,
        ),
        "decoder/logits": (out["logits"], LOGITS, in_target),
        "decoder/proba": (softmax(out["logits"]), LOGITS, in_target),
        "finetune_loss": (next_word_loss(out["logits"], batch), LOSS, None),
    }
    for stack, where in (("encoder", in_source), ("decoder", in_target)):
        states = out[f"{stack}_hidden_states"]
        assert len(states) == model.config.num_hidden_layers + 1
        for n, state in enumerate(states[1:]):
            checks[f"{stack}/layer_{n}"] = (state, HIDDEN, where)
    checks |= {
        key: (value, HIDDEN, in_target)
        for key, value in inside_decoder(model, batch, out).items()
    }
    checks |= buckets_of(model.config, io)
    # A decoder alone is not told which tokens of the source are padding.
    alone = {"encoder_output": out["encoder_output"], "target_ids": target}
    alone = model.decode(alone | {"target_padding_mask": batch["target_padding_mask"]})
    key = "decoder_standalone_padded_context/logits_last2rows"
    if key in io:
        checks[key] = (alone["logits"][-2:], LOGITS, in_target[-2:])
    for group, fields in GROUPS.items():
        other = plm.load(case.folder, **fields)(batch)
        checks[f"{group}/logits"] = (other["logits"], LOGITS, in_target)
        checks[f"{group}/encoder_output"] = (other["encoder_output"], HIDDEN, in_source)
    # What transformers computes; there the output is not scaled.
    key = "gelu_tanh_no_cross_position_bias/logits"
    other = plm.load(case.folder, family="mt5")(batch)
    scaled = other["logits"] * model.config.hidden_size**-0.5
    if key in io:
        compare("mt5", scaled, io[key], LOGITS, in_target)
    if "keep/logits" in io:
        checks |= with_other_words(model, io)
    unread = set(io) - set(checks) - set(INPUTS)
    assert not unread, f"no check for {sorted(unread)}"
    for key in sorted(set(io) - set(INPUTS)):
        ours, bound, where = checks[key]
        compare(key, ours, io[key], bound, where)
    compare.finish()


def next_word_loss(logits, batch):
    """Return the mean cross entropy of the next word, without padding."""
    scores = softmax(np.asarray(logits, "float64"))[:, :-1]
    labels = batch["target_ids"][:, 1:]
    chosen = np.take_along_axis(scores, labels[..., None], -1)[..., 0]
    weights = batch["target_padding_mask"][:, 1:]
    return -(np.log(chosen) * weights).sum() / weights.sum()


def inside_decoder(model, batch, out):
    """Return the residual sums inside the blocks of the decoder."""
    source, target = (batch[k].shape[1] for k in ("token_ids", "target_ids"))
    places, keys = ops.arange(target), ops.arange(source)
    stack = model.decoder
    bias, cross = stack.position_bias(places, places), stack.position_bias(places, keys)
    causal = np.tril(np.ones((target, target), bool))[None, None]
    mask = batch["target_padding_mask"][:, None, None] & causal
    context_mask = batch["padding_mask"][:, None, None]
    sums = {}
    for n, block in enumerate(stack.blocks):
        x = block.attend(out["decoder_hidden_states"][n], mask, bias)
        sums[f"decoder/layer_{n}_self"] = x
        context = out["encoder_output"]
        x = block.attend_context(x, context, context_mask, cross)
        sums[f"decoder/layer_{n}_cross"] = x
    return sums


def buckets_of(config, io):
    checks = {}
    for kind in ("bidirectional", "unidirectional"):
        key = f"buckets/{kind}_150x150"
        if key not in io:
            continue
        size = io[key].shape[0]
        distance = np.arange(size)[:, None] - np.arange(150)[None]
        most = config.relative_max_distance
        table = bucket_table(config.relative_buckets, most, kind == "bidirectional")
        checks[key] = (table[np.clip(distance, -most, most) + most], 0.5, None)
    return checks


def with_other_words(model, io):
    """The same network on another vocabulary, whose tables the case gives."""
    table, kernel = io["keep/shared_embedding"], io["keep/lm_kernel"]
    other = plm.Seq2Seq(model.config.replace(vocab_size=len(table)))
    for path, weight in checkpoint.named_weights(other).items():
        weight.assign(
            {
                "seq2seq/embedding/embeddings": table,
                "seq2seq/output/kernel": kernel,
            }.get(path, checkpoint.named_weights(model)[path])
        )
    source, target = io["keep_encoder_token_ids"], io["keep_decoder_token_ids"]
    logits = other(batch_of(source, target))["logits"]
    return {
        "keep/logits": (logits, LOGITS, real(target)[1]),
        "keep/shared_embedding": (other.embedding.embeddings, LOGITS, None),
        "keep/lm_kernel": (other.output_layer.kernel, LOGITS, None),
    }


@every("seq2seq")
def test_back_to_the_original_names(case: Case, tmp_path):
    model = plm.load(case.folder)
    plm.save_checkpoint(model, tmp_path / "model.ckpt")
    first = tf.train.load_checkpoint(str(next(case.folder.glob("*.index")))[:-6])
    second = tf.train.load_checkpoint(str(tmp_path / "model.ckpt"))
    shapes = first.get_variable_to_shape_map()
    assert second.get_variable_to_shape_map() == shapes
    assert set(model.load_report.loaded.values()) == set(shapes)
    for name in shapes:
        np.testing.assert_array_equal(first.get_tensor(name), second.get_tensor(name))
    again = plm.load(tmp_path)
    assert again.config == model.config
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


# --- words ------------------------------------------------------------------------


@every("seq2seq")
@pytest.mark.parametrize("hmm", [False, True])
def test_words_as_recorded(case: Case, hmm):
    for row in case.meta["tokenization"][f"pre_tokenize_jieba_HMM_{hmm}"]:
        words = row["pre_tokenize_output"]
        tokenizer = PythonTokenizer(
            case.folder / "vocab.txt", pre_tokenize=lambda text, words=words: words
        )
        check_wobert(tokenizer, row)


@every("seq2seq")
def test_tokenizer_of_the_folder(case: Case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba's own, on import
        pytest.importorskip("jieba")
    tokenizer = plm.load_tokenizer(case.folder)
    rows = case.meta["tokenization"]["pre_tokenize_jieba_HMM_False"]
    assert rows
    for row in rows:
        check_wobert(tokenizer, row)
    pairs = case.meta["tokenization"]["pairs"]
    assert check_pairs(tokenizer, None, pairs) > 0


@every("seq2seq")
def test_characters_of_the_folder(case: Case):
    tokenizer = PythonTokenizer(case.folder / "vocab.txt")
    for row in case.meta["tokenization"]["pre_tokenize_none"]:
        check_wobert(tokenizer, row)
