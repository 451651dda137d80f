"""Write any model that kerasplm loads in another format, and check what was written.

    python -m checkpoints_convert.convert SOURCE OUTPUT --to huggingface

Nothing is left behind if the check fails. Optimizer slots go; names and values stay.
What no kerasplm model has a weight for (the head of another task, for instance) is left
out and listed.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from checkpoints_convert import verify
from checkpoints_convert.command import (
    FamilyArg,
    PartArg,
    SourceArg,
    load_all,
    run_command,
    tokenizer_of,
)
from kerasplm.errors import ConfigError, PLMError

Format = Literal[
    "tf1", "huggingface", "model-garden", "keras", "savedmodel", "onnx", "litert"
]
Quantize = Literal["none", "float16", "dynamic", "int8"]
# What the formats that are run elsewhere can do about the size of weights.
QUANTIZE = {"onnx": ("int8",), "litert": ("float16", "dynamic")}
Heads = Literal["all", "pretraining", "task"]
Models = dict[str, Any]
# Largest difference of an output; what is read back must be bit-equal.
TOLERANCE = 1e-4
_TEXTS = ["今天天气不错，出去走走。", "这家店 OK", "好"]


def main(
    source: SourceArg,
    output: Annotated[
        str, typer.Argument(help="Folder to write; must not hold anything yet.")
    ],
    to: Annotated[Format, typer.Option(help="Format to write.")] = "tf1",
    family: FamilyArg = None,
    part: PartArg = None,
    heads: Annotated[
        Heads,
        typer.Option(help="Which to write where one format holds one: default first."),
    ] = "all",
    max_length: Annotated[
        int | None,
        typer.Option(help="Longest input of savedmodel, onnx, litert (there 128)."),
    ] = None,
    quantize: Annotated[
        Quantize,
        typer.Option(
            help="Smaller weights, less exact: int8 for onnx; float16, dynamic for "
            "litert."
        ),
    ] = "none",
    check: Annotated[
        str | None,
        typer.Option(
            help="With onnx, litert: file with answers, or folder of the task; score "
            "the model and what was written.",
            metavar="DATA",
        ),
    ] = None,
) -> None:
    """Write a model in another format, with its vocabulary, and verify the result.

    tf1, huggingface, model-garden, keras are read back: all weights must be bit-equal.
    savedmodel, onnx and litert are run and compared with the Keras model.
    """
    from kerasplm.files import temporary_folder

    target = Path(output).expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target}: exists; expected a new or an empty folder")
    if quantize != "none" and quantize not in QUANTIZE.get(to, ()):
        (fitting,) = (form for form, names in QUANTIZE.items() if quantize in names)
        raise ConfigError(
            f"--quantize {quantize} is for --to {fitting}. Received: --to {to}"
        )
    if check is not None and to not in QUANTIZE:
        raise ConfigError(f"--check is for --to onnx and litert. Received: --to {to}")
    if max_length is not None and to not in ("savedmodel", "onnx", "litert"):
        raise ConfigError(f"--max-length is not for --to {to}")
    models = _chosen(load_all(source, family, part), to, heads)
    options = {"max_length": max_length, "quantize": quantize}
    # Beside the nearest folder that is there: a failure leaves no empty ones behind.
    place = next(folder for folder in target.parents if folder.is_dir())
    with temporary_folder(place) as work:
        new = work / target.name
        new.mkdir()
        in_graph = to == "savedmodel"
        tokenizer = tokenizer_of(source, family, part, in_graph)
        delta = _WRITERS[to](models, new, tokenizer, options)
        scores = _scores(new, source, check, family)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rmdir()
        os.replace(new, target)
    _report(target, list(models.values()), to, delta)
    if scores:
        from kerasplm.reporting import print_table

        rows = [(name, *pair) for name, pair in scores.items()]
        print_table(str(check), ("score", "Keras", to), rows)


def _chosen(models: Models, to: str, heads: Heads) -> Models:
    """Return what goes into the format: one network, but for TF1 and ELECTRA's two."""
    wanted = {"task": "task", "pretraining": "network"}.get(heads)
    if wanted and wanted not in models:
        raise ConfigError(
            f"--heads {heads}: expected a checkpoint with {wanted}, found "
            f"{', '.join(models)}"
        )
    if wanted:
        models = {
            name: m for name, m in models.items() if name in (wanted, "generator")
        }
    if to == "tf1":
        return models
    first = next(iter(models))
    kept = (first, "generator") if to == "huggingface" else (first,)
    return {name: model for name, model in models.items() if name in kept}


def _report(target: Path, models: Sequence[Any], to: str, delta: float) -> None:
    from kerasplm.reporting import print_table

    files = [file for file in sorted(target.rglob("*")) if file.is_file()]
    rows = [(str(f.relative_to(target)), f.stat().st_size) for f in files]
    print_table(str(target), ("file", "bytes"), rows)
    reports = [model.load_report for model in models]
    weights = {name for report in reports for name in report.loaded.values()}
    typer.echo(f"{reports[0].family}: {len(weights)} variables, written as {to}")
    for name in sorted({n for report in reports for n in report.unused} - weights):
        typer.echo(f"left out: {name}")
    typer.echo(f"verified, max |Δ| {delta:.3g}")


def _scores(
    made: Path, source: str, data: str | None, family: str | None
) -> dict[str, tuple[float, float]]:
    """Return what the model and the file that it was written to score."""
    import kerasplm as plm

    if data is None:
        return {}
    (file,) = (f for f in made.iterdir() if f.suffix in (".onnx", ".tflite"))
    return plm.compare_scores(file, source, data, family=family)


def _read_back(models: Models, target: Path, part: Any = None) -> float:
    """Return the largest difference after reading a folder again.

    Raises:
        PLMError: A weight differs, or an output by more than the tolerance.
    """
    rows = verify.compare(models, load_all(str(target), None, part))
    for kind, name, delta in rows:
        if delta > (TOLERANCE if kind == "output" else 0.0):
            raise PLMError(
                f"{kind} {name} differs by {delta:.3g} after reading back; nothing "
                "was written"
            )
    return max(delta for _, _, delta in rows)


def _tf1(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm
    from kerasplm.tokenizing import save_tokenizer

    plm.save_checkpoint(list(models.values()), target / "model.ckpt")
    if tokenizer is not None:
        save_tokenizer(tokenizer, target)
    return _read_back(models, target)


def _huggingface(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    """Write a folder; of an ELECTRA one for each network, as on the hub."""
    import kerasplm as plm

    both = len(models) == 2
    for name, model in models.items():
        part = "generator" if name == "generator" else "discriminator"
        place = target / part if both else target
        plm.save_huggingface(model, place, tokenizer=tokenizer)
    return _read_back(models, target)


def _model_garden(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm

    plm.save_model_garden(_only(models), target, tokenizer=tokenizer)
    return _read_back(models, target)


def _keras(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    from kerasplm.tokenizing import save_tokenizer

    _only(models).save(target / "model.keras")
    if tokenizer is not None:
        save_tokenizer(tokenizer, target)
    return _read_back(models, target)


def _only(models: Models) -> Any:
    return next(iter(models.values()))


def _savedmodel(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    """Write a SavedModel and ask it a few texts."""
    import keras
    import tensorflow as tf

    import kerasplm as plm

    model, length = _only(models), options["max_length"]
    if tokenizer is None:
        raise ConfigError(
            "a SavedModel takes strings: expected a vocabulary, found none"
        )
    target.rmdir()
    plm.export(model, tokenizer, target, max_length=length)
    serve = tf.saved_model.load(str(target)).signatures["serving_default"]
    inputs = {"text": _TEXTS}
    if getattr(model, "pair", False):
        inputs["text_pair"] = _TEXTS[::-1]
    found = serve(**{name: tf.constant(texts) for name, texts in inputs.items()})
    limit = length or getattr(_config(model), "max_position_embeddings", None)
    batch = tokenizer(*inputs.values(), max_length=limit)
    ours = verify.outputs(model, batch)
    if "sequence_output" in ours:  # zeros where there is padding
        real = keras.ops.cast(batch["padding_mask"], "float32")[..., None]
        ours["sequence_output"] = ours["sequence_output"] * real
    if "logits" in ours:
        logits = ours["logits"]
        ours = {"probabilities": keras.ops.softmax(logits), "value": logits[:, 0]}
    deltas = {n: verify.delta(x, ours[n]) for n, x in found.items() if n in ours}
    if not deltas or max(deltas.values()) > TOLERANCE:
        raise PLMError(f"{target}: differs from the Keras model by {deltas}; removed")
    return max(deltas.values())


def _config(model: Any) -> Any:
    return (model if hasattr(model, "config") else model.encoder).config


def _onnx(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm

    return plm.export_onnx(
        _only(models),
        target / "model.onnx",
        tokenizer=tokenizer,
        max_length=options["max_length"],
        quantize=options["quantize"],
    )


def _litert(models: Models, target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm

    length = options["max_length"]
    longest = getattr(_config(_only(models)), "max_position_embeddings", 128)
    return plm.export_litert(
        _only(models),
        target / "model.tflite",
        tokenizer=tokenizer,
        max_length=min(128, longest) if length is None else length,
        quantize=options["quantize"],
    )


_WRITERS: dict[str, Callable[[Models, Path, Any, Any], float]] = {
    "tf1": _tf1,
    "huggingface": _huggingface,
    "model-garden": _model_garden,
    "keras": _keras,
    "savedmodel": _savedmodel,
    "onnx": _onnx,
    "litert": _litert,
}


if __name__ == "__main__":
    run_command(main)
