"""Read and write TF1 name-based checkpoints. The only module that knows the files."""

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from kerasplm.ahead import ahead
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.families import Family, Match
from kerasplm.files import temporary_folder
from kerasplm.load_report import LoadReport

_DATA = ".data-00000-of-00001"
# The entry that tells a checkpoint of objects from one of names.
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


class Weights(Protocol):
    """What any reader offers: shapes and tensors under TF1 names."""

    prefix: Path
    shapes: dict[str, tuple[int, ...]]
    sizes: dict[str, int]
    """`Config` fields that the file tells beside the shapes."""
    families: tuple[str, ...]
    """The families that the format can hold; () if any."""

    def read(self, name: str) -> Any:
        """Return one tensor."""


class Reader:
    """Read single tensors of a checkpoint: nothing is loaded that is not asked for.

    Args:
        prefix: Path of the checkpoint without ".index".
        index_only: Do not ask for the weights; names and shapes are all there is.

    Raises:
        CheckpointError: Files are missing, empty or no checkpoint.
    """

    def __init__(self, prefix: Path, index_only: bool = False) -> None:
        import tensorflow as tf

        self.prefix = prefix
        index = prefix.with_name(prefix.name + ".index")
        if not index.is_file():
            raise CheckpointError(
                f"{index}: no such file. Expected a TF1 checkpoint: "
                f"{prefix.name}.index and {prefix.name}.data-*"
            )
        shards = [
            file
            for file in sorted(prefix.parent.glob(glob.escape(prefix.name) + ".data-*"))
            if re.fullmatch(r".*\.data-\d+-of-\d+", file.name)
        ]
        if not shards and not index_only:
            raise CheckpointError(
                f"{prefix}.data-*: no such file, though {index.name} is there. "
                "Expected the weights beside the index"
            )
        count = int(shards[0].name.rsplit("-", 1)[1]) if shards else 0
        if len(shards) != count:
            raise CheckpointError(
                f"{prefix}.data-*: expected {count} files, found {len(shards)}"
            )
        try:
            index_reader = tf.train.load_checkpoint(str(prefix))
            names = index_reader.get_variable_to_shape_map()
            self._dtypes = index_reader.get_variable_to_dtype_map()
        except _errors() as error:
            raise CheckpointError(
                f"{index}: not a readable checkpoint index ({_line(error)})"
            ) from error
        # Some exports by Keras carry ":0" behind every name.
        self._names = {name.removesuffix(":0"): name for name in names}
        self.shapes: dict[str, tuple[int, ...]] = {
            ours: tuple(names[theirs]) for ours, theirs in self._names.items()
        }
        self.sizes: dict[str, int] = {}
        self.families: tuple[str, ...] = ()

    def read(self, name: str) -> Any:
        """Return one variable as a tensor of TensorFlow.

        Raises:
            CheckpointError: Its bytes are missing or damaged.
        """
        import tensorflow as tf

        theirs = self._names[name]
        try:
            # The restoring kernel: the reader's `get_tensor` would copy to numpy.
            return tf.raw_ops.RestoreV2(
                prefix=str(self.prefix),
                tensor_names=[theirs],
                shape_and_slices=[""],
                dtypes=[self._dtypes[theirs]],
            )[0]
        except _errors() as error:
            raise CheckpointError(
                f"{self.prefix}.data-*: truncated or damaged: variable {name} of shape "
                f"{list(self.shapes[name])} cannot be read ({_line(error)})"
            ) from error


def _errors() -> tuple[type[Exception], ...]:
    """Return what TensorFlow's reader raises for a file that is not whole."""
    import tensorflow as tf

    return (tf.errors.OpError, ValueError, RuntimeError, LookupError, OSError)


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]


def components(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return the parts of a model that the family tables name.

    Args:
        model: An `Encoder`, a `PretrainedModel`, a task model or a `Seq2Seq`.

    Raises:
        CheckpointError: It is none of these.
    """
    if hasattr(model, "embeddings"):
        return {"encoder": model}
    if hasattr(model, "heads"):
        return {"encoder": model.encoder, **model.heads}
    if hasattr(model, "parts"):
        return {model.body: model.encoder, **model.parts()}
    if hasattr(model, "decoder"):
        return {"seq2seq": model}
    raise CheckpointError(
        f"{type(model).__name__}: expected an Encoder, a PretrainedModel, a "
        "task model or a Seq2Seq"
    )


def body_of(model: keras.Model) -> Any:
    """Return the model without its heads."""
    return next(iter(components(model).values()))


def heads_of(model: keras.Model) -> tuple[str, ...]:
    """Return the names of its heads."""
    return tuple(dict.fromkeys(part.split("/")[0] for part in components(model)))[1:]


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Return all weights by the path that the family tables use.

    The path is taken relative to the component: what stands before it depends on
    how the component was put into a larger model.
    """
    return {
        f"{part}/{weight.path.split('/', 1)[1]}": weight
        for part, layer in components(model).items()
        for weight in layer.weights
    }


def load_weights(
    model: keras.Model, found: Match, reader: Weights, skip: Sequence[str] = ()
) -> LoadReport:
    """Fill the model from a checkpoint, tensor by tensor.

    Args:
        model: As for `components`.
        found: The family and its view of the variables.
        reader: The checkpoint.
        skip: Regular expressions of weight paths (without the leading "encoder/"
            or "seq2seq/") to leave as they are.

    Raises:
        CheckpointError: Weights are missing, of the wrong shape, or variables of the
            encoder are left over; the message lists all.
    """
    try:
        patterns = [re.compile(p) for p in ([skip] if isinstance(skip, str) else skip)]
    except re.error as error:
        raise ConfigError(f"skip: not a regular expression ({error})") from error

    def skipped(path: str) -> bool:
        path = path.removeprefix("encoder/").removeprefix("seq2seq/")
        return any(p.fullmatch(path) for p in patterns)

    def name_of(path: str) -> str:
        try:
            return found.family.theirs(path)[0]
        except KeyError:
            return f"no name in family {found.family.name!r}"

    weights = named_weights(model)
    wanted = {path for path in weights if not skipped(path)}
    problems = [
        f"missing: {path} ({name_of(path)})"
        for path in weights
        if path in wanted and path not in found.names
    ]
    # A whole head may be left unused; a part of the encoder or of a head may not.
    parts = {path.split("/")[0] for path in weights}
    surplus = [p for p in found.names if p.split("/")[0] in parts and p not in weights]
    problems += [
        f"unexpected: {path} ({found.names[path]})"
        for path in surplus
        if not skipped(path)
    ]
    for path in sorted(wanted & set(found.names)):
        problems += _shape_problem(path, weights[path], found, reader)
    if problems:
        raise CheckpointError(
            f"{reader.prefix}: does not fit the model ({found.family.name}):\n  "
            + "\n  ".join(problems)
        )
    loaded = {path: found.names[path] for path in weights if path in wanted}
    values = ahead(reader.read, loaded.values())
    for path, value in zip(loaded, values, strict=True):
        _fill(weights[path], value, found.family.theirs(path)[1])
    unused = [name for path, name in found.names.items() if path not in loaded]
    return LoadReport(
        family=found.family.name,
        prefix=str(reader.prefix),
        loaded=loaded,
        skipped=tuple(sorted(set(weights) - wanted)),
        unused=(*unused, *found.other),
        slots=found.slots,
        heads=heads_in(found),
        lacks=found.lacks,
    )


def _fill(weight: keras.Variable, value: Any, transpose: bool) -> None:
    import tensorflow as tf

    value = tf.cast(value, weight.dtype)
    if transpose:
        value = tf.transpose(value)
    if value.shape != weight.shape:  # fewer positions
        value = value[: weight.shape[0]]
    if keras.backend.backend() != "tensorflow":
        value = value.numpy()
    weight.assign(value)


def heads_in(found: Match) -> tuple[str, ...]:
    """Return the heads that a checkpoint holds, in the order of the tables."""
    heads = {p.split("/")[0] for p in found.names} - {"encoder", "seq2seq"}
    order = ("mlm", "sentence_pair", "rtd", "classifier")
    return tuple(sorted(heads, key=lambda h: (*order, h).index(h)))


def _shape_problem(
    path: str, weight: keras.Variable, found: Match, reader: Weights
) -> list[str]:
    shape = reader.shapes[found.names[path]]
    if found.family.theirs(path)[1]:
        shape = shape[::-1]
    ours = tuple(weight.shape)
    if shape == ours:
        return []
    # Fewer positions are a prefix of the table; more would have to be invented.
    fewer = path == "encoder/embeddings/position" and shape[1:] == ours[1:]
    if fewer and ours[0] < shape[0]:
        return []
    return [
        f"wrong shape: {path} is {list(ours)}, {found.names[path]} is {list(shape)}"
    ]


def their_names(model: keras.Model, family: Family) -> dict[str, tuple[str, bool]]:
    """Return the checkpoint name of every weight and whether to transpose it.

    Raises:
        CheckpointError: The family has no name for some weights.
    """
    task = getattr(model, "task", "classification")
    names, lost = {}, []
    for path in named_weights(model):
        try:
            names[path] = family.theirs(path, task)
        except KeyError:
            lost.append(path)
    if lost:
        raise CheckpointError(
            f"family {family.name!r} has no names for {', '.join(lost[:8])}: "
            "these weights cannot be written to a TF1 checkpoint"
        )
    return names


def write(prefix: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a checkpoint that `tf.compat.v1.train.Saver` restores.

    Both files appear under their names only when they are complete.

    Args:
        prefix: Path without ".index"; the folder is made.
        tensors: Values by variable name.
    """
    import tensorflow as tf

    prefix.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(prefix.parent) as folder:
        names = sorted(tensors)
        tf.raw_ops.SaveV2(
            prefix=str(folder / "model"),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.constant(tensors[name]) for name in names],
        )
        publish(folder / "model", prefix)


def publish(written: Path, prefix: Path) -> None:
    """Move a complete checkpoint to its place."""
    # The data first: an index without its data is the only broken state.
    os.replace(f"{written}{_DATA}", f"{prefix}{_DATA}")
    os.replace(f"{written}.index", f"{prefix}.index")


def collect(
    models: Iterable[keras.Model], families: Iterable[Family]
) -> dict[str, Any]:
    """Return the values of all weights of the models by checkpoint name.

    Raises:
        CheckpointError: Two models hold different values under one name.
    """
    tensors: dict[str, np.ndarray] = {}
    for model, family in zip(models, families, strict=True):
        names = their_names(model, family)
        for path, weight in named_weights(model).items():
            name, transpose = names[path]
            value = keras.ops.convert_to_numpy(weight)
            value = value.T if transpose else value
            if name in tensors and not np.array_equal(tensors[name], value):
                raise CheckpointError(
                    f"{name}: the models that share this variable hold different "
                    "values; save them to separate checkpoints"
                )
            tensors[name] = value
    return tensors
