"""What is written for tf-models-official has the names that it writes itself.

That it loads there, and gives equal numbers, is shown by benchmarks/equal_model_garden.
"""

import json

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import ConfigError, FamilyError
from tests.golden import COMPACT
from tests.test_model_garden import CASES, folder_of, load, objects


@pytest.mark.parametrize("name", CASES)
def test_written_and_read_again(name, tmp_path):
    model = load(name)
    plm.save_model_garden(model, tmp_path)
    again = plm.load(tmp_path, heads=CASES[name][0])
    assert again.load_report.family == CASES[name][1]
    config = (again if CASES[name][0] is None else again.encoder).config
    assert config == (model if CASES[name][0] is None else model.encoder).config
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # And on to the original format.
    plm.save_checkpoint(again, tmp_path / "tf1" / "model.ckpt")
    third = plm.load(tmp_path / "tf1", heads=CASES[name][0])
    for mine, theirs in zip(third.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["bert", "factorised", "pretrainer"])
def test_written_as_the_original_writes(name, tmp_path):
    """The same keys, full names, shapes and values."""
    plm.save_model_garden(load(name), tmp_path)
    prefix = next(folder_of(name).glob("*.index")).with_suffix("")
    _, theirs = objects(prefix)
    _, ours = objects(tmp_path / "model.ckpt")
    theirs = {k: n for k, n in theirs.items() if n != "save_counter"}
    assert ours == theirs
    mine = tf.train.load_checkpoint(str(tmp_path / "model.ckpt"))
    original = tf.train.load_checkpoint(str(prefix))
    for key in ours:
        if "/_pooler_layer/" in key and name == "pretrainer":
            continue  # one pooler is in use, and is written in both places
        np.testing.assert_array_equal(mine.get_tensor(key), original.get_tensor(key))


def test_written_as_the_functional_models_are(tmp_path):
    """The ways to a variable that theirs have and ours must have."""
    plm.save_model_garden(load("albert"), tmp_path)
    _, theirs = objects(folder_of("albert") / "model.ckpt")
    _, ours = objects(tmp_path / "model.ckpt")
    assert ours == theirs
    plm.save_model_garden(load("classifier"), tmp_path / "classifier")
    graph, _ = objects(tmp_path / "classifier" / "model.ckpt")
    found = graph.nodes[0]
    for name in ("model", "layer_with_weights-1", "out_proj", "kernel"):
        found = graph.nodes[
            next(c.node_id for c in found.children if c.local_name == name)
        ]
    assert found.attributes[0].full_name == "sentence_prediction/logits/kernel"


@pytest.mark.parametrize("case", ["bert_google", "roberta_zh", "albert_google"])
def test_originals_and_their_vocabulary(case, tmp_path):
    model = plm.load(COMPACT / case, heads="pretraining")
    heads = list(model.heads)
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "今", "天"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab) + "\n", "utf-8")
    tokenizer = plm.load_tokenizer(tmp_path / "vocab.txt", in_graph=False)
    plm.save_model_garden(model, tmp_path / "out", tokenizer=tokenizer)
    with pytest.warns(UserWarning, match="293 rows have no token"):
        again = plm.load_tokenizer(tmp_path / "out", in_graph=False)
    assert again.vocab == vocab
    again = plm.load(tmp_path / "out", heads="pretraining")
    assert list(again.heads) == heads
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_erf_form_of_gelu_is_named(tmp_path):
    """The original's "gelu" is the tanh form; it must not meet a model of the other."""
    model = plm.load(COMPACT / "wobert", heads="pretraining")
    plm.save_model_garden(model, tmp_path)
    data = json.loads((tmp_path / "bert_config.json").read_text())
    assert data["hidden_act"] == "gelu_erf"
    again = plm.load(tmp_path, heads="pretraining")
    assert again.load_report.family == "wobert"
    assert again.encoder.config == model.encoder.config


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("nezha", "family 'nezha' is not in tf-models-official; bert, wobert, "),
        ("electra_zh", "family 'electra' is not in"),
        ("albert_zh", "family 'albert_brightmart' is not in"),
        ("simbert", "family 'simbert' is not in"),
        ("albert_zh_google_fast", "no encoder with ffn_groups=16"),
        ("albert_google_groups2_inner2", "num_hidden_groups=2"),
    ],
)
def test_models_that_it_does_not_have(case, words, tmp_path):
    with pytest.raises((FamilyError, ConfigError), match=words):
        plm.save_model_garden(plm.load(COMPACT / case), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_facts_that_it_does_not_have(tiny_config, tmp_path):
    for field in (
        {"ln_type": "pre"},
        {"attention": "unilm"},
        {"layer_norm_eps": 1e-5},
        {"attention_key_size": 5},
        {"pooler": "linear"},
    ):
        model = plm.Encoder(tiny_config.replace(**field))
        plm.save_checkpoint(model, tmp_path / "a" / "model.ckpt", family="bert")
        loaded = plm.load(tmp_path / "a", **field)
        with pytest.raises(ConfigError, match=f"no encoder with {next(iter(field))}="):
            plm.save_model_garden(loaded, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_heads_that_it_does_not_have(tiny_config, tmp_path):
    model = plm.PretrainedModel(plm.Encoder(tiny_config), ["sentence_pair"])
    with pytest.raises(FamilyError, match="no model with the heads"):
        plm.save_model_garden(model, tmp_path / "x")
    encoder = plm.Encoder(tiny_config.replace(pooler="none"))
    with pytest.raises(ConfigError, match="no encoder with pooler='none'"):
        plm.save_model_garden(plm.Classifier(encoder, ["a", "b"]), tmp_path / "x")
    assert not (tmp_path / "x").exists()
