"""The core on every Keras backend: the goldens, a training step, no tensorflow."""

import importlib.util
import os
import subprocess
import sys

import pytest

from kerasplm import fused
from tests import whole_attention

CORE = """
import sys
import numpy as np
import keras
from kerasplm import Classifier, Config, Encoder, PretrainedModel
from kerasplm import Seq2Seq, Seq2SeqConfig
from kerasplm.heads import HEADS
from kerasplm.shared_rows import encoded
assert keras.backend.backend() == sys.argv[1], keras.backend.backend()
axes = (
    {"position": "nezha"},
    {"num_hidden_groups": 1, "embedding_size": 8, "attention": "unilm"},
    {"ln_type": "pre", "embedding_projection": "before_norm", "embedding_size": 8},
    {"ffn_groups": 4, "num_hidden_groups": 2, "inner_group_num": 2},
    {"attention_key_size": 12, "attention": "causal", "type_vocab_size": 0},
)
ids = np.random.default_rng(0).integers(0, 50, (8, 9))
# The first four tokens of two texts stand in one row.
texts = {"token_ids": ids, "padding_mask": np.arange(9) < np.full((8, 1), 4)}
places = np.full((4, 9), -1)
places[:, :8] = (np.arange(8)[:, None] * 9 + np.arange(4)).reshape(4, 8)
for n, fields in enumerate(axes):
    config = Config(vocab_size=50, hidden_size=24, num_hidden_layers=2,
                    num_attention_heads=4, intermediate_size=48, **fields)
    encoder = Encoder(config)
    out = PretrainedModel(encoder, HEADS)({"token_ids": ids, "mlm_positions": ids % 9})
    assert tuple(out["mlm_logits"].shape) == (8, 9, 50)
    shared = encoded(encoder, texts | {"shared_rows": places})
    pair = (keras.ops.convert_to_numpy(x["pooled_output"])
            for x in (encoder(texts), shared))
    np.testing.assert_allclose(*pair, rtol=0, atol=1e-5)
    if n > 1:
        continue
    model = Classifier(encoder, ["a", "b"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    before = np.array(encoder.get_weights()[0])
    model.fit({"token_ids": ids}, np.array([0, 1] * 4), epochs=1, verbose=0)
    assert not np.array_equal(before, encoder.get_weights()[0])
seq2seq = Seq2Seq(Seq2SeqConfig(vocab_size=50, hidden_size=24, num_hidden_layers=2,
    num_attention_heads=3, attention_head_size=10, intermediate_size=32))
seq2seq.compile("adam", {"logits": loss})
before = np.array(seq2seq.get_weights()[0])
batch = {"token_ids": ids, "target_ids": ids[:, :5]}
seq2seq.fit(batch, {"logits": ids[:, 1:6]}, epochs=1, verbose=0)
assert not np.array_equal(before, seq2seq.get_weights()[0])
if sys.argv[1] != "tensorflow":
    assert "tensorflow" not in sys.modules
"""

GOLDENS = """
import sys
import keras
import numpy as np
import kerasplm as plm
from tests.golden import HIDDEN, LOGITS, Comparison, cases
assert keras.backend.backend() == sys.argv[1]
found = cases("pretrain", "causal_lm")
assert found
for case in found:
    compare, io = Comparison(case), case.io
    batch = {"token_ids": io["input_ids"]}
    if case.kind == "pretrain":
        batch = case.batch() | {"mlm_positions": io["masked_lm_positions"]}
    out = plm.load(case.folder, heads="pretraining")(batch, return_hidden_states=True)
    numpy = keras.ops.convert_to_numpy
    for ours, theirs in zip(out["hidden_states"][1:], io["all_encoder_layers"],
                            strict=True):
        compare("layer", numpy(ours), theirs, HIDDEN)
    logits = io["mlm_logits"] if case.kind == "pretrain" else io["logits"]
    ours = numpy(out["mlm_logits"])
    ours = ours.reshape(-1, ours.shape[-1]) if logits.ndim == 2 else ours
    compare("logits", ours, logits, LOGITS)
    compare.finish()
print(len(found), "cases")
"""

ATTENTION = """
import sys
import keras
from kerasplm import fused
from tests.whole_attention import compare, compare_step
assert keras.backend.backend() == sys.argv[1]
assert fused.has_whole_attention()
compare(setattr)
compare_step(setattr)
"""


def run(code, backend):
    done = subprocess.run(
        [sys.executable, "-c", code, backend],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def installed(*names):
    return [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(name) is None, reason=f"{name} not installed"
            ),
        )
        for name in names
    ]


@pytest.mark.parametrize("backend", installed("tensorflow", "jax", "torch"))
def test_core_trains(backend):
    run(CORE, backend)


@pytest.mark.parametrize("backend", installed("jax", "torch"))
def test_backend_gives_the_golden_numbers(backend):
    assert "cases" in run(GOLDENS, backend)


@pytest.mark.parametrize("backend", installed("jax", "torch"))
def test_attention_of_the_backend_gives_the_numbers_of_the_layers(backend):
    run(ATTENTION, backend)


@pytest.fixture
def forced(monkeypatch):
    """Let TensorFlow take what is of no use there."""
    assert not fused.has_whole_attention()
    monkeypatch.setattr(fused, "has_whole_attention", lambda: True)
    return monkeypatch.setattr


def test_attention_of_keras_gives_the_numbers_of_the_layers(forced):
    whole_attention.compare(forced)


def test_attention_of_the_backend_is_used_where_it_can_be(forced):
    whole_attention.check_choice(forced)
