"""Checkpoints that tf-models-official wrote load and give its numbers."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

import kerasplm as plm
from kerasplm.checkpoint import OBJECT_GRAPH, write
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.families import FAMILIES
from kerasplm.inspection import heads_in, inspect
from kerasplm.model_garden import HELD, NAMES, PLACES
from tests.golden import HERE, HIDDEN, LOGITS

# Heads, family, and what no configuration says.
CASES = {
    "bert": (None, "bert", {"hidden_act": "gelu_tanh"}),
    "factorised": (None, "zhuiyi", {"hidden_act": "gelu_tanh"}),
    "pretrainer": ("pretraining", "bert", {}),
    "albert": ("pretraining", "albert", {}),
    "classifier": ("classification", "bert", {"hidden_act": "gelu_tanh"}),
}
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def folder_of(name):
    return HERE / "model_garden" / name


def load(name, heads="as listed"):
    heads = CASES[name][0] if heads == "as listed" else heads
    return plm.load(folder_of(name), heads=heads, **CASES[name][2])


def batch_and_outputs(name):
    io = np.load(folder_of(name) / "io.npz")
    batch = {
        "token_ids": io["input_word_ids"],
        "segment_ids": io["input_type_ids"],
        "padding_mask": io["input_mask"].astype(bool),
    }
    return batch, io


def objects(prefix):
    """Return the graph, and full names without their scope by key."""
    reader = tf.train.load_checkpoint(str(prefix))
    graph = TrackableObjectGraph.FromString(reader.get_tensor(OBJECT_GRAPH))
    names = {
        a.checkpoint_key: re.sub(r"^bert(_encoder\w*)?/", "", a.full_name)
        for node in graph.nodes
        for a in node.attributes
    }
    return graph, {k: n for k, n in names.items() if k.endswith(VALUE)}


@pytest.mark.parametrize("name", CASES)
def test_encoder_gives_the_same_numbers(name):
    model = load(name, heads=None)
    assert model.load_report.family == CASES[name][1]
    batch, io = batch_and_outputs(name)
    out = model(batch, return_hidden_states=True)
    assert len(out["hidden_states"]) == 3
    for n, state in enumerate(out["hidden_states"][1:], 1):
        np.testing.assert_allclose(state, io[f"hidden_{n}"], atol=HIDDEN, rtol=0)
    for key in ("sequence_output", "pooled_output"):
        np.testing.assert_allclose(out[key], io[key], atol=HIDDEN, rtol=0)


def test_heads_give_the_same_numbers():
    for name, ours, theirs in (
        ("pretrainer", "mlm_logits", "mlm_logits"),
        ("pretrainer", "sentence_pair_logits", "next_sentence"),
        ("albert", "mlm_logits", "mlm_logits"),
    ):
        batch, io = batch_and_outputs(name)
        found = load(name)(batch)[ours]
        np.testing.assert_allclose(found, io[theirs], atol=LOGITS, rtol=0)
    batch, io = batch_and_outputs("classifier")
    np.testing.assert_allclose(
        load("classifier")(batch), io["logits"], atol=LOGITS, rtol=0
    )


def test_a_head_brings_its_own_pooler():
    """Of two poolers the one in use is loaded; the report says what was left."""
    bare, whole = load("pretrainer", heads=None), load("pretrainer")
    assert "next_sentence/pooler_dense/kernel" in bare.load_report.unused
    assert "pooler_transform/kernel" in whole.load_report.unused
    kernels = [np.asarray(e.pooler.kernel) for e in (bare, whole.encoder)]
    assert not np.array_equal(*kernels)
    plm.load_checkpoint(bare, folder_of("pretrainer"))
    plm.load_checkpoint(whole, folder_of("pretrainer"))
    np.testing.assert_array_equal(bare.pooler.kernel, kernels[0])
    np.testing.assert_array_equal(whole.encoder.pooler.kernel, kernels[1])
    classifier = load("classifier")
    other = load("classifier", heads=None).pooler.kernel
    assert not np.array_equal(classifier.encoder.pooler.kernel, other)
    plm.load_checkpoint(classifier, folder_of("classifier"))
    assert not np.array_equal(classifier.encoder.pooler.kernel, other)


def test_what_training_leaves_is_told_apart():
    report = load("classifier").load_report
    assert len(report.slots) == 90
    assert {"global_step", "save_counter"} <= set(report.slots)
    left = set(report.slots) - {"global_step", "save_counter"}
    assert all(name.startswith("optimizer/") for name in left)
    assert report.unused == ("pooler_transform/bias", "pooler_transform/kernel")


def test_inspection():
    assert heads_in(folder_of("pretrainer")) == ("mlm", "sentence_pair")
    found = inspect(folder_of("albert"))
    assert found.match.family.name == "albert"
    assert found.config.num_attention_heads == 4
    assert found.shapes["bert/embeddings/word_embeddings"] == (40, 8)


def test_sizes_come_from_the_kernels_and_the_rest_is_asked_for(tmp_path):
    with pytest.warns(UserWarning, match="hidden_act=gelu_tanh"):
        config = plm.load(folder_of("bert")).config
    assert (config.num_attention_heads, config.num_hidden_layers) == (4, 2)
    shutil.copytree(folder_of("albert"), tmp_path / "model")
    (tmp_path / "model" / "albert_config.json").unlink()
    with pytest.raises(ConfigError, match="hidden_act and num_hidden_layers cannot be"):
        plm.load(tmp_path / "model")
    shutil.copytree(folder_of("pretrainer"), tmp_path / "other")
    file = tmp_path / "other" / "bert_config.json"
    data = json.loads(file.read_text()) | {"num_attention_heads": 2}
    file.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match="num_attention_heads is 2 but .* say 4"):
        plm.load(tmp_path / "other")


@pytest.mark.parametrize("shared", [False, True])
def test_every_name_goes_there_and_back(shared):
    fields = {"i": 3, "qkv": "key", "w": "kernel", "n": "beta"}
    for table in (NAMES[shared], PLACES[shared]):
        for template in table.weights:
            path = template.format(**fields)
            assert table.ours(table.theirs(path)[0])[0] == path


def test_only_families_that_it_has(tmp_path):
    """A masked language model alone is not taken for SimBERT, which it cannot be."""
    assert set(HELD) < set(FAMILIES)
    encoder = load("bert")
    model = plm.PretrainedModel(encoder, ["mlm"])
    plm.save_model_garden(model, tmp_path)
    (tmp_path / "bert_config.json").unlink()
    again = plm.load(tmp_path, heads="pretraining", hidden_act="gelu_tanh")
    assert again.load_report.family == "bert"
    plm.save_checkpoint(model, tmp_path / "tf1" / "model.ckpt", family="bert")
    (tmp_path / "tf1" / "bert_config.json").unlink()
    with pytest.raises(FamilyError, match="'simbert'"):
        plm.load(tmp_path / "tf1", hidden_act="gelu_tanh", num_attention_heads=4)


def test_the_older_name_of_the_attention_output(tmp_path):
    graph, _ = objects(folder_of("bert") / "model.ckpt")
    renamed = 0
    for node in graph.nodes:
        for a in node.attributes:
            old = a.full_name.replace("/attention_output/", "_output/")
            renamed += old != a.full_name
            a.full_name = old
    assert renamed == 4
    reader = tf.train.load_checkpoint(str(folder_of("bert") / "model.ckpt"))
    tensors = {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}
    tensors[OBJECT_GRAPH] = np.array(graph.SerializeToString(), dtype=object)
    write(tmp_path / "model.ckpt", tensors)
    model = plm.load(tmp_path, **CASES["bert"][2])
    for mine, theirs in zip(
        model.get_weights(), load("bert").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def refused(tmp_path, words, **parts):
    tf.train.Checkpoint(**parts).write(str(tmp_path / "model.ckpt"))
    with pytest.raises(CheckpointError, match=words):
        plm.load(tmp_path)


def module(**parts):
    made = tf.Module()
    for name, value in parts.items():
        setattr(made, name, value)
    return made


def variable(name, shape=(4, 4)):
    return tf.Variable(tf.zeros(shape), name=name)


def test_other_object_based_checkpoints(tmp_path):
    dense = module(kernel=variable("dense/kernel"), bias=variable("dense/bias"))
    refused(
        tmp_path, "found the variables dense/bias, dense/kernel$", model=module(d=dense)
    )
    refused(tmp_path, "found no word embeddings", step=module())
    words = [variable(f"{n}/word_embeddings/embeddings") for n in ("a", "b")]
    refused(
        tmp_path,
        "expected one encoder; there are a/word_embeddings/embeddings and b/word",
        a=words[0],
        b=words[1],
    )
    flat = variable("transformer/layer_0/self_attention/query/kernel")
    refused(
        tmp_path,
        r"query/kernel: expected heads in a dimension of their own, found shape",
        word=variable("word_embeddings/embeddings"),
        flat=flat,
    )


def test_parts_of_an_encoder_that_are_missing(tmp_path):
    tf.train.Checkpoint(w=variable("word_embeddings/embeddings")).write(
        str(tmp_path / "model.ckpt")
    )
    with pytest.raises(FamilyError, match="no variables bert/embeddings/"):
        plm.load(tmp_path)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (b"\xff\xff\xff", "its object graph is damaged"),
        (np.zeros(3, "float32"), "its object graph is damaged"),
        (b"", "found no word embeddings"),
    ],
)
def test_damaged_graph(graph, words, tmp_path):
    value = np.array(graph, dtype=object) if isinstance(graph, bytes) else graph
    write(tmp_path / "model.ckpt", {OBJECT_GRAPH: value})
    with pytest.raises(CheckpointError, match=words):
        plm.load(tmp_path)


def test_graph_without_its_variables(tmp_path):
    graph = TrackableObjectGraph()
    node = graph.nodes.add()
    node.attributes.add(
        name="VARIABLE_VALUE", full_name="a", checkpoint_key=f"a{VALUE}"
    )
    data = np.array(graph.SerializeToString(), dtype=object)
    write(tmp_path / "model.ckpt", {OBJECT_GRAPH: data})
    with pytest.raises(CheckpointError, match=f"there is no variable a{VALUE}"):
        plm.load(tmp_path)


def test_damaged_data(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(folder_of("bert"), folder)
    file = next(folder.glob("*.data*"))
    file.write_bytes(file.read_bytes()[:-9000])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        plm.load(folder, hidden_act="gelu_tanh")
