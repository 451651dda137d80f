"""Export a model to LiteRT, the format of TensorFlow Lite."""

import threading
from pathlib import Path
from typing import Any, Literal

import keras
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.runtimes.common import (
    INPUTS,
    Arrays,
    Run,
    check,
    function_of,
    packages,
    write,
)

# Largest |Δ| in units of the largest value of an output, at least 1. Rounded weights
# move the numbers of any network; these stop broken files only.
QUANTIZED = {"float16": 0.02, "dynamic": 0.5}


def export_litert(
    model: keras.Model,
    path: str | Path,
    *,
    tokenizer: Any = None,
    max_length: int = 128,
    batch_size: int = 1,
    quantize: Literal["none", "float16", "dynamic"] = "none",
) -> float:
    """Write a LiteRT (TFLite) file, run it and compare it with the model.

    Inputs, outputs and the files beside it are as for `export_onnx`, but shapes are
    fixed: pad shorter inputs, with `padding_mask` 0; the runtime refuses others. Only
    built-in operators are used. The one signature is `serving_default`.

    Args:
        model: `Encoder`, `PretrainedModel` or `Classifier`, in float32.
        path: Where to write, ending in `.tflite`; an earlier file is replaced.
        tokenizer: As for `export_onnx`.
        max_length: Length T of every input.
        batch_size: Rows B of every input.
        quantize: "none"; "float16" stores the weights in 16 bits; "dynamic" stores
            large matrices in 8 bits, and the runtime rounds what they multiply.

    Returns:
        The largest |Δ| of all outputs on random inputs with padding. Its bound is
        that of `export_onnx`; 0.02 for "float16" and 0.5 for "dynamic", times the
        largest value where that is above 1. These two stop broken files only: what
        rounding does to the answers of a trained model, `compare_scores` tells.

    Raises:
        ConfigError: A size, the path or the vocabulary does not fit.
        ExportError: A package is missing, the conversion fails, or the file gives
            other numbers. Nothing is left behind.

    Example:
        >>> export_litert(classifier, "out/model.tflite")  # doctest: +SKIP
        9.5e-07
    """
    packages("LiteRT", "ai_edge_litert.interpreter")
    if quantize not in ("none", *QUANTIZED):
        raise ConfigError(
            f"quantize must be none, {' or '.join(QUANTIZED)}. Received: {quantize!r}"
        )
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1. Received: {batch_size}")
    target, _ = check(model, path, ".tflite", tokenizer, max_length)
    function = function_of(model, batch_size, max_length)

    def convert(work: Path) -> bytes:
        module = tf.Module()
        module.weights = [variable.value for variable in model.variables]
        module.serve = function
        saved = str(work / "saved_model")
        tf.saved_model.save(module, saved, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        data: bytes = converter.convert()
        return data

    facts: dict[str, Any] = {"format": "litert", "quantize": quantize}
    facts["max_length"] = max_length
    facts["inputs"] = dict.fromkeys(INPUTS, [batch_size, max_length])
    sizes = [(batch_size, max_length)] * 3
    bound = QUANTIZED.get(quantize)
    return write(model, target, convert, start, sizes, bound, tokenizer, facts)


def start(file: Path) -> Run:
    """Return what runs a file; several threads may call it, and wait for each other."""
    (interpreter,) = packages("LiteRT", "ai_edge_litert.interpreter")
    loaded = interpreter.Interpreter(model_path=str(file))
    runner = loaded.get_signature_runner("serving_default")
    alone = threading.Lock()  # an interpreter has one place for its inputs

    def run(batch: Arrays) -> Arrays:
        with alone:
            return dict(runner(**batch))

    return run
