"""`kerasplm pretraining-data`: every option does what it says."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasplm.cli import app
from kerasplm.errors import ConfigError, DataError
from kerasplm.files import read_json
from kerasplm.pretraining import command, originals, records
from kerasplm.pretraining.compat import tinybert
from kerasplm.pretraining.creating import create
from kerasplm.pretraining.data_settings import DataSettings
from tests.test_pretraining_creating import TOKENIZER, VOCAB, contents, corpus


@pytest.fixture
def place(tmp_path, monkeypatch):
    corpus(tmp_path / "text.txt")
    (tmp_path / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(place, monkeypatch):
    """Return a function that runs the command in this process."""
    monkeypatch.setattr(command, "replace_process", command.run)

    def run(*options):
        basic = ("--input=text.txt", "--output=o", "--vocab=vocab.txt")
        found = CliRunner().invoke(app, ["pretraining-data", *basic, *options])
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        assert found.exit_code == 0, found.output
        return read_json(place / "o" / "dataset.json"), found.output

    return run


_INTERRUPTIBLE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def task(place, **changes):
    settings = DataSettings(**changes).to_json()
    return {
        "inputs": [str(place / "text.txt")],
        "output": str(place / "o"),
        "vocabulary": VOCAB,
        "tokenizer": TOKENIZER.get_config(),
        "settings": settings,
        "workers": 2,
        "show": False,
    }


def light(task):
    """Run what the command becomes."""
    line = command.light_python("kerasplm.pretraining.command")
    return subprocess.run(
        line, input=json.dumps(task), capture_output=True, text=True, check=False
    )


def test_the_whole_command(place):
    line = [sys.executable, "-m", "kerasplm.cli", "pretraining-data", "--workers=2"]
    for name, file in (("input", "text.txt"), ("vocab", "vocab.txt"), ("output", "o")):
        line += [f"--{name}", str(place / file)]
    root = Path(__file__).parent.parent
    done = subprocess.run(line, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert "instances" in done.stdout
    assert "o: 1 file" in done.stdout.replace("\n", "")
    assert "write: " in done.stderr
    text = str(place / "text.txt")
    create([text], "here", TOKENIZER, DataSettings(), workers=1)
    assert contents(place / "o") == contents(place / "here")


def test_an_error_is_one_line(place):
    assert light(task(place)).returncode == 0
    done = light(task(place, seed=3))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "o: holds data of other choices: seed: expected 12345, found 3" in line


def test_an_interrupt_leaves_what_is_finished(place):
    corpus(place / "text.txt", documents=600)
    # Where the tests run in the background interrupts are ignored, and so would it.
    line = [
        *(sys.executable, "-c", _INTERRUPTIBLE),
        *command.light_python("kerasplm.pretraining.command"),
    ]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(json.dumps(task(place, block_bytes=2000)).encode())
    process.stdin.close()
    work = place / "o" / ".work"
    while not any(work.glob("block-*.json")):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert process.stdout.read() == b""
    process.stdout.close()
    assert any(work.glob("block-*.json"))
    assert light(task(place, block_bytes=2000)).returncode == 0
    settings = DataSettings(block_bytes=2000)
    create([str(place / "text.txt")], "here", TOKENIZER, settings, workers=1)
    assert contents(place / "o") == contents(place / "here")


def test_no_option_is_the_default_settings(run):
    facts, _ = run("--quiet")
    settings = DataSettings(shards=1).to_json()
    settings["shard_count"] = settings.pop("shards")
    assert {name: facts[name] for name in settings} == settings


def test_every_option_arrives(run, place):
    (place / "words.txt").write_text("一丁\n", "utf-8")
    options = {
        "layout": "sop",
        "form": "static",
        "max_length": 40,
        "max_predictions": 4,
        "masked_lm_prob": 0.2,
        "short_seq_prob": 0.3,
        "dupe_factor": 2,
        "min_tokens": 6,
        "seed": 9,
        "whole_words": "words.txt",
        "ngram": 2,
        "shards": 3,
        "block_bytes": 3000,
    }
    given = [f"--{n.replace('_', '-')}={value}" for n, value in options.items()]
    facts, out = run(*given, "--workers=1", "--no-lower-case", "--strip-accents")
    options["shard_count"] = options.pop("shards")
    assert {name: facts[name] for name in options} == options
    assert len(facts["shards"]) == 3
    assert facts["tokenizer"]["lowercase"] is False
    assert facts["tokenizer"]["strip_accents"] is True
    assert "write" in out
    assert "predicted masked" in out


def test_quiet(run):
    _, out = run("--quiet", "--workers=1")
    assert "write" not in out
    assert "instances" in out


def test_inputs_may_be_many(run, place):
    (place / "more").mkdir()
    corpus(place / "more" / "a.txt", 3)
    corpus(place / "more" / "b.txt", 3)
    facts, _ = run("--input=more", "--input=more/*.txt,text.txt")
    assert [*facts["inputs"]] == ["text.txt", "more/a.txt", "more/b.txt"]


@pytest.mark.parametrize(
    ("text", "words", "starts"),
    [
        ("一丁 七万丈", "segmented", [1, 1, 0, 1, 0, 0, 1]),
        ("一丁七万丈", "none", [1, 1, 1, 1, 1, 1, 1]),
        ("keras丁七万", "wordpiece", [1, 1, 0, 1, 1, 1, 1]),
    ],
)
def test_whole_words(run, place, text, words, starts):
    (place / "text.txt").write_text(text + "\n", "utf-8")
    run("--layout=causal", f"--whole-words={words}")
    (data,) = records.read(place / "o" / "records-00000-of-00001.tfrecord")
    assert records.decode(data)["token_boundary"].tolist() == starts


def test_whole_words_of_jieba(run, place):
    pytest.importorskip("jieba")
    (place / "vocab.txt").write_text("\n".join([*VOCAB, *"语言模型"]), "utf-8")
    (place / "text.txt").write_text("语言语言模型\n", "utf-8")
    run("--layout=causal", "--whole-words=jieba")
    (data,) = records.read(place / "o" / "records-00000-of-00001.tfrecord")
    assert records.decode(data)["token_boundary"].tolist() == [1, 1, 0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("name", originals.NAMES)
def test_compat_writes_what_the_original_does(run, place, name):
    if "zh" in name:
        pytest.importorskip("jieba")
    # The originals have "##" forms of all characters.
    (place / "vocab.txt").write_text(
        "\n".join([*VOCAB, *(f"##{char}" for char in VOCAB[7:])]), "utf-8"
    )
    known = originals.flags_of(name)
    options = ["--max-length=32", "--seed=7", "--shards=2"]
    if "dupe_factor" in known:
        options += ["--dupe-factor=2", "--whole-words=wordpiece"]
        options += ["--masked-lm-prob=0.2", "--max-predictions=6"]
    facts, out = run(f"--compat={name}", *options)
    assert facts["compat"] == name
    assert facts["flags"]["random_seed"] == 7
    assert facts["max_length"] == 32
    assert len(facts["shards"]) == 2
    assert facts["tokenizer"]["control"] == originals.CONTROL[name]
    assert sum(facts["shards"].values()) == facts["statistics"]["instances"] > 20
    assert "mean length" in out
    if name == "tinybert":
        assert [len(list(tinybert.read(place / "o", n))) for n in range(2)] == [
            *facts["shards"].values()
        ]
        return
    rows = []
    for file, count in facts["shards"].items():
        found = [records.decode(data) for data in records.read(place / "o" / file)]
        assert len(found) == count
        rows.append(found)
    creator = originals.CREATORS[name]
    tokenizer = type(TOKENIZER)(str(place / "vocab.txt"), **facts["tokenizer"])
    flags = facts["flags"]
    made = list(creator.instances(["text.txt"], tokenizer, **flags))
    sizes = {"max_seq_length": 32}
    if "max_predictions_per_seq" in flags:
        sizes["max_predictions_per_seq"] = 6
    for n, instance in enumerate(made):
        expected = creator.features(instance, tokenizer, **sizes)
        ours = rows[n % 2][n // 2]
        assert {k: v.tolist() for k, v in ours.items()} == expected


def test_electra_files_have_their_names(run, place):
    facts, _ = run("--compat=electra", "--shards=3")
    assert [*facts["shards"]] == [f"pretrain_data.tfrecord-{n}-of-3" for n in range(3)]


def test_flags_that_only_an_original_has(run):
    more = ("--set=do_permutation=true", "--set", "favor-shorter-ngram=False")
    options = ("--ngram=2", "--short-seq-prob=0.2", "--dupe-factor=1")
    facts, _ = run("--compat=albert_google", *options, *more)
    flags = facts["flags"]
    assert (flags["ngram"], flags["short_seq_prob"]) == (2, 0.2)
    assert (flags["do_permutation"], flags["favor_shorter_ngram"]) == (True, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set=a=b"], "--set gives flags of an original: expected --compat"),
        (["--runner-option=a=b"], "--runner-option is for Beam: expected --runner"),
        (["--compat=berta"], "--compat: expected .*bert.*, found 'berta'"),
        (["--compat=bert", "--layout=sop"], "--compat: the originals have no --layout"),
        (["--compat=bert", "--form=static"], "the originals have no --form"),
        (["--compat=bert", "--min-tokens=2"], "the originals have no --min-tokens"),
        (["--compat=bert", "--workers=2"], "the originals have no --workers"),
        (["--compat=bert", "--runner=direct"], "the originals have no --runner"),
        (["--compat=bert", "--ngram=2"], "bert: has no flag ngram; its flags are"),
        (["--compat=bert", "--set=x=1"], "bert: has no flag x; its flags are do_who"),
        (["--compat=bert", "--set=random_seed=x"], "expected a value like 12345 .int"),
        (["--compat=bert", "--whole-words=list.txt"], "expected --whole-words jieba"),
        (["--compat=bert", "--input=no.txt"], "no.txt: expected text files there"),
        (["--runner=direct", "--workers=2"], "--workers is without effect: Beam"),
        (["--runner=storm"], "runner: expected direct, dataflow, flink, spark"),
        (["--layout=x"], "layout: expected nsp"),
    ],
)
def test_errors(run, place, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        run(*options)
    assert not (place / "o").exists()


def test_compat_refuses_what_it_cannot_do(run, place):
    run("--compat=bert")
    with pytest.raises(DataError, match="o: expected an empty folder, found files"):
        run("--compat=bert")
    (place / "b.txt").write_text("一\n", "utf-8")
    with pytest.raises(DataError, match="tinybert: expected one input file, found 2"):
        run("--compat=tinybert", "--input=b.txt", "--output=p")
    (place / "text.txt").write_text("一\n", "utf-8")
    with pytest.raises(DataError, match="expected a usable document, found none"):
        run("--compat=roberta_zh", "--output=p")
    assert not any((place / "p").iterdir())


def test_beam_is_asked_for_by_runner(run, place, monkeypatch):
    from kerasplm.pretraining import beam

    asked = {}

    def fake(inputs, output, tokenizer, settings, runner, options):
        asked.update(runner=runner, options=options, seed=settings.seed)
        return create(inputs, output, tokenizer, settings, workers=1)

    monkeypatch.setattr(beam, "create", fake)
    run("--runner=dataflow", "--runner-option=project=mine", "--seed=4")
    expected = {"runner": "dataflow", "options": {"project": "mine"}, "seed": 4}
    assert asked == expected
