"""Sentence embeddings: loss, pooling, scores, files."""

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.evaluation.similarity import (
    area_under_curve,
    best_threshold,
    retrieval_ranks,
)
from kerasplm.task_models.embedding import SentenceEncoder, in_batch_loss
from kerasplm.tasks import TASKS
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.rows import TextRow
from tests.choosing import TOKENIZER, encoder, learn, scores, settings_of

TASK = TASKS["lcqmc_retrieval"]
KIND = TASK.engine


def pairs():
    """Nine pairs that ask the same in other words, and nine that do not."""
    things = "猫狗鸟鱼书笔纸灯茶"
    same = [TextRow(n, f"{x}在哪里", f"谁有{x}", "1") for n, x in enumerate(things)]
    others = things[1:] + things[:1]
    return same + [
        TextRow(9 + n, f"{x}在哪里", f"谁有{y}", "0")
        for n, (x, y) in enumerate(zip(things, others, strict=True))
    ]


@pytest.fixture(scope="module")
def trained():
    return learn(TASK, pairs(), epochs=25, rate=3e-3)


def test_meanings_are_learnt(trained):
    found = scores(TASK, trained[1], pairs())
    assert found["accuracy"] == found["auc"] == 1.0
    assert found["spearman"] > 0.85  # the highest for two classes of nine is 0.867
    assert found["recall_1"] == found["recall_5"] == found["mrr"] == 1.0
    assert found["loss"] < 0.1
    assert found["examples"] == 18


def test_a_model_as_it_is_can_be_scored():
    for pooling in ("pooled", "cls", "mean", "first_last_mean"):
        settings = settings_of(TASK, pooling=pooling, batch_size=18)
        network = TASK.model(encoder(), settings=settings)
        found = scores(TASK, Judge(TASK, network, settings), pairs())
        assert all(np.isfinite(value) for value in found.values())
        names = "spearman accuracy accuracy_0.9 threshold auc recall_1 recall_5 mrr"
        assert list(found) == [*names.split(), "examples", "loss"]


@pytest.mark.parametrize("pooling", ["pooled", "cls", "mean", "first_last_mean"])
def test_a_pooler_without_effect_is_not_trained(pooling):
    network = TASK.model(encoder(), settings=settings_of(TASK, pooling=pooling))
    trained = [weight.path for weight in network.trainable_variables]
    assert any("pooler" in path for path in trained) == (pooling == "pooled")


def literal_loss(vectors, scale=30.0):
    """The loss as its formula stands: rows without themselves, softmax, partner."""
    total = 0.0
    for i, vector in enumerate(vectors):
        logits = {j: scale * vector @ w for j, w in enumerate(vectors) if j != i}
        partner = i + 1 if i % 2 == 0 else i - 1
        top = max(logits.values())
        norm = top + np.log(sum(np.exp(x - top) for x in logits.values()))
        total += norm - logits[partner]
    return total / len(vectors)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_loss_is_that_of_simbert():
    vectors = unit(np.random.default_rng(0).normal(size=(8, 6)))
    loss = float(in_batch_loss(vectors, np.ones(8), 30.0))
    assert loss == pytest.approx(literal_loss(vectors), rel=1e-5)
    # Pairs that differ in meaning are as if they were not there.
    taken = np.array([1, 1, 0, 0, 1, 1, 0, 0])
    some = float(in_batch_loss(vectors, taken, 20.0))
    assert some == pytest.approx(literal_loss(vectors[taken == 1], 20.0), rel=1e-5)
    assert float(in_batch_loss(vectors, np.zeros(8), 30.0)) == 0.0


def test_objective_takes_pairs():
    network = SentenceEncoder(encoder())
    features = TASK.features(pairs(), TOKENIZER, settings_of(TASK))
    inputs, targets = features.batch(np.arange(4, 14))
    assert inputs["token_ids"].shape == (10, 2, 6)
    assert targets.tolist() == [1] * 5 + [0] * 5
    outputs = np.asarray(network(inputs))
    assert outputs.shape == (10, 2, 32)
    loss = float(network.objective(inputs, targets, outputs))
    expected = literal_loss(outputs[:5].reshape(10, 32).astype("float64"))
    assert loss == pytest.approx(expected, rel=1e-4)


def test_poolings():
    body = encoder(pooler="linear")
    ids = np.array([[2, 9, 10, 3], [2, 11, 3, 0]])
    mask = ids > 0
    batch = {"token_ids": ids, "padding_mask": mask}
    out = body(batch, return_hidden_states=True)
    last = np.asarray(out["sequence_output"])
    first = np.asarray(out["hidden_states"][1])

    def mean(states):
        return (states * mask[..., None]).sum(1) / mask.sum(1)[:, None]

    expected = {
        "pooled": np.asarray(out["pooled_output"]),
        "cls": last[:, 0],
        "mean": mean(last),
        "first_last_mean": mean((first + last) / 2),
    }
    for pooling, vectors in expected.items():
        raw = SentenceEncoder(body, pooling=pooling, normalize=False)(batch)
        np.testing.assert_allclose(np.asarray(raw), vectors, atol=1e-6)
        found = SentenceEncoder(body, pooling=pooling)(batch)
        np.testing.assert_allclose(np.asarray(found), unit(vectors), atol=1e-6)
    full = {"token_ids": ids[:1]}
    found = SentenceEncoder(body, pooling="mean", normalize=False)(full)
    np.testing.assert_allclose(np.asarray(found), last[:1].mean(1), atol=1e-5)


def test_every_weight_of_the_encoder_gets_a_gradient():
    import tensorflow as tf

    network = SentenceEncoder(encoder())
    features = TASK.features(pairs(), TOKENIZER, settings_of(TASK))
    inputs, targets = features.batch(np.arange(18))
    with tf.GradientTape() as tape:
        loss = network.objective(inputs, targets, network(inputs, training=True))
    weights = network.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        values = np.asarray(tf.convert_to_tensor(gradient))
        assert np.isfinite(values).all()
        # That of keys changes no softmax.
        flat = weight.path.endswith("key/bias")
        assert flat or np.abs(values).max() > 0


def test_only_pairs_of_one_meaning_are_trained():
    rows = KIND.training_rows(pairs())
    assert [row.label for row in rows] == ["1"] * 9
    with pytest.raises(DataError, match="label '1'"):
        KIND.training_rows(pairs()[9:])
    assert TASKS["lcqmc"].engine.training_rows(pairs()) == pairs()


def test_saved_and_loaded(trained, tmp_path):
    network, judge = trained
    batch = TASK.features(pairs(), TOKENIZER, judge.settings).inputs(np.arange(18))
    expected = np.asarray(network(batch))
    plm.save_checkpoint(network, tmp_path / "m" / "model.ckpt", family="bert")
    for heads in ("task", "embedding"):
        again = plm.load(tmp_path / "m", heads=heads)
        assert isinstance(again, SentenceEncoder)
        np.testing.assert_array_equal(np.asarray(again(batch)), expected)
    assert again.facts() == network.facts() | {"task": "lcqmc_retrieval"}
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(again(batch)), expected)


def test_every_checkpoint_holds_it(folder):
    """No weights are asked for beyond the encoder's, and no heads are in the way."""
    network = plm.load(folder, heads="embedding")
    encoder_alone = plm.load(folder)
    batch = {"token_ids": np.array([[2, 9, 10, 3]])}
    pooled = np.asarray(encoder_alone(batch)["pooled_output"])
    np.testing.assert_allclose(np.asarray(network(batch)), unit(pooled), atol=1e-6)


def test_thresholds():
    rng = np.random.default_rng(0)
    for _ in range(200):
        count = int(rng.integers(1, 12))
        truth = rng.integers(0, 2, count).astype(bool)
        values = rng.integers(0, 5, count) / 4
        choices = [np.inf, *sorted(set(values), reverse=True)]
        shares = [np.mean((values >= c) == truth) for c in choices]
        best = int(np.argmax(shares))
        assert best_threshold(truth, values) == (choices[best], shares[best])
        ones, zeros = values[truth], values[~truth]
        if len(ones) and len(zeros):
            diff = ones[:, None] - zeros[None]
            expected = np.mean((diff > 0) + (diff == 0) / 2)
            assert area_under_curve(truth, values) == pytest.approx(expected)
        else:
            assert np.isnan(area_under_curve(truth, values))


def test_ranks():
    queries, answers = ["甲", "甲", "乙", "丙"], ["一", "二", "甲", "三"]
    left = np.array([[1, 0], [9, 9], [0, 1], [1, 0]], "float32")  # 甲 counts once
    right = np.array([[0.5, 0], [0.2, 0], [1, 0.9], [0.5, 0]], "float32")
    # 甲: its own text does not count, 三 is as near as 一; 乙 finds 甲 first;
    # 丙: 甲 is nearer than 三, 一 as near.
    assert retrieval_ranks(queries, answers, left, right).tolist() == [2, 1, 3]
    with pytest.raises(DataError):
        retrieval_ranks([], [], left[:0], right[:0])
    with pytest.raises(DataError, match="expected 4 vectors"):
        retrieval_ranks(queries, answers, left[:2], right)


def test_scores_that_are_not_defined(trained):
    _, judge = trained
    ones = scores(TASK, judge, pairs()[:9])
    assert ones["spearman"] == 0.0
    assert ones["recall_1"] == 1.0
    assert "auc" not in ones
    zeros = scores(TASK, judge, pairs()[9:])
    assert "mrr" not in zeros
    assert zeros["loss"] == 0.0
    assert all(np.isfinite([*ones.values(), *zeros.values()]))


def test_predictions(trained, tmp_path):
    network, judge = trained
    rows = [TextRow("a", "猫在哪里", "谁有猫"), TextRow("b", "猫", "狗")]
    features = TASK.features(rows, TOKENIZER, judge.settings)
    found, loss = judge.predict(rows, features)
    assert loss is None
    for one in found:
        assert one.cosine == pytest.approx(one.vectors[0] @ one.vectors[1])
        np.testing.assert_allclose(np.linalg.norm(one.vectors, axis=1), 1, rtol=1e-5)
    TASK.submission(tmp_path / "out", rows, found)
    first = (tmp_path / "out").read_text().splitlines()[0]
    assert first.startswith('{"id": "a", "cosine": ')
    wrong = KIND.wrong(TASK, [pairs()[0], pairs()[9]], found)
    expected = [1 - found[0].cosine, max(found[1].cosine, 0)]
    np.testing.assert_allclose(wrong, expected)


def test_what_does_not_work():
    with pytest.raises(DataError, match="row 4: expected two texts, found one"):
        TASK.features([TextRow(4, "猫")], TOKENIZER, settings_of(TASK))
    with pytest.raises(ConfigError, match="pooling must be one of pooled, cls"):
        SentenceEncoder(encoder(), pooling="max")
    with pytest.raises(ConfigError, match="scale must be positive"):
        SentenceEncoder(encoder(), scale=0)
    with pytest.raises(ConfigError, match="attention"):
        SentenceEncoder(encoder(attention="causal"))
