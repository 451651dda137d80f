"""What ONNX files are made of: the large operators, weights of 8 bits."""

import json
import os

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.runtimes import onnx
from tests.golden import COMPACT
from tests.test_runtimes import (
    LARGE,
    in_onnxruntime,
    load,
    onnxruntime,
    operators,
    random_batch,
)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("bert_google", set()),
        ("albert_zh", {"EmbedLayerNormalization"}),
        ("bert_google_relu_types3", {"gelu"}),
        ("nezha", {"Attention", "EmbedLayerNormalization"}),
        ("albert_zh_preln", LARGE | {"gelu"}),
    ],
)
def test_large_operators(name, missing, tmp_path):
    """What onnxruntime has a fast operator for is written with it."""
    model = plm.load(COMPACT / name)
    plm.export_onnx(model, tmp_path / "x.onnx", max_length=20)
    found, layers = operators(tmp_path / "x.onnx"), model.config.num_hidden_layers
    expected = {
        "Attention": layers,
        "LayerNormalization": 2 * layers,
        "gelu": layers,
        "EmbedLayerNormalization": 1,
    }
    found["gelu"] = found["BiasGelu"] + found["FastGelu"]
    for operator, count in expected.items():
        assert found[operator] == (0 if operator in missing else count), operator
    if not missing:  # nothing is left of what they replace
        assert not {"Softmax", "Erf", "ReduceMean", "GlobalAveragePool"} & found.keys()


def test_norms_stay_as_they_are_written(tmp_path):
    """That onnxruntime does not make slower operators of them when it loads a file."""
    plm.export_onnx(plm.load(COMPACT / "bert_google"), tmp_path / "x.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.log_severity_level = 3  # it warns that the file is for this machine
    onnxruntime.InferenceSession(
        str(tmp_path / "x.onnx"), options, providers=["CPUExecutionProvider"]
    )
    found = operators(tmp_path / "loaded.onnx")
    assert (
        found["LayerNormalization"]
        == operators(tmp_path / "x.onnx")["LayerNormalization"]
    )
    assert found["LayerNormalization"]
    assert not found["SkipLayerNormalization"]


@pytest.mark.parametrize("opset", onnx.OPSETS)
def test_weights_of_8_bits(opset, tmp_path):
    model = load("bert_google").encoder
    plm.export_onnx(model, tmp_path / "full.onnx", max_length=16)
    file = tmp_path / "x.onnx"
    delta = plm.export_onnx(model, file, max_length=16, opset=opset, quantize="int8")
    assert 1e-4 < delta <= 4 * onnx.INT8
    assert file.stat().st_size < 0.5 * (tmp_path / "full.onnx").stat().st_size
    assert json.loads((tmp_path / "x.onnx.json").read_text())["quantize"] == "int8"
    batch = random_batch(model.config, 3, 13)
    found = in_onnxruntime(file, batch)["sequence_output"]
    wrong = np.asarray(model(batch)["sequence_output"]) - found
    assert 1e-4 < np.sqrt((wrong**2).mean()) < 0.05
    assert operators(file)["QAttention"] == model.config.num_hidden_layers
    made = {"full.onnx", "full.onnx.json", "x.onnx", "x.onnx.json"}
    assert set(os.listdir(tmp_path)) == made


def test_tied_decoder_of_8_bits(tmp_path):
    """The table of words is stored as it is looked up and as it is multiplied."""
    import onnx as library

    model = load("bert_google")
    plm.export_onnx(model, tmp_path / "x.onnx", quantize="int8")
    stored = library.load(str(tmp_path / "x.onnx")).graph.initializer
    rows, width = model.encoder.embeddings.word.shape
    large = [
        tensor for tensor in stored if rows in tensor.dims and width in tensor.dims
    ]
    assert sorted(tuple(tensor.dims) for tensor in large) == [
        (width, rows),
        (rows, width),
    ]
    assert all(tensor.data_type != library.TensorProto.FLOAT for tensor in large)
    assert not operators(tmp_path / "x.onnx")["MatMul"]
