"""Show how work goes on: bars on a terminal, else a line for each download."""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_MIB = 2**20


class Reporter:
    """Writes to stderr what is fetched, and how far it is.

    A terminal gets a bar with bytes, speed and time left; the environment variable
    FORCE_COLOR makes rich take any stderr for one.

    Args:
        show: False writes nothing at all.
    """

    def __init__(self, show: bool) -> None:
        self._console = Console(stderr=True, quiet=not show, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (show and self._console.is_terminal),
        )
        self._task = self._bars.add_task("", visible=False)
        self._since = 0.0
        self._old = 0

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop drawing, whatever happened."""
        self._bars.stop()

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def begin(self, name: str, done: int, total: int | None) -> None:
        """Show a file of which `done` bytes are here already."""
        self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, completed=done, total=total)
        self._since, self._old = time.monotonic(), done

    def advance(self, count: int) -> None:
        """Count bytes that arrived."""
        self._bars.advance(self._task, count)

    def end(self, name: str, size: int) -> None:
        """Tell that a file is complete; its bar says so already on a terminal."""
        if self._bars.disable:
            seconds = time.monotonic() - self._since
            kept = f", {self._old / _MIB:.1f} MiB were here" if self._old else ""
            self.say(f"{name}: {size / _MIB:.1f} MiB in {seconds:.0f} s{kept}")


class Bar:
    """One bar that counts.

    Args:
        bars: Those of the terminal.
        task: Which of them.
    """

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, count: int) -> None:
        """Count so many more."""
        self._bars.advance(self._task, count)

    def update(self, done: int, total: int) -> None:
        """Tell how many there are in all, and how many are done."""
        self._bars.update(self._task, completed=done, total=total)


@contextlib.contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Bar]:
    """Show on stderr how many are done: a bar on a terminal, else nothing.

    Args:
        what: Stands before the bar.
        total: How many there are; None if that is told later, or never.

    Example:
        >>> with counting("records", 3) as bar:
        ...     bar.advance(3)
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        yield Bar(bars, bars.add_task(what, total=total))
