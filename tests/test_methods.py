"""Training methods: one step by hand, plain training at zero, fit, mixed precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm import AdamW, Classifier, Config, Encoder, PretrainedModel
from kerasplm.errors import ConfigError
from kerasplm.methods import (
    FGM,
    PGD,
    VAT,
    GradientPenalty,
    Method,
    MethodTraining,
    RDrop,
)
from kerasplm.methods.consistency import divergence_of, mean_of
from kerasplm.training import _variables

RATE = 0.1
METHODS = (
    FGM(),
    FGM(0.1),
    PGD(epsilon=0.25, alpha=0.2, steps=2),
    GradientPenalty(),
    RDrop(),
    VAT(),
    VAT(xi=2.0, epsilon=0.5, iterations=3, weight=0.3, seed=7),
)
GRAPH = (METHODS[2], METHODS[6])  # as does `fit`
FEW = METHODS[1:6]  # one of each
NOTHING = (FGM(0.0), PGD(0.0, 0.0), GradientPenalty(0.0), RDrop(0.0), VAT(epsilon=0.0))


@keras.saving.register_keras_serializable(package="tests")
class Trained(MethodTraining, Classifier):
    pass


def build(method, optimizer=None, dropout=0.3, weighted=False, **compiled):
    keras.utils.set_random_seed(3)
    config = Config(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=12,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.3,  # gradients of some size
    )
    model = Trained(Encoder(config), ["a", "b", "c"], dropout=dropout)
    compiled = {"run_eagerly": True} | compiled  # quicker for a few steps
    metrics = {"weighted_metrics" if weighted else "metrics": ["accuracy"]}
    model.compile(
        optimizer or keras.optimizers.SGD(RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        method=method,
        **metrics | compiled,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def data(rows=6, length=9, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, 12, (rows, length))  # words repeat
    mask = np.arange(length) < rng.integers(3, length + 1, (rows, 1))
    weights = rng.uniform(0.2, 2.0, rows).astype("float32")
    return {"token_ids": ids * mask, "padding_mask": mask}, ids[:, 0] % 3, weights


def tensors(batch):
    return tf.nest.map_structure(tf.convert_to_tensor, batch)


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


def numbers(variables):
    return [np.array(v.numpy()) for v in variables]


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
def test_fit_with_batches_of_any_length(method):
    rows = [data(rows=4, length=length, seed=length)[:2] for length in (5, 9, 7, 5)]
    signature = (
        {
            "token_ids": tf.TensorSpec((None, None), "int64"),
            "padding_mask": tf.TensorSpec((None, None), "bool"),
        },
        tf.TensorSpec((None,), "int64"),
    )
    batches = tf.data.Dataset.from_generator(lambda: rows, output_signature=signature)
    batches = batches.apply(tf.data.experimental.assert_cardinality(len(rows)))
    model = build(method, AdamW(0.003), dropout=0.0, run_eagerly=False)
    history = model.fit(
        batches, validation_data=batches, epochs=6, verbose=0, shuffle=False
    ).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["val_loss"][-1] < history["val_loss"][0]
    plain = model.evaluate(batches, verbose=0, return_dict=True)
    assert plain["loss"] == pytest.approx(history["val_loss"][-1])


@pytest.mark.parametrize("method", [FGM(), PGD(), VAT()], ids=str)
def test_table_is_restored_exactly(method):
    """Every update of zero length leaves every bit where it was."""
    model = build(method, keras.optimizers.SGD(0.0))
    before = numbers(model.weights)
    for seed in range(3):
        model.train_on_batch(*data(seed=seed))
    for mine, theirs in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("method", FEW, ids=str)
def test_state_is_all_in_the_variables(method):
    """Another model with the same variables goes on in the same way."""
    first = build(method, AdamW(0.01))
    for seed in range(3):
        first.train_on_batch(*data(seed=seed))
    second = build(method, AdamW(0.01))
    for (_, mine), (_, theirs) in zip(
        _variables(second), _variables(first), strict=True
    ):
        mine.assign(theirs)
    for model in (first, second):
        for seed in range(3, 6):
            model.train_on_batch(*data(seed=seed))
    for mine, theirs in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("method", FEW, ids=str)
def test_gradient_accumulation(method):
    """Two equal batches give the update of one of them; the first one moves nothing."""
    once = build(method, dropout=0.0)
    slow = keras.optimizers.SGD(RATE, gradient_accumulation_steps=2)
    twice = build(method, slow, dropout=0.0)
    before = numbers(twice.weights)
    batch = data()
    once.train_on_batch(*batch)
    twice.train_on_batch(*batch)
    for mine, theirs in zip(twice.weights, before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    twice.train_on_batch(*batch)
    for mine, theirs in zip(twice.weights, once.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.fixture
def half():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("method", FEW, ids=str)
def test_mixed_precision(method, half):
    """The loss scale cancels out; a step that overflows is skipped."""
    batch = data()
    model = build(method, dropout=0.0)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    before = numbers(model.weights)
    logs = model.train_on_batch(*batch, return_dict=True)
    moves = [v.numpy() - b for v, b in zip(model.weights, before, strict=True)]
    keras.config.set_dtype_policy("float32")
    single = build(method, dropout=0.0)
    expected = single.train_on_batch(*batch, return_dict=True)
    assert logs["loss"] == pytest.approx(expected["loss"], rel=0.02)
    theirs = [v.numpy() - b for v, b in zip(single.weights, before, strict=True)]
    mine, theirs = (np.concatenate([x.ravel() for x in m]) for m in (moves, theirs))
    cosine = mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs)
    assert cosine > 0.99

    keras.config.set_dtype_policy("mixed_float16")
    inner = keras.optimizers.SGD(RATE)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**40)
    model = build(method, optimizer, dropout=0.0)
    before = numbers(model.weights)
    logs = model.train_on_batch(*batch, return_dict=True)
    assert np.isfinite(logs["loss"])
    assert float(optimizer.dynamic_scale) == 2.0**39
    for mine, theirs in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("method", FEW, ids=str)
def test_frozen_table(method):
    model = build(None)
    model.encoder.embeddings.trainable = False
    model.compile("sgd", model.loss, method=method, run_eagerly=True)
    table, head = model.encoder.embeddings.word, model.logits.kernel
    before = numbers([table, head])
    model.train_on_batch(*data())
    np.testing.assert_array_equal(table, before[0])
    assert not np.array_equal(head, before[1])


def test_unlabelled_rows():
    """Rows of weight 0 move the weights through VAT's divergence, not their label."""
    x, y, weights = data()
    weights[2:] = 0.0
    other = y.copy()
    other[2:] = (y[2:] + 1) % 3
    results = {}
    for name, method, labels in (
        ("plain", None, y),
        ("vat", VAT(), y),
        ("other", VAT(), other),
    ):
        model = build(method, dropout=0.0, weighted=True)
        logs = model.train_on_batch(x, labels, weights, return_dict=True)
        results[name] = (numbers(model.weights), logs["accuracy"])
    for mine, theirs in zip(results["vat"][0], results["other"][0], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert results["vat"][1] == results["other"][1]
    assert not np.array_equal(results["vat"][0][0], results["plain"][0][0])


def test_divergence_and_its_mean():
    p, q = np.log([[0.5, 0.5], [0.9, 0.1]]), np.log([[0.25, 0.75], [0.9, 0.1]])
    values = divergence_of(p.astype("float16"), q).numpy()
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    np.testing.assert_allclose(values, [expected, 0.0], atol=1e-3)

    class WithMask:
        x = {"padding_mask": np.array([[True, False], [True, True]])}

    values = tf.constant([[1.0, 100.0], [2.0, 3.0]])
    assert float(mean_of(values, WithMask, None)) == 2.0
    assert float(mean_of(values, WithMask, np.array([3.0, 0.0]))) == 1.0
    per_token = np.array([[3.0, 1.0], [1.0, 0.0]])
    assert float(mean_of(values, WithMask, per_token)) == pytest.approx(5 / 3)


def test_saved_with_the_model(tmp_path):
    model = build(PGD(epsilon=0.7), AdamW(0.01), dropout=0.0)
    model.train_on_batch(*data())
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.method == PGD(epsilon=0.7)
    assert int(again.optimizer.iterations) == 1
    for one in (model, again):
        one.train_on_batch(*data(seed=1))
    for mine, theirs in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-7)
    plain = build(None)
    plain.save(tmp_path / "p.keras")
    assert keras.models.load_model(tmp_path / "p.keras").method is None


def test_bad_arguments():
    for make in (
        lambda: FGM(-1.0),
        lambda: FGM(float("nan")),
        lambda: PGD(alpha=float("inf")),
        lambda: PGD(steps=0),
        lambda: VAT(iterations=1.5),
        lambda: RDrop(-0.1),
        lambda: GradientPenalty(-1.0),
    ):
        with pytest.raises(ConfigError, match="must be .* Received: "):
            make()
    with pytest.raises(ConfigError, match=r"method must be.* as FGM\(\). Received: 'f"):
        build("fgm")


def test_models_that_do_not_fit():
    method, optimizer = RDrop(), keras.optimizers.SGD(0.1)
    with pytest.raises(ConfigError, match="at least two classes.*shape .None, 1."):
        method.logits(keras.KerasTensor((None, 1)))
    with pytest.raises(ConfigError, match="Received: outputs named end, start"):
        method.logits({"start": 1, "end": 2})
    assert method.logits({"logits": np.ones((2, 3))}).shape == (2, 3)

    class Dense(MethodTraining, keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x, training=None):
            return self.dense(x)

    model = Dense()
    model.compile(optimizer, "mse", method=FGM())
    with pytest.raises(ConfigError, match=r"encoder.embeddings.word. Received: Dense"):
        model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)


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
