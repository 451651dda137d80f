"""Schedules, rates by layer, accumulation and averages, as fine-tuning uses them."""

import keras
import numpy as np
import pytest

from kerasplm import (
    LAMB,
    AdamW,
    Classifier,
    Config,
    Encoder,
    PiecewiseLinear,
    WarmupLinear,
)
from kerasplm.errors import ConfigError
from kerasplm.learning_rates import factors


def values(schedule, steps):
    return [round(float(schedule(step)), 6) for step in steps]


def test_rules_of_the_warmup():
    steps = (0, 1, 2, 4, 6, 10, 12)
    replace = WarmupLinear(1.0, 10, 4)
    assert values(replace, steps) == [0, 0.25, 0.5, 0.6, 0.4, 0, 0]
    multiply = WarmupLinear(1.0, 10, 4, rule="multiply")
    assert values(multiply, steps) == [0, 0.225, 0.4, 0.6, 0.4, 0, 0]
    continuous = WarmupLinear(1.0, 10, 5, rule="continuous")
    assert values(continuous, (0, 4, 5, 6, 10)) == [0, 0.8, 1, 0.8, 0]
    squared = WarmupLinear(1.0, 10, 5, rule="continuous", power=2.0)
    assert values(squared, (5, 10)) == [1, 0]


@pytest.mark.parametrize("backend_dtype", ["int32", "int64"])
def test_piecewise(backend_dtype):
    schedule = PiecewiseLinear(2.0, {1000: 1, 2000: 0.1})
    step = keras.ops.cast(500, backend_dtype)
    assert float(schedule(step)) == pytest.approx(1.0)
    assert values(schedule, (0, 1500, 2000, 10**6)) == [0, 1.1, 0.2, 0.2]
    assert values(PiecewiseLinear(1.0, {0: 0.5}), (0, 3)) == [0.5, 0.5]


@pytest.mark.parametrize(
    "schedule",
    [
        WarmupLinear(1e-4, 100, 10.5, rule="multiply", power=0.5),
        PiecewiseLinear(1e-4, {0: 0.5, 10: 1, 50: 0.1}),
    ],
    ids=["warmup", "piecewise"],
)
def test_saved_in_the_optimizer(schedule):
    for cls, more in ((AdamW, {}), (LAMB, {"rule": "nezha"})):
        optimizer = cls(
            schedule,
            layerwise_decay=0.8,
            rate_multipliers={"logits": 100.0},
            bias_correction=True,
            use_ema=True,
            gradient_accumulation_steps=2,
            **more,
        )
        config = keras.saving.serialize_keras_object(optimizer)
        again = keras.saving.deserialize_keras_object(config)
        assert type(again) is cls
        assert again.get_config() == optimizer.get_config()
        for step in (0, 7, 30, 99):
            assert again._learning_rate(step) == schedule(step)


def test_bad_arguments():
    for make in (
        lambda: WarmupLinear(1.0, 0),
        lambda: WarmupLinear(1.0, 10, 11),
        lambda: WarmupLinear(1.0, 10, 2, rule="cosine"),
        lambda: WarmupLinear(1.0, 10, 10, rule="continuous"),
        lambda: WarmupLinear(1.0, 10, power=0),
        lambda: PiecewiseLinear(1.0, {}),
        lambda: PiecewiseLinear(1.0, {-1: 1.0}),
        lambda: PiecewiseLinear(1.0, {5: -1.0}),
        lambda: LAMB(rule="google2"),
        lambda: AdamW(use_ema=True, ema_momentum=1.0),
        lambda: factors(["a"], layerwise_decay=1.5),
        lambda: factors(["encoder/layer_0/x"], layerwise_decay=0.0),
        lambda: factors(["seq2seq/encoder/layer_0/x"], layerwise_decay=0.9),
        lambda: factors(["logits/kernel"], rate_multipliers={"crf": 100}),
        lambda: factors(["crf/kernel"], rate_multipliers={"crf": -1}),
    ):
        with pytest.raises(ConfigError, match="Received: "):
            make()


def small(**fields):
    keras.utils.set_random_seed(0)
    config = Config(
        vocab_size=20,
        hidden_size=8,
        num_attention_heads=2,
        intermediate_size=12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **{"num_hidden_layers": 3} | fields,
    )
    return Classifier(Encoder(config), ["a", "b"], dropout=0.0)


def rates(model, **options):
    optimizer = AdamW(**options)
    optimizer.build(model.trainable_variables)
    paths = [v.path for v in model.trainable_variables]
    return dict(zip(paths, optimizer._factors, strict=True))


def test_layerwise_decay_of_our_models():
    found = rates(small(embedding_size=4), layerwise_decay=0.5)
    assert found["encoder/embeddings/word"] == 0.5**5
    assert found["encoder/embeddings/norm/gamma"] == 0.5**5
    assert found["encoder/embeddings/projection/kernel"] == 0.5**5
    for layer in range(3):
        same = {v for k, v in found.items() if f"/layer_{layer}/" in k}
        assert same == {0.5 ** (4 - layer)}
    assert found["encoder/pooler/kernel"] == 0.5
    assert found["logits/kernel"] == found["logits/bias"] == 1.0


def test_layers_that_share_weights_share_the_rate():
    found = rates(small(num_hidden_groups=1), layerwise_decay=0.5)
    assert {v for k, v in found.items() if "/group_0_0/" in k} == {0.25}
    assert found["encoder/embeddings/word"] == 0.125
    # Groups 0, 3, 6, 9 of 12: the numbers have gaps, and 10 would sort before 9.
    model = small(num_hidden_layers=4, num_hidden_groups=12, inner_group_num=2)
    found = rates(model, layerwise_decay=0.5)
    names = ["group_0_0", "group_0_1", "group_3_0", "group_9_1"]
    expected = [0.5**9, 0.5**8, 0.5**7, 0.5**2]
    for name, factor in zip(names, expected, strict=True):
        assert found[f"encoder/{name}/ffn/inner/kernel"] == factor
    many = [f"encoder/group_{n}_0/x" for n in (9, 10)]
    assert factors(many, layerwise_decay=0.5) == [0.5**3, 0.5**2]


def test_frozen_lower_layers_change_no_rate():
    model = small()
    before = rates(model, layerwise_decay=0.5)
    model.encoder.blocks[0].trainable = False
    after = rates(model, layerwise_decay=0.5)
    assert len(after) < len(before)
    assert after == {k: v for k, v in before.items() if k in after}


def test_multipliers_multiply():
    options = {"layerwise_decay": 0.5, "rate_multipliers": {"logits": 100, "bias$": 2}}
    found = rates(small(), **options)
    assert found["logits/kernel"] == 100
    assert found["logits/bias"] == 200
    assert found["encoder/pooler/bias"] == 1.0
    model = small()
    optimizer = AdamW(rate_multipliers={"crf": 100})
    with pytest.raises(ConfigError, match="'crf': 100, which matches 0 of the 57"):
        optimizer.build(model.trainable_variables)


def batch(rows=8, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, 20, (rows, 6))
    return {"token_ids": ids}, ids[:, 0] % 2


def compiled(optimizer):
    model = small(num_hidden_layers=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, run_eagerly=True)
    return model


@pytest.mark.parametrize("cls", [AdamW, LAMB])
def test_accumulation_is_the_step_on_the_joined_batch(cls):
    """Rates, clipping, decay, bias correction and mean count updates."""

    def optimizer(every=None):
        return cls(
            WarmupLinear(0.01, 4, 2),
            epsilon=1e-3,  # tiny gradients differ by the order of the sums
            bias_correction=True,
            layerwise_decay=0.8,
            use_ema=True,
            ema_momentum=0.9,
            gradient_accumulation_steps=every,
        )

    joined, halves = compiled(optimizer()), compiled(optimizer(2))
    for step in range(3):
        x, y = batch(seed=step)
        ids = x["token_ids"]
        assert float(joined.optimizer.learning_rate) == float(
            halves.optimizer.learning_rate
        )
        joined.train_on_batch(x, y)
        before = halves.get_weights()
        halves.train_on_batch({"token_ids": ids[:4]}, y[:4])
        for mine, theirs in zip(halves.get_weights(), before, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        halves.train_on_batch({"token_ids": ids[4:]}, y[4:])
        for name in ("_trainable_variables", "_m", "_model_variables_moving_average"):
            ours, theirs = (getattr(m.optimizer, name) for m in (halves, joined))
            for mine, other in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(mine, other, atol=2e-6)
    assert int(halves.optimizer.iterations) == int(joined.optimizer.iterations) == 3


@pytest.mark.parametrize("every", [None, 2])
def test_mean_of_the_weights(every):
    optimizer = AdamW(
        0.01, use_ema=True, ema_momentum=0.8, gradient_accumulation_steps=every
    )
    model = compiled(optimizer)
    seen = []
    for step in range(3 * (every or 1)):
        model.train_on_batch(*batch(seed=step))
        if (step + 1) % (every or 1) == 0:
            seen.append(model.logits.kernel.numpy().copy())
    shares = np.array([0.8**2, 0.8, 1.0])
    expected = np.tensordot(shares / shares.sum(), seen, 1)
    index = optimizer._get_variable_index(model.logits.kernel)
    mean = optimizer._model_variables_moving_average[index]
    np.testing.assert_allclose(mean, expected, atol=1e-6)


def test_evaluation_with_the_mean():
    x, y = batch()
    model = compiled(AdamW(0.01, use_ema=True, ema_momentum=0.5))
    swap = keras.callbacks.SwapEMAWeights()
    history = model.fit(
        x, y, validation_data=(x, y), batch_size=4, verbose=0, callbacks=[swap]
    ).history
    # Keras puts the mean into the model when the training ends.
    after = model.evaluate(x, y, verbose=0)
    assert history["val_loss"][0] == pytest.approx(after, abs=1e-6)
    means = model.optimizer._model_variables_moving_average
    for variable, mean in zip(model.trainable_variables, means, strict=True):
        np.testing.assert_allclose(variable, mean, atol=1e-7)
