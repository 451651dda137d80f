"""Find the record that reading or training failed at."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerasplm.errors import DataError
from kerasplm.pretraining.sources import (
    Records,
    count_records,
    find_records,
    form_of,
    values_of,
)


def limits_of(length: int, vocab_size: int | None) -> dict[str, int]:
    """Return the number below which the values of each feature must be.

    Args:
        length: Tokens of an instance at most.
        vocab_size: Tokens of the vocabulary; None: any id will do.

    Example:
        >>> limits_of(128, 21128)["masked_lm_ids"]
        21128
    """
    words = 2**31 if vocab_size is None else vocab_size
    return {
        "input_ids": words,
        "segment_ids": 2,
        "next_sentence_labels": 2,
        "masked_lm_positions": length,
        "masked_lm_ids": words,
        "masked_lm_weights": 2,
    }


@contextlib.contextmanager
def located(
    data: Any, length: int | None = None, vocab_size: int | None = None
) -> Iterator[None]:
    """Tell file and record where reading the instances fails.

    TensorFlow reports a damaged record without saying where it is; then all files are
    read once more, until it is found.

    Args:
        data: As for `find_records`, or several of these.
        length: Tokens of an instance at most.
        vocab_size: Tokens of the vocabulary; None: any id will do.

    Raises:
        DataError: In the place of an error of TensorFlow, if a record is damaged.

    Example:
        >>> with located("data/wiki"):          # doctest: +SKIP
        ...     model.fit(dataset)
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        records = find_records(data)
        limits = limits_of(length or records.length, vocab_size)
        for file, count in zip(records.files, records.counts, strict=True):
            _read_through(file, count, records, limits, error)
        raise


def _read_through(
    file: str,
    count: int,
    records: Records,
    limits: Mapping[str, int],
    cause: Exception,
) -> None:
    place = 0
    held = count_records(file)
    if held != count:
        raise DataError(f"{file}: expected {count} records, found {held}") from cause
    try:
        for raw in tf.data.TFRecordDataset(file):
            where = f"{file}: record {place}"
            values = values_of(raw.numpy(), where)
            form = form_of(values, where)
            if form != records.form:
                raise DataError(
                    f"{where}: expected the form {records.form!r}, found {form!r}"
                )
            _check(values, where, records, limits)
            place += 1
    except tf.errors.DataLossError as error:
        raise DataError(f"{file}: record {place}: damaged ({error.message})") from cause


def _check(
    values: Mapping[str, Sequence[Any]],
    where: str,
    records: Records,
    limits: Mapping[str, int],
) -> None:
    """Refuse a record with too many or impossible values."""
    size = len(values["input_ids"])
    size = size if records.form == "dynamic" else sum(values["input_mask"])
    longest = limits["masked_lm_positions"]
    if not 2 <= size <= longest:
        raise DataError(f"{where}: expected 2 to {longest} tokens, found {size}")
    for name, expected in (
        ("next_sentence_labels", 1),
        ("masked_lm_positions", records.predictions),
    ):
        found = len(values.get(name, ()))
        if name in records.features and found != expected:
            raise DataError(f"{where}: expected {expected} {name}, found {found}")
    for name, limit in limits.items():
        for value in values.get(name, ()):
            if not 0 <= value < limit:
                raise DataError(
                    f"{where}: expected {name} from 0 to below {limit}, found {value}"
                )
