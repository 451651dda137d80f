"""Augment the training data of a task: its own format, with copies of each row."""

import collections
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasplm._version import VERSION
from kerasplm.augmentation.augmenter import ContextualAugmenter
from kerasplm.augmentation.journal import GrowingFile
from kerasplm.augmentation.languages import LANGUAGES, language_of
from kerasplm.augmentation.layouts import check_task, layout_of
from kerasplm.augmentation.records import Layout, Record
from kerasplm.augmentation.statistics import Counts, Statistics
from kerasplm.augmentation.vectors import LIMIT, WordVectors
from kerasplm.errors import ConfigError
from kerasplm.files import write_text
from kerasplm.tasks import Task, task_named, with_labels

# Records whose texts run through the model together.
_TOGETHER = 64
# Texts that tell the language.
_LOOKED_AT = 1000
# Rows up to which a text is copied so often; more rows need fewer copies.
_COPIES = ((10_000, 30), (150_000, 20))
_FEWEST = 10
_SAMPLES = 5

Progress = Callable[[int, int], None]


def augment_task(
    task: str | Path | Task,
    data: str | Path,
    output: str | Path,
    model: keras.Model,
    tokenizer: Any,
    *,
    copies: int | None = None,
    candidates: int = 15,
    probability: float = 0.4,
    seed: int = 0,
    language: str = "auto",
    vectors: str | Path | WordVectors | None = None,
    vectors_limit: int = LIMIT,
    batch_size: int = 32,
    max_length: int | None = None,
    mask_share: float = 0.15,
    fill: str = "joint",
    progress: Progress | None = None,
) -> Statistics:
    """Write the training data of a task with reworded copies of each row.

    The file has the format of the task's own training file: give it to `finetune` as
    `train`. Each row stands before its copies; in those of a pair one text is
    reworded and the other one stays as it was. Fields that are no texts stay, and so
    does what an answer hangs on: entities, answers in passages, subjects and objects,
    choices, nouns and pronouns. A run that is ended goes on where it was when it is
    called again, and the file is the same as without.

    Args:
        task: Name in `TASKS`, the path of a declaration, or a task.
        data: Folder with the files of the task, or its training file.
        output: The file to write.
        model: A `PretrainedModel` with an MLM head: `load(x, heads="pretraining")`.
        tokenizer: From `load_tokenizer`.
        copies: Draws for each text of a row; equal ones are left out. Default: 30 for
            up to 10,000 rows, 20 for up to 150,000, else 10, which gives the numbers
            that TinyBERT has for the tasks of GLUE.
        candidates: As for `ContextualAugmenter`.
        probability: As for `ContextualAugmenter`.
        seed: Of what is drawn.
        language: "zh", "en", or "auto": what the texts are mostly written in.
        vectors: A text file of word vectors, or vectors; None uses the model alone.
        vectors_limit: How many of a file are read.
        batch_size: As for `ContextualAugmenter`.
        max_length: As for `ContextualAugmenter`.
        mask_share: As for `ContextualAugmenter`.
        fill: As for `ContextualAugmenter`.
        progress: Is told how many records are done, and how many there are.

    Returns:
        What was written.

    Raises:
        ConfigError: The task's kind has no augmentation, or a choice is bad.
        DataError: A file is broken.

    Example:
        >>> augment_task("chnsenticorp", "data", "data/train_augmented.tsv", model,
        ...     tokenizer, copies=20)  # doctest: +SKIP

    Source: huawei-noah TinyBERT, data_augmentation.py.
    """
    task = task if isinstance(task, Task) else task_named(task)
    check_task(task)
    if copies is not None and copies < 1:
        raise ConfigError(f"copies must be positive. Received: {copies}")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be in [0, 2**32). Received: {seed}")
    if language not in LANGUAGES:
        raise ConfigError(
            f"language must be one of {', '.join(LANGUAGES)}. Received: {language!r}"
        )
    task = with_labels(task.at(data), data)
    split = task.rows(data, "train")  # its checks hold for all that follows
    files, rows = split.files, len(split)
    del split
    output = Path(output).expanduser()
    _check_output(output, files)
    total, texts = _looked_at(layout_of(task, files))
    if language == "auto":
        language = language_of(texts)
    if isinstance(vectors, str | Path):
        vectors = WordVectors.read(vectors, vectors_limit)
    augmenter = ContextualAugmenter(
        model,
        tokenizer,
        language=language,
        candidates=candidates,
        probability=probability,
        vectors=vectors,
        batch_size=batch_size,
        max_length=max_length,
        mask_share=mask_share,
        fill=fill,
    )
    copies = copies or next((n for most, n in _COPIES if rows <= most), _FEWEST)
    facts = {
        "version": VERSION,
        "task": task.name,
        "data": [_digest(file.read_bytes()) for file in files],
        "model": _digest(*map(keras.ops.convert_to_numpy, model.weights)),
        "tokenizer": _digest("\n".join(tokenizer.vocab).encode()),
        "vectors": vectors
        and _digest("\n".join(vectors.words).encode(), vectors.table),
        "language": language,
        "copies": copies,
        "candidates": candidates,
        "probability": probability,
        "seed": seed,
        "max_length": max_length,
        "mask_share": mask_share,
        "fill": fill,
    }
    layout = layout_of(task, files)
    if layout.answers and "answer" in output.stem:
        raise ConfigError(
            f"{output}: expected a name without 'answer', which that of the file of "
            "answers has"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with GrowingFile(output, facts).opened() as file:
        counts = Counts.restored(file.noted)
        _write(file, layout, augmenter, counts, (copies, seed, total), progress)
        answers = task.format.answers(output)
        if layout.answers and answers:
            write_text(answers, layout.answers(file.text))
        file.finish(layout.end)
    return counts.told(output, language, copies)


def _write(
    file: GrowingFile,
    layout: Layout,
    augmenter: ContextualAugmenter,
    counts: Counts,
    numbers: tuple[int, int, int],
    progress: Progress | None,
) -> None:
    """Write what is missing."""
    copies, seed, total = numbers
    if not file.noted:
        file.append(layout.begin, counts.noted())
    records = itertools.islice(layout.records, counts.records, None)
    for part in _parts(records):
        if progress:
            progress(counts.records, total)
        slots = [slot for record in part for slot in record.slots]
        found = iter(
            augmenter.places([x.text for x in slots], [x.fixed for x in slots])
        )
        written = []
        for record in part:
            places = [next(found) for _ in record.slots]
            rng = np.random.default_rng([seed, counts.records])
            others = _copies_of(record, places, augmenter, copies, rng)
            counts.add(record, places, others)
            written.append(layout.render(record.data))
            written += [
                layout.render(record.copied(texts, number))
                for number, texts in enumerate(others, 1)
            ]
        begun = counts.records > len(part)
        text = layout.between * begun + layout.between.join(written)
        file.append(text, counts.noted())
    if progress:
        progress(total, total)


def _parts(records: Iterator[Record]) -> Iterator[list[Record]]:
    while part := list(itertools.islice(records, _TOGETHER)):
        yield part


def _copies_of(
    record: Record,
    places: Sequence[Any],
    augmenter: ContextualAugmenter,
    copies: int,
    rng: np.random.Generator,
) -> list[tuple[str, ...]]:
    """Return the texts of each copy of a record; of one column all others stay."""
    own = tuple(slot.text for slot in record.slots)
    found: dict[tuple[str, ...], None] = {}
    for column in sorted({slot.column for slot in record.slots}):
        drawn = [
            augmenter.draws(slot.text, held, copies, rng, slot.same_length)
            if slot.column == column
            else [slot.text] * copies
            for slot, held in zip(record.slots, places, strict=True)
        ]
        found |= dict.fromkeys(zip(*drawn, strict=True))
    found.pop(own, None)
    return list(found)


def _looked_at(layout: Layout) -> tuple[int, list[str]]:
    """Return how many records there are, and texts of the first ones."""
    total = 0
    texts: list[str] = []
    for record in layout.records:
        total += 1
        if len(texts) < _LOOKED_AT:
            texts += [slot.text for slot in record.slots]
    return total, texts


def _check_output(output: Path, files: Sequence[Path]) -> None:
    """Refuse an output that readers would take for another format, or an input."""
    kinds: Mapping[str, str] = collections.defaultdict(
        lambda: "text", {".json": "json", ".jsonl": "json", ".csv": "csv"}
    )
    first = files[0]
    if kinds[output.suffix] != kinds[first.suffix]:
        raise ConfigError(
            f"{output}: expected a name that ends like that of {first.name}, whose "
            f"format the file has, found {output.suffix!r}"
        )
    if output.is_dir():
        raise ConfigError(f"{output}: expected the name of a file, found a folder")
    if output.exists() and any(output.samefile(file) for file in files):
        raise ConfigError(f"{output}: is the training file itself")


def _digest(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else part.tobytes())
    return found.hexdigest()
