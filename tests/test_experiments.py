"""Many runs: suites, seeds, grids; killed at any stage and started again."""

import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import cli_finetune, cli_values, experiments, finetuning, suites
from kerasplm.errors import ConfigError, DataError
from kerasplm.evaluating import evaluate
from tests.reviews import review

CHOICES = {
    "epochs": 1,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "max_length": 20,
    "save_steps": 2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two tasks of CLUE and its diagnostics, as small files in their own format."""
    root = tmp_path_factory.mktemp("suite")
    rng = np.random.default_rng(1)
    labels = ("contradiction", "entailment", "neutral")

    def write(folder, split, rows):
        folder.mkdir(exist_ok=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.json").write_text(text, "utf-8")

    for split, count in (("train", 64), ("dev", 16), ("test", 8)):
        pairs = [
            {
                "sentence1": review(rng, n % 2),
                "sentence2": review(rng, (n // 2) % 2),
                "label": str(int(n % 2 == (n // 2) % 2)),
            }
            for n in range(count)
        ]
        write(root / "afqmc_public", split, pairs)
        rows = [row | {"label": labels[n % 3]} for n, row in enumerate(pairs)]
        write(root / "cmnli", split, rows)
    rows = [{"index": n, "premise": "好人", "hypothesis": "坏"} for n in range(5)]
    write(root / "diagnostics", "diagnostics_test", rows)
    return root


def runs_of(place, data, output, **more):
    tasks = suites.find_tasks("clue", data).present
    model = str(place / "model")
    return tasks, experiments.plan([model], tasks, output, **{**CHOICES, **more})


def test_tasks_of_a_suite_are_found(data, tmp_path):
    found = suites.find_tasks("clue", data)
    assert set(found.present) == {"afqmc", "cmnli", "clue_diagnostics"}
    assert "tnews" in found.absent
    with pytest.raises(ConfigError, match="no suite 'glue'; there are clue"):
        suites.find_tasks("glue", data)
    with pytest.raises(DataError, match="expected folders of the tasks.*found none"):
        suites.find_tasks("clue", tmp_path)


def test_plan(place, data, tmp_path):
    _, runs = runs_of(
        place, data, tmp_path, seeds=(0, 1), grid={"learning_rate": (1e-3, 2e-3)}
    )
    assert len(runs) == 2 * 2 * 2
    assert len({run.folder for run in runs}) == 8
    assert runs[0].folder == tmp_path / "model/afqmc/learning_rate=0.001,seed=0"
    assert runs[0].choices["learning_rate"] == 1e-3
    with pytest.raises(ConfigError, match="epoch: no such option"):
        runs_of(place, data, tmp_path, epoch=3)
    with pytest.raises(ConfigError, match="folders of the results would be the same"):
        experiments.plan(["a/model", "b/model"], {"afqmc": data}, tmp_path)


KILLER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
import kerasplm.files
left = int(sys.argv[5])
replace = os.replace
def kill(*args):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*args)
os.replace = kill
from tests.test_experiments import run_all
run_all(*map(Path, sys.argv[1:4]))
"""


def run_all(place, data, output):
    """Do all runs, or go on with them."""
    tasks, runs = runs_of(place, data, output)
    outcomes = experiments.run_all(runs, verbose=0, tell=str)
    experiments.finish(outcomes, tasks, output)
    assert [outcome.error for outcome in outcomes] == ["", ""]


def content(folder):
    """Return what a user keeps of all runs."""
    names = ("*_predict.json", "history.csv", "*.zip", "*.index", "*.data-*")
    files = [file for name in names for file in folder.rglob(name)]
    files = [file for file in files if "saved_model" not in file.parts]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_killed_in_any_stage_and_completed(place, data, tmp_path):
    """Every file appears by a rename: the process is killed before the n-th one."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    run_all(place, data, tmp_path / "whole")
    expected = content(tmp_path / "whole")
    assert len(expected) > 8
    killed = tmp_path / "killed"
    for renames in (4, 14, 25):
        code = [sys.executable, "-c", KILLER, place, data, killed, root, renames]
        done = subprocess.run(list(map(str, code)), capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]
    run_all(place, data, killed)
    found = content(killed)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []


@pytest.fixture(scope="module")
def finished(place, data, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    tasks, runs = runs_of(place, data, output, seeds=(0, 1))
    lines = []
    with pytest.MonkeyPatch.context() as patch:  # no test looks at these SavedModels
        patch.setattr(finetuning, "export_trained", lambda *_: False)
        outcomes = experiments.run_all(runs, verbose=0, tell=lines.append)
    experiments.finish(outcomes, tasks, output)
    return output, outcomes, lines


def test_everything_is_written(finished):
    output, outcomes, lines = finished
    assert [outcome.error for outcome in outcomes] == [""] * 4
    assert len(lines) == 8
    with zipfile.ZipFile(output / "submissions" / "model.zip") as archive:
        names = ("afqmc", "cmnli", "diagnostics")
        assert archive.namelist() == [f"{name}_predict.json" for name in names]
        answers = archive.read("diagnostics_predict.json").decode().splitlines()
    assert [json.loads(line)["id"] for line in answers] == list(range(5))
    runs = json.loads((output / "runs.json").read_text())
    best = max(r["score"] for r in runs if r["task"] == "afqmc")
    assert experiments.best_runs(outcomes)["model", "afqmc"].score == best


def test_what_is_finished_is_not_run_again(place, data, finished, monkeypatch):
    output, outcomes, _ = finished
    monkeypatch.setattr("kerasplm.finetuning.finetune", None)
    _, runs = runs_of(place, data, output, seeds=(0, 1))
    again = experiments.run_all(runs, verbose=0, tell=str)
    assert [a.results for a in again] == [o.results for o in outcomes]


def test_a_broken_run_does_not_stop_the_others(place, data, tmp_path):
    broken = tmp_path / "data"
    (broken / "afqmc").mkdir(parents=True)
    for split in ("train", "dev"):
        (broken / "afqmc" / f"{split}.json").write_text("{")
    os.symlink(data / "cmnli", broken / "cmnli")
    tasks = suites.find_tasks("clue", broken).present
    model = str(place / "model")
    runs = experiments.plan([model], tasks, tmp_path / "out", **CHOICES)
    outcomes = experiments.run_all(runs, verbose=0, tell=str)
    assert "train.json" in outcomes[0].error
    assert outcomes[1].score is not None


def test_evaluate_a_finished_run(finished, data, tmp_path):
    _, outcomes, _ = finished
    run = outcomes[0].run
    found = evaluate(run.folder, data / "afqmc_public")
    expected = outcomes[0].results["scores"]["dev"]
    assert found.scores == pytest.approx(expected)
    test = evaluate(run.folder, data / "afqmc_public", split="test", batch_size=3)
    test.write_submission(tmp_path / "x.json")
    sent = (run.folder / "afqmc_predict.json").read_bytes()
    assert (tmp_path / "x.json").read_bytes() == sent
    with pytest.raises(ConfigError, match="epochs: no choice of an evaluation"):
        evaluate(run.folder, data / "afqmc_public", epochs=3)
    folder = tmp_path / "folder"
    folder.mkdir()
    where = {"data": str(data / "afqmc_public"), "output": str(folder)}
    cli_finetune.submit(str(run.folder), **where)
    assert (folder / "afqmc_predict.json").read_bytes() == sent
    with pytest.raises(ConfigError, match="expected a model with the labels"):
        evaluate(run.folder, data / "cmnli", task="cmnli")


def test_own_task_in_a_json_file(place, tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 32), ("dev", 8), ("test", 4)):
        rows = [f'{n},"{review(rng, n % 2)}",{5 * (n % 2)}\n' for n in range(count)]
        (tmp_path / f"{split}.csv").write_text("id,review,stars\n" + "".join(rows))
    declared = {
        "name": "stars",
        "columns": {"text": "review", "label": "stars", "id": "id"},
    }
    file = tmp_path / "stars.json"
    file.write_text(json.dumps(declared))
    settings = plm.tasks.task_named(str(file)).settings(**CHOICES)
    output = tmp_path / "out"
    done = plm.finetune(
        place / "model", str(file), tmp_path, output, settings=settings, verbose=0
    )
    assert done.model.labels == ("0", "5")
    again = evaluate(output, tmp_path)
    assert again.scores == pytest.approx(done.scores["dev"])
    line = (output / "stars_predict.json").read_text().splitlines()[0]
    assert json.loads(line)["id"] == "0"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"columns": {}}, "no name"),
        ({"name": "x", "colums": {}}, "found colums"),
        ({"name": "x", "kind": "poem"}, "expected a kind of classification"),
        ({"name": "x"}, "expected 'columns', or a 'format'"),
        ({"name": "x", "columns": {"label": 1}}, "columns must name 'text'"),
        ({"name": "x", "columns": {"text": 0}, "options": {"a": 1}}, "no such option"),
        ({"name": "x", "columns": {"text": 0}, "labels": "a"}, "expected a list"),
        ({"name": "x", "columns": {"text": 0}, "pair": True}, "as 'pair' in 'columns'"),
    ],
)
def test_broken_declarations(declared, words, tmp_path):
    file = tmp_path / "task.json"
    file.write_text(json.dumps(declared))

    def read():
        plm.tasks.task_named(str(file)).rows(file, "train")

    with pytest.raises(ConfigError, match=words):
        read()


def test_values_of_choices():
    like = [plm.TASKS["tnews"]]
    given = ["epochs=2", "learning-rate=1e-5", "stride=64", "ema=none", "method=fgm:1"]
    assert cli_values.parsed(given, like) == {
        "epochs": 2,
        "learning_rate": 1e-5,
        "stride": 64,
        "ema": None,
        "method": "fgm:1",
    }
    assert cli_values.value_of("from_scratch", "True", like) is True
    assert cli_values.value_of("schedule_points", "[1000, 1]", like) == (1000, 1)
    for name, text, words in (
        ("epochs", "2.5", "expected int, found '2.5'"),
        ("epoch", "2", "no choice 'epoch'"),
        ("options", "2", "no choice 'options'"),
    ):
        with pytest.raises(ConfigError, match=words):
            cli_values.value_of(name, text, like)
    with pytest.raises(ConfigError, match="expected NAME=VALUE, found 'epochs'"):
        cli_values.parsed(["epochs"], like)


def test_a_finished_run_of_sentence_vectors_is_recognised(place, tmp_path):
    """It is trained on some of the rows of its file only."""
    rng = np.random.default_rng(2)
    for split in ("train", "dev"):
        rows = [f"{review(rng, n % 2)}\t{review(rng, 1)}\t{n % 2}" for n in range(24)]
        text = "\n".join(["text_a\ttext_b\tlabel", *rows])
        (tmp_path / f"{split}.tsv").write_text(text, "utf-8")
    runs = experiments.plan(
        [str(place / "model")],
        {"lcqmc_retrieval": tmp_path},
        tmp_path / "out",
        **{**CHOICES, "batch_size": 6},
    )
    told = []
    first = experiments.run_all(runs, verbose=0, tell=told.append)
    again = experiments.run_all(runs, verbose=0, tell=told.append)
    assert not first[0].error
    assert told[-1].endswith("(was finished)")
    assert again[0].results == first[0].results
