"""A task of one's own: declared in a JSON file, labels read from the data."""

import collections
import contextlib
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError, DataError
from kerasplm.files import read_json
from kerasplm.tasks.formats import FORMATS, table_format, target_format
from kerasplm.tasks.formats.format import Format, one_file
from kerasplm.tasks.kinds import KINDS
from kerasplm.tasks.rows import EntityRow, RelationRow, TextRow
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.task import Task

_KEYS = (
    *("name", "title", "kind", "labels", "pair", "columns", "separator", "format"),
    *("files", "aliases", "metric", "options", "recipe", "submissions"),
)
# The format of a kind if the declaration names neither columns nor a format.
_USUAL = {"span": "squad", "tagging": "tags", "relation": "lic2019", "choice": "c3"}
_USUAL["generation"] = "source_target"


def task_from_json(file: Path) -> Task:
    """Read the declaration of a task.

    A JSON object with "name" and any of:

    - "kind": a key of `KINDS`; default "classification".
    - "columns": {"text": ..., "pair": ..., "label": ..., "id": ...}, each the name of
      a column (the key in JSON lines) or its number from 0; "separator" of a file
      that is neither ".csv" nor JSON lines, default a tab. Kind "generation" has a
      "target" to write instead of a label.
    - "format": the name of an official format instead of columns.
    - "files": {"train": "a.csv", "dev": "b.csv", "test": "c.csv"}; default are
      "train", "dev" and "test" with any usual suffix.
    - "labels": in the order of their ids; default are those of the training file.
    - "title", "aliases", "metric", "options", "recipe", "submissions": as for `Task`.

    Raises:
        ConfigError: The file is no such declaration.

    Example:
        >>> task_from_json(Path("stars.json"))  # doctest: +SKIP
    """
    return task_from_data(read_json(file), file)


def task_from_data(data: dict[str, Any], file: Path) -> Task:
    """Return the task that a JSON object declares.

    Args:
        data: As for `task_from_json`.
        file: Where it was read, for messages.

    Raises:
        ConfigError: It is no such declaration.
    """
    unknown = [key for key in data if key not in _KEYS]
    if unknown or not isinstance(data.get("name"), str):
        raise ConfigError(
            f"{file}: expected a task with 'name' and any of {', '.join(_KEYS[1:])}, "
            f"found {', '.join(unknown) or 'no name'}"
        )
    kind = data.get("kind", "classification")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(
            f"{file}: expected a kind of {', '.join(KINDS)}, found {kind!r}"
        )
    form = _format(file, data, kind)
    plain = ("title", "metric")
    fields: dict[str, Any] = {key: data[key] for key in plain if key in data}
    for key in ("aliases", "options", "recipe", "submissions"):
        if not isinstance(data.get(key, {}), dict):
            raise ConfigError(f"{file}: expected an object as {key!r}")
        fields[key] = data.get(key, {})
    choices = {field.name for field in dataclasses.fields(Settings)} - {"options"}
    wrong = [name for name in fields["recipe"] if name not in choices]
    if wrong or not all(map(_is_name, fields["submissions"].values())):
        raise ConfigError(
            f"{file}: expected choices of the training as 'recipe' and file names as "
            f"'submissions', found {', '.join(wrong) or fields['submissions']}"
        )
    columns = data.get("columns")
    if data.get("pair") and isinstance(columns, dict) and "pair" not in columns:
        raise ConfigError(
            f"{file}: expected the column of the second text as 'pair' in 'columns', "
            f"found {', '.join(columns)}"
        )
    labels = data.get("labels", [])
    if not isinstance(labels, list):
        raise ConfigError(f"{file}: expected a list as 'labels', found {labels!r}")
    try:
        task = Task(
            **{"title": data["name"], **fields},
            name=data["name"],
            source=str(file),
            kind=kind,
            labels=tuple(str(label) for label in labels),
            format=form,
            pair=bool(data.get("pair", "pair" in data.get("columns", {}))),
            declaration=data,
        )
        task.settings()  # refuses values of a wrong type
        return task
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"{file}: {error}") from error


def _format(file: Path, data: Mapping[str, Any], kind: str) -> Format:
    columns, name = data.get("columns"), data.get("format", _USUAL.get(kind))
    files = data.get("files", {})
    good = isinstance(files, dict) and set(files) <= {"train", "dev", "test"}
    if not good or not all(map(_is_name, files.values())):
        raise ConfigError(
            f"{file}: expected file names of train, dev and test as 'files', found "
            f"{files!r}"
        )
    named = {split: ((one,),) for split, one in files.items()} or None
    if columns is not None:
        if not isinstance(columns, dict):
            raise ConfigError(f"{file}: expected an object as 'columns'")
        options: dict[str, Any] = {}
        if "separator" in data:
            if not _is_name(data["separator"]):
                raise ConfigError(f"{file}: expected a text as 'separator'")
            options["separator"] = data["separator"]
        if not all(_is_name(x) or type(x) is int for x in columns.values()):
            raise ConfigError(f"{file}: expected names or numbers as 'columns'")
        usual = one_file((".csv", ".tsv", ".txt", ".json", ".jsonl"))
        if kind == "generation":
            return target_format(columns, named or usual, **options)
        number = kind == "regression"
        return table_format(columns, named or usual, number=number, **options)
    if name not in FORMATS:
        raise ConfigError(
            f"{file}: expected 'columns', or a 'format' of {', '.join(FORMATS)}, found "
            f"{name!r}"
        )
    form = FORMATS[name]
    return dataclasses.replace(form, names=named) if named else form


def _is_name(x: Any) -> bool:
    return isinstance(x, str) and bool(x)


def with_labels(task: Task, data: str | Path, train: str | None = None) -> Task:
    """Return the task with the labels of the training file, if it declares none.

    Labels are sorted, as numbers where all are, so that their ids do not depend on
    the order of the file.

    Args:
        task: The declaration.
        data: Folder with the files of the task.
        train: Training file, if it is not under its usual name there.

    Raises:
        DataError: The training file is missing or broken, or has one label only.
    """
    if task.labels or task.kind not in _LABELS_OF:
        return task
    split = task.rows(train or data, "train")
    read = [str(x) for row in split.rows for x in _LABELS_OF[task.kind](row)]
    found = collections.Counter(read)
    first = read[0] if read else ""
    others = [count for label, count in found.items() if label != first]
    if task.kind == "classification" and found[first] == 1 < min(others, default=0):
        raise DataError(
            f"{split.files[0]}: line 1: expected a row like the others, found the "
            f"label {first!r}, which no other row has. If it is a header, name the "
            "columns by their names; if not, list the labels in the declaration"
        )
    labels = sorted(found)
    with contextlib.suppress(ValueError):
        if all(math.isfinite(float(label)) for label in found):
            labels = sorted(found, key=lambda label: (float(label), label))
    if len(labels) < (2 if task.kind == "classification" else 1):
        raise DataError(
            f"{split.files[0]}: expected several labels, found "
            f"{', '.join(labels) or 'none'}"
        )
    return dataclasses.replace(task, labels=tuple(labels))


def _class(row: TextRow) -> list[Any]:
    return [row.label]


def _types(row: EntityRow) -> list[Any]:
    return [entity.type for entity in row.entities or ()]


def _predicates(row: RelationRow) -> list[Any]:
    return [triple.predicate for triple in row.triples or ()]


_LABELS_OF: Mapping[str, Any] = {
    "classification": _class,
    "tagging": _types,
    "relation": _predicates,
}
