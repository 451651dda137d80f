"""The shape of the code: directions of imports, sizes of files, docstrings."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import kerasplm as plm
from kerasplm.cli import app

COMMANDS = [
    command.name or command.callback.__name__.replace("_", "-")
    for command in app.registered_commands
]
ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kerasplm"
FILES = sorted(PACKAGE.rglob("*.py"))
# Only keras.ops: these run on every backend.
PORTABLE = ("config", "errors", "encoder", "heads", "layers", "losses", "masks")
PORTABLE += ("embeddings", "fused", "recompute")
PORTABLE += tuple(
    f"pretraining/{name}"
    for name in ("draws", "electra", "electra_parts", "models", "objectives", "terms")
)
PORTABLE += ("learning_rates", "optimization", "relative", "schedules")
PORTABLE += tuple(f"seq2seq/{f.stem}" for f in PACKAGE.glob("seq2seq/*.py"))
PORTABLE += ("generation/settings",)  # the decoder writes TensorFlow's memory in place
PORTABLE += tuple(f"task_heads/{f.stem}" for f in PACKAGE.glob("task_heads/*.py"))
# What a module may not import: the lower one never knows the higher one.
FORBIDDEN = {
    "config": ("layers", "encoder", "heads", "families", "checkpoint", "zoo"),
    "layers": (
        "embeddings",
        "encoder",
        "heads",
        "families",
        "checkpoint",
        "zoo",
        "tasks",
    ),
    "embeddings": ("encoder", "heads", "families", "checkpoint", "zoo", "tasks"),
    "encoder": ("heads", "families", "checkpoint", "zoo", "tasks"),
    "heads": ("families", "checkpoint", "zoo", "tasks"),
    "families": ("encoder", "layers", "heads", "checkpoint", "zoo", "tasks", "seq2seq"),
    "seq2seq": ("heads", "families", "checkpoint", "zoo", "tasks"),
    "checkpoint": ("encoder", "heads", "zoo", "tasks", "seq2seq"),
    "tokenizer": ("config", "layers", "encoder", "families", "checkpoint", "zoo"),
    "python_tokenizer": ("config", "layers", "encoder", "families", "checkpoint"),
    "task_heads": ("encoder", "heads", "families", "checkpoint", "zoo", "tasks"),
    "generation": ("families", "checkpoint", "zoo", "tasks", "cli"),
    "zoo": ("tasks", "finetuning", "exporting", "cli", "tokenizer"),
    "tasks": ("zoo", "finetuning", "exporting", "cli"),
}


def imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", PORTABLE)
def test_core_is_portable(name):
    for module in imports(PACKAGE / f"{name}.py"):
        assert not module.startswith(("tensorflow", "jax", "torch"))


@pytest.mark.parametrize("name", FORBIDDEN)
def test_imports_point_one_way(name):
    path = PACKAGE / name
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        for module in imports(file):
            for other in FORBIDDEN[name]:
                assert not (module + ".").startswith(f"kerasplm.{other}."), file


def test_package_does_not_import_scripts_or_tests():
    outside = ("tests", "examples", "benchmarks", "checkpoints_convert")
    # The command line offers those procedures as its own.
    for file in set(FILES) - set(PACKAGE.glob("cli*.py")):
        assert not [m for m in imports(file) if m.startswith(outside)], file


def test_no_family_is_named_in_code():
    """Families are data: outside their tables no condition asks for one."""
    names = {f'"{name}"' for name in plm.FAMILIES}
    for file in FILES:
        if "families" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                text = ast.unparse(node).replace("'", '"')
                assert "family" not in text or not names & set(text.split()), file


@pytest.mark.parametrize(
    "file",
    [
        f
        for folder in (
            "kerasplm",
            "checkpoints_convert",
            "examples",
            "benchmarks",
            "tests",
        )
        for f in sorted((ROOT / folder).rglob("*.py"))
    ],
    ids=lambda f: str(f.relative_to(ROOT)),
)
def test_files_stay_small(file):
    if "grammar" in file.name:  # pure data
        return
    limit = 450 if "tests" in file.parts else 352
    assert len(file.read_text(encoding="utf-8").split("\n")) <= limit


def test_importing_the_package_does_not_import_tensorflow():
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'jax'\n"
        "import kerasplm\nassert 'tensorflow' not in sys.modules\n"
        "assert 'AdamW' in dir(kerasplm)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def fresh(code, *args):
    """Run code in a new process; its lines."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


HEAVY = (
    "keras",
    "tensorflow",
    "numpy",
    "matplotlib",
    "h5py",
    "safetensors",
    "requests",
)


def test_importing_the_package_is_quick():
    code = "import sys, kerasplm, kerasplm.catalogue\nprint(*sys.modules)"
    (modules,) = fresh(code)
    assert not {*HEAVY} & {*modules.split()}


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_is_quick(command):
    code = (
        "import atexit, sys\nfrom kerasplm.cli import app\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "app(sys.argv[1:], standalone_mode=False)"
    )
    *shown, modules = fresh(code, *command, "--help")
    assert any("Usage:" in line for line in shown)
    assert not {*HEAVY} & {*modules.split()}


@pytest.mark.parametrize(
    "imports",
    [
        "import kerasplm\nimport keras",
        "import keras\nimport kerasplm",
        "import kerasplm as plm\nplm.load\nimport keras",
        "import kerasplm.zoo\nkerasplm.load\nimport keras",
    ],
)
def test_keras_finds_our_classes(imports):
    code = f"{imports}\nprint(*keras.saving.get_custom_objects())"
    (names,) = fresh(code)
    for name in ("Encoder", "Classifier", "Seq2Seq", "AdamW", "WarmupLinear", "FGM"):
        assert f"kerasplm>{name}" in names.split()


@pytest.mark.parametrize("name", [n for n in plm.__all__ if n[0] != "_"])
def test_public_names_exist_and_are_documented(name):
    value = getattr(plm, name)
    if isinstance(value, dict):  # FAMILIES, TASKS
        assert value
        return
    text = inspect.getdoc(value) or ""
    assert len(text) > 40
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    assert "Example" in text, f"{name} has no example"
    assert "Args:" in text


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = plm.laod
