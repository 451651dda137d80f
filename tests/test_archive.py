"""Archives that are broken or hostile."""

import contextlib
import gzip
import io
import struct
import tarfile
import tempfile
import zipfile
import zlib

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import archive
from kerasplm.checkpoint import Reader, write
from kerasplm.errors import ArchiveError, CheckpointError


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def tar_of(path, members):
    with tarfile.open(path, "w:gz") as file:
        for member, data in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
                member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def fails(path, *words):
    with pytest.raises(ArchiveError) as error:
        plm.load(path)
    for word in (path.name, *words):
        assert word in str(error.value)


BAD = ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:evil.txt"]


@pytest.mark.parametrize("name", BAD)
def test_members_outside(name, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    fails(zip_of(inside / "a.zip", [(name, b"x")]), "outside")
    fails(tar_of(inside / "a.tar.gz", [(name, b"x")]), "outside")
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(kind, tmp_path):
    member = tarfile.TarInfo("vocab.txt")
    member.type, member.linkname = kind, "/etc/passwd"
    fails(tar_of(tmp_path / "a.tgz", [(member, b"")]), "link or device")


def test_link_in_zip(tmp_path):
    link = zipfile.ZipInfo("vocab.txt")
    link.external_attr = 0o120777 << 16
    fails(zip_of(tmp_path / "a.zip", [(link, b"/etc/passwd")]), "link or device")


def ten_gigabytes(path, declared):
    """Write a zip of 10 GiB of zeros, which takes 10 MB, without compressing them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = first + block * (10 * 1024 - 1) + packer.flush()
    sizes = struct.pack("<III", 0, len(data), declared)
    common = struct.pack("<HHHHH", 20, 0, 8, 0, 0x21) + sizes
    name = b"x.index"
    local = b"PK\3\4" + common + struct.pack("<HH", len(name), 0) + name
    entry = b"PK\1\2" + struct.pack("<H", 20) + common
    entry += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    offset = len(local) + len(data)
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), offset, 0)
    path.write_bytes(local + data + entry + b"PK\5\6" + end)
    assert path.stat().st_size < 12 * 2**20
    return path


@pytest.mark.parametrize("declared", [2**32 - 1, 2**20])
def test_bomb_of_ten_gigabytes(tmp_path, declared, monkeypatch):
    """One that declares its size is refused at once; one that lies, when it shows."""
    monkeypatch.setattr(archive, "_CHUNK", 2**20)
    monkeypatch.setattr(archive, "MAX_RATIO", 10)
    file = ten_gigabytes(tmp_path / "a.zip", declared)
    monkeypatch.setattr(
        tempfile,
        "TemporaryDirectory",
        lambda **_: contextlib.nullcontext(str(tmp_path / "out")),
    )
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="decompression bomb|broken archive"):
        plm.load(file)
    written = sum(f.stat().st_size for f in (tmp_path / "out").rglob("*"))
    assert written <= (0 if declared > 2**30 else 2**27)


def test_bombs(tmp_path, monkeypatch):
    data = bytes(200 * 2**20)
    fails(zip_of(tmp_path / "a.zip", [("x.index", data)]), "decompression bomb")
    fails(tar_of(tmp_path / "a.tar.gz", [("x.index", data)]), "decompression bomb")
    many = [(f"{n}.txt", b"") for n in range(1100)]
    fails(zip_of(tmp_path / "b.zip", many), "1000 files")
    monkeypatch.setattr(archive, "MAX_BYTES", 10)
    fails(zip_of(tmp_path / "c.zip", [("x.index", b"x" * 11)]), "bomb")


def test_declared_sizes_are_not_trusted(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("x.index", bytes(300 * 2**20))])
    raw = bytearray(path.read_bytes())
    # The central directory claims one byte.
    at = raw.index(b"PK\x01\x02") + 24
    raw[at : at + 4] = (1).to_bytes(4, "little")
    path.write_bytes(raw)
    fails(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tgz", "a.tar"])
def test_broken(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"no archive at all" * 99)
    fails(path, "broken archive")
    path.write_bytes(b"")
    fails(path, "broken archive")


def test_truncated(tmp_path):
    data = bytes(range(256)) * 5000
    path = tar_of(tmp_path / "a.tar.gz", [("x.index", data)])
    path.write_bytes(path.read_bytes()[:-900])
    fails(path, "broken archive")
    path = zip_of(tmp_path / "a.zip", [("x.index", data)])
    path.write_bytes(path.read_bytes()[:-900])
    fails(path, "broken archive")


def test_encrypted_zip(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("x.index", b"x")])
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    fails(path, "cannot be unpacked")


def test_nothing_useful_inside(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("readme.txt", b"x")])
    with pytest.raises(plm.PLMError, match=r"a.zip: no checkpoint here.*readme.txt"):
        plm.load(path)


def test_files_that_macos_adds(folder, tmp_path):
    members = {f"m/{file.name}": file.read_bytes() for file in folder.iterdir()}
    members |= {"__MACOSX/" + n.replace("m/", "m/._"): b"x" for n in members}
    zip_of(tmp_path / "m.zip", members.items())
    assert plm.load(tmp_path / "m.zip").load_report.family == "bert"


def test_damaged_tar_is_found_by_its_checksum(folder, tmp_path):
    files = [(f.name, f.read_bytes()) for f in sorted(folder.iterdir())]
    raw = bytearray(gzip.decompress(tar_of(tmp_path / "a.tgz", files).read_bytes()))
    (tmp_path / "good.tgz").write_bytes(gzip.compress(bytes(raw), 0))
    plm.load_tokenizer(tmp_path / "good.tgz")
    packed = bytearray(gzip.compress(bytes(raw), 0))
    place = packed.index("一".encode())
    packed[place : place + 3] = "丁".encode()
    (tmp_path / "flipped.tgz").write_bytes(packed)
    fails(tmp_path / "flipped.tgz", "broken archive", "flipped.tgz")
    header = next(
        n for n in range(512, len(raw), 512) if raw[n + 257 : n + 262] == b"ustar"
    )
    raw[header + 150] ^= 0xFF
    (tmp_path / "header.tgz").write_bytes(gzip.compress(bytes(raw)))
    fails(tmp_path / "header.tgz", "broken after file 1")


def test_member_without_a_name(tmp_path):
    fails(zip_of(tmp_path / "a.zip", [(".", b"x")]), "a.zip")


def test_index_that_points_outside_its_data(tmp_path):
    """Names and shapes come from the index; its offsets may lie."""
    big = {f"x{n}": np.ones((64, 64), "float32") for n in range(4)}
    write(tmp_path / "big", big)
    write(tmp_path / "small", {"x0": np.zeros(4, "float32")})
    (tmp_path / "small.index").write_bytes((tmp_path / "big.index").read_bytes())
    reader = Reader(tmp_path / "small")
    with pytest.raises(CheckpointError, match="truncated or damaged: variable x3"):
        reader.read("x3")
