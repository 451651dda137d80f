"""How the files of each format are copied, by the function that reads them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.augmentation.layouts import items, tags, texts
from kerasplm.augmentation.records import Layout
from kerasplm.errors import ConfigError
from kerasplm.tasks import Task
from kerasplm.tasks.formats import choices, clue, columns, entities, questions
from kerasplm.tasks.formats.relations import read_triples

__all__ = ["KINDS", "check_task", "layout_of"]

KINDS = (
    *("classification", "regression", "tagging"),
    *("span", "choice", "relation"),
)
"""Kinds of tasks whose rows can be reworded without another answer."""

_LAYOUTS: Mapping[Any, Callable[..., Layout]] = {
    columns.read_table: texts.table,
    clue.read_keywords: texts.keywords,
    clue.read_pronouns: texts.pronouns,
    clue.read_causes: texts.causes,
    questions.read_questions: items.questions,
    choices.read_dialogues: items.dialogues,
    choices.read_idioms: items.idioms,
    entities.read_spans: texts.spans,
    entities.read_tags: tags.tags,
    entities.read_words: tags.words,
    read_triples: texts.triples,
}


def check_task(task: Task) -> None:
    """Check that rows of the task can be reworded.

    Raises:
        ConfigError: They cannot.
    """
    read = getattr(task.format.read, "func", task.format.read)
    if task.kind not in KINDS or read not in _LAYOUTS:
        raise ConfigError(
            f"task {task.name!r}: data of kind {task.kind!r} cannot be augmented; "
            f"those of {', '.join(KINDS)} in official formats can"
        )


def layout_of(task: Task, files: Sequence[Path]) -> Layout:
    """Return the records of the files of a task, which its reader has accepted.

    Args:
        task: The declaration.
        files: Of one split.

    Raises:
        ConfigError: Rows of the task cannot be reworded.
    """
    check_task(task)
    read = task.format.read
    options = getattr(read, "keywords", {})
    made = _LAYOUTS[getattr(read, "func", read)]
    return made(files, task.labels, task.aliases, **options)
