"""What the commands have in common."""

import contextlib
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

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
    Literal["discriminator", "generator"] | None,
    typer.Option(help="Network of an ELECTRA. Default: what there is."),
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


def load_all(source: str, family: str | None, part: Any = None) -> dict[str, Any]:
    """Return the models that together hold every weight of a checkpoint.

    Args:
        source: As for `kerasplm.load`.
        family: As for `kerasplm.load`.
        part: As for `kerasplm.load`; None gives both networks of an ELECTRA.

    Returns:
        "network" with its pre-training heads, "task" if it holds a task model, and
        "generator" if there is one besides.
    """
    import kerasplm as plm
    from kerasplm.heads import HEADS
    from kerasplm.inspection import inspect

    try:
        found = inspect(source, family=family, part=part)
    except FamilyError:
        if part is not None:
            raise
        with contextlib.suppress(PLMError):  # a generator alone
            return load_all(source, family, "generator")
        raise
    options: dict[str, Any] = {"family": family, "part": part}
    models = {}
    pretrained = set(found.heads) & set(HEADS)
    if pretrained or found.kind is None:
        heads: Any = "pretraining" if pretrained else None
        models["network"] = plm.load(source, heads=heads, **options)
    if found.kind is not None:
        heads = found.kind
        models["task"] = plm.load(source, heads=heads, **options)
    if part is None and found.match.family.part == "discriminator":
        with contextlib.suppress(FamilyError):  # saved without its generator
            generator = plm.load(source, heads="pretraining", part="generator")
            models["generator"] = generator
    return models


def tokenizer_of(
    source: str, family: str | None, part: Any = None, in_graph: bool = False
) -> Any:
    """Return the tokenizer beside a checkpoint; None where there is no vocabulary."""
    import kerasplm as plm
    from kerasplm.sources import open_source

    with open_source(source, part) as files:
        if files.vocab() is None:
            return None
    return plm.load_tokenizer(source, in_graph=in_graph, family=family, part=part)
