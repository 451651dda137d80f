"""What outlives a call: recorded checksums, partial files, locks; other processes."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from kerasplm.cache import MARKER, write_marker
from kerasplm.errors import DownloadError
from tests.http_server import Served, cut, status
from tests.publisher import (
    BASE,
    FILES,
    WEIGHTS,
    Archive,
    HuggingFace,
    contents,
    getter,
    publishing,
    sha256,
    zipped,
)

ROOT = Path(__file__).parent.parent
FILE = BASE + "model.safetensors"
# Without the package's __init__: Keras takes seconds to start.
CHILD = """
import os, signal, sys, types
# Where the tests run in the background, Ctrl-C may be switched off.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.modules["kerasplm"] = types.ModuleType("kerasplm")
sys.modules["kerasplm"].__path__ = ["kerasplm"]
{before}
from kerasplm.download import download
from tests.publisher import HuggingFace
print(download("m", [HuggingFace()], cache=sys.argv[1]))
"""


@pytest.fixture
def server(monkeypatch):
    with publishing(monkeypatch) as server:
        yield server


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "c"


@pytest.fixture
def get(server, cache):
    return getter(cache)


@pytest.fixture
def start(server, cache):
    """Download in a process of its own, which does not outlive the test."""
    children = []

    def start(cache=cache, before=""):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD.format(before=before), str(cache)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def until(condition):
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def partial(cache):
    return list(cache.glob(".downloads/m/*/model.safetensors.part"))


def size(cache):
    return sum(file.stat().st_size for file in partial(cache))


def test_checksum_recorded_at_first_use(get, server, cache):
    url = server.url + "/a.zip"
    server.files["/a.zip"] = Served(zipped({"a": b"first"}))
    get(Archive(url))
    recorded = json.loads((cache / "checksums.json").read_text())
    assert recorded[url]["sha256"] == sha256(server.files["/a.zip"].data)
    get(Archive(url), name="again")
    server.files["/a.zip"] = Served(zipped({"a": b"second"}))
    with pytest.raises(DownloadError) as error:
        get(Archive(url), name="changed")
    for words in (
        f"recorded on {recorded[url]['date']}: the file changed since",
        f"delete the line of its URL in {cache / 'checksums.json'} to accept it",
        recorded[url]["sha256"],
        sha256(server.files["/a.zip"].data),
    ):
        assert words in str(error.value)
    get()  # the line of the archive is neither the only one nor the last one
    file = cache / "checksums.json"
    lines = [line for line in file.read_text().splitlines() if url not in line]
    file.write_text("\n".join(lines))
    assert contents(get(Archive(url), name="changed")) == {"a": b"second"}


def test_known_checksum_is_not_recorded(get, server, cache):
    data = zipped({"a": b"1"})
    server.files["/a.zip"] = Served(data)
    get(Archive(server.url + "/a.zip", sha256(data)))
    server.files[FILE].headers = {"X-Linked-Etag": f'"{sha256(WEIGHTS)}"'}
    get(name="other")
    recorded = json.loads((cache / "checksums.json").read_text())
    assert {key.rpartition("/")[2] for key in recorded} == {
        "config.json",
        "vocab.txt",
        "format",
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "u": 3}', '{"u": {}}'])
def test_damaged_record_is_never_ignored(get, server, cache, text):
    cache.mkdir()
    (cache / "checksums.json").write_text(text)
    with pytest.raises(DownloadError, match=r"checksums.json: expected a line"):
        get()
    assert server.seen == []


def test_failed_call_keeps_what_it_has(get, server, cache):
    server.files[FILE].tricks = [cut(1000), *[status(503)] * 9]
    with pytest.raises(DownloadError, match="1000 bytes are kept"):
        get()
    assert size(cache) == 1000
    assert not (cache / "m").exists()
    server.files[FILE].tricks = []
    assert contents(get()) == FILES
    assert server.asked(FILE)[-1] == "bytes=1000-"
    assert server.asked(BASE + "config.json") == [""]


def test_catalogue_learns_another_checksum(get, server, cache):
    """A complete file in the staging folder is not taken if it is another one."""
    old, new = zipped({"../x": b"1"}), zipped({"a": b"2"})
    server.files["/a.zip"] = Served(old)
    with pytest.raises(DownloadError, match="outside"):
        get(Archive(server.url + "/a.zip", sha256(old)))
    server.files["/a.zip"] = Served(new)
    get(Archive(server.url + "/a.zip", sha256(new)))


def test_two_mirrors_are_never_mixed(get, server, monkeypatch):
    server.files[FILE].tricks = [cut(1000), *[status(503)] * 9]
    with pytest.raises(DownloadError):
        get()
    for name, data in FILES.items():
        server.files["/mirror" + BASE + name] = Served(data[::-1])
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/mirror")
    assert contents(get()) == {name: data[::-1] for name, data in FILES.items()}


def test_stopped_while_files_are_moved(get, server, cache, monkeypatch):
    def once(*args):
        monkeypatch.setattr("kerasplm.cache.os", os)
        os.replace(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "kerasplm.cache.os", SimpleNamespace(**(vars(os) | {"replace": once}))
    )
    with pytest.raises(KeyboardInterrupt):
        get()
    assert len(contents(cache / "m")) == 1
    with pytest.raises(DownloadError, match="offline"):
        get(offline=True)
    assert contents(get()) == FILES
    assert server.asked(FILE) == [""]


def test_files_of_an_earlier_source_go(get, server, cache):
    server.files["/a.zip"] = Served(zipped({"m.index": b"1", "m.data": b"2"}))
    folder = get(Archive(server.url + "/a.zip"))
    (folder / "m.index").write_bytes(b"damaged")
    assert contents(get()) == FILES


def test_marker_reaches_nothing_outside(get, server, cache):
    inside, outside = cache / "m", cache / "other"
    inside.mkdir(parents=True)
    outside.write_text("stays")
    files = {"../other": {}, str(outside): {}}
    write_marker(inside, {"complete": False, "files": files})
    get()
    assert outside.read_text() == "stays"


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_killed_process_is_continued(get, server, cache, start, kill):
    server.files[FILE].gate = threading.Event()
    child = start()
    until(lambda: size(cache) > 0)
    child.send_signal(kill)
    _, errors = child.communicate(timeout=60)
    assert child.returncode != 0
    assert ("KeyboardInterrupt" in errors) == (kill == signal.SIGINT)
    assert not (cache / "m").exists()
    (part,) = partial(cache)
    have = part.stat().st_size
    assert 0 < have <= len(WEIGHTS) // 2
    visible = [f.name for f in part.parent.iterdir() if not f.name.startswith(".tmp")]
    small = set(FILES) - {"model.safetensors"}
    assert set(visible) == {part.name, part.name + ".json", MARKER, *small}
    server.files[FILE].gate = None
    assert contents(get()) == FILES
    assert server.asked(FILE) == ["", f"bytes={have}-"]
    assert not partial(cache)


def test_two_processes_download_once(server, cache, start):
    server.files[FILE].gate = threading.Event()
    children = [start() for _ in range(3)]
    # One of them downloads, and stands at the gate until the others have seen it.
    waiting, lines = queue.Queue(), []

    def listen(child):
        for line in child.stderr:
            lines.append(line)
            if "another process downloads it; waiting" in line:
                waiting.put(child)

    threads = [threading.Thread(target=listen, args=(child,)) for child in children]
    for thread in threads:
        thread.start()
    assert waiting.get(timeout=60) is not waiting.get(timeout=60)
    assert waiting.empty()
    until(lambda: size(cache) > 0)
    assert not (cache / "m").exists()
    server.files[FILE].gate.set()
    for child, thread in zip(children, threads, strict=True):
        assert child.stdout.read().strip() == str(cache / "m"), lines
        assert child.wait() == 0
        thread.join()
    assert sorted(server.seen) == [
        (BASE + name, "") for name in sorted([*FILES, "tokenizer_config.json"])
    ]
    assert contents(cache / "m") == FILES


def test_lock_of_another_model_does_not_matter(get, cache):
    (cache / ".locks").mkdir(parents=True)
    with FileLock(cache / ".locks" / "other.lock"):
        assert contents(get()) == FILES


def test_checksums_are_recorded_one_process_at_a_time(get, cache):
    (cache / ".locks").mkdir(parents=True)
    with FileLock(cache / ".locks" / ".checksums.lock"):
        thread = threading.Thread(target=get)
        thread.start()
        until((cache / ".locks" / "m.lock").exists)
        thread.join(0.3)
        assert thread.is_alive()
        assert not (cache / "checksums.json").exists()
    thread.join()
    assert contents(cache / "m") == FILES


def test_cache_that_cannot_be_written(get, server, cache):
    cache.write_text("a file")
    with pytest.raises(DownloadError, match=r"c: this cache folder cannot be used"):
        get()
    cache.unlink()
    folder = get()
    cache.chmod(0o555)
    assert get(name="m") == folder
    cache.chmod(0o755)


def test_read_only_cache(server, start):
    """In a process without root's rights, for which no folder is read-only."""
    before = "import requests, rich.progress, filelock, kerasplm.download\n"
    before += "import tests.publisher\n"
    before += "if os.getuid() == 0: os.setuid(65534)\n"
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "c"
        cache.mkdir()
        cache.chmod(0o555)
        Path(place).chmod(0o755)
        child = start(cache, before)
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 1
        assert (
            f"DownloadError: {cache}: this cache folder cannot be used ({cache}/.locks:"
            " Permission denied). Set KERASPLM_CACHE" in errors
        )
        assert not list(cache.iterdir())
    assert server.seen == []


def test_what_the_user_sees(server, cache, capsys):
    from kerasplm.download import download

    server.files[FILE].tricks = [cut(1000)]
    download("m", [HuggingFace()], cache=cache)
    errors = capsys.readouterr().err
    assert "config.json: 0.0 MiB in 0 s" in errors
    assert "model.safetensors: the connection broke after byte 1000" in errors
    assert "next attempt in 0 s" in errors
    assert "0.0 MiB were here" in errors
    download("quiet", [HuggingFace()], cache=cache, progress=False)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(server, cache, capsys, monkeypatch):
    from kerasplm.download import download

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    download("m", [HuggingFace()], cache=cache)
    output = capsys.readouterr()
    assert output.out == ""
    assert "model.safetensors" in output.err
    assert "100.0/100.0 KiB" in output.err
    assert " MiB in " not in output.err
