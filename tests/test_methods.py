"""One step of every training method equals the same step done by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm import PretrainedModel
from kerasplm.methods import (
    FGM,
    PGD,
    VAT,
    GradientPenalty,
    Method,
    MethodTraining,
    RDrop,
)
from tests.trained import (
    FEW,
    GRAPH,
    METHODS,
    NOTHING,
    RATE,
    build,
    data,
    numbers,
    tensors,
)


class ByHand:
    """The same step with the table itself changed and put back, in the same order."""

    def __init__(self, model, batch):
        self.model, (self.x, self.y, self.weights) = model, batch
        self.table = model.encoder.embeddings.word

    def ce(self, logits):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(self.y, logits)
        return tf.reduce_mean(losses * self.weights)

    def kl(self, p, q):
        p, q = tf.nn.softmax(p), tf.nn.softmax(q)
        return tf.reduce_sum(p * tf.math.log(p / q), -1)

    def mean(self, values):
        """Over the rows, or over the real tokens."""
        real = tf.ones_like(values)
        if len(values.shape) == 2:
            real = tf.cast(self.x["padding_mask"], "float32")
        return tf.reduce_sum(values * real) / tf.reduce_sum(real)

    def at(self, delta, function):
        """Call with the table moved, then put it back."""
        clean = self.table.numpy()
        self.table.assign(clean + delta)
        value = function()
        self.table.assign(clean)
        return value

    def gradients(self, loss, variables):
        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [v.value for v in variables])
        return value, [np.asarray(tf.convert_to_tensor(g)) for g in found]

    def slope(self, delta, loss):
        _, (g,) = self.at(delta, lambda: self.gradients(loss, [self.table]))
        return g

    def run(self, training=True):
        return self.model(self.x, training=training)

    def plain(self):
        return self.ce(self.run())

    def fgm(self, method):
        g = self.slope(0.0, self.plain)
        return method.epsilon * g / (np.linalg.norm(g) + 1e-8), self.plain

    def pgd(self, method):
        delta = np.zeros(self.table.shape, "float32")
        for _ in range(method.steps):
            g = self.slope(delta, self.plain)
            delta = delta + method.alpha * g / (np.linalg.norm(g) + 1e-8)
            length = np.linalg.norm(delta)
            if length > method.epsilon:
                delta = delta * method.epsilon / length
        assert np.linalg.norm(delta) == pytest.approx(method.epsilon)
        return delta, self.plain

    def penalty(self, method):
        def loss():
            with tf.GradientTape() as tape:
                value = self.plain()
            g = tf.convert_to_tensor(tape.gradient(value, self.table.value))
            return value + method.epsilon / 2 * tf.reduce_sum(g**2)

        return 0.0, loss

    def rdrop(self, method):
        def loss():
            p, q = self.run(), self.run()
            kl = self.mean(self.weights * (self.kl(p, q) + self.kl(q, p)))
            return (self.ce(p) + self.ce(q)) / 2 + method.alpha / 4 * kl

        return 0.0, loss

    def vat(self, method):
        target = self.run(training=False)
        d = tf.random.stateless_normal(self.table.shape, [method.seed, 0]).numpy()
        for _ in range(method.iterations):
            d = method.xi * d / (np.linalg.norm(d) + 1e-8)
            d = self.slope(d, lambda: self.mean(self.kl(target, self.run())))
        delta = method.epsilon * d / (np.linalg.norm(d) + 1e-8)

        def loss():
            clean = self.plain()
            before = self.table.value + 0.0
            self.table.assign(before + delta)
            kl = self.mean(self.kl(target, self.run()))
            self.table.assign(before)
            return clean + method.weight * kl

        return 0.0, loss


RULES = {FGM: "fgm", PGD: "pgd", GradientPenalty: "penalty", RDrop: "rdrop", VAT: "vat"}


def check_step(model, method, batch):
    everything = numbers(model.variables)
    before = numbers(model.trainable_variables)
    logs = model.train_on_batch(*batch, return_dict=True)
    ours = numbers(model.trainable_variables)
    generators = numbers(model.non_trainable_variables)

    for variable, value in zip(model.variables, everything, strict=True):
        variable.assign(value)
    hand = ByHand(model, batch)
    delta, loss = getattr(hand, RULES[type(method)])(method)
    value, gradients = hand.at(
        delta, lambda: hand.gradients(loss, model.trainable_variables)
    )
    assert logs["loss"] == pytest.approx(float(value), abs=1e-6)
    moved = 0.0
    for mine, start, gradient in zip(ours, before, gradients, strict=True):
        np.testing.assert_allclose(mine, start - RATE * gradient, atol=1e-6)
        moved = max(moved, np.abs(RATE * gradient).max())
    assert moved > 1e-3
    # The dropout generators are where the same calls by hand leave them.
    for mine, theirs in zip(generators, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_one_step_by_hand(method):
    model, batch = build(method, run_eagerly=method not in GRAPH), tensors(data())
    check_step(model, method, batch)


@pytest.mark.parametrize("method", NOTHING, ids=str)
def test_nothing_to_do_is_plain_training(method):
    batch = data()
    plain, model = build(None, dropout=0.0), build(method, dropout=0.0)
    for _ in range(3):
        expected = plain.train_on_batch(*batch, return_dict=True)
        found = model.train_on_batch(*batch, return_dict=True)
        assert found == pytest.approx(expected, abs=1e-6)
    for mine, theirs in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_the_base_is_keras_own_step():
    batch = data()
    plain, model = build(None), build(Method())  # with dropout
    for _ in range(3):
        expected = plain.train_on_batch(*batch, return_dict=True)
        assert model.train_on_batch(*batch, return_dict=True) == expected
    for mine, theirs in zip(model.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_one_step_of_pgd_is_fgm():
    batch = data()
    one, other = build(FGM(0.4)), build(PGD(epsilon=0.4, alpha=0.4, steps=1))
    for model in (one, other):
        model.train_on_batch(*batch)
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("method", FEW, ids=str)
def test_tied_decoder(method):
    """A word table that also decodes is perturbed in both places."""
    encoder = build(None).encoder
    encoder.pooler.trainable = False  # it has no part in this

    class Masked(MethodTraining, PretrainedModel):
        def call(self, inputs, training=None):
            return super().call(inputs, training=training)["mlm_logits"]

    model = Masked(encoder, ["mlm"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sgd = keras.optimizers.SGD(RATE)
    model.compile(sgd, loss, method=method, run_eagerly=True)
    x, _, _ = tensors(data())
    check_step(model, method, (x, x["token_ids"], tf.ones((6, 1))))
