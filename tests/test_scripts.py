"""Every example and every conversion script, run as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

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
    assert "variables of" in out
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


def test_export_lists_what_it_leaves_out(tmp_path):
    source = tmp_path / "cased_x"
    encoder = plm.load(GOLDENS / "bert_google")
    plm.save_checkpoint(encoder, source / "model.ckpt")
    tensors = read_all(source / "model.ckpt")
    head = {"cls/squad/output_bias": np.zeros(2, "float32")}
    write(source / "model.ckpt", tensors | head)
    (source / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nA\n")
    target = tmp_path / "out" / "model.ckpt"
    out = run("-m", "checkpoints_convert.export_tf1", source, target)
    assert "left out: cls/squad/output_bias" in out
    assert not plm.load_tokenizer(tmp_path / "out").get_config()["lowercase"]
