"""Files of Keras: bert4keras' HDF5, `.weights.h5` and `.keras`."""

import json
import shutil

import h5py
import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from tests.golden import HERE, HIDDEN, LOGITS

FOLDER = HERE / "bert4keras"


def softmax(x):
    x = np.exp(x - np.max(x, -1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", ["bert", "albert", "electra", "nezha"])
def test_bert4keras(name, tmp_path):
    options = {"hidden_act": "gelu_erf"} if name == "albert" else {}
    model = plm.load(FOLDER / name, heads="pretraining", **options)
    assert model.load_report.family == name
    assert not model.load_report.unused
    io = np.load(FOLDER / name / "io.npz")
    out = model({"token_ids": io["ids"], "segment_ids": io["segments"]})
    if name == "electra":
        pairs = [(out["rtd_logits"], io["output_0"])]
    elif name == "bert":
        pairs = [(softmax(out["sentence_pair_logits"]), io["output_0"])]
        pairs.append((out["mlm_logits"], io["output_1"]))
    else:
        pairs = [(out["mlm_logits"], io["output_0"])]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=LOGITS, rtol=0)
    # And on to the original format.
    plm.save_checkpoint(model, tmp_path / "model.ckpt")
    again = plm.load(tmp_path, heads="pretraining")
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_bert4keras_classifier():
    model = plm.load(FOLDER / "classifier", heads="classification")
    io = np.load(FOLDER / "classifier" / "io.npz")
    out = model({"token_ids": io["ids"], "segment_ids": io["segments"]})
    np.testing.assert_allclose(out, io["output_0"], atol=LOGITS, rtol=0)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER / "bert", tmp_path / "model")


def test_other_layers_are_listed(folder):
    with h5py.File(folder / "model.h5", "a") as file:
        group = file.create_group("crf")
        group.create_dataset("crf/trans:0", data=np.zeros((3, 3)))
        group.attrs["weight_names"] = [b"crf/trans:0"]
    (folder / "model.h5").rename(folder / "best_model.weights")
    model = plm.load(folder)
    assert "layers//crf/crf/trans:0" in model.load_report.unused


def edit(path, change):
    with h5py.File(path, "a") as file:
        change(file)


def external_link(file):
    del file["Pooler-Dense"]
    file["Pooler-Dense"] = h5py.ExternalLink("/etc/passwd", "/")


def external_data(file):
    group = file["Pooler-Dense/Pooler-Dense"]
    del group["bias:0"]
    group.create_dataset("bias:0", (8,), "f4", external=[("/etc/passwd", 0, 32)])


def missing(file):
    del file["MLM-Norm/MLM-Norm/beta:0"]


def fewer(file):
    names = file["MLM-Norm"].attrs["weight_names"]
    file["MLM-Norm"].attrs["weight_names"] = names[:1]


def foreign(file):
    del file["Embedding-Token"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external_link, "Pooler-Dense is missing or a link"),
        (external_data, "Pooler-Dense/bias:0 lies in another file"),
        (missing, "beta:0 is missing or a link"),
        (fewer, "MLM-Norm: expected 2 weights, found 1"),
        (foreign, "expected layers of bert4keras, such as Embedding-Token"),
    ],
)
def test_hostile_and_broken_files(folder, change, words):
    edit(folder / "model.h5", change)
    with pytest.raises(CheckpointError, match=words):
        plm.load(folder)


def test_truncated(folder):
    file = folder / "model.h5"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"model\.h5: no HDF5 weights"):
        plm.load(folder)


BATCH = {"token_ids": np.array([[2, 7, 9, 3]])}


@pytest.fixture(params=["encoder", "pretraining", "classification"])
def model(request, tiny_config):
    encoder = plm.Encoder(tiny_config, family="bert")
    if request.param == "encoder":
        return encoder
    if request.param == "pretraining":
        return plm.PretrainedModel(encoder, ["mlm", "sentence_pair"])
    return plm.Classifier(encoder, ["好", "坏"], pair=True)


def heads_of(model):
    kinds = {plm.PretrainedModel: "pretraining", plm.Classifier: "classification"}
    return kinds.get(type(model))


def assert_same(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_keras_archive(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = plm.load(tmp_path / "model.keras", heads=heads_of(model))
    assert_same(again, model)
    assert again.load_report.family == "bert"
    bare = plm.load(tmp_path, hidden_dropout_prob=0.5)  # a folder with that file
    assert isinstance(bare, plm.Encoder)
    assert bare.config.hidden_dropout_prob == 0.5
    encoder = getattr(model, "encoder", model)
    assert_same(bare, encoder)
    other = "classification" if heads_of(model) == "pretraining" else "pretraining"
    with pytest.raises(CheckpointError, match=f"no head for {other}"):
        plm.load(tmp_path, heads=other)
    # The family is in the file, so the way back to TF1 is open.
    plm.save_checkpoint(again, tmp_path / "tf1" / "model.ckpt")
    assert_same(plm.load(tmp_path / "tf1", heads=heads_of(model)), model)


def test_weights_file(model, tmp_path):
    plm.save_checkpoint(model, tmp_path / "tf1" / "model.ckpt")
    (tmp_path / "new").mkdir()
    shutil.copy(tmp_path / "tf1" / "bert_config.json", tmp_path / "new")
    model.save_weights(tmp_path / "new" / "model.weights.h5")
    again = plm.load(tmp_path / "new", heads=heads_of(model))
    assert_same(again, model)
    if isinstance(model, plm.Classifier):
        assert (again.labels, again.pair) == (model.labels, model.pair)
    with pytest.raises(CheckpointError, match="does not fit the model"):
        plm.load(tmp_path / "new", num_hidden_layers=5)
    (tmp_path / "new" / "bert_config.json").unlink()
    with pytest.raises(ConfigError, match="holds no configuration.*found none"):
        plm.load(tmp_path / "new")


def test_keras_archive_with_code(tmp_path):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    network.save(tmp_path / "model.keras")
    with pytest.raises(CheckpointError, match=r"model\.keras: no model that Keras"):
        plm.load(tmp_path)


def test_other_keras_model(tmp_path):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    network.save(tmp_path / "model.keras")
    with pytest.raises(CheckpointError, match="expected an Encoder.*found Sequential"):
        plm.load(tmp_path)


def test_damaged_archive(tmp_path, tiny_config):
    plm.Encoder(tiny_config).save(tmp_path / "model.keras")
    data = (tmp_path / "model.keras").read_bytes()
    (tmp_path / "model.keras").write_bytes(data[:-300])
    with pytest.raises(CheckpointError, match=r"model\.keras: no model that Keras"):
        plm.load(tmp_path)


def test_changes_that_do_not_fit(tmp_path, tiny_config):
    plm.Encoder(tiny_config).save(tmp_path / "model.keras")
    with pytest.raises(
        ConfigError, match="do not fit a network with num_hidden_layers"
    ):
        plm.load(tmp_path, num_hidden_layers=5)
    for option in ({"skip": ("pooler/.*",)}, {"keep_tokens": [0, 1]}):
        with pytest.raises(ConfigError, match="loads whole: without skip"):
            plm.load(tmp_path, **option)
    with pytest.raises(FamilyError, match="expected a generator, found family"):
        plm.load(tmp_path, part="generator")


def test_hint_of_the_configuration(folder):
    """The JSON tells the activation; bert4keras' "gelu" is the erf form."""
    assert plm.load(folder).config.hidden_act == "gelu_erf"
    data = json.loads((folder / "bert_config.json").read_text())
    (folder / "bert_config.json").write_text(json.dumps(data | {"hidden_act": "relu"}))
    assert plm.load(folder).config.hidden_act == "relu"
    assert HIDDEN < LOGITS
