"""The declared tasks. Sources of formats and recipes stand with each."""

from kerasplm.errors import ConfigError
from kerasplm.tasks.task import Task

__all__ = ["TASKS", "Task", "task_named"]

_PAIR_COLUMNS = ("text", "pair", "label")
_CLUE_PAIR = ("sentence1", "sentence2", "label")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="lcqmc",
            title="Do two questions ask the same? (question matching)",
            source="Liu et al., COLING 2018; brightmart/albert_zh run_classifier.py",
            labels=("0", "1"),
            columns=_PAIR_COLUMNS,
            keys=_CLUE_PAIR,
        ),
        Task(
            name="chnsenticorp",
            title="Is a review negative or positive?",
            source="Tan Songbo; ymcui/Chinese-BERT-wwm, ymcui/Chinese-ELECTRA",
            labels=("0", "1"),
            columns=("label", "text"),
            keys=("text", "label"),
            max_length=256,
        ),
        Task(
            name="afqmc",
            title="Do two financial questions ask the same?",
            source="CLUEbenchmark/CLUE classifier_utils.py",
            labels=("0", "1"),
            columns=_PAIR_COLUMNS,
            keys=_CLUE_PAIR,
        ),
        Task(
            name="tnews",
            title="Which of 15 topics has a news title?",
            source="CLUEbenchmark/CLUE classifier_utils.py",
            # 105 and 111 do not exist.
            labels=tuple(str(n) for n in range(100, 117) if n not in (105, 111)),
            columns=("label", "text"),
            keys=("sentence", "label"),
        ),
    )
}


def task_named(name: str) -> Task:
    """Return the task of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in TASKS:
        raise ConfigError(f"no task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]
