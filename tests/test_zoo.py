"""`load` on good and bad files."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.checkpoint import Reader, heads_in, write
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.families import recognise
from kerasplm.inspection import inspect
from tests.golden import COMPACT
from tests.models import FULL, change, read_all, rewrite


def fails(kind, *words, **kwargs):
    folder = kwargs.pop("x")
    with pytest.raises(kind) as error:
        plm.load(folder, **kwargs)
    for word in words:
        assert word in str(error.value), str(error.value)
    assert "\n" not in str(error.value) or "does not fit the model" in str(error.value)


# -- places ------------------------------------------------------------------------


def test_every_way_to_name_a_model(folder, tiny_encoder, tiny_batch, tmp_path):
    expected = tiny_encoder(tiny_batch)["pooled_output"]
    zipped = shutil.make_archive(tmp_path / "a", "zip", tmp_path, "m")
    tarred = shutil.make_archive(tmp_path / "b", "gztar", folder)
    places = [
        folder,
        str(folder),
        folder.parent / "m" / "..",  # one folder below
        folder / "bert_model.ckpt",
        folder / "bert_model.ckpt.index",
        folder / "bert_model.ckpt.data-00000-of-00001",
        zipped,
        tarred,
    ]
    for place in places:
        encoder = plm.load(place)
        np.testing.assert_array_equal(encoder(tiny_batch)["pooled_output"], expected)
        assert plm.load_tokenizer(place).vocab_size == 60
    assert not [f for f in os.listdir(tmp_path) if f.startswith(".tmp")]


def test_report(folder):
    report = plm.load(folder).load_report
    assert report.family == "bert"
    assert report.heads == FULL
    assert len(report.slots) == len(report.loaded) + len(report.unused) + 1
    assert "cls/predictions/output_bias" in report.unused
    assert "39 weights loaded" in str(report)


def test_slots_are_never_read(folder, monkeypatch):
    read = []
    original = Reader.read
    monkeypatch.setattr(
        Reader, "read", lambda self, name: (read.append(name), original(self, name))[1]
    )
    plm.load(folder, heads="pretraining")
    assert read
    assert not [n for n in read if n.endswith("adam_m") or n == "global_step"]
    assert len(read) == len(set(read))


def test_last_step_of_several(folder):
    tensors = read_all(folder / "bert_model.ckpt")
    for file in folder.glob("bert_model.ckpt.*"):
        file.unlink()
    for step in (900, 1000):
        tensors["bert/pooler/dense/bias"][:] = step
        write(folder / f"model.ckpt-{step}", tensors)
    assert plm.load(folder).pooler.bias[0] == 1000
    shutil.copy(folder / "model.ckpt-900.index", folder / "other.index")
    fails(CheckpointError, "expected one checkpoint", "other", x=folder)


def test_names_with_a_colon_and_float64(folder, tiny_batch):
    expected = plm.load(folder)(tiny_batch)["pooled_output"]
    rewrite(folder, lambda t: {f"{n}:0": v.astype("float64") for n, v in t.items()})
    np.testing.assert_array_equal(
        plm.load(folder)(tiny_batch)["pooled_output"], expected
    )


# -- broken files --------------------------------------------------------------------


def test_truncated_data(folder):
    file = folder / "bert_model.ckpt.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:2000])
    fails(CheckpointError, str(folder), "truncated or damaged", "variable", x=folder)


def test_flipped_bytes(folder):
    file = folder / "bert_model.ckpt.data-00000-of-00001"
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = b"\xff" * 64
    file.write_bytes(data)
    fails(CheckpointError, "truncated or damaged", x=folder, heads="pretraining")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint" * 9])
def test_broken_index(folder, content):
    (folder / "bert_model.ckpt.index").write_bytes(content)
    fails(CheckpointError, "bert_model.ckpt.index", x=folder)


def test_missing_files(folder, tmp_path):
    (folder / "bert_model.ckpt.data-00000-of-00001").unlink()
    fails(CheckpointError, "bert_model.ckpt.data-*", "no such file", x=folder)
    (folder / "bert_model.ckpt.index").unlink()
    fails(CheckpointError, str(folder), "*.index", "vocab.txt", x=folder)
    fails(CheckpointError, "nothing there", "nowhere", x=tmp_path / "nowhere")
    fails(CheckpointError, "nothing there", x=folder / "bert_model.ckpt")


def test_prefix_without_index(folder):
    (folder / "bert_model.ckpt.index").unlink()
    prefix = folder / "bert_model.ckpt"
    fails(CheckpointError, "bert_model.ckpt.index: no such file", x=prefix)


# -- configurations ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words", "remedy"),
    [
        ({"vocab_size": 21128}, ("vocab_size is 21128", "60"), {"vocab_size": 60}),
        ({"num_hidden_layers": 12}, ("12", "2"), {"num_hidden_layers": 2}),
        ({"num_hidden_layers": 1}, ("1", "2"), {"num_hidden_layers": 2}),
        ({"hidden_size": 32}, ("hidden_size is 32", "16"), {"hidden_size": 16}),
        ({"intermediate_size": 64}, ("64", "32"), {"intermediate_size": 32}),
        ({"type_vocab_size": 16}, ("16", "2"), {"type_vocab_size": 2}),
        ({"num_attention_heads": 5}, ("divide", "5"), {"num_attention_heads": 4}),
        ({"num_attention_heads": "4"}, ("'4'",), {"num_attention_heads": 4}),
        ({"hidden_act": "geluu"}, ("geluu", "gelu_tanh"), {"hidden_act": "gelu_tanh"}),
    ],
)
def test_wrong_configuration(folder, values, words, remedy, tiny_batch):
    change(folder, values)
    fails(ConfigError, "bert_config.json", *words, x=folder)
    plm.load(folder, **remedy)(tiny_batch)


def test_missing_fields_come_from_the_shapes(folder, tiny_encoder):
    change(folder, {"num_attention_heads": 4, "hidden_act": "relu"}, anew=True)
    config = plm.load(folder).config
    assert config == tiny_encoder.config.replace(hidden_act="relu")


def test_what_shapes_cannot_tell_is_asked_for(folder):
    change(folder, {"num_attention_heads": None})
    words = (
        "bert_config.json",
        "num_attention_heads",
        "load(..., num_attention_heads=",
    )
    fails(ConfigError, *words, x=folder)
    assert plm.load(folder, num_attention_heads=4).config.num_attention_heads == 4


def test_no_configuration(folder):
    (folder / "bert_config.json").unlink()
    words = (str(folder), "num_attention_heads", "no configuration JSON")
    fails(ConfigError, *words, x=folder)
    with pytest.warns(UserWarning, match="hidden_act=gelu_tanh"):
        encoder = plm.load(folder, num_attention_heads=4)
    assert encoder.load_report.assumed == ("hidden_act=gelu_tanh",)


def test_configuration_elsewhere(folder, tmp_path):
    shutil.move(folder / "bert_config.json", tmp_path / "c.json")
    assert plm.load(folder, config=tmp_path / "c.json").config.num_attention_heads == 4
    fails(ConfigError, "no.json: no such file", x=folder, config=tmp_path / "no.json")


def test_two_configurations(folder):
    shutil.copy(folder / "bert_config.json", folder / "bert_config_large.json")
    plm.load(folder)  # equal ones do not matter
    data = json.loads((folder / "bert_config.json").read_text())
    data["num_hidden_layers"] = 24
    (folder / "bert_config_large.json").write_text(json.dumps(data))
    plm.load(folder)  # only one fits
    data |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    (folder / "bert_config_large.json").write_text(json.dumps(data))
    fails(ConfigError, "several configurations fit", "config=PATH", x=folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"hidden_size": 16,\n "x": }', ("line 2", "column")),
        (b"[1, 2]", ("JSON object", "list")),
        (b"", ("line 1",)),
        (b'{"a": "\xff"}', ("UTF-8", "byte 7")),
    ],
)
def test_broken_json(folder, content, words):
    (folder / "bert_config.json").write_bytes(content)
    fails(ConfigError, "bert_config.json", *words, x=folder)


def test_keywords_win_and_typos_do_not_pass(folder):
    encoder = plm.load(folder, attention="unilm", hidden_dropout_prob=0.0)
    assert encoder.config.attention == "unilm"
    assert encoder.config.hidden_dropout_prob == 0.0
    fails(ConfigError, "atention", "no such Config field", x=folder, atention="unilm")
    fails(ConfigError, "attention", "prefix", x=folder, attention="prefix")


# -- families and weights ------------------------------------------------------------


def test_unknown_family(folder):
    rewrite(folder, lambda t: {f"gpt/{n}": v for n, v in t.items()})
    fails(FamilyError, str(folder), "gpt/", "no known family", x=folder)
    fails(FamilyError, "family='gpt' is unknown", x=folder, family="gpt")


def test_declared_family_that_does_not_fit(folder):
    fails(FamilyError, "'nezha'", "position_embeddings", x=folder, family="nezha")


def test_missing_weight_is_an_error_not_random(folder):
    name = "bert/encoder/layer_1/output/dense/kernel"
    rewrite(folder, lambda t: {n: v for n, v in t.items() if not n.startswith(name)})
    fails(CheckpointError, "missing: encoder/layer_1/ffn/outer/kernel", name, x=folder)


def test_missing_pooler_is_reported(folder, tiny_batch):
    rewrite(folder, lambda t: {n: v for n, v in t.items() if "pooler" not in n})
    encoder = plm.load(folder)
    assert encoder.config.pooler == "none"
    assert encoder.load_report.lacks == ("pooler",)
    out = encoder(tiny_batch)
    first = out["sequence_output"][:, 0]
    np.testing.assert_array_equal(out["pooled_output"], first)
    fails(CheckpointError, "missing: encoder/pooler/kernel", x=folder, pooler="tanh")
    fresh = plm.load(folder, pooler="tanh", skip=["pooler/.*"])
    assert fresh.load_report.skipped == ("encoder/pooler/bias", "encoder/pooler/kernel")
    assert np.std(fresh.pooler.kernel) > 0.005  # truly initialised, not zeros


def test_missing_mlm_bias(folder):
    rewrite(folder, lambda t: {n: v for n, v in t.items() if "output_bias" not in n})
    words = ("missing: mlm/bias", "cls/predictions/output_bias")
    fails(CheckpointError, *words, x=folder, heads="pretraining")
    assert plm.load(folder).load_report.heads == FULL


def test_fewer_layers_and_positions(folder, tiny_batch):
    words = ("unexpected: encoder/layer_1/", "layer_1/attention/self")
    fails(CheckpointError, *words, x=folder, num_hidden_layers=1)
    full = plm.load(folder)
    encoder = plm.load(folder, num_hidden_layers=1, skip=["layer_1/.*"])
    states = full(tiny_batch, return_hidden_states=True)["hidden_states"]
    np.testing.assert_array_equal(encoder(tiny_batch)["sequence_output"], states[1])
    short = plm.load(folder, max_position_embeddings=10)
    table = np.asarray(full.embeddings.position)
    np.testing.assert_array_equal(short.embeddings.position, table[:10])
    words = ("wrong shape: encoder/embeddings/position is [50, 16]", "[40, 16]")
    fails(CheckpointError, *words, x=folder, max_position_embeddings=50)


def test_all_problems_are_listed_at_once(folder, tiny_config):
    rewrite(
        folder,
        lambda t: {
            n: v[:, :-1] if n == "bert/pooler/dense/kernel" else v
            for n, v in t.items()
            if n != "bert/pooler/dense/bias"
        },
    )
    words = ("missing: encoder/pooler/bias", "wrong shape: encoder/pooler/kernel")
    fails(CheckpointError, *words, x=folder)


def test_heads(folder):
    words = ("no head for classification", "mlm, sentence_pair")
    fails(CheckpointError, *words, x=folder, heads="classification")
    fails(ConfigError, "heads must be", "'mlm'", x=folder, heads="mlm")
    rewrite(folder, lambda t: {n: v for n, v in t.items() if n.startswith("bert/")})
    words = ("no head for pretraining", "none")
    fails(CheckpointError, *words, x=folder, heads="pretraining")


def test_load_checkpoint_into_a_model(folder, tiny_config, tiny_batch):
    encoder = plm.Encoder(tiny_config)
    report = plm.load_checkpoint(encoder, folder, skip=("pooler/.*",))
    assert report.skipped
    full = plm.load(folder)
    np.testing.assert_array_equal(
        encoder(tiny_batch)["sequence_output"], full(tiny_batch)["sequence_output"]
    )
    small = plm.Encoder(tiny_config.replace(hidden_size=8))
    with pytest.raises(CheckpointError, match="wrong shape: encoder/embeddings/word"):
        plm.load_checkpoint(small, folder)
    with pytest.raises(CheckpointError, match="expected an Encoder"):
        plm.load_checkpoint(tf.keras.Sequential(), folder)


def test_fast_building_gives_the_same_weights_as_slow(folder):
    fast, slow = plm.load(folder), plm.load(folder, skip=["no such weight"])
    for a, b in zip(fast.get_weights(), slow.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # Nothing of the fast way remains.
    assert np.std(plm.Encoder(fast.config).pooler.kernel) > 0.005


def test_folders_above_do_not_decide(folder, tmp_path):
    place = tmp_path / "wobert_files" / "model"
    shutil.copytree(folder, place)
    assert plm.load(place).load_report.family == "bert"


def test_albert_without_configuration_asks_for_the_activation(tmp_path):
    for file in (COMPACT / "albert_google").glob("model.ckpt*"):
        shutil.copy(file, tmp_path)
    fields = {"num_attention_heads": 4, "num_hidden_layers": 3}
    fails(ConfigError, "hidden_act cannot be told", x=tmp_path, **fields)


def test_part_and_family_must_agree():
    fails(
        FamilyError,
        "part='generator' is not in family 'electra'",
        x=COMPACT / "electra_zh",
        family="electra",
        part="generator",
    )
    plm.load(COMPACT / "electra_zh", family="electra_generator", part="generator")


def test_warning_points_to_the_caller(folder):
    change(folder, {"hidden_act": None})
    with pytest.warns(UserWarning, match="hidden_act=gelu_tanh") as caught:
        plm.load(folder)
    assert caught[0].filename == __file__


def test_question_answering_is_no_classifier():
    folder = COMPACT / "electra_zh"
    names = Reader(folder / "electra_180g_small.ckpt").shapes
    head = [f"task_specific/cmrc/{n}" for n in ("dense/kernel", "dense/bias")]
    found = recognise([*names, *head], where="x")
    assert "classifier" in heads_in(found)
    found = recognise([*names, *head, "task_specific/cmrc/dense_1/bias"], where="x")
    assert "classifier" not in heads_in(found)
    assert set(head) <= set(found.other)


@pytest.mark.parametrize(
    "text",
    [
        '{"kerasplm": null}',
        '{"kerasplm": {"family": 5}}',
        '{"hidden_act": ["gelu"]}',
        '{"model_size": []}',
        '{"model_size": "small", "model_hparam_overrides": {"hidden_size": "x"}}',
        '{"hidden_act": "relu", "kerasplm": {"hidden_act": "gelu_tanh"}}',
        "[" * 100_000,
        '{"hidden_size": ' + "9" * 5000 + "}",
    ],
)
def test_odd_json(folder, text):
    (folder / "bert_config.json").write_text(text)
    with pytest.raises(ConfigError):
        plm.load(folder)
    with pytest.raises(ConfigError):
        plm.load_config(folder, family="bert")


def test_skip_is_one_pattern_or_several(folder):
    assert len(plm.load(folder, skip="pooler/.*").load_report.skipped) == 2
    fails(ConfigError, "skip: not a regular expression", x=folder, skip="(")


def test_hidden_files_are_not_the_users(folder):
    for name in ("._bert_model.ckpt.index", "._bert_config.json", "._vocab.txt"):
        (folder / name).write_bytes(b"Mac OS X")
    plm.load(folder)
    plm.load_tokenizer(folder)


def test_width_that_the_weights_do_not_have(folder):
    fails(CheckpointError, "no name in family 'bert'", x=folder, hidden_size=8)


def test_inspect_needs_no_weights(folder):
    full = inspect(folder)
    (folder / "bert_model.ckpt.data-00000-of-00001").unlink()
    assert inspect(folder) == full
    assert full.match.family.name == "bert"
    assert full.config == plm.load_config(folder, family="bert")
    assert full.shapes["bert/pooler/dense/bias"] == (16,)
    fails(
        CheckpointError, "no such file, though bert_model.ckpt.index is there", x=folder
    )
