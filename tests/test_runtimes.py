"""Exports run in onnxruntime and LiteRT with the numbers of the Keras model."""

import collections
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import ConfigError, ExportError, VocabError
from kerasplm.runtimes import common, litert, onnx
from kerasplm.runtimes.checking import STARTS
from tests.golden import COMPACT, HIDDEN, LOGITS

NEEDED = "the packages of kerasplm[export] are not installed"
onnxruntime = pytest.importorskip("onnxruntime", reason=NEEDED)
interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason=NEEDED)
pytest.importorskip("tf2onnx", reason=NEEDED)

# One folder for every kind of network.
NETWORKS = [
    ("bert_google", {}),
    ("bert_google", {"attention": "causal"}),
    ("bert_google", {"attention": "unilm"}),
    ("bert_google_relu_types3", {}),
    ("albert_google_groups2_inner2", {}),
    ("albert_zh", {}),
    ("albert_zh_preln", {}),
    ("albert_zh_google_fast", {}),
    ("electra_small", {}),
    ("electra_zh", {}),
    ("nezha", {}),
    ("nezha_gen", {}),
    ("zhuiyi_roberta_plus", {}),
    ("zhuiyi_roberta_tiny", {}),
]
networks = pytest.mark.parametrize(
    ("name", "options"),
    NETWORKS,
    ids=["-".join((name, *options.values())) for name, options in NETWORKS],
)
EXPORTS = [(plm.export_onnx, "x.onnx"), (plm.export_litert, "x.tflite")]
formats = pytest.mark.parametrize(("export", "name"), EXPORTS, ids=["onnx", "litert"])


def load(name, **options):
    return plm.load(COMPACT / name, heads="pretraining", **options)


def as_inputs(batch):
    return {name: np.asarray(batch[name]).astype("int32") for name in common.INPUTS}


def random_batch(config, rows, length, seed=3):
    rng = np.random.default_rng(seed)
    return common._inputs(config, rng, rows, length)


def in_onnxruntime(file, batch):
    session = onnxruntime.InferenceSession(
        str(file), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, batch), strict=True))


def in_litert(file, batch):
    loaded = interpreter.Interpreter(model_path=str(file))
    return loaded.get_signature_runner("serving_default")(**batch)


def agree(found, expected):
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        tolerance = LOGITS if name.endswith("logits") else HIDDEN
        np.testing.assert_allclose(
            found[name], value, rtol=0, atol=tolerance, err_msg=name
        )


@networks
def test_onnx_of_every_network(name, options, tmp_path):
    model = load(name, **options)
    assert plm.export_onnx(model, tmp_path / "x.onnx", max_length=20) <= LOGITS
    for length in (1, 13, 24):
        batch = random_batch(model.encoder.config, 2, length)
        agree(in_onnxruntime(tmp_path / "x.onnx", batch), model(batch))
    facts = json.loads((tmp_path / "x.onnx.json").read_text())
    assert facts["family"] == model.load_report.family
    assert facts["inputs"]["segment_ids"] == ["batch", "length"]


@networks
def test_litert_of_every_network(name, options, tmp_path):
    model = load(name, **options)
    file = tmp_path / "x.tflite"
    assert plm.export_litert(model, file, max_length=17, batch_size=2) <= LOGITS
    batch = random_batch(model.encoder.config, 2, 17)
    agree(in_litert(file, batch), model(batch))
    # No operator of full TensorFlow, which the runtime does not have.
    loaded = interpreter.Interpreter(model_path=str(file))
    used = {operator["op_name"] for operator in loaded._get_ops_details()}
    assert not [operator for operator in used if operator.startswith("Flex")]


LARGE = {"Attention", "LayerNormalization", "BiasGelu", "FastGelu"}
LARGE |= {"EmbedLayerNormalization"}


def operators(file):
    """Count the operators of a file."""
    import onnx as library

    nodes = library.load(str(file)).graph.node
    return collections.Counter(node.op_type for node in nodes)


@formats
def test_key_size_and_small_embeddings(export, name, tmp_path, tiny_config):
    keras.utils.set_random_seed(1)
    config = tiny_config.replace(
        attention_key_size=6, embedding_size=12, hidden_act="gelu_erf"
    )
    assert export(plm.Encoder(config), tmp_path / name, max_length=20) <= HIDDEN


def test_classifier_with_its_tokenizer(place, done, tmp_path):
    tokenizer = plm.load_tokenizer(place / "model")
    model, folder = done.model, tmp_path / "new"
    plm.export_onnx(model, folder / "x.onnx", tokenizer=tokenizer)
    plm.export_litert(
        model, folder / "x.tflite", tokenizer=tokenizer, max_length=24, batch_size=2
    )
    made = {"vocab.txt", "tokenizer_config.json", "x.onnx", "x.onnx.json"}
    assert set(os.listdir(folder)) == made | {"x.tflite", "x.tflite.json"}

    batch = tokenizer(["这店很好", "太臭"], max_length=24)
    logits = model(batch)
    expected = {"logits": logits, "probabilities": tf.nn.softmax(logits)}
    agree(in_onnxruntime(folder / "x.onnx", as_inputs(batch)), expected)
    gap = 24 - batch["token_ids"].shape[1]
    padded = {k: np.pad(v, ((0, 0), (0, gap))) for k, v in as_inputs(batch).items()}
    agree(in_litert(folder / "x.tflite", padded), expected)

    facts = json.loads((folder / "x.tflite.json").read_text())
    assert facts["labels"] == list(model.labels)
    assert facts["inputs"]["token_ids"] == [2, 24]
    assert facts["tokenizer"]["file"] == "vocab.txt"
    assert facts["tokenizer"]["lowercase"] is True
    again = plm.load_tokenizer(folder / "vocab.txt", in_graph=False)
    np.testing.assert_array_equal(
        again(["这店很好", "太臭"])["token_ids"], batch["token_ids"]
    )


def test_regression_has_a_value(tiny_encoder, tmp_path):
    model = plm.Classifier(tiny_encoder, ["score"])
    plm.export_onnx(model, tmp_path / "x.onnx")
    batch = random_batch(tiny_encoder.config, 3, 9)
    agree(in_onnxruntime(tmp_path / "x.onnx", batch), {"value": model(batch)[:, 0]})


def test_tied_weights_are_stored_once(tmp_path):
    model = load("albert_zh")
    plm.export_onnx(model, tmp_path / "x.onnx")
    import onnx as library

    stored = library.load(str(tmp_path / "x.onnx")).graph.initializer
    names = [tensor.name for tensor in stored if tensor.name.startswith("encoder/")]
    assert "encoder/embeddings/word" in names
    shape = tuple(model.encoder.embeddings.word.shape)
    assert [tuple(t.dims) for t in stored].count(shape) == 1


def test_more_tokens_than_the_file_takes(tiny_encoder, tmp_path):
    plm.export_onnx(tiny_encoder, tmp_path / "x.onnx")
    plm.export_litert(tiny_encoder, tmp_path / "x.tflite", max_length=20)
    batch = random_batch(tiny_encoder.config, 1, 41)
    with pytest.raises(Exception, match=r"(?i)broadcast|invalid_argument|dimension"):
        in_onnxruntime(tmp_path / "x.onnx", batch)
    with pytest.raises(RuntimeError, match=r"41 != 20"):
        in_litert(tmp_path / "x.tflite", batch)


@pytest.mark.parametrize(("quantize", "share"), [("float16", 0.6), ("dynamic", 0.5)])
def test_smaller_weights(quantize, share, tmp_path):
    model = load("bert_google").encoder
    file = tmp_path / "x.tflite"
    plm.export_litert(model, tmp_path / "full.tflite", max_length=16)
    delta = plm.export_litert(model, file, max_length=16, quantize=quantize)
    assert 1e-4 < delta <= 4 * litert.QUANTIZED[quantize]
    assert file.stat().st_size < share * (tmp_path / "full.tflite").stat().st_size
    batch = random_batch(model.config, 1, 16)
    found = in_litert(file, batch)["sequence_output"]
    wrong = np.asarray(model(batch)["sequence_output"]) - found
    assert 1e-4 < np.sqrt((wrong**2).mean()) < 0.05


def test_other_numbers_are_refused(tmp_path, monkeypatch):
    """A converter that writes erf for its complement is found out."""

    def spoiled(graph, node, name, args):
        node.type = "Erf"

    monkeypatch.setattr(onnx, "_erfc", spoiled)
    with pytest.raises(ExportError, match=r"x.onnx: .*_\w+ of .* off the Keras model"):
        plm.export_onnx(load("nezha_gen"), tmp_path / "x.onnx", max_length=20)
    monkeypatch.setattr(onnx, "INT8", 1e-5)
    with pytest.raises(ExportError, match=r"x.onnx: .* off the Keras model"):
        plm.export_onnx(
            load("nezha"), tmp_path / "x.onnx", max_length=20, quantize="int8"
        )
    monkeypatch.setitem(litert.QUANTIZED, "dynamic", 1e-5)
    with pytest.raises(ExportError, match=r"x.tflite: .* off the Keras model"):
        plm.export_litert(
            load("nezha"), tmp_path / "x.tflite", max_length=20, quantize="dynamic"
        )
    assert not os.listdir(tmp_path)


def test_operators_that_the_format_lacks(tmp_path, monkeypatch):
    """What a converter cannot write ends as one error, and leaves nothing."""
    monkeypatch.setattr(onnx, "_erfc", lambda graph, node, name, args: None)
    with pytest.raises(ExportError, match=r"x.onnx: cannot be made: .*Erfc"):
        plm.export_onnx(load("nezha_gen"), tmp_path / "x.onnx", max_length=20)
    assert not os.listdir(tmp_path)


@formats
@pytest.mark.parametrize("missing", ["tf2onnx", "onnxruntime", "ai_edge_litert"])
def test_missing_package(export, name, missing, tiny_encoder, tmp_path, monkeypatch):
    for module in [m for m in sys.modules if m.startswith(f"{missing}.")]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, missing, None)
    if (missing == "ai_edge_litert") != (export is plm.export_litert):
        export(tiny_encoder, tmp_path / name, max_length=20)
        return
    with pytest.raises(ExportError, match=rf"{missing}: pip install 'kerasplm\[export"):
        export(tiny_encoder, tmp_path / name, max_length=20)
    assert not os.listdir(tmp_path)


@formats
def test_places_that_cannot_be_written(export, name, tiny_encoder, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        export(tiny_encoder, tmp_path / "file" / name, max_length=20)
    with pytest.raises(ConfigError, match=r"y.bin: expected .* ends in \."):
        export(tiny_encoder, tmp_path / "y.bin", max_length=20)
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="expected the name of a file"):
        export(tiny_encoder, tmp_path / name, max_length=20)
    assert sorted(os.listdir(tmp_path)) == sorted(["file", name])


@formats
def test_failed_export_leaves_the_old_one(
    export, name, tiny_encoder, tmp_path, monkeypatch
):
    export(tiny_encoder, tmp_path / name, max_length=20)
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    assert sorted(before) == [name, f"{name}.json"]
    monkeypatch.setattr(common, "HIDDEN", 0.0)
    with pytest.raises(ExportError, match="expected at most 0 off"):
        export(plm.Encoder(tiny_encoder.config), tmp_path / name, max_length=20)
    assert before == {f.name: f.read_bytes() for f in tmp_path.iterdir()}


@formats
def test_sizes_that_do_not_fit(
    export, name, place, tiny_encoder, tmp_path, monkeypatch
):
    file = tmp_path / name
    with pytest.raises(ConfigError, match="max_length=41, but the model has 40"):
        export(tiny_encoder, file, max_length=41)
    with pytest.raises(ConfigError, match="max_length must be at least 3"):
        export(tiny_encoder, file, max_length=2)
    small = plm.Encoder(tiny_encoder.config.replace(vocab_size=9))
    tokenizer = plm.load_tokenizer(place / "model")
    with pytest.raises(VocabError, match="word table of the model has 9 rows"):
        export(small, file, tokenizer=tokenizer, max_length=20)
    monkeypatch.setattr(common, "MAX_BYTES", 1000)
    with pytest.raises(ConfigError, match="less than 1000 bytes, the weights are"):
        export(tiny_encoder, file, max_length=20)
    with pytest.raises(ConfigError, match="expected a Classifier.*Sequential"):
        export(keras.Sequential(), file, max_length=20)
    assert not os.listdir(tmp_path)


def test_options_that_do_not_exist(tiny_encoder, tmp_path):
    with pytest.raises(ConfigError, match="opset must be 13 to 18. Received: 12"):
        plm.export_onnx(tiny_encoder, tmp_path / "x.onnx", opset=12)
    with pytest.raises(ConfigError, match="quantize must be none or int8.*'dynamic'"):
        plm.export_onnx(tiny_encoder, tmp_path / "x.onnx", quantize="dynamic")
    with pytest.raises(ConfigError, match="quantize must be none, .*'int4'"):
        plm.export_litert(tiny_encoder, tmp_path / "x.tflite", quantize="int4")
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        plm.export_litert(tiny_encoder, tmp_path / "x.tflite", batch_size=0)
    half = keras.DTypePolicy("mixed_float16")
    model = plm.Classifier(tiny_encoder, ["0", "1"], dtype=half)
    with pytest.raises(ConfigError, match="needs a float32 model.*float16 on"):
        plm.export_onnx(model, tmp_path / "x.onnx")


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("opset", onnx.OPSETS)
def test_oldest_and_newest_operators(opset, fused, tmp_path):
    model = load("nezha_gen", attention="unilm")
    file = tmp_path / "x.onnx"
    plm.export_onnx(model, file, opset=opset, max_length=20, fused=fused)
    assert bool(LARGE & operators(file).keys()) == fused
    batch = random_batch(model.encoder.config, 2, 20)
    agree(in_onnxruntime(tmp_path / "x.onnx", batch), model(batch))


@formats
def test_several_threads_ask_one_file(export, name, tmp_path):
    """What evaluations do: two batches at a time."""
    model = load("nezha_gen")
    file = tmp_path / name
    export(model, file, max_length=20)
    run = STARTS[file.suffix](file)
    batches = [random_batch(model.encoder.config, 1, 20, seed) for seed in range(40)]
    expected = [run(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(pool.map(run, batches), expected, strict=True):
            agree(one, other)


# In its own process: onnxruntime listens to the first session only.
_DENORMAL = """
import sys
import numpy as np
from pathlib import Path
from kerasplm.runtimes.checking import STARTS
file = Path(sys.argv[1])
STARTS[file.suffix](file)
assert np.array([1e-40], "float32") * np.float32(1) > 0
"""


@formats
def test_the_numbers_of_the_caller_stay(export, name, tiny_encoder, tmp_path):
    """A runtime that makes denormal numbers zero must not do so for its caller."""
    export(tiny_encoder, tmp_path / name, max_length=8)
    given = [sys.executable, "-c", _DENORMAL, tmp_path / name]
    done = subprocess.run(given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
