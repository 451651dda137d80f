"""The folder of one fine-tuning: what it was made of, and whether it is finished."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.files import read_json, write_json
from kerasplm.sources import open_source
from kerasplm.tasks import Settings, Split, Task

SETTINGS = "settings.json"
RESULTS = "results.json"
# Where files lie and how often something is saved do not change the result.
_WITHOUT_EFFECT = ("train", "dev", "test", "cache", "save_steps")


def facts_of(
    model: str | Path, task: Task, settings: Settings, splits: Mapping[str, Split]
) -> dict[str, Any]:
    """Return all that the result of a fine-tuning depends on, as plain values.

    Args:
        model: As for `load`.
        task: The declaration.
        settings: The choices.
        splits: The rows and their files; a file may move, its content counts.
    """
    choices = dataclasses.asdict(settings) | dict.fromkeys(_WITHOUT_EFFECT)
    facts = {
        "task": task.name,
        "kind": [task.kind, task.pair, task.metric_name],
        "labels": list(task.labels),
        "model": digest(model),
        "settings": {name: value for name, value in choices.items() if value != ""},
        # Not the files: what a declaration reads from them may change, too.
        "data": {
            name: hashlib.sha256(repr(split.rows).encode()).hexdigest()
            for name, split in splits.items()
        },
    }
    return dict(json.loads(json.dumps(facts)))  # a tuple is read back as a list


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
    elif folder.is_dir() and any(folder.iterdir()):
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
