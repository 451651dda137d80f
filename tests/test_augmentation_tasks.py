"""Augment the training data of every task, resume, refuse."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm.augmentation import task as augmentation
from kerasplm.augmentation.journal import GrowingFile
from kerasplm.augmentation.layouts import KINDS, check_task
from kerasplm.cli import app
from kerasplm.errors import ConfigError, DataError
from kerasplm.tasks import Task
from kerasplm.tasks.rows import ChoiceRow, EntityRow, QuestionRow, RelationRow
from tests.augmentation_files import FILES, OTHER, PAIR, cells
from tests.augmenting import augmenter, model, tokenizer

# They need files of their own kind: a test file only, and vectors of sentences.
_WITHOUT = {"clue_diagnostics", "lcqmc_retrieval"}


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    """Take an augmenter whose graph is there already."""

    def made(_, __, *, language, vectors, max_length, batch_size, **choices):
        assert max_length is None
        if language == "en":
            return real(_, __, language="en", batch_size=batch_size, **choices)
        return augmenter(batch_size=batch_size, **choices)

    real = plm.ContextualAugmenter
    monkeypatch.setattr(augmentation, "ContextualAugmenter", made)


def put(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def augmented(task, data, output, **choices):
    choices = {"copies": 6, "probability": 0.7, "language": "zh"} | choices
    return plm.augment_task(task, data, output, model(), tokenizer(), **choices)


def texts_of(row):
    """Return what may be reworded, and all that must stay."""
    if isinstance(row, QuestionRow):
        return (row.context, row.question), (row.answers, row.impossible)
    if isinstance(row, EntityRow):
        spans = [(x, row.text[x.start : x.end]) for x in row.entities]
        return (row.text,), (spans, len(row.text))
    if isinstance(row, ChoiceRow):
        sides = (row.context, row.question)
        # In a cloze they are one text, with the blank between.
        return (sides if row.question.endswith("？") else ("".join(sides),)), (
            row.choices,
            row.answer,
        )
    if isinstance(row, RelationRow):
        return (row.text,), row.triples
    return (row.text, row.pair), row.label


def test_every_task_is_there():
    kinds = {name for name, task in plm.TASKS.items() if task.kind in KINDS}
    assert set(FILES) == kinds - _WITHOUT
    with pytest.raises(ConfigError, match="data of kind 'embedding' cannot be"):
        check_task(plm.TASKS["lcqmc_retrieval"])


@pytest.mark.parametrize("name", FILES)
def test_task_reads_what_is_written(name, tmp_path):
    task = plm.TASKS[name].at(put(tmp_path / "data", FILES[name]))
    before = task.rows(tmp_path / "data", "train")
    output = tmp_path / f"augmented{before.files[0].suffix}"
    found = augmented(task, tmp_path / "data", output)
    after = task.rows(output, "train")
    assert len(after) > len(before) or name == "squad_v2"
    assert found.words >= found.replaceable
    assert not list(tmp_path.glob("*.partial"))
    known = {}
    for row in before.rows:
        texts, rest = texts_of(row)
        known.setdefault(repr(rest), []).append(texts)
    changed = 0
    for row in after.rows:
        texts, rest = texts_of(row)
        # Each row has the answer of an old row of which it differs in one text.
        differences = [
            sum(a != b for a, b in zip(texts, old, strict=True))
            for old in known[repr(rest)]
        ]
        assert min(differences) <= 1
        changed += min(differences) == 1
        if isinstance(row, QuestionRow):
            for answer in row.answers:
                assert row.context.startswith(answer.text, answer.start)
        if isinstance(row, RelationRow):
            for triple in row.triples:
                assert triple.subject in row.text
                assert triple.object in row.text
    assert changed or name == "squad_v2"
    if name == "cluewsc2020":
        assert all("_小明_" in row.text for row in after.rows)
        assert all("[他]" in row.text for row in after.rows)
    if name in ("cmrc2018", "drcd", "squad_v1", "chid"):
        assert len({row.id for row in after.rows}) == len(after)
    # What was there stands first, whole, and a second round starts from it.
    again = tmp_path / f"again{output.suffix}"
    assert augmented(task, output, again, copies=1).records >= found.records


def test_other_fields_stay(tmp_path):
    data = put(tmp_path / "data", FILES["tnews"])
    augmented("tnews", data, tmp_path / "out.json")
    lines = (tmp_path / "out.json").read_text(encoding="utf-8").splitlines()
    first, *others = map(json.loads, lines)
    assert first == json.loads(FILES["tnews"]["train.json"])
    for other in others:
        assert {**other, "sentence": ""} == {**first, "sentence": ""}
        assert other["sentence"] != first["sentence"]


def test_english(tmp_path):
    data = put(tmp_path / "data", FILES["squad_v2"])
    found = augmented(
        "squad_v2", data, tmp_path / "out.json", language="auto", candidates=20
    )
    assert found.language == "en"
    rows = plm.TASKS["squad_v2"].rows(tmp_path / "out.json", "train").rows
    assert all(row.context.startswith("Paris", row.answers[0].start) for row in rows)


def many(folder):
    rows = [(f"{n}{PAIR[0]}", f"{OTHER[0]}{n}", str(n % 2)) for n in range(9)]
    return put(folder, {"train.tsv": cells(*rows)})


def test_same_bytes_whatever_the_batches(tmp_path, monkeypatch):
    data = many(tmp_path / "data")
    first = tmp_path / "a.tsv"
    told = augmented("lcqmc", data, first)
    monkeypatch.setattr(augmentation, "_TOGETHER", 2)
    for n, size in enumerate((1, 7)):
        output = tmp_path / f"{n}.tsv"
        found = augmented("lcqmc", data, output, batch_size=size)
        assert output.read_bytes() == first.read_bytes()
        assert (found.written, found.samples) == (told.written, told.samples)
    augmented("lcqmc", data, tmp_path / "b.tsv", seed=1)
    assert (tmp_path / "b.tsv").read_bytes() != first.read_bytes()
    # Copies of the file's rows: each pair changes one text, the other one stays.
    rows = plm.TASKS["lcqmc"].rows(first, "train").rows
    firsts = {row.text for row in plm.TASKS["lcqmc"].rows(data, "train").rows}
    seconds = {row.pair for row in plm.TASKS["lcqmc"].rows(data, "train").rows}
    assert all(row.text in firsts or row.pair in seconds for row in rows)
    assert any(row.text not in firsts for row in rows)
    assert any(row.pair not in seconds for row in rows)


class Ended(Exception):
    pass


@pytest.mark.parametrize("when", [2, 6])
def test_an_ended_run_goes_on(when, tmp_path, monkeypatch):
    monkeypatch.setattr(augmentation, "_TOGETHER", 2)
    data = many(tmp_path / "data")
    augmented("lcqmc", data, tmp_path / "whole.tsv")
    output = tmp_path / "out.tsv"
    seen = []

    def stop(done, total):
        assert total == 9
        if done >= when:
            raise Ended

    with pytest.raises(Ended):
        augmented("lcqmc", data, output, progress=stop)
    assert not output.exists()
    with (tmp_path / "out.tsv.partial" / "text").open("ab") as file:
        file.write(b"half a li")  # a kill while it was writing
    with pytest.raises(ConfigError, match=r"other choices \(seed\)"):
        augmented("lcqmc", data, output, seed=3)
    told = augmented("lcqmc", data, output, progress=lambda done, _: seen.append(done))
    assert seen[0] == when
    assert output.read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert told.records == 9
    assert told.written == output.read_text(encoding="utf-8").count("\n")
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        "data",
        "out.tsv",
        "whole.tsv",
    ]


_KILLED = """
import os, signal, sys
from kerasplm.augmentation.journal import GrowingFile
from pathlib import Path
with GrowingFile(Path(sys.argv[1]), {"a": 1}).opened() as file:
    file.append("一行\\n", {"lines": 1})
    with file.text.open("ab") as more:
        more.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_what_is_safe(tmp_path):
    output = tmp_path / "a.txt"
    done = subprocess.run([sys.executable, "-c", _KILLED, output], check=False)
    assert done.returncode == -signal.SIGKILL
    growing = GrowingFile(output, {"a": 1})
    with growing.opened() as file:
        assert file.noted == {"lines": 1}
        second = GrowingFile(output, {"a": 1}).opened()
        with pytest.raises(ConfigError, match="another run writes there"), second:
            pass
        file.append("二行\n", {"lines": 2})
        file.finish("end")
    assert output.read_text(encoding="utf-8") == "一行\n二行\nend"
    assert os.listdir(tmp_path) == ["a.txt"]
    # Nothing is left of a run that fails before it writes.
    with pytest.raises(Ended), GrowingFile(tmp_path / "b", {}).opened():
        raise Ended
    assert os.listdir(tmp_path) == ["a.txt"]


def test_bad_input(tmp_path):
    data = many(tmp_path / "data")
    out = tmp_path / "out.tsv"
    for task, place, choices, message in (
        ("lcqmc", out, {"copies": 0}, "copies must be positive"),
        ("lcqmc", out, {"seed": -1}, "seed must be in"),
        ("lcqmc", out, {"language": "de"}, "language must be one of"),
        ("lcqmc", tmp_path / "out.json", {}, "ends like that of train.tsv"),
        ("lcqmc", data, {}, "expected a name that ends|found a folder"),
        ("lcqmc", data / "train.tsv", {}, "is the training file itself"),
        ("lcqmc_retrieval", out, {}, "data of kind 'embedding' cannot be augmented"),
    ):
        with pytest.raises(ConfigError, match=message):
            augmented(task, data, place, **choices)
    chid = put(tmp_path / "chid", FILES["chid"])
    with pytest.raises(ConfigError, match="a name without 'answer'"):
        augmented("chid", chid, tmp_path / "answers.json")
    with pytest.raises(DataError, match="no such file"):
        augmented("lcqmc", tmp_path / "nowhere", out)
    put(tmp_path / "bad", {"train.tsv": "a\tb\t7\n"})
    with pytest.raises(DataError, match="line 1"):
        augmented("lcqmc", tmp_path / "bad", out)
    assert sorted(x.name for x in tmp_path.iterdir()) == ["bad", "chid", "data"]


def test_own_readers_are_refused():
    own = plm.TASKS["lcqmc"]
    other = Task(
        name="x",
        title="x",
        source="x",
        format=type(own.format)(lambda *_, **__: None, {}),
    )
    with pytest.raises(ConfigError, match="in official formats can"):
        check_task(other)


def test_copies_by_size(tmp_path, monkeypatch):
    data = many(tmp_path / "data")
    for rows, copies in ((9, 30), (8, 20), (2, 10)):
        sizes = ((rows, 30), (rows + 5, 20)) if copies != 10 else ((1, 30), (2, 20))
        sizes = sizes if copies != 20 else ((8, 30), (9, 20))
        monkeypatch.setattr(augmentation, "_COPIES", sizes)
        output = tmp_path / "out.tsv"
        assert augmented("lcqmc", data, output, copies=None).copies == copies


def test_command(tmp_path, monkeypatch):
    import kerasplm.zoo

    monkeypatch.setattr(kerasplm.zoo, "load", lambda *_, **__: model())
    monkeypatch.setattr(plm.tokenizing, "load_tokenizer", lambda *_, **__: tokenizer())
    data = many(tmp_path / "data")
    options = ["--task=lcqmc", f"--data={data}", f"--output={tmp_path / 'o.tsv'}"]
    run = CliRunner().invoke(
        app, ["augment", "--model=x", *options, "--N=2", "--p=0.9", "--candidates=9"]
    )
    assert run.exit_code == 0, run.output
    assert "records with their copies" in run.output
    assert "reworded" in run.output
    written = (tmp_path / "o.tsv").read_text(encoding="utf-8")
    shutil.rmtree(data)
    assert 9 < written.count("\n") <= 45
