"""All variables of a training in one file that is whole or not there."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from kerasplm.errors import CheckpointError
from kerasplm.files import write_arrays

_META = "meta"


def build_optimizer(model: keras.Model) -> None:
    """Create the variables of the optimizer of a compiled model, if it has none yet."""
    # That which scales the loss would make its variables anew.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def state_variables(model: keras.Model) -> list[tuple[str, keras.Variable]]:
    """Return the variables of a compiled model and of its optimizer, with names.

    Weights, moments, the step, the loss scale, the state of the dropout generators.

    Args:
        model: Compiled; the optimizer is built if it is not.
    """
    build_optimizer(model)
    every = [*model.variables, *model.optimizer.variables]
    # Counters in the names of generators differ from process to process.
    return [(f"{n}:{list(v.shape)}:{v.name}", v) for n, v in enumerate(every)]


def save_state(file: Path, model: keras.Model, meta: Mapping[str, Any]) -> None:
    """Write the state of a compiled model, and some values for JSON.

    The file is written under another name and renamed, so that a kill at any moment
    leaves a whole file.
    """
    variables = state_variables(model)
    text = json.dumps({"paths": [path for path, _ in variables], **meta})
    save_arrays(file, (variable for _, variable in variables), **{_META: text})


def load_state(file: Path, model: keras.Model) -> dict[str, Any]:
    """Put a compiled model into a saved state; return the values saved with it.

    Raises:
        CheckpointError: The file is damaged or belongs to another model.
    """
    variables = state_variables(model)
    with opened(file) as data:
        meta: dict[str, Any] = json.loads(str(data[_META]))
        if meta["paths"] != [path for path, _ in variables]:
            raise CheckpointError(f"{file}: the state of a training with other weights")
        for n, (_, variable) in enumerate(variables):
            variable.assign(data[str(n)])
    return meta


def save_arrays(file: Path, arrays: Iterable[keras.Variable], **more: Any) -> None:
    """Write arrays in their order; the file appears only when complete."""
    convert = keras.ops.convert_to_numpy
    values = {str(n): convert(array) for n, array in enumerate(arrays)}
    write_arrays(file, {**values, **more})


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Any]:
    """Give the arrays of a file by their numbers.

    Raises:
        CheckpointError: The file is damaged.
    """
    try:
        # Opened here: numpy leaves the file open if it is no archive.
        with file.open("rb") as raw, np.load(raw) as data:
            yield data
    except CheckpointError:
        raise
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CheckpointError(
            f"{file}: damaged training state ({error}); remove {file.parent} to begin "
            "anew"
        ) from error
