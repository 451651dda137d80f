"""The cache of downloaded models: folders, markers, locks, recorded checksums."""

import contextlib
import dataclasses
import datetime
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from kerasplm.errors import DownloadError
from kerasplm.files import write_text
from kerasplm.progress import Reporter
from kerasplm.transfer import Expected, Fetched

MARKER = ".kerasplm.json"
_LOCKS = ".locks"
_YES = ("1", "true", "yes", "on")


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the folder that holds the downloaded models.

    Args:
        cache: What the user gave; else the environment variable KERASPLM_CACHE
            counts, else `kerasplm` in XDG_CACHE_HOME, which is ~/.cache by default.

    Raises:
        DownloadError: The user has no home folder.
    """
    if cache is None:
        cache = os.environ.get("KERASPLM_CACHE") or None
    if cache is None:
        xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # The XDG specification has relative paths ignored.
        home = xdg if xdg.is_absolute() else Path("~/.cache")
        cache = home / "kerasplm"
    try:
        return Path(cache).expanduser().absolute()
    except RuntimeError as error:
        raise DownloadError(
            f"{cache}: no such home folder ({error}). Set KERASPLM_CACHE"
        ) from error


def is_offline(offline: bool | None = None) -> bool:
    """Whether the network is forbidden, by the argument or the environment."""
    if offline is not None:
        return offline
    names = ("KERASPLM_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in _YES for name in names)


@contextlib.contextmanager
def locked(cache: Path, name: str, reporter: Reporter) -> Iterator[None]:
    """Keep other processes from downloading the same model; wait for them."""
    (cache / _LOCKS).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(cache / _LOCKS / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        reporter.say(f"{name}: another process downloads it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def read_marker(folder: Path) -> dict[str, Any]:
    """Return what the marker of a folder says; empty without one."""
    try:
        marker = json.loads((folder / MARKER).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        marker = None
    # A damaged marker is one that does not say "complete".
    return marker if isinstance(marker, dict) else {"complete": False}


def write_marker(folder: Path, marker: Mapping[str, Any]) -> None:
    """Write the marker of a folder, whole or not at all."""
    # In ASCII: an old archive may hold names that are not Unicode.
    write_text(folder / MARKER, json.dumps(marker, indent=1))


def read_files(marker: Mapping[str, Any], folder: Path) -> dict[str, Fetched]:
    """Return the files of a marker that lie in the folder with the noted size."""
    found = {}
    for name, entry in dict(marker.get("files", {})).items():
        with contextlib.suppress(OSError, TypeError, ValueError):
            file = Fetched(**entry)
            if (folder / name).stat().st_size == file.size:
                found[name] = file
    return found


def is_ready(folder: Path, parts: Collection[str], apart: Collection[str]) -> bool:
    """Whether a folder holds a complete model, downloaded or filled by hand.

    Args:
        folder: In the cache.
        parts: The wanted parts of the model.
        apart: Names of subfolders that hold other parts.
    """
    if not folder.is_dir():
        return False
    marker = read_marker(folder)
    if not marker:
        return _filled_by_hand(folder, apart)
    return (
        marker.get("complete") is True
        and marker.get("part") in (None, *parts)
        and len(read_files(marker, folder)) == len(marker.get("files", {}))
    )


def _filled_by_hand(folder: Path, apart: Collection[str]) -> bool:
    for file in folder.rglob("*"):
        path = file.relative_to(folder).parts
        hidden = any(name.startswith(".") for name in path)
        if not hidden and path[0] not in apart and file.is_file():
            return True
    return False


def install(
    staged: Path,
    folder: Path,
    name: str,
    part: str | None,
    files: Mapping[str, Fetched],
) -> None:
    """Move complete files to their folder in the cache.

    The marker that says so comes last. Files of an earlier, damaged download go
    first; those that nobody listed are the user's and stay.

    Args:
        staged: Where the files lie, on the same disk.
        folder: Where to.
        name: Of the model.
        part: Of the model; None if the files hold all of it.
        files: The files, by their path inside the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = dict(read_marker(folder).get("files", {}))
    marker: dict[str, Any] = {
        "complete": False,
        "name": name,
        "part": part,
        "date": _today(),
        "files": {path: dataclasses.asdict(file) for path, file in files.items()},
    }
    write_marker(folder, {**marker, "files": {**old, **marker["files"]}})
    for path in old:
        if not Path(path).is_absolute() and ".." not in Path(path).parts:
            (folder / path).unlink(missing_ok=True)
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / path, folder / path)
    write_marker(folder, {**marker, "complete": True})


class Checksums:
    """The checksums of files of which no other is known, recorded at first use.

    Args:
        cache: The folder of the cache; the file `checksums.json` lies there, a line
            for each URL.
        reporter: Tells of a wait for another process.

    Raises:
        DownloadError: The file is damaged.
    """

    def __init__(self, cache: Path, reporter: Reporter) -> None:
        self._cache = cache
        self._file = cache / "checksums.json"
        self._reporter = reporter

    def expected(self, url: str) -> Expected:
        """Return what the file had when it was fetched for the first time."""
        entry = self._read().get(url)
        if entry is None:
            return Expected()
        return Expected(
            entry["sha256"],
            f"recorded on {entry['date']}: the file changed since; delete the line of "
            f"its URL in {self._file} to accept it",
        )

    def record(self, file: Fetched) -> None:
        """Note the checksum of a file that was fetched for the first time."""
        with locked(self._cache, ".checksums", self._reporter):
            entries = self._read()
            entries[file.url] = {"sha256": file.sha256, "date": _today()}
            lines = [
                f"{json.dumps(url)}: {json.dumps(entry)},\n"
                for url, entry in sorted(entries.items())
            ]
            # With a last line of its own, any line may be deleted.
            write_text(self._file, "{\n" + "".join(lines) + '"format": 1\n}\n')

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            data = json.loads(self._file.read_text("utf-8"))
            data.pop("format")
            for entry in data.values():
                entry["sha256"] + entry["date"]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DownloadError(
                f"{self._file}: expected a line with sha256 and date for each URL, "
                f"found {type(error).__name__} ({error})"
            ) from error
        return dict(data)


def _today() -> str:
    return datetime.date.today().isoformat()
