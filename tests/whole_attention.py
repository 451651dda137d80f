"""Attention by the backend's own kernel beside the one that writes scores out."""

import keras
import numpy as np
from keras import ops

from kerasplm import Classifier, Config, Encoder, fused
from kerasplm.hooks import Hook, hooked
from kerasplm.precision import computed_in

TOKENS = 10
IDS = np.random.default_rng(0).integers(0, 50, (5, TOKENS))
# Whole, padded on the right, on the left, in the middle; a row without any token.
LEFT, RIGHT = np.array([[0], [0], [4], [0], [0]]), np.array([[10], [6], [10], [9], [0]])
REAL = (np.arange(TOKENS) >= LEFT) & (np.arange(TOKENS) < RIGHT)
REAL[3, 4:6] = False
BATCH = {
    "token_ids": IDS,
    "segment_ids": np.tile(np.arange(TOKENS) >= 5, (5, 1)).astype("int32"),
    "padding_mask": REAL,
}


def encoder_of(**fields):
    """Return an encoder whose tokens attend to some far more than to others."""
    keras.utils.set_random_seed(1)
    return Encoder(
        Config(
            vocab_size=50,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=48,
            initializer_range=0.3,
            **fields,
        )
    )


class Watched:
    """Watch which blocks use the kernel.

    Args:
        patch: Sets an attribute of a module: `setattr`, or that of pytest.
    """

    def __init__(self, patch):
        self._taken, own = [], fused.whole_attention

        def recorded(*args):
            out = own(*args)
            self._taken.append(out is not None)
            return out

        patch(fused, "whole_attention", recorded)

    def __call__(self, encoder, batch=BATCH, **options):
        """Return the answers to the blocks that asked for it, and the states."""
        self._taken.clear()
        out = encoder(batch, **options)["sequence_output"]
        return list(self._taken), ops.convert_to_numpy(ops.cast(out, "float32"))


def compare(patch):
    """Compare the states that both ways give; `patch` is as for `Watched`."""
    watched = Watched(patch)
    kinds = ({"attention": kind} for kind in ("bidirectional", "causal", "unilm"))
    for fields in (*kinds, {"position": "rotary"}):
        encoder = encoder_of(**fields)
        none, expected = watched(encoder, return_attention_scores=True)
        both, found = watched(encoder)
        assert (none, both) == ([], [True, True])
        np.testing.assert_allclose(found[REAL], expected[REAL], rtol=2e-6, atol=2e-6)
        # Beside 10,000 float32 keeps three digits of the scores behind the point.
        np.testing.assert_allclose(found, expected, atol=5e-3)
    with computed_in("float16", mixed=False):
        half = encoder_of()
    expected = watched(half, return_attention_scores=True)[1]
    both, found = watched(half)
    assert both == [True, True]
    np.testing.assert_allclose(found[REAL], expected[REAL], atol=0.02)
    assert np.isfinite(found).all()


def check_choice(patch):
    """Check when the kernel is not used; `patch` is as for `Watched`."""
    watched = Watched(patch)
    encoder = encoder_of(attention_probs_dropout_prob=0.1)
    assert watched(encoder)[0] == [True, True]
    assert watched(encoder, training=True)[0] == [False, False]
    assert watched(encoder, first_only=True)[0] == [True]
    with hooked(encoder, Hook()):
        assert watched(encoder)[0] == []
    assert watched(encoder_of(position="nezha"))[0] == []
    assert watched(encoder_of(attention_key_size=12))[0] == [False, False]
    encoder = encoder_of(attention_probs_dropout_prob=0.0)
    assert watched(encoder, training=True)[0] == [True, True]
    odd = {name: x[:, 1:] for name, x in BATCH.items()}
    assert watched(encoder, odd, training=True)[0] == [False, False]
    assert watched(encoder, odd)[0] == [True, True]


def compare_step(patch):
    """Compare the weights after a step without dropout; `patch` is as above."""
    whole, weights = fused.has_whole_attention, []
    # Without the empty row: its scores are rounded beside 10,000, each way otherwise.
    batch = {name: x[:4] for name, x in BATCH.items()}
    for choice in (whole, lambda: False):
        patch(fused, "has_whole_attention", choice)
        model = Classifier(
            encoder_of(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
            ["a", "b"],
            dropout=0.0,
        )
        query = model.encoder.blocks[0].attention.query
        before = query.get_weights()[0]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss)
        model.train_on_batch(batch, np.array([0, 1, 1, 0]))
        assert not np.array_equal(before, query.get_weights()[0])
        weights.append(model.get_weights())
    patch(fused, "has_whole_attention", whole)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
