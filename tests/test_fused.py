"""Joined kernels of a training step: the numbers and gradients of Keras' layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasplm import (
    AdamW,
    Config,
    Encoder,
    fused,
    tensorflow_forms,
    tensorflow_kernels,
)
from kerasplm.fused import Dropout, add_norm, attention_weights, gelu

SHAPE = (6, 40)


@pytest.fixture
def small(monkeypatch):
    """Kernels are used for tensors of any size."""
    monkeypatch.setattr(tensorflow_kernels, "SMALLEST", 1)


def draws(count, shape=SHAPE, seed=0, dtype="float32"):
    numbers = np.random.default_rng(seed)
    return [tf.cast(2 * numbers.normal(size=shape), dtype) for _ in range(count)]


def gradients(function, inputs, out_gradient):
    """Return the value and the gradients, computed in a graph."""

    @tf.function
    def run(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(*inputs)
        return value, tape.gradient(value, inputs, out_gradient)

    return run(*inputs)


def close(ours, expected, tolerance=2e-6):
    for one, other in zip(
        tf.nest.flatten(ours), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def kept(bits, rate):
    """Return the factor that dropout has for every value."""
    return tensorflow_kernels.dropped(tf.ones(bits.shape), bits, rate)


@pytest.mark.parametrize("approximate", [True, False])
def test_gelu_has_the_value_and_the_gradient_of_keras(approximate, small):
    x, dy = draws(2)
    ours = gradients(lambda x: gelu(x, approximate, True), [x], dy)
    x, dy = (tf.cast(one, "float64") for one in (x, dy))
    expected = gradients(lambda x: gelu(x, approximate, False), [x], dy)
    close(ours, expected)


def test_a_residual_sum_is_normalised_with_the_gradient_of_keras(small):
    norm = keras.layers.LayerNormalization(epsilon=1e-12)
    norm.build((None, SHAPE[1]))
    weights = draws(2, SHAPE[1:])
    bits = tensorflow_kernels.random_bits(SHAPE, tf.constant([3, 4], tf.int64))
    factor = kept(bits, 0.3)
    x, branch, dy = draws(3, seed=1)

    def ours(x, branch, gamma, beta):
        return tensorflow_kernels.add_norm(x, branch, gamma, beta, 1e-12, 0.3, bits)

    def expected(x, branch, gamma, beta):
        return keras.ops.layer_normalization(
            x + branch * factor, gamma, beta, epsilon=1e-12
        )

    given = [x, branch, *weights]
    close(gradients(ours, given, dy), gradients(expected, given, dy), 1e-5)


def test_weights_of_attention_have_the_gradient_of_keras(small):
    shape = (2, 3, 5, 7)
    scores, dy = draws(2, shape)
    blocked = tf.constant([0.0] * 6 + [-10000.0])
    bits = tensorflow_kernels.random_bits(shape, tf.constant([3, 4], tf.int64))
    factor = kept(bits, 0.1)

    def ours(scores):
        return tensorflow_kernels.softmax_dropout(
            scores, 0.4, blocked, 0.1, bits, "float32"
        )

    def expected(scores):
        return keras.ops.softmax(scores * 0.4 + blocked) * factor

    close(gradients(ours, [scores], dy), gradients(expected, [scores], dy))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_the_share(rate):
    layer = Dropout(rate, seed=1)
    out = layer(tf.ones((400, 501)), training=True).numpy()
    assert abs((out == 0).mean() - rate) < 0.004
    assert abs(out.mean() - 1) < 0.02
    assert len(np.unique(out)) == 2
    again = layer(tf.ones((400, 501)), training=True).numpy()
    assert abs(((out == 0) & (again == 0)).mean() - rate**2) < 0.004


def test_dropout_depends_on_its_seed_and_not_on_when_its_shape_is_known():
    x = tf.ones((7, 9))
    first = Dropout(0.5, seed=5)(x, training=True)
    layer = Dropout(0.5, seed=5)
    spec = tf.TensorSpec((None, None))
    later = tf.function(lambda x: layer(x, training=True), input_signature=[spec])(x)
    np.testing.assert_array_equal(first, later)
    assert not np.array_equal(first, Dropout(0.5, seed=6)(x, training=True))
    np.testing.assert_array_equal(layer(x), x)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_dropout_of_nothing_and_of_all(rate):
    out = Dropout(rate)(tf.ones((3, 3)), training=True)
    np.testing.assert_array_equal(out, np.full((3, 3), 1 - rate))


def test_kernels_are_for_large_tensors_of_known_shape(monkeypatch):
    found = []

    @tf.function(input_signature=[tf.TensorSpec((None, 2**17)), tf.TensorSpec((1,))])
    def look(unknown, small):
        large = tf.zeros((1, 2**17))
        found.extend(tensorflow_kernels.joins(x) for x in (unknown, small, large))
        return small

    look.get_concrete_function()
    assert found == [False, False, True]
    assert not tensorflow_kernels.joins(tf.zeros((1, 2**17)))  # not in a graph


def test_where_xla_compiles_the_whole_there_are_no_kernels_within():
    @tf.function(jit_compile=True)
    def look():
        large = tf.zeros((1, 2**17))
        found.append(tensorflow_kernels.joins(large))
        return large

    found = []
    look.get_concrete_function()
    assert found == [False]


def small_encoder(**fields):
    keras.utils.set_random_seed(3)
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    config = Config(vocab_size=20, num_hidden_layers=2, **sizes, **fields)
    return Encoder(config)


@pytest.mark.parametrize(
    "fields", [{}, {"position": "nezha", "hidden_act": "gelu_erf"}, {"ln_type": "pre"}]
)
def test_an_encoder_has_the_same_gradients_with_kernels(fields, monkeypatch):
    ids = tf.constant([[2, 5, 6, 3], [2, 7, 3, 0]])
    batch = {"token_ids": ids, "padding_mask": ids > 0}

    def measure(smallest):
        monkeypatch.setattr(tensorflow_kernels, "SMALLEST", smallest)
        encoder = small_encoder(**fields)

        @tf.function
        def run():
            weights = [w.value for w in encoder.trainable_variables]
            with tf.GradientTape() as tape:
                out = encoder(batch, training=True, return_hidden_states=True)
                loss = tf.reduce_sum(out["sequence_output"] ** 3)
                loss += tf.reduce_sum(out["before_last_norm"] ** 2)
            found = tape.gradient(loss, weights)
            return loss, [tf.convert_to_tensor(g) for g in found if g is not None]

        return run()

    close(measure(1), measure(2**30), 1e-4)


def test_other_backends_have_no_kernels(monkeypatch):
    monkeypatch.setattr(fused, "kernels", lambda: None)
    x = tf.ones((50, 50))
    out = Dropout(0.5, seed=1)(x, training=True).numpy()
    assert 0.4 < (out == 0).mean() < 0.6
    norm = keras.layers.LayerNormalization()
    norm.build(x.shape)
    normed, total = add_norm(x, x, norm, Dropout(0.0), True)
    np.testing.assert_array_equal(total, 2 * x)
    np.testing.assert_allclose(normed, np.zeros(x.shape), atol=1e-6)
    scores = tf.zeros((1, 1, 2, 4))
    weights, masked = attention_weights(scores, 1.0, 0.0, Dropout(0.0), "float32", True)
    np.testing.assert_allclose(weights, np.full((1, 1, 2, 4), 0.25))
    assert masked.shape == (1, 1, 2, 4)


def test_adamw_moves_as_without_kernels(monkeypatch):
    start, *gradients = (x.numpy() for x in draws(4))

    def trace(smallest):
        monkeypatch.setattr(tensorflow_kernels, "SMALLEST", smallest)
        weights = [keras.Variable(start, name=name) for name in ("kernel", "bias")]
        optimizer = AdamW(0.1, weight_decay=0.5, beta_2=0.98)
        optimizer.build(weights)

        @tf.function
        def step(gradient):
            optimizer.apply([gradient, gradient])

        for gradient in gradients:
            step(tf.constant(gradient))
        return [v.numpy() for v in (*weights, *optimizer.variables)]

    with_kernels, without = trace(1), trace(2**30)
    close(with_kernels, without)
    assert not np.array_equal(with_kernels[0], with_kernels[1])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_forms_of_the_graph_optimizer_have_the_values_of_keras(dtype):
    x = tf.cast(draws(1, (40, 24))[0] * 3 + 1, dtype)
    kernel, others = (tf.cast(y, dtype) for y in draws(2, (24, 24), 1))
    gamma, beta = others[0] + 1, others[1]
    spec = tf.TensorSpec((None, 24), x.dtype)

    @tf.function(input_signature=[spec])
    def normed(x):
        assert tensorflow_forms.joins_norm(x) or not tensorflow_forms._has_library()
        return tensorflow_forms.norm(x, gamma, beta, 1e-12)

    pairs = [(normed(x), ops.layer_normalization(x, gamma, beta, epsilon=1e-12))]
    for approximate in (False, True):

        @tf.function(input_signature=[spec])
        def dense(x, approximate=approximate):
            three = tf.reshape(x, [2, -1, 24])
            form = tensorflow_forms.dense_gelu
            flat = form(x, kernel, beta, approximate)
            same = form(three, kernel, beta, approximate)
            return flat, tf.reshape(same, tf.shape(flat))

        wanted = ops.gelu(tf.matmul(x, kernel) + beta, approximate=approximate)
        pairs += [(found, wanted) for found in dense(x)]
    for found, wanted in pairs:
        found, wanted = (tf.cast(y, "float32") for y in (found, wanted))
        # Sums of 24 products, rounded to 24 bits or to 8.
        most = 1e-5 if dtype == "float32" else 2e-2
        np.testing.assert_allclose(found, wanted, rtol=most, atol=most)
