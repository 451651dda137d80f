"""The command of distillation: distill."""

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from checkpoints_convert.command import FamilyArg
from kerasplm.cli_values import halves, parsed, typed_choices, value_of
from kerasplm.errors import ConfigError

_NAME = "a name from `kerasplm list`, or a folder, checkpoint prefix or archive"


def distill(
    teacher: Annotated[
        str,
        typer.Option(
            help="Folder that `finetune` wrote (its model). With the stage teacher: "
            f"what to fine-tune first, {_NAME}; with general alone: any model.",
            metavar="MODEL",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            help="Folder for the results, with one folder for each stage.",
            metavar="DIR",
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="Name from `kerasplm tasks`, or a JSON file that declares a task.",
            metavar="NAME",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Folder with the files of the task.", metavar="DIR"),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            help=f"Where the student begins: {_NAME}, such as tinybert-4l-zh.huawei.",
            metavar="MODEL",
        ),
    ] = None,
    student_config: Annotated[
        str | None,
        typer.Option(
            help="Or: random weights of this configuration, a JSON file or a name "
            "from `kerasplm list`.",
            metavar="FILE",
        ),
    ] = None,
    student_layers: Annotated[
        str | None,
        typer.Option(
            help="Or: layers of the teacher; how many of the first ones, or which, "
            "counted from 0 (0,3).",
            metavar="N",
        ),
    ] = None,
    family: FamilyArg = None,
    method: Annotated[
        str, typer.Option(help="tinybert, or theseus (BERT-of-Theseus).")
    ] = "tinybert",
    stages: Annotated[
        str | None,
        typer.Option(
            help="tinybert: teacher, general, intermediate, prediction; default the "
            "last two. theseus: teacher, replacing, finetuning; default the last two.",
            metavar="S1,S2",
        ),
    ] = None,
    layer_map: Annotated[
        str,
        typer.Option(
            help="uniform, top, bottom, or the teacher's layer, counted from 0, for "
            "each of the student's (2,5,8,11)."
        ),
    ] = "uniform",
    heads: Annotated[
        str,
        typer.Option(
            help="same asks for equal numbers of attention heads; mean compares the "
            "means over the heads."
        ),
    ] = "same",
    projection: Annotated[
        str,
        typer.Option(
            help="From the student's width to the teacher's: shared, embedding (one "
            "more for the embeddings) or per_layer."
        ),
    ] = "shared",
    attention: Annotated[
        float, typer.Option(help="Weight of the attention scores.")
    ] = 1.0,
    hidden: Annotated[float, typer.Option(help="Weight of the hidden states.")] = 1.0,
    embedding: Annotated[float, typer.Option(help="Weight of the embeddings.")] = 1.0,
    temperature: Annotated[float, typer.Option(help="Of the teacher's answers.")] = 1.0,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Weight of the true answers in the stage prediction, 0 to 1. Default: "
            "0; 1 for a regression."
        ),
    ] = None,
    compat: Annotated[
        bool,
        typer.Option(
            "--compat",
            help="Losses as in TinyBERT's code: padding counts, answers are averaged "
            "over classes.",
        ),
    ] = False,
    augmented: Annotated[
        str | None,
        typer.Option(
            help="Training file for intermediate and prediction, as `kerasplm augment` "
            "writes it.",
            metavar="FILE",
        ),
    ] = None,
    augment: Annotated[
        int | None,
        typer.Option(
            help="Make that file first, with so many copies of each row; 0: as many "
            "as the recipe of the task says.",
            min=0,
        ),
    ] = None,
    augment_model: Annotated[
        str | None,
        typer.Option(
            help=f"For --augment: a model with an MLM head, {_NAME}.", metavar="MODEL"
        ),
    ] = None,
    cache_answers: Annotated[
        bool,
        typer.Option(
            "--cache-answers", help="Ask the teacher once and keep its answers."
        ),
    ] = False,
    replace: Annotated[
        float, typer.Option(help="theseus: probability of a replacement.")
    ] = 0.5,
    replace_schedule: Annotated[
        str,
        typer.Option(help="theseus: constant, or linear (it rises to 1 halfway)."),
    ] = "constant",
    epochs: Annotated[
        int | None, typer.Option(help="In every stage on the task. Default: recipe.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Likewise. Default: 32.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Likewise. Default: 5e-5, then 3e-5.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens per input. Default: the teacher's.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16. Default: float32."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many evaluations without a better score."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, data order, dropout.")] = 0,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other choice of the training, such as evaluations=4; of one "
            "stage only: intermediate.epochs=10. May be given several times.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    general_data: Annotated[
        list[str] | None,
        typer.Option(
            help="For general: files of `kerasplm pretraining-data`. May be given "
            "several times.",
            metavar="PATH",
        ),
    ] = None,
    general_teacher: Annotated[
        str | None,
        typer.Option(
            help="For general: the pre-trained teacher. Default: --teacher.",
            metavar="MODEL",
        ),
    ] = None,
    general_steps: Annotated[
        int | None, typer.Option(help="For general: number of updates.")
    ] = None,
    general_set: Annotated[
        list[str] | None,
        typer.Option(
            help="For general: any choice of `kerasplm pretrain`, such as "
            "batch_size=256, max_length=128, learning_rate=5e-5, save_steps=1000. May "
            "be given several times.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    general_masked: Annotated[
        bool,
        typer.Option(
            "--general-masked", help="For general: mask tokens (TinyBERT v1)."
        ),
    ] = False,
    strategy: Annotated[
        str,
        typer.Option(help="For general: auto, cpu, mirrored, multi_worker or tpu."),
    ] = "auto",
) -> None:
    """Train a small student to do what a large teacher does.

    TinyBERT: general distillation on raw text, then on a task the inside of the layers
    (intermediate), then the answers (prediction). BERT-of-Theseus: modules of the
    student replace the teacher's (replacing), then it is fine-tuned alone
    (finetuning). The same command again goes on after a stop. Every stage writes what
    `finetune` (general: `pretrain`) writes; at the end comparison.md, .json and .png
    tell size, speed and score of teacher and student.
    """
    from kerasplm.distillation.choices import Choices
    from kerasplm.distillation.job import DistillationJob
    from kerasplm.tasks import task_named

    like = [] if task is None else [task_named(task)]
    plain = [text for text in more or [] if "." not in halves(text)[0]]
    changes: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "max_length": max_length,
        "precision": precision,
        "patience": patience,
        "seed": seed,
        **parsed(plain, like),
    }
    stage_changes: dict[str, dict[str, Any]] = {}
    for text in more or []:
        name, value = halves(text)
        stage, dot, field = name.partition(".")
        if dot:
            values = stage_changes.setdefault(stage, {})
            values[field] = value_of(field, value, like)
    job = DistillationJob(
        teacher=teacher,
        output=output,
        task=task,
        data=data,
        student=student,
        student_config=student_config,
        student_layers=_layers(student_layers),
        family=family,
        method=method,  # type: ignore[arg-type]
        stages=tuple(name.strip() for name in stages.split(",")) if stages else (),
        choices=Choices(
            layer_map=_map(layer_map),
            projection=projection,
            heads=heads,
            attention=attention,
            hidden=hidden,
            embedding=embedding,
            temperature=temperature,
            alpha=alpha,
            compat=compat,
        ),
        changes={name: x for name, x in changes.items() if x is not None},
        stage_changes=stage_changes,
        augmented=augmented,
        cache_answers=cache_answers,
        replace=replace,
        replace_schedule=replace_schedule,  # type: ignore[arg-type]
        general_data=general_data,
        general_teacher=general_teacher,
        general=_general(general_steps, general_set or [], seed),
        general_masked=general_masked,
        strategy=strategy,
    )
    if (augment is None) != (augment_model is None) or (augment_model and augmented):
        raise ConfigError("--augment needs --augment-model and no --augmented")
    if augment is not None and augment_model is not None:
        from kerasplm.distillation.augmenting import augmented_file
        from kerasplm.progress import counting

        with counting("records") as bar:
            file = augmented_file(job, augment_model, augment, seed, bar.update)
        job = dataclasses.replace(job, augmented=str(file))
    job.run()
    typer.echo(f"{Path(output)}: done")


def _numbers(text: str) -> list[int] | None:
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts] if all(map(str.isdecimal, parts)) else None


def _layers(text: str | None) -> int | list[int] | None:
    """Return a number of layers, or the layers."""
    if text is None:
        return None
    found = _numbers(text)
    if found is None:
        raise ConfigError(f"--student-layers: expected N or N1,N2, found {text!r}")
    return found if "," in text else found[0]


def _map(text: str) -> str | list[int]:
    return _numbers(text) or text


def _general(steps: int | None, more: Sequence[str], seed: int) -> Any:
    """Return the choices of general distillation."""
    if steps is None:
        if more:
            raise ConfigError("--general-set needs --general-steps")
        return None
    from kerasplm.distillation.recipes import GENERAL
    from kerasplm.pretraining.training_settings import Settings

    hints = typing.get_type_hints(Settings)
    del hints["steps"]

    def check(name: str) -> None:
        if name not in hints:
            raise ConfigError(f"--general-set {name}: there are {', '.join(hints)}")

    values = {"seed": seed, **GENERAL, **typed_choices(more, hints, check)}
    return Settings(steps=steps, **values)
