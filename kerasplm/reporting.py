"""Results for people: tables on the screen, CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kerasplm.files import write_text

History = Sequence[Mapping[str, float]]


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    console: Console | None = None,
) -> None:
    """Print a table; numbers are aligned to the right."""
    table = Table(title=Text(title), title_justify="left")
    for n, column in enumerate(columns):
        numbers = rows and all(isinstance(row[n], int | float) for row in rows)
        align: Literal["left", "right"] = "right" if numbers else "left"
        table.add_column(column, justify=align, overflow="fold", no_wrap=n == 0)
    for row in rows:
        cells = (f"{x:.4g}" if isinstance(x, float) else str(x) for x in row)
        table.add_row(*map(Text, cells))
    (console or Console()).print(table)


def write_history(history: History, path: Path) -> None:
    """Write the logs of every epoch as CSV."""
    names = list(dict.fromkeys(name for row in history for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, out.getvalue())
