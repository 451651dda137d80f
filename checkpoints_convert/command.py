"""What the commands have in common."""

import contextlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kerasplm.errors import FamilyError, PLMError, describe

SourceArg = Annotated[
    str,
    typer.Argument(
        help="Name from `kerasplm list`, or folder, checkpoint prefix, file, archive.",
        metavar="SOURCE",
    ),
]
FamilyArg = Annotated[
    str | None,
    typer.Option(help="Family of the model, where its files do not tell."),
]
PartArg = Annotated[
    str | None, typer.Option(help="discriminator or generator of an ELECTRA.")
]


def run_command(function: Callable[..., None]) -> None:
    """Run one command as a script; bad input ends with one line and status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    try:
        app()
    except (PLMError, OSError) as error:
        typer.echo(f"error: {describe(error)}", err=True)
        sys.exit(2)


def load_all(source: str, family: str | None, part: Any = None) -> list[Any]:
    """Return the models that together hold every weight of a checkpoint.

    Args:
        source: As for `kerasplm.load`.
        family: As for `kerasplm.load`.
        part: As for `kerasplm.load`; None gives both networks of an ELECTRA.
    """
    import kerasplm as plm
    from kerasplm.families import family_named
    from kerasplm.inspection import heads_in

    held = heads_in(source, family=family, part=part)
    models = []
    if set(held) - {"classifier"}:
        models.append(plm.load(source, heads="pretraining", family=family, part=part))
    if "classifier" in held:
        models.append(
            plm.load(source, heads="classification", family=family, part=part)
        )
    models = models or [plm.load(source, family=family, part=part)]
    own = models[0].load_report.family
    if part is None and own and family_named(own).part == "discriminator":
        with contextlib.suppress(FamilyError):  # saved without the generator
            models.append(plm.load(source, heads="pretraining", part="generator"))
    return models


def tokenizer_of(source: str, family: str | None, in_graph: bool = False) -> Any:
    """Return the tokenizer beside a checkpoint; None where there is no vocabulary."""
    import kerasplm as plm
    from kerasplm.sources import open_source

    with open_source(source) as files:
        if files.vocab() is None:
            return None
    return plm.load_tokenizer(source, in_graph=in_graph, family=family)
