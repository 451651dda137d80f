"""`kerasplm convert`, `inspect` and `verify` in every format."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import kerasplm as plm
from checkpoints_convert import convert
from kerasplm import demo
from kerasplm.cli import app
from kerasplm.errors import ConfigError, FamilyError, PLMError
from tests.golden import COMPACT, HERE, Case, complete

READ_BACK = ("tf1", "huggingface", "model-garden", "keras")


def run(*args):
    """Return what a command prints; its errors are raised."""
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def source():
    return demo.MODEL


@pytest.mark.parametrize("to", READ_BACK)
def test_there_and_back(source, to, tmp_path):
    """Every weight, every output, and the vocabulary."""
    out = run("convert", source, tmp_path / "out", "--to", to)
    assert "verified, max |Δ| 0" in out
    assert "vocab.txt" in out
    assert "max |Δ| 0" in run("verify", source, tmp_path / "out")
    ours = plm.load_tokenizer(tmp_path / "out").get_config()
    theirs = plm.load_tokenizer(source).get_config()
    assert ours["lowercase"] == theirs["lowercase"]
    out = run("inspect", tmp_path / "out")
    for words in ("bert:", "hidden_size", "heads", "620,221", "mlm"):
        assert words in out
    # And from there to the original again.
    run("convert", tmp_path / "out", tmp_path / "tf1")
    assert "max |Δ| 0" in run("verify", source, tmp_path / "tf1")


def test_saved_model(source, tmp_path):
    out = run("convert", source, tmp_path / "out", "--to=savedmodel", "--max-length=16")
    assert "saved_model.pb" in out
    delta = float(out.rsplit(" ", 1)[1])
    assert 0 <= delta <= convert.TOLERANCE


def test_saved_model_of_a_classifier_of_pairs(source, tmp_path, tiny_config):
    encoder = plm.load(source)
    plm.save_checkpoint(
        plm.Classifier(encoder, ["不同", "相同"], pair=True), tmp_path / "c" / "m.ckpt"
    )
    (tmp_path / "c" / "vocab.txt").write_bytes((source / "vocab.txt").read_bytes())
    out = run("convert", tmp_path / "c", tmp_path / "out", "--to=savedmodel")
    assert "labels.txt" in out
    assert float(out.rsplit(" ", 1)[1]) <= convert.TOLERANCE


@pytest.mark.parametrize("to", ["onnx", "litert"])
def test_runtimes(source, to, tmp_path):
    pytest.importorskip("tf2onnx" if to == "onnx" else "ai_edge_litert")
    out = run("convert", source, tmp_path / "out", "--to", to, "--max-length=16")
    ending = {"onnx": "onnx", "litert": "tflite"}[to]
    assert (tmp_path / "out" / f"model.{ending}").stat().st_size > 2_000_000
    assert float(out.rsplit(" ", 1)[1]) <= convert.TOLERANCE
    facts = json.loads((tmp_path / "out" / f"model.{ending}.json").read_text())
    assert facts["max_length"] == 16


def test_electra_has_two_networks(tmp_path):
    case = COMPACT / "electra_zh"
    out = run("convert", case, tmp_path / "tf1")
    assert "verified, max |Δ| 0" in out
    assert "max |Δ| 0" in run("verify", case, tmp_path / "tf1")
    run("convert", case, tmp_path / "hf", "--to=huggingface")
    for part in ("discriminator", "generator"):
        model = plm.load(tmp_path / "hf" / part, heads="pretraining", part=part)
        theirs = plm.load(case, heads="pretraining", part=part)
        for a, b in zip(model.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    run("convert", case, tmp_path / "gen", "--to=keras", "--part=generator")
    assert plm.load(tmp_path / "gen").family == "electra_generator"


@pytest.mark.parametrize("name", ["ft_bert_classifier", "nezha", "t5_pegasus"])
def test_other_models(name, tmp_path):
    source = COMPACT / name
    if name.startswith("ft_"):
        meta = {"init_checkpoint": "../goldens/bert_google/bert_model.ckpt"}
        case = Case(source, meta)
        source = complete(case, tmp_path)
    assert "max |Δ| 0" in run("convert", source, tmp_path / "tf1")
    assert "max |Δ| 0" in run("convert", source, tmp_path / "k", "--to=keras")
    assert "max |Δ| 0" in run("verify", source, tmp_path / "k")


def test_nothing_is_left_behind(source, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="exists; expected a new or an empty folder"):
        run("convert", source, tmp_path / "full")
    with pytest.raises(FamilyError, match="cannot be written for transformers"):
        run("convert", COMPACT / "albert_zh", tmp_path / "out", "--to=huggingface")
    # What reads back with other values is removed again.
    save = plm.save_checkpoint

    def damaged(models, prefix, **options):
        models[0].encoder.pooler.bias.assign_add(
            np.full(models[0].encoder.pooler.bias.shape, 1e-6, "float32")
        )
        save(models, prefix, **options)
        models[0].encoder.pooler.bias.assign_add(
            np.full(models[0].encoder.pooler.bias.shape, 1e-3, "float32")
        )

    monkeypatch.setattr(plm, "save_checkpoint", damaged, raising=False)
    with pytest.raises(PLMError, match="weight encoder/pooler/bias differs"):
        run("convert", source, tmp_path / "out")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["full"]
    assert (tmp_path / "full" / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--quantize=float16"], "--quantize float16 is for --to litert. .* tf1"),
        (["--quantize=int8", "--to=litert"], "--quantize int8 is for --to onnx"),
        (["--check=x", "--to=keras"], "--check is for --to onnx and litert. .* keras"),
        (["--max-length=8"], "--max-length is not for --to tf1"),
    ],
)
def test_options_that_do_not_fit(source, tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        run("convert", source, tmp_path / "out", *options)


def test_saved_model_needs_a_vocabulary(tmp_path):
    folder = HERE / "huggingface" / "bert"
    with pytest.raises(ConfigError, match="expected a vocabulary, found none"):
        run("convert", folder, tmp_path / "out", "--to=savedmodel")
    assert not list(tmp_path.iterdir())


def test_list_and_info():
    out = run("list", "*.huawei")
    assert "nezha-base-wwm-zh.huawei" in out
    assert "bert-base-zh.google" not in out
    out = run("info", "roberta-tiny-zh.zhuiyi")
    for words in ("zhuiyi", "7,499,416", "mlm", "https://open.zhuiyi.ai"):
        assert words in out
    with pytest.raises(PLMError, match="no model is named like 'bart'"):
        run("list", "bart")
    with pytest.raises(PLMError, match="Did you mean bert-base-zh.google"):
        run("info", "bert-base-zh.gogle")
