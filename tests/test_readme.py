"""The READMEs are true: their code runs, their table is that of the families."""

import re
import shutil
import subprocess
import sys

import pytest

import kerasplm as plm
from kerasplm.demo import MODEL, REVIEWS
from tests.golden import HERE

ROOT = HERE.parent
NAMES = ("README.md", "README.zh.md")


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name):
    return re.findall(r"```python\n(.*?)```", text(name), re.DOTALL)


def test_code_runs(tmp_path):
    """One process for each block, in a folder where the named files lie."""
    for name in ("albert_tiny", "simbert_tiny"):
        shutil.copytree(MODEL, tmp_path / name)
    shutil.copytree(REVIEWS, tmp_path / "data" / "chnsenticorp")
    settings = plm.TASKS["chnsenticorp"].settings(epochs=1, max_length=64)
    data = tmp_path / "data" / "chnsenticorp"
    plm.finetune(
        MODEL, "chnsenticorp", data, tmp_path / "out", settings=settings, verbose=0
    )
    found = blocks("README.md")
    assert len(found) == 7
    # The demo model has fewer positions than the task's recipe wants.
    assert "list_models" in found[2]
    found[0] = found[0].replace(
        '"train", tokenizer', '"train", tokenizer, max_length=64'
    )
    outputs = []
    for code in found:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr[-2000:]
        outputs.append(done.stdout)
    assert "(2, 8, 128)" in outputs[0]
    assert "(1, 2)" in outputs[1]
    assert "electra-180g-small-zh.hfl" in outputs[2]
    assert "4 312" in outputs[2]
    assert "['天气', '服务']" in outputs[3]
    assert "probabilities" in outputs[4]
    assert "(1, 128)" in outputs[4]
    assert outputs[5].startswith("['")
    assert "(0, 1)" in outputs[6]
    restored = plm.load(tmp_path / "back_to_tf1", heads="classification")
    assert restored.labels == ("0", "1")


def test_both_languages_have_the_same_code():
    english, chinese = (
        [re.sub(r"#.*", "", block) for block in blocks(name)] for name in NAMES
    )
    assert [b.split() for b in english] == [b.split() for b in chinese]
    headings = [len(re.findall(r"^## ", text(name), re.MULTILINE)) for name in NAMES]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("name", NAMES)
def test_table_of_families(name):
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", text(name), re.MULTILINE))
    supported = {name: family.title for name, family in plm.FAMILIES.items()}
    assert set(rows) == set(supported)
    if name == "README.md":
        assert rows == supported


@pytest.mark.parametrize("name", [*NAMES, "CONTRIBUTING.md", "docs/results.md"])
def test_links_and_commands(name):
    folder = (ROOT / name).parent
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text(name)):
        assert (folder / link).exists(), link
    for module in re.findall(r"python -m ([\w.]+)", text(name)):
        if module == "pytest":
            continue
        file = ROOT / (module.replace(".", "/") + ".py")
        assert file.is_file(), module


@pytest.mark.parametrize("name", NAMES)
def test_no_placeholder_is_left(name):
    assert "RESULTS" not in text(name)
