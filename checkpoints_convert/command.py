"""How the scripts of this folder run: one line for bad input, status 2."""

import sys
from collections.abc import Callable

import typer

from kerasplm.errors import PLMError, describe


def run_command(function: Callable[..., None]) -> None:
    """Parse the command line and run the function."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=function.__doc__)(function)
    try:
        app()
    except (PLMError, OSError) as error:
        typer.echo(f"error: {describe(error)}", err=True)
        sys.exit(2)
