"""Write a checkpoint as a Hugging Face folder, which `transformers` loads.

python -m checkpoints_convert.export_huggingface SOURCE OUTPUT
"""

from typing import Annotated

import typer

from checkpoints_convert.command import run_command, tokenizer_of
from kerasplm import load, save_huggingface
from kerasplm.inspection import heads_in
from kerasplm.zoo import Heads, Part


def main(
    source: Annotated[str, typer.Argument(help="Folder, prefix or archive.")],
    output: Annotated[str, typer.Argument(help="Folder to write.")],
    family: Annotated[
        str | None, typer.Option(help="Family, where the files do not tell.")
    ] = None,
    part: Annotated[Part | None, typer.Option(help="Network of an ELECTRA.")] = None,
) -> None:
    """Write weights, configuration and vocabulary for transformers."""
    held = heads_in(source, family=family, part=part)
    heads: Heads | None = "pretraining" if held else None
    if "classifier" in held:
        heads = "classification"
    model = load(source, heads=heads, family=family, part=part)
    save_huggingface(model, output, tokenizer=tokenizer_of(source, family))
    typer.echo(
        f"{output}: {model.load_report.family}, {model.count_params():,} weights"
    )


if __name__ == "__main__":
    run_command(main)
