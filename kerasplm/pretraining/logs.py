"""What a pre-training tells: a table, TensorBoard, a line on the terminal."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from kerasplm.files import write_text

FILE = "history.csv"
Row = dict[str, float]


class Log:
    """The log of one training: `history.csv`, `tensorboard/`, the terminal.

    Each line of the table is on the disk before the next state is saved. A training
    that goes on drops the lines after its state and writes them again.

    Args:
        folder: The output folder.
        columns: Names of all values that may be logged, besides the step.
        step: Where the training stands.
        steps: Where it ends.
        show: False writes nothing on the terminal.
    """

    def __init__(
        self, folder: Path, columns: Sequence[str], step: int, steps: int, show: bool
    ) -> None:
        self.file = folder / FILE
        self.steps = steps
        self.rows = [row for row in read_history(self.file) if row["step"] <= step]
        before = [name for row in self.rows for name in row]
        self.columns = list(dict.fromkeys(["step", *columns, *before]))
        write_text(self.file, "".join(map(self._line, (self.columns, *self.rows))))
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        console = Console(stderr=True, quiet=not show, highlight=False)
        self._console = console
        self._bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            disable=not (show and console.is_terminal),
        )
        self._task = self._bar.add_task("", total=steps, completed=step, text="")

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop drawing, whatever happened."""
        self._bar.stop()
        self._writer.close()

    def say(self, text: str) -> None:
        """Write a line on the terminal."""
        self._console.print(text, markup=False, soft_wrap=True)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log values of a step."""
        row: Row = {"step": step, **values}
        self.rows.append(row)
        with self.file.open("a", encoding="utf-8", newline="") as out:
            out.write(self._line(row))
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name.replace("val_", "development/"), value)
        self._writer.flush()

    def progress(self, step: int, values: Mapping[str, float]) -> None:
        """Show where the training is."""
        text = line(values)
        self._bar.update(self._task, completed=step, text=text)
        if self._bar.disable:
            self.say(f"step {step}/{self.steps} {text}")

    def _line(self, row: Any) -> str:
        out = io.StringIO()
        cells = [row.get(c, "") for c in self.columns] if isinstance(row, dict) else row
        csv.writer(out, lineterminator="\n").writerow(cells)
        return out.getvalue()


class Silence:
    """The log of a process that writes none."""

    rows: Sequence[Row] = ()

    def __enter__(self) -> "Silence":
        """Draw nothing."""
        return self

    def __exit__(self, *error: object) -> None:
        """Draw nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write nothing."""

    def progress(self, step: int, values: Mapping[str, float]) -> None:
        """Show nothing."""


def line(values: Mapping[str, float]) -> str:
    """Return values for a line on the terminal.

    Args:
        values: Of a step: loss, tokens_per_second, utilisation, seconds_left, ...

    Example:
        >>> line({"loss": 2.5, "tokens_per_second": 12345.6, "seconds_left": 4000})
        'loss 2.5000 · 12,346 tokens/s · 1:06:40 left'
    """
    parts = [f"loss {values['loss']:.4f}"]
    parts += [
        f"{name} {value:.4f}" for name, value in values.items() if name == "val_loss"
    ]
    if "tokens_per_second" in values:
        parts.append(f"{values['tokens_per_second']:,.0f} tokens/s")
    if "utilisation" in values:
        parts.append(f"{values['utilisation']:.1%} of the peak")
    left = values.get("seconds_left", math.inf)
    if math.isfinite(left):
        minutes, seconds = divmod(round(left), 60)
        hours, minutes = divmod(minutes, 60)
        parts.append(f"{hours}:{minutes:02d}:{seconds:02d} left")
    return " · ".join(parts)


def read_history(file: Path) -> list[Row]:
    """Read a table that `Log` wrote; a last line that was torn by a kill is left out.

    Args:
        file: The table; none has no rows.
    """
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    rows: list[Row] = []
    for found in csv.DictReader(whole.splitlines()):
        row: dict[str, Any] = {k: float(v) for k, v in found.items() if k and v}
        if "step" in row:
            rows.append({**row, "step": int(row["step"])})
    return rows
