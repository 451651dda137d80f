"""The command of pre-training: pretrain."""

import dataclasses
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from checkpoints_convert.command import FamilyArg
from kerasplm.cli_values import halves, typed
from kerasplm.errors import ConfigError

_DATA = "Files of `kerasplm pretraining-data`, or of the original scripts"


def pretrain(
    data: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{_DATA}: a folder, file or pattern. May be given several times.",
            metavar="PATH",
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="Folder for the results.", metavar="DIR")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Do as a released model was trained, such as albert-tiny; what else "
            "is given wins. `--recipe list` shows all.",
            metavar="NAME",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Begin with this: a name from `kerasplm list`, or a folder, "
            "checkpoint prefix or archive.",
            metavar="MODEL",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="Begin at random: the configuration JSON, or a name from the list.",
            metavar="FILE",
        ),
    ] = None,
    vocab: Annotated[
        str | None,
        typer.Option(help="Vocabulary file. Default: the model's.", metavar="FILE"),
    ] = None,
    family: FamilyArg = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="mlm, nsp, sop, causal_lm, unilm, simbert, with a weight after a "
            "colon (sop:0.5); or rtd, ELECTRA. May be given several times. Default: "
            "mlm.",
            metavar="NAME",
        ),
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="auto, cpu, mirrored, multi_worker or tpu.")
    ] = "auto",
    tpu: Annotated[
        str | None,
        typer.Option(help="Name or address of a TPU; local on a TPU VM."),
    ] = None,
    tpu_zone: Annotated[str | None, typer.Option(help="Zone of the TPU.")] = None,
    tpu_project: Annotated[str | None, typer.Option(help="Project of the TPU.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Updates of the whole training.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows per update, over all replicas.")
    ] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens per row.")] = None,
    stages: Annotated[
        list[str] | None,
        typer.Option(
            help="Part of the training, STEPS:LENGTH or STEPS:LENGTH:BATCH_SIZE. "
            "May be given several times.",
            metavar="STAGE",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak of the schedule.")
    ] = None,
    warmup: Annotated[
        int | None,
        typer.Option(help="Updates in which the rate rises. Default: a tenth."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="bert, electra, nezha (how rise and fall are joined), constant."
        ),
    ] = None,
    power: Annotated[
        float | None, typer.Option(help="Of the fall; 1 is linear.")
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(help="adamw, lamb (Google's), lamb-brightmart, lamb-nezha."),
    ] = None,
    beta_2: Annotated[
        float | None, typer.Option(help="Decay of the second moment.")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Not of biases and norms.")
    ] = None,
    clip_norm: Annotated[
        float | None, typer.Option(help="Largest joint norm of the gradients.")
    ] = None,
    clip_each: Annotated[
        bool,
        typer.Option("--clip-each", help="That norm is of each gradient alone."),
    ] = False,
    layer_decay: Annotated[
        float | None,
        typer.Option(help="Factor of the rate from each layer to the one below."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or float16.")
    ] = None,
    accumulation: Annotated[
        int | None, typer.Option(help="Parts into which a replica divides its rows.")
    ] = None,
    recompute: Annotated[
        bool | None,
        typer.Option(
            "--recompute/--no-recompute",
            help="Compute activations twice to save memory.",
        ),
    ] = None,
    jit: Annotated[
        bool | None,
        typer.Option("--jit/--no-jit", help="Compile with XLA. Default: on a GPU."),
    ] = None,
    steps_per_execution: Annotated[
        int | None, typer.Option(help="Updates between two returns to Python.")
    ] = None,
    log_steps: Annotated[
        int | None, typer.Option(help="Updates between two lines of the log.")
    ] = None,
    save_steps: Annotated[
        int | None, typer.Option(help="Updates between two checkpoints.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(help="Checkpoints to keep beside the best one.")
    ] = None,
    eval_steps: Annotated[
        int | None,
        typer.Option(help="Updates between two evaluations. Default: save_steps."),
    ] = None,
    eval_batches: Annotated[
        int | None, typer.Option(help="Batches of one evaluation.")
    ] = None,
    best: Annotated[
        str | None, typer.Option(help="Metric that says which checkpoint is best.")
    ] = None,
    peak_flops: Annotated[
        float | None,
        typer.Option(help="What one replica can do, per second; 0 measures it."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights, data order, masks, dropout.")
    ] = None,
    mask_prob: Annotated[
        float | None, typer.Option(help="Share of the tokens to predict.")
    ] = None,
    max_predictions: Annotated[
        int | None, typer.Option(help="Most of them in a row.")
    ] = None,
    whole_words: Annotated[
        bool | None,
        typer.Option("--whole-words/--no-whole-words", help="Mask words whole."),
    ] = None,
    ngram: Annotated[
        int | None, typer.Option(help="Most words in a masked span.")
    ] = None,
    packing: Annotated[
        int | None, typer.Option(help="Most instances in one row.")
    ] = None,
    shuffle_buffer: Annotated[
        int | None, typer.Option(help="Rows that are shuffled together.")
    ] = None,
    eval_data: Annotated[
        list[str] | None,
        typer.Option(help="Held-out files. May be given several times."),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A field of the model's configuration, or a choice of ELECTRA, such "
            "as hidden_dropout_prob=0.0 or disc_weight=20. May be given several times.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only tell weights, operations, memory and time."
        ),
    ] = False,
    hardware: Annotated[
        list[str] | None,
        typer.Option(
            help="For --dry-run, such as 'v100*8' or 'tpu-v3*8'. May be given several "
            "times.",
            metavar="NAME",
        ),
    ] = None,
    utilisation: Annotated[
        float | None,
        typer.Option(help="For --dry-run: share of the peak. Default: 0.4."),
    ] = None,
) -> None:
    """Pre-train a model; the same command again goes on after a stop.

    Writes checkpoints under their TF1 names, which every other command takes, the
    state to go on from, history.csv, TensorBoard, learning_curve.png, results.json.
    """
    given = locals()
    if recipe == "list":
        _list_recipes()
        return
    if not dry_run and (data is None or output is None):
        raise ConfigError("expected --data and --output (or --dry-run)")
    if stages and steps is None:
        given["steps"] = _steps_of(stages)
    if recipe is not None:
        given = _with_recipe(recipe, given)
    from kerasplm.pretraining.corpus import Masks
    from kerasplm.pretraining.jobs import PretrainingJob
    from kerasplm.pretraining.training_settings import Settings

    def choices(kind: Any) -> Any:
        names = [field.name for field in dataclasses.fields(kind)]
        values = {n: given[n] for n in names if given.get(n) is not None}
        if "stages" in values:
            values["stages"] = tuple(values["stages"])
        return kind(**values)

    fields, electra = _sorted(more or [])
    job = PretrainingJob(
        data=data,
        output=output or "",
        model=given["model"],
        config=given["config"],
        vocab=vocab,
        family=family,
        objectives=tuple(given["objective"] or ["mlm"]),
        electra=electra,
        fields=fields,
        masks=choices(Masks),
        settings=choices(Settings),
        strategy=strategy,
        tpu=tpu,
        zone=tpu_zone,
        project=tpu_project,
        eval_data=eval_data,
    )
    if dry_run:
        from kerasplm.pretraining.dry_run import print_estimate

        print_estimate(job, hardware or (), utilisation)
        return
    if hardware or utilisation is not None:
        raise ConfigError("--hardware and --utilisation are for --dry-run")
    result = job.run()
    step = result.position.best_step
    told = "" if step is None else f", best checkpoint step-{step:08d}"
    typer.echo(f"{result.folder}: {result.position.step} steps{told}")


def _steps_of(stages: Sequence[str]) -> int | None:
    """Return how many steps the stages have; what is no stage is refused later."""
    numbers = [text.partition(":")[0] for text in stages]
    return sum(int(number) for number in numbers if number.isdecimal()) or None


def _list_recipes() -> None:
    from kerasplm.pretraining.recipes import RECIPES
    from kerasplm.reporting import print_table

    rows = [(r.name, r.model, ", ".join(r.objectives)) for r in RECIPES.values()]
    print_table("recipes", ("name", "model", "objectives"), rows)


def _with_recipe(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, and for the rest what the recipe says."""
    from kerasplm.pretraining.dry_run import choices_of
    from kerasplm.pretraining.recipes import recipe_named

    recipe = recipe_named(name)
    typer.echo(recipe.describe())
    told = choices_of(recipe)
    if given["model"] or given["config"]:
        told = {key: x for key, x in told.items() if key not in ("model", "config")}
    if "steps" not in told and given["steps"] is None:
        raise ConfigError(f"{name}: the number of steps is not published; give --steps")
    if given["steps"] is not None and {"steps", "warmup"} <= set(told):
        # Another length keeps the share of the warm-up.
        told["warmup"] = round(given["steps"] * told["warmup"] / told["steps"])
    if given["steps"] or given["max_length"] or given["batch_size"]:
        told.pop("stages", None)
    return {**given, **{k: x for k, x in told.items() if given.get(k) is None}}


def _sorted(more: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide NAME=VALUE into fields of the configuration and choices of ELECTRA."""
    from kerasplm.config import Config
    from kerasplm.pretraining.electra_parts import ElectraOptions

    sizes = {"generator_hidden_size": float, "generator_layers": float}
    known = (
        typing.get_type_hints(Config),
        {**typing.get_type_hints(ElectraOptions), **sizes, "generator": str},
    )
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, text in map(halves, more):
        kind = next((n for n, hints in enumerate(known) if name in hints), None)
        if kind is None:
            raise ConfigError(
                f"--set {name}: neither a field of the configuration nor a choice of "
                f"ELECTRA ({', '.join(known[1])})"
            )
        found[kind][name] = typed(name, text, known[kind][name])
    return found
