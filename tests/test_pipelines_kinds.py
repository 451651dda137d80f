"""Entities, answers, choices, relations and numbers of raw text.

The weights are random: what is found means nothing, but its places have to be right.
"""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.task_models import MODELS
from tests.asking import ODD, encoder, texts, tokenizer

TYPES = ["name", "place"]


def ask(task, kind, *labels, **options):
    model = MODELS[kind](encoder(), *labels)
    return plm.pipeline(task, model, tokenizer(), batch_size=4, **options)


def plain(value):
    assert json.loads(json.dumps(value, ensure_ascii=False)) == value
    return value


@pytest.mark.parametrize("max_length", [24, 9])
def test_entities_lie_in_the_text(max_length):
    options = {"stride": 3} if max_length == 9 else {}
    find = ask("ner", "tagging", TYPES, max_length=max_length, **options)
    items = texts(80)
    answers = plain(find(items))
    count = 0
    for text, answer in zip(items, answers, strict=True):
        assert list(answer) == ["entities"]
        for one in answer["entities"]:
            assert text[one["start"] : one["end"]] == one["text"] != ""
            assert one["type"] in TYPES
            assert 0 <= one["score"] <= 1
        count += len(answer["entities"])
    assert count > 10
    assert answers[0] == {"entities": []}
    for _ in range(3):
        find(items[:5])
        find("很好")
    assert find.traces == 1


def test_answers_lie_in_the_passage():
    find = ask(
        "question-answering", "span", max_length=16, stride=4, max_query_length=4
    )
    passages = [*texts(40, longest=60), *ODD]
    items = [("很好", passage) for passage in passages]
    answers = plain(find(items))
    for passage, answer in zip(passages, answers, strict=True):
        assert passage[answer["start"] : answer["end"]] == answer["text"]
        assert list(answer)[:4] == ["text", "start", "end", "score"]
        assert 0 <= answer["score"] <= 1
    assert sum(answer["text"] != "" for answer in answers) > 20
    assert answers[0]["text"] == ""  # an empty passage
    assert find({"question": "很好", "context": ""})["text"] == ""
    assert find(iter(items)).__next__() == answers[0]
    assert find.traces == 1
    with pytest.raises(
        DataError, match="expected a tuple or dict of question, context"
    ):
        find("很好")


def test_choices():
    choose = ask("multiple-choice", "choice")
    items = [("这店", "很", ["好", "慢", "不好"]), ("", "手机", ["好", "丑"])]
    for (_, _, choices), answer in zip(items, plain(choose(items)), strict=True):
        assert answer["answer"] == choices[answer["label"]]
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert int(np.argmax(answer["probabilities"])) == answer["label"]
    with pytest.raises(DataError, match="input 0: choices must be a list of texts"):
        choose(("这店", "很", "好"))


def test_relations_lie_in_the_text():
    thresholds = {"start_threshold": 0.01, "end_threshold": 0.01}
    find = ask("relation-extraction", "relation", TYPES, **thresholds)
    items = texts(20)
    answers = plain(find(items))
    for text, answer in zip(items, answers, strict=True):
        for one in answer["relations"]:
            for part in ("subject", "object"):
                start, end = one[f"{part}_span"]
                assert text[start:end] == one[part]
            assert one["predicate"] in TYPES
    assert sum(len(answer["relations"]) for answer in answers) > 5


def test_numbers():
    rate = ask("regression", "regression", ["value"])
    items = texts(12)
    found = plain(rate(items))
    for text, answer in zip(items, found, strict=True):
        wanted = np.asarray(rate.model(tokenizer()([text], max_length=24))).reshape(-1)
        assert answer == {"value": pytest.approx(float(wanted[0]), abs=1e-5)}
    with pytest.raises(ConfigError, match="found a Classifier, a model of kind 'regr"):
        ask("text-classification", "regression", ["value"])


@pytest.mark.parametrize("pooling", ["pooled", "mean"])
def test_a_model_for_embeddings_gives_its_own_vectors(pooling):
    model = MODELS["embedding"](encoder(), pooling=pooling)
    compare = plm.pipeline("similarity", model, tokenizer())
    one, two = (np.asarray(model(tokenizer()([t])))[0] for t in ("这店很好", "手机"))
    assert compare("这店很好", "手机")["score"] == pytest.approx(one @ two, abs=1e-5)
    with pytest.raises(ConfigError, match="pools its vectors as it was trained"):
        plm.pipeline("similarity", model, tokenizer(), pooling="cls")
