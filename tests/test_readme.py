"""The READMEs are true: their code runs, their table is that of the families."""

import json
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


RUN = """
import json, sys
from contextlib import redirect_stdout
from io import StringIO
for code in json.load(sys.stdin):
    with redirect_stdout(StringIO()) as out:
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    print(json.dumps(out.getvalue()))
"""


def run(codes, folder):
    """Return what each prints; one after the other, none sees another's names."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()[-len(codes) :]]


def test_code_runs(tmp_path):
    """In a folder where the named files lie."""
    for name in ("albert_tiny", "simbert_tiny"):
        shutil.copytree(MODEL, tmp_path / name)
    settings = plm.TASKS["chnsenticorp"].settings(epochs=1, max_length=64)
    data = tmp_path / "data" / "chnsenticorp"
    data.mkdir(parents=True)
    for file in REVIEWS.iterdir():
        rows = file.read_text(encoding="utf-8").splitlines(keepends=True)[:65]
        (data / file.name).write_text("".join(rows), encoding="utf-8")
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
    server = found.pop(1)
    assert "kerasplm" not in server
    outputs = run(found, tmp_path)
    [told] = run([server], tmp_path)  # a process that has never seen kerasplm
    assert "(1, 2)" in told
    assert "(2, 8, 128)" in outputs[0]
    assert "electra-180g-small-zh.hfl" in outputs[1]
    assert "4 312" in outputs[1]
    assert "['天气', '服务']" in outputs[2]
    assert "probabilities" in outputs[3]
    assert "(1, 128)" in outputs[3]
    assert outputs[4].startswith("['")
    assert "(0, 1)" in outputs[5]
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
