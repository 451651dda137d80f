"""The command `augment`: the training data of a task with reworded copies."""

from typing import Annotated, Any, Literal

import typer

from checkpoints_convert.command import FamilyArg, PartArg


def augment(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Name from `kerasplm list`, or a folder, checkpoint prefix or "
            "archive, with an MLM head.",
            metavar="MODEL",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(
            help="Name from `kerasplm tasks`, or a JSON file that declares a task.",
            metavar="NAME",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            help="Folder with the files of the task, or its training file.",
            metavar="DIR",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            help="File to write, in the format of the training file.", metavar="FILE"
        ),
    ],
    copies: Annotated[
        int | None,
        typer.Option(
            "--copies",
            "--N",
            help="Draws for each text; of a pair one text changes at a time. Default: "
            "30, 20 or 10, the fewer the more rows there are.",
        ),
    ] = None,
    candidates: Annotated[
        int, typer.Option("--candidates", "--M", help="Most substitutes of a word.")
    ] = 15,
    probability: Annotated[
        float,
        typer.Option("--probability", "--p", help="With which a word is replaced."),
    ] = 0.4,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    language: Annotated[
        Literal["auto", "zh", "en"],
        typer.Option(help="Of the texts. auto: what they are mostly written in."),
    ] = "auto",
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Text file of word vectors: their nearest words are substitutes, too.",
            metavar="FILE",
        ),
    ] = None,
    vectors_limit: Annotated[
        int, typer.Option(help="Vectors to read, the first ones of the file.")
    ] = 100_000,
    fill: Annotated[
        Literal["joint", "beam"],
        typer.Option(
            help="How words of several tokens are found: beam gives better ones and "
            "takes many times as long."
        ),
    ] = "joint",
    mask_share: Annotated[
        float,
        typer.Option(
            help="Share of a text's tokens that are masked at once; 0 masks one word "
            "at a time."
        ),
    ] = 0.15,
    batch_size: Annotated[int, typer.Option(help="Sequences that run at once.")] = 32,
    max_length: Annotated[
        int | None,
        typer.Option(help="Tokens per sequence. Default: the model's, at most 512."),
    ] = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Write a task's training data with reworded copies of each row.

    Words are replaced by what a masked language model proposes, as TinyBERT does for
    distillation; in Chinese whole words. Ended and called again, it goes on where it
    was. Train on the file with `kerasplm finetune --train FILE`.
    """
    import kerasplm as plm
    from kerasplm.augmentation import augment_task
    from kerasplm.augmentation.layouts import check_task
    from kerasplm.progress import counting
    from kerasplm.reporting import print_table
    from kerasplm.tasks import task_named

    wanted = task_named(task)
    check_task(wanted)  # before a model is loaded
    loading: dict[str, Any] = {"family": family, "part": part}
    network = plm.load(model, heads="pretraining", **loading)
    tokenizer = plm.load_tokenizer(model, in_graph=False, **loading)
    with counting("records") as bar:
        found = augment_task(
            wanted,
            data,
            output,
            network,
            tokenizer,
            copies=copies,
            candidates=candidates,
            probability=probability,
            seed=seed,
            language=language,
            vectors=vectors,
            vectors_limit=vectors_limit,
            batch_size=batch_size,
            max_length=max_length,
            mask_share=mask_share,
            fill=fill,
            progress=bar.update,
        )
    print_table(str(found.output), ("", ""), found.table())
    pairs = [(("text", old), ("reworded", new)) for old, new in found.samples]
    print_table("samples", ("", ""), [row for pair in pairs for row in pair])
