"""The commands of fine-tuning: finetune, evaluate, submit, tasks."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checkpoints_convert.command import FamilyArg
from kerasplm.cli_files import PrecisionArg
from kerasplm.cli_values import halves, parsed, value_of
from kerasplm.errors import ConfigError

if TYPE_CHECKING:
    from kerasplm.evaluating import Evaluation

_Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        help="Name from `kerasplm list`, or a folder, checkpoint prefix or archive. "
        "May be given several times.",
        metavar="MODEL",
    ),
]
_Trained = Annotated[
    str, typer.Option(help="Folder that `finetune` wrote.", metavar="DIR")
]
_OtherTask = Annotated[
    str | None,
    typer.Option(
        help="Another task of the same kind, such as clue_diagnostics. Default: that "
        "of the model.",
        metavar="NAME",
    ),
]
_Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Any other choice, such as schedule=electra or max_answer_length=50; "
        "`kerasplm tasks NAME` lists them. May be given several times.",
        metavar="NAME=VALUE",
    ),
]


def finetune(
    model: _Models,
    data: Annotated[
        str,
        typer.Option(
            help="Folder with the files of the task; with --suite a folder with one "
            "for each task.",
            metavar="DIR",
        ),
    ],
    output: Annotated[str, typer.Option(help="Folder for the results.", metavar="DIR")],
    task: Annotated[
        str | None,
        typer.Option(
            help="Name from `kerasplm tasks`, or a JSON file that declares a task.",
            metavar="NAME",
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="All tasks of clue, hfl, ner or all that the data folder holds.",
            metavar="NAME",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="Runs per combination, with seeds from --seed on.", min=1),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            help="Values to try, such as learning_rate=1e-5,3e-5. May be given "
            "several times.",
            metavar="NAME=V1,V2",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Default: the recipe's.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Default: the recipe's.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak of the schedule. Default: the recipe's.")
    ] = None,
    warmup: Annotated[
        float | None, typer.Option(help="Share of the updates in which the rate rises.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens per input. Default: the recipe's.")
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Dropout in the encoder. Default: its configuration's."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or float16. Default: float32."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="fgm, pgd, gradient_penalty, rdrop or vat."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many evaluations without a better score."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, data order, dropout.")] = 0,
    save_steps: Annotated[
        int, typer.Option(help="Save the state of the training so often.")
    ] = 500,
    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch",
            help="Random weights; only configuration and vocabulary are read.",
        ),
    ] = False,
    family: FamilyArg = None,
    train: Annotated[str | None, typer.Option(help="Training file.")] = None,
    dev: Annotated[str | None, typer.Option(help="Development file.")] = None,
    test: Annotated[str | None, typer.Option(help="Test file.")] = None,
    more: _Set = None,
) -> None:
    """Fine-tune models on tasks; the same command again goes on after a stop.

    Choices that are not given are those published for the task and the model. One
    model and one task write into the output folder: the trained model under its TF1
    names, the answers to the test file, scores, learning curves, a model card; of
    texts a SavedModel that takes strings. Several models, tasks, seeds or a grid write
    OUTPUT/MODEL/TASK/CHOICES, a report over all of them, and a zip for the
    leaderboard.
    """
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "warmup": warmup,
        "max_length": max_length,
        "dropout": dropout,
        "precision": precision,
        "method": method,
        "patience": patience,
        "save_steps": save_steps,
        "from_scratch": from_scratch,
        "family": family,
        "train": train,
        "dev": dev,
        "test": test,
    }
    if (task is None) == (suite is None):
        raise ConfigError("expected either --task or --suite")
    if suite is None and len(model) == 1 and seeds is None and not grid:
        _one(model[0], str(task), data, output, {**given, "seed": seed}, more or [])
        return
    from kerasplm import experiments, suites
    from kerasplm.tasks import TASKS, task_named

    if suite is None:
        tasks: Mapping[str, Path] = {str(task): Path(data)}
    else:
        found = suites.find_tasks(suite, data)
        tasks = found.present
        if found.absent:
            typer.echo(f"not in {data}: {', '.join(found.absent)}")
    like = [TASKS.get(name) or task_named(name) for name in tasks]
    changes = {
        **{k: v for k, v in given.items() if v is not None},
        **parsed(more, like),
    }
    tried = {
        name: [value_of(name, text, like) for text in values.split(",")]
        for name, values in map(halves, grid or [])
    }
    runs = experiments.plan(
        model,
        tasks,
        output,
        seeds=range(seed, seed + (seeds or 1)),
        grid=tried,
        **changes,
    )
    outcomes = experiments.run_all(runs, tell=typer.echo)
    experiments.finish(outcomes, tasks, output)
    if any(outcome.results is None for outcome in outcomes):
        raise typer.Exit(1)


def _one(
    model: str,
    task: str,
    data: str,
    output: str,
    given: Mapping[str, Any],
    more: Sequence[str],
) -> None:
    from kerasplm import finetuning
    from kerasplm.tasks import task_named

    declared = task_named(task)
    changes = {**given, **parsed(more, [declared])}
    settings = declared.settings(model=model, **changes)
    result = finetuning.finetune(model, declared, data, output, settings=settings)
    finetuning.print_result(result, declared.name)


def evaluate(
    model: _Trained,
    data: Annotated[
        str,
        typer.Option(
            help="A file, or the folder with the files of the task.", metavar="PATH"
        ),
    ],
    split: Annotated[
        str, typer.Option(help="Which split of the folder: train, dev, test.")
    ] = "dev",
    task: _OtherTask = None,
    output: Annotated[
        str | None,
        typer.Option(help="Write all predictions as JSON lines.", metavar="FILE"),
    ] = None,
    precision: PrecisionArg = None,
    family: FamilyArg = None,
    more: _Set = None,
) -> None:
    """Score a trained model on a file with answers, as the official script does."""
    from kerasplm.files import write_json_lines
    from kerasplm.reporting import print_table

    found = _found(model, data, split, task, family, precision, more)
    if output is not None:
        engine = found.task.engine
        pairs = zip(found.split.rows, found.predictions, strict=True)
        rows = (engine.show(found.task, row, answer) for row, answer in pairs)
        write_json_lines(Path(output), rows)
    names = ", ".join(file.name for file in found.split.files)
    if not found.scores:
        typer.echo(f"{names}: has no answers to score; `kerasplm submit` writes them")
        return
    print_table(
        f"{found.task.name}: {names}", ("score", "value"), [*found.scores.items()]
    )


def submit(
    model: _Trained,
    data: Annotated[
        str, typer.Option(help="Test file, or the folder of the task.", metavar="PATH")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            help="File to write, or a folder. Default: the leaderboard's name, here."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which split of the folder: test, test1.1.")
    ] = "test",
    task: _OtherTask = None,
    precision: PrecisionArg = None,
    family: FamilyArg = None,
    more: _Set = None,
) -> None:
    """Answer a test file in the format that the leaderboard takes."""
    found = _found(model, data, split, task, family, precision, more)
    usual = found.task.tests.get(split, f"{found.task.name}_predict.json")
    file = Path(output or usual)
    if file.is_dir():
        file = file / usual
    found.write_submission(file)
    typer.echo(f"{file}: {len(found.predictions)} answers")


def _found(
    model: str,
    data: str,
    split: str,
    task: str | None,
    family: str | None,
    precision: str | None,
    more: Sequence[str] | None,
) -> "Evaluation":
    """Ask the model; the choices of --set are typed as those of its task are."""
    from kerasplm.evaluating import evaluate
    from kerasplm.sources import open_source
    from kerasplm.tasks import task_named
    from kerasplm.tasks.saved import saved_task

    changes: dict[str, Any] = {}
    if more:
        with open_source(model) as source:
            kept = saved_task(source.folder)
        like = task_named(task) if task is not None else kept[0] if kept else None
        changes = parsed(more, [] if like is None else [like])
    changes |= {"family": family, "precision": precision}
    return evaluate(model, data, split=split, task=task, **changes)


def tasks(
    name: Annotated[
        str | None,
        typer.Argument(help="Say all about this task, with its choices."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Show the recipe for this model.", metavar="MODEL"),
    ] = None,
) -> None:
    """List the tasks; say what files and choices one has."""
    from kerasplm.reporting import print_table
    from kerasplm.tasks import TASKS, task_named

    if name is None:
        rows = [(t.name, t.kind, t.metric_name, t.title) for t in TASKS.values()]
        print_table(f"{len(rows)} tasks", ("name", "kind", "metric", "question"), rows)
        return
    task = task_named(name)
    typer.echo(f"{task.name}: {task.title}\nkind {task.kind}, {task.source}")
    if task.labels:
        typer.echo(f"labels: {', '.join(task.labels)}")
    files = [
        (s, " or ".join(" + ".join(n) for n in a)) for s, a in task.format.names.items()
    ]
    print_table("files", ("split", "names"), files)
    settings = task.settings(model=model)
    chosen = {**dataclasses.asdict(settings), **dataclasses.asdict(settings.options)}
    del chosen["options"]
    print_table("choices", ("name", "value"), [(k, str(v)) for k, v in chosen.items()])
    from kerasplm import recipes

    if task.name in recipes.TASKS:
        from kerasplm.tasks.recipe import identity

        typer.echo(recipes.recipe_for(task.name, *identity(model, None)).describe())
