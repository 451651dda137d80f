"""`save_checkpoint`, and the small loaders: tokenizer and configuration."""

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from tests.models import read_all

# -- saving --------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [("bad", "good"), ("a", "b", "c")])
def test_classifier_comes_back_with_labels(folder, labels, tmp_path, tiny_batch):
    model = plm.Classifier(plm.load(folder), labels, pair=True, task="mine")
    plm.save_checkpoint(model, tmp_path / "c" / "model.ckpt")
    again = plm.load(tmp_path / "c", heads="classification")
    assert (again.labels, again.pair, again.task) == (labels, True, "mine")
    np.testing.assert_array_equal(again(tiny_batch), model(tiny_batch))
    names = read_all(tmp_path / "c" / "model.ckpt")
    assert names["output_weights"].shape == (len(labels), 16)


def test_saving_a_model_that_was_not_loaded(tiny_encoder, tmp_path, tiny_config):
    plm.save_checkpoint(tiny_encoder, tmp_path / "x.ckpt")
    assert plm.load(tmp_path).load_report.family == "bert"
    odd = plm.Encoder(tiny_config.replace(ln_type="pre", num_hidden_groups=1))
    plm.save_checkpoint(odd, tmp_path / "y" / "y.ckpt", family="albert")
    gen = plm.Encoder(tiny_config.replace(type_vocab_size=0, pooler="none"))
    with pytest.raises(FamilyError, match="expected one family"):
        plm.save_checkpoint(gen, tmp_path / "z.ckpt")
    with pytest.raises(CheckpointError, match="no names for encoder/group_0_0"):
        plm.save_checkpoint(odd, tmp_path / "z.ckpt", family="bert")
    assert not list(tmp_path.glob("z*"))


def test_nothing_half_written(tiny_encoder, tmp_path, monkeypatch):
    plm.save_checkpoint(tiny_encoder, tmp_path / "x.ckpt")
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}

    def full_disk(**kwargs):
        prefix = kwargs["prefix"]
        with open(prefix + ".data-00000-of-00001", "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.raw_ops, "SaveV2", full_disk)
    with pytest.raises(OSError, match="No space left"):
        plm.save_checkpoint(tiny_encoder, tmp_path / "x.ckpt")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before


def test_two_models_must_agree_on_what_they_share(tmp_path, tiny_config):
    fields = {"pooler": "none", "hidden_act": "gelu_erf", "embedding_size": 8}
    a, b = (plm.Encoder(tiny_config.replace(**fields)) for _ in range(2))
    generator = plm.PretrainedModel(b, ["mlm"])
    report = checkpoint.LoadReport("electra_generator", "", {}, (), (), (), ())
    a.load_report = checkpoint.LoadReport("electra", "", {}, (), (), (), ())
    generator.load_report = report
    with pytest.raises(CheckpointError, match="share this variable"):
        plm.save_checkpoint([a, generator], tmp_path / "e.ckpt")
    b.embeddings.set_weights(a.embeddings.get_weights())
    # The projections are not shared.
    doubled = [w * 2 for w in b.embeddings.projection.get_weights()]
    b.embeddings.projection.set_weights(doubled)
    plm.save_checkpoint([a, generator], tmp_path / "e.ckpt")
    assert sorted(f.name for f in tmp_path.glob("*.json")) == [
        "discriminator_config.json",
        "generator_config.json",
    ]


# -- tokenizer and configuration -----------------------------------------------------


def test_tokenizer_must_fit_the_word_table(folder):
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("多\n余\n")
    with pytest.raises(plm.PLMError, match="62 tokens.*60 rows"):
        plm.load_tokenizer(folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(plm.PLMError, match="no vocabulary"):
        plm.load_tokenizer(folder)


def test_tokenizer_options(folder):
    def lowercase(**kwargs):
        return plm.load_tokenizer(folder, **kwargs).get_config()["lowercase"]

    assert lowercase()
    assert not lowercase(lowercase=False)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert not lowercase()
    python = plm.load_tokenizer(folder / "vocab.txt", in_graph=False)
    assert isinstance(python, plm.PythonTokenizer)
    cased = folder.rename(folder.parent / "cased_L-12")
    (cased / "tokenizer_config.json").unlink()
    assert not plm.load_tokenizer(cased).get_config()["lowercase"]


def test_load_config(folder, tmp_path):
    config = plm.load_config(folder, family="bert", hidden_dropout_prob=0.0)
    assert (config.hidden_size, config.hidden_dropout_prob) == (16, 0.0)
    with pytest.raises(ConfigError, match="Pass family="):
        plm.load_config(folder)
    with pytest.raises(ConfigError, match="found none"):
        plm.load_config(tmp_path)
    plm.save_checkpoint(plm.load(folder), tmp_path / "own" / "x.ckpt")
    assert plm.load_config(tmp_path / "own").hidden_size == 16
