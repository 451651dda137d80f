"""Task heads against their definitions: all sequences counted, sums written out."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm.task_heads import (
    CRF,
    MEMM,
    ConditionalLayerNorm,
    EfficientGlobalPointer,
    GlobalPointer,
    GPLinker,
    ObjectHead,
    relation,
)
from kerasplm.task_heads.crf import viterbi
from kerasplm.task_heads.global_pointer import sparse_global_pointer_loss
from kerasplm.task_heads.multilabel import (
    NO_ENTRY,
    multilabel_categorical_crossentropy,
    sparse_multilabel_categorical_crossentropy,
)
from tests.head_inputs import LABELS, LOGITS, MASK, RNG, B, C, T, X, filled


def paths_of(length: int):
    return itertools.product(range(C), repeat=length)


def chain_score(nodes, transitions, path) -> float:
    score = sum(nodes[t, label] for t, label in enumerate(path))
    return score + sum(transitions[a, b] for a, b in itertools.pairwise(path))


# Real tokens from the left, and in the middle ([CLS] left out); a row of padding.
MASKS = [
    MASK,
    np.roll(MASK, 1, axis=1) & (np.arange(T) > 0),
    MASK & (MASK.sum(1) > 1)[:, None],
]


@pytest.mark.parametrize("mask", MASKS, ids=["left", "inner", "empty row"])
def test_crf_sums_over_all_sequences(mask):
    crf = filled(CRF(C, lr_multiplier=10.0), None)
    table = np.asarray(crf.scores(), "float64")
    ours = crf.log_likelihood(LOGITS, np.where(mask, LABELS, -7), mask)
    for row in range(B):
        nodes = LOGITS[row][mask[row]].astype("float64")
        scores = [chain_score(nodes, table, path) for path in paths_of(len(nodes))]
        total = np.log(np.sum(np.exp(np.array(scores) - max(scores)))) + max(scores)
        theirs = chain_score(nodes, table, LABELS[row][mask[row]]) - total
        np.testing.assert_allclose(ours[row], theirs, atol=3e-5)


@pytest.mark.parametrize("mask", MASKS, ids=["left", "inner", "empty row"])
@pytest.mark.parametrize(
    ("starts", "ends"), [(None, None), ([0, 2], None), ([1], [0, 2]), ([1], [0])]
)
def test_viterbi_finds_the_best_of_all_sequences(mask, starts, ends):
    crf = filled(CRF(C, starts=starts, ends=ends), None)
    ours, table = crf(LOGITS, mask).numpy(), np.asarray(crf.scores())
    assert ours.dtype == np.int32
    for row in range(B):
        nodes = LOGITS[row][mask[row]]
        allowed = [
            path
            for path in paths_of(len(nodes))
            if (not path or starts is None or path[0] in starts)
            and (not path or ends is None or path[-1] in ends)
        ]
        assert not ours[row][~mask[row]].any()
        found = ours[row][mask[row]].tolist()
        assert found == viterbi(nodes, table, starts, ends)
        if allowed:  # one token that must be both is nowhere
            assert found == list(
                max(allowed, key=lambda p: chain_score(nodes, table, p))
            )


def test_viterbi_takes_the_lowest_of_equals():
    crf = filled(CRF(C), None)
    crf.transitions.assign(np.zeros((C, C)))
    logits = np.zeros((1, 4, C), "float32")
    logits[0, 2] = [1, 3, 3]
    assert crf(logits).numpy().tolist() == [[0, 0, 1, 0]]


def test_crf_gradient_moves_by_the_multiplier_squared():
    gradients = []
    for factor in (1.0, 100.0):
        crf = CRF(C, lr_multiplier=factor)
        crf.build()
        crf.transitions.assign(np.eye(C) / factor)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(crf.log_likelihood(LOGITS, LABELS, MASK))
        gradients.append(tape.gradient(loss, crf.transitions.value).numpy())
    np.testing.assert_allclose(gradients[1], gradients[0] * 100.0, rtol=1e-4)


@pytest.mark.parametrize("rank", [None, 2])
def test_memm_decodes_the_likeliest_of_all_sequences(rank):
    memm = filled(MEMM(C, rank=rank), None)
    ours = memm(LOGITS, MASK).numpy()
    for row in range(B):
        length = MASK[row].sum()
        losses = {
            path: float(memm.loss(LOGITS[row : row + 1, :length], [path]))
            for path in paths_of(length)
        }
        assert ours[row, :length].tolist() == list(min(losses, key=losses.get))


def naive_multilabel(true, false) -> float:
    true, false = np.asarray(true, "float64"), np.asarray(false, "float64")
    return np.log1p(np.exp(-true).sum()) + np.log1p(np.exp(false).sum())


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("mask_zero", [True, False])
def test_multilabel_losses_are_the_naive_sums(scale, mask_zero):
    scores = RNG.normal(size=(2, 3, 9)).astype("float32")
    classes = np.array([[[1, 4], [8, 2], [3, 7]], [[5, 0], [0, 0], [6, 2]]])
    if not mask_zero:
        classes = np.maximum(classes, [1, 2])
    labels = np.zeros(scores.shape)
    np.put_along_axis(labels, classes, 1.0, -1)
    # Good scores: all false ones far below the true ones.
    scores = np.where(labels, scale, -scale).astype("float32") + scores
    ours = sparse_multilabel_categorical_crossentropy(classes, scores, mask_zero)
    real = np.arange(9) >= mask_zero
    for place in np.ndindex(2, 3):
        is_true, row = labels[place] > 0, scores[place]
        theirs = naive_multilabel(row[is_true & real], row[~is_true & real])
        np.testing.assert_allclose(ours[place], theirs, rtol=1e-5, atol=2e-7)
    if not mask_zero:
        dense = multilabel_categorical_crossentropy(labels, scores)
        np.testing.assert_allclose(dense, ours, rtol=1e-5, atol=2e-7)


def test_entries_that_do_not_exist_have_no_gradient():
    scores = tf.constant([[NO_ENTRY, 1.0, -2.0, NO_ENTRY]])
    for loss in (
        lambda: multilabel_categorical_crossentropy([[1.0, 1.0, 0.0, 0.0]], scores),
        lambda: sparse_multilabel_categorical_crossentropy([[0, 1]], scores),
    ):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss()
        np.testing.assert_allclose(value[0], naive_multilabel([1], [-2]), rtol=1e-6)
        gradient = tape.gradient(value, scores).numpy()[0]
        assert gradient[[0, 3]].tolist() == [0.0, 0.0]
        assert gradient[1] < 0 < gradient[2]


def test_global_pointer_scores_only_what_can_be():
    for cls in (GlobalPointer, EfficientGlobalPointer):
        scores = filled(cls(2, head_size=4), X.shape)(X, MASK).numpy()
        assert scores.shape == (B, 2, T, T)
        real = MASK[:, :, None] & MASK[:, None, :] & np.triu(np.ones((T, T), bool))
        assert np.array_equal(
            scores > NO_ENTRY, np.broadcast_to(real[:, None], scores.shape)
        )


@pytest.mark.parametrize("power", [1, 2, 4])
def test_power_cross_entropy_needs_no_clipping(power):
    x = np.array([-100.0, -20.0, -1.0, 0.0, 1.0, 20.0, 100.0])
    softplus = np.logaddexp(0, -x)
    true = power * softplus
    # 1 - p^k = -expm1(-k softplus(-x)); beyond float64's reach it is k e^-x.
    false = np.where(x > 30, x - np.log(power), -np.log(-np.expm1(-true)))
    for label, theirs in ((1.0, true), (0.0, false)):
        logits = tf.constant(x, "float32")
        with tf.GradientTape() as tape:
            tape.watch(logits)
            ours = relation.power_cross_entropy(logits, np.full(7, label), power)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
        gradient = tape.gradient(ours, logits).numpy()
        assert np.isfinite(gradient).all()
        # The original's clipped probabilities stop learning where they are most wrong.
        wrong = 0 if label else -1
        slope = -power if label else 1.0
        np.testing.assert_allclose(gradient[wrong], slope, rtol=1e-5)


def test_conditional_norm():
    layer = ConditionalLayerNorm()
    condition = RNG.normal(size=(B, 5)).astype("float32")
    plain = keras.layers.LayerNormalization(epsilon=1e-7)(X)
    np.testing.assert_allclose(layer(X, condition), plain, atol=1e-5)
    filled(layer, X.shape, condition.shape)
    gamma, beta, w_gamma, w_beta = layer.get_weights()
    theirs = plain * (gamma + condition @ w_gamma)[:, None]
    theirs += (beta + condition @ w_beta)[:, None]
    np.testing.assert_allclose(layer(X, condition), theirs, atol=1e-4)
    by_token = np.repeat(condition[:, None], T, 1)
    np.testing.assert_allclose(layer(X, by_token), theirs, atol=1e-4)


def test_objects_depend_on_their_subject():
    head = filled(ObjectHead(C), X.shape)
    first, second = (head(X, np.full((B, 2), place)).numpy() for place in (1, 2))
    assert first.shape == (B, T, C, 2)
    assert np.abs(first - second).max() > 1e-2
    ends = np.array([[1, 2]] * B)
    condition = np.concatenate([X[:, 1], X[:, 2]], -1)
    theirs = head.logits(head.norm(X, condition)).numpy().reshape(B, T, C, 2)
    np.testing.assert_array_equal(head(X, ends), theirs)


def test_relation_loss_is_the_masked_mean():
    subject = RNG.normal(size=(B, T, 2))
    objects = RNG.normal(size=(B, T, C, 2))
    subject_labels, object_labels = subject > 0.5, objects > 1.0

    def bce(x, y, power):
        p = (1 / (1 + np.exp(-x))) ** power
        return -np.where(y, np.log(p), np.log(1 - p))

    tokens = bce(subject, subject_labels, 2).mean(-1)
    tokens += bce(objects, object_labels, 4).mean(-1).sum(-1)
    ours = relation.relation_loss(subject, objects, subject_labels, object_labels, MASK)
    np.testing.assert_allclose(ours, tokens[MASK].mean(), rtol=1e-5)
    probability = relation.power_probability(subject, 2)
    np.testing.assert_allclose(
        probability, (1 / (1 + np.exp(-subject))) ** 2, rtol=1e-5
    )


def test_gplinker_links_any_two_tokens():
    head = filled(GPLinker(C, head_size=4), X.shape)
    out = head(X, MASK)
    assert (out["entities"][0, 0].numpy() > NO_ENTRY).sum() == T * (T + 1) / 2
    assert (out["heads"][0, 0].numpy() > NO_ENTRY).all()
    shapes = {"entities": 2, "heads": C, "tails": C}
    targets = {name: RNG.integers(0, 1, (B, n, 2, 2)) for name, n in shapes.items()}
    targets["heads"][0, 1, 0] = [3, 2]
    parts = [sparse_global_pointer_loss(targets[n], out[n]) for n in shapes]
    loss = relation.gplinker_loss(targets, out)
    np.testing.assert_allclose(loss, sum(map(float, parts)), rtol=1e-6)
