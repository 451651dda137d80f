"""Named entities: the model with its four decoders, from features to answers."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.task_heads import CRF, MEMM
from kerasplm.task_models import EntityTagger
from kerasplm.task_models.tagging import DECODERS, POINTERS, tags_of_types
from kerasplm.tasks import TASKS
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.rows import Entity, EntityRow
from tests import news
from tests.news import NESTED, ROWS, TASK, VOCAB

ALL = pytest.mark.parametrize("decoder", DECODERS)


def outputs_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def batch(lengths=(9, 5)):
    rng = np.random.default_rng(0)
    mask = np.arange(max(lengths))[None] < np.array(lengths)[:, None]
    ids = np.where(mask, rng.integers(4, len(VOCAB), mask.shape), 0)
    return {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": mask}


# -- learning ------------------------------------------------------------------------


@ALL
def test_it_learns_a_dozen_sentences(decoder):
    rows = [*ROWS, NESTED] if decoder in POINTERS else ROWS
    settings = news.settings(decoder=decoder, crf_multiplier=10.0)
    model = TASK.model(news.encoder(), settings=settings)
    features = TASK.features(rows, news.tokenizer(), settings)
    inputs, targets = features.batch(np.arange(len(rows)))
    model.fit(inputs, targets, batch_size=4, epochs=40, verbose=0)
    judge = Judge(TASK, model, settings)
    scores = judge.score(rows, features)
    assert (scores["f1"], scores["precision"], scores["recall"]) == (1, 1, 1)
    assert (scores["cluener_f1"], scores["macro_f1"], scores["f1_place"]) == (1, 1, 1)
    assert scores["examples"] == len(rows)
    predictions, _ = judge.predict(rows, dataclasses.replace(features, targets=None))
    assert [p.entities for p in predictions] == [row.entities for row in rows]
    assert all(0.5 < e.score <= 1 for p in predictions for e in p.found)
    assert not TASK.engine.wrong(TASK, rows, predictions).any()


@ALL
def test_lengths_and_targets_do_not_trace_again(decoder):
    settings = news.settings(decoder=decoder, batch_size=3)
    model = TASK.model(news.encoder(), settings=settings)
    rows = [*ROWS, EntityRow(50, "北" * 30, (Entity(3, 9, "place"),))]
    features = TASK.features(rows, news.tokenizer(), settings)
    judge = Judge(TASK, model, settings)
    judge.score(rows, features)
    judge.predict(rows, dataclasses.replace(features, targets=None))
    shapes = {features.inputs(np.array([n]))["token_ids"].shape for n in range(13)}
    assert len(shapes) > 5
    assert judge.traces == 2  # with targets and without; never one per length
    calls = []
    objective = model.objective
    model.objective = lambda *args: calls.append(1) or objective(*args)
    chosen = np.random.default_rng(0).permutation(len(rows))
    signature = features.signature
    data = tf.data.Dataset.from_generator(
        lambda: (features.batch(chosen[n : n + 3]) for n in range(0, len(rows), 3)),
        output_signature=signature,
    )
    data = data.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // 3)))
    history = model.fit(data, epochs=2, verbose=0, shuffle=False).history["loss"]
    assert np.isfinite(history).all()
    # Keras traces a function once with its variables and once without.
    assert len(calls) <= 2


def test_the_pooler_is_not_trained():
    model = TASK.model(news.encoder(), settings=news.settings())
    names = [weight.path for weight in model.trainable_variables]
    assert not [name for name in names if "pooler" in name]
    assert len(model.weights) == len(names) + 2


# -- the model -----------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("form", ["tf1", "keras"])
def test_saved_and_loaded_bit_equal(decoder, form, tmp_path):
    model = EntityTagger(
        news.encoder(),
        ["person", "place", "x"],
        decoder=decoder,
        scheme="BIOES",
        head_size=6,
        crf_multiplier=100.0,
        dropout=0.3,
        task="news",
    )
    news.randomized(model)
    if form == "tf1":
        plm.save_checkpoint(model, tmp_path / "model.ckpt", family="bert")
        again = plm.load(tmp_path, heads="task")
        outputs_equal(plm.load(tmp_path, heads="tagging")(batch()), model(batch()))
        plm.load(tmp_path)  # the encoder alone
    else:
        model.save(tmp_path / "model.keras")
        again = plm.load(tmp_path / "model.keras", heads="task")
    outputs_equal(again(batch()), model(batch()))
    kept = (
        "labels",
        "tags",
        "decoder",
        "scheme",
        "head_size",
        "crf_multiplier",
        "task",
    )
    assert [getattr(again, k) for k in kept] == [getattr(model, k) for k in kept]
    assert again.get_config()["dropout"] == 0.3


def test_names_in_a_checkpoint(tmp_path):
    for decoder, names in (
        ("crf", ["kerasplm/crf/transitions", "output_bias", "output_weights"]),
        (
            "global_pointer",
            [f"kerasplm/pointer/projection/{name}" for name in ("bias", "kernel")],
        ),
    ):
        model = EntityTagger(news.encoder(), ["a"], decoder=decoder, head_size=4)
        plm.save_checkpoint(model, tmp_path / decoder / "m.ckpt", family="bert")
        reader = tf.train.load_checkpoint(str(tmp_path / decoder / "m.ckpt"))
        found = sorted(reader.get_variable_to_shape_map())
        assert [name for name in found if not name.startswith("bert/")] == names


def test_no_tagger_in_a_checkpoint(tmp_path):
    plm.save_checkpoint(news.encoder(), tmp_path / "m.ckpt", family="bert")
    with pytest.raises(CheckpointError, match="no head for tagging"):
        plm.load(tmp_path, heads="tagging")


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
def test_tags_of_another_code(decoder):
    tags = ["[PAD]", "B-x", "I-x", "O"]
    model = EntityTagger(news.encoder(), decoder=decoder, tags=tags)
    assert (model.labels, model.tags) == ((), tuple(tags))
    again = EntityTagger.from_config(model.get_config())
    assert again.tags == model.tags
    assert model(batch())["logits"].shape == (2, 9, 4)


@ALL
def test_padding_changes_nothing(decoder):
    model = EntityTagger(news.encoder(), ["a", "b"], decoder=decoder, dropout=0.0)
    news.randomized(model)
    short, long = batch((6, 4)), batch((6, 4))
    long = {name: np.pad(x, ((0, 0), (0, 5))) for name, x in long.items()}
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 5, (2, 6))
    more = np.pad(targets, ((0, 0), (0, 5)), constant_values=3)
    if decoder in POINTERS:
        targets = more = np.array([[[[1, 3], [0, 0]], [[2, 2], [4, 4]]]] * 2)
    losses = [
        float(model.objective(inputs, t, model(inputs)))
        for inputs, t in ((short, targets), (long, more))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_loss_is_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for decoder in DECODERS:
            model = EntityTagger(news.encoder(), ["a"], decoder=decoder)
            outputs = model(batch())
            assert {str(x.dtype) for x in outputs.values()} == {"<dtype: 'float32'>"}
            targets = np.zeros((2, 9) if decoder not in POINTERS else (2, 1, 1, 2), int)
            assert model.objective(batch(), targets, outputs).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_bad_arguments():
    encoder = news.encoder()
    with pytest.raises(ConfigError, match="decoder must be one of softmax, crf"):
        EntityTagger(encoder, ["a"], decoder="span")
    with pytest.raises(ConfigError, match="scheme must be one of BIO"):
        EntityTagger(encoder, ["a"], scheme="IO")
    with pytest.raises(ConfigError, match="labels must be at least one type"):
        EntityTagger(encoder)
    with pytest.raises(ConfigError, match="labels must be at least one type"):
        EntityTagger(encoder, tags=["O"], decoder="global_pointer")
    with pytest.raises(ConfigError, match="tags must be names, each once"):
        EntityTagger(encoder, tags=["O", "O"])
    for wrong in ({"stride": -1}, {"threshold": float("nan")}, {"decoder": "viterbi"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            news.settings(**wrong)


@pytest.mark.parametrize("head", [CRF, MEMM])
def test_chains_of_unknown_length(head):
    chain = head(4, lr_multiplier=10.0)
    chain.build()
    rng = np.random.default_rng(0)
    for weight in chain.weights:
        weight.assign(rng.normal(size=weight.shape))
    signature = [
        tf.TensorSpec([None, None, 4]),
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None, None], tf.bool),
    ]

    def judged(logits, labels, mask):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            if head is CRF:
                loss = -chain.log_likelihood(logits, labels, mask)
            else:
                loss = chain.loss(logits, labels, mask)
        weights = [weight.value for weight in chain.weights]
        return chain(logits, mask), loss, *tape.gradient(loss, [logits, *weights])

    traced = tf.function(judged, input_signature=signature)
    for lengths in ((7, 3), (4, 4, 1), (2,)):
        mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
        logits = rng.normal(size=(*mask.shape, 4)).astype("float32")
        labels = rng.integers(0, 4, mask.shape).astype("int32")
        given = [tf.constant(x) for x in (logits, labels, mask)]
        for one, other in zip(traced(*given), judged(*given), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert traced.experimental_get_tracing_count() == 1


# -- declared tasks ------------------------------------------------------------------


def test_declared_tasks(tmp_path):
    tasks = {name: task for name, task in TASKS.items() if task.kind == "tagging"}
    assert list(tasks) == [
        *("cluener", "msra_ner", "peoples_daily", "weibo_ner", "resume_ner")
    ]
    assert len(tags_of_types(tasks["cluener"].labels)) == 21
    assert tasks["cluener"].settings().options.characters
    line = {"text": "王小明去北京", "label": {"name": {"王小明": [[0, 2]]}}}
    file = tmp_path / "train.json"
    file.write_text(json.dumps(line, ensure_ascii=False), encoding="utf-8")
    (row,) = tasks["cluener"].rows(tmp_path, "train").rows
    assert row.entities == (Entity(0, 3, "name"),)
    for name, file, content, entity in (
        ("msra_ner", "train1.txt", "王小明/nr 去/o\n", Entity(0, 3, "PERSON")),
        ("peoples_daily", "example.train", "王 B-PER\n明 I-PER\n", Entity(0, 2, "PER")),
        (
            "weibo_ner",
            "weiboNER.conll.train",
            "她0\tB-PER.NOM\n",
            Entity(0, 1, "PER.NOM"),
        ),
        (
            "resume_ner",
            "train.char.bmes",
            "王 B-NAME\n明 E-NAME\n",
            Entity(0, 2, "NAME"),
        ),
    ):
        (tmp_path / file).write_text(content, encoding="utf-8")
        (row,) = tasks[name].rows(tmp_path / file, "train").rows
        assert row.entities == (entity,)
