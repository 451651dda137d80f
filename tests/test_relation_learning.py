"""Relations are learnt, found, shown and written."""

import dataclasses
import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.optimization import AdamW
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.features import dataset_of
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.kinds.relation import FoundRelation, Relation, RelationPrediction
from kerasplm.tasks.rows import Triple
from tests.relations import ROWS, TASK, TOKENIZER, VOCAB, row, small_encoder


def learn(decoder, epochs, rows=ROWS, **changes):
    """Train on all rows; return the judge and the features."""
    settings = TASK.settings(
        decoder=decoder, batch_size=len(rows), head_dropout=0.0, **changes
    )
    features = TASK.features(rows, TOKENIZER, settings)
    model = TASK.model(small_encoder(), settings=settings, optimizer=AdamW(3e-3))
    plans = (
        (batches_of(features.lengths, len(features), "shuffled", (0, n)), (0, n))
        for n in range(epochs)
    )
    data = dataset_of(features, plans, in_one_pass=True)
    model.fit(data, steps_per_epoch=epochs, verbose=0, shuffle=False)
    return Judge(TASK, model, settings), features


@pytest.fixture(scope="module", params=["subject_object", "gplinker"])
def learnt(request):
    return learn(request.param, {"subject_object": 250, "gplinker": 80}[request.param])


def test_it_learns_a_dozen_sentences(learnt):
    judge, features = learnt
    scores = judge.score(ROWS, features)
    assert scores["f1"] == scores["precision"] == scores["recall"] == 1.0
    assert scores["examples"] == len(ROWS)


def test_predictions_are_parts_of_the_text(learnt):
    judge, features = learnt
    predictions, loss = judge.predict(ROWS, dataclasses.replace(features, targets=None))
    assert loss is None
    for one, prediction in zip(ROWS, predictions, strict=True):
        for found in prediction.relations:
            assert one.text[slice(*found.subject)] == found.triple.subject
            assert one.text[slice(*found.object)] == found.triple.object
            assert 0.5 < found.score <= 1
    assert predictions[8].triples == (Triple("Big Sky", "作者", "王森"),)
    assert TASK.engine.wrong(TASK, ROWS, predictions).tolist() == [0] * len(ROWS)


def test_windows_are_put_together(learnt):
    judge, _ = learnt
    text = ROWS[4].text + ROWS[2].text + ROWS[4].text  # nine tokens each
    rows = [row(0, text), row(1, ROWS[5].text)]
    settings = TASK.settings(max_length=11, stride=9, decoder=judge.model.decoder)
    features = TASK.features(rows, TOKENIZER, settings)
    assert features.owner.tolist() == [0, 0, 0, 1]
    first, second = Judge(TASK, judge.model, settings).predict(rows, features)[0]
    assert [(one.triple, one.subject, one.object) for one in first.relations] == [
        (Triple("东国", "首都", "白城"), (0, 2), (6, 8)),
        (Triple("赵立", "父亲", "赵大山"), (9, 11), (15, 18)),
    ]
    assert second.triples == (Triple("西国", "首都", "河口"),)


def test_of_equal_triples_the_surest_counts():
    rows = [row(0, "甲乙甲乙"), row(1, "丙")]
    features = TASK.features(rows, TOKENIZER, TASK.settings(max_length=4, stride=2))
    windows = [
        [((0, 1), 0, (1, 2), 0.6)],
        [((2, 3), 0, (3, 4), 0.9), ((0, 1), 2, (3, 4), 0.7)],
        [],
    ]
    found = TASK.engine.predictions(TASK, rows, features, windows, TASK.settings())
    assert found == [
        RelationPrediction(
            (
                FoundRelation(Triple("甲", "作者", "乙"), (2, 3), (3, 4), 0.9),
                FoundRelation(Triple("甲", "首都", "乙"), (0, 1), (3, 4), 0.7),
            )
        ),
        RelationPrediction(()),
    ]


def prediction(*triples):
    return RelationPrediction(
        tuple(FoundRelation(Triple(*one), (0, 1), (1, 2), 0.75) for one in triples)
    )


def test_scores_ignore_case_and_spaces_only():
    rows = [
        row(0, "", ("big  sky", "作者", "王森"), ("é", "父亲", "乙")),
        row(1, "", ("甲", "首都", "乙")),
    ]
    found = [
        prediction(("Big Sky", "作者", "王 森"), ("bigsky", "作者", "王森")),
        prediction(("甲", "首都", "乙"), ("E", "父亲", "乙")),
    ]
    scores = Relation().score(TASK, rows, found)
    assert scores == {
        "f1": pytest.approx(4 / 7),
        "precision": 0.5,
        "recall": pytest.approx(2 / 3),
        "examples": 2,
    }
    assert Relation().wrong(TASK, rows, found).tolist() == [2, 1]
    shown = Relation().show(TASK, rows[0], found[0])
    assert shown["new"] == [
        {"subject": "bigsky", "predicate": "作者", "object": "王森"}
    ]
    assert shown["lack"] == [{"subject": "é", "predicate": "父亲", "object": "乙"}]
    assert shown["spo_list_pred"][0] == {
        "subject": "Big Sky",
        "predicate": "作者",
        "object": "王 森",
        "subject_span": [0, 1],
        "object_span": [1, 2],
        "score": 0.75,
    }
    assert len(shown["spo_list"]) == 2
    json.dumps(shown)


@pytest.mark.parametrize("decoder", ["subject_object", "gplinker"])
def test_finetune_writes_a_model_and_a_submission(decoder, tmp_path):
    model, data = tmp_path / "model", tmp_path / "data"
    data.mkdir()
    plm.save_checkpoint(small_encoder(), model / "bert_model.ckpt", family="bert")
    (model / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    schemas = [{"predicate": p} for p in ("作者", "父亲", "作者", "首都")]
    lines = [
        {
            "text": r.text,
            "spo_list": [
                {"subject": t.subject, "predicate": t.predicate, "object": t.object}
                for t in r.triples
            ],
        }
        for r in ROWS
    ]
    for name, content in (
        ("all_50_schemas", schemas),
        ("train_data.json", lines),
        ("dev_data.json", lines[:4]),
        ("test_data.json", [{"text": line["text"]} for line in lines]),
    ):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in content)
        (data / name).write_text(text, encoding="utf-8")
    task = plm.TASKS["lic2019"]
    settings = task.settings(
        epochs=2, batch_size=4, decoder=decoder, max_length=40, learning_rate=1e-3
    )
    result = plm.finetune(
        model, "lic2019", data, tmp_path / "out", settings=settings, verbose=0
    )
    assert set(result.scores["dev"]) == {
        "f1",
        "precision",
        "recall",
        "examples",
        "loss",
    }
    again = plm.load(tmp_path / "out" / "model", heads="task")
    assert again.labels == ("作者", "父亲", "首都")
    assert again.decoder == decoder
    batch = TOKENIZER([r.text for r in ROWS])
    for name, values in again(batch).items():
        np.testing.assert_array_equal(values, result.model(batch)[name])
    written = (
        (tmp_path / "out" / "lic2019_predict.json").read_text("utf-8").splitlines()
    )
    assert [json.loads(line)["text"] for line in written] == [r.text for r in ROWS]
