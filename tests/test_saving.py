"""`save_checkpoint`, and the small loaders: tokenizer and configuration."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, FamilyError, VocabError
from kerasplm.load_report import LoadReport
from kerasplm.tokenizing import save_tokenizer
from tests.golden import COMPACT
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
    report = LoadReport("electra_generator", "", {}, (), (), (), (), ())
    a.load_report = LoadReport("electra", "", {}, (), (), (), (), ())
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
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="found none"):
        plm.load_config(tmp_path / "empty")
    plm.save_checkpoint(plm.load(folder), tmp_path / "own" / "x.ckpt")
    assert plm.load_config(tmp_path / "own").hidden_size == 16


OTHER_VALUES = {
    "hidden_act": "relu",
    "hidden_dropout_prob": 0.3,
    "attention_probs_dropout_prob": 0.2,
    "initializer_range": 0.01,
    "layer_norm_eps": 1e-6,
    "embedding_size": 12,
    "ln_type": "pre",
    "ffn_groups": 2,
    "attention_key_size": 6,
    "position": "nezha",
    "max_relative_position": 5,
    "attention": "unilm",
    "pooler": "linear",
    "type_vocab_size": 3,
}


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_every_field_comes_back(field, tiny_config, tmp_path, tiny_batch):
    config = tiny_config.replace(**{field: OTHER_VALUES[field]})
    if field == "max_relative_position":
        config = config.replace(position="nezha")
    family = {"embedding_size": "zhuiyi"}.get(field, "bert")
    if config.position == "nezha":
        family = "nezha"
    encoder = plm.Encoder(config)
    plm.save_checkpoint(encoder, tmp_path / "model.ckpt", family=family)
    again = plm.load(tmp_path)
    assert again.config == encoder.config
    for key, value in encoder(tiny_batch).items():
        np.testing.assert_array_equal(again(tiny_batch)[key], value)


def test_attention_that_the_family_does_not_have_comes_back(tmp_path):
    folder = COMPACT / "simbert"
    assert plm.load(folder).config.attention == "unilm"
    encoder = plm.load(folder, attention="bidirectional")
    plm.save_checkpoint(encoder, tmp_path / "model.ckpt")
    assert plm.load(tmp_path).config.attention == "bidirectional"


def test_cased_archives_and_families(folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "cased_L-2"), "zip", folder)
    tokenizer = plm.load_tokenizer(archive)
    assert not tokenizer.get_config()["lowercase"]
    tokenizer = plm.load_tokenizer(COMPACT / "nezha_gen")
    assert not tokenizer.get_config()["lowercase"]


def test_vocabulary_of_words(tmp_path):
    folder = COMPACT / "wobert_tokens"
    golden = json.loads((folder / "tokens.json").read_text("utf-8"))["tokenization"]
    tokenizer = plm.load_tokenizer(folder)
    assert isinstance(tokenizer, plm.PythonTokenizer)
    for row in golden["pre_tokenize_jieba_HMM_False"]:
        ids = tokenizer([row["text"]])["token_ids"][0].tolist()
        assert ids == row["encode"]["token_ids"]
    for place in (folder, folder / "vocab.txt"):
        with pytest.raises(VocabError, match="vocabulary of words.*in_graph=False"):
            plm.load_tokenizer(place, in_graph=True)
    save_tokenizer(tokenizer, tmp_path)
    assert plm.load_tokenizer(tmp_path).vocab == tokenizer.vocab


def test_load_config_from_an_archive(folder, tmp_path, tiny_config):
    archive = shutil.make_archive(str(tmp_path / "model"), "gztar", folder)
    for x in (archive, folder / "bert_model.ckpt", folder / "bert_config.json"):
        assert plm.load_config(x, family="bert").hidden_size == tiny_config.hidden_size


@pytest.mark.parametrize("name", ["out/", "there"])
def test_prefix_that_is_a_folder(tiny_encoder, tmp_path, name):
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="expected a prefix such as"):
        plm.save_checkpoint(tiny_encoder, f"{tmp_path}/{name}")
    assert [f.name for f in tmp_path.rglob("*")] == ["there"]


def test_casing_must_be_a_truth_value(folder):
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": "false"}')
    with pytest.raises(VocabError, match="do_lower_case must be true or false"):
        plm.load_tokenizer(folder)
