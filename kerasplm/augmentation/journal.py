"""A file that grows piece by piece and survives a kill at any moment."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.files import alone, read_json, write_json


class GrowingFile:
    """Write a file in a folder beside it, `NAME.partial`, until it is complete.

    Args:
        output: The file.
        facts: What its content depends on, as plain values: work that was begun with
            others is refused.

    Example:
        >>> with GrowingFile(Path("a.txt"), {}).opened() as file:  # doctest: +SKIP
        ...     file.append("one line", {"lines": 1})
        ...     file.finish()
    """

    def __init__(self, output: Path, facts: Mapping[str, Any]) -> None:
        self.output = output
        self.folder = output.with_name(output.name + ".partial")
        self.text = self.folder / "text"
        self.state = self.folder / "state.json"
        self.facts = dict(facts)
        self.size = 0
        """Bytes that are safe."""
        self.noted: dict[str, Any] = {}
        """What was noted with them."""

    @contextlib.contextmanager
    def opened(self) -> Iterator["GrowingFile"]:
        """Keep other processes out, and go on where a former one was ended.

        Raises:
            ConfigError: Another process writes the file, or work on it was begun with
                other choices.
        """
        with alone(self.folder):
            self._restore()
            try:
                yield self
            finally:
                if not self.state.exists():  # nothing was begun, or it is finished
                    shutil.rmtree(self.folder, ignore_errors=True)

    def append(self, text: str, note: Mapping[str, Any]) -> None:
        """Write a piece, and note values for JSON with it; both are there, or none."""
        self.size = self._write(text)
        self.noted = dict(note)
        state = {"facts": self.facts, "size": self.size, "noted": self.noted}
        write_json(self.state, state)

    def finish(self, end: str = "") -> None:
        """Write the end, and put the file in its place."""
        self._write(end)
        os.replace(self.text, self.output)
        self.state.unlink()

    def _write(self, text: str) -> int:
        """Write behind what is safe; return the size of the file."""
        with self.text.open("r+b") as file:
            file.seek(self.size)
            file.truncate()
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def _restore(self) -> None:
        for left in self.folder.glob(".tmp-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if not self.state.exists() or not self.text.exists():
            self.state.unlink(missing_ok=True)
            self.text.write_bytes(b"")
            return
        data = read_json(self.state)
        found, size = data.get("facts"), data.get("size")
        if not isinstance(found, dict) or not isinstance(size, int):
            raise ConfigError(f"{self.state}: expected the state of an unfinished file")
        other = [key for key in self.facts if found.get(key) != self.facts[key]]
        if other or self.text.stat().st_size < size:
            raise ConfigError(
                f"{self.folder}: holds an unfinished file with other choices "
                f"({', '.join(other) or 'size'}); finish it with those, or remove the "
                "folder to begin anew"
            )
        self.size, self.noted = size, data.get("noted", {})
