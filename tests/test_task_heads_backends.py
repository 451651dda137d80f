"""Task heads on the other backends: the same numbers, finite gradients, a fit."""

import json

import keras
import numpy as np
import pytest

from kerasplm import task_heads
from kerasplm.task_heads.global_pointer import sparse_global_pointer_loss
from kerasplm.task_heads.span import span_loss
from tests.head_inputs import LABELS, LOGITS, MASK, B, C, D, T, X, filled
from tests.test_backends import installed, run

# Runs here on TensorFlow, and as a script of its own on another backend.
SCRIPT = """
import json, sys
import keras
from tests.test_task_heads_backends import results, train
assert keras.backend.backend() == sys.argv[1]
assert sys.argv[1] == "tensorflow" or "tensorflow" not in sys.modules
before, after = train()
assert after < before, (before, after)
print(json.dumps(results()))
"""


def results() -> list[float]:
    """Return a sum over every kind of output and loss."""
    crf, memm = filled(task_heads.CRF(C), None), filled(task_heads.MEMM(C), None)
    span = filled(task_heads.ConditionalSpanHead.albert(D, start_beam=2), X.shape)
    linker = filled(task_heads.GPLinker(2, head_size=4), X.shape)
    # Without a mask: PyTorch orders equals, as closed tokens are, in its own way.
    out, found = span(X, MASK, LABELS[:, 0]), span(X)
    links = linker(X, MASK)["tails"]
    spans = np.array([[[[1, 2]], [[0, 0]]]] * B)
    values = [
        crf.log_likelihood(LOGITS, LABELS, MASK),
        crf(LOGITS, MASK),
        memm.loss(LOGITS, LABELS, MASK),
        memm(LOGITS, MASK),
        span_loss(out, LABELS[:, 0], LABELS[:, 1] % 1, LABELS[:, 2] > 0),
        found["start_top_index"],
        found["end_top_log_probs"][0],
        found["answerable_logit"],
        sparse_global_pointer_loss(spans, links),
        filled(task_heads.ObjectHead(C), X.shape)(X, LABELS[:, :2]),
    ]
    return [float(np.sum(keras.ops.convert_to_numpy(x))) for x in values]


def train() -> tuple[float, float]:
    """Fit a CRF on a dense layer by stock Keras; return the first and last loss."""
    keras.utils.set_random_seed(1)
    model = Tagger()
    model.compile(keras.optimizers.Adam(0.05))
    data = {"x": X, "labels": LABELS, "mask": MASK.astype("float32")}
    losses = model.fit(data, epochs=8, batch_size=B, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    paths = model.predict(data, verbose=0)
    assert paths.shape == (B, T)
    return losses[0], losses[-1]


class Tagger(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.head = task_heads.TaggingHead(C)
        self.crf = task_heads.CRF(C)

    def build(self, shapes) -> None:
        self.head.build(X.shape)
        self.crf.build()

    def call(self, inputs, training=None):
        logits = self.head(inputs["x"], training=training)
        if training:
            labels, mask = inputs["labels"], inputs["mask"]
            likelihood = self.crf.log_likelihood(logits, labels, mask)
            self.add_loss(-keras.ops.mean(likelihood))
        return self.crf(logits, padding_mask=inputs["mask"])


@pytest.mark.parametrize("backend", installed("tensorflow", "jax", "torch"))
def test_heads_on_a_backend(backend):
    if backend == keras.backend.backend():
        before, after = train()
        assert after < before
        return
    lines = run(SCRIPT, backend).strip().split("\n")
    np.testing.assert_allclose(json.loads(lines[-1]), results(), rtol=2e-5)
