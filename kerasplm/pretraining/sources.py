"""Which files hold the instances, how many each, and in what form."""

import contextlib
import dataclasses
import functools
import glob
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from kerasplm.errors import DataError
from kerasplm.files import read_json
from kerasplm.pretraining.agreement import FACTS

Form = Literal["dynamic", "padded", "masked"]

_HEADER = struct.Struct("<Q")
_FRAME = 16  # bytes of a record besides its data
_PADDED = ("input_ids", "input_mask", "segment_ids")
_MASKS = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
_DYNAMIC = ("input_ids", "segment_ids")


@dataclasses.dataclass(frozen=True)
class Records:
    """Files of instances.

    Args:
        files: TFRecord files, in order.
        counts: Instances in each.
        form: "dynamic": of their true length, without masks; "padded": filled up
            with zeros, without masks; "masked": filled up, with masks.
        length: Tokens of an instance at most.
        predictions: Slots for masks in an instance of the form "masked".
        features: Names of the features that every instance has.
    """

    files: tuple[str, ...]
    counts: tuple[int, ...]
    form: Form
    length: int
    predictions: int
    features: frozenset[str]

    @property
    def total(self) -> int:
        """Number of instances."""
        return sum(self.counts)


def count_records(file: str | Path) -> int:
    """Count the records of a TFRecord file without reading them.

    Raises:
        DataError: The file is missing, or ends within a record.

    Example:
        >>> count_records("records-00000-of-00016.tfrecord")  # doctest: +SKIP
        250000
    """
    path = Path(file)
    if not path.is_file():
        raise DataError(f"{path}: no such file. Expected TFRecord data")
    size = path.stat().st_size
    if not size:
        return 0
    place = count = 0
    with path.open("rb") as raw:
        view = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
        with contextlib.closing(view):
            while place < size:
                left = size - place
                need = _FRAME
                if left >= _FRAME:
                    need += _HEADER.unpack_from(view, place)[0]
                if need > left:
                    raise DataError(
                        f"{path}: truncated or no TFRecord file: record {count} at "
                        f"byte {place} needs {need} bytes, found {left}"
                    )
                place += need
                count += 1
    return count


@functools.lru_cache(maxsize=64)
def _counted(file: str, size: int, changed: int) -> int:
    return count_records(file)


def find_records(data: str | Path | Sequence[str | Path] | Records) -> Records:
    """Find instances: of `kerasplm pretraining-data`, or of the original scripts.

    The first record of every file is looked at, so that a wrong one is found before
    the training begins.

    Args:
        data: A folder (with `dataset.json`, or files *.tfrecord*), a file, a pattern
            such as "data/*.tfrecord", or a list of these.

    Returns:
        `Records`.

    Raises:
        DataError: There is no file or no instance, a file is truncated, or a record
            is not one of pre-training data.

    Example:
        >>> find_records("data/wiki").total  # doctest: +SKIP
        1200000
    """
    if isinstance(data, Records):
        return data
    several = [data] if isinstance(data, str | Path) else list(data)
    counts: dict[str, int | None] = {}
    longest = 0
    for one in several:
        found, length = _found(one)
        counts |= found
        longest = max(longest, length)
    if not counts:
        raise DataError(f"{data}: expected TFRecord files, found none")
    files = {}
    for file, count in counts.items():
        if count is None:
            stat = Path(file).stat()
            count = _counted(file, stat.st_size, stat.st_mtime_ns)
        files[file] = count
    records = _looked_at(files, longest)
    if not records.total:
        raise DataError(f"{data}: expected instances, found {len(files)} empty files")
    return records


def _found(one: str | Path) -> tuple[dict[str, int | None], int]:
    path = Path(one).expanduser()
    if path.is_dir() and (path / FACTS).is_file():
        facts = read_json(path / FACTS)
        shards: Any = facts.get("shards")
        whole = isinstance(shards, dict) and all(
            isinstance(n, int) and n >= 0 for n in shards.values()
        )
        if not whole or not isinstance(facts.get("max_length"), int):
            raise DataError(
                f"{path / FACTS}: expected max_length and the instances of each file "
                f"in shards, found {sorted(facts)}"
            )
        missing = [name for name in shards if not (path / name).is_file()]
        if missing:
            raise DataError(
                f"{path}: {FACTS} names {len(shards)} files, missing are "
                f"{', '.join(missing[:5])}"
            )
        return {str(path / name): n for name, n in shards.items()}, facts["max_length"]
    if path.is_dir():
        names = sorted(path.glob("*.tfrecord*"))
        if not names:
            raise DataError(f"{path}: expected {FACTS} or *.tfrecord files, found none")
        return {str(name): None for name in names}, 0
    if path.is_file():
        return {str(path): None}, 0
    matched = sorted(glob.glob(str(path)))
    if not matched:
        raise DataError(f"{path}: no such file or folder")
    return dict.fromkeys(matched), 0


def _looked_at(files: dict[str, int], longest: int) -> Records:
    first: dict[str, list[Any]] = {}
    form, features, where = "", frozenset[str](), ""
    predictions = 0
    for file, count in files.items():
        if not count:
            continue
        first = _first(file)
        names = frozenset(first)
        its = form_of(first, f"{file}: record 0")
        if where and (its, names) != (form, features):
            raise DataError(
                f"{file}: record 0: expected the features of {where}, "
                f"{', '.join(sorted(features))}, found {', '.join(sorted(names))}"
            )
        if its != "dynamic":
            length = len(first["input_ids"])
            if longest not in (0, length):
                raise DataError(
                    f"{file}: record 0: expected {longest} input_ids, found {length}"
                )
            longest = length
        predictions = len(first.get("masked_lm_positions", ()))
        form, features, where = its, names, file
    return Records(
        tuple(files),
        tuple(files.values()),
        form or "dynamic",  # type: ignore[arg-type]
        longest,
        predictions,
        features,
    )


def _first(file: str) -> dict[str, list[Any]]:
    try:
        for raw in tf.data.TFRecordDataset(file).take(1):
            return values_of(raw.numpy(), f"{file}: record 0")
    except tf.errors.DataLossError as error:
        raise DataError(f"{file}: record 0: damaged ({error.message})") from error
    raise DataError(f"{file}: expected records, found none")


def values_of(raw: bytes, where: str) -> dict[str, list[Any]]:
    """Return the features of a record.

    Raises:
        DataError: It is no `tf.train.Example`.
    """
    try:
        example = tf.train.Example.FromString(raw)
    except Exception as error:
        raise DataError(
            f"{where}: expected a tf.train.Example, found {error}"
        ) from error
    return {
        name: list((one.int64_list or one.float_list).value)
        if one.WhichOneof("kind") == "int64_list"
        else list(one.float_list.value)
        for name, one in example.features.feature.items()
    }


def form_of(values: dict[str, list[Any]], where: str) -> Form:
    """Return the form of an instance.

    Raises:
        DataError: Features are missing, or their lengths disagree.
    """
    masked, padded = "masked_lm_positions" in values, "input_mask" in values
    needed = (*_PADDED, *_MASKS) if masked else _PADDED if padded else _DYNAMIC
    missing = [name for name in needed if not values.get(name)]
    if missing:
        raise DataError(
            f"{where}: expected the features {', '.join(needed)}, found "
            f"{', '.join(sorted(values)) or 'none'}"
        )
    groups = [
        [*needed[:3], "token_boundary"] if padded else [*_DYNAMIC, "token_boundary"]
    ]
    groups += [list(_MASKS)] if masked else []
    for group in groups:
        sizes = {name: len(values[name]) for name in group if name in values}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise DataError(f"{where}: expected features of one length, found {found}")
    return "masked" if masked else "padded" if padded else "dynamic"
