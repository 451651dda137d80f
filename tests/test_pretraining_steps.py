"""One step of pre-training: the same, however the batch is divided."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm import LAMB, AdamW
from kerasplm.errors import ConfigError
from kerasplm.pretraining.flops import matmul_flops, measured_peak
from kerasplm.pretraining.reductions import Ratio
from kerasplm.pretraining.terms import curve, measured
from tests import toy_pretraining as toy

STEPS = 3


def trained(steps=STEPS, optimizer=None, **options):
    """Train some steps; return the model and the logs of each."""
    model = toy.model(dropout=options.pop("dropout", 0.0))
    model.accumulation = options.pop("accumulation", 1)
    model.compile(optimizer=optimizer or AdamW(1e-3, global_clipnorm=0.5), **options)
    logs = []
    for n in range(steps):
        logs.append(model.train_on_batch(toy.batch(n), return_dict=True))
    return model, logs


@pytest.fixture(scope="module")
def plain():
    return trained()


def by_hand(steps):
    """The same training without anything of the mix-in."""
    model, optimizer = toy.model(), AdamW(1e-3, global_clipnorm=0.5)
    losses = []
    for n in range(steps):
        batch = {name: tf.constant(x) for name, x in toy.batch(n).items()}
        with tf.GradientTape() as tape:
            terms, _ = model.outcome(batch, training=True)
            loss = sum(
                t.weight * t.total / (t.count + t.epsilon) for t in terms.values()
            )
        weights = model.trainable_variables
        # As tables: TensorFlow takes the norm of looked-up rows one by one.
        gradients = map(tf.convert_to_tensor, tape.gradient(loss, weights))
        optimizer.apply(list(gradients), weights)
        losses.append(float(loss))
    return model, losses


def close(model, other, rtol=1e-5, atol=1e-6):
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol)


def test_step_is_the_formula(plain):
    model, losses = by_hand(STEPS)
    np.testing.assert_allclose([logs["loss"] for logs in plain[1]], losses, rtol=1e-6)
    close(plain[0], model)


@pytest.mark.parametrize(
    "options",
    [{"accumulation": 4}, {"accumulation": 2, "jit_compile": True}],
    ids=["accumulated", "accumulated and compiled"],
)
def test_parts_give_what_the_whole_gives(plain, options):
    model, logs = trained(**options)
    for mine, theirs in zip(logs, plain[1], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5)
    close(model, plain[0])


def test_fit_takes_several_steps_at_once(plain):
    """The logs are means; a rest that is shorter than an execution counts."""
    model = toy.model()
    model.compile(optimizer=AdamW(1e-3, global_clipnorm=0.5), steps_per_execution=STEPS)
    found = model.fit(toy.dataset(STEPS), shuffle=False, verbose=0).history
    assert found["loss"][0] == pytest.approx(
        np.mean([logs["loss"] for logs in plain[1]]), rel=1e-5
    )
    close(model, plain[0])
    masked = sum(toy.batch(n)["mlm_weights"].sum() for n in range(2))
    result = model.evaluate(toy.dataset(2), verbose=0, return_dict=True)
    right = result["masked_lm_accuracy"] * masked
    assert right == pytest.approx(round(right), abs=1e-4)
    assert "gradient_norm" not in result


def test_lamb_under_accumulation():
    first, _ = trained(optimizer=LAMB(1e-3))
    second, _ = trained(optimizer=LAMB(1e-3), accumulation=2)
    close(first, second)


def test_parts_must_go_round():
    with pytest.raises(ConfigError, match="^accumulation=3 must divide the 8 rows"):
        trained(accumulation=3)


def test_dropout_depends_on_seed_and_step_alone():
    first, logs = trained(dropout=0.3)
    second, _ = trained(dropout=0.3)
    close(first, second, rtol=0, atol=0)
    # A generator that was moved on by something else is set to its place.
    for state in (v for v in second.variables if v.name == "seed_generator_state"):
        state.assign(state + 5)
    again = [
        m.train_on_batch(toy.batch(9), return_dict=True)["loss"]
        for m in (first, second)
    ]
    assert again[0] == again[1]
    assert logs[0]["loss"] != trained(steps=1)[1][0]["loss"]


def test_float16_skips_what_overflows():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inner = AdamW(1e-3)
        optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**20)
        model = toy.model()
        before = model.get_weights()
        model.compile(optimizer=optimizer)
        logs = model.train_on_batch(toy.batch(0), return_dict=True)
        assert (logs["skipped"], logs["loss"]) == (1.0, 0.0)
        assert int(inner.iterations) == 0
        close(model, toy.model(), rtol=0, atol=0)
        steps = 1
        while logs["skipped"]:
            logs = model.train_on_batch(toy.batch(0), return_dict=True)
            steps += 1
        assert 4 < float(optimizer.dynamic_scale.numpy()) == 2.0 ** (20 - steps + 1)
        assert int(inner.iterations) == 1
        assert logs["loss"] == pytest.approx(4.5855, abs=0.02)
        assert any(
            (a != b).any() for a, b in zip(before, model.get_weights(), strict=True)
        )
    finally:
        keras.config.set_dtype_policy("float32")


def test_area_under_a_curve():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    parts = [curve(labels[s], rng.random(100)) for s in (slice(100), slice(100, 200))]
    ratio = Ratio("auc", tuple(parts[0][0].shape))
    for true, false in parts:
        ratio.update_state(true, false)
    whole = measured(
        *(sum(np.array(x) for x in side) for side in zip(*parts, strict=True))
    )
    assert float(ratio.result()) == pytest.approx(whole, rel=1e-5)
    ratio.reset_state()
    assert float(Ratio("mean").result()) == 0.0


def test_flops_of_a_model():
    """Products of weights: each weight of a dense layer works once per token."""
    model = toy.model()
    model.compile(optimizer=AdamW(1e-3))
    model.prepare(toy.dataset(1).element_spec)
    tokens, masked, d, ffn, words, layers = 12, 4, 32, 64, 50, 2
    block = tokens * (4 * d * d + 2 * d * ffn) + 2 * tokens * tokens * d
    heads = masked * (d * d + d * words) + d * d + 2 * d
    other = 2 * tokens * d  # the segment table, by a product
    found = model.flops_per_row
    assert found - 2 * (layers * block + heads) in (0, 2 * other)


def test_flops_of_open_shapes_are_unknown():
    f = tf.function(lambda x: x @ tf.ones([4, 5]))
    spec = tf.TensorSpec([None, 4])
    assert matmul_flops(f.get_concrete_function(spec).graph) is None
    assert measured_peak("float32", 64, 0.01) > 1e6
