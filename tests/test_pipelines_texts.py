"""Classes of raw text, and what all pipelines share: order, streams, threads."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, DataError
from kerasplm.files import write_json
from kerasplm.pipelines import task_for
from kerasplm.tasks import TASKS
from kerasplm.tasks.saved import save_task
from tests.asking import encoder, softmax, texts, tokenizer, write

LABELS = ["bad", "good"]


@pytest.fixture(scope="module")
def model():
    return plm.Classifier(encoder(), LABELS, task="mood")


@pytest.fixture(scope="module")
def classify(model):
    return plm.pipeline("text-classification", model, tokenizer(), batch_size=4)


def expected(model, text, pair=None):
    batch = tokenizer()([text], None if pair is None else [pair], max_length=24)
    return softmax(model(batch))[0]


def test_answers_are_those_of_the_model(model, classify):
    items = texts(150)
    answers = classify(items)
    assert json.loads(json.dumps(answers)) == answers
    for text, answer in zip(items, answers, strict=True):
        shares = expected(model, text)
        assert answer["label"] == LABELS[int(shares.argmax())]
        assert list(answer["probabilities"]) == LABELS
        np.testing.assert_allclose(
            list(answer["probabilities"].values()), shares, atol=2e-6
        )
        assert answer["score"] == max(answer["probabilities"].values())
    assert classify(items[3])["score"] == pytest.approx(answers[3]["score"], abs=2e-6)
    assert classify([]) == []
    assert classify({"sentence": "很好", "id": 3}) == classify("很好")


def test_an_iterable_is_read_a_little_ahead(classify):
    taken = itertools.count()
    stream = classify(text for text in itertools.cycle(texts(50)) if next(taken) >= 0)
    first = [next(stream) for _ in range(70)]
    assert next(taken) <= 130  # two times 16 batches of 4
    for one, other in zip(first, classify(list(texts(50))), strict=False):
        assert one["label"] == other["label"]
    assert list(classify(iter([]))) == []


def test_calls_of_all_sizes_share_one_graph(model):
    classify = plm.pipeline("text-classification", model, tokenizer(), batch_size=4)
    rng = np.random.default_rng(1)
    items = texts(60)
    classify("好")
    for _ in range(300):
        classify([items[n] for n in rng.integers(0, 60, rng.integers(1, 9))])
    assert classify.traces == 1


def test_threads_get_the_same_answers(model):
    classify = plm.pipeline("text-classification", model, tokenizer(), batch_size=4)
    calls = [texts(1 + n % 7, seed=n) for n in range(64)]
    with ThreadPoolExecutor(8) as pool:  # also the first call, which makes the graph
        found = list(pool.map(classify, calls))
    assert found == [classify(call) for call in calls]
    assert classify.traces == 1


def test_pairs(tmp_path):
    model = plm.Classifier(encoder(), LABELS, pair=True)
    folder = write(model, tmp_path)
    ask = plm.pipeline("text-classification", folder)
    (one,) = ask([("很好", "不太好")])
    shares = expected(model, "很好", "不太好")
    np.testing.assert_allclose(list(one["probabilities"].values()), shares, atol=2e-6)
    assert ask({"text": "很好", "pair": "不太好"}) == ask(("很好", "不太好")) == one
    with pytest.raises(DataError, match=r"input 0: expected two texts .* found one"):
        ask("很好")
    with pytest.raises(DataError, match="input 1: expected a str, or a tuple or dict"):
        ask([("a", "b"), ("a", "b", "c")])


def test_a_folder_tells_how_it_was_trained(tmp_path, model):
    folder = write(model, tmp_path / "run" / "model")
    task = TASKS["chnsenticorp"]
    save_task(folder, task, task.settings(max_length=9, stride=4))
    for place in (folder, tmp_path / "run"):
        ask = plm.pipeline("text-classification", place)
        assert (ask.max_length, ask.settings.options.stride) == (9, 4)
        assert task_for(place) == "text-classification"
    ask = plm.pipeline("text-classification", folder, max_length=12, stride=0)
    assert (ask.max_length, ask.settings.options.stride) == (12, 0)
    # Two windows of a text count the same.
    text = "这家店的面条很香和"
    whole = plm.pipeline("text-classification", folder, stride=0)
    halves = [whole(text[:7]), whole(text[4:])]
    found = plm.pipeline("text-classification", folder)(text)["probabilities"]["bad"]
    mean = np.mean([half["probabilities"]["bad"] for half in halves])
    assert found == pytest.approx(mean, abs=3e-6)
    write_json(folder / "task.json", {"options": 3})
    with pytest.raises(ConfigError, match="options must be an object"):
        plm.pipeline("text-classification", folder)


def test_what_finetune_wrote(done, place):
    ask = plm.pipeline("text-classification", place / "out")
    assert ask.max_length == 20
    lines = (place / "data" / "dev.tsv").read_text("utf-8").splitlines()[1:]
    labels, items = zip(*(line.split("\t") for line in lines), strict=True)
    answers = ask(list(items))
    right = [a["label"] == label for a, label in zip(answers, labels, strict=True)]
    assert np.mean(right) == done.scores["dev"]["accuracy"]
    logits = [done.model(ask.tokenizer([text], max_length=20)) for text in items]
    for answer, row in zip(answers, logits, strict=True):
        wanted = softmax(row)[0]
        assert list(answer["probabilities"].values()) == pytest.approx(wanted, abs=1e-5)


def test_unfit_models_are_refused(tmp_path, model):
    folder = write(model, tmp_path / "a")
    with pytest.raises(ConfigError, match="kind 'classification', for pipeline 'text-"):
        plm.pipeline("regression", folder)
    with pytest.raises(ConfigError, match="no pipeline 'sentiment'; there are text-cl"):
        plm.pipeline("sentiment", folder)
    with pytest.raises(ConfigError, match="strid: no such option"):
        plm.pipeline("text-classification", folder, strid=4)
    with pytest.raises(ConfigError, match="but the model has 24 positions"):
        plm.pipeline("text-classification", folder, max_length=25)
    with pytest.raises(ConfigError, match="batch_size must be positive"):
        plm.pipeline("text-classification", folder, batch_size=0)
    with pytest.raises(ConfigError, match="needs its tokenizer"):
        plm.pipeline("text-classification", model)
    with pytest.raises(ConfigError, match="family: a model that is loaded already"):
        plm.pipeline("text-classification", model, tokenizer(), family="bert")
    with pytest.raises(ConfigError, match="expected a model of kind 'classification'"):
        plm.pipeline("text-classification", encoder(), tokenizer())
    bare = write(encoder(), tmp_path / "b")
    with pytest.raises(CheckpointError, match="holds no head for classification"):
        plm.pipeline("text-classification", bare)
    with pytest.raises(ConfigError, match="nothing beside the model tells its task"):
        task_for(bare)


@pytest.mark.parametrize("wrong", [3, None, b"abc", [3], ["好", None], {"txt": "好"}])
def test_what_is_no_text_is_refused(classify, wrong):
    with pytest.raises(DataError, match=r"expected (a str|an item)|must be a str"):
        classify(wrong)
