"""The declared tasks. Sources of formats and recipes stand with each."""

import difflib
from pathlib import Path

from kerasplm.errors import ConfigError
from kerasplm.tasks.declared_choice import CHOICE
from kerasplm.tasks.declared_classification import CLASSIFICATION
from kerasplm.tasks.declared_generation import GENERATION
from kerasplm.tasks.declared_relation import RELATION
from kerasplm.tasks.declared_similarity import SIMILARITY
from kerasplm.tasks.declared_span import SPAN
from kerasplm.tasks.declared_tagging import TAGGING
from kerasplm.tasks.kinds import KINDS
from kerasplm.tasks.own import task_from_json, with_labels
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Split, Task

__all__ = [
    "KINDS",
    "TASKS",
    "Settings",
    "Split",
    "Task",
    "task_from_json",
    "task_named",
    "with_labels",
]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        *(*CLASSIFICATION, *SIMILARITY, *SPAN, *CHOICE, *TAGGING, *RELATION),
        *GENERATION,
    )
}


def task_named(name: str | Path) -> Task:
    """Return a declared task, or the one that a JSON file declares.

    Args:
        name: Name in `TASKS`, or path of a JSON file as for `task_from_json`.

    Raises:
        ConfigError: There is none, or the file is no declaration.
    """
    if str(name).endswith(".json"):
        return task_from_json(Path(name).expanduser())
    name = str(name)
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1)
        raise ConfigError(
            f"no task {name!r}; there are {', '.join(TASKS)}"
            + (f". Did you mean {close[0]!r}?" if close else "")
        )
    return TASKS[name]
