"""Texts that share rows: the numbers, losses and gradients of texts that do not."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasplm.distillation.job import DistillationJob
from kerasplm.distillation.stages import prediction
from kerasplm.errors import ConfigError
from kerasplm.finetuning import train_prepared
from kerasplm.run_folder import prepare
from kerasplm.shared_rows import encoded
from kerasplm.tasks import TASKS
from kerasplm.tasks.epochs import compiles, training_batches
from kerasplm.tasks.features import joined
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.sharing import SharedRows, first_fit
from kerasplm.tasks.targets import ClassTargets
from tests import choosing, news, relations
from tests.reviews import train
from tests.test_choice_tasks import blanks, questions
from tests.test_embedding_tasks import pairs
from tests.test_packed_layout import BATCH, FIELDS, small
from tests.test_regression import pairs as numbered

# Three texts of 5, 3 and 3 tokens; the third begins at its second token.
TEXTS = {name: x.copy() for name, x in BATCH.items()}
for x in TEXTS.values():
    x[2, :3], x[2, 3] = x[2, 1:4].copy(), 0
PLACES = np.array([[7, 8, 9, -1, 14, 15, 16, -1], [0, 1, 2, 3, 4, -1, -1, -1]])
SHARED = TEXTS | {"shared_rows": PLACES}
REAL = TEXTS["padding_mask"]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_numbers_are_those_of_rows_of_their_own(fields):
    encoder = small(**fields)
    full = encoder(TEXTS, return_hidden_states=True)
    run = tf.function(
        lambda: encoded(encoder, SHARED, return_hidden_states=True), jit_compile=True
    )
    found = run()
    assert found.keys() == full.keys()
    states = [*found["hidden_states"], found["before_last_norm"]]
    wanted = [*full["hidden_states"], full["before_last_norm"]]
    names = ("sequence_output", "embedding_output")
    states += [found[name] for name in names]
    wanted += [full[name] for name in names]
    for one, other in zip(states, wanted, strict=True):
        np.testing.assert_allclose(one[REAL], other[REAL], rtol=0, atol=2e-6)
        assert not one.numpy()[~REAL].any()
    first = encoded(encoder, SHARED, first_only=True)
    assert first["sequence_output"].shape == (3, 1, 8)
    for out in (found, first):
        pair = out["pooled_output"], full["pooled_output"]
        np.testing.assert_allclose(*pair, rtol=0, atol=2e-6)


def test_given_positions_are_taken():
    encoder = small()
    positions = np.arange(7)[::-1] * np.ones((3, 1), "int32")
    plain = encoder(TEXTS | {"position_ids": positions})["pooled_output"]
    found = encoded(encoder, SHARED | {"position_ids": positions}, first_only=True)
    np.testing.assert_allclose(found["pooled_output"], plain, rtol=0, atol=2e-6)


def test_gradients_are_the_same():
    encoder = small(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    real = tf.cast(REAL, "float32")[:, :, None]

    def measure(run):
        weights = [w.value for w in encoder.trainable_variables]
        with tf.GradientTape() as tape:
            out = run()
            loss = tf.reduce_sum(real * out["sequence_output"] ** 3)
            loss += tf.reduce_sum(out["pooled_output"])
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    one = measure(lambda: encoded(encoder, SHARED, training=True))
    other = measure(lambda: encoder(TEXTS, training=True))
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-5)


def test_other_inputs_are_refused():
    mask = {"attention_mask": np.ones((2, 1, 8, 8), bool)}
    with pytest.raises(ValueError, match="attention_mask"):
        encoded(small(), SHARED | mask)
    del (given := dict(SHARED))["padding_mask"]
    with pytest.raises(ValueError, match="padding_mask"):
        encoded(small(), given)


def features_of(lengths):
    """Features of one token each, which names the feature, but for the first, 0."""
    rows = [
        ([0] + [n + 1] * (length - 1), [0] * length) for n, length in enumerate(lengths)
    ]
    classes = np.arange(len(rows), dtype="int32")
    return joined(rows, 0, targets=ClassTargets(classes))


@pytest.mark.parametrize("count", [1, 5, 32, 33, 100])
@pytest.mark.parametrize("size", [1, 4, 32])
def test_every_batch_holds_its_texts_whole(count, size):
    rng = np.random.default_rng(count)
    lengths = rng.integers(1, 30, count)
    features = features_of(lengths)
    shared = SharedRows(features, size)
    size = min(size, count)
    assert shared.batch_size == size
    longest = lengths.max()
    assert longest <= shared.length < longest + 8
    for seed in range(5):
        plan = shared.plan((seed,))
        assert len(plan) == shared.steps == -(-count // size)
        assert {len(chosen) for chosen in plan} == {size}
        seen = np.bincount(np.concatenate(plan), minlength=count)
        assert seen.min() >= 1
        assert seen.max() <= 2
        for chosen in plan:
            inputs, targets = shared.batch(chosen)
            assert targets.tolist() == chosen.tolist()
            places = inputs["shared_rows"]
            assert places.shape == (shared.rows, shared.length)
            used = places[places >= 0]
            text, token = np.nonzero(inputs["padding_mask"])
            assert sorted(used) == (text * shared.length + token).tolist()
            assert inputs["padding_mask"].sum(1).tolist() == lengths[chosen].tolist()
            for n in range(size):  # in one row, without gaps
                row, place = np.nonzero(places // shared.length == n)
                assert len(set(row)) == 1
                assert place.tolist() == list(range(place[0], place[-1] + 1))
                assert np.diff(places[row, place]).tolist() == [1] * (len(place) - 1)
            flat = inputs["token_ids"].reshape(-1)[used]
            assert set(flat) <= {0, *(chosen + 1)}
            found = tf.nest.map_structure(lambda x: x.shape, (inputs, targets))
            wanted = tf.nest.map_structure(lambda x: tuple(x.shape), shared.signature)
            assert found == wanted
    assert 0 < shared.fill <= 1


def test_batches_are_drawn_at_random_and_rows_are_full():
    rng = np.random.default_rng(0)
    features = features_of(rng.integers(5, 60, 3200))
    shared = SharedRows(features, 32)
    assert shared.fill > 0.9
    one, again, other = (np.array(shared.plan((seed,))) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).mean() > 0.9
    # One text of every 32nd part of all lengths in each batch.
    ranks = np.argsort(np.argsort(features.lengths, kind="stable"))
    spread = np.abs(ranks[one] // 100 - np.arange(32))
    assert spread.mean() < 0.5


def test_the_longest_come_first_into_rows():
    assert first_fit(np.array([3, 5, 2, 8, 3]), 8).tolist() == [13, 8, 19, 0, 16]
    with pytest.raises(ConfigError, match="found none"):
        SharedRows(joined([], 0), 4)


def _classification():
    texts = "猫去了哪里", "狗", "天气很好，我们去看", "鱼在水里", "书"
    rows = [TextRow(n, text, None, str(n % 2)) for n, text in enumerate(texts)]
    return TASKS["chnsenticorp"], rows, choosing


KINDS = {
    "classification": (*_classification(), {}),
    "regression": (TASKS["stsb"], numbered(), choosing, {}),
    "choice": (TASKS["c3"], questions(), choosing, {}),
    "blanks": (TASKS["chid"], blanks(), choosing, {}),
    "tags": (news.TASK, news.ROWS, news, {}),
    "crf": (news.TASK, news.ROWS, news, {"decoder": "crf"}),
    "pointer": (news.TASK, news.ROWS, news, {"decoder": "global_pointer"}),
    "subjects": (relations.TASK, relations.ROWS, relations, {"max_length": 40}),
    "gplinker": (
        relations.TASK,
        relations.ROWS,
        relations,
        {"max_length": 40, "decoder": "gplinker"},
    ),
    "mean": (TASKS["lcqmc_retrieval"], pairs(), choosing, {"pooling": "mean"}),
    "both": (
        TASKS["lcqmc_retrieval"],
        pairs(),
        choosing,
        {"pooling": "first_last_mean"},
    ),
}


def tools_of(module):
    if module is news:
        return news.tokenizer(), news.encoder()
    make = getattr(module, "encoder", None) or module.small_encoder
    return module.TOKENIZER, make()


@pytest.mark.parametrize("name", KINDS)
def test_losses_are_the_same(name):
    task, rows, module, choices = KINDS[name]
    tokenizer, encoder = tools_of(module)
    settings = task.settings(head_dropout=0.0, batch_size=4, packing=True, **choices)
    rows = task.engine.training_rows(rows)
    features = task.features(rows, tokenizer, settings)
    model = task.model(encoder, settings=settings)
    shared = SharedRows(features, 4)
    for chosen in shared.plan((0,)):
        losses, weights = [], model.trainable_variables
        for source in (shared, features):
            inputs, targets = source.batch(chosen, np.random.default_rng(1))
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                loss = model.compute_loss(inputs, targets, outputs)
            found = tape.gradient(loss, [w.value for w in weights])
            losses.append((loss, *map(tf.convert_to_tensor, filter(_there, found))))
        for one, other in zip(*losses, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def _there(x):
    return x is not None


@pytest.mark.parametrize("name", ["classification", "choice", "crf", "gplinker"])
def test_one_graph_learns_all_batches(name):
    task, rows, module, choices = KINDS[name]
    tokenizer, encoder = tools_of(module)
    fixed = name != "gplinker"
    settings = task.settings(
        batch_size=4, epochs=12, packing=True, jit=fixed, **choices
    )
    features = task.features(task.engine.training_rows(rows), tokenizer, settings)
    optimizer = keras.optimizers.Adam(1e-3)
    model = task.model(encoder, settings=settings, optimizer=optimizer)
    assert model.jit_compile == fixed
    calls, call = [], model.call
    model.call = lambda *args, **kwargs: calls.append(1) or call(*args, **kwargs)
    data = training_batches(features, settings, 0, 0)
    steps = SharedRows(features, 4).steps
    given = {"epochs": 12, "steps_per_epoch": steps, "verbose": 0, "shuffle": False}
    history = model.fit(data, **given).history["loss"]
    assert history[-1] < 0.9 * history[0]
    assert steps > 1
    # Keras calls a model once more to build it.
    assert len(calls) <= (2 if fixed else 4)


def test_a_training_goes_on_where_it_stopped():
    task, rows, _, _ = KINDS["classification"]
    settings = task.settings(batch_size=2, epochs=3, packing=True)
    features = task.features(rows, choosing.TOKENIZER, settings)
    whole = [x for x, _ in training_batches(features, settings, 0, 0)]
    rest = [x for x, _ in training_batches(features, settings, 1, 2)]
    assert len(whole) == 9
    for one, other in zip(whole[5:], rest, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize(
    "changes",
    [{}, {"precision": "float16", "accumulation": 2, "ema": 0.5, "epochs": 8}],
    ids=str,
)
def test_fine_tuning_in_shared_rows(changes, place, tmp_path):
    done = train(place, tmp_path / "out", packing=True, jit=True, **changes)
    assert done.scores["dev"]["accuracy"] > 0.9
    with pytest.raises(ConfigError, match="other settings"):
        train(place, tmp_path / "out", packing=False)


def test_datasets_in_shared_rows(place):
    task, tokenizer = TASKS["chnsenticorp"], choosing.TOKENIZER
    given = {"batch_size": 16, "max_length": 20, "packing": True}
    data = task.dataset(place / "data", "train", tokenizer, **given)
    shapes = {
        tuple(x.shape) for x, _ in itertools.islice(data, 9) for x in [x["shared_rows"]]
    }
    assert len(shapes) == 1
    with pytest.raises(ConfigError, match="shuffled"):
        task.dataset(place / "data", "dev", tokenizer, **given)
    packed = dataclasses.replace(task, recipe={"packing": True, "jit": True})
    for split, wanted in (("train", True), ("dev", False)):
        batch, _ = next(iter(packed.dataset(place / "data", split, tokenizer)))
        assert ("shared_rows" in batch) == wanted


def test_what_does_not_go_with_packing_is_refused(place, tmp_path):
    with pytest.raises(ConfigError, match="jit needs packing"):
        news.settings(jit=True)
    task, rows, _, _ = KINDS["pointer"]
    settings = news.settings(packing=True, decoder="global_pointer")
    features = task.features(rows, news.tokenizer(), settings)
    assert not compiles(settings, features)
    settings = news.settings(packing=True, jit=True, decoder="global_pointer")
    with pytest.raises(ConfigError, match="number of this decoder's targets"):
        compiles(settings, features)
    span, writing = TASKS["cmrc2018"], TASKS["csl_title"]
    for other in (span, writing):
        with pytest.raises(ConfigError, match=f"kind '{other.kind}'"):
            other.settings(packing=True)
    settings = dataclasses.replace(span.settings(), packing=True)
    with pytest.raises(ConfigError, match="kind 'span'"):
        span.model(choosing.encoder(), settings=settings)
    task = TASKS["chnsenticorp"]
    settings = task.settings(packing=True)
    prepared = prepare(place / "model", task, place / "data", settings)
    with pytest.raises(ConfigError, match="not for distillation"):
        train_prepared(prepared, tmp_path / "out", teach=prediction(None, None))
    job = {"teacher": "t", "output": "o", "student": "s", "task": task, "data": "d"}
    for changes in (
        {"changes": {"packing": True}},
        {"stage_changes": {"prediction": {"packing": True}}},
    ):
        with pytest.raises(ConfigError, match="not for distillation"):
            DistillationJob(**job, **changes)
    stages = {"stages": ("teacher", "intermediate", "prediction")}
    DistillationJob(**job, **stages, stage_changes={"teacher": {"packing": True}})


def test_runs_of_older_versions_go_on(place, tmp_path):
    settings = TASKS["chnsenticorp"].settings()
    facts = [
        prepare(place / "model", "chnsenticorp", place / "data", one).facts["settings"]
        for one in (settings, dataclasses.replace(settings, packing=True))
    ]
    assert not {"packing", "jit"} & facts[0].keys()
    assert facts[1] == facts[0] | {"packing": True}


class _Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 8:
            raise KeyboardInterrupt


def test_a_stopped_run_ends_with_the_same_weights(place, tmp_path):
    whole = train(place, tmp_path / "whole", packing=True, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(place, tmp_path / "parts", [_Stop()], packing=True, epochs=2)
    done = train(place, tmp_path / "parts", packing=True, epochs=2)
    for one, other in zip(whole.model.weights, done.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", ["fgm", "pgd", "gradient_penalty", "rdrop", None])
def test_methods_do_the_same_in_shared_rows(method):
    # Wide enough for the kernels of fixed shapes.
    task, _, _, _ = KINDS["classification"]
    rows = [
        TextRow(n, "春夏秋冬东南西北猫狗鸟鱼"[n % 5 :] * 3, None, str(n % 2))
        for n in range(16)
    ]
    found = []
    for packing in (False, True):
        settings = task.settings(
            batch_size=16, packing=packing, method=method, head_dropout=0.0, epochs=1
        )
        features = task.features(rows, choosing.TOKENIZER, settings)
        encoder = choosing.encoder(hidden_size=128, intermediate_size=512)
        optimizer = keras.optimizers.SGD(0.1)
        model = task.model(encoder, settings=settings, optimizer=optimizer)
        data = training_batches(features, settings, 0, 0)
        logs = model.fit(data, steps_per_epoch=1, verbose=0, shuffle=False).history
        found.append((logs["loss"], *model.get_weights()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
