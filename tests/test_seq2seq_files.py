"""The encoder-decoder: checkpoints, configurations, commands, Hugging Face."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import kerasplm as plm
from checkpoints_convert import convert, inspect_checkpoint, verify
from kerasplm import checkpoint, inspection
from kerasplm.errors import CheckpointError, ConfigError, FamilyError
from kerasplm.huggingface_t5 import tf1_name
from tests.golden import COMPACT
from tests.models import seq2seq_batch as make_batch
from tests.models import tiny_seq2seq

CONFIG = tiny_seq2seq().config
FOLDER = COMPACT / "t5_pegasus"


@pytest.fixture
def model():
    return tiny_seq2seq()


def folder_with(tmp_path, config=None, **changes):
    """Return a copy of the golden folder with another configuration."""
    folder = tmp_path / "t5_pegasus"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.npz", "meta*"))
    data = json.loads((FOLDER / "config.json").read_text()) | changes
    if config is not None:
        data = config
    file = folder / "config.json"
    file.unlink()
    file.write_text(json.dumps(data))
    return folder


def test_new_model_is_saved_and_loaded(model, tmp_path):
    plm.save_checkpoint(model, tmp_path / "model.ckpt", family="t5_pegasus")
    data = json.loads((tmp_path / "config.json").read_text())
    assert data["hidden_act"] == ["gelu", "linear"]
    assert data["num_decoder_layers"] == 3
    again = plm.load(tmp_path)
    assert again.config == CONFIG
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_family_is_found_from_the_facts(model, tmp_path):
    plm.save_checkpoint(model, tmp_path / "a" / "model.ckpt")
    assert plm.load(tmp_path / "a").load_report.family == "t5_pegasus"
    fields = {"cross_position_bias": False, "scale_output": False}
    other = plm.Seq2Seq(CONFIG.replace(**fields, hidden_act="gelu_tanh"))
    plm.save_checkpoint(other, tmp_path / "b" / "model.ckpt")
    assert plm.load(tmp_path / "b").load_report.family == "mt5"
    assert plm.load(tmp_path / "b").config == other.config


def test_sizes_come_from_the_shapes(tmp_path):
    folder = folder_with(tmp_path, {"hidden_act": ["gelu", "linear"]})
    model = plm.load(folder)
    assert model.config == plm.load(FOLDER).config
    assert not model.load_report.assumed
    (folder / "config.json").unlink()
    with pytest.warns(UserWarning, match="no configuration gives hidden_act=gelu_erf"):
        assert plm.load(folder).config == model.config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attention_head_size": 16}, "attention_head_size is 16 but .* say 24"),
        ({"num_hidden_layers": 3}, "num_hidden_layers is 3 but the weights say 2"),
        ({"relative_attention_num_buckets": 8}, "relative_buckets is 8 but .* 32"),
        ({"hidden_act": ["gelu", "relu"]}, "hidden_act must be a name, or a list of"),
        ({"hidden_act": []}, "hidden_act must be a name, or a list of a name"),
        ({"hidden_dropout_prob": 2}, "config.json: hidden_dropout_prob must be"),
    ],
)
def test_config_that_contradicts(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words) as error:
        plm.load(folder_with(tmp_path, **changes))
    assert "config.json" in str(error.value)


def test_no_heads():
    words = "heads must be None, 'pretraining', 'task' or 'generation' for T5"
    with pytest.raises(ConfigError, match=words):
        plm.load(FOLDER, heads="classification")
    with pytest.raises(ConfigError, match="Received: 'x'"):
        plm.load(FOLDER, heads="x")
    with pytest.raises(ConfigError, match="T5-PEGASUS .*attention: no such Seq2Seq"):
        plm.load(FOLDER, attention="bidirectional")


def test_load_checkpoint_into_a_model():
    config = plm.load(FOLDER).config
    model = plm.Seq2Seq(config)
    before = model.output_layer.kernel.numpy()
    report = plm.load_checkpoint(model, FOLDER, skip=("output/kernel",))
    assert report.skipped == ("seq2seq/output/kernel",)
    np.testing.assert_array_equal(model.output_layer.kernel, before)
    wider = plm.Seq2Seq(config.replace(intermediate_size=65))
    with pytest.raises(
        CheckpointError, match=r"wrong shape: .*wi_0/kernel is \[48, 64"
    ):
        plm.load_checkpoint(wider, FOLDER)
    higher = plm.Seq2Seq(config.replace(num_decoder_layers=3))
    with pytest.raises(CheckpointError, match=r"missing: .*decoder/block_002/layer_0"):
        plm.load_checkpoint(higher, FOLDER)
    lower = plm.Seq2Seq(config.replace(num_decoder_layers=1))
    with pytest.raises(CheckpointError, match=r"unexpected: .*decoder/block_001/"):
        plm.load_checkpoint(lower, FOLDER)
    with pytest.raises(FamilyError, match="no known family|does not fit|'bert'"):
        plm.load_checkpoint(model, COMPACT / "bert_google", family="t5_pegasus")


def test_config_alone():
    config = plm.load_config(FOLDER / "config.json", family="t5_pegasus")
    assert config == plm.load(FOLDER).config
    assert plm.load_config(FOLDER, family="mt5").hidden_act == "gelu_tanh"


def test_inspection():
    found = inspection.inspect(FOLDER)
    assert found.match.family.name == "t5_pegasus"
    assert found.config == plm.load(FOLDER).config
    assert inspection.heads_in(FOLDER) == ()


def test_scripts(tmp_path, capsys):
    folder, out = folder_with(tmp_path), tmp_path / "out"
    convert.main(str(folder), str(out))
    verify.main(str(folder), str(out))
    inspect_checkpoint.main(str(out))
    text = capsys.readouterr().out
    for words in ("written as tf1", "max |Δ| 0", "EncDecAttention/q"):
        assert words in text


def test_what_is_for_encoders_only(model, tmp_path):
    with pytest.raises(FamilyError, match="'t5_pegasus' cannot be written for"):
        plm.save_huggingface(plm.load(FOLDER), tmp_path)
    with pytest.raises(ConfigError, match="expected .* Encoder.* Received: Seq2Seq"):
        plm.export(model, plm.Tokenizer(FOLDER / "vocab.txt"), tmp_path / "x")
    with pytest.raises(ConfigError, match="expected an Encoder .* Received: Seq2Seq"):
        plm.TASKS["tnews"].model(model)
    assert not list(tmp_path.iterdir())


# --- Hugging Face ------------------------------------------------------------


def hf_name(name):
    """Return the name at Hugging Face, written down apart from the rules."""
    if name in ("shared/embedding", "decoder/logits/kernel"):
        return {"s": "shared.weight", "d": "lm_head.weight"}[name[0]]
    parts = name.removesuffix("/kernel").removesuffix("/scale").split("/")
    if len(parts) == 2:
        return f"{parts[0]}.final_layer_norm.weight"
    stack, block, layer, *rest = parts
    place = f"{stack}.block.{int(block[6:])}.layer.{int(layer[6:])}"
    rest = ["layer_norm"] if rest == ["rms_norm"] else rest
    return ".".join([place, *rest, "weight"])


@pytest.fixture
def hugging(model, tmp_path):
    """A folder as transformers writes it, and the model that it holds."""
    tensors = {}
    for name, value in checkpoint.collect([model], [plm.FAMILIES["mt5"]]).items():
        turned = value if name == "shared/embedding" else value.T
        tensors[hf_name(name)] = np.ascontiguousarray(turned)
    tensors["encoder.embed_tokens.weight"] = tensors["shared.weight"].copy()
    tensors["decoder.embed_tokens.weight"] = tensors["shared.weight"].copy()
    folder = tmp_path / "t5-pegasus-port"
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    data = {
        "model_type": "mt5",
        "vocab_size": 40,
        "d_model": 16,
        "num_layers": 2,
        "num_decoder_layers": 3,
        "num_heads": 3,
        "d_kv": 8,
        "d_ff": 24,
        "dropout_rate": 0.2,
        "layer_norm_epsilon": 1e-6,
        "initializer_factor": 1.0,
        "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(data))
    return folder


def test_hugging_face_port(hugging, model):
    port = plm.load(hugging)
    assert port.load_report.family == "t5_pegasus"
    assert not port.load_report.unused
    fields = {"initializer_range": None, "hidden_dropout_prob": 0.2}
    assert port.config == CONFIG.replace(**fields)
    ours, theirs = port(make_batch())["logits"], model(make_batch())["logits"]
    np.testing.assert_array_equal(ours, theirs)
    as_there = plm.load(hugging, family="mt5").config
    assert as_there.hidden_act == "gelu_tanh"
    assert not as_there.cross_position_bias
    assert not as_there.scale_output


def test_hugging_face_names():
    family = plm.FAMILIES["t5_pegasus"]
    for template in family.weights:
        name = family.theirs(template.replace("{i}", "11"))[0]
        assert tf1_name(hf_name(name)) == (name, name != "shared/embedding")


def test_hugging_face_copies(hugging):
    file = hugging / "model.safetensors"
    tensors = load_file(file)
    old = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    save_file(tensors | {old: np.zeros((32, 3), "float32")}, file)
    assert not plm.load(hugging).load_report.unused
    tensors["decoder.embed_tokens.weight"] += 1
    save_file(tensors, file)
    with pytest.raises(CheckpointError, match="decoder.embed_tokens.weight differs"):
        plm.load(hugging)
    del tensors["decoder.embed_tokens.weight"], tensors["lm_head.weight"]
    save_file(tensors, file)
    with pytest.raises(FamilyError, match="no variables decoder/logits/kernel"):
        plm.load(hugging)


def test_hugging_face_config(hugging):
    data = json.loads((hugging / "config.json").read_text())
    for changes, words in (
        ({"feed_forward_proj": "relu"}, "feed_forward_proj must be 'gated-gelu'"),
        ({"d_ff": 25}, "intermediate_size is 25 but the weights say 24"),
        ({"model_type": "bart"}, "model_type must be one of .*t5"),
    ):
        (hugging / "config.json").write_text(json.dumps(data | changes))
        with pytest.raises(ConfigError, match=words):
            plm.load(hugging)
