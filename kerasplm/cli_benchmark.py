"""The command `benchmark`: how fast kerasplm is on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from checkpoints_convert.command import FamilyArg, PartArg
from kerasplm.cli_values import numbers
from kerasplm.errors import ConfigError

_SUFFIXES = (".json", ".md", ".png")


def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names from `kerasplm list`, folders, checkpoint prefixes, archives; "
            "or shapes with random weights: base, small, tiny, albert-tiny, "
            "electra-small, nezha. Default: tiny.",
            metavar="[MODEL]...",
        ),
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            help="Your texts, one on a line. Default: generated Chinese sentences "
            "with lengths as of real ones.",
            metavar="FILE",
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Texts of the stream.")] = 512,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="In what is computed.")
    ] = "float32",
    batch_size: Annotated[int, typer.Option(help="Texts that run at once.")] = 32,
    max_length: Annotated[int, typer.Option(help="Tokens of a text at most.")] = 128,
    repeats: Annotated[
        int, typer.Option(help="Measurements of everything; medians count.")
    ] = 3,
    only: Annotated[
        str | None,
        typer.Option(
            help="Some of roof, start, stream, latency, tokenizers, curves. Default: "
            "all; curves with --lengths or --batches.",
            metavar="M1,M2",
        ),
    ] = None,
    lengths: Annotated[
        str | None,
        typer.Option(
            help="Of the curves, in tokens: speed and memory of texts without padding. "
            "Default: 32,128,512.",
            metavar="N1,N2",
        ),
    ] = None,
    batches: Annotated[
        str | None,
        typer.Option(help="Of the curves, in texts. Default: 1,32.", metavar="N1,N2"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Of TensorFlow. Default: one for each core.")
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            help="Write the results: .json, .md or .png (with --lengths also "
            "NAME_curves.png). May be given several times.",
            metavar="FILE",
        ),
    ] = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Measure speed, latency, memory and start-up on this machine.

    From raw strings to labels, tokenization included, in the given order and sorted by
    length; the share of the machine's rate of matrix products that the tokens, without
    padding, take.
    """
    outputs = _outputs(output or [])
    if count < 1:
        raise ConfigError(f"--count must be at least 1. Received: {count}")
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads must be at least 1. Received: {threads}")
    from rich.console import Console

    from kerasplm.benchmarking import showing
    from kerasplm.benchmarking.running import MEASURES, Plan, run
    from kerasplm.benchmarking.texts import generated, read
    from kerasplm.reporting import print_table

    measures = MEASURES if lengths or batches else MEASURES[:-1]
    choices: dict[str, Any] = {
        "measures": only and [name.strip() for name in only.split(",")],
        "lengths": numbers("--lengths", lengths, "32,128"),
        "batches": numbers("--batches", batches, "32,128"),
    }
    given = {name: value for name, value in choices.items() if value}
    if only and "curves" not in choices["measures"] and (lengths or batches):
        raise ConfigError(
            "--lengths and --batches are of the curves: --only lacks them"
        )
    drawn = {"stream", "curves"} & {*(choices["measures"] or measures)}
    if not drawn and any(path.suffix == ".png" for path in outputs):
        raise ConfigError(
            "--output: a picture shows stream or curves: --only lacks both"
        )
    plan = Plan(
        texts=generated(count) if texts is None else read(texts, count),
        precision=precision,
        batch_size=batch_size,
        max_length=max_length,
        repeats=repeats,
        **{"measures": measures, **given},
    )
    if threads is not None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    loading = {"family": family, "part": part}
    console = Console(stderr=True, highlight=False)
    found = run(
        models or ["tiny"],
        plan,
        lambda text: console.print(text, markup=False, soft_wrap=True),
        **{name: value for name, value in loading.items() if value is not None},
    )
    for title, columns, rows in showing.tables(found):
        print_table(title, columns, rows)
    _write(outputs, found)


def _outputs(names: list[str]) -> list[Path]:
    """Check the names before anything is measured."""
    paths = [Path(name).expanduser() for name in names]
    for path in paths:
        if path.suffix not in _SUFFIXES:
            raise ConfigError(
                f"{path}: expected a name that ends in {', '.join(_SUFFIXES)}"
            )
        if path.is_dir():
            raise ConfigError(f"{path}: expected a file, found a folder")
    return paths


def _write(paths: list[Path], found: Mapping[str, Any]) -> None:
    """Write what was measured, each file in its format."""
    from kerasplm.benchmarking import showing
    from kerasplm.files import write_bytes, write_json, write_text

    for path in paths:
        if path.suffix == ".json":
            write_json(path, found)
        elif path.suffix == ".md":
            write_text(path, showing.markdown(found))
        else:
            drawn = showing.pictures(found)
            for n, (name, png) in enumerate(drawn.items()):
                more = path.with_name(f"{path.stem}_{name}.png")
                write_bytes(path if n == 0 else more, png)
