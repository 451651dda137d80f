"""The command line, as a user types it."""

import subprocess
import sys

from typer.testing import CliRunner

import kerasplm as plm
from kerasplm.cli import app
from tests.reviews import RECIPE
from tests.server import serve_all


def command(*args, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "kerasplm.cli", *map(str, args)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_command_finetune_and_export(place, tmp_path):
    options = [f"--{k.replace('_', '-')}={v}" for k, v in RECIPE.items()]
    common = ("--model", place / "model", "--data", place / "data")
    out = command(
        "finetune",
        *common,
        "--task=chnsenticorp",
        "--output",
        tmp_path / "run",
        *options,
        "--epochs=1",
        "--warmup=0.2",
        "--dropout=0.05",
        "--seed=3",
        "--family=bert",
    )
    assert "accuracy" in out
    assert "learning_curve.png" in out
    model = tmp_path / "run" / "model"
    out = command("export", "--model", model, "--output", tmp_path / "e")
    assert "SavedModel" in out
    words = ["export", "--model", place / "model", "--output", tmp_path / "v"]
    words += ["--max-length=9", "--family=bert"]
    assert CliRunner().invoke(app, list(map(str, words))).exit_code == 0
    text = [{"text": ["好"]}]
    [labels], [vectors] = serve_all((tmp_path / "e", text), (tmp_path / "v", text))
    assert labels["label"]
    assert vectors["pooled_output"]


def test_command_errors_are_one_line(place, tmp_path):
    common = ("--model", place / "model", "--output", tmp_path / "x")
    out = command("finetune", *common, "--task=lcqmx", "--data", place / "data", code=2)
    assert "no task 'lcqmx'" in out
    assert "Traceback" not in out
    out = command("finetune", *common, "--task=lcqmc", "--data", tmp_path, code=2)
    assert "expected train{" in out
    assert "Traceback" not in out
    assert not (tmp_path / "x").exists()


def test_system_errors_are_one_line(place, tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    common = ("--model", place / "model")
    for output in (file, file / "x"):
        out = command("export", *common, "--output", output, code=2)
        assert "error: " in out
        assert str(file) in out
        assert "Traceback" not in out


def test_help_names_every_command():
    out = command("--help")
    for name in ("finetune", "export", "demo"):
        assert name in out
    assert "--from-scratch" in command("finetune", "--help")
    assert command("--version").strip() == plm.__version__
