"""Show what a checkpoint holds and where each variable goes.

python -m checkpoints_convert.inspect_tf1 SOURCE
"""

from typing import Annotated

import typer

from checkpoints_convert.command import run_command
from kerasplm.sources import open_source
from kerasplm.zoo import Part, json_files, load, recognise_source


def main(
    source: Annotated[str, typer.Argument(help="Folder, prefix or archive.")],
    family: Annotated[
        str | None, typer.Option(help="Family, where the files do not tell.")
    ] = None,
    part: Annotated[Part | None, typer.Option(help="Network of an ELECTRA.")] = None,
) -> None:
    """Print family, configuration, and the table of variables."""
    with open_source(source) as files:
        reader = files.weights()
        found = recognise_source(files, reader, json_files(files), family, part)
        rows = [
            (theirs, str(list(reader.shapes[theirs])), ours)
            for ours, theirs in sorted(found.names.items(), key=lambda row: row[1])
        ]
        rows += [(n, str(list(reader.shapes[n])), "not read") for n in found.other]
        typer.echo(f"{found.family.name}: {found.family.title}")
        for theirs, shape, ours in rows:  # whole names, one a line, to search in
            typer.echo(f"{theirs:68} {shape:14} {ours}")
        if found.slots:
            typer.echo(f"and {len(found.slots)} optimizer slots and counters")
    model = load(source, family=family, part=part)
    for name, value in model.config.to_dict().items():
        typer.echo(f"{name:30} {value}")
    typer.echo(str(model.load_report))


if __name__ == "__main__":
    run_command(main)
