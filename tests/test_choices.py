"""Choices: types in Python, JSON and on the command line, and where they count."""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import cli_values
from kerasplm.errors import ConfigError, DataError
from kerasplm.evaluating import evaluate
from kerasplm.tasks import task_named
from tests.reviews import review

QUICK = {"epochs": 1, "batch_size": 16, "learning_rate": 3e-3, "max_length": 20}


@pytest.mark.parametrize(
    ("task", "name", "text", "value"),
    [
        ("cluener", "decoder", "crf", "crf"),
        ("cmrc2018", "evaluator", "squad", "squad"),
        ("lic2019", "decoder", "gplinker", "gplinker"),
        ("lcqmc_retrieval", "pooling", "mean", "mean"),
        ("tnews", "warmup", "1", 1.0),
        ("tnews", "patience", "none", None),
    ],
)
def test_values_on_the_command_line(task, name, text, value):
    found = cli_values.value_of(name, text, [plm.TASKS[task]])
    assert found == value
    assert type(found) is type(value)
    plm.TASKS[task].settings(**{name: found})


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"epochs": "3"}, "epochs: expected int, found '3'"),
        ({"epochs": 1.5}, "epochs: expected int, found 1.5"),
        ({"learning_rate": "3e-5"}, "learning_rate: expected float"),
        ({"from_scratch": 1}, "from_scratch: expected bool"),
        ({"decoder": "crv"}, "decoder: expected 'softmax' or 'crf'"),
        ({"stride": "x"}, "stride: expected int"),
    ],
)
def test_types(choice, words):
    with pytest.raises(ConfigError, match=words):
        plm.TASKS["cluener"].settings(**choice)
    ((name, value),) = choice.items()
    if isinstance(value, str):
        with pytest.raises(ConfigError, match=f"{name}: expected"):
            cli_values.value_of(name, "x y", [plm.TASKS["cluener"]])


def test_stride_must_not_be_negative():
    with pytest.raises(ConfigError, match="stride must not be negative"):
        plm.TASKS["tnews"].settings(stride=-1)


def declare(folder, **fields):
    file = folder / "task.json"
    file.write_text(json.dumps({"name": "mine", **fields}, ensure_ascii=False))
    return file


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "../evil", "columns": {"text": 0}}, "letters, digits"),
        ({"columns": {"text": 0}, "recipe": {"epoch": 9}}, "found epoch"),
        ({"columns": {"text": 0}, "recipe": {"epochs": "9"}}, "epochs: expected int"),
        ({"columns": {"text": 0}, "options": {"stride": "x"}}, "stride: expected int"),
        ({"columns": {"text": 0}, "files": {"trane": "x"}}, "train, dev and test"),
        ({"columns": {"text": 1.5}}, "names or numbers as 'columns'"),
        ({"columns": {"text": 0}, "separator": 5}, "a text as 'separator'"),
        ({"columns": {"text": 0}, "submissions": {"test": 5}}, "file names as"),
        ({"columns": {"text": 0}, "metric": "loss"}, "not to be raised|more loss"),
        ({"kind": ["x"]}, "expected a kind of"),
    ],
)
def test_declarations_that_cannot_be_right(fields, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        task_named(declare(tmp_path, **fields))


def test_format_of_another_kind(tmp_path):
    (tmp_path / "train.csv").write_text("a,1\nb,2\n")
    task = task_named(declare(tmp_path, kind="span", columns={"text": 0, "label": 1}))
    with pytest.raises(ConfigError, match="rows of class TextRow, but kind 'span'"):
        task.rows(tmp_path, "train")


def test_own_recipe_counts_under_a_published_name(tmp_path):
    recipe = {"epochs": 7, "max_length": 33}
    file = declare(tmp_path, name="lcqmc", columns={"text": 0}, recipe=recipe)
    settings = task_named(file).settings()
    assert (settings.epochs, settings.max_length) == (7, 33)


def test_options_of_a_task_win_over_published_ones():
    task = plm.TASKS["cmrc2018"]
    settings = task.settings(stride=16, max_answer_length=7)
    again = task.chosen(settings).settings().options
    assert (again.stride, again.max_answer_length) == (16, 7)


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 32), ("dev", 8)):
        rows = [f"{review(rng, n % 2)},{n % 2},{n % 3}\n" for n in range(count)]
        (tmp_path / f"{split}.csv").write_text("a,y,z\n" + "".join(rows))
    return tmp_path


def test_changed_declaration_is_another_run(place, data):
    output = data / "out"

    def train(label, **more):
        task = task_named(declare(data, columns={"text": "a", "label": label}, **more))
        settings = task.settings(**QUICK)
        model = place / "model"
        return plm.finetune(model, task, data, output, settings=settings, verbose=0)

    with pytest.raises(ConfigError, match="no score 'f2'; there are accuracy"):
        train("y", metric="f2")
    train("y")  # nothing was trained yet: the corrected command is taken
    with pytest.raises(ConfigError, match="holds a run with other .*labels and data"):
        train("z")


def test_accumulation_beyond_the_data(place, data):
    task = task_named(declare(data, columns={"text": "a", "label": "y"}))
    settings = task.settings(**QUICK, accumulation=100)
    with pytest.raises(ConfigError, match="there are 2 batches in all"):
        plm.finetune(place / "model", task, data, data / "out", settings=settings)


def test_output_folder_is_a_model(done, place):
    assert plm.load(place / "out", heads="task").labels == ("0", "1")
    found = evaluate(place / "out", place / "data")
    assert found.scores["accuracy"] == done.scores["dev"]["accuracy"]
    with pytest.raises(ConfigError, match="max_length=99, but the model has 24"):
        evaluate(place / "out", place / "data", max_length=99)


def test_label_order_does_not_depend_on_the_process(tmp_path):
    labels = ("1", "01", "1.0", "10", "2")
    rows = "".join(f"好,{label}\n" for label in labels)
    (tmp_path / "train.csv").write_text("a,y\n" + rows)
    task = task_named(declare(tmp_path, columns={"text": "a", "label": "y"}))
    found = plm.tasks.with_labels(task, tmp_path)
    assert found.labels == ("01", "1", "1.0", "2", "10")


def test_header_is_not_a_class(tmp_path):
    (tmp_path / "train.csv").write_text("文本,类别\n好,1\n坏,0\n美,1\n丑,0\n")
    task = task_named(declare(tmp_path, columns={"text": 0, "label": 1}))
    with pytest.raises(DataError, match="line 1: .*'类别', which no other row has"):
        plm.tasks.with_labels(task, tmp_path)


def test_entity_behind_the_end(tmp_path):
    row = {"text": "王小明", "label": {"name": {"王小明": [[0, 9]]}}}
    (tmp_path / "train.json").write_text(json.dumps(row))
    with pytest.raises(DataError, match="line 1"):
        plm.TASKS["cluener"].rows(tmp_path, "train")
