"""Padded positions are left out: the same numbers and gradients at real tokens."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm import Classifier, Config, Encoder
from kerasplm.hooks import Hook, hooked
from kerasplm.precision import computed_in

IDS = np.array([[2, 5, 6, 7, 3, 0, 0], [2, 7, 3, 0, 0, 0, 0], [0, 2, 5, 3, 0, 0, 0]])
BATCH = {
    "token_ids": IDS,
    "segment_ids": np.where(np.arange(7) > 2, 1, 0) * (IDS > 0),
    "padding_mask": IDS > 0,
}
FIELDS = [
    {},
    {"position": "nezha"},
    {"position": "rotary"},
    {"attention": "unilm"},
    {"attention": "causal", "type_vocab_size": 0},
    {"ln_type": "pre", "embedding_projection": "before_norm", "embedding_size": 4},
    {"ffn_groups": 4, "num_hidden_groups": 1, "attention_key_size": 6},
]


def small(**fields):
    keras.utils.set_random_seed(4)
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    return Encoder(Config(vocab_size=20, num_hidden_layers=2, **sizes, **fields))


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_real_tokens_have_the_same_numbers_and_padding_zeros(fields):
    encoder = small(**fields)
    full = encoder(BATCH, return_hidden_states=True)
    found = encoder(BATCH, return_hidden_states=True, skip_padding=True)
    real = BATCH["padding_mask"]
    sequence = found["sequence_output"].numpy()
    expected = full["sequence_output"].numpy()
    np.testing.assert_allclose(sequence[real], expected[real], rtol=0, atol=2e-6)
    # Left of the text a causal first place sees no token at all: it means nothing.
    seen = real[:, 0] | (fields.get("attention") != "causal")
    first = sequence[seen, 0], expected[seen, 0]
    np.testing.assert_allclose(*first, rtol=0, atol=2e-6)
    assert not sequence[:, 1:][~real[:, 1:]].any()
    pooled = found["pooled_output"].numpy()[seen], full["pooled_output"].numpy()[seen]
    np.testing.assert_allclose(*pooled, rtol=0, atol=2e-6)
    states = [*found["hidden_states"], found["before_last_norm"]]
    wanted = [*full["hidden_states"], full["before_last_norm"]]
    for one, other in zip(states, wanted, strict=True):
        np.testing.assert_allclose(one[real], other[real], rtol=0, atol=2e-6)
        assert not one[:, 1:][~real[:, 1:]].numpy().any()


@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_the_same(recompute):
    encoder = small(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    encoder.recompute = recompute
    real = tf.cast(BATCH["padding_mask"], "float32")[:, :, None]

    def measure(skip):
        weights = [w.value for w in encoder.trainable_variables]
        with tf.GradientTape() as tape:
            out = encoder(BATCH, training=True, skip_padding=skip)
            loss = tf.reduce_sum(real * out["sequence_output"] ** 3)
            loss += tf.reduce_sum(out["pooled_output"])
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    for one, other in zip(measure(True), measure(False), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


def test_it_learns_with_dropout_and_shapes_of_any_size():
    model = Classifier(small(), ["a", "b"])
    model.compile(keras.optimizers.Adam(0.01))
    spec = {name: tf.TensorSpec((None, None), "int32") for name in BATCH}
    rows = {name: x.astype("int32") for name, x in BATCH.items()}
    data = tf.data.Dataset.from_generator(
        lambda: [(rows, np.array([0, 1, 1]))] * 30,
        output_signature=(spec, tf.TensorSpec((None,), "int64")),
    ).apply(tf.data.experimental.assert_cardinality(30))
    history = model.fit(data, epochs=2, verbose=0, shuffle=False).history
    before, after = history["loss"]
    assert after < before


@pytest.mark.parametrize("numbers", ["float32", "bfloat16", "mixed bfloat16"])
@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_graphs_of_unknown_shapes_have_the_same_numbers(fields, numbers):
    # There the graph optimizer puts kernels in the place of groups of operations.
    dtype = numbers.split()[-1]
    with computed_in(dtype, mixed=dtype != numbers):
        encoder = small(**fields)
    spec = {name: tf.TensorSpec((None, None), "int32") for name in BATCH}

    @tf.function(input_signature=[spec])
    def run(batch):
        asked = {"skip_padding": True, "return_hidden_states": True}
        return encoder(batch, **asked)["hidden_states"]

    batch = {name: tf.cast(x, "int32") for name, x in BATCH.items()}
    full = encoder(BATCH, return_hidden_states=True)["hidden_states"]
    most = 4e-6 if dtype == "float32" else 0.06
    for one, other in zip(run(batch), full, strict=True):
        assert one.dtype == other.dtype == dtype
        one, other = (tf.cast(x, "float32").numpy() for x in (one, other))
        difference = (one - other)[BATCH["padding_mask"]]
        np.testing.assert_allclose(difference, 0, rtol=0, atol=most)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_the_last_block_can_be_computed_for_the_first_token(fields, skip):
    encoder = small(**fields)
    full = encoder(BATCH)
    asked = {"skip_padding": skip, "first_only": True}
    seen = BATCH["padding_mask"][:, 0] | (fields.get("attention") != "causal")
    graph = tf.function(lambda: encoder(BATCH, **asked))
    for found in (encoder(BATCH, **asked), graph()):
        assert found["sequence_output"].shape == (3, 1, 8)
        for name in ("sequence_output", "pooled_output"):
            pair = found[name][:, :1], full[name][:, :1]
            one, other = (x.numpy()[seen] for x in pair)
            np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)
    whole = encoder(BATCH, return_hidden_states=True, **asked)
    assert whole["sequence_output"].shape == (3, 7, 8)
    with hooked(encoder, Hook()):
        assert encoder(BATCH, **asked)["sequence_output"].shape == (3, 7, 8)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_of_the_first_token_are_the_same(skip, recompute):
    encoder = small(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    encoder.recompute = recompute

    def measure(**asked):
        weights = [w.value for w in encoder.trainable_variables]
        with tf.GradientTape() as tape:
            out = encoder(BATCH, training=True, **asked)
            loss = tf.reduce_sum(out["pooled_output"] ** 3)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    pairs = measure(skip_padding=skip, first_only=True), measure()
    for one, other in zip(*pairs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


def test_positions_may_be_those_of_all_rows():
    encoder = small()
    batch = BATCH | {"position_ids": np.arange(7)[None] + 3}
    found, full = (encoder(batch, skip_padding=skip) for skip in (True, False))
    real = BATCH["padding_mask"]
    found, full = (out["sequence_output"].numpy()[real] for out in (found, full))
    np.testing.assert_allclose(found, full, rtol=0, atol=2e-6)


def test_a_row_without_tokens_is_finite():
    encoder = small()
    out = encoder(BATCH | {"padding_mask": np.zeros_like(IDS)}, skip_padding=True)
    assert np.isfinite(out["sequence_output"]).all()
    assert np.isfinite(out["pooled_output"]).all()


def test_xla_and_those_who_look_inside_get_the_full_layout():
    encoder = small()
    full = encoder(BATCH)["sequence_output"]
    compiled = tf.function(
        lambda batch: encoder(batch, skip_padding=True)["sequence_output"],
        jit_compile=True,
    )(BATCH)
    np.testing.assert_allclose(compiled, full, rtol=0, atol=2e-6)
    scored = encoder(BATCH, return_attention_scores=True, skip_padding=True)
    np.testing.assert_allclose(scored["sequence_output"], full, rtol=0, atol=2e-6)
    with hooked(encoder, Hook()):
        whole = encoder(BATCH, skip_padding=True)
    np.testing.assert_allclose(whole["sequence_output"], full, rtol=0, atol=2e-6)
    alone = encoder({"token_ids": IDS}, skip_padding=True)
    assert alone["sequence_output"].numpy().all()
