"""Reports on many runs, read from their folders alone."""

import csv
import json
import shutil

import pytest

from kerasplm.errors import ConfigError
from kerasplm.files import write_json
from kerasplm.report import write_report
from kerasplm.report.document import Table, markdown, web_page
from kerasplm.report.runs import read_run

HOSTILE = "<script>alert(1)</script>|`a`\n[x](javascript:y) & \x00"


@pytest.fixture(scope="module")
def suite(done, place, tmp_path_factory):
    """Two models, two tasks, seeds and a grid, made of the files of one real run."""
    root = tmp_path_factory.mktemp("suite")
    names = ("settings.json", "run.json", "results.json", "history.csv")
    for model, task, last, seed, rate, score in (
        ("rbt3-base-zh.hfl", "lcqmc", "seed_0", 0, 2e-5, 0.85),
        ("rbt3-base-zh.hfl", "lcqmc", "seed_1", 1, 2e-5, 0.83),
        ("rbt3-base-zh.hfl", "lcqmc", "fast", 0, 1e-4, 0.835),
        ("mine", "chnsenticorp", "seed_0", 0, 2e-5, 0.9),
    ):
        folder = root / model / task / last
        folder.mkdir(parents=True)
        for name in (*names, "dev_details.json"):
            shutil.copy(place / "out" / name, folder / name)
        change(folder / "settings.json", task=task)
        told = json.loads((folder / "settings.json").read_text())["settings"]
        told |= {"seed": seed, "learning_rate": rate}
        change(folder / "settings.json", settings=told)
        facts = json.loads((folder / "run.json").read_text())
        facts["model"]["name"], facts["task"]["name"] = model, task
        write_json(folder / "run.json", facts)
        scores = {"dev": {"accuracy": score, "loss": 0.5, "examples": 40}}
        change(folder / "results.json", scores=scores, seconds=10.0 + seed)
    details = root / "mine" / "chnsenticorp" / "seed_0" / "dev_details.json"
    found = json.loads(details.read_text())
    found["worst"][0]["example"]["text"] = HOSTILE
    found["confusion"]["labels"] = [HOSTILE, "好评"]
    write_json(details, found)
    return root


def change(path, **values):
    write_json(path, json.loads(path.read_text()) | values)


def runs(root):
    return sorted(path.parent for path in root.rglob("settings.json"))


@pytest.fixture(scope="module")
def made(suite, tmp_path_factory):
    """A report, its Markdown and its HTML."""
    out = tmp_path_factory.mktemp("report")
    write_report(runs(suite), out)
    return out, (out / "report.md").read_text(), (out / "report.html").read_text()


def test_tables_of_seeds_grid_and_published_scores(made):
    out, text, page = made
    assert "4 of 4 runs are finished" in text
    assert "| rbt3-base-zh.hfl |  | 85.0 (84.0) |" in text
    beside = next(
        x for x in text.splitlines() if x.startswith("| rbt3") and "ymcui" in x
    )
    assert "| lcqmc | dev | accuracy | 85.0 (84.0) | 85.3 | ymcui" in beside
    assert "| 2 | 10 |" in beside  # seeds, mean seconds (10.5)
    assert "| 0.00575 M |" in beside
    assert "learning\\_rate: 2e-05" in beside
    assert "| 0.0001 | 83.5 | 1 |" in text
    rows = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
    assert [(row["model"], row["metric"]) for row in rows] == [
        ("mine", "accuracy"),
        ("rbt3-base-zh.hfl", "accuracy"),
    ]
    assert rows[1]["best"] == "85.0000"
    assert rows[1]["mean"] == "84.0000"
    assert rows[1]["deviation"] == "1.4142"
    assert rows[1]["published_best"] == "85.3"
    assert rows[0]["published_best"] == ""
    assert page.count("<img ") == text.count("![") == 4 * 3 + 2


def test_the_page_needs_nothing_else_and_texts_mean_themselves(made, suite):
    out, text, page = made
    for found in (text, page):
        assert "<script" not in found
        assert "\x00" not in found
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found
        assert str(suite) not in found
    assert "\\[x\\](javascript" in text
    assert "/script&gt;\\|\\`a\\`<br>" in text
    assert 'src="data:image/png' in page
    assert "http" not in page.replace("http-equiv", "")
    pictures = {file.name for file in (out / "report_pictures").iterdir()}
    for line in text.splitlines():
        if line.startswith("!["):
            assert line.split("/")[-1].rstrip(")") in pictures


def test_same_folders_same_report(made, suite, tmp_path):
    out, *_ = made
    (tmp_path / "report_pictures").mkdir()
    (tmp_path / "report_pictures" / "old.png").write_bytes(b"")
    write_report([*reversed(runs(suite)), *runs(suite)], tmp_path)
    files = sorted(path.relative_to(out) for path in out.rglob("*.*"))
    assert len(files) == 3 + 14
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    for file in files:
        assert (out / file).read_bytes() == (tmp_path / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("results.json", None, "not finished"),
        ("results.json", "{", "results.json: not JSON at line 1"),
        ("results.json", '{"scores": {"dev": {"accuracy": NaN}}}', "found nan"),
        ("results.json", '{"scores": [], "seconds": 1}', "results.json: "),
        ("results.json", '{"scores": {}}', "results.json: has no 'seconds'"),
        ("settings.json", "[]", "settings.json: expected a JSON object"),
        ("settings.json", None, "settings.json: no such file"),
        ("settings.json", '{"settings": 3}', "settings.json: "),
    ],
)
def test_runs_that_do_not_count(suite, tmp_path, name, content, told):
    shutil.copytree(suite, tmp_path / "in")
    folder = tmp_path / "in" / "mine" / "chnsenticorp" / "seed_0"
    damage(folder / name, content)
    assert told in read_run(folder, tmp_path).problem


DAMAGED = {
    "run.json": (None, "{}", '{"model": {"name": 3, "parameters": 1}}'),
    "history.csv": (None, "epoch,loss\n1,x\n", "loss\n1\n", "\x00\xff"),
    "dev_details.json": (
        None,
        "{",
        '{"worst": [1], "longest": [], "lengths": {}}',
        '{"worst": [], "longest": []}',
        '{"worst": [], "longest": [], "lengths": {"histogram": {}}}',
        '{"worst": [], "longest": [], "lengths": {}, "confusion": '
        '{"labels": ["a"], "matrix": [[1, 2]]}}',
    ),
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, x) for name, all_ in DAMAGED.items() for x in all_]
)
def test_a_run_counts_without_what_is_missing(suite, tmp_path, name, content):
    shutil.copytree(suite / "mine", tmp_path / "mine")
    folder = tmp_path / "mine" / "chnsenticorp" / "seed_0"
    damage(folder / name, content)
    run = read_run(folder, tmp_path)
    assert not run.problem
    assert run.scores["dev"]["accuracy"] == 0.9
    assert len(run.missing) == 1
    assert run.missing[0].startswith(name)
    assert str(tmp_path) not in run.missing[0]
    assert (run.model, run.task, run.metric) == ("mine", "chnsenticorp", "accuracy")


def damage(path, content):
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content.encode("latin-1"))


def test_a_report_on_nothing_but_damage(tmp_path):
    (tmp_path / "in" / "run").mkdir(parents=True)
    write_report([tmp_path / "in" / "run", tmp_path / "in" / "none"], tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "0 of 2 runs are finished" in text
    assert "| none | no such folder |" in text
    assert "| run | settings.json: no such file |" in text
    with pytest.raises(ConfigError, match="at least one run"):
        write_report([], tmp_path / "out")
    with pytest.raises(ConfigError, match="expected a folder for the report"):
        write_report([tmp_path], tmp_path / "out" / "report.md")


def test_cells_are_escaped():
    table = Table(("a|b",), [("x\ny",), ("-1.5",), ("<i>",)], "t")
    assert markdown([table]).splitlines()[2:] == [
        "| a\\|b |",
        "| --- |",
        "| x<br>y |",
        "| -1.5 |",
        "| &lt;i&gt; |",
    ]
    page = web_page("<t>", [table])
    assert "<title>&lt;t&gt;</title>" in page
    assert '<td class="number">-1.5</td>' in page
    assert "<td>&lt;i&gt;</td>" in page
