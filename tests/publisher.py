"""A small model on a local server, and the kinds of sources a catalogue has."""

import contextlib
import dataclasses
import hashlib
import io
import zipfile

from kerasplm import transfer
from kerasplm.cache import MARKER
from kerasplm.download import download
from tests.http_server import Served, serving

BASE = "/owner/model/resolve/main/"
WEIGHTS = bytes(range(256)) * 400
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "vocab.txt": "[PAD]\n天\n".encode(),
    "model.safetensors": WEIGHTS,
}


@dataclasses.dataclass(frozen=True)
class HuggingFace:
    repo: str = "owner/model"
    part: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Archive:
    url: str
    sha256: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Manual:
    url: str = "https://pan.example.org/s/1"
    host: str = "Example Pan"
    code: str = "ab12"
    note: str = ""


@contextlib.contextmanager
def publishing(monkeypatch):
    """Serve the model as the only repository of Hugging Face."""
    with serving() as server:
        monkeypatch.setattr(transfer, "BACKOFF", 0.01)
        for name in ("KERASPLM_OFFLINE", "HF_HUB_OFFLINE", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
        for name, data in FILES.items():
            server.files[BASE + name] = Served(data)
        yield server


def getter(cache):
    """Return `download` for that cache, silent."""

    def get(*sources, name="m", **options):
        options = {"cache": cache, "progress": False} | options
        return download(name, sources or [HuggingFace()], **options)

    return get


def contents(folder):
    """Return the visible files below a folder."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MARKER
    }


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return buffer.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()
