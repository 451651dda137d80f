"""TFRecord files of `tf.train.Example`, written and read without TensorFlow.

A process that imports TensorFlow takes over 600 MB and seconds; this takes neither.
"""

import functools
import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kerasplm.errors import DataError
from kerasplm.memo import Memo

Values = Sequence[int] | bytes | array
"""`array("f")` are floats; `bytes` are integers below 128; others are int64."""

_CHUNK = 2048
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return what a byte adds to a checksum, by its distance from the end.

    A cyclic checksum is linear: it is the exclusive or of what each byte alone would
    give, so that one gather and one reduction replace a loop over bytes.
    """
    register = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = (register & 1).astype(bool)
        register = np.where(
            odd, (register >> 1) ^ np.uint32(_POLYNOMIAL), register >> 1
        )
    rows = np.empty((_CHUNK, 256), np.uint32)
    rows[-1] = register
    for n in range(_CHUNK - 2, -1, -1):
        rows[n] = (rows[n + 1] >> 8) ^ register[rows[n + 1] & 255]
    return rows.ravel(), np.arange(0, _CHUNK * 256, 256, dtype=np.int64)


def crc32c(data: bytes) -> int:
    """Return the Castagnoli checksum of bytes.

    Args:
        data: Any number of bytes.

    Returns:
        32 bits.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'

    Source:
        RFC 3720, appendix B.4.
    """
    table, offsets = _tables()
    register = 0xFFFFFFFF
    for start in range(0, len(data), _CHUNK):
        chunk = np.frombuffer(data, np.uint8, min(_CHUNK, len(data) - start), start)
        # The register is the exclusive or with the first four bytes.
        front = register.to_bytes(4, "little")
        mixed = chunk.astype(np.int64)
        count = min(4, len(chunk))
        mixed[:count] ^= np.frombuffer(front, np.uint8, count)
        mixed += offsets[-len(chunk) :]
        found = int(np.bitwise_xor.reduce(table[mixed]))
        register = found ^ (register >> (8 * count))
    return register ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


# Lengths of records repeat.
_headers = Memo(lambda size: _header(size))


def _header(size: int) -> bytes:
    return _HEADER.pack(size, _masked(crc32c(struct.pack("<Q", size))))


def frame(data: bytes) -> bytes:
    """Return a record as it stands in a file: length, data, both checksums.

    Args:
        data: The bytes of an example.

    Example:
        >>> len(frame(b"data"))
        20

    Source:
        tensorflow.org, "TFRecord and tf.train.Example".
    """
    checksum = _FOOTER.pack(_masked(crc32c(data)))
    return b"".join((_headers[len(data)], data, checksum))


def _varint(value: int) -> bytes:
    # A negative int64 takes ten bytes.
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_varints = Memo(_varint)


def _field(number: int, data: bytes) -> bytes:
    return b"".join((_varints[number << 3 | 2], _varints[len(data)], data))


# What stands before the values of a feature depends on these three alone.
_fronts = Memo(lambda place: _front(*place))


def _front(name: str, kind: int, size: int) -> bytes:
    """Return the bytes of a feature before its packed values."""
    # The message of the values is their size, which makes all others longer, too.
    values = _varints[1 << 3 | 2] + _varints[size] if size else b""
    feature = _varints[kind << 3 | 2] + _varints[len(values) + size] + values
    key = _field(1, name.encode("utf-8"))
    value = _varints[2 << 3 | 2] + _varints[len(feature) + size] + feature
    entry = key + value
    return _varints[1 << 3 | 2] + _varints[len(entry) + size] + entry


def encode(features: Mapping[str, Values]) -> bytes:
    """Return a `tf.train.Example` as bytes.

    Args:
        features: The values of each feature by name; see `Values`.

    Returns:
        What the deterministic ``SerializeToString`` gives: names are sorted.

    Example:
        >>> encode({"a": [1, 300]}).hex(" ")
        '0a 0e 0a 0c 0a 01 61 12 07 1a 05 0a 03 01 ac 02'

    Source:
        tensorflow/core/example/feature.proto.
    """
    parts = []
    for name in sorted(features):
        values = features[name]
        kind = _INT64_LIST
        if isinstance(values, bytes):
            packed = values
        elif isinstance(values, array) and values.typecode == "f":
            kind, packed = _FLOAT_LIST, np.asarray(values, "<f4").tobytes()
        else:
            packed = b"".join(map(_varints.__getitem__, values))
        parts.append(_fronts[name, kind, len(packed)])
        parts.append(packed)
    return _field(1, b"".join(parts))


def read(path: str | Path) -> Iterator[bytes]:
    """Read the records of a file; both checksums of each are checked.

    Args:
        path: A TFRecord file without compression.

    Raises:
        DataError: The file is truncated or damaged; the message names the record.

    Example:
        >>> for data in read("records-00000-of-00001.tfrecord"):  # doctest: +SKIP
        ...     print(decode(data)["input_ids"])
    """
    number = 0
    with open(path, "rb") as stream:
        while head := stream.read(_HEADER.size):
            where = f"{path}: record {number}"
            if len(head) < _HEADER.size:
                raise DataError(
                    f"{where}: expected {_HEADER.size} bytes, found the end"
                )
            size, crc = _HEADER.unpack(head)
            if crc != _masked(crc32c(head[:8])):
                raise DataError(f"{where}: the checksum of its length is wrong")
            data = stream.read(size)
            foot = stream.read(_FOOTER.size)
            if len(foot) < _FOOTER.size:
                raise DataError(f"{where}: expected {size} bytes, found the end")
            if _FOOTER.unpack(foot)[0] != _masked(crc32c(data)):
                raise DataError(f"{where}: the checksum of its data is wrong")
            yield data
            number += 1


def framed(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read records as `frame` made them, from bytes that are trusted.

    Args:
        stream: Stands at the first record.
        size: Bytes of all of them together.
    """
    while size > 0:
        head = stream.read(_HEADER.size)
        rest = stream.read(_HEADER.unpack(head)[0] + _FOOTER.size)
        size -= len(head) + len(rest)
        yield head + rest


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Read the fields of a message: their numbers and values."""
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        if tag & 7 == 0:
            value, at = _number(data, at)
            yield tag >> 3, value
            continue
        size, at = _number(data, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
        if at + size > len(data):
            raise IndexError
        yield tag >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7


def _numbers(data: bytes) -> list[int]:
    out, at = [], 0
    while at < len(data):
        value, at = _number(data, at)
        out.append(value - (1 << 64) if value >> 63 else value)
    return out


def decode(data: bytes) -> dict[str, Any]:
    """Return the features of a `tf.train.Example`.

    Args:
        data: The bytes of an example.

    Returns:
        By name an int64 or float32 array, or a list of bytes.

    Raises:
        DataError: The bytes are no example.

    Example:
        >>> decode(encode({"a": [1, 300]}))["a"].tolist()
        [1, 300]
    """
    try:
        found = {}
        for _, features in _fields(data):
            for _, entry in _fields(features):
                pair = dict(_fields(entry))
                found[pair[1].decode("utf-8")] = _feature(pair.get(2, b""))
    except (IndexError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"expected a tf.train.Example, found {len(data)} other bytes"
        ) from error
    return found


def _feature(data: bytes) -> Any:
    kind, listed = next(_fields(data), (_BYTES_LIST, b""))
    values = [value for _, value in _fields(listed)]
    if kind == _BYTES_LIST:
        return values
    if kind == _FLOAT_LIST:
        return np.frombuffer(b"".join(values), "<f4")
    # Packed, or one field for each number.
    numbers = [_numbers(v) if isinstance(v, bytes) else [v] for v in values]
    return np.array([n for some in numbers for n in some], np.int64)
