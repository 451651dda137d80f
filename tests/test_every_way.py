"""What must not be lost on the way from one format to another."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import kerasplm as plm
from kerasplm import demo
from kerasplm.errors import CheckpointError, ConfigError, FamilyError, VocabError
from kerasplm.tensor_files import open_tensors
from tests.golden import COMPACT, HERE
from tests.test_convert import run

MIXED = "今\u0378天 ABC，ok\ue000"


def ids(folder, **options):
    return plm.load_tokenizer(folder, in_graph=False, **options)([MIXED])["token_ids"]


@pytest.mark.parametrize("to", ["tf1", "huggingface", "keras"])
@pytest.mark.parametrize("case", ["electra_zh", "nezha_gen"])
@pytest.mark.filterwarnings("ignore:.*rows have no token")
def test_rules_of_the_tokenizer(case, to, tmp_path):
    """Control characters are dropped as the original drops them."""
    if (case, to) == ("nezha_gen", "huggingface"):
        with pytest.raises(FamilyError, match="cannot be written"):
            run("convert", COMPACT / case, tmp_path / "out", "--to", to)
        return
    run("convert", COMPACT / case, tmp_path / "out", "--to", to)
    np.testing.assert_array_equal(ids(tmp_path / "out"), ids(COMPACT / case))


def test_both_networks_of_an_electra(tmp_path):
    case = COMPACT / "electra_zh"
    run("convert", case, tmp_path / "hf", "--to=huggingface")
    assert "max |Δ| 0" in run("verify", case, tmp_path / "hf")
    run("convert", tmp_path / "hf", tmp_path / "tf1")
    assert "max |Δ| 0" in run("verify", case, tmp_path / "tf1")
    generator = tmp_path / "hf" / "generator"
    assert "electra_generator" in run("inspect", generator, "--part=generator")
    with pytest.raises(FamilyError, match="a generator of an ELECTRA|part='generator'"):
        plm.load(generator)
    assert "max |Δ| 0" in run("verify", generator, generator)
    run("convert", case, tmp_path / "keras", "--to=keras")
    assert plm.load(tmp_path / "keras").family == "electra"
    run("convert", tmp_path / "keras", tmp_path / "again")
    assert plm.load(tmp_path / "again", heads="pretraining").heads["rtd"]


@pytest.fixture
def both(tmp_path):
    """A BERT with pre-training heads and a classifier in one folder."""
    folder = tmp_path / "both"
    shutil.copytree(HERE / "huggingface" / "bert", folder)
    other = load_file(HERE / "huggingface" / "bert_classifier" / "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    tensors |= {k: v for k, v in other.items() if k.startswith("classifier.")}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("heads", ["pretraining", "task"])
def test_two_kinds_of_heads(both, heads, tmp_path):
    """TF1 takes all; where one network fits, one is chosen and the other is named."""
    run("convert", both, tmp_path / "tf1")
    assert "max |Δ| 0" in run("verify", both, tmp_path / "tf1")
    options = ("--to=huggingface", f"--heads={heads}")
    out = run("convert", both, tmp_path / "hf", *options)
    left = "output_weights" if heads == "pretraining" else "cls/predictions"
    assert f"left out: {left}" in out
    held = plm.load(tmp_path / "hf", heads=heads).load_report.heads
    assert held == (
        ("mlm", "sentence_pair") if heads == "pretraining" else ("classifier",)
    )
    with pytest.raises(ConfigError, match="expected a checkpoint with task"):
        run("convert", demo.MODEL, tmp_path / "x", "--heads=task")


def test_names_of_the_classes(tmp_path):
    model = plm.Classifier(
        plm.load(demo.MODEL), ["坏", "好"], pair=True, dropout=0.3, task="mine"
    )
    plm.save_checkpoint(model, tmp_path / "tf1" / "model.ckpt")
    for to in ("huggingface", "keras", "tf1"):
        run("convert", tmp_path / "tf1", tmp_path / to / "x", "--to", to)
        again = plm.load(tmp_path / to / "x", heads="classification")
        assert again.labels == ("坏", "好")
        assert again.pair
        assert again.dropout.rate == 0.3
    # A folder that others wrote names its classes, too.
    file = tmp_path / "huggingface" / "x" / "config.json"
    data = json.loads(file.read_text())
    del data["kerasplm"]
    file.write_text(json.dumps(data | {"id2label": {"0": "neg", "1": "pos"}}))
    again = plm.load(file.parent, heads="classification", family="bert")
    assert again.labels == ("neg", "pos")


@pytest.mark.parametrize("place", ["huggingface/bert", "bert4keras/bert"])
def test_configuration_alone_says_the_same(place):
    config = plm.load_config(HERE / place, family="bert")
    assert config.hidden_act == plm.load(HERE / place).config.hidden_act == "gelu_erf"


def test_folders_in_folders(tmp_path):
    source = HERE / "huggingface" / "bert"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for name in ("config.json", "model.safetensors"):
            file.write(source / name, f"a/b/{name}")
    plm.load(tmp_path / "x.zip")
    shutil.copytree(source, tmp_path / "two" / "one")
    assert plm.load(tmp_path / "two").count_params()
    shutil.copytree(source, tmp_path / "two" / "other")
    with pytest.raises(CheckpointError, match="found 2: one, other"):
        plm.load(tmp_path / "two")
    with pytest.raises(CheckpointError, match="found ''"):
        plm.load("")


def test_steps_of_two_trainings_are_not_one(tmp_path):
    model = plm.load(demo.MODEL)
    for name in ("model.ckpt-1", "model.ckpt-12"):
        plm.save_checkpoint(model, tmp_path / name)
    assert plm.load(tmp_path).load_report.prefix.endswith("model.ckpt-12")
    plm.save_checkpoint(model, tmp_path / "other.ckpt-99")
    with pytest.raises(CheckpointError, match="expected one checkpoint, found 3"):
        plm.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep_tokens": [True, False, True]}, "expected integers, found True"),
        ({"keep_tokens": 5}, "keep_tokens: expected ids, found 5"),
        ({"compound_tokens": 5}, "compound_tokens: expected"),
    ],
)
def test_rows_that_are_no_ids(options, words):
    with pytest.raises(VocabError, match=words):
        plm.load(demo.MODEL, **options)


def test_rows_as_arrays():
    groups = np.array([[5, 6], [7, 8]])
    model = plm.load(demo.MODEL, keep_tokens=np.arange(20), compound_tokens=groups)
    assert model.config.vocab_size == 22


def test_nothing_is_left_where_a_folder_was_missing(tmp_path):
    with pytest.raises(FamilyError, match="cannot be written"):
        run("convert", COMPACT / "simbert", tmp_path / "a" / "b", "--to=huggingface")
    assert not list(tmp_path.iterdir())


def test_options_with_bad_values(tmp_path):
    for tolerance in ("nan", "-1"):
        with pytest.raises(ConfigError, match="--tolerance must be 0 or more"):
            run("verify", demo.MODEL, demo.MODEL, f"--tolerance={tolerance}")
    with pytest.raises(CheckpointError, match="two models of one kind"):
        run("verify", demo.MODEL, COMPACT / "t5_pegasus")
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(ConfigError, match="max_length must be at least 3"):
        run("convert", demo.MODEL, tmp_path / "x", "--to=litert", "--max-length=0")


def test_odd_files(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": index.name}}))
    with pytest.raises(CheckpointError, match="names of weight files beside it"):
        open_tensors(index)
    folder = shutil.copytree(HERE / "huggingface" / "bert", tmp_path / "m")
    data = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(data | {"model_type": [1]}))
    with pytest.raises(ConfigError, match=r"model_type must be one of.*\[1\]"):
        plm.load(folder)
    torch = pytest.importorskip("torch")
    for value in (torch.ones(2, 2).to_sparse(), torch.ones(2, dtype=torch.complex64)):
        torch.save({"a": value}, tmp_path / "pytorch_model.bin")
        with pytest.raises(CheckpointError, match="expected dense real numbers"):
            open_tensors(tmp_path / "pytorch_model.bin")
