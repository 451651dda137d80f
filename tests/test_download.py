"""Whole models: sources, cache, offline, processes."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import cache, remote
from kerasplm.cache import MARKER, cache_folder, is_offline
from kerasplm.errors import DownloadError
from tests.http_server import Served, status
from tests.publisher import (
    BASE,
    FILES,
    WEIGHTS,
    Archive,
    HuggingFace,
    Manual,
    contents,
    getter,
    publishing,
    sha256,
    zipped,
)


@pytest.fixture
def server(monkeypatch):
    with publishing(monkeypatch) as server:
        yield server


@pytest.fixture
def get(server, tmp_path):
    return getter(tmp_path / "c")


def test_repository(get, server, tmp_path):
    folder = get()
    assert folder == tmp_path / "c" / "m"
    assert contents(folder) == FILES
    marker = json.loads((folder / MARKER).read_text())
    assert marker["complete"] is True
    assert marker["files"]["model.safetensors"] == {
        "url": f"{server.url}{BASE}model.safetensors",
        "size": len(WEIGHTS),
        "sha256": sha256(WEIGHTS),
        "version": server.files[BASE + "model.safetensors"].tag,
        "commit": "",
    }
    # Nothing else is left but the locks and the recorded checksums.
    assert not [f for f in (tmp_path / "c" / ".downloads").rglob("*") if f.is_file()]
    count = len(server.seen)
    assert get() == folder
    assert get(part="discriminator", offline=True) == folder
    assert len(server.seen) == count


def test_weights_in_shards_or_of_torch(get, server):
    shards = {f"model-0000{n}-of-00002.safetensors": b"%d" % n for n in (1, 2)}
    index = json.dumps(
        {"weight_map": dict(zip("abc", [*shards, *shards], strict=False))}
    )
    del server.files[BASE + "model.safetensors"]
    for name, data in shards.items():
        server.files[BASE + name] = Served(data)
    server.files[BASE + "model.safetensors.index.json"] = Served(index.encode())
    assert shards.items() <= contents(get()).items()
    del server.files[BASE + "model.safetensors.index.json"]
    server.files[BASE + "pytorch_model.bin"] = Served(b"torch")
    assert contents(get(name="other"))["pytorch_model.bin"] == b"torch"


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"weight_map": {"a": "../evil.safetensors"}}, "plain names"),
        ({"weight_map": {"a": "/etc/evil.safetensors"}}, "plain names"),
        ({"weight_map": {"a": "x\\evil.safetensors"}}, "plain names"),
        ({"weight_map": {"a": ".evil.safetensors"}}, "plain names"),
        ({"weight_map": {"a": "evil.py"}}, "plain names"),
        ({"weight_map": {"a": 1}}, "plain names"),
        ({"weight_map": {}}, "found 0"),
        ({"weight_map": {str(n): f"{n}.safetensors" for n in range(1001)}}, "1001"),
        ({"weight_map": "x"}, "found 0"),
        ([], "weight_map"),
    ],
)
def test_hostile_index(get, server, tmp_path, index, words):
    del server.files[BASE + "model.safetensors"]
    data = json.dumps(index).encode()
    server.files[BASE + "model.safetensors.index.json"] = Served(data)
    for _ in range(2):  # it is not kept for the second call
        with pytest.raises(DownloadError, match=words):
            get()
    assert len(server.asked(BASE + "model.safetensors.index.json")) == 2
    assert not list(tmp_path.rglob("*evil*"))
    assert not (tmp_path / "c" / "m").exists()


@pytest.mark.parametrize(
    "name", ["../m", "/m", "", ".", "..", "a/b", ".m", "a\\b", "模"]
)
def test_hostile_names(get, name):
    for options in ({"name": name}, {"part": name or ".."}):
        with pytest.raises(DownloadError, match="must be a plain name"):
            get(**options)
    with pytest.raises(DownloadError, match="repo must be OWNER/NAME"):
        get(HuggingFace(f"owner/{name}/x"))


def test_what_the_model_cannot_do_without(get, server):
    del server.files[BASE + "vocab.txt"]
    assert set(contents(get())) == set(FILES) - {"vocab.txt"}
    server.files[BASE + "vocab.txt"] = Served(b"", tricks=[status(403)])
    with pytest.raises(DownloadError, match=r"vocab.txt: .*HTTP 403"):
        get(name="refused")
    for name in ("model.safetensors", "config.json"):
        del server.files[BASE + name]
        words = "no weights; expected one of" if "model" in name else "config.json: not"
        with pytest.raises(DownloadError, match=words):
            get(name=name)


def test_small_files_have_a_bound(get, server, monkeypatch):
    del server.files[BASE + "model.safetensors"]
    server.files[BASE + "model.safetensors.index.json"] = Served(b"x" * 31)
    for name, most in ("config.json", 10), ("model.safetensors.index.json", 30):
        monkeypatch.setattr(remote, "_MOST_TEXT", most)
        with pytest.raises(
            DownloadError, match=rf"{name}: \d+ bytes, more than {most}"
        ):
            get()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archive(get, server, tmp_path, kind):
    files = {"deep/m.ckpt.index": b"i", "deep/vocab.txt": b"v"}
    data = zipped(files)
    if kind == "tar.gz":
        # A name in GBK, as old archives have them, is no Unicode.
        files["模型.txt".encode("gbk").decode("utf-8", "surrogateescape")] = b"n"
        buffer = io.BytesIO()
        with tarfile.open(
            fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT
        ) as tar:
            for name, member in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(member)
                tar.addfile(info, io.BytesIO(member))
        data = buffer.getvalue()
    server.files[f"/a%20b.{kind}?x"] = Served(data)
    source = Archive(f"{server.url}/a%20b.{kind}?x", sha256(data).upper())
    folder = get(source)
    assert contents(folder) == files
    entry = json.loads((folder / MARKER).read_text())["files"]["deep/vocab.txt"]
    assert entry["url"] == source.url
    assert (entry["size"], entry["sha256"]) == (1, sha256(b"v"))
    assert get(source) == get(source, part="generator") == folder
    assert len(server.seen) == 1


def test_what_was_downloaded_loads(get, server, folder, tiny_encoder):
    """The marker and the folders around are not in the way of `load`."""
    data = {f"deep/{name}": data for name, data in contents(folder).items()}
    server.files["/a.zip"] = Served(zipped(data))
    loaded = plm.load(get(Archive(server.url + "/a.zip")))
    for ours, theirs in zip(loaded.weights, tiny_encoder.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zipped({"../evil": b"x"}), "outside the archive"),
        (zipped({"ok": b"x", "/evil": b"x"}), "outside the archive"),
        (zipped({}), "found none"),
        (b"PK no zip", "broken archive"),
    ],
)
def test_hostile_archive(get, server, tmp_path, data, words):
    server.files["/a.zip"] = Served(data)
    for _ in range(2):  # it is not kept for the second call
        with pytest.raises(DownloadError, match=rf"/a\.zip: .*{words}"):
            get(Archive(server.url + "/a.zip"))
    assert len(server.seen) == 2
    assert not (tmp_path / "c" / "m").exists()
    assert not [f for f in tmp_path.rglob("*") if f.name in ("evil", "ok", "a.zip")]


def test_sources_in_order_and_all_reasons(get, server, tmp_path):
    server.files["/a.zip"] = Served(zipped({"m.index": b"i"}))
    sources = [
        HuggingFace("owner/none"),
        Archive(server.url + "/a.zip", "0" * 64),
        Archive(server.url + "/file?id=3"),
        Manual(),
        Archive(server.url + "/a.zip"),
    ]
    with pytest.raises(DownloadError) as error:
        get(*sources[:-1])
    lines = str(error.value).split("\n- ")
    assert lines[0] == "m: could not be downloaded"
    assert "/owner/none/resolve/main/config.json: not there (HTTP 404)" in lines[1]
    assert f"expected sha256 {'0' * 64} (of the catalogue), found" in lines[2]
    assert "expected an address *.zip" in lines[3]
    assert lines[4] == (
        "by hand: open https://pan.example.org/s/1 (Example Pan, extraction code "
        f"ab12), download, and put the unpacked files into {tmp_path / 'c' / 'm'}; or "
        "pass the path of the downloaded file to load()"
    )
    assert contents(get(*sources)) == {"m.index": b"i"}
    assert not list((tmp_path / "c" / ".downloads").iterdir())


def test_only_by_hand(get, server, tmp_path):
    with pytest.raises(
        DownloadError, match="can only be downloaded by hand\n- by hand"
    ):
        get(Manual())
    assert not (tmp_path / "c").exists()
    folder = tmp_path / "c" / "m"
    (folder / "deep").mkdir(parents=True)
    (folder / ".DS_Store").touch()
    with pytest.raises(DownloadError, match="by hand"):
        get(Manual())
    (folder / "deep" / "bert_model.ckpt.index").touch()
    assert get(Manual()) == get(offline=True) == folder
    assert server.seen == []


def test_parts(get, server, tmp_path):
    for part in ("generator", "discriminator"):
        for name in FILES:
            path = f"/owner/{part}/resolve/main/{name}"
            server.files[path] = Served(part.encode())
    sources = [HuggingFace(f"owner/{p}", p) for p in ("generator", "discriminator")]
    assert get(*sources, part="generator") == tmp_path / "c" / "m" / "generator"
    # A part that is there does not count as a folder filled by hand.
    with pytest.raises(DownloadError, match="offline mode is on"):
        get(*sources, offline=True)
    folder = get(*sources)
    assert folder == tmp_path / "c" / "m" / "discriminator"
    assert contents(folder)["vocab.txt"] == b"discriminator"
    get(HuggingFace(), name="bert")
    with pytest.raises(DownloadError, match="no source holds its part 'generator'"):
        get(HuggingFace(), name="bert", part="generator")
    # The whole beside a part.
    server.files["/a.zip"] = Served(zipped({"m.index": b"i"}))
    whole = get(
        HuggingFace("o/n"), *sources[:1], Archive(server.url + "/a.zip"), name="m"
    )
    assert whole == folder
    get(sources[0], name="both", part="generator")
    whole = get(sources[0], Archive(server.url + "/a.zip"), name="both")
    assert whole == tmp_path / "c" / "both"
    assert set(contents(whole)) == {"m.index", *(f"generator/{n}" for n in FILES)}
    assert get(name="both", part="generator", offline=True) == whole / "generator"


@pytest.mark.parametrize("damage", ["missing", "size", "marker", "incomplete"])
def test_damaged_folder_is_fetched_again(get, server, damage):
    folder = get()
    (folder / "mine.txt").write_text("of the user")
    file = folder / "model.safetensors"
    if damage == "missing":
        file.unlink()
    elif damage == "size":
        file.write_bytes(b"short")
    elif damage == "marker":
        (folder / MARKER).write_text("{")
    else:
        cache.write_marker(folder, cache.read_marker(folder) | {"complete": False})
    with pytest.raises(DownloadError, match="offline"):
        get(offline=True)
    assert contents(get()) == FILES | {"mine.txt": b"of the user"}


def test_offline(get, server, tmp_path, monkeypatch):
    for name in ("KERASPLM_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
        with pytest.raises(DownloadError, match=r"m: not in .* offline mode is on"):
            get()
        assert not is_offline(False)
        monkeypatch.setenv(name, "0")
        assert not is_offline()
    assert not list(tmp_path.iterdir())
    assert server.seen == []


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/u")
    for name in ("KERASPLM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path("/home/u/.cache/kerasplm")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/home/u/.cache/kerasplm")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/kerasplm")
    monkeypatch.setenv("KERASPLM_CACHE", "~/own")
    assert cache_folder() == Path("/home/u/own")
    assert cache_folder("given") == Path.cwd() / "given"
    with pytest.raises(DownloadError, match="no such home folder"):
        cache_folder("~nobody-of-that-name/x")
