"""How the scripts of this folder run: one line for bad input, status 2."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from kerasplm import load_tokenizer
from kerasplm.errors import PLMError, describe
from kerasplm.sources import open_source


def run_command(function: Callable[..., None]) -> None:
    """Parse the command line and run the function."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=function.__doc__)(function)
    try:
        app()
    except (PLMError, OSError) as error:
        typer.echo(f"error: {describe(error)}", err=True)
        sys.exit(2)


def tokenizer_of(source: str, family: str | None) -> Any:
    """Return the tokenizer beside a checkpoint; None where there is no vocabulary."""
    with open_source(source) as files:
        if files.vocab() is None:
            return None
    return load_tokenizer(source, in_graph=False, family=family)
