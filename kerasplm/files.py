"""Write files so that nothing half-written is ever seen."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


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


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file that appears only when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path.parent) as folder:
        (folder / "file").write_bytes(data)
        os.replace(folder / "file", path)
