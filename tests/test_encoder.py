import keras
import numpy as np
import pytest
from keras import ops

import kerasplm as plm
from kerasplm import Classifier, Config, Encoder, PretrainedModel, masks
from kerasplm.layers import ACTIVATIONS, Block
from kerasplm.relative import by_distance, by_key

AXES = {
    "bert": {},
    "factorised": {"embedding_size": 8},
    "before_norm": {"embedding_size": 8, "embedding_projection": "before_norm"},
    "shared": {"num_hidden_groups": 1},
    "groups": {"num_hidden_groups": 2, "inner_group_num": 2},
    "pre_norm": {"ln_type": "pre"},
    "grouped_ffn": {"ffn_groups": 8, "num_hidden_groups": 2},
    "key_size": {"attention_key_size": 12},
    "nezha": {"position": "nezha", "max_relative_position": 3},
    "causal": {"attention": "causal"},
    "unilm": {"attention": "unilm"},
    "no_types": {"type_vocab_size": 0},
    "no_pooler": {"pooler": "none"},
    "linear_pooler": {"pooler": "linear"},
}


@pytest.fixture(params=AXES, ids=str)
def encoder(request, tiny_config):
    return Encoder(tiny_config.replace(**AXES[request.param]))


def run(model, batch, **kwargs):
    out = model(batch, **kwargs)
    out = out if isinstance(out, dict) else {"logits": out}
    return {
        key: [np.asarray(x) for x in value] if isinstance(value, list) else value
        for key, value in out.items()
    }


def test_shapes_and_padding(encoder, tiny_batch):
    out = run(encoder, tiny_batch, return_hidden_states=True)
    assert out["sequence_output"].shape == (2, 9, 16)
    assert out["pooled_output"].shape == (2, 16)
    inner = encoder.config.inner_group_num
    assert len(out["hidden_states"]) == 1 + 2 * inner
    # What stands in padding changes no real token.
    changed = tiny_batch | {"token_ids": tiny_batch["token_ids"].copy()}
    changed["token_ids"][1, 5:] = 7
    again = encoder(changed)["sequence_output"]
    np.testing.assert_array_equal(again[1, :5], out["sequence_output"][1, :5])


def test_saves_and_loads_without_custom_objects(encoder, tiny_batch, tmp_path):
    model = PretrainedModel(encoder, ["mlm", "sentence_pair", "rtd"])
    expected = run(model, tiny_batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.encoder.config == encoder.config
    for key, value in run(loaded, tiny_batch).items():
        np.testing.assert_array_equal(value, expected[key])


def test_trains_and_every_weight_gets_a_gradient(encoder, tiny_batch):
    import tensorflow as tf

    model = PretrainedModel(encoder, ["mlm", "sentence_pair", "rtd"])
    with tf.GradientTape() as tape:
        out = model(tiny_batch, training=True)
        heads = ("mlm_logits", "sentence_pair_logits", "rtd_logits")
        loss = sum(tf.reduce_mean(tf.square(out[h])) for h in heads)
    grads = tape.gradient(loss, [w.value for w in model.trainable_weights])
    dead = [
        w.path
        for w, g in zip(model.trainable_weights, grads, strict=True)
        # Adding the same number to all scores changes no softmax.
        if (g is None or not np.any(np.asarray(tf.convert_to_tensor(g))))
        and "key/bias" not in w.path
    ]
    assert not dead


def test_runs_compiled_with_any_length(encoder):
    import tensorflow as tf

    spec = [{"token_ids": tf.TensorSpec([None, None], tf.int32)}]
    call = tf.function(lambda b: encoder(b)["sequence_output"], input_signature=spec)
    for length in (1, 2, 9):
        ids = np.arange(2 * length, dtype="int32").reshape(2, length)
        expected = encoder({"token_ids": ids})["sequence_output"]
        got = call({"token_ids": tf.constant(ids)})
        np.testing.assert_allclose(got, expected, atol=1e-6)
    jit = tf.function(lambda b: encoder(b)["sequence_output"], jit_compile=True)
    got = jit({"token_ids": tf.constant(ids)})
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_mixed_precision_stays_close(encoder, tiny_batch):
    expected = np.asarray(encoder(tiny_batch)["sequence_output"])
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        other = Encoder(encoder.config)
    finally:
        keras.config.set_dtype_policy("float32")
    other.set_weights(encoder.get_weights())
    out = other(tiny_batch)["sequence_output"]
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.cast(out, "float32"), expected, atol=0.2)


def test_defaults_of_missing_inputs(tiny_encoder, tiny_batch):
    ids = tiny_batch["token_ids"]
    full = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
        "position_ids": np.tile(np.arange(9), (2, 1)),
        "attention_mask": np.ones((2, 1, 9, 9), bool),
    }
    np.testing.assert_array_equal(
        tiny_encoder({"token_ids": ids})["sequence_output"],
        tiny_encoder(full)["sequence_output"],
    )


def test_too_long_for_the_position_table(tiny_encoder):
    with pytest.raises(ValueError, match="40 positions.*41 tokens"):
        tiny_encoder({"token_ids": np.ones((1, 41), "int32")})


def test_nezha_has_no_limit_of_length(tiny_config):
    encoder = Encoder(tiny_config.replace(position="nezha"))
    ids = np.random.default_rng(0).integers(0, 60, (1, 1100))
    assert np.isfinite(encoder({"token_ids": ids})["pooled_output"]).all()


def test_relative_layouts_are_inverse():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 5)).astype("float32")
    wide = np.asarray(by_distance(x))
    assert wide.shape == (2, 3, 5, 9)
    for t in range(5):
        for s in range(5):
            np.testing.assert_array_equal(wide[:, :, t, s - t + 4], x[:, :, t, s])
    np.testing.assert_array_equal(by_key(wide), x)


def test_masks():
    pad = np.array([[True, True, True, False]])
    segments = np.array([[0, 0, 1, 1]])
    both = masks.attention_mask("bidirectional", pad, segments)
    assert both.shape == (1, 1, 1, 4)
    causal = np.asarray(masks.attention_mask("causal", pad, segments))[0, 0]
    assert causal.tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, False],
    ]
    unilm = np.asarray(masks.attention_mask("unilm", pad, segments))[0, 0]
    assert unilm.tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, False],
    ]


def test_a_row_of_padding_gives_no_nan(tiny_encoder):
    batch = {"token_ids": np.ones((1, 4), int), "padding_mask": np.zeros((1, 4), bool)}
    assert np.isfinite(tiny_encoder(batch)["sequence_output"]).all()


def test_activations():
    x = np.array([-2.0, 0.0, 1.5], "float32")
    expected = {
        "gelu_tanh": [-0.0454023, 0.0, 1.3995715],
        "gelu_erf": [-0.0455003, 0.0, 1.3997892],
        "relu": [0.0, 0.0, 1.5],
        "tanh": np.tanh(x),
        "swish": x / (1 + np.exp(-x)),
        "linear": x,
    }
    assert set(expected) == set(ACTIVATIONS)
    for name, values in expected.items():
        np.testing.assert_allclose(ACTIVATIONS[name](x), values, atol=1e-6)


def test_dropout_is_off_unless_training(tiny_config, tiny_batch):
    encoder = Encoder(tiny_config.replace(hidden_dropout_prob=0.5))
    a, b = (encoder(tiny_batch)["pooled_output"] for _ in range(2))
    np.testing.assert_array_equal(a, b)
    c, d = (encoder(tiny_batch, training=True)["pooled_output"] for _ in range(2))
    assert np.abs(np.asarray(c) - np.asarray(d)).max() > 0.01


def test_parameter_counts_of_the_original_test():
    """Encoder without and with sharing, from albert_zh's own test of sharing."""

    def count(groups):
        config = Config(
            vocab_size=1,
            hidden_size=1024,
            num_hidden_layers=12,
            num_attention_heads=16,
            intermediate_size=3072,
            num_hidden_groups=groups,
        )
        block = Block(config, "b")
        block.build(None)
        return block.count_params() * len(set(config.groups()))

    assert count(None) == 125_976_576
    assert count(1) == 10_498_048


@pytest.mark.parametrize("axis", ["bert", "pre_norm"])
def test_classifier_round_trip_and_weights_file(
    tiny_config, tiny_batch, axis, tmp_path
):
    config = tiny_config.replace(**AXES[axis])
    model = Classifier(Encoder(config), ["bad", "good"], pair=True, task="mine")
    assert (model.norm is not None) == (axis == "pre_norm")
    expected = np.asarray(model(tiny_batch))
    model.save(tmp_path / "c.keras")
    loaded = keras.models.load_model(tmp_path / "c.keras")
    assert (loaded.labels, loaded.pair, loaded.task) == (("bad", "good"), True, "mine")
    np.testing.assert_array_equal(loaded(tiny_batch), expected)
    model.save_weights(tmp_path / "c.weights.h5")
    fresh = Classifier(Encoder(config), ["bad", "good"])
    fresh.load_weights(tmp_path / "c.weights.h5")
    np.testing.assert_array_equal(fresh(tiny_batch), expected)


def test_functional_composition(tiny_encoder, tiny_batch):
    names = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}
    inputs = {n: keras.Input((None,), dtype=d, name=n) for n, d in names.items()}
    out = keras.layers.Dense(3)(tiny_encoder(inputs)["pooled_output"])
    model = keras.Model(inputs, out)
    assert model.predict(tiny_batch, verbose=0).shape == (2, 3)


def test_labels_must_be_distinct(tiny_encoder):
    with pytest.raises(ValueError, match="each once"):
        Classifier(tiny_encoder, ["a", "a"])
    with pytest.raises(ValueError, match="at least one"):
        Classifier(tiny_encoder, [])
    with pytest.raises(ValueError, match="no pre-training head 'nsp'"):
        PretrainedModel(tiny_encoder, ["nsp"])


def test_inputs_are_checked(tiny_encoder, tiny_batch):
    ids = tiny_batch["token_ids"]
    for inputs, words in (
        ({"token_ids": ids, "token_type_ids": ids}, "token_type_ids: no such input"),
        ({"input_ids": ids}, "expected a dictionary with token_ids"),
        ({"token_ids": ids, "attention_mask": ids}, "rank 4.*padding_mask"),
    ):
        with pytest.raises(ValueError, match=words):
            tiny_encoder(inputs)
    expected = tiny_encoder(tiny_batch)["sequence_output"]
    narrow = {"token_ids": ids.astype("float32")}
    narrow["segment_ids"] = tiny_batch["segment_ids"].astype("int8")
    narrow["padding_mask"] = tiny_batch["padding_mask"].astype("int8")
    np.testing.assert_array_equal(tiny_encoder(narrow)["sequence_output"], expected)


def test_frozen_encoder_comes_back_frozen(tiny_encoder, tmp_path):
    model = plm.Classifier(tiny_encoder, ["0", "1"])
    model.encoder.trainable = False
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert len(again.trainable_weights) == len(model.trainable_weights) == 2


@pytest.mark.parametrize("clip", ["global_clipnorm", "clipnorm", "clipvalue", None])
def test_optimizer_with_any_clipping(tiny_encoder, tiny_batch, clip):
    options = {"global_clipnorm": None} | ({clip: 0.5} if clip else {})
    model = plm.Classifier(tiny_encoder, ["0", "1"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(plm.adamw(1e-2, steps=10, **options), loss)
    word = tiny_encoder.embeddings.word
    before = keras.ops.convert_to_numpy(word).copy()
    model.fit(tiny_batch, np.array([0, 1]), epochs=3, verbose=0)
    assert np.abs(keras.ops.convert_to_numpy(word) - before).max() > 1e-3
