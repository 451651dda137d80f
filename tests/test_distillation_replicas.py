"""Distillation with `fit` on two devices gives what one device gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SCRIPT = """
import json, sys
import keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2)
import kerasplm as plm

sizes = dict(vocab_size=50, num_attention_heads=2, intermediate_size=16,
    max_position_embeddings=16, hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0, initializer_range=0.2)
random = np.random.default_rng(0)
lengths = np.array([3, 2, 9, 8])
batch = {"token_ids": random.integers(1, 50, (4, 9)),
    "segment_ids": np.zeros((4, 9), int),
    "padding_mask": np.arange(9) < lengths[:, None]}
devices = ("CPU:0", "CPU:1")
keras.utils.set_random_seed(1)
with tf.distribute.MirroredStrategy(("CPU:0", "CPU:1")).scope():
    teacher = plm.Encoder(plm.Config(hidden_size=8, num_hidden_layers=1, **sizes))
    student = plm.Encoder(plm.Config(hidden_size=4, num_hidden_layers=1, **sizes))
    model = plm.Distillation(teacher, student)
    model.compile(plm.AdamW(1e-2))
terms, measures = model.outcome(batch)
alone = {n: float(total / count) for n, (total, count) in measures.items()}
alone["loss"] = sum(float(term.value) for term in terms.values())
data = tf.data.Dataset.from_tensors(batch).unbatch().batch(4, True)
logs = model.fit(data, verbose=0, shuffle=False).history
replicas = model.distribute_strategy.num_replicas_in_sync
print(json.dumps([replicas, alone, {n: logs[n][0] for n in alone}]))
"""


def test_two_devices_are_one():
    """Half of the batch is mostly padding, so that means of means would differ."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    replicas, alone, together = json.loads(done.stdout.splitlines()[-1])
    assert replicas == 2
    assert together == pytest.approx(alone, rel=1e-5)
