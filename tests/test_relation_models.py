"""The relation extractor: what it computes, its decoding, its files."""

import itertools

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError
from kerasplm.task_heads.relation import power_cross_entropy
from kerasplm.task_models import RelationExtractor
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.kinds.relation_decoding import (
    MOST_ENTITIES,
    find_links,
    find_objects,
    find_subjects,
)
from tests.golden import COMPACT
from tests.relations import PREDICATES, ROWS, TASK, TOKENIZER, small_encoder

DECODERS = ("subject_object", "gplinker")


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def batch_of(decoder):
    settings = TASK.settings(decoder=decoder)
    return TASK.features(ROWS[:5], TOKENIZER, settings).batch(np.arange(5))


# -- decoding against loops ------------------------------------------------------------


def loops_first_end(start, end):
    """Each start with the first end from it on, as the original code writes it."""
    found = []
    for i in np.where(start)[0]:
        later = np.where(end)[0]
        later = later[later >= i]
        if len(later):
            found.append((int(i), int(later[0])))
    return found


def test_subjects_and_objects_are_those_of_loops():
    rng = np.random.default_rng(1)
    for _ in range(60):
        batch, length, count = rng.integers(1, 4), rng.integers(3, 12), 3
        logits = rng.normal(0, 4, (batch, length, 2)).astype("float32")
        real = rng.random((batch, length)) < 0.8
        found = find_subjects(logits, real, 0.6, 0.5)
        p = sigmoid(logits) ** 2
        wanted, shares = [], []
        for b in range(batch):
            spans = loops_first_end(
                (p[b, :, 0] > 0.6) & real[b], (p[b, :, 1] > 0.5) & real[b]
            )
            wanted += [(b, *span) for span in spans]
            shares += [min(p[b, i, 0], p[b, j, 1]) for i, j in spans]
        assert [
            (b, *s) for b, s in zip(found.owner, found.spans.tolist(), strict=True)
        ] == wanted
        np.testing.assert_allclose(found.scores, shares, rtol=1e-5)
        scores = rng.normal(2, 4, (len(wanted), length, count, 2)).astype("float32")
        relations = find_objects(found, scores, real, 0.6, 0.5)
        p4 = sigmoid(scores) ** 4
        triples = set()
        for n, (b, i, j) in enumerate(wanted):
            for k in range(count):
                for span in loops_first_end(
                    (p4[n, :, k, 0] > 0.6) & real[b], (p4[n, :, k, 1] > 0.5) & real[b]
                ):
                    score = min(shares[n], p4[n, span[0], k, 0], p4[n, span[1], k, 1])
                    triples.add((b, i, j, k, *span, round(float(score), 4)))
        ours = zip(
            relations.owner, relations.triples.tolist(), relations.scores, strict=True
        )
        assert {(b, *t, round(float(s), 4)) for b, t, s in ours} == triples


def test_links_are_those_of_loops():
    rng = np.random.default_rng(2)
    for _ in range(40):
        batch, length, count = 2, rng.integers(3, 8), 2
        entities = rng.normal(-1, 1, (batch, 2, length, length)).astype("float32")
        heads, tails = rng.normal(0, 1, (2, batch, count, length, length)).astype(
            "float32"
        )
        real = rng.random((batch, length)) < 0.8
        wanted = set()
        span = list(itertools.product(range(length), repeat=2))
        for b, p in itertools.product(range(batch), range(count)):
            for (i, j), (k, m) in itertools.product(span, span):
                scores = entities[b, 0, i, j], entities[b, 1, k, m]
                scores += heads[b, p, i, k], tails[b, p, j, m]
                if min(scores) > 0 and real[b, [i, j, k, m]].all():
                    wanted.add(
                        (b, i, j, p, k, m, round(float(sigmoid(min(scores))), 5))
                    )
        found = find_links(entities, heads, tails, real)
        ours = zip(found.owner, found.triples.tolist(), found.scores, strict=True)
        ours = [(b, *t, round(float(s), 5)) for b, t, s in ours]
        assert len(ours) == len(wanted)
        assert set(ours) == wanted


def test_of_too_many_entities_the_best_are_linked():
    length = 20
    entities = np.random.default_rng(0).random((1, 2, length, length)) + 0.1
    heads = tails = np.ones((1, 1, length, length))
    found = find_links(entities, heads, tails, np.ones((1, length), bool))
    assert len(found.scores) == MOST_ENTITIES**2
    best = np.sort(entities[0, 0].reshape(-1))[-MOST_ENTITIES:]
    subjects = np.unique(found.triples[:, :2], axis=0)
    np.testing.assert_array_equal(np.sort(entities[0, 0][tuple(subjects.T)]), best)


def test_extreme_logits_do_not_overflow():
    real = np.ones((1, 2), bool)
    logits = np.array([[[1e4, 1e4], [-1e4, -1e4]]], "float32")
    assert find_subjects(logits, real, 0.6, 0.5).spans.tolist() == [[0, 0]]


# -- the model -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", ["bert_google", "albert_zh", "albert_zh_preln", "nezha"]
)
def test_before_last_norm(case):
    encoder = plm.load(COMPACT / case)
    token_ids = np.random.default_rng(0).integers(1, encoder.config.vocab_size, (2, 7))
    out = encoder({"token_ids": token_ids}, return_hidden_states=True)
    before, last = out["before_last_norm"], out["sequence_output"]
    block = encoder.layers_in_order()[-1]
    if encoder.config.ln_type == "pre":
        np.testing.assert_array_equal(before, last)
        return
    assert np.abs(np.asarray(before) - np.asarray(last)).max() > 1e-2
    x = np.asarray(before, "float64")
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt((x**2).mean(-1, keepdims=True) + encoder.config.layer_norm_eps)
    gamma, beta = (np.asarray(w) for w in (block.ffn_norm.gamma, block.ffn_norm.beta))
    np.testing.assert_allclose(last, x * gamma + beta, atol=2e-6)


@pytest.mark.parametrize("ln_type", ["post", "pre"])
def test_the_second_pass_equals_the_teacher_input(ln_type):
    encoder = small_encoder(ln_type=ln_type)
    model = RelationExtractor(encoder, PREDICATES)
    for weight in model.object.norm.weights:  # zeros at first: no condition
        weight.assign(keras.random.normal(weight.shape, seed=3))
    inputs, targets = batch_of("subject_object")
    out = model(inputs, training=False)
    order = np.array([4, 1, 1, 0])
    question = {"subjects": targets["subject"][order], "owner": order.astype("int32")}
    answer = model.answer(out, question)["objects"]
    np.testing.assert_allclose(answer, np.asarray(out["objects"])[order], atol=1e-5)
    assert np.abs(np.asarray(answer)[0, :3] - np.asarray(answer)[3, :3]).max() > 1e-3
    found = encoder(
        {k: v for k, v in inputs.items() if k != "subject"}, return_hidden_states=True
    )
    np.testing.assert_array_equal(out["hidden"], found["before_last_norm"])
    assert set(model(inputs, training=True)) == {"subjects", "objects"}


def test_the_loss_is_that_of_the_powers():
    model = RelationExtractor(small_encoder(), PREDICATES)
    inputs, targets = batch_of("subject_object")
    targets["known"][:] = [True, True, False, True, True]
    out = {k: np.asarray(v, "float64") for k, v in model(inputs, training=True).items()}

    def entropy(logits, labels, power):
        p = sigmoid(logits) ** power
        return -np.where(labels, np.log(p), np.log1p(-p))

    losses = entropy(out["subjects"], targets["subjects"], 2).mean(-1)
    losses += entropy(out["objects"], targets["objects"], 4).mean(-1).sum(-1)
    mask = inputs["padding_mask"] & targets["known"][:, None]
    loss = model.objective(inputs, targets, model(inputs, training=True))
    np.testing.assert_allclose(loss, losses[mask].mean(), rtol=1e-5)


@pytest.mark.parametrize("power", [2, 4])
def test_the_loss_is_finite_where_the_power_is_not(power):
    logits = np.array([-200.0, -200.0, 200.0, 200.0], "float32")
    labels = np.array([1.0, 0.0, 1.0, 0.0], "float32")
    loss = np.asarray(power_cross_entropy(logits, labels, power))
    np.testing.assert_allclose(
        loss, [200.0 * power, 0, 0, 200 - np.log(power)], rtol=1e-5
    )


@pytest.mark.parametrize("decoder", DECODERS)
def test_saved_and_loaded_it_is_the_same(decoder, tmp_path):
    keras.utils.set_random_seed(4)
    model = RelationExtractor(
        small_encoder(), PREDICATES, decoder=decoder, head_size=16, task="small"
    )
    plm.save_checkpoint(model, tmp_path / "model.ckpt", family="bert")
    again = plm.load(tmp_path, heads="task")
    assert again.facts() == model.facts()
    inputs, _ = batch_of(decoder)
    ours, theirs = model(inputs), again(inputs)
    assert set(ours) == set(theirs)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name])
    file = tmp_path / "model.keras"
    model.save(file)
    whole = keras.models.load_model(file)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, whole(inputs)[name])


def test_what_cannot_be_built_says_so():
    encoder = small_encoder()
    with pytest.raises(ConfigError, match="at least one predicate"):
        RelationExtractor(encoder, [])
    with pytest.raises(ConfigError, match="decoder must be one of"):
        RelationExtractor(encoder, PREDICATES, decoder="crf")
    model = RelationExtractor(encoder, PREDICATES, decoder="gplinker")
    with pytest.raises(ConfigError, match="without asking"):
        model.answer({}, {})


@pytest.mark.parametrize("decoder", DECODERS)
def test_an_untrained_model_can_be_judged(decoder):
    settings = TASK.settings(decoder=decoder, batch_size=4)
    model = TASK.model(small_encoder(), settings=settings)
    rows = ROWS[:3]
    scores = Judge(TASK, model, settings).score(
        rows, TASK.features(rows, TOKENIZER, settings)
    )
    assert scores["examples"] == 3
    assert np.isfinite(scores["loss"])
