"""TFRecord files without TensorFlow, compared with TensorFlow's own."""

from array import array

import numpy as np
import pytest
import tensorflow as tf

from kerasplm.errors import DataError
from kerasplm.pretraining import records

FEATURES = {
    "input_ids": [101, 5, 21127, 2**40, 0, -1, 102],
    "segment_ids": bytes([0, 0, 1, 1]),
    "masked_lm_weights": array("f", [1.0, 0.5, 0.0]),
    "next_sentence_labels": [1],
    "none": [],
}


def example(features):
    out = tf.train.Example()
    for name, values in features.items():
        feature = out.features.feature[name]
        if isinstance(values, array):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(list(values))
    return out


def write(path, *rows):
    path.write_bytes(b"".join(map(records.frame, rows)))
    return path


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_of_the_standard(data, checksum):
    assert records.crc32c(data) == checksum


def test_files_are_those_of_tensorflow(tmp_path):
    rng = np.random.default_rng(0)
    # Around the ends of the chunks in which checksums are computed.
    rows = [rng.bytes(n) for n in (0, 1, 3, 4, 5, 2047, 2048, 2049, 2052, 5000)]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for row in rows:
            writer.write(row)
    ours = write(tmp_path / "ours", *rows)
    assert ours.read_bytes() == (tmp_path / "theirs").read_bytes()
    assert list(records.read(tmp_path / "theirs")) == rows
    with open(ours, "rb") as stream:
        framed = list(records.framed(stream, ours.stat().st_size))
    assert framed == [records.frame(row) for row in rows]


def test_examples_are_those_of_tensorflow():
    data = records.encode(FEATURES)
    assert data == example(FEATURES).SerializeToString(deterministic=True)
    assert tf.train.Example.FromString(data) == example(FEATURES)


def test_examples_are_read_by_tf_data(tmp_path):
    path = write(tmp_path / "x", *[records.encode(FEATURES)] * 3)
    kinds = {
        "input_ids": tf.io.FixedLenFeature([7], tf.int64),
        "segment_ids": tf.io.VarLenFeature(tf.int64),
        "masked_lm_weights": tf.io.FixedLenFeature([3], tf.float32),
    }
    rows = list(tf.data.TFRecordDataset(str(path)).batch(3))
    found = tf.io.parse_example(rows[0], kinds)
    assert found["input_ids"].numpy().tolist() == [FEATURES["input_ids"]] * 3
    assert found["masked_lm_weights"].numpy().tolist() == [[1.0, 0.5, 0.0]] * 3
    segments = tf.sparse.to_dense(found["segment_ids"]).numpy()
    assert segments.tolist() == [[0, 0, 1, 1]] * 3


def test_examples_are_read_back():
    found = records.decode(example(FEATURES).SerializeToString())
    assert set(found) == set(FEATURES)
    assert found["input_ids"].tolist() == FEATURES["input_ids"]
    assert found["input_ids"].dtype == np.int64
    assert found["segment_ids"].tolist() == [0, 0, 1, 1]
    assert found["masked_lm_weights"].tolist() == [1.0, 0.5, 0.0]
    assert found["none"].tolist() == []
    text = tf.train.Example()
    text.features.feature["text"].bytes_list.value.extend([b"a", b""])
    assert records.decode(text.SerializeToString()) == {"text": [b"a", b""]}


def test_numbers_that_are_not_packed_are_read():
    # 0x08: field 1 as a number of its own, twice.
    listed = bytes([0x08, 7, 0x08, 9])
    feature = bytes([0x1A, len(listed)]) + listed
    entry = b"\x0a\x01a\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    data = b"\x0a" + bytes([len(features)]) + features
    assert tf.train.Example.FromString(data)
    assert records.decode(data)["a"].tolist() == [7, 9]


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"text", b"\x0a\x02\x08\x01"])
def test_other_bytes_are_refused(data):
    with pytest.raises(DataError, match=r"expected a tf.train.Example"):
        records.decode(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "record 1: expected 5 bytes, found the end"),
        (lambda data: data[:25], "record 1: expected 12 bytes, found the end"),
        (
            lambda data: data[:30] + b"\1" + data[31:],
            "record 1: the checksum of its len",
        ),
        (
            lambda data: data[:-6] + b"X" + data[-5:],
            "record 1: the checksum of its data",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    path = write(tmp_path / "x", b"first", b"other")
    path.write_bytes(change(path.read_bytes()))
    found = records.read(path)
    assert next(found) == b"first"
    with pytest.raises(DataError, match=message) as error:
        next(found)
    assert str(path) in str(error.value)
