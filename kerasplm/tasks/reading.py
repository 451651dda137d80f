"""Read the data files of classification tasks, in their official formats."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import DataError

SUFFIXES = (".json", ".jsonl", ".tsv", ".txt")
_SPLITS = {
    "dev": ("dev", "valid", "validation"),
    "valid": ("valid", "dev"),
    "test": ("test", "eval"),  # as Chinese-ELECTRA calls it
}
_HEADER = {"label", "text", "text_a", "text_b", "sentence", "sentence1", "sentence2"}


@dataclasses.dataclass(frozen=True)
class Examples:
    """The rows of one data file, column by column.

    Args:
        file: Where they were read.
        texts: First texts.
        pairs: Second texts; None for a task on single texts.
        labels: Class ids; None if the file has no labels.
        ids: Identifiers for a submission: those of the file, or 0, 1, 2, ...
    """

    file: Path
    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: tuple[int, ...] | None
    ids: tuple[Any, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.texts)


def find_file(path: str | Path, split: str) -> Path:
    """Return the file of a split: the path itself, or `split.*` in the folder.

    Raises:
        DataError: There is no such file, or there are several.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    found = files_of(path, split)
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{path}: expected one file for {split!r}, found {names}")
    if found:
        return found[0]
    there = ", ".join(sorted(file.name for file in path.iterdir())) or "nothing"
    raise DataError(f"{path}: expected {split}{{{','.join(SUFFIXES)}}}, found {there}")


def files_of(folder: Path, split: str) -> list[Path]:
    """Return the files of a split under the first of its names that has any."""
    for name in _SPLITS.get(split, (split,)):
        files = [folder / (name + suffix) for suffix in SUFFIXES]
        if found := [file for file in files if file.is_file()]:
            return found
    return []


def read_examples(
    file: Path,
    *,
    labels: Sequence[str],
    columns: Sequence[str],
    keys: Sequence[str],
    aliases: Mapping[str, str],
    unlabelled: bool = False,
) -> Examples:
    """Read a file of JSON lines or of tab-separated columns.

    Only a line feed ends a row; blank rows are passed over. A first row of column
    names is recognised and skipped.

    Args:
        file: ".json" and ".jsonl" are JSON lines, ".tsv" and ".txt" are columns.
        labels: Allowed labels, in the order of their ids.
        columns: Order of "text", "pair" and "label" in a tab-separated file.
        keys: JSON keys of text, pair and label in that order (no pair: two keys).
        aliases: Other spellings of labels.
        unlabelled: Whether the labels may be absent (a test file).

    Raises:
        DataError: A row is broken; the message names file, line, what was expected
            and what was found.
    """
    json_lines = file.suffix in (".json", ".jsonl")
    rows = _json_rows(file, keys) if json_lines else _tsv_rows(file, columns, labels)
    index = {label: number for number, label in enumerate(labels)}
    texts: list[str] = []
    pairs: list[str] = []
    numbers: list[int | None] = []
    ids: list[Any] = []
    lines: list[int] = []
    for line, row in rows:
        lines.append(line)
        texts.append(row["text"])
        pairs.append(row.get("pair", ""))
        ids.append(row.get("id", len(ids)))
        label = row["label"]
        label = aliases.get(label, label)
        if label is None:
            if not unlabelled:
                raise DataError(f"{file}: line {line}: expected a label, found none")
        elif label not in index:
            raise DataError(
                f"{file}: line {line}: expected a label of {_some(labels)}, found "
                f"{label!r}"
            )
        numbers.append(None if label is None else index[label])
    if not texts:
        raise DataError(f"{file}: expected examples, found an empty file")
    known = [number for number in numbers if number is not None]
    if known and len(known) != len(numbers):
        raise DataError(
            f"{file}: line {lines[numbers.index(None)]}: has no label, but "
            f"{len(known)} of {len(numbers)} rows have one; expected all or none"
        )
    return Examples(
        file=file,
        texts=tuple(texts),
        pairs=tuple(pairs) if len(keys) == 3 else None,
        labels=tuple(known) if known else None,
        ids=tuple(ids),
    )


def _some(labels: Sequence[str], most: int = 20) -> str:
    more = f", ... ({len(labels)} in all)" if len(labels) > most else ""
    return ", ".join(map(repr, labels[:most])) + more


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    # Only "\n" ends a row: texts hold U+2028 and its like.
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}: line {number}: expected UTF-8, found the byte "
                f"0x{raw[error.start]:02x} at position {error.start + 1}"
            ) from error
        if line.strip():
            yield number, line


def _json_rows(file: Path, keys: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    *text_keys, label_key = keys
    for number, line in _lines(file):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{file}: line {number}: expected a JSON object, found broken JSON at "
                f"column {error.colno} ({error.msg})"
            ) from error
        except (RecursionError, ValueError) as error:
            raise DataError(
                f"{file}: line {number}: not usable JSON ({error})"
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"{file}: line {number}: expected a JSON object, found "
                f"{type(row).__name__}"
            )
        for key in text_keys:
            if not isinstance(row.get(key), str) or not _is_text(row[key]):
                raise DataError(
                    f"{file}: line {number}: expected a text under {key!r}, found "
                    f"{row.get(key)!a} among the keys {', '.join(row)}"
                )
        out = dict(zip(("text", "pair"), (row[key] for key in text_keys), strict=False))
        label = row.get(label_key)
        out["label"] = None if label is None else str(label)
        if "id" in row:
            out["id"] = row["id"]
            if not isinstance(row["id"], int) and not _is_text(row["id"]):
                raise DataError(
                    f"{file}: line {number}: expected a number or a text as id, found "
                    f"{row['id']!a}"
                )
        yield number, out


def _is_text(x: Any) -> bool:
    """Whether it is a string without halves of characters (JSON escapes allow them)."""
    return isinstance(x, str) and not any("\ud800" <= c <= "\udfff" for c in x)


def _tsv_rows(
    file: Path, columns: Sequence[str], labels: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    bare = [column for column in columns if column != "label"]
    place = list(columns).index("label")
    first = True
    for number, line in _lines(file):
        cells = line.split("\t")
        if first:
            first = False
            names = {cell.strip().lower() for cell in cells}
            data = len(cells) > place and cells[place].strip() in labels
            if names & _HEADER and not data:
                continue
        if len(cells) == len(columns):
            row = dict(zip(columns, cells, strict=True))
            row["label"] = row["label"].strip()
            yield number, row
        elif len(cells) == len(bare):
            yield number, dict(zip(bare, cells, strict=True)) | {"label": None}
        else:
            raise DataError(
                f"{file}: line {number}: expected {len(columns)} columns separated by "
                f"tabs ({', '.join(columns)}), found {len(cells)}"
            )
