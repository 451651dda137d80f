"""Every example and every conversion script, run as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden import HERE

ROOT = HERE.parent
GOLDENS = HERE / "goldens"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(*args, code=0):
    done = subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f.stem)
def test_example(file):
    assert len(file.read_text(encoding="utf-8").split("\n")) <= 80
    assert run(file).strip()


@pytest.mark.parametrize("case", ["electra_zh", "ft_bert_classifier", "nezha"])
def test_export_and_verify(case, tmp_path):
    if case == "ft_bert_classifier":
        from tests.golden import Case, complete

        meta = {"init_checkpoint": "bert_google/bert_model.ckpt"}
        if "KERASPLM_GOLDENS" in os.environ:
            pytest.skip("needs the compact copies")
        source = complete(Case(GOLDENS / case, meta), tmp_path)
    else:
        source = GOLDENS / case
    out = run("-m", "checkpoints_convert.export_tf1", source, tmp_path / "o" / "m.ckpt")
    assert "weights of" in out
    assert (tmp_path / "o" / "vocab.txt").is_file()
    out = run("-m", "checkpoints_convert.verify", source, tmp_path / "o")
    assert "max |Δ| 0" in out


def test_verify_finds_a_difference():
    a, b = GOLDENS / "albert_google", GOLDENS / "albert_zh_google"
    out = run("-m", "checkpoints_convert.verify", a, b, code=1)
    assert "max |Δ|" in out
    run("-m", "checkpoints_convert.verify", a, b, "--tolerance=1000", code=0)
    c = GOLDENS / "electra_zh"
    run("-m", "checkpoints_convert.verify", a, c, code=2)


def test_inspect():
    out = run("-m", "checkpoints_convert.inspect_tf1", GOLDENS / "electra_zh")
    for word in ("electra/embeddings/word_embeddings", "not read", "gelu_erf", "rtd"):
        assert word in out
    name = str(Path(GOLDENS / "electra_zh"))
    out = run("-m", "checkpoints_convert.inspect_tf1", name, "--part=generator")
    assert "electra_generator" in out
    out = run("-m", "checkpoints_convert.inspect_tf1", "no/such", code=2)
    assert out.strip().startswith("error: no/such: nothing there")
