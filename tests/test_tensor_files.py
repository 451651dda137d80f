"""PyTorch's files and sharded weights: what they give, and what is refused."""

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import kerasplm as plm
from kerasplm.errors import CheckpointError
from kerasplm.tensor_files import open_tensors
from tests.golden import HERE

BERT = HERE / "huggingface" / "bert"


@pytest.fixture
def tensors():
    return load_file(BERT / "model.safetensors")


@pytest.fixture
def folder(tmp_path):
    """The configuration without weights."""
    target = tmp_path / "model"
    target.mkdir()
    shutil.copy(BERT / "config.json", target)
    return target


def save_torch(tensors, path, old=False):
    torch = pytest.importorskip("torch")
    found = {name: torch.tensor(value) for name, value in tensors.items()}
    torch.save(found, path, _use_new_zipfile_serialization=not old)


def assert_bert(x):
    mine = plm.load(x, heads="pretraining").get_weights()
    theirs = plm.load(BERT, heads="pretraining").get_weights()
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("old", [True, False])
def test_both_formats_of_torch(folder, tensors, old):
    file = folder / "pytorch_model.bin"
    save_torch(tensors, file, old)
    assert zipfile.is_zipfile(file) is not old
    assert_bert(folder)
    assert_bert(file)


def test_half_precision(folder, tensors):
    torch = pytest.importorskip("torch")
    found = {k: torch.tensor(v).to(torch.bfloat16) for k, v in tensors.items()}
    torch.save(found, folder / "pytorch_model.bin")
    ours = plm.load(folder).embeddings.word
    theirs = found["bert.embeddings.word_embeddings.weight"].float().numpy()
    np.testing.assert_array_equal(ours, theirs)


def test_safetensors_come_first(folder, tensors):
    save_file(tensors, folder / "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"damaged")
    assert_bert(folder)


class Code:
    def __reduce__(self):
        return (open, ("executed", "w"))


@pytest.mark.parametrize("kind", ["pickle", "zip", "text", "empty"])
def test_code_and_damage(folder, tensors, kind, monkeypatch, tmp_path):
    """A pickle with code is not executed, in either format."""
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    file = folder / "pytorch_model.bin"
    if kind == "pickle":
        file.write_bytes(pickle.dumps({"a": Code()}))
    elif kind == "zip":
        torch.save({"a": Code()}, file)
    else:
        file.write_bytes(b"not weights" if kind == "text" else b"")
    with pytest.raises(CheckpointError, match="pytorch_model.bin: .*not executed"):
        plm.load(folder)
    assert not (tmp_path / "executed").exists()


def test_truncated(folder, tensors):
    file = folder / "pytorch_model.bin"
    save_torch(tensors, file)
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: expected a file"):
        plm.load(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [([1, 2], "dictionary of tensors, found list"), ({"epoch": 3}, "found int under")],
)
def test_other_contents(folder, content, words):
    torch = pytest.importorskip("torch")
    torch.save(content, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=words):
        plm.load(folder)


def test_without_torch(folder, monkeypatch):
    (folder / "pytorch_model.bin").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(CheckpointError, match=r"pip install 'kerasplm\[torch\]'"):
        plm.load(folder)


def shard(folder, tensors, **changes):
    """Write two files and their index."""
    names = sorted(tensors)
    places = {}
    for n, part in enumerate((names[:9], names[9:]), 1):
        file = f"model-0000{n}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        places |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 1}, "weight_map": places | changes}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    return path


def test_shards(folder, tensors):
    index = shard(folder, tensors)
    assert_bert(folder)
    assert_bert(index)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("../model.safetensors", "names of weight files beside it, found '../model"),
        ("/etc/passwd", "names of weight files beside it"),
        ("config.json", "names of weight files beside it"),
        ("model-3.safetensors", "names model-3.safetensors, which is not there"),
        (3, "'weight_map' from tensors to files"),
        ("model-00001-of-00002.safetensors", "cls.predictions.bias in model-00001"),
    ],
)
def test_broken_index(folder, tensors, file, words):
    index = shard(folder, tensors, **{"cls.predictions.bias": file})
    with pytest.raises(CheckpointError, match=words):
        open_tensors(index)
