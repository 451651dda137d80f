"""What every runtime's export shares: checks, the traced function, the proof."""

import contextlib
import importlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.config import Config
from kerasplm.errors import ConfigError, ExportError, PLMError
from kerasplm.exporting import check_length, encoder_of
from kerasplm.files import temporary_folder
from kerasplm.hooks import Hook, hooked
from kerasplm.task_models import Classifier
from kerasplm.tokenizing import save_tokenizer
from kerasplm.vocabulary_tools import check_vocab

INPUTS = ("token_ids", "segment_ids", "padding_mask")
Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]

# Largest |Δ| in units of the largest value of an output, at least 1: float32 holds
# seven digits of a number, whatever its size.
HIDDEN, LOGITS = 2e-5, 1e-4
# Both formats address their weights with 31 bits.
MAX_BYTES = 2**31
# Name of the function's arguments that stand for weights, before their number.
WEIGHT = "weight_"


def packages(format_name: str, *names: str) -> list[Any]:
    """Import what only the optional dependencies bring."""
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(name))
        except ImportError as error:
            raise ExportError(
                f"the export to {format_name} needs {name.partition('.')[0]}: "
                "pip install 'kerasplm[export]'"
            ) from error
    return found


def check(
    model: keras.Model,
    path: str | Path,
    ending: str,
    tokenizer: Any,
    max_length: int | None,
) -> tuple[Path, int | None]:
    """Return the file to write and the longest input."""
    target = Path(path).expanduser()
    if target.suffix != ending or target.is_dir():
        raise ConfigError(f"{path}: expected the name of a file that ends in {ending}")
    config = encoder_of(model).config
    if keras.backend.backend() != "tensorflow" or model.compute_dtype != "float32":
        raise ConfigError(
            "the export needs a float32 model on the TensorFlow backend. Received: "
            f"{model.compute_dtype} on {keras.backend.backend()}"
        )
    size = 4 * model.count_params()
    if size >= MAX_BYTES:
        raise ConfigError(
            f"{path}: the format holds less than {MAX_BYTES} bytes, the weights are "
            f"{size} bytes"
        )
    if tokenizer is not None:
        check_vocab(tokenizer, model, "the tokenizer")
    return target, check_length(config, max_length)


def function_of(
    model: keras.Model,
    batch: int | None,
    length: int | None,
    weights: Sequence[keras.Variable] = (),
    hook: Hook | None = None,
) -> Any:
    """Return the function from the three inputs to named float32 outputs.

    Args:
        model: `Encoder`, `PretrainedModel` or `Classifier`.
        batch: Rows of the inputs, None where free.
        length: Tokens per row, None where free.
        weights: Variables of the model that become arguments, after the inputs.
        hook: Of the encoder, see `kerasplm.hooks`.
    """
    encoder = encoder_of(model)

    def answer(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = dict(zip(INPUTS, values, strict=False))
        given = zip(weights, values[len(INPUTS) :], strict=True)
        # With a hook padding is computed, too: runtimes are slow at leaving it out.
        with keras.StatelessScope(list(given)), hooked(encoder, hook or Hook()):
            out = model(inputs, training=False)
        if isinstance(model, Classifier):
            if len(model.labels) == 1:
                out = {"value": out[:, 0]}
            else:
                out = {"logits": out, "probabilities": tf.nn.softmax(out)}
        return {name: tf.identity(value, name=name) for name, value in out.items()}

    shape = [batch, length]
    specs = [tf.TensorSpec(shape, tf.int32, name=name) for name in INPUTS]
    for n, weight in enumerate(weights):
        specs.append(tf.TensorSpec(weight.shape, weight.dtype, name=f"{WEIGHT}{n}"))
    return tf.function(answer, input_signature=specs)


def write(
    model: keras.Model,
    target: Path,
    convert: Callable[[Path], bytes],
    start: Callable[[Path], Run],
    sizes: list[tuple[int, int]],
    bound: float | None,
    tokenizer: Any,
    facts: dict[str, Any],
) -> float:
    """Convert, run, compare; only then put the files in their place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target.parent) as work:
        (work / "new").mkdir()
        file = work / "new" / target.name
        with told(target, "cannot be made"):
            file.write_bytes(convert(work))
            run = start(file)
            largest, outputs = _compare(model, target, run, sizes, bound)
            del run  # an open file cannot be moved everywhere
        facts |= {"outputs": outputs, "max_difference": largest}
        facts |= _facts(model, tokenizer)
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        (work / "new" / f"{target.name}.json").write_text(text, encoding="utf-8")
        if tokenizer is not None:
            save_tokenizer(tokenizer, work / "new")
        # The model itself comes last: where it is, all is there.
        for made in sorted((work / "new").iterdir(), key=lambda made: made == file):
            os.replace(made, target.parent / made.name)
    return largest


@contextlib.contextmanager
def told(target: Path, what: str) -> Iterator[None]:
    """Tell what a converter or runtime raises, each a class of its own, as one."""
    try:
        yield
    except (OSError, PLMError):
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ExportError(f"{target}: {what}: {reason}") from error


def _facts(model: keras.Model, tokenizer: Any) -> dict[str, Any]:
    """Return what a user of the file must know besides its numbers."""
    classifier = isinstance(model, Classifier)
    report = getattr(model, "load_report", None)
    report = report or getattr(encoder_of(model), "load_report", None)
    vocabulary = None
    if tokenizer is not None:
        vocabulary = {"file": "vocab.txt", **tokenizer.get_config()}
    return {
        "labels": list(model.labels) if classifier else None,
        "pair": model.pair if classifier else None,
        "family": report.family if report else None,
        "tokenizer": vocabulary,
    }


def _compare(
    model: keras.Model,
    target: Path,
    run: Run,
    sizes: list[tuple[int, int]],
    bound: float | None,
) -> tuple[float, list[str]]:
    """Return the largest difference and the names of the outputs."""
    rng, largest = np.random.default_rng(0), 0.0
    live = function_of(model, None, None).python_function
    for batch, length in sizes:
        inputs = _inputs(encoder_of(model).config, rng, batch, length)
        expected, found = live(*inputs.values()), run(inputs)
        if found.keys() != expected.keys():
            raise ExportError(
                f"{target}: expected the outputs {sorted(expected)}, found "
                f"{sorted(found)}"
            )
        for name, value in expected.items():
            theirs, ours = np.asarray(value), found[name]
            where = f"{target}: {name} of {batch} x {length} tokens"
            if ours.shape != theirs.shape:
                raise ExportError(
                    f"{where}: expected the shape {theirs.shape}, found {ours.shape}"
                )
            vector = name in ("sequence_output", "pooled_output")
            allowed = bound or (HIDDEN if vector else LOGITS)
            allowed *= max(1.0, float(np.abs(theirs).max()))
            delta = float(np.abs(ours - theirs).max())
            if not delta <= allowed:  # true for NaN too
                raise ExportError(
                    f"{where}: expected at most {allowed:.2g} off the Keras model, "
                    f"found {delta:.2g}"
                )
            largest = max(largest, delta)
    return largest, sorted(expected)


def _inputs(config: Config, rng: Any, batch: int, length: int) -> Arrays:
    """Return random rows, the first one full, the others padded."""
    real = rng.integers(1, length + 1, (batch, 1))
    real[0] = length
    segments = rng.integers(0, config.type_vocab_size or 2, (batch, length))
    values = (
        rng.integers(0, config.vocab_size, (batch, length)),
        np.sort(segments, axis=1),
        np.arange(length) < real,
    )
    arrays = (value.astype("int32") for value in values)
    return dict(zip(INPUTS, arrays, strict=True))
