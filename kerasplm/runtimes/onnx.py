"""Export a model to ONNX, as onnxruntime reads it."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from kerasplm.checkpoint import named_weights
from kerasplm.errors import ConfigError
from kerasplm.exporting import encoder_of
from kerasplm.runtimes.common import (
    INPUTS,
    WEIGHT,
    Run,
    check,
    function_of,
    packages,
    write,
)
from kerasplm.runtimes.onnx_operators import (
    CARRIER,
    DOMAIN,
    LargeOperators,
    write_operator,
)

# Where no table of positions ends the length, the file is run up to this one; where
# the table is extended, behind it.
LONGEST = 512
OPSETS = (13, 18)
# Largest |Δ| of rounded weights, in units of the largest value of an output, at least
# 1: it stops broken files only.
INT8 = 0.5


def export_onnx(
    model: keras.Model,
    path: str | Path,
    *,
    tokenizer: Any = None,
    max_length: int | None = None,
    opset: int = 17,
    fused: bool = True,
    quantize: Literal["none", "int8"] = "none",
) -> float:
    """Write an ONNX file, run it in onnxruntime and compare it with the model.

    The inputs are `token_ids`, `segment_ids` and `padding_mask` (1 = real token),
    (B, T) int32 each, all three needed; batch and length are free. The outputs are
    float32 under the names that the model gives them: those of `Encoder` and
    `PretrainedModel`; `logits` and `probabilities` (B, C) of a classifier, `value`
    (B,) of a regression. Beside the file comes `<path>.json` with inputs, outputs,
    labels, the longest input and the family.

    Batches with padding run faster in a session whose option
    `session.set_denormal_as_zero` is "1". The first session of a process sets it for
    the thread that starts it, too: denormal numbers are zero there from then on.

    Args:
        model: `Encoder`, `PretrainedModel` or `Classifier`, in float32.
        path: Where to write, ending in `.onnx`; an earlier file is replaced.
        tokenizer: Its vocabulary and casing are written beside the file, as
            `vocab.txt` and `tokenizer_config.json`.
        max_length: Longest input, for the JSON file; default is the number of
            positions of the model, none for NEZHA.
        opset: Version of the ONNX operators, 13 to 18.
        fused: Whether the blocks are written with the large operators of onnxruntime
            (`com.microsoft`), which make it faster; other runtimes may not know them.
        quantize: "none"; "int8" stores tables and the matrices that are multiplied in
            8 bits, and onnxruntime rounds what they multiply as it runs.

    Returns:
        The largest |Δ| of all outputs on random inputs with padding. It is at most
        2e-5 for vectors and 1e-4 for scores, times the largest value where that is
        above 1. With "int8" the bound is 0.5, which stops broken files only: what
        rounding does to the answers of a trained model, `compare_scores` tells.

    Raises:
        ConfigError: A length, the opset, an option, the path or the vocabulary does
            not fit.
        ExportError: A package is missing, the conversion fails, or the file gives
            other numbers. Nothing is left behind.

    Example:
        >>> export_onnx(classifier, "out/model.onnx")  # doctest: +SKIP
        7.2e-07
    """
    tf2onnx, _, helper = packages("ONNX", "tf2onnx", "onnxruntime", "onnx.helper")
    if quantize not in ("none", "int8"):
        raise ConfigError(f"quantize must be none or int8. Received: {quantize!r}")
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise ConfigError(
            f"opset must be {OPSETS[0]} to {OPSETS[1]}. Received: {opset}"
        )
    target, longest = check(model, path, ".onnx", tokenizer, max_length)
    weights = named_weights(model)
    hook = LargeOperators(encoder_of(model)) if fused else None
    function = function_of(model, None, None, list(weights.values()), hook)

    def convert(work: Path) -> bytes:
        with _quiet():
            proto, _ = tf2onnx.convert.from_function(
                function,
                input_signature=function.input_signature,
                opset=opset,
                custom_op_handlers={"Erfc": (_erfc, []), CARRIER: (write_operator, [])},
                extra_opset=[helper.make_opsetid(DOMAIN, 1)],
            )
            _fill(proto.graph, weights)
            _fold(proto.graph, ["Concat"])
            if quantize == "int8":
                # Only stored matrices are rounded: also the tied one of a decoder.
                _fold(proto.graph, ["Transpose"])
                return _rounded(proto, work)
        data: bytes = proto.SerializeToString()
        return data

    sizes = [
        (1, 1),
        (3, min(8, longest or 8)),
        (2, min(longest or LONGEST, 2 * LONGEST)),
    ]
    facts: dict[str, Any] = {"format": "onnx", "opset": opset, "max_length": longest}
    facts["quantize"] = quantize
    facts["inputs"] = dict.fromkeys(INPUTS, ["batch", "length"])
    bound = INT8 if quantize == "int8" else None
    return write(model, target, convert, start, sizes, bound, tokenizer, facts)


def start(file: Path) -> Run:
    """Return what runs a file on the CPU; several threads may call it at once."""
    (onnxruntime,) = packages("ONNX", "onnxruntime")
    # Not with "session.set_denormal_as_zero": it changes the thread of the caller.
    session = onnxruntime.InferenceSession(
        str(file), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, batch), strict=True))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the converters log: shapes of operators that they do not know."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def _rounded(proto: Any, work: Path) -> bytes:
    """Return the file with matrices and tables of 8 bits."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    full, small = work / "full.onnx", work / "small.onnx"
    full.write_bytes(proto.SerializeToString())
    # Its inference of types stops at operators of onnxruntime: all give float32.
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(full, small, extra_options=options)
    return small.read_bytes()


def _fill(graph: Any, weights: dict[str, keras.Variable]) -> None:
    """Turn the inputs that stand for weights into stored values; name free axes.

    So the converter never holds the weights: it copies what it holds at each of its
    many passes. A weight that is used twice is stored once.
    """
    from onnx import numpy_helper

    used = {name for node in graph.node for name in node.input}
    names = {f"{WEIGHT}{n}": path for n, path in enumerate(weights)}
    real = [value for value in graph.input if value.name not in names]
    del graph.input[:]
    graph.input.extend(real)
    for name, path in names.items():
        if name in used:
            value = np.asarray(weights[path].value)
            graph.initializer.append(numpy_helper.from_array(value, path))
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    for value in (*graph.input, *graph.output):
        axes = value.type.tensor_type.shape.dim
        for axis, name in zip(axes, ("batch", "length"), strict=False):
            if not axis.HasField("dim_value"):
                axis.dim_param = name


def _fold(graph: Any, kinds: Sequence[str]) -> None:
    """Store what these operators would make of stored values each time that they run.

    Args:
        graph: The graph.
        kinds: Of "Concat" and "Transpose".
    """
    from onnx import helper, numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type not in kinds or not stored.keys() >= set(node.input):
            continue
        parts = [numpy_helper.to_array(stored[name]) for name in node.input]
        (how,) = map(helper.get_attribute_value, node.attribute)
        concat = node.op_type == "Concat"
        whole = np.concatenate(parts, how) if concat else parts[0].transpose(how)
        whole = np.ascontiguousarray(whole)
        graph.initializer.append(numpy_helper.from_array(whole, node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for name in stored.keys() - used:
        graph.initializer.remove(stored[name])


def _erfc(graph: Any, node: Any, name: str, args: Any) -> None:
    """Write 1 - erf(x): ONNX has no complement, and GELU needs none of its tail."""
    shape, dtype = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    graph.remove_node(name)
    one = graph.make_const(f"{name}/one", np.array(1, "float32"))
    erf = graph.make_node("Erf", list(node.input), shapes=[shape], dtypes=[dtype])
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        outputs=list(node.output),
        name=name,
        shapes=[shape],
        dtypes=[dtype],
    )
