"""Every example and every conversion script, run as a user runs them."""

import subprocess
import sys

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.checkpoint import write
from tests.golden import COMPACT as GOLDENS
from tests.golden import HERE
from tests.models import read_all

ROOT = HERE.parent
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


def test_verify_finds_a_difference():
    a, b = GOLDENS / "albert_google", GOLDENS / "albert_zh_google"
    out = run("-m", "checkpoints_convert.verify", a, b, code=1)
    assert "max |Δ|" in out
    run("-m", "checkpoints_convert.verify", a, b, "--tolerance=1000", code=0)
    c = GOLDENS / "electra_zh"
    run("-m", "checkpoints_convert.verify", a, c, code=1)


def test_inspect():
    script = "checkpoints_convert.inspect_checkpoint"
    out = run("-m", script, GOLDENS / "electra_zh")
    for word in ("electra/embeddings/word_embeddings", "not read", "gelu_erf", "rtd"):
        assert word in out
    out = run("-m", script, GOLDENS / "electra_zh", "--part=generator")
    assert "electra_generator" in out
    out = run("-m", script, "no/such", code=2)
    assert out.strip().startswith("error: no/such: nothing there")


def test_verify_finds_nan(tmp_path):
    demo = ROOT / "kerasplm" / "demo" / "data" / "model"
    model = plm.load(demo, heads="pretraining")
    model.encoder.pooler.bias.assign(np.full(128, np.nan))
    plm.save_checkpoint(model, tmp_path / "a" / "model.ckpt")
    plm.save_checkpoint(model.encoder, tmp_path / "b" / "model.ckpt")
    for other in "ab":  # the second lacks the heads besides
        out = run("-m", "checkpoints_convert.verify", demo, tmp_path / other, code=1)
        assert "max |Δ| inf" in out
    assert "mlm_logits (only in one)" in out
    other = GOLDENS / "bert_google"  # another network altogether
    assert "inf" in run("-m", "checkpoints_convert.verify", demo, other, code=1)


def test_convert_lists_what_it_leaves_out(tmp_path):
    source = tmp_path / "cased_x"
    encoder = plm.load(GOLDENS / "bert_google")
    plm.save_checkpoint(encoder, source / "model.ckpt")
    tensors = read_all(source / "model.ckpt")
    head = {"answer_class/dense_0/bias": np.zeros(2, "float32")}
    write(source / "model.ckpt", tensors | head)
    (source / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nA\n")
    target = tmp_path / "out"
    out = run("-W", "ignore", "-m", "checkpoints_convert.convert", source, target)
    assert "left out: answer_class/dense_0/bias" in out
    assert "verified, max |Δ| 0" in out
    with pytest.warns(UserWarning, match="5 tokens"):
        tokenizer = plm.load_tokenizer(target)
    assert not tokenizer.get_config()["lowercase"]
