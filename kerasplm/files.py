"""Read JSON; write files so that nothing half-written is ever seen."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError


@contextlib.contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """Give a folder on the same disk that is gone afterwards, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=".tmp-", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent) as folder:
        (folder / "file").write_bytes(data)
        os.replace(folder / "file", path)


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
