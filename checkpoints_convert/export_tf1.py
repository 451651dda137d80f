"""Write any checkpoint that kerasplm loads as a clean TF1 checkpoint.

    python -m checkpoints_convert.export_tf1 SOURCE OUTPUT/bert_model.ckpt

Optimizer slots go, names and values stay. Of an ELECTRA checkpoint both networks are
written. What no kerasplm model has a weight for (the head of another task, for
instance) is left out and listed.
"""

import contextlib
from pathlib import Path
from typing import Annotated

import keras
import typer

from checkpoints_convert.command import run_command, tokenizer_of
from kerasplm import load, save_checkpoint
from kerasplm.errors import FamilyError
from kerasplm.families import family_named
from kerasplm.inspection import heads_in
from kerasplm.tokenizing import save_tokenizer


def load_all(source: str, family: str | None) -> list[keras.Model]:
    """Return the models that together hold every weight of the checkpoint."""
    held = heads_in(source, family=family)
    models = []
    if set(held) - {"classifier"}:
        models.append(load(source, heads="pretraining", family=family))
    if "classifier" in held:
        models.append(load(source, heads="classification", family=family))
    models = models or [load(source, family=family)]
    if family_named(models[0].load_report.family).part == "discriminator":
        with contextlib.suppress(FamilyError):  # saved without the generator
            models.append(load(source, heads="pretraining", part="generator"))
    return models


def main(
    source: Annotated[str, typer.Argument(help="Folder, prefix or archive.")],
    output: Annotated[str, typer.Argument(help="Prefix, such as out/bert_model.ckpt.")],
    family: Annotated[
        str | None, typer.Option(help="Family, where the files do not tell.")
    ] = None,
) -> None:
    """Write a clean TF1 checkpoint with configuration and vocabulary."""
    models = load_all(source, family)
    save_checkpoint(models, output)
    tokenizer = tokenizer_of(source, family)
    if tokenizer is not None:
        save_tokenizer(tokenizer, Path(output).parent)
    reports = [model.load_report for model in models]
    written = {name for report in reports for name in report.loaded.values()}
    left = {name for report in reports for name in report.unused} - written
    typer.echo(f"{output}: {len(written)} variables of {reports[0].family}")
    for name in sorted(left):
        typer.echo(f"left out: {name}")


if __name__ == "__main__":
    run_command(main)
