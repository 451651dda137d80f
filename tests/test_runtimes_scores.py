"""The scores of exported classifiers, beside those of the Keras model."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm.cli import app
from kerasplm.errors import ConfigError, ExportError, PLMError

NEEDED = "the packages of kerasplm[export] are not installed"
pytest.importorskip("onnxruntime", reason=NEEDED)
pytest.importorskip("ai_edge_litert.interpreter", reason=NEEDED)
pytest.importorskip("tf2onnx", reason=NEEDED)


@pytest.fixture(scope="module")
def trained(done, place):
    return place / "out" / "model"


def same(scores, within):
    assert {"accuracy", "loss"} <= set(scores)
    for ours, theirs in scores.values():
        assert theirs == pytest.approx(ours, abs=within)


def test_scores_of_a_file(trained, place, done, tmp_path):
    for file in (tmp_path / "x.onnx", tmp_path / "small.onnx"):
        rounded = "int8" if file.stem == "small" else "none"
        plm.export_onnx(done.model, file, quantize=rounded)
    data = place / "data"
    exact = plm.compare_scores(tmp_path / "x.onnx", trained, data)
    same(exact, 1e-5)
    wanted = plm.evaluate(trained, data).scores
    assert exact["accuracy"][0] == wanted["accuracy"]
    small = plm.compare_scores(tmp_path / "small.onnx", trained, data)
    same(small, 0.1)
    assert small["loss"][0] == pytest.approx(exact["loss"][0], abs=1e-6)
    assert small["loss"][1] != small["loss"][0]


def test_rows_and_tokens_of_fixed_number(trained, place, done, tmp_path):
    """40 rows by 16 at once, cut to 20 tokens for both."""
    file = tmp_path / "x.tflite"
    plm.export_litert(done.model, file, max_length=20, batch_size=3)
    found = plm.compare_scores(file, trained, place / "data" / "dev.tsv", batch_size=16)
    same(found, 1e-5)
    shorter = plm.evaluate(trained, place / "data", max_length=20).scores
    assert found["loss"][0] == pytest.approx(shorter["loss"], abs=1e-6)


def test_convert_checks(trained, place, tmp_path):
    given = ["convert", trained, tmp_path / "out", "--to=onnx", "--quantize=int8"]
    given += ["--heads=task", "--check", place / "data"]
    result = CliRunner().invoke(app, [str(one) for one in given])
    assert result.exception is None, result.output
    line = next(one for one in result.output.split("\n") if "loss" in one)
    assert len([part for part in line.split() if "." in part]) == 2, line
    facts = json.loads((tmp_path / "out" / "model.onnx.json").read_text())
    assert facts["quantize"] == "int8"
    given[2], given[-1] = tmp_path / "other", tmp_path / "none.tsv"
    result = CliRunner().invoke(app, [str(one) for one in given])
    assert isinstance(result.exception, PLMError | OSError)
    assert "none.tsv" in str(result.exception)
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_what_does_not_fit(trained, place, done, tmp_path):
    data, file = place / "data", tmp_path / "x.onnx"
    with pytest.raises(ConfigError, match=r"x.bin: expected .* in .onnx, .tflite"):
        plm.compare_scores(tmp_path / "x.bin", trained, data)
    with pytest.raises(OSError, match=r"x.onnx.json"):
        plm.compare_scores(file, trained, data)
    beside = tmp_path / "x.onnx.json"
    size = '"inputs": {"token_ids": [1, 2]}'
    told = ("[", "[1]", '{"labels": ["1"]}', f'{{"max_length": "9", {size}}}')
    for text in told:
        beside.write_text(text)
        with pytest.raises(ExportError, match=r"x.onnx.json: expected labels, max_"):
            plm.compare_scores(file, trained, data)
    labels = json.dumps(done.model.labels)
    beside.write_text(f'{{"labels": {labels}, "max_length": null, {size}}}')
    for content in (None, b"none"):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ExportError, match=r"x.onnx: cannot be run: "):
            plm.compare_scores(file, trained, data)
    plm.export_onnx(plm.Classifier(done.model.encoder, ["a", "b"]), file)
    with pytest.raises(ConfigError, match=r"x.onnx: expected the labels of .*'a', 'b'"):
        plm.compare_scores(file, trained, data)
    plm.export_onnx(done.model, file)
    shutil.copy(data / "dev.tsv", tmp_path / "test.tsv")
    lines = (data / "dev.tsv").read_text("utf-8").split("\n")[1:]
    texts = ["text_a", *(line.split("\t")[1] for line in lines if line)]
    (tmp_path / "test.tsv").write_text("\n".join(texts) + "\n", "utf-8")
    with pytest.raises(PLMError, match=r"test.tsv"):
        plm.compare_scores(file, trained, tmp_path / "test.tsv")
