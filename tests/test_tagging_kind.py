"""Named entities as a kind: windows, merging, files; with models that know all."""

import json

import numpy as np
import pytest

import kerasplm as plm
from benchmarks.entity_offsets import decoded, perfect
from kerasplm import finetuning
from kerasplm.errors import ConfigError
from kerasplm.task_models.tagging import DECODERS, POINTERS
from kerasplm.tasks.entity_predictions import EntityPrediction, FoundEntity
from kerasplm.tasks.entity_tokens import CUT
from kerasplm.tasks.rows import Entity, EntityRow
from tests import news
from tests.news import ROWS, TASK, VOCAB

ALL = pytest.mark.parametrize("decoder", DECODERS)


def long_row(rng, length=200, most=6):
    """A text of many entities, the longest of `most` characters."""
    text = "".join(rng.choice(news.CHARACTERS, length))
    entities, at = [], int(rng.integers(0, 4))
    while at + most <= length:
        end = at + int(rng.integers(1, most + 1))
        entities.append(Entity(at, end, TASK.labels[rng.integers(2)]))
        at = end + int(rng.integers(0, 6))
    return EntityRow(7, text, tuple(entities))


@ALL
@pytest.mark.parametrize("stride", [4, 7, 12])
def test_windows_give_what_one_window_gives(decoder, stride):
    rng = np.random.default_rng(stride)
    rows = [long_row(rng), EntityRow(8, "", ()), long_row(rng, 21), ROWS[0]]
    wide = news.settings(decoder=decoder, max_length=400)
    cut = news.settings(decoder=decoder, max_length=20, stride=stride)
    expected = [row.entities for row in rows]
    for settings in (wide, cut):
        found = decoded(TASK, rows, news.tokenizer(), settings)
        assert [p.entities for p in found] == expected
    features = TASK.features(rows, news.tokenizer(), cut)
    assert len(features) > len(rows)
    assert features.lengths.max() == 20
    # Without answers the features are the same.
    bare = [EntityRow(row.id, row.text) for row in rows]
    other = TASK.features(bare, news.tokenizer(), cut)
    assert other.targets is None
    np.testing.assert_array_equal(other.token_ids, features.token_ids)


def test_an_entity_that_no_window_holds_is_counted(caplog):
    row = EntityRow(0, "北" * 40, (Entity(2, 30, "place"), Entity(33, 34, "person")))
    settings = news.settings(max_length=20, stride=9)
    with caplog.at_level("INFO", "kerasplm"):
        features = TASK.features([row], news.tokenizer(), settings)
    assert caplog.messages == [f"news: 1 of 2 entities {CUT}"]
    # It is in no target, not even with a part.
    used = set(features.targets.tags.tolist())
    assert used == {0, 1}
    (found,) = decoded(TASK, [row], news.tokenizer(), settings)
    assert found.entities == (Entity(33, 34, "person"),)


def test_stride_zero_truncates():
    settings = news.settings(max_length=6, stride=0)
    features = TASK.features(ROWS, news.tokenizer(), settings)
    assert len(features) == len(ROWS)
    (found,) = decoded(TASK, ROWS[:1], news.tokenizer(), settings)
    assert found.entities == ROWS[0].entities[:1]


@ALL
def test_pieces_widen_in_training_and_come_back_whole(decoder):
    vocab = [*VOCAB[:5], "star", "##craft", "##2", *"我玩"]
    tokenizer = plm.PythonTokenizer(vocab)
    row = EntityRow(0, "我玩StarCraft2", (Entity(2, 8, "place"),))  # "StarCr"
    exact, pieces = (
        decoded(
            TASK, [row], tokenizer, news.settings(decoder=decoder, characters=value)
        )
        for value in (True, False)
    )
    assert exact[0].entities == row.entities
    assert pieces[0].entities == (Entity(2, 11, "place"),)


def test_overlapping_windows_agree_on_one_tag():
    settings = news.settings(max_length=12, stride=5)
    row = EntityRow(0, "北" * 20)
    features = TASK.features([row], news.tokenizer(), settings)
    likely, other = FoundEntity(6, 8, "place", 0.9), FoundEntity(7, 9, "person", 0.6)
    found = [[likely], [other], []]
    assert len(features) == 3
    engine = TASK.engine
    (merged,) = engine.predictions(TASK, [row], features, found, settings)
    # The first has more context in the first window, the second in the second one.
    assert merged.found == (likely,)
    pointer = news.settings(max_length=12, stride=5, decoder="global_pointer")
    (merged,) = engine.predictions(TASK, [row], features, found, pointer)
    assert merged.found == (likely, other)


def test_constraints_forbid_broken_tags():
    row = EntityRow(0, "北京西站", ())
    logits = np.zeros((1, 6, 5), "float32")
    # Without constraints: I-place, I-place, B-person, I-place.
    for at, tag, value in ((1, 4, 3), (2, 4, 5), (3, 1, 4), (4, 4, 2)):
        logits[0, at, tag] = value
    logits[0, [0, 5], 4] = 9.0  # [CLS] and [SEP] are O whatever the model says
    answers = {}
    for constrained in (True, False):
        settings = news.settings(constrained=constrained)
        features = TASK.features([row], news.tokenizer(), settings)
        (found,) = TASK.engine.found(
            TASK, features, np.array([0]), {"logits": logits}, settings
        )
        answers[constrained] = [(e.start, e.end, e.type) for e in found]
        tags = np.exp(logits[0, 1:3]) / np.exp(logits[0, 1:3]).sum(-1, keepdims=True)
    assert answers[False] == [(0, 2, "place"), (2, 3, "person"), (3, 4, "place")]
    assert answers[True] == [(0, 2, "place"), (2, 3, "person")]
    assert 0 < tags[:, 4].prod() < 1


def test_scores_are_probabilities_of_the_tags():
    settings = news.settings(constrained=False)
    row = EntityRow(0, "北京", ())
    features = TASK.features([row], news.tokenizer(), settings)
    logits = np.random.default_rng(0).normal(size=(1, 4, 5)).astype("float32")
    logits[0, 1, 3] = logits[0, 2, 4] = 4.0  # B-place, I-place
    (found,) = TASK.engine.found(
        TASK, features, np.array([0]), {"logits": logits}, settings
    )
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
    assert [(e.start, e.end, e.type) for e in found] == [(0, 2, "place")]
    assert found[0].score == pytest.approx(shares[1, 3] * shares[2, 4], rel=1e-5)


def test_threshold_of_a_pointer():
    row = EntityRow(0, "北京", (Entity(0, 1, "place"),))
    scores = np.full((1, 2, 4, 4), -3.0, "float32")
    scores[0, 1, 1, 2], scores[0, 0, 2, 2], scores[0, 0, 0, 1] = 2.0, 0.5, 9.0
    for threshold, count in ((0.0, 2), (1.0, 1), (-5.0, 15)):
        settings = news.settings(decoder="global_pointer", threshold=threshold)
        features = TASK.features([row], news.tokenizer(), settings)
        found = TASK.engine.found(
            TASK, features, np.array([0]), {"scores": scores}, settings
        )[0]
        inner = [e for e in found if e.end > e.start]
        assert len(found) == len(inner) or threshold < 0
        if threshold >= 0:
            assert len(found) == count
            best = max(found, key=lambda e: e.score)
            assert best.score == pytest.approx(1 / (1 + np.exp(-2.0)))


@ALL
def test_a_model_that_does_not_fit_the_options(decoder):
    settings = news.settings(decoder=decoder)
    features = TASK.features(ROWS, news.tokenizer(), settings)
    chosen = np.arange(2)
    outputs = perfect(TASK, features, chosen, settings)
    other = "crf" if decoder in POINTERS else "global_pointer"
    with pytest.raises(ConfigError, match=f"decoder='{other}': expected a model"):
        TASK.engine.found(TASK, features, chosen, outputs, news.settings(decoder=other))
    fewer = {
        name: x[..., :2] if x.ndim < 4 else x[:, :1] for name, x in outputs.items()
    }
    with pytest.raises(ConfigError, match="expected a model with"):
        TASK.engine.found(TASK, features, chosen, fewer, settings)


def test_scores_and_files(tmp_path):
    rows = [ROWS[0], ROWS[3]]
    wrong = FoundEntity(0, 1, "person", 0.5)
    predictions = [
        EntityPrediction(tuple(FoundEntity(e.start, e.end, e.type, 0.75) for e in one))
        for one in (rows[0].entities[:2], ())
    ]
    predictions[1] = EntityPrediction((wrong,))
    engine = TASK.engine
    scores = engine.score(TASK, rows, predictions)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1_person"] == pytest.approx(2 / 3)
    assert engine.wrong(TASK, rows, predictions).tolist() == [1, 1]
    shown = engine.show(TASK, rows[0], predictions[0])
    assert shown["entities"][0] == {
        **{"start": 0, "end": 3, "type": "person", "score": 0.75, "text": "王小明"}
    }
    file = tmp_path / "cluener_predict.json"
    TASK.submission(file, rows, predictions)
    first, second = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert first == {
        "id": 0,
        "label": {"person": {"王小明": [[0, 2]]}, "place": {"北京": [[6, 7]]}},
    }
    assert second == {"id": 3, "label": {"person": {"今": [[0, 0]]}}}


def test_from_files_to_a_submission(tmp_path):
    data, model = tmp_path / "data", tmp_path / "model"
    data.mkdir()
    for split in ("train", "dev", "test"):
        predictions = [
            EntityPrediction(
                tuple(FoundEntity(e.start, e.end, e.type, 1.0) for e in row.entities)
            )
            for row in ROWS
        ]
        TASK.submission(data / f"{split}.json", ROWS, predictions)
        lines = map(json.loads, (data / f"{split}.json").read_text().splitlines())
        texts = [
            {"text": row.text} | (line if split != "test" else {"id": line["id"]})
            for row, line in zip(ROWS, lines, strict=True)
        ]
        content = "".join(json.dumps(line) + "\n" for line in texts)
        (data / f"{split}.json").write_text(content, encoding="utf-8")
    plm.save_checkpoint(news.encoder(), model / "bert_model.ckpt", family="bert")
    (model / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    settings = news.settings(decoder="crf", epochs=40, crf_multiplier=10.0)
    done = finetuning.finetune(
        model, TASK, data, tmp_path / "out", settings=settings, verbose=0
    )
    assert done.scores["dev"]["cluener_f1"] == 1.0
    lines = (tmp_path / "out" / "news_predict.json").read_text().splitlines()
    places = list(json.loads(lines[0])["label"]["place"].values())
    assert places == [[[6, 7]], [[10, 11]]]
    again = plm.load(tmp_path / "out" / "model", heads="task")
    tokens = news.tokenizer()([row.text for row in ROWS])
    for name, value in again(tokens).items():
        np.testing.assert_array_equal(value, done.model(tokens)[name])


def test_transitions_move_as_fast_as_published():
    """CLUE's script has their rate, bert4keras' how many times that of the rest."""
    assert plm.TASKS["cluener"].settings().options.crf_multiplier == pytest.approx(
        100 / 3
    )
    assert plm.TASKS["peoples_daily"].settings().options.crf_multiplier == 1000
    assert plm.TASKS["msra_ner"].settings().options.crf_multiplier == 1
