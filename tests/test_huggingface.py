"""Weights that transformers wrote load and give its numbers."""

import json
import shutil
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.huggingface import tf1_name
from kerasplm.huggingface_out import hf_name
from tests.golden import COMPACT, HERE, HIDDEN, LOGITS

CASES = {
    "bert": ("pretraining", "bert"),
    "bert_bare": (None, "bert"),
    "bert_classifier": ("classification", "bert"),
    "albert": ("pretraining", "albert"),
    "electra": ("pretraining", "electra"),
    "electra_generator": ("pretraining", "electra_generator_untied"),
    "roformer": ("pretraining", "roformer"),
}
# Our outputs and theirs.
NAMES = (
    ("mlm_logits", "prediction_logits"),
    ("sentence_pair_logits", "seq_relationship_logits"),
    ("sentence_pair_logits", "sop_logits"),
    ("pooled_output", "pooler_output"),
)


def folder_of(name):
    return HERE / "huggingface" / name


def load(name):
    part = "generator" if name == "electra_generator" else None
    return plm.load(folder_of(name), heads=CASES[name][0], part=part)


@pytest.mark.parametrize("name", CASES)
def test_same_numbers(name, tmp_path):
    heads, family = CASES[name]
    model = load(name)
    assert model.load_report.family == family
    assert not model.load_report.unused
    io = np.load(folder_of(name) / "io.npz")
    batch = {
        "token_ids": io["input_ids"],
        "segment_ids": io["token_type_ids"],
        "padding_mask": io["attention_mask"].astype(bool),
    }
    encoder = model if heads is None else model.encoder
    states = encoder(batch, return_hidden_states=True)["hidden_states"]
    assert len(states) == 3
    for n, state in enumerate(states):
        np.testing.assert_allclose(state, io[f"hidden_{n}"], atol=HIDDEN, rtol=0)
    out = model(batch)
    if heads == "classification":
        pairs = [(out, io["logits"])]
    else:
        pairs = [(out[a], io[b]) for a, b in NAMES if a in out and b in io]
        if "rtd_logits" in out:
            pairs.append((out["rtd_logits"][..., 0], io["logits"]))
        elif name in ("electra_generator", "roformer"):
            pairs.append((out["mlm_logits"], io["logits"]))
    assert pairs
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=LOGITS, rtol=0)
    # And on to the original format, with nothing lost.
    plm.save_checkpoint(model, tmp_path / "model.ckpt")
    part = "generator" if name == "electra_generator" else None
    again = plm.load(tmp_path, heads=heads, part=part)
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", CASES)
def test_written_as_transformers_writes(name, tmp_path):
    """The same tensors under the same names, and the same configuration."""
    model = load(name)
    plm.save_huggingface(model, tmp_path)
    theirs = load_file(folder_of(name) / "model.safetensors")
    ours = load_file(tmp_path / "model.safetensors")
    if name == "bert_bare":  # they leave out the prefix of a bare model
        theirs = {f"bert.{key}": value for key, value in theirs.items()}
    # No weights: transformers computes them when they are missing.
    theirs.pop("roformer.encoder.embed_positions.weight", None)
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value)
    said = json.loads((folder_of(name) / "config.json").read_text())
    data = json.loads((tmp_path / "config.json").read_text())
    for key in set(data) & set(said) - {"id2label", "label2id"}:
        assert data[key] == said[key], key
    assert {"model_type", "hidden_act", "architectures"} <= set(data) & set(said)


@pytest.mark.parametrize("kind", ["bert", "albert", "electra", "nezha", "roformer"])
def test_every_name_goes_there_and_back(kind):
    fields = {"i": 3, "g": 1, "j": 2, "qkv": "key", "w": "kernel", "n": "beta"}
    for template in plm.FAMILIES[kind].weights:
        name = plm.FAMILIES[kind].theirs(template.format(**fields, task="t"))[0]
        if not name.startswith("task_specific"):
            assert tf1_name(hf_name(name, kind))[0] == name


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("albert_zh", "family 'albert_brightmart' cannot be written for transformers"),
        ("zhuiyi_roberta_tiny", "family 'zhuiyi' cannot be written for transformers"),
    ],
)
def test_models_that_transformers_does_not_have(case, words, tmp_path):
    with pytest.raises(FamilyError, match=words):
        plm.save_huggingface(plm.load(COMPACT / case), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_nezha_there_and_back(tmp_path):
    """Transformers had NEZHA up to version 4; nothing here can run it."""
    model = plm.load(COMPACT / "nezha", heads="pretraining")
    plm.save_huggingface(model, tmp_path)
    assert all(
        name.startswith(("nezha.", "cls."))
        for name in load_file(tmp_path / "model.safetensors")
    )
    again = plm.load(tmp_path, heads="pretraining")
    assert again.load_report.family == "nezha"
    assert again.encoder.config == model.encoder.config
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_family_is_told_where_variables_do_not(folder, tmp_path):
    """A BERT with a pooler and an MLM head has the variables of SimBERT."""
    model = plm.PretrainedModel(plm.load(folder), ["mlm"])
    plm.save_huggingface(model, tmp_path / "out")
    again = plm.load(tmp_path / "out", heads="pretraining")
    assert again.load_report.family == "bert"
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_facts_that_transformers_does_not_have(tiny_config, tmp_path):
    for field in ({"ln_type": "pre"}, {"attention": "unilm"}, {"pooler": "linear"}):
        with pytest.raises(ConfigError, match=f"no {next(iter(field))}="):
            plm.save_huggingface(plm.Encoder(tiny_config.replace(**field)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_with_vocabulary(folder, tmp_path):
    model = plm.load(folder, heads="pretraining")
    tokenizer = plm.load_tokenizer(folder)
    plm.save_huggingface(model, tmp_path / "out", tokenizer=tokenizer)
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    assert plm.load_tokenizer(tmp_path / "out").vocab == tokenizer.vocab


def changed(tmp_path, tensors=None, **config):
    folder = tmp_path / "model"
    shutil.copytree(folder_of("bert"), folder)
    if tensors is not None:
        save_file(tensors, folder / "model.safetensors")
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(data | config))
    return folder


def test_copies_and_buffers(tmp_path):
    tensors = load_file(folder_of("bert") / "model.safetensors")
    word = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.predictions.decoder.weight"] = word
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    tensors["bert.embeddings.position_ids"] = np.arange(20)[None]
    folder = changed(tmp_path, tensors)
    assert plm.load(folder, heads="pretraining").load_report.heads
    assert plm.load(folder / "model.safetensors").load_report.family == "bert"
    shutil.rmtree(folder)
    tensors["cls.predictions.decoder.weight"] = word + 1
    with pytest.raises(CheckpointError, match="decoder.weight differs.*expected tied"):
        plm.load(changed(tmp_path, tensors))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "gpt2"}, "model_type must be one of bert, .*'gpt2'"),
        ({"position_embedding_type": "relative_key"}, "must be 'absolute'"),
        ({"hidden_size": 32}, "hidden_size is 32 but the weights say 16"),
    ],
)
def test_wrong_configuration(tmp_path, config, words):
    with pytest.raises(ConfigError, match=words):
        plm.load(changed(tmp_path, **config))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02cos\nsystem\n",  # a pickle
        struct.pack("<Q", 2**60) + b"{}",  # an absurd header
        struct.pack("<Q", 2) + b"[]",
    ],
)
def test_damaged_file(tmp_path, content):
    folder = changed(tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="model.safetensors: no safetensors file"):
        plm.load(folder)


def test_truncated_file(tmp_path):
    folder = changed(tmp_path)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="model.safetensors"):
        plm.load(folder)


def test_several_files_are_asked_for_as_one(tmp_path):
    folder = changed(tmp_path)
    file = folder / "model.safetensors"
    file.rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(CheckpointError, match="or model.safetensors"):
        plm.load(folder)
