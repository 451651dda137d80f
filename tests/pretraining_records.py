"""Small files of instances for the tests of pre-training."""

import json

import numpy as np
import tensorflow as tf

from kerasplm.pretraining.dynamic import Masking

CLS, SEP, MASK, VOCAB = 2, 3, 4, 400
MASKING = Masking(
    vocab_size=VOCAB, mask_id=MASK, special_ids=(0, CLS, SEP), max_predictions=4, seed=5
)


def write_records(path, examples) -> None:
    """Write dictionaries of lists as `tf.train.Example`."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for values in examples:
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=x))
                if "weights" in name
                else tf.train.Feature(int64_list=tf.train.Int64List(value=x))
                for name, x in values.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def instance(number, rng, low=8, high=24) -> dict:
    """Return [CLS] a [SEP] b [SEP]; its second and third tokens tell the number."""
    n = int(rng.integers(low, high + 1))
    ids = rng.integers(5, VOCAB, n)
    ids[0], ids[-1], cut = CLS, SEP, n // 2
    ids[cut] = SEP
    ids[1], ids[2] = 10 + number % 100, 10 + number // 100
    starts = (rng.random(n) < 0.6).astype(int)
    starts[[0, 1, 2, cut, n - 1]] = 1
    return {
        "input_ids": ids.tolist(),
        "segment_ids": [int(i > cut) for i in range(n)],
        "token_boundary": starts.tolist(),
        "next_sentence_labels": [number % 2],
    }


def padded(one: dict, length=24) -> dict:
    """Return an instance as ELECTRA's script writes it."""
    n = len(one["input_ids"])
    rest = [0] * (length - n)
    return {
        "input_ids": one["input_ids"] + rest,
        "input_mask": [1] * n + rest,
        "segment_ids": one["segment_ids"] + rest,
    }


def masked(one: dict, length=24, slots=4) -> dict:
    """Return an instance as BERT's script writes it: its third token is masked."""
    out = padded(one, length)
    out["masked_lm_positions"] = [3] + [0] * (slots - 1)
    out["masked_lm_ids"] = [out["input_ids"][3]] + [0] * (slots - 1)
    out["masked_lm_weights"] = [1.0] + [0.0] * (slots - 1)
    out["input_ids"] = [*out["input_ids"][:3], MASK, *out["input_ids"][4:]]
    return out | {"next_sentence_labels": one["next_sentence_labels"]}


def write_folder(folder, sizes=(30, 17, 25, 8), form="dynamic", facts=True, high=24):
    """Write one file for each size; return all instances in order."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, instances, shards = np.random.default_rng(0), [], {}
    change = {"dynamic": dict, "padded": padded, "masked": masked}[form]
    for n, size in enumerate(sizes):
        name = f"records-{n:05d}-of-{len(sizes):05d}.tfrecord"
        these = [instance(len(instances) + i, rng, high=high) for i in range(size)]
        write_records(folder / name, map(change, these))
        shards[name] = size
        instances += these
    if facts:
        text = json.dumps({"max_length": high, "form": form, "shards": shards})
        (folder / "dataset.json").write_text(text, encoding="utf-8")
    return instances


def number_of(ids) -> int:
    """Return the number of an instance from its unmasked ids."""
    return int(ids[1] - 10 + 100 * (ids[2] - 10))
