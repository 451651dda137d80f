"""The declared tasks. Sources of formats and recipes stand with each."""

import difflib

from kerasplm.errors import ConfigError
from kerasplm.tasks.declared_classification import CLASSIFICATION
from kerasplm.tasks.declared_relation import RELATION
from kerasplm.tasks.kinds import KINDS
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Split, Task

__all__ = ["KINDS", "TASKS", "Settings", "Split", "Task", "task_named"]

TASKS: dict[str, Task] = {task.name: task for task in (*CLASSIFICATION, *RELATION)}


def task_named(name: str) -> Task:
    """Return the task of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1)
        raise ConfigError(
            f"no task {name!r}; there are {', '.join(TASKS)}"
            + (f". Did you mean {close[0]!r}?" if close else "")
        )
    return TASKS[name]
