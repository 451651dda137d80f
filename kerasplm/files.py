"""Read JSON; write files and folders so that nothing half-written is ever seen."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError

LOCK = ".lock"
"""The file in a folder that `alone` keeps for a process."""


@contextlib.contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """Give a folder on the same disk that is gone afterwards, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=".tmp-", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give the name under which to write a file; it appears at `path` when complete.

    Example:
        >>> with appearing(path) as work:  # doctest: +SKIP
        ...     work.write_bytes(b"")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent) as folder:
        yield folder / path.name
        os.replace(folder / path.name, path)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make a folder and keep other processes out of it; a killed one leaves it free.

    Where nothing was begun, an empty folder that was not there before goes at the end.

    Raises:
        ConfigError: Another process writes there.
    """
    import filelock

    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ConfigError(f"{folder}: another run writes there now") from error
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        if made and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file that appears only when complete."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file that appears only when complete; Chinese stays readable."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write one JSON value per line."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file that appears only when complete."""
    with appearing(path) as work:
        work.write_bytes(data)


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an .npz file that appears only when complete, and on the disk.

    Args:
        path: The file.
        arrays: Name to array.
    """
    import numpy as np

    # Opened here: numpy appends .npz to other names.
    with appearing(path) as work, work.open("wb") as raw:
        np.savez(raw, **arrays)
        raw.flush()
        os.fsync(raw.fileno())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConfigError: The file is not UTF-8, not JSON, or not an object; the message
            names the line.
    """
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}: not JSON at line {error.lineno}, column {error.colno} "
            f"({error.msg})"
        ) from error
    except (OSError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: expected a JSON object, found {type(data).__name__}"
        )
    return data
