"""Training methods in `fit`, with accumulation, in mixed precision, saved, refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm import AdamW
from kerasplm.errors import ConfigError
from kerasplm.methods import FGM, PGD, VAT, GradientPenalty, MethodTraining, RDrop
from kerasplm.methods.consistency import divergence_of, mean_of
from kerasplm.state_files import state_variables
from tests.trained import FEW, RATE, build, data, numbers


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
        state_variables(second), state_variables(first), strict=True
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
