"""The encoder-decoder: configuration and network."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kerasplm as plm
from kerasplm import ahead
from kerasplm.errors import ConfigError
from kerasplm.layers import initialize_with
from kerasplm.seq2seq.layers import bucket_table
from tests.models import seq2seq_batch as make_batch
from tests.models import tiny_seq2seq

CONFIG = tiny_seq2seq().config


@pytest.fixture
def model():
    return tiny_seq2seq()


# --- configuration ------------------------------------------------------------------


def test_config_goes_there_and_back():
    assert plm.Seq2SeqConfig.from_dict(CONFIG.to_dict()) == CONFIG
    assert CONFIG.replace(vocab_size=9).vocab_size == 9
    assert CONFIG.decoder_layers == 3
    as_many = CONFIG.replace(num_decoder_layers=None)
    assert as_many.decoder_layers == 2
    assert as_many == CONFIG.replace(num_decoder_layers=2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vocab_size": 0}, "vocab_size must be a whole number >= 1. Received: 0"),
        ({"num_decoder_layers": True}, "num_decoder_layers must be a whole number"),
        ({"hidden_act": "gelu"}, "hidden_act must be one of gelu_tanh, .*'gelu'"),
        ({"hidden_dropout_prob": 1.0}, r"hidden_dropout_prob must be .* \[0, 1\)"),
        ({"initializer_range": -1}, "initializer_range must be a number"),
        ({"scale_output": 0.5}, "scale_output must be true or false. Received: 0.5"),
        ({"relative_buckets": 7}, "relative_buckets must be even. Received: 7"),
        ({"relative_max_distance": 16}, "must be more than half.* 16 and 32"),
        ({"pooler": "tanh"}, "pooler: no such Seq2SeqConfig field"),
    ],
)
def test_bad_config(fields, words):
    with pytest.raises(ConfigError, match=words):
        CONFIG.replace(**fields)


def test_new_weights_are_drawn_as_t5_does():
    config = plm.Seq2SeqConfig(
        vocab_size=300,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        attention_head_size=32,
        intermediate_size=256,
    )
    expected = {
        "embedding/embeddings": 1.0,
        "seq2seq/output/kernel": 1.0,
        "attention/query/kernel": (64 * 32) ** -0.5,
        "attention/key/kernel": 64**-0.5,
        "attention/value/kernel": 64**-0.5,
        "attention/output/kernel": 128**-0.5,
        "ffn/gate/kernel": 64**-0.5,
        "ffn/inner/kernel": 64**-0.5,
        "ffn/outer/kernel": 256**-0.5,
        "relative_bias": 64**-0.5,
    }
    keras.utils.set_random_seed(0)
    for weight in plm.Seq2Seq(config).weights:
        if not weight.path.endswith("scale"):
            (wanted,) = (x for n, x in expected.items() if weight.path.endswith(n))
            found = np.std(np.asarray(weight))
            assert found == pytest.approx(wanted, rel=0.15), weight.path
    plain = plm.Seq2Seq(config.replace(scale_output=False))
    assert np.std(np.asarray(plain.output_layer.kernel)) == pytest.approx(1 / 8, 0.1)
    alike = plm.Seq2Seq(config.replace(initializer_range=0.02))
    assert np.abs(np.asarray(alike.embedding.embeddings)).max() <= 0.04


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ({}, 275_029_248),
        (
            {
                "hidden_size": 512,
                "num_hidden_layers": 8,
                "num_attention_heads": 6,
                "intermediate_size": 1024,
            },
            95_262_080,
        ),
    ],
)
def test_size_of_the_released_models(sizes, count):
    with initialize_with(ahead.empty):  # the memory is not even touched
        model = plm.Seq2Seq(plm.Seq2SeqConfig(vocab_size=50000, **sizes))
    assert model.count_params() == count


# --- network --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distance", "both", "one"),
    [
        (0, 0, 0),
        (7, 7, 7),
        (8, 8, 8),
        (12, 9, 12),
        (20, 10, 17),
        (50, 13, 24),
        (64, 14, 26),  # a tie of the logarithm, both ways
        (127, 15, 31),
        (1000, 15, 31),
        (-1, 17, 0),
        (-8, 24, 0),
        (-50, 29, 0),
        (-1000, 31, 0),
    ],
)
def test_buckets(distance, both, one):
    row = int(np.clip(distance, -128, 128)) + 128
    assert bucket_table(32, 128, True)[row] == both
    assert bucket_table(32, 128, False)[row] == one


def test_outputs_and_hidden_states(model):
    out = model(make_batch(), return_hidden_states=True)
    assert out["logits"].shape == (2, 5, 40)
    assert out["encoder_output"].shape == (2, 7, 16)
    assert out["decoder_output"].shape == (2, 5, 16)
    assert len(out["encoder_hidden_states"]) == 3
    assert len(out["decoder_hidden_states"]) == 4
    assert set(model(make_batch())) == {"logits", "encoder_output", "decoder_output"}


def test_halves_are_the_whole(model):
    batch = make_batch()
    mask = np.arange(7)[None] < np.array([[7], [4]])
    whole = model(batch | {"padding_mask": mask})["logits"]
    source = model.encode({"token_ids": batch["token_ids"], "padding_mask": mask})
    for length in (1, 3, 5):  # the target grows, what stands does not change
        part = model.decode(source | {"target_ids": batch["target_ids"][:, :length]})
        np.testing.assert_allclose(part["logits"], whole[:, :length], atol=1e-5)


def test_one_step_with_kept_keys(model):
    """The last word alone, with keys and values of the words before, is enough."""
    batch = make_batch()
    out = model(batch, return_hidden_states=True)
    stack, n = model.decoder, 5
    x = model.embedding(batch["target_ids"][:, -1:])
    last, places = ops.arange(n - 1, n), ops.arange(n)
    bias = stack.position_bias(last, places)
    cross = stack.position_bias(last, ops.arange(7))
    see = np.ones((1, 1, 1, 1), bool)
    for block, before in zip(stack.blocks, out["decoder_hidden_states"], strict=False):
        keys, values = block.attention.keys_values(block.attention_norm(before))
        x = x + block.attention(block.attention_norm(x), keys, values, see, bias)
        x = block.attend_context(x, out["encoder_output"], see, cross)
        x = block.feed_forward(x)
    output = stack.output_norm(x)
    np.testing.assert_allclose(output, out["decoder_output"][:, -1:], atol=1e-5)


def test_padding_changes_nothing(model):
    batch = make_batch()
    logits = model(batch)["logits"]
    pad = np.zeros((2, 3), int)
    longer = {key: np.hstack([value, pad]) for key, value in batch.items()}
    masks = {
        "padding_mask": longer["token_ids"] > 0,
        "target_padding_mask": longer["target_ids"] > 0,
    }
    again = model(longer | masks)["logits"]
    np.testing.assert_allclose(again[:, :5], logits, atol=1e-5)
    without = model(longer)["logits"]
    assert np.abs(without[:, :5] - logits).max() > 1e-3


def test_axes_change_the_numbers(model):
    logits = model(make_batch())["logits"]
    for field in ("cross_position_bias", "scale_output"):
        other = plm.Seq2Seq(CONFIG.replace(**{field: False}))
        other.set_weights(model.get_weights())
        assert np.abs(other(make_batch())["logits"] - logits).max() > 1e-3
    scaled = other(make_batch())["logits"] * 16**-0.5
    np.testing.assert_allclose(scaled, logits, atol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (
            np.ones((1, 2)),
            "a dictionary with token_ids and target_ids. Received: Eager",
        ),
        (
            {"token_ids": np.ones((1, 2))},
            "and target_ids. Received: .'token_ids'.",
        ),
        (
            make_batch() | {"labels": np.ones(2)},
            "labels: no such input. The inputs are token_",
        ),
    ],
)
def test_bad_inputs(model, inputs, words):
    with pytest.raises(ValueError, match=words):
        model(inputs)


def test_compiled_once_for_all_lengths(model):
    traces = 0

    @tf.function(
        input_signature=[
            {key: tf.TensorSpec([None, None], tf.int32) for key in make_batch()}
        ]
    )
    def run(batch):
        nonlocal traces
        traces += 1
        return model(batch)["logits"]

    for source, target in ((7, 5), (3, 9), (200, 1)):
        batch = {k: v.astype("int32") for k, v in make_batch(source, target).items()}
        np.testing.assert_allclose(run(batch), model(batch)["logits"], atol=1e-5)
    assert traces == 1


def test_jit(model):
    batch = {key: tf.constant(value) for key, value in make_batch().items()}
    run = tf.function(lambda batch: model(batch)["logits"], jit_compile=True)
    np.testing.assert_allclose(run(batch), model(batch)["logits"], atol=1e-4)


def test_half_precision(model):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = plm.Seq2Seq(CONFIG)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    logits = half(make_batch())["logits"]
    assert logits.dtype == tf.float16
    np.testing.assert_allclose(logits, model(make_batch())["logits"], atol=5e-3)


def test_every_weight_learns(model):
    batch = make_batch()
    labels = np.roll(batch["target_ids"], -1, axis=1)
    with tf.GradientTape() as tape:
        logits = model(batch, training=True)["logits"]
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, True)
        loss = ops.mean(losses)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


def test_keras_file(model, tmp_path):
    model.trainable = False
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.config == CONFIG
    assert not again.trainable
    ours, theirs = again(make_batch())["logits"], model(make_batch())["logits"]
    np.testing.assert_array_equal(ours, theirs)
