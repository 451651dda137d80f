"""Does every model of the catalogue work at full size?

    python -m benchmarks.every_model [PATTERN] [--keep-going] [--write FILE]

For each row: build the networks of its configuration, count their weights, compare the
names of their variables with the released file or with the description of the
original, fill them with random numbers, write them as a TF1 checkpoint and as a Hugging
Face folder, load both, and compare bit by bit. Needs 3 GB of disk and 8 GB of memory;
nothing is downloaded. Ends with status 1 if anything is not as it should be.
"""

import dataclasses
import gc
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import keras
import typer
from rich.console import Console

from checkpoints_convert.command import run_command
from kerasplm.catalogue import CATALOGUE, Entry, Manual, list_models
from kerasplm.checkpoint import components
from kerasplm.errors import ConfigError, FamilyError
from kerasplm.files import write_text
from kerasplm.reporting import print_table
from tests.every_model import (
    EQUAL,
    NOT_IN_TRANSFORMERS,
    Part,
    difference,
    models_of,
    parts_of,
    through_huggingface,
    through_tf1,
)
from tests.variable_lists import described, released

COLUMNS = ("name", "parameters", "= catalogue", "TF1 variables", "TF1 names")
COLUMNS += ("TF1 round trip", "HF round trip", "seconds")
NAMES = ("released list", "spec list")


@dataclasses.dataclass(frozen=True)
class Row:
    """What was found for one model."""

    name: str
    parameters: str = ""
    as_catalogued: str = "no"
    variables: int = 0
    names: str = "not compared"
    tf1: str = "not compared"
    huggingface: str = "not compared"
    seconds: int = 0

    @property
    def good(self) -> bool:
        """Whether every cell is as it should be."""
        refused = self.huggingface.startswith("not in transformers: ")
        return (
            self.as_catalogued == "yes"
            and self.names in NAMES
            and self.tf1 == EQUAL
            and (refused or self.huggingface == EQUAL)
        )


def check(name: str) -> Row:
    """Check one model; its files are gone afterwards."""
    begin = time.perf_counter()
    entry, parts = CATALOGUE[name], parts_of(name)
    models = models_of(parts, seed=len(name))
    counts = [next(iter(components(m).values())).count_params() for m in models]
    expected = [entry.parameters, entry.generator_parameters][: len(parts)]
    found = {v for p, m in zip(parts, models, strict=True) for v in p.variables(m)}
    with tempfile.TemporaryDirectory() as folder:
        back = through_tf1(parts, models, Path(folder))
        tf1 = [difference(m, again) for m, again in zip(models, back, strict=True)]
        gc.collect()
    both = [_huggingface(p, m) for p, m in zip(parts, models, strict=True)]
    return Row(
        name=name,
        parameters=" + ".join(f"{count:,}" for count in counts),
        as_catalogued="yes" if counts == expected else f"no: {expected}",
        variables=len(found),
        names=_names(parts, models),
        tf1=_all(tf1),
        huggingface=_all(both),
        seconds=round(time.perf_counter() - begin),
    )


def _names(parts: list[Part], models: list[keras.Model]) -> str:
    """Return which list the names and shapes of all variables are equal to."""
    lists = set()
    for part, model in zip(parts, models, strict=True):
        variables = part.variables(model)
        spec = described(part.row, part.family, part.fields, part.heads)
        real = released(part.row)
        if variables != spec or (real is not None and variables != real):
            other = set(variables.items()) ^ set((real or spec).items())
            return f"differ: {sorted(other)[:3]}"
        lists.add(NAMES[real is None])
    return _all(list(lists))


def _huggingface(part: Part, model: keras.Model) -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return difference(model, through_huggingface(part, model, Path(folder)))
        except FamilyError:
            if part.family not in NOT_IN_TRANSFORMERS:
                raise
            return f"not in transformers: {NOT_IN_TRANSFORMERS[part.family]}"


def _all(cells: list[str]) -> str:
    return "; ".join(dict.fromkeys(cells))


def main(
    pattern: Annotated[str, typer.Argument(help="Names, such as '*electra*'.")] = "*",
    keep_going: Annotated[
        bool, typer.Option(help="Go on after a row that cannot be checked.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write the table of all models as Markdown.")
    ] = None,
) -> None:
    """Check the models and print a table."""
    names = list_models(pattern)
    if not names:
        raise ConfigError(f"{pattern}: no such name in the catalogue")
    if write is not None and len(names) != len(CATALOGUE):
        raise ConfigError(f"{write}: only the table of all models is written")
    rows = []
    for n, name in enumerate(names, 1):
        try:
            row = check(name)
        except Exception as error:
            if not keep_going:
                raise
            row = Row(name=name, tf1=f"{type(error).__name__}: {error}")
        rows.append(row)
        gc.collect()
        state = "good" if row.good else f"BAD {row}"
        typer.echo(f"[{n}/{len(names)}] {name}: {state}, {row.seconds} s", err=True)
    wide = Console(width=max(190, Console().width))
    cells = [dataclasses.astuple(row) for row in rows]
    print_table("Every model", COLUMNS, cells, wide)
    bad = [row.name for row in rows if not row.good]
    if bad:
        typer.echo(f"{len(bad)} of {len(rows)} are not as they should be", err=True)
        sys.exit(1)
    if write is not None:
        write_text(write, markdown(rows))


INTRODUCTION = """\
# Every model

The {count} released models that `kerasplm.load` knows by name, and what was checked of
each. The networks of its configuration were built at full size; their weights counted
and compared with the catalogue; names and shapes of all TF1 variables compared with
those in the released file ("released list") or with a list typed from the description
of the original code ("spec list", `tests/variable_lists.py`); then filled with random
numbers, written as a TF1 checkpoint and for transformers ("HF"), loaded again, and
configuration and weights compared bit by bit. The released weights themselves are not
part of this check. ELECTRA has two networks, discriminator + generator; the embeddings
that they share are counted in both.

`python -m benchmarks.every_model --write docs/catalogue.md` writes this page; it took
{minutes} minutes on {cores} CPU cores with TensorFlow {tensorflow} and Keras {keras}.
`tests/test_every_model.py` does the same with small networks of the same structure.
"""


def markdown(rows: list[Row]) -> str:
    """Return the page: an introduction, the models, what was checked."""
    import tensorflow as tf

    text = INTRODUCTION.format(
        count=len(rows),
        minutes=round(sum(row.seconds for row in rows) / 60),
        cores=os.cpu_count(),
        tensorflow=tf.__version__,
        keras=keras.__version__,
    )
    cells = [(f"`{row.name}`", *dataclasses.astuple(row)[2:]) for row in rows]
    checked = _table((COLUMNS[0], *COLUMNS[2:]), cells)
    models = models_table([row.name for row in rows])
    return f"{text}\n## Models\n\n{models}\n## What was checked\n\n{checked}"


def models_table(names: list[str]) -> str:
    """Return what the catalogue says of each model."""
    columns = ("name", "title", "family", "parameters without heads", "heads")
    columns += ("licence", "first source")
    rows = []
    for name in names:
        entry = CATALOGUE[name]
        counts = filter(None, (entry.parameters, entry.generator_parameters))
        parts = (*entry.heads, *(["generator"] if entry.generator else []))
        rows.append(
            (
                f"`{name}`",
                entry.title,
                f"`{entry.family}`",
                " + ".join(f"{count:,}" for count in counts),
                ", ".join(parts),
                entry.licence,
                _source(entry),
            )
        )
    return _table(columns, rows)


def _source(entry: Entry) -> str:
    first = entry.sources[0]
    how = "by hand" if isinstance(first, Manual) else "download"
    place = getattr(first, "repo", "") or getattr(first, "host", "archive")
    return f"{how}: [{place}]({first.url})"


def _table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    marks = ["---:" if isinstance(cell, int) else "---" for cell in rows[0]]
    lines = [columns, marks, *rows]
    cells = ([str(c).replace("|", r"\|") or "–" for c in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


if __name__ == "__main__":
    run_command(main)
