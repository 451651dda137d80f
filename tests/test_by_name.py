"""Models of the catalogue by their names, from a real server."""

import dataclasses

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import demo
from kerasplm.catalogue import CATALOGUE, Archive, Entry, HuggingFace, Manual
from kerasplm.cli import app
from kerasplm.errors import CheckpointError, DownloadError
from tests.golden import COMPACT
from tests.http_server import Served
from tests.publisher import publishing, zipped
from tests.test_convert import run

NAME = "small-demo-zh.tests"


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASPLM_CACHE", str(tmp_path / "cache"))
    with publishing(monkeypatch) as server:
        server.files.clear()
        yield server


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def publish(monkeypatch, folder, *sources, **changes):
    """Put a row for the model of that folder into the catalogue."""
    model = plm.load(folder, heads="pretraining")
    row = Entry(
        name=NAME,
        title="A model of the tests",
        family=model.encoder.family,
        config=model.encoder.config.to_dict(),
        parameters=model.encoder.count_params(),
        heads=model.load_report.heads,
        vocabulary="google-zh",
        lowercase=True,
        sources=sources,
        files=(),
        size="",
        licence="Apache-2.0",
        paper="",
        learning_rates=(),
    )
    monkeypatch.setitem(CATALOGUE, NAME, dataclasses.replace(row, **changes))
    return model


def same(a, b):
    return all(
        np.array_equal(x, y)
        for x, y in zip(a.get_weights(), b.get_weights(), strict=True)
    )


def test_archive(server, monkeypatch, tmp_path):
    server.files["/demo.zip"] = Served(zipped(files_of(demo.MODEL)))
    source = Archive(url=f"{server.url}/demo.zip")
    model = publish(monkeypatch, demo.MODEL, source)
    assert same(plm.load(NAME, heads="pretraining"), model)
    count = len(server.seen)
    assert count == 1
    tokenizer = plm.load_tokenizer(NAME)
    assert tokenizer.vocab == plm.load_tokenizer(demo.MODEL).vocab
    assert plm.load(NAME, hidden_dropout_prob=0.3).config.hidden_dropout_prob == 0.3
    # The vocabulary may shrink though the row gives its size.
    _, keep = plm.simplify_vocab(tokenizer.vocab)
    assert plm.load(NAME, keep_tokens=keep[:90]).config.vocab_size == 90
    assert "small-demo-zh.tests" in run("list", "small-*")
    assert str(tmp_path / "cache" / NAME) in run("download", NAME)
    assert "mlm" in run("inspect", NAME)
    assert "max |Δ| 0" in run("verify", NAME, demo.MODEL)
    run("convert", NAME, tmp_path / "hf", "--to=huggingface")
    assert len(server.seen) == count


def test_configuration_of_the_row_wins(server, monkeypatch, tmp_path):
    """A conversion says "gelu", which there is erf; the original is tanh."""
    plm.save_huggingface(
        plm.load(demo.MODEL, heads="pretraining", hidden_act="gelu_erf"),
        tmp_path / "hf",
        tokenizer=plm.load_tokenizer(demo.MODEL),
    )
    for name, data in files_of(tmp_path / "hf").items():
        server.files[f"/someone/demo/resolve/main/{name}"] = Served(data)
    publish(monkeypatch, demo.MODEL, HuggingFace(repo="someone/demo"))
    assert plm.load(tmp_path / "hf").config.hidden_act == "gelu_erf"
    assert plm.load(NAME).config.hidden_act == "gelu_tanh"
    assert plm.load_config(NAME) == plm.load(NAME).config


def test_electra_has_a_repository_for_each_network(server, monkeypatch, tmp_path):
    case, sources = COMPACT / "electra_zh", []
    models = {}
    for part in ("discriminator", "generator"):
        models[part] = plm.load(case, heads="pretraining", part=part)
        plm.save_huggingface(models[part], tmp_path / part)
        for name, data in files_of(tmp_path / part).items():
            server.files[f"/x/{part}/resolve/main/{name}"] = Served(data)
        server.files[f"/x/{part}/resolve/main/vocab.txt"] = Served(b"[PAD]\n")
        sources.append(HuggingFace(repo=f"x/{part}", part=part))
    generator = models["generator"].encoder.config.to_dict()
    publish(monkeypatch, case, *sources, generator=generator)
    for part, model in models.items():
        assert same(plm.load(NAME, heads="pretraining", part=part), model)
    assert plm.load(NAME).family == "electra"
    assert run("download", NAME, "--part=generator").strip().endswith("generator")


def test_by_hand(server, monkeypatch, tmp_path):
    source = Manual(url="https://pan.example.org/s/1", host="Example Pan", code="ab12")
    model = publish(monkeypatch, demo.MODEL, source)
    with pytest.raises(DownloadError, match=r"(?s)by hand.*pan\.example\.org.*ab12"):
        plm.load(NAME)
    folder = tmp_path / "cache" / NAME
    folder.mkdir(parents=True)
    for name, data in files_of(demo.MODEL).items():
        (folder / name).write_bytes(data)
    assert same(plm.load(NAME, heads="pretraining"), model)


def test_offline(server, monkeypatch):
    publish(monkeypatch, demo.MODEL, Archive(url=f"{server.url}/demo.zip"))
    monkeypatch.setenv("KERASPLM_OFFLINE", "1")
    with pytest.raises(DownloadError, match="offline mode is on"):
        plm.load(NAME)
    with pytest.raises(DownloadError, match="offline mode is on"):
        run("download", NAME, "--offline")
    assert not server.seen


def test_what_is_on_the_disk_comes_first(server, monkeypatch, tmp_path):
    publish(monkeypatch, demo.MODEL, Archive(url=f"{server.url}/demo.zip"))
    monkeypatch.chdir(tmp_path)
    plm.save_checkpoint(plm.load(demo.MODEL), tmp_path / NAME / "model.ckpt")
    assert plm.load(NAME).count_params()
    assert not server.seen


def test_wrong_weights_are_refused(server, monkeypatch):
    server.files["/demo.zip"] = Served(zipped(files_of(demo.MODEL)))
    source = Archive(url=f"{server.url}/demo.zip")
    config = plm.load(demo.MODEL).config.replace(intermediate_size=64).to_dict()
    publish(monkeypatch, demo.MODEL, source, config=config)
    with pytest.raises(CheckpointError, match="wrong shape: encoder/layer_0/ffn"):
        plm.load(NAME)


def test_unknown_name():
    with pytest.raises(CheckpointError, match=r"catalogue \(such as bert-base-zh"):
        plm.load("bert-base-zh.gogle")
    assert plm.load_config("albert-xlarge-183k-zh.brightmart").ln_type == "post"
    assert app.info.name == "kerasplm"
