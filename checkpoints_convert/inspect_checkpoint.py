"""Print what a checkpoint holds: family, configuration, heads, every variable.

    python -m checkpoints_convert.inspect_checkpoint SOURCE

Of a TF1 checkpoint the `.index` file is enough.
"""

from operator import itemgetter

import typer

from checkpoints_convert.command import FamilyArg, PartArg, SourceArg, run_command


def main(source: SourceArg, family: FamilyArg = None, part: PartArg = None) -> None:
    """Print family, configuration, and where each variable goes."""
    from kerasplm.inspection import inspect

    found = inspect(source, family=family, part=part)
    names, shapes = found.match.names, found.shapes
    rows = [(theirs, ours) for ours, theirs in sorted(names.items(), key=itemgetter(1))]
    rows += [(name, "not read") for name in found.match.other]
    typer.echo(f"{found.match.family.name}: {found.match.family.title}")
    for theirs, ours in rows:  # whole names, one a line, to search in
        typer.echo(f"  {theirs}  {list(shapes[theirs])}  ->  {ours}")
    typer.echo("configuration:")
    for key, value in found.config.to_dict().items():
        typer.echo(f"  {key:30} {value}")
    numbers = sum(_size(shapes[theirs]) for theirs in names.values())
    typer.echo(f"{'weights':30} {numbers:,}")
    typer.echo(f"{'heads':30} {', '.join(found.heads) or 'none'}")
    typer.echo(f"{'optimizer slots':30} {len(found.match.slots)}")
    typer.echo(f"{'not in it':30} {', '.join(found.match.lacks) or 'nothing'}")


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


if __name__ == "__main__":
    run_command(main)
