"""Which files are instances, and what is said of broken ones."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from kerasplm.errors import PLMError
from kerasplm.pretraining.batches import batches
from kerasplm.pretraining.locating import located
from kerasplm.pretraining.pipeline import Pipeline
from kerasplm.pretraining.sources import count_records, find_records
from tests.pretraining_records import (
    MASKING,
    VOCAB,
    instance,
    write_folder,
    write_records,
)


def test_counts_with_and_without_facts(tmp_path):
    write_folder(tmp_path / "a")
    write_folder(tmp_path / "b", facts=False)
    for folder in ("a", "b"):
        records = find_records(tmp_path / folder)
        assert records.counts == (30, 17, 25, 8)
        assert (records.form, records.total) == ("dynamic", 80)
    both = find_records([tmp_path / "a", str(tmp_path / "b" / "*00001-of*")])
    assert both.counts == (30, 17, 25, 8, 17)
    assert find_records(both) is both


def test_truncated_file_names_file_and_place(tmp_path):
    write_folder(tmp_path, facts=False)
    file = sorted(tmp_path.glob("*.tfrecord"))[1]
    raw = file.read_bytes()
    file.write_bytes(raw[:-5])
    with pytest.raises(PLMError, match=rf"{file.name}: truncated .* record 16 at byte"):
        find_records(tmp_path)
    file.write_bytes(raw + b"abc")
    with pytest.raises(
        PLMError, match=r"record 17 at byte \d+ needs 16 bytes, found 3"
    ):
        count_records(file)
    file.write_bytes(b"")
    assert count_records(file) == 0


def test_an_empty_file_among_others_is_passed_over(tmp_path):
    write_folder(tmp_path, (4, 0, 4))
    data = batches(tmp_path, 24, 4, Pipeline(masking=MASKING, epochs=1))
    assert len(list(data)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: {}, "expected the features input_ids, segment_ids, found none"),
        (lambda one: {"input_ids": [1, 2]}, "found input_ids"),
        (lambda one: one | {"segment_ids": [0]}, "features of one length"),
        (
            lambda one: one | {"masked_lm_positions": [1], "masked_lm_ids": [1]},
            "input_mask",
        ),
        (lambda one: {**one, "more": [1]}, "expected the features of"),
    ],
)
def test_wrong_records_are_told_at_once(tmp_path, change, message):
    write_folder(tmp_path, (5, 5))
    one = instance(0, np.random.default_rng(0))
    write_records(sorted(tmp_path.glob("*.tfrecord"))[1], [change(one)] * 5)
    with pytest.raises(PLMError, match=message) as error:
        find_records(tmp_path)
    assert "records-00001-of-00002.tfrecord: record 0" in str(error.value)


def test_wrong_folders(tmp_path):
    with pytest.raises(PLMError, match="no such file or folder"):
        find_records(tmp_path / "nothing")
    with pytest.raises(PLMError, match=r"expected dataset\.json or \*\.tfrecord"):
        find_records(tmp_path)
    with pytest.raises(PLMError, match="no such file"):
        count_records(tmp_path / "x.tfrecord")
    write_folder(tmp_path / "empty", (0, 0))
    with pytest.raises(PLMError, match="2 empty files"):
        find_records(tmp_path / "empty")
    write_folder(tmp_path / "lost", (3, 3))
    next((tmp_path / "lost").glob("*00001-of*")).unlink()
    with pytest.raises(PLMError, match=r"missing are records-00001-of-00002"):
        find_records(tmp_path / "lost")
    (tmp_path / "lost" / "dataset.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PLMError, match="expected max_length and the instances"):
        find_records(tmp_path / "lost")
    text = tmp_path / "words.tfrecord"
    text.write_text("这不是记录" * 10, encoding="utf-8")
    with pytest.raises(PLMError, match="truncated or no TFRecord file"):
        find_records(text)


CHANGES = {
    "long": lambda one: dict.fromkeys(one, [9] * 30) | {"next_sentence_labels": [0]},
    "empty": lambda one: dict.fromkeys(one, []) | {"next_sentence_labels": [0]},
    "id": lambda one: one | {"input_ids": [VOCAB, *one["input_ids"][1:]]},
    "segment": lambda one: one | {"segment_ids": [2, *one["segment_ids"][1:]]},
    "label": lambda one: one | {"next_sentence_labels": [2]},
    "no label": lambda one: one | {"next_sentence_labels": []},
}


def broken(folder, kind):
    """Break record 3 of the second file after the files were looked at."""
    file = sorted(folder.glob("*.tfrecord"))[1]
    rng = np.random.default_rng(1)
    these = [instance(n, rng) for n in range(17)]
    if kind == "damaged":
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 255
        file.write_bytes(bytes(raw))
    elif kind == "truncated":
        file.write_bytes(file.read_bytes()[:-3])
    else:
        these[3] = CHANGES[kind](these[3])
        write_records(file, these)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("damaged", r"record \d+: damaged"),
        ("truncated", r"truncated or no TFRecord file: record 16 at byte"),
        ("long", r"record 3: expected 2 to 24 tokens, found 30"),
        ("empty", r"record 3: expected the features input_ids"),
        ("id", rf"record 3: expected input_ids from 0 to below {VOCAB}, found {VOCAB}"),
        ("segment", r"record 3: expected segment_ids from 0 to below 2, found 2"),
        ("label", r"record 3: expected next_sentence_labels from 0 to below 2"),
        ("no label", r"record 3: expected 1 next_sentence_labels, found 0"),
    ],
)
@pytest.mark.parametrize("packing", [1, 4])
def test_a_broken_record_is_found_while_training(tmp_path, kind, message, packing):
    folder = tmp_path / "data"
    write_folder(folder)
    records = find_records(folder)
    pipeline = Pipeline(masking=MASKING, epochs=1, packing=packing, vocab_size=VOCAB)
    dataset = batches(records, 24, 4, pipeline)
    broken(folder, kind)
    with (
        pytest.raises(PLMError, match=message) as error,
        located(records, 24, VOCAB),
    ):
        for _ in dataset:
            pass
    assert "records-00001-of-00004.tfrecord" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masked_lm_positions": [24, 0]}, "masked_lm_positions from 0 to below 24"),
        (
            {"masked_lm_ids": [-1, 0]},
            f"masked_lm_ids from 0 to below {VOCAB}, found -1",
        ),
        ({"masked_lm_weights": [9.0, 0.0]}, "masked_lm_weights from 0 to below 2"),
        (
            {f"masked_lm_{name}": [1, 2, 3] for name in ("positions", "ids")}
            | {"masked_lm_weights": [1.0] * 3},
            "expected 2 masked_lm_positions, found 3",
        ),
    ],
)
def test_masks_that_cannot_be(tmp_path, change, message):
    """They would be cut off or read as zeros."""
    one = {
        "input_ids": [9] * 24,
        "input_mask": [1] * 24,
        "segment_ids": [0] * 24,
        "masked_lm_positions": [1, 0],
        "masked_lm_ids": [9, 0],
        "masked_lm_weights": [1.0, 0.0],
    }
    file = tmp_path / "records.tfrecord"
    write_records(file, [one, one, one | change, one])
    dataset = batches(file, 24, 2, Pipeline(epochs=1, vocab_size=VOCAB))
    with (
        pytest.raises(PLMError, match=message) as error,
        located(file, 24, VOCAB),
    ):
        list(dataset)
    assert "records.tfrecord: record 2: " in str(error.value)


def test_errors_of_another_kind_pass(tmp_path):
    write_folder(tmp_path / "data")
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        located(tmp_path / "data"),
    ):
        tf.reshape(tf.zeros(3), [2])
    shutil.rmtree(tmp_path / "data")
