"""Read every data set of a folder with its official format and count what is there.

    python -m benchmarks.read_every_dataset --data DIR

DIR holds one folder for each data set, as named in `DATASETS`; what is missing is told
and left out. Columns: rows, labels (or types, predicates) seen, rows dropped and
things repaired by the rules of the format, odd rows, and the characters of a row's
texts: mean, 95th percentile, longest. A row is odd if a text is empty, an answer is
not in the passage, or a part of a relation is not in the text. A second table tells
where the answers of reading comprehension stand. The exit status is 1 if a file is
broken.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.errors import DataError
from kerasplm.reporting import print_table
from kerasplm.tasks.formats import FORMATS, Rows, read_schemas
from kerasplm.tasks.formats.questions import MOVED, NO_OFFSET, NOT_FOUND
from kerasplm.tasks.rows import (
    ChoiceRow,
    EntityRow,
    QuestionRow,
    RelationRow,
    TextRow,
)

BINARY = ("0", "1")
TNEWS = tuple(str(n) for n in range(100, 117) if n not in (105, 111))
IFLYTEK = tuple(map(str, range(119)))
CLUENER = ("address", "book", "company", "game", "government")
CLUENER += ("movie", "name", "organization", "position", "scene")
SPLITS = {"train": "train", "dev": "dev", "test": "test"}
FEW = {
    "train_few_all": "train_few_all.json",
    "dev_few_all": "dev_few_all.json",
    "test_public": "test_public.json",
    "test": "test.json",
}


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A folder and how to read it.

    Args:
        folder: Its name.
        form: Name of the format.
        labels: Allowed labels; a file name: the predicates in it.
        splits: Name to split, or to a file.
    """

    folder: str
    form: str
    labels: Sequence[str] | str = ()
    splits: Mapping[str, str] = dataclasses.field(default_factory=lambda: SPLITS)


DATASETS = (
    Dataset("afqmc", "afqmc", BINARY),
    Dataset("lcqmc", "lcqmc", BINARY, {"dev": "dev", "test": "test"}),
    Dataset("chnsenticorp", "chnsenticorp", BINARY),
    Dataset("sentiment", "sentiment", BINARY),
    Dataset("fewclue_tnews", "tnews", TNEWS, FEW),
    Dataset("fewclue_iflytek", "iflytek", IFLYTEK, FEW),
    Dataset("fewclue_csl", "csl", BINARY, FEW),
    Dataset("fewclue_cluewsc", "cluewsc2020", ("true", "false"), FEW),
    Dataset("fewclue_chid", "chid", (), FEW),
    Dataset("cmrc2018_clue", "cmrc2018", (), SPLITS | {"trial": "trial"}),
    Dataset("c3", "c3"),
    Dataset("cluener2020", "cluener", CLUENER, {"train": "train", "dev": "dev"}),
    Dataset("weibo_ner", "weibo"),
    Dataset(
        "landscape_ie_spo", "lic2019", "all_50_schemas", {"dev": "dev", "test": "test"}
    ),
)


def seen(row: Any) -> list[str]:
    """Return the labels of a row."""
    if isinstance(row, TextRow):
        return [] if row.label is None else [str(row.label)]
    if isinstance(row, EntityRow):
        return [entity.type for entity in row.entities or ()]
    if isinstance(row, RelationRow):
        return [triple.predicate for triple in row.triples or ()]
    if isinstance(row, ChoiceRow):
        return [] if row.answer is None else [str(row.answer)]
    return ["answer" for _ in row.answers or ()]


def texts(row: Any) -> list[str]:
    """Return the texts that a model reads for a row."""
    if isinstance(row, TextRow):
        return [row.text] if row.pair is None else [row.text, row.pair]
    if isinstance(row, QuestionRow):
        return [row.question, row.context]
    if isinstance(row, ChoiceRow):
        return [row.context + row.question, *row.choices]
    return [row.text]


def is_odd(row: Any) -> bool:
    """Whether a text is empty, or what should be in a text is not there."""
    if isinstance(row, RelationRow):
        parts = (part for x in row.triples or () for part in (x.subject, x.object))
        return any(not part or part not in row.text for part in parts)
    if isinstance(row, QuestionRow) and any(x.start < 0 for x in row.answers or ()):
        return True
    return not all(text.strip() for text in texts(row))


def line_of(rows: Rows) -> list[Any]:
    """Return the numbers of one split."""
    counts = Counter(label for row in rows.rows for label in seen(row))
    lengths = np.array([sum(map(len, texts(row))) for row in rows.rows])
    tell = "; ".join(
        f"{n} {what}" for what, n in (rows.dropped + rows.repaired).items()
    )
    return [
        len(rows),
        len(counts),
        counts.total(),
        tell or "-",
        sum(map(is_odd, rows.rows)),
        round(float(lengths.mean()), 1),
        int(np.percentile(lengths, 95)),
        int(lengths.max()),
    ]


def places(rows: Rows) -> list[Any]:
    """Return how many answers stand where the file says."""
    total = sum(len(row.answers or ()) for row in rows.rows)
    broken = [rows.repaired[what] for what in (MOVED, NO_OFFSET, NOT_FOUND)]
    counts = [total - sum(broken), broken[0] + broken[1], broken[2]]
    return [total, *(f"{n} ({n / total:.2%})" for n in counts)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    lines, answers, broken = [], [], 0
    for dataset in DATASETS:
        folder = data / dataset.folder
        if not folder.is_dir():
            print(f"{folder}: not there, left out")
            continue
        form = FORMATS[dataset.form]
        for name, what in dataset.splits.items():
            try:
                labels = dataset.labels
                if isinstance(labels, str):
                    labels = read_schemas(folder / labels)
                files = [folder / what] if "." in what else form.find(folder, what)
                rows = form.read(files, labels, labelled=None, aliases={})
            except DataError as error:
                broken += 1
                print(f"BROKEN {error}")
                continue
            lines.append([dataset.folder, name, *line_of(rows)])
            if isinstance(rows.rows[0], QuestionRow) and any(map(seen, rows.rows)):
                answers.append([dataset.folder, name, *places(rows)])
    columns = ["data set", "split", "rows", "labels", "of them in all"]
    columns += ["dropped, repaired", "odd", "characters", "p95", "max"]
    print_table("Data sets", columns, lines)
    columns = ["data set", "split", "answers", "exact", "repaired", "not found"]
    print_table("Places of answers", columns, answers)
    return 1 if broken or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
