"""Show what a checkpoint holds and where each variable goes.

python -m checkpoints_convert.inspect_tf1 SOURCE

Of a TF1 checkpoint the `.index` file is enough.
"""

from operator import itemgetter
from typing import Annotated

import typer

from checkpoints_convert.command import run_command
from kerasplm.checkpoint import heads_in
from kerasplm.inspection import inspect
from kerasplm.zoo import Part


def main(
    source: Annotated[str, typer.Argument(help="Folder, prefix or archive.")],
    family: Annotated[
        str | None, typer.Option(help="Family, where the files do not tell.")
    ] = None,
    part: Annotated[Part | None, typer.Option(help="Network of an ELECTRA.")] = None,
) -> None:
    """Print family, configuration, and the table of variables."""
    found = inspect(source, family=family, part=part)
    names, shapes = found.match.names, found.shapes
    rows = [(theirs, ours) for ours, theirs in sorted(names.items(), key=itemgetter(1))]
    rows += [(name, "not read") for name in found.match.other]
    typer.echo(f"{found.match.family.name}: {found.match.family.title}")
    for theirs, ours in rows:  # whole names, one a line, to search in
        typer.echo(f"{theirs:68} {list(shapes[theirs])!s:14} {ours}")
    if found.match.slots:
        typer.echo(f"and {len(found.match.slots)} optimizer slots and counters")
    for name, value in found.config.to_dict().items():
        typer.echo(f"{name:30} {value}")
    typer.echo(f"{'heads':30} {', '.join(heads_in(found.match)) or 'none'}")
    typer.echo(f"{'not in it':30} {', '.join(found.match.lacks) or 'nothing'}")


if __name__ == "__main__":
    run_command(main)
