"""The task of a trained model, kept beside it: how its inputs were prepared."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.files import read_json, write_json
from kerasplm.tasks import TASKS, Settings, Task
from kerasplm.tasks.own import task_from_data

FILE = "task.json"


def save_task(folder: Path, task: Task, settings: Settings) -> None:
    """Write what is needed to ask the model as it was trained.

    Args:
        folder: Folder of the model.
        task: The declaration, with its labels.
        settings: The choices of the training.
    """
    data = {
        "task": task.name,
        "declaration": task.declaration,
        "labels": list(task.labels),
        "max_length": settings.max_length,
        "options": dataclasses.asdict(settings.options),
    }
    write_json(folder / FILE, data)


def saved_task(folder: Path) -> tuple[Task, Settings] | None:
    """Return task and settings that `save_task` wrote, or None if there are none.

    Args:
        folder: Folder of the model.

    Raises:
        ConfigError: The file is broken, or names a task that does not exist.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    data = read_json(file)
    name, labels = data.get("task"), data.get("labels", [])
    told = data.get("declaration")
    if isinstance(told, Mapping):
        task = task_from_data(dict(told), file)
    elif name in TASKS:
        task = TASKS[name]
    else:
        raise ConfigError(f"{file}: expected the name of a task, found {name!r}")
    options = data.get("options", {})
    if not isinstance(options, dict) or not isinstance(labels, list):
        raise ConfigError(f"{file}: expected 'options' and 'labels' of a trained model")
    task = dataclasses.replace(task, labels=tuple(str(label) for label in labels))
    changes: dict[str, Any] = {"max_length": data.get("max_length"), **options}
    try:
        return task, task.settings(**changes)
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{file}: {error}") from error
