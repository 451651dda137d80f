"""Write any checkpoint that kerasplm loads as a clean TF1 checkpoint.

    python -m checkpoints_convert.export_tf1 SOURCE OUTPUT/bert_model.ckpt

Optimizer slots go, names and values stay. Of an ELECTRA checkpoint both networks are
written.
"""

import contextlib
from pathlib import Path
from typing import Annotated

import keras
import typer

from checkpoints_convert.command import run_command
from kerasplm import load, save_checkpoint
from kerasplm.errors import FamilyError
from kerasplm.files import write_bytes
from kerasplm.sources import open_source


def load_all(source: str, family: str | None) -> list[keras.Model]:
    """Return the models that together hold every weight of the checkpoint."""
    encoder = load(source, family=family)
    heads = encoder.load_report.heads
    if "classifier" in heads:
        return [load(source, heads="classification", family=family)]
    if not heads:
        return [encoder]
    models = [load(source, heads="pretraining", family=family)]
    if encoder.load_report.family == "electra":
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
    with open_source(source) as files:
        vocab = files.vocab()
        if vocab is not None:
            write_bytes(Path(output).parent / "vocab.txt", vocab.read_bytes())
    count = sum(len(model.load_report.loaded) for model in models)
    typer.echo(f"{output}: {count} weights of {models[0].load_report.family}")


if __name__ == "__main__":
    run_command(main)
