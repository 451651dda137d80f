"""The command line: `kerasplm --help`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from checkpoints_convert import convert, inspect_checkpoint, verify
from checkpoints_convert.command import FamilyArg, PartArg
from kerasplm import (
    cli_augment,
    cli_benchmark,
    cli_distill,
    cli_finetune,
    cli_generate,
    cli_predict,
    cli_pretrain,
    cli_pretraining_data,
    cli_similar,
)
from kerasplm._version import VERSION
from kerasplm.errors import CatalogueError, ConfigError, PLMError, describe

app = typer.Typer(
    name="kerasplm",
    help="Chinese pre-trained language models for TensorFlow 2 / Keras 3.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_console = Console(stderr=True)

ModelArg = Annotated[
    str,
    typer.Option(
        "--model",
        help="Name from `kerasplm list`, or a folder, checkpoint prefix or archive.",
        metavar="MODEL",
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Version."),
    ] = False,
) -> None:
    pass


app.command()(cli_finetune.finetune)
app.command()(cli_finetune.evaluate)
app.command()(cli_finetune.submit)
app.command()(cli_predict.predict)
app.command()(cli_predict.embed)
app.command()(cli_similar.similar)
app.command()(cli_generate.generate)
app.command()(cli_finetune.tasks)
app.command()(cli_augment.augment)
app.command()(cli_pretraining_data.pretraining_data)
app.command()(cli_pretrain.pretrain)
app.command()(cli_distill.distill)
app.command()(cli_benchmark.benchmark)


@app.command()
def export(
    model: ModelArg,
    output: Annotated[str, typer.Option(help="Folder to write.", metavar="DIR")],
    family: FamilyArg = None,
    max_length: Annotated[
        int | None, typer.Option(help="Truncate longer inputs. Default: positions.")
    ] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Strings out: what `generate` writes.")
    ] = False,
    pair: Annotated[
        bool, typer.Option("--pair", help="With --generate: read pairs of texts.")
    ] = False,
    attention: cli_generate.AttentionArg = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="With --generate: an option of `generate`, such as max_length=32 "
            "(tokens to generate), beams=4, samples=10, top_k=5 or "
            """suppress='["[UNK]"]'. May be given several times.""",
            metavar="NAME=VALUE",
        ),
    ] = None,
) -> None:
    """Export a model as a SavedModel that takes strings.

    A checkpoint with a classifier gives labels and probabilities, one that `finetune`
    trained to write the texts of its task, any other one the vectors of its encoder,
    with --generate the texts that it writes.
    """
    from kerasplm import exporting, inspection, tokenizing, zoo

    if generate:
        cli_generate.export(
            model, output, more or [], attention, pair, max_length, family
        )
        typer.echo(f"{output}: SavedModel, signature serving_default")
        return
    if more or pair or attention:
        raise ConfigError("--set, --pair and --attention are for --generate")
    heads: Any = inspection.task_kind(model, family=family)
    if heads == "generation":
        cli_generate.export_task(model, output, max_length, family)
        typer.echo(f"{output}: SavedModel, signature serving_default")
        return
    network = zoo.load(model, heads=heads, family=family)
    tokenizer = tokenizing.load_tokenizer(model, family=family)
    exporting.export(network, tokenizer, output, max_length=max_length)
    typer.echo(f"{output}: SavedModel, signature serving_default")


@app.command("list")
def list_models(
    pattern: Annotated[
        str, typer.Argument(help='Only these names, such as "*electra*".')
    ] = "*",
) -> None:
    """List the released models that load by name."""
    from kerasplm import catalogue
    from kerasplm.reporting import print_table

    names = catalogue.list_models(pattern)
    if not names:
        raise CatalogueError(
            f"no model is named like {pattern!r}; `kerasplm list` shows all"
        )
    entries = [catalogue.model_info(name) for name in names]
    rows = [
        (
            entry.name,
            entry.family,
            f"{entry.parameters / 1e6:.1f} M",
            ", ".join(entry.heads) or "none",
            "yes" if entry.downloads else "by hand",
            entry.licence,
        )
        for entry in entries
    ]
    columns = ("name", "family", "weights", "heads", "downloads", "licence")
    print_table(f"{len(rows)} models", columns, rows)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="Name from `kerasplm list`.")],
) -> None:
    """Say all about a released model: where it lies, what it holds, what to know."""
    from kerasplm.catalogue import model_info

    typer.echo(model_info(name).describe())


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name from `kerasplm list`.")],
    part: PartArg = None,
    cache: Annotated[
        str | None,
        typer.Option(help="Folder of all models. Default: KERASPLM_CACHE."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only say where it lies already.")
    ] = False,
) -> None:
    """Download a released model, or go on with it, and print its folder."""
    from kerasplm import catalogue
    from kerasplm.download import download

    entry = catalogue.model_info(name)
    folder = download(
        entry.name, entry.sources, part=part, cache=cache, offline=offline or None
    )
    typer.echo(str(folder))


app.command("inspect")(inspect_checkpoint.main)
app.command("convert")(convert.main)
app.command("verify")(verify.main)


@app.command()
def demo(
    output: Annotated[
        str, typer.Option(help="Folder for the results.", metavar="DIR")
    ] = "demo_output",
) -> None:
    """Run the whole path on the small model and the small data in this package.

    Load a TF1 checkpoint, fine-tune it on reviews, export it, and let the exported
    model answer sentences.
    """
    from kerasplm.demo import run

    run(Path(output))


def main() -> None:
    """Run a command; bad input ends with one line and status 2."""
    try:
        app()
    except (PLMError, OSError) as error:
        text = f"[bold red]error:[/] {escape(describe(error))}"
        _console.print(text, highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
