"""Write any model that kerasplm loads in another format, and check what was written.

    python -m checkpoints_convert.convert SOURCE OUTPUT --to huggingface

Nothing is left behind if the check fails. Optimizer slots go; names and values stay.
What no kerasplm model has a weight for (the head of another task, for instance) is left
out and listed.
"""

import os
from collections.abc import Callable
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
Quantize = Literal["none", "float16", "dynamic"]
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
    max_length: Annotated[
        int | None,
        typer.Option(help="Longest input of savedmodel, onnx, litert (there 128)."),
    ] = None,
    quantize: Annotated[
        Quantize, typer.Option(help="Of litert: smaller weights, less exact.")
    ] = "none",
) -> None:
    """Write a model in another format, with its vocabulary, and verify the result.

    tf1, huggingface, model-garden, keras are read back: all weights must be bit-equal.
    savedmodel, onnx and litert are run and compared with the Keras model.
    """
    from kerasplm.files import temporary_folder

    target = Path(output).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target}: exists; expected a new or an empty folder")
    if quantize != "none" and to != "litert":
        raise ConfigError(f"--quantize is for --to litert. Received: --to {to}")
    if max_length is not None and to not in ("savedmodel", "onnx", "litert"):
        raise ConfigError(f"--max-length is not for --to {to}")
    models = load_all(source, family, part)
    if to not in ("tf1", "huggingface") and part is None:
        del models[1:]  # the file of one network; --part generator gives the other
    options = {"max_length": max_length, "quantize": quantize}
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target.parent) as work:
        new = work / target.name
        new.mkdir()
        tokenizer = tokenizer_of(source, family, in_graph=to == "savedmodel")
        delta = _WRITERS[to](models, new, tokenizer, options)
        if target.exists():
            target.rmdir()
        os.replace(new, target)
    _report(target, models, to, delta)


def _report(target: Path, models: list[Any], to: str, delta: float) -> None:
    from kerasplm.reporting import print_table

    files = [file for file in sorted(target.rglob("*")) if file.is_file()]
    rows = [(str(f.relative_to(target)), f.stat().st_size) for f in files]
    print_table(str(target), ("file", "bytes"), rows)
    reports = [model.load_report for model in models]
    count = sum(model.count_params() for model in models)
    typer.echo(f"{reports[0].family}: {count:,} weights, written as {to}")
    loaded = {name for report in reports for name in report.loaded.values()}
    for name in sorted({n for report in reports for n in report.unused} - loaded):
        typer.echo(f"left out: {name}")
    typer.echo(f"verified, max |Δ| {delta:.3g}")


def _read_back(models: list[Any], target: Path) -> float:
    """Return the largest difference after reading a folder again.

    Raises:
        PLMError: A weight differs, or an output by more than the tolerance.
    """
    part = "generator" if _is_generator(models[0]) else None
    again = load_all(str(target), None, part)[: len(models)]
    rows = verify.compare(models, again)
    for kind, name, delta in rows:
        if delta > (0.0 if kind == "weight" else TOLERANCE):
            raise PLMError(
                f"{target}: {kind} {name} differs by {delta:.3g} after reading back; "
                "removed"
            )
    return max(delta for _, _, delta in rows)


def _is_generator(model: Any) -> bool:
    from kerasplm.families import family_named

    return family_named(model.load_report.family).part == "generator"


def _tf1(models: list[Any], target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm
    from kerasplm.tokenizing import save_tokenizer

    plm.save_checkpoint(models, target / "model.ckpt")
    if tokenizer is not None:
        save_tokenizer(tokenizer, target)
    return _read_back(models, target)


def _huggingface(
    models: list[Any], target: Path, tokenizer: Any, options: Any
) -> float:
    """Write a folder; of an ELECTRA one for each network, as on the hub."""
    import kerasplm as plm

    if len(models) == 1:
        plm.save_huggingface(models[0], target, tokenizer=tokenizer)
        return _read_back(models, target)
    deltas = []
    for model in models:
        place = target / ("generator" if _is_generator(model) else "discriminator")
        plm.save_huggingface(model, place, tokenizer=tokenizer)
        deltas.append(_read_back([model], place))
    return max(deltas)


def _model_garden(
    models: list[Any], target: Path, tokenizer: Any, options: Any
) -> float:
    import kerasplm as plm

    plm.save_model_garden(models[0], target, tokenizer=tokenizer)
    return _read_back(models, target)


def _keras(models: list[Any], target: Path, tokenizer: Any, options: Any) -> float:
    from kerasplm.tokenizing import save_tokenizer

    models[0].save(target / "model.keras")
    if tokenizer is not None:
        save_tokenizer(tokenizer, target)
    return _read_back(models, target)


def _savedmodel(models: list[Any], target: Path, tokenizer: Any, options: Any) -> float:
    """Write a SavedModel and ask it a few texts."""
    import keras
    import tensorflow as tf

    import kerasplm as plm

    model, length = models[0], options["max_length"]
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
    ours = verify.outputs(model, tokenizer(*inputs.values(), max_length=limit))
    if "logits" in ours:
        logits = ours["logits"]
        ours = {"probabilities": keras.ops.softmax(logits), "value": logits[:, 0]}
    deltas = {n: verify.delta(x, ours[n]) for n, x in found.items() if n in ours}
    if not deltas or max(deltas.values()) > TOLERANCE:
        raise PLMError(f"{target}: differs from the Keras model by {deltas}; removed")
    return max(deltas.values())


def _config(model: Any) -> Any:
    return (model if hasattr(model, "config") else model.encoder).config


def _onnx(models: list[Any], target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm

    return plm.export_onnx(
        models[0],
        target / "model.onnx",
        tokenizer=tokenizer,
        max_length=options["max_length"],
    )


def _litert(models: list[Any], target: Path, tokenizer: Any, options: Any) -> float:
    import kerasplm as plm

    return plm.export_litert(
        models[0],
        target / "model.tflite",
        tokenizer=tokenizer,
        max_length=options["max_length"] or min(128, _longest(models[0])),
        quantize=options["quantize"],
    )


def _longest(model: Any) -> int:
    return int(getattr(_config(model), "max_position_embeddings", 128))


_WRITERS: dict[str, Callable[[list[Any], Path, Any, Any], float]] = {
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
