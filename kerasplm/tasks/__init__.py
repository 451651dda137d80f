"""The declared tasks. Sources of formats and recipes stand with each."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.tasks.kinds import KINDS
from kerasplm.tasks.reading import files_of, find_file, read_examples
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Rows, Task

__all__ = ["KINDS", "TASKS", "Rows", "Settings", "Task", "task_named"]


@dataclasses.dataclass(frozen=True)
class _Columns:
    columns: tuple[str, ...]
    keys: tuple[str, ...]

    def find(self, path: Path, split: str) -> list[Path]:
        return [find_file(path, split)]

    def has(self, folder: Path, split: str) -> bool:
        return bool(files_of(folder, split))

    def read(
        self,
        files: Sequence[Path],
        labels: Sequence[str],
        *,
        labelled: bool,
        aliases: Mapping[str, str],
    ) -> tuple[list[Any], dict[str, int]]:
        it = read_examples(
            files[0],
            labels=labels,
            columns=self.columns,
            keys=self.keys,
            aliases=aliases,
            unlabelled=not labelled,
        )
        pairs = it.pairs or [None] * len(it)
        numbers = it.labels or [None] * len(it)
        return [
            TextRow(i, text, pair, None if n is None else labels[n])
            for i, text, pair, n in zip(it.ids, it.texts, pairs, numbers, strict=True)
        ], {}


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
            pair=True,
            format=_Columns(_PAIR_COLUMNS, _CLUE_PAIR),
        ),
        Task(
            name="chnsenticorp",
            title="Is a review negative or positive?",
            source="Tan Songbo; ymcui/Chinese-BERT-wwm, ymcui/Chinese-ELECTRA",
            labels=("0", "1"),
            format=_Columns(("label", "text"), ("text", "label")),
            recipe={"max_length": 256},
        ),
        Task(
            name="afqmc",
            title="Do two financial questions ask the same?",
            source="CLUEbenchmark/CLUE classifier_utils.py",
            labels=("0", "1"),
            pair=True,
            format=_Columns(_PAIR_COLUMNS, _CLUE_PAIR),
        ),
        Task(
            name="tnews",
            title="Which of 15 topics has a news title?",
            source="CLUEbenchmark/CLUE classifier_utils.py",
            # 105 and 111 do not exist.
            labels=tuple(str(n) for n in range(100, 117) if n not in (105, 111)),
            format=_Columns(("label", "text"), ("sentence", "label")),
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
