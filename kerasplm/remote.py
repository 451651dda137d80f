"""Fetch the files of one source: a repository on Hugging Face, or an archive."""

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

import requests

from kerasplm.answers import MissingError
from kerasplm.archive import MAX_BYTES, MAX_FILES, SUFFIXES, unpack
from kerasplm.cache import Checksums, install, read_files, read_marker, write_marker
from kerasplm.errors import ArchiveError, DownloadError
from kerasplm.files import temporary_folder
from kerasplm.progress import Reporter
from kerasplm.transfer import Expected, Transfer, digest

_HUGGING_FACE = "https://huggingface.co"
_SMALL = ("config.json", "vocab.txt", "tokenizer_config.json")
_INDEX = "model.safetensors.index.json"
_WEIGHTS = ("model.safetensors", _INDEX, "pytorch_model.bin")
# Files that are read whole.
_MOST_TEXT = 64 * 2**20
# What may become a name in the cache.
PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,150}", re.ASCII)


@runtime_checkable
class HuggingFaceSource(Protocol):
    """A repository on Hugging Face; `part` is empty or a part of ELECTRA."""

    @property
    def repo(self) -> str:
        """Owner and name."""

    @property
    def part(self) -> str:
        """What it holds."""


@runtime_checkable
class ArchiveSource(Protocol):
    """An archive on the web that holds the whole model."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def sha256(self) -> str:
        """Its checksum in hex, or empty."""


@runtime_checkable
class ManualSource(Protocol):
    """A page that only a person can use."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def host(self) -> str:
        """Whose page it is."""

    @property
    def code(self) -> str:
        """The extraction code, or empty."""


RemoteSource = HuggingFaceSource | ArchiveSource


def source_url(source: RemoteSource) -> str:
    """Return the address of an archive, or that below which a repository's files lie.

    The environment variable HF_ENDPOINT names a mirror of Hugging Face.
    """
    if isinstance(source, ArchiveSource):
        return source.url
    endpoint = os.environ.get("HF_ENDPOINT") or _HUGGING_FACE
    return f"{endpoint.rstrip('/')}/{source.repo}/resolve/main"


class Job:
    """Fetches the files of one source; those that are complete outlive the process.

    Args:
        session: Of requests.
        reporter: Shows the progress.
        checksums: Those recorded in the cache.
        staging: Existing folder where the files are collected.
    """

    def __init__(
        self,
        session: requests.Session,
        reporter: Reporter,
        checksums: Checksums,
        staging: Path,
    ) -> None:
        self._session, self._reporter = session, reporter
        self._checksums = checksums
        self._staging = staging
        self._files = read_files(read_marker(staging), staging)

    def install_repository(
        self, source: HuggingFaceSource, folder: Path, name: str
    ) -> None:
        """Fetch what `load` and `load_tokenizer` read of a repository.

        Args:
            source: The repository.
            folder: Where to, in the cache.
            name: Of the model, for the marker.

        Raises:
            DownloadError: A file that the model needs cannot be had.
        """
        parts = source.repo.split("/")
        if len(parts) > 2 or not all(PLAIN_NAME.fullmatch(part) for part in parts):
            raise DownloadError(f"repo must be OWNER/NAME. Received: {source.repo!r}")
        base = source_url(source)
        for file in _SMALL:
            try:
                self._get(f"{base}/{file}", file, limit=_MOST_TEXT)
            except MissingError:
                if file == _SMALL[0]:
                    raise
        self._get_weights(base)
        install(self._staging, folder, name, source.part, self._files)

    def install_archive(self, source: ArchiveSource, folder: Path, name: str) -> None:
        """Fetch an archive and unpack it.

        Args:
            source: The archive.
            folder: Where to, in the cache.
            name: Of the model, for the marker.

        Raises:
            DownloadError: The archive cannot be had, or is broken or hostile.
        """
        file = unquote(urlsplit(source.url).path).rpartition("/")[2]
        suffix = next((s for s in SUFFIXES if file.lower().endswith(s)), None)
        if suffix is None:
            raise DownloadError(
                f"{source.url}: expected an address *{', *'.join(SUFFIXES)}"
            )
        if not PLAIN_NAME.fullmatch(file):
            file = f"archive{suffix}"
        # The disk must have room for the files as well: weights hardly compress.
        path = self._get(source.url, file, source.sha256, copies=2)
        with temporary_folder(self._staging) as unpacked:
            try:
                unpack(path, unpacked)
                members = [f for f in sorted(unpacked.rglob("*")) if f.is_file()]
                if not members:
                    raise ArchiveError(f"{path}: expected files, found none")
            except ArchiveError as error:
                self._forget(file)
                raise DownloadError(f"{source.url}: {error}") from error
            archive = self._files[file]
            files = {
                str(member.relative_to(unpacked)): dataclasses.replace(
                    archive, size=member.stat().st_size, sha256=digest(member)
                )
                for member in members
            }
            install(unpacked, folder, name, None, files)

    def _get_weights(self, base: str) -> None:
        for file in _WEIGHTS:
            limit = _MOST_TEXT if file == _INDEX else MAX_BYTES
            try:
                path = self._get(f"{base}/{file}", file, limit=limit)
            except MissingError:
                continue
            if file == _INDEX:
                try:
                    shards = _shards(path, f"{base}/{file}")
                except DownloadError:
                    self._forget(file)
                    raise
                for shard in shards:
                    self._get(f"{base}/{shard}", shard)
            return
        raise DownloadError(
            f"{base}: no weights; expected one of {', '.join(_WEIGHTS)}"
        )

    def _get(
        self,
        url: str,
        file: str,
        sha256: str = "",
        limit: int = MAX_BYTES,
        copies: int = 1,
    ) -> Path:
        path = self._staging / file
        if file in self._files and sha256.lower() in ("", self._files[file].sha256):
            return path
        expected = Expected(sha256.lower()) if sha256 else self._checksums.expected(url)
        done, known = Transfer(
            self._session, url, path, self._reporter, expected, limit, copies
        ).run()
        if not known:
            self._checksums.record(done)
        self._files[file] = done
        self._note()
        return path

    def _forget(self, file: str) -> None:
        del self._files[file]
        self._note()
        (self._staging / file).unlink()

    def _note(self) -> None:
        files = {name: dataclasses.asdict(file) for name, file in self._files.items()}
        write_marker(self._staging, {"complete": False, "files": files})


def _shards(path: Path, url: str) -> list[str]:
    """Return the names of the files over which the weights are spread."""
    try:
        table = json.loads(path.read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DownloadError(
            f"{url}: expected JSON with a weight_map ({error})"
        ) from error
    names = set(table.values()) if isinstance(table, Mapping) else set()
    for name in names:
        plain = isinstance(name, str) and PLAIN_NAME.fullmatch(name)
        if not plain or not name.endswith(".safetensors"):
            raise DownloadError(
                f"{url}: expected plain names *.safetensors in weight_map, found "
                f"{name!r}: refused"
            )
    if not 0 < len(names) <= MAX_FILES:
        raise DownloadError(
            f"{url}: expected 1 to {MAX_FILES} files in weight_map, found {len(names)}"
        )
    return sorted(names)
