"""Unpack archives that may be hostile."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from kerasplm.errors import ArchiveError

# Weights hardly compress: more than this is a bomb, not a model.
MAX_RATIO = 100
MAX_BYTES = 32 * 2**30
MAX_FILES = 1000
SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
_CHUNK = 2**20
_MOST_PADDING = 64
_BROKEN = (
    OSError,
    EOFError,
    IndexError,
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
)


def is_archive(path: Path) -> bool:
    """Whether the file name is that of an archive that `unpack` reads."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip, tar or tar.gz file into an empty folder.

    Only plain files are written. The sizes are counted while writing, since those
    declared in an archive may lie.

    Args:
        archive: The file.
        folder: Where to unpack; the caller removes it on an error.

    Raises:
        ArchiveError: The archive is broken, names a place outside the folder, holds
            links or devices, or unpacks to far more than its own size.
    """
    limit = min(MAX_BYTES, max(archive.stat().st_size * MAX_RATIO, _CHUNK))
    written = 0
    try:
        for number, (name, source) in enumerate(_members(archive, limit)):
            if name.startswith("__MACOSX/") or Path(name).name.startswith("._"):
                continue  # what macOS adds: resource forks under the files' names
            if number >= MAX_FILES:
                raise ArchiveError(
                    f"{archive}: expected at most {MAX_FILES} files, found more"
                )
            target = folder / _safe_name(archive, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                while chunk := source.read(_CHUNK):
                    written += len(chunk)
                    if written > limit:
                        raise _bomb(archive, name, limit)
                    out.write(chunk)
    except _BROKEN as error:
        raise ArchiveError(f"{archive}: broken archive ({error})") from error
    except (RuntimeError, NotImplementedError, ValueError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"{archive}: cannot be unpacked ({error})") from error


def _safe_name(archive: Path, name: str) -> Path:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts:
        raise ArchiveError(f"{archive}: a member has no name")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ArchiveError(f"{archive}: member {name!r} points outside the archive")
    return Path(*path.parts)


def _bomb(archive: Path, name: str, limit: int) -> ArchiveError:
    return ArchiveError(
        f"{archive}: {name} unpacks to more than {limit} bytes, over {MAX_RATIO} times "
        "the archive: refused as a decompression bomb"
    )


def _members(archive: Path, limit: int) -> Iterator[tuple[str, IO[bytes]]]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as file:
            # An honest bomb is refused before anything is written.
            if sum(info.file_size for info in file.infolist()) > limit:
                raise _bomb(archive, file.infolist()[0].filename, limit)
            for info in file.infolist():
                if info.is_dir():
                    continue
                kind = info.external_attr >> 16
                if kind and stat.S_IFMT(kind) not in (0, stat.S_IFREG):
                    raise ArchiveError(
                        f"{archive}: member {info.filename!r} is a link or device; "
                        "expected plain files"
                    )
                with file.open(info) as source:
                    yield info.filename, source
        return
    with tarfile.open(archive) as tar:
        number = 0
        for number, member in enumerate(tar, 1):  # noqa: B007
            if member.isdir():
                continue
            content = tar.extractfile(member) if member.isreg() else None
            if content is None:
                raise ArchiveError(
                    f"{archive}: member {member.name!r} is a link or device; "
                    "expected plain files"
                )
            yield member.name, content
        # tarfile stops in silence at a header that it cannot read, and gzip's checksum
        # stands at the end.
        for _ in range(_MOST_PADDING):
            rest = tar.fileobj.read(_CHUNK) if tar.fileobj else b""
            if rest.strip(b"\0"):
                raise ArchiveError(f"{archive}: broken after file {number}")
            if not rest:
                return
        raise ArchiveError(f"{archive}: expected an end, found only padding")
