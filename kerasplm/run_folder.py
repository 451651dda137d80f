"""The folder of one fine-tuning: what it was made of, and whether it is finished."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError, DataError
from kerasplm.files import LOCK, read_json, write_json
from kerasplm.sources import open_source
from kerasplm.tasks import Settings, Split, Task, task_named, with_labels

SETTINGS = "settings.json"
RESULTS = "results.json"
# Where files lie, how often something is saved and what compiles do not change what
# is trained.
_WITHOUT_EFFECT = ("train", "dev", "test", "cache", "save_steps", "jit")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A fine-tuning before it begins: everything that its result depends on.

    Args:
        model: As for `load`.
        task: The declaration, with what the settings and the data say of labels.
        settings: The choices.
        splits: The rows and their files; those of "train" as they are trained on.
        facts: The same as plain values; a file may move, its content counts.
    """

    model: str | Path
    task: Task
    settings: Settings
    splits: dict[str, Split]
    facts: dict[str, Any]


def prepare(
    model: str | Path,
    task: str | Task,
    data: str | Path,
    settings: Settings | None = None,
) -> Prepared:
    """Read the files of a task.

    Args:
        model: As for `load`.
        task: A task, its name in `TASKS`, or a JSON file that declares it.
        data: Folder with the train, dev and (optional) test files.
        settings: Default is the published recipe for task and model.

    Raises:
        PLMError: A file is missing or broken.
    """
    task = (task if isinstance(task, Task) else task_named(task)).at(data)
    settings = settings or task.settings(model=model)
    task = with_labels(task, data, settings.train).chosen(settings)
    splits = _read_splits(task, data, settings)
    taken = task.engine.training_rows(splits["train"].rows)
    splits["train"] = dataclasses.replace(splits["train"], rows=tuple(taken))
    facts = _facts_of(model, task, settings, splits)
    return Prepared(model, task, settings, splits, facts)


def _read_splits(task: Task, data: str | Path, settings: Settings) -> dict[str, Split]:
    """Read all splits of a task; test splits may be absent."""
    files = {name: getattr(settings, name) for name in ("train", "dev", "test")}
    folder = Path(data).expanduser()
    if folder.is_file():
        raise DataError(
            f"{data}: expected a folder with train and dev files, found a file; name "
            "single files with train=, dev= and test="
        )
    tests = [name for name in task.tests if task.has(folder, name)]
    if files["test"]:
        tests = ["test"]
    names = ("train", "dev", *tests)
    return {name: task.rows(files.get(name) or data, name) for name in names}


def _facts_of(
    model: str | Path, task: Task, settings: Settings, splits: Mapping[str, Split]
) -> dict[str, Any]:
    choices = dataclasses.asdict(settings)
    if not settings.packing:  # as runs of older versions have it
        del choices["packing"]
    facts = {
        "task": task.name,
        "kind": [task.kind, task.pair, task.metric_name],
        "labels": list(task.labels),
        "model": digest(model),
        "settings": {n: x for n, x in choices.items() if n not in _WITHOUT_EFFECT},
        # Not the files: what a declaration reads from them may change, too.
        "data": {name: content(split) for name, split in splits.items()},
    }
    return dict(json.loads(json.dumps(facts)))  # a tuple is read back as a list


def content(split: Split) -> str:
    """Return a hash of the rows of a split."""
    return hashlib.sha256(repr(split.rows).encode()).hexdigest()


def claim(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what is being trained; refuse a folder in which something else was.

    Raises:
        ConfigError: The folder holds the run of other settings, data or model.
    """
    file = folder / SETTINGS
    for left in folder.rglob(".tmp-*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    begun = any(folder.glob("state/*.npz")) or (folder / RESULTS).is_file()
    if file.is_file() and not begun:
        write_json(file, facts)  # a command that was refused, and corrected
    elif file.is_file():
        before = read_json(file)
        other = [key for key in facts if before.get(key) != facts[key]]
        if other:
            raise ConfigError(
                f"{folder}: holds a run with other {' and '.join(other)} (see "
                f"{file.name}). Choose another output folder, or remove this one"
            )
    elif folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty and holds no run; choose another")
    else:
        write_json(file, facts)


def finished(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the results of a finished run of exactly these facts, or None.

    The results are the last file that a run writes.
    """
    if not (folder / RESULTS).is_file():
        return None
    claim(folder, facts)
    return read_json(folder / RESULTS)


def digest(model: str | Path) -> str:
    """Return a hash of the model; the index holds the checksums of the weights."""
    with open_source(model) as source:
        files = [*source.configs(), source.vocab()]
        if source.prefix is not None:
            index = source.prefix.with_name(f"{source.prefix.name}.index")
            files.append(source.prefix if source.kind != "tf1" else index)
        found = [file.read_bytes() for file in files if file is not None]
    return hashlib.sha256(b"".join(found)).hexdigest()
