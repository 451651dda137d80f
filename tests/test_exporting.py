"""The SavedModel answers strings, elsewhere, with the numbers of the live model."""

import os

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import ConfigError, VocabError
from tests.server import serve


def test_exported_classifier_equals_the_live_one(done, place):
    tokenizer = plm.load_tokenizer(place / "model")
    batches = [["这店很好", "太臭"], ["书" * 50], ["慢", "房间净", "，", ""]]
    outs = serve(place / "out" / "saved_model", *({"text": b} for b in batches))
    for texts, out in zip(batches, outs, strict=True):
        logits = done.model(tokenizer(texts, max_length=24))
        expected = tf.nn.softmax(logits).numpy()
        np.testing.assert_allclose(out["probabilities"], expected, atol=1e-6)
        assert out["label"] == [done.model.labels[n] for n in expected.argmax(-1)]
    labels = place / "out" / "saved_model" / "assets.extra" / "labels.txt"
    assert labels.read_text() == "0\n1\n"


def test_exported_pairs_and_encoder(place, tmp_path):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    model = plm.TASKS["lcqmc"].model(encoder)
    plm.export(model, tokenizer, tmp_path / "pairs", max_length=10)
    a, b = ["这家店", "人" * 30], ["面条很好", "房" * 5]
    out = serve(tmp_path / "pairs", {"text": a, "text_pair": b})[0]
    expected = tf.nn.softmax(model(tokenizer(a, b, max_length=10)))
    np.testing.assert_allclose(out["probabilities"], expected, atol=1e-6)

    plm.export(encoder, tokenizer, tmp_path / "vectors")
    out = serve(tmp_path / "vectors", {"text": a})[0]
    batch = tokenizer(a, max_length=24)
    real = np.array(batch["padding_mask"])
    assert not real.all()
    np.testing.assert_array_equal(out["padding_mask"], real)
    expected = encoder(batch)
    np.testing.assert_allclose(
        out["pooled_output"], expected["pooled_output"], atol=1e-5
    )
    found, states = np.array(out["sequence_output"]), expected["sequence_output"]
    np.testing.assert_allclose(found[real], states[real], atol=1e-5)
    assert not found[~real].any()


def test_export_refuses(place, tmp_path, tiny_config):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    python = plm.load_tokenizer(place / "model", in_graph=False)
    with pytest.raises(ConfigError, match="in-graph Tokenizer.*PythonTokenizer"):
        plm.export(encoder, python, tmp_path / "a")
    small = plm.Encoder(tiny_config.replace(vocab_size=9))
    with pytest.raises(VocabError, match="tokens, but the .* of the model has 9 rows"):
        plm.export(small, tokenizer, tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="is not a SavedModel; left alone"):
        plm.export(encoder, tokenizer, tmp_path / "full")
    plm.export(encoder, tokenizer, tmp_path / "twice")
    plm.export(encoder, tokenizer, tmp_path / "twice")
    assert sorted(os.listdir(tmp_path)) == ["full", "twice"]


def test_failed_export_leaves_the_old_one(place, tmp_path, monkeypatch):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    plm.export(encoder, tokenizer, tmp_path / "x")

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space"):
        plm.export(encoder, tokenizer, tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x" / "saved_model.pb").is_file()


def test_export_of_a_regression(place, tmp_path):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    model = plm.Classifier(encoder, ["score"])
    plm.export(model, tokenizer, tmp_path / "x")
    out = serve(tmp_path / "x", {"text": ["好", "坏坏"]})[0]
    expected = model(tokenizer(["好", "坏坏"]))[:, 0]
    np.testing.assert_allclose(out["value"], expected, atol=1e-6)


@pytest.mark.parametrize("length", [2, 25])
def test_export_refuses_lengths(place, tmp_path, length):
    encoder = plm.load(place / "model")
    tokenizer = plm.load_tokenizer(place / "model")
    with pytest.raises(ConfigError, match="max_length"):
        plm.export(encoder, tokenizer, tmp_path / "x", max_length=length)
    assert not (tmp_path / "x").exists()
