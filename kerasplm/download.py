"""Download a model of the catalogue into the cache."""

import contextlib
import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import requests

from kerasplm.cache import Checksums, cache_folder, is_offline, is_ready, locked
from kerasplm.errors import DownloadError, describe
from kerasplm.progress import Reporter
from kerasplm.remote import (
    PLAIN_NAME,
    ArchiveSource,
    HuggingFaceSource,
    Job,
    ManualSource,
    RemoteSource,
    source_url,
)

Source = RemoteSource | ManualSource
_DEFAULT_PARTS = ("", "discriminator")


def download(
    name: str,
    sources: Sequence[Source],
    *,
    part: str | None = None,
    cache: str | Path | None = None,
    offline: bool | None = None,
    progress: bool = True,
) -> Path:
    """Return the folder of a model, downloading it if it is not there yet.

    A complete folder costs no network access. Otherwise the sources are tried in
    order. What was fetched of a file when it stopped is continued by the next call,
    and processes that ask for the same model wait for the first one.

    Args:
        name: Of the model: the folder's name in the cache.
        sources: Where the model is published, the best place first.
        part: None takes what a source holds as a whole, or ELECTRA's discriminator;
            "generator" takes that.
        cache: Folder of all models; by default that of the environment variable
            KERASPLM_CACHE, else ~/.cache/kerasplm.
        offline: Whether to use no network; by default what the environment variables
            KERASPLM_OFFLINE and HF_HUB_OFFLINE say.
        progress: Whether to show on stderr what goes on.

    Returns:
        A folder for `load`: `cache/name`, or `cache/name/part` for a source of one
        part. A folder that the user filled is taken as it is; a downloaded one of
        which a file is gone or has another size is downloaded again.

    Raises:
        DownloadError: No source works; the message names the reason of each, and what
            to do by hand.

    Example:
        >>> folder = download(row.name, row.sources)    # doctest: +SKIP
        >>> encoder = load(folder)                      # doctest: +SKIP

    Source: huggingface/huggingface_hub, file_download.py (addresses, headers).
    """
    for key, value in (("name", name), ("part", part or "all")):
        if not PLAIN_NAME.fullmatch(value):
            raise DownloadError(f"{key} must be a plain name. Received: {value!r}")
    root = cache_folder(cache)
    parts = (part,) if part and part not in _DEFAULT_PARTS else _DEFAULT_PARTS
    request = _Request(root, name, parts, sources)
    try:
        ready = request.ready()
        if ready is None:
            request.check_possible(is_offline(offline))
            with Reporter(progress) as reporter, locked(root, name, reporter):
                # Another process may have been faster.
                ready = request.ready() or _from_sources(request, reporter)
    except OSError as error:
        raise DownloadError(
            f"{root}: this cache folder cannot be used ({describe(error)}). Set "
            "KERASPLM_CACHE to another folder, or make room in this one"
        ) from error
    return ready


@dataclasses.dataclass(frozen=True)
class _Request:
    """What the user wants, and where it would lie."""

    root: Path
    name: str
    parts: tuple[str, ...]
    sources: Sequence[Source]

    def usable(self) -> list[RemoteSource]:
        """Return what can be fetched and holds the wanted part."""
        return [
            source
            for source in self.sources
            if isinstance(source, ArchiveSource)
            or (isinstance(source, HuggingFaceSource) and source.part in self.parts)
        ]

    def ready(self) -> Path | None:
        """Return the folder that is complete."""
        apart = {str(getattr(source, "part", "")) for source in self.sources}
        apart |= set(self.parts)
        folder = self.root / self.name
        for place in (*(folder / part for part in self.parts if part), folder):
            if is_ready(place, self.parts, apart):
                return place
        return None

    def check_possible(self, offline: bool) -> None:
        """Make sure that a download may work.

        Raises:
            DownloadError: The network is forbidden, or no source can be fetched.
        """
        if offline:
            folder = self.root / self.name
            raise DownloadError(
                f"{self.name}: not in {self.root}, and offline mode is on "
                "(offline=True, KERASPLM_OFFLINE or HF_HUB_OFFLINE). Download it once "
                f"with a network, or put its files into {folder}"
            )
        if not self.usable():
            raise self.failed([f"no source holds its part {self.parts[-1]!r}"])

    def failed(self, reasons: Sequence[str]) -> DownloadError:
        """Return the error that says why, and what the user can do."""
        by_hand = [s for s in self.sources if isinstance(s, ManualSource)]
        if not self.usable() and by_hand:
            lines = [f"{self.name}: can only be downloaded by hand"]
        else:
            lines = [f"{self.name}: could not be downloaded", *reasons]
        lines += [
            f"by hand: open {source.url} ({source.host}"
            + (f", extraction code {source.code}" if source.code else "")
            + f"), download, and put the unpacked files into {self.root / self.name}; "
            "or pass the path of the downloaded file to load()"
            for source in by_hand
        ]
        return DownloadError("\n- ".join(lines))

    def staging(self, source: RemoteSource) -> Path:
        """Return the folder where the files of a source are collected."""
        key = hashlib.sha256(source_url(source).encode()).hexdigest()[:16]
        return self.root / ".downloads" / self.name / key


def _from_sources(request: _Request, reporter: Reporter) -> Path:
    """Try one source after the other.

    Raises:
        DownloadError: All of them fail.
    """
    reasons = []
    checksums = Checksums(request.root, reporter)
    with requests.Session() as session:
        for source in request.usable():
            staging = request.staging(source)
            staging.mkdir(parents=True, exist_ok=True)
            job = Job(session, reporter, checksums, staging)
            folder = request.root / request.name
            try:
                if isinstance(source, HuggingFaceSource):
                    folder /= source.part
                    job.install_repository(source, folder, request.name)
                else:
                    job.install_archive(source, folder, request.name)
            except DownloadError as error:
                reasons.append(str(error))
                continue
            for tried in request.usable():
                shutil.rmtree(request.staging(tried), ignore_errors=True)
            with contextlib.suppress(OSError):  # another part is still under way
                staging.parent.rmdir()
            return folder
    raise request.failed(reasons)
