"""Task heads: spans and tags, files, precision, graphs, errors."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.task_heads import (
    CRF,
    MEMM,
    ConditionalLayerNorm,
    ConditionalSpanHead,
    EfficientGlobalPointer,
    GlobalPointer,
    GPLinker,
    ObjectHead,
    RegressionHead,
    SpanHead,
    SubjectHead,
    TaggingHead,
)
from kerasplm.task_heads.global_pointer import sparse_global_pointer_loss
from kerasplm.task_heads.regression import regression_loss
from kerasplm.task_heads.span import span_loss
from kerasplm.task_heads.tagging import tagging_loss
from tests.head_inputs import LABELS, LOGITS, MASK, B, C, D, T, X, filled

JOINT = {
    "electra": lambda **kw: ConditionalSpanHead(**kw),
    "albert": lambda **kw: ConditionalSpanHead.albert(D, **kw),
}


@pytest.mark.parametrize("name", JOINT)
def test_span_search_agrees_with_given_starts(name):
    head = filled(JOINT[name](start_beam=4, end_beam=50), X.shape)
    allowed = np.ones((B, T), bool)
    allowed[:, 1:3] = False
    out = head(X, allowed)
    assert out["end_top_index"].shape == (B, 4, T)  # no more than there are tokens
    start = tf.nn.log_softmax(out["start_logits"]).numpy()
    for row, k in np.ndindex(B, 4):
        place = int(out["start_top_index"][row, k])
        assert allowed[row, place]
        np.testing.assert_allclose(
            out["start_top_log_probs"][row, k], start[row, place], atol=1e-5
        )
        given = head(X, allowed, np.full(B, place))["end_logits"][row]
        found = np.asarray(out["end_top_index"][row, k])
        theirs = tf.gather(tf.nn.log_softmax(given), found)
        ours = out["end_top_log_probs"][row, k]
        np.testing.assert_allclose(ours[:4], theirs[:4], atol=1e-5)
        assert set(found[:4]) == {0, 3, 4, 5}


def test_span_head_joins_vectors_as_one_dense_layer():
    head = filled(ConditionalSpanHead(units=7), X.shape)
    start = np.array([2, 0, 5])
    kernel, bias = head.end_hidden.get_weights()
    joined = np.concatenate([np.repeat(X[range(B), start][:, None], T, 1), X], -1)
    hidden = keras.ops.gelu(joined @ kernel + bias, approximate=False)
    kernel, bias = head.end.get_weights()
    theirs = (np.asarray(hidden) @ kernel + bias)[..., 0]
    np.testing.assert_allclose(head(X, None, start)["end_logits"], theirs, atol=1e-5)


def test_span_loss_outside_of_the_window_costs_nothing():
    out = filled(SpanHead(), X.shape)(X)
    inside = span_loss(out, [1, 2, 3], [1, 4, 4], reduction="none")
    outside = span_loss(out, [1, -1, T], [1, 4, T + 9], reduction="none")
    ends = tf.nn.log_softmax(out["end_logits"]).numpy()
    assert float(outside[0]) == float(inside[0])
    np.testing.assert_allclose(outside[1], -ends[1, 4] / 2, rtol=1e-5)
    assert float(outside[2]) == 0.0


def test_tagging_loss_counts_masked_tokens_only():
    logits = filled(TaggingHead(C), X.shape)(X)
    log_p = tf.nn.log_softmax(logits).numpy()
    nll = -np.take_along_axis(log_p, LABELS[..., None], -1)[..., 0]
    np.testing.assert_allclose(
        tagging_loss(logits, LABELS, MASK), nll[MASK].mean(), rtol=1e-5
    )
    assert float(tagging_loss(logits, LABELS, np.zeros_like(MASK))) == 0.0
    np.testing.assert_allclose(tagging_loss(logits, LABELS), nll.mean(), rtol=1e-5)


HEADS = [
    (SpanHead(mask_value=-10.0), (X, MASK)),
    (ConditionalSpanHead(start_beam=2), (X, MASK)),
    (ConditionalSpanHead.albert(D, answerable="none"), (X, MASK)),
    (ConditionalSpanHead(joint=False, answerable="first"), (X, MASK)),
    (TaggingHead(C, dropout=0.2), (X,)),
    (RegressionHead(), (X[:, 0],)),
    (CRF(C, lr_multiplier=5.0, starts=[1], ends=[0, 2]), (LOGITS, MASK)),
    (MEMM(C, rank=2), (LOGITS, MASK)),
    (GlobalPointer(2, head_size=4, rotary=False), (X, MASK)),
    (EfficientGlobalPointer(2, head_size=4, tril=False, use_bias=False), (X, MASK)),
    (ConditionalLayerNorm(epsilon=1e-3), (X, X[:, 0])),
    (SubjectHead(), (X,)),
    (ObjectHead(C), (X, np.array([[0, 1]] * B))),
    (GPLinker(C, head_size=4), (X, MASK)),
]
EVERY = pytest.mark.parametrize(
    ("head", "inputs"), HEADS, ids=[f"{n}-{h.name}" for n, (h, _) in enumerate(HEADS)]
)


def numbers(out) -> list[np.ndarray]:
    return [np.asarray(x) for x in tf.nest.flatten(out)]


@EVERY
def test_config_round_trip(head, inputs):
    before = numbers(head(*inputs))
    text = json.dumps(keras.saving.serialize_keras_object(head))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(again) is type(head)
    assert again.get_config() == head.get_config()
    again(*inputs)
    assert [w.path for w in again.weights] == [w.path for w in head.weights]
    again.set_weights(head.get_weights())
    for ours, theirs in zip(numbers(again(*inputs)), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@EVERY
def test_float32_under_mixed_precision(head, inputs, policy):
    keras.config.set_dtype_policy(policy)
    try:
        made = type(head).from_config(head.get_config() | {"dtype": "float32"})
        fresh = type(head)(**arguments(head))
    finally:
        keras.config.set_dtype_policy("float32")
    half = [tf.cast(x, policy[6:]) if x.dtype == "float32" else x for x in inputs]
    for layer in (made, fresh):
        for x in numbers(layer(*half)):
            assert x.dtype in (np.float32, np.int32)
            assert np.isfinite(x).all()


def arguments(head) -> dict:
    """Return what a user passes: the configuration without Keras' own fields."""
    config = head.get_config()
    return {k: v for k, v in config.items() if k not in ("dtype", "trainable", "name")}


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_losses_in_graphs_of_any_length(jit):
    crf, span = filled(CRF(C), None), filled(ConditionalSpanHead(units=4), X.shape)
    pointer = filled(GlobalPointer(2, head_size=4), X.shape)

    @tf.function(jit_compile=jit, reduce_retracing=True)
    def losses(x, logits, labels, mask, spans):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(crf.log_likelihood(logits, labels, mask))
            out = span(x, mask, labels[:, 0])
            loss += span_loss(out, labels[:, 0], labels[:, 1], labels[:, 0])
            loss += sparse_global_pointer_loss(spans, pointer(x, mask))
        weights = [w.value for w in (*crf.weights, *span.weights, *pointer.weights)]
        return loss, tape.gradient(loss, weights), crf(logits, mask), span(x, mask)

    spans = tf.constant([[[[1, 2]], [[0, 0]]]] * B)
    for length in (6, 3, 2):
        labels = tf.constant(LABELS[:, :length], "int32")
        inputs = X[:, :length], LOGITS[:, :length], labels, MASK[:, :length], spans
        spans = tf.minimum(spans, 1)
        ours = losses(*inputs)
        eager = losses.python_function(*inputs)
        for a, b in zip(numbers(ours), numbers(eager), strict=True):
            assert np.isfinite(a).all()
            np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CRF(0), "labels must be a whole number from 1. Received: 0"),
        (lambda: CRF(3, starts=[3]), r"starts must be ids of labels, 0 ... 2"),
        (lambda: CRF(3, ends=[]), r"ends must be ids .* Received: \[\]"),
        (lambda: CRF(3, lr_multiplier=0), "lr_multiplier must be above 0"),
        (lambda: MEMM(3, rank=True), "rank must be a whole number"),
        (lambda: TaggingHead(2.0), "labels must be a whole number"),
        (lambda: GlobalPointer(2, head_size=3), "head_size must be even"),
        (lambda: ConditionalSpanHead(answerable="x"), "answerable must be one of none"),
        (lambda: ConditionalSpanHead(activation="x"), "activation must be one of gelu"),
        (lambda: regression_loss([1.0], [1.0], "avg"), "reduction must be one of mean"),
        (
            lambda: span_loss(
                ConditionalSpanHead()(X, None, np.ones(B)), [1] * B, [2] * B
            ),
            "is_impossible",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
