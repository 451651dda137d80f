"""Create pre-training data: a corpus of any size, all cores, little memory.

Blocks of text become intermediate files, each with the records of every shard; then
each shard is put together from all blocks, in random order. Every file depends on the
text and the settings alone, not on the number of workers, and appears only when it is
complete: a run that was killed goes on where it was.
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm._version import VERSION
from kerasplm.errors import DataError, VocabError
from kerasplm.files import alone, read_json, write_bytes, write_json
from kerasplm.pretraining import documents
from kerasplm.pretraining.agreement import FACTS, vocabulary_digest
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.pool import Pool, cores
from kerasplm.pretraining.statistics import Statistics, picture
from kerasplm.pretraining.worker import block_files
from kerasplm.progress import Reporter
from kerasplm.python_tokenizer import PythonTokenizer

PICTURE = "lengths.png"
_WORK = ".work"
_SHARD_TEXT = 32 << 20
_MOST_SHARDS = 256


def create(
    inputs: Sequence[str],
    output: str | Path,
    tokenizer: PythonTokenizer,
    settings: DataSettings | None = None,
    *,
    workers: int | None = None,
    show: bool = False,
) -> dict[str, Any]:
    """Write the TFRecord files of a corpus.

    Args:
        inputs: Files, folders or globs of UTF-8 text: one sentence per line, a blank
            line between documents.
        output: Folder for ``records-00000-of-00016.tfrecord`` and so on,
            ``lengths.png`` and, last, ``dataset.json``. The same call again goes on
            after a stop.
        tokenizer: Of the model, from ``load_tokenizer(x, in_graph=False)``.
        settings: What instances look like.
        workers: Processes. None: one per core.
        show: Whether to tell on stderr how it goes on.

    Returns:
        What `dataset.json` says.

    Raises:
        DataError: A file is missing, not UTF-8 or has no usable document; the folder
            holds data of other settings.
        ConfigError: Another process writes there.
        VocabError: The vocabulary lacks what the settings need.

    Example:
        >>> facts = create(["raw/*.txt"], "data", tokenizer)   # doctest: +SKIP
        >>> facts["statistics"]["instances"]                   # doctest: +SKIP
        184210

    Source:
        google-research/bert, brightmart/roberta_zh and brightmart/albert_zh,
        create_pretraining_data.py; google-research/electra,
        build_pretraining_dataset.py. These hold all documents in memory.
    """
    run = _Run(inputs, Path(output), tokenizer, settings or DataSettings())
    if workers is not None and workers < 1:
        raise DataError(f"workers: expected 1 or more, found {workers}")
    with Reporter(show) as reporter, run.locked():
        return run.go(workers or cores(), reporter)


def shard_name(number: int, count: int) -> str:
    """Return the name of a shard.

    Example:
        >>> shard_name(0, 16)
        'records-00000-of-00016.tfrecord'
    """
    return f"records-{number:05}-of-{count:05}.tfrecord"


def vocabulary_facts(tokenizer: PythonTokenizer) -> dict[str, Any]:
    """Return size, checksum and special ids of a vocabulary."""
    return {
        "size": tokenizer.vocab_size,
        "sha256": vocabulary_digest(tokenizer.vocab),
        "special_ids": {
            "pad": tokenizer.pad_id,
            "unk": tokenizer.unk_id,
            "cls": tokenizer.cls_id,
            "sep": tokenizer.sep_id,
            "mask": tokenizer.mask_id,
        },
    }


class _Run:
    """One call of `create`."""

    def __init__(
        self,
        inputs: Sequence[str],
        output: Path,
        tokenizer: PythonTokenizer,
        settings: DataSettings,
    ) -> None:
        self.output = output
        self.work = output / _WORK
        self.tokenizer = tokenizer
        names = documents.find_files(inputs)
        self.files = [(name, os.path.getsize(name)) for name in names]
        self.total = sum(size for _, size in self.files)
        if not self.total:
            raise DataError(f"{names[0]}: expected text, found empty files only")
        self.settings = with_shards(settings, self.total)
        check_tokenizer(tokenizer, self.settings)
        self.facts = facts_of(self.files, tokenizer, self.settings)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; refuse one with other data."""
        if self.output.exists() and not self.output.is_dir():
            raise DataError(f"{self.output}: expected a folder, found a file")
        with alone(self.output):
            self._refuse_others()
            self.work.mkdir(parents=True, exist_ok=True)
            try:
                yield
            finally:
                if (self.output / FACTS).exists() or not self._started():
                    shutil.rmtree(self.work, ignore_errors=True)

    def _started(self) -> bool:
        return (self.work / "settings.json").exists()

    def _refuse_others(self) -> None:
        if (self.output / FACTS).exists():
            kept = read_json(self.output / FACTS)
            _same(self.output, {k: kept.get(k) for k in self.facts}, self.facts)
        elif self._started():
            now = {**self.facts, **self._changing()}
            _same(self.output, read_json(self.work / "settings.json"), now)
        elif found := sorted(self.output.glob("records-*.tfrecord")):
            raise DataError(
                f"{found[0]}: expected a folder without records, or one that this "
                "command began. Give another --output, or delete the file"
            )

    def _changing(self) -> dict[str, Any]:
        """Return what must not change within a run, but may between two."""
        times = [os.stat(name).st_mtime_ns for name, _ in self.files]
        return {"version": VERSION, "modified": times}

    def go(self, workers: int, reporter: Reporter) -> dict[str, Any]:
        """Make what is not there yet."""
        if (self.output / FACTS).exists():
            kept = read_json(self.output / FACTS)
            for name in kept["shards"]:
                if not (self.output / name).is_file():
                    raise DataError(
                        f"{self.output / name}: expected a file, found none"
                    )
            reporter.say(f"{self.output}: complete already")
            return kept
        for old in self.work.glob(".tmp-*"):
            old.unlink()
        fresh = not self._started()
        size = self.settings.block_bytes or documents.block_size(self.total)
        blocks = documents.plan(self.files, size)
        with Pool(min(workers, len(blocks)), self._told()) as pool:
            if fresh:
                _work(pool, "check", [_task("check", b) for b in blocks], reporter)
                now = {**self.facts, **self._changing()}
                write_json(self.work / "settings.json", now)
            left = [
                b for b in blocks if not block_files(self.work, b.number)[1].exists()
            ]
            done = self.total - sum(map(_bytes, left))
            _work(pool, "build", [_task("block", b) for b in left], reporter, done)
            statistics, index = self._gather(len(blocks))
            if not statistics.instances:
                shutil.rmtree(self.work)
                raise DataError(nothing(self.files[0][0], statistics))
            if len(statistics.labels) == 1:
                reporter.say(statistics.one_label())
            _work(pool, "write", self._shards(index), reporter)
        return self._finish(statistics, index)

    def _told(self) -> dict[str, Any]:
        return {
            "settings": self.settings.to_json(),
            "vocabulary": self.tokenizer.vocab,
            "tokenizer": self.tokenizer.get_config(),
            "folder": str(self.work.absolute()),
            "output": str(self.output.absolute()),
        }

    def _gather(self, count: int) -> tuple[Statistics, np.ndarray]:
        """Return all counts; (blocks, shards, 3) start, bytes, records of parts."""
        shards = self.settings.shards or 1
        total = Statistics()
        # On disk: it grows with the corpus.
        index = np.lib.format.open_memmap(
            self.work / "index.npy", "w+", "int64", (count, shards, 3)
        )
        for number in range(count):
            facts = read_json(block_files(self.work, number)[1])
            for shard, part in facts["shards"].items():
                index[number, int(shard)] = part
            total.add(Statistics.from_json(facts["statistics"]))
        return total, index

    def _shards(self, index: np.ndarray) -> list[dict[str, Any]]:
        """Return the tasks of the shards that are not complete yet."""
        tasks = []
        for number in range(index.shape[1]):
            name = shard_name(number, index.shape[1])
            if (self.output / name).exists():
                continue
            bytes_ = int(index[:, number, 1].sum())
            tasks.append(
                {"do": "shard", "number": number, "name": name, "size": bytes_}
            )
        return tasks

    def _finish(self, statistics: Statistics, index: np.ndarray) -> dict[str, Any]:
        count = index.shape[1]
        counts = index[:, :, 2].sum(0)
        longest = self.settings.max_length
        facts = {
            **self.facts,
            "version": VERSION,
            "shards": {shard_name(n, count): int(counts[n]) for n in range(count)},
            "statistics": statistics.summary(longest),
        }
        write_bytes(self.output / PICTURE, picture(facts["statistics"], longest))
        write_json(self.output / FACTS, facts)
        return facts


def with_shards(settings: DataSettings, total: int) -> DataSettings:
    """Return the settings with a number of shards that fits the bytes of text."""
    if settings.shards is not None:
        return settings
    copies = settings.dupe_factor or 1
    shards = min(max(1, -(-total * copies // _SHARD_TEXT)), _MOST_SHARDS)
    return dataclasses.replace(settings, shards=shards)


def check_tokenizer(tokenizer: PythonTokenizer, settings: DataSettings) -> None:
    """Refuse a vocabulary that cannot be used."""
    if tokenizer.pre_tokenize is not None:
        raise VocabError(
            "expected a vocabulary of characters and pieces, found one of words: its "
            "tokens are words already"
        )
    if tokenizer.mask_id is None and settings.rules.masks:
        raise VocabError("the vocabulary: expected a token [MASK], found none")


def facts_of(
    files: Sequence[tuple[str, int]],
    tokenizer: PythonTokenizer,
    settings: DataSettings,
) -> dict[str, Any]:
    """Return what decides the output: the first part of `dataset.json`."""
    facts = {
        **settings.to_json(),
        "vocabulary": vocabulary_facts(tokenizer),
        "tokenizer": tokenizer.get_config(),
        "inputs": dict(files),
    }
    # Its place in the facts is that of the files.
    del facts["shards"]
    facts["shard_count"] = settings.shards
    words = Path(settings.whole_words)
    if words.is_file():
        facts["words_sha256"] = hashlib.sha256(words.read_bytes()).hexdigest()
    return facts


def _task(what: str, block: documents.Block) -> dict[str, Any]:
    return {"do": what, "block": block.to_json(), "size": _bytes(block)}


def _bytes(block: documents.Block) -> int:
    return sum(part.end - part.start for part in block.parts)


def _work(
    pool: Pool,
    name: str,
    tasks: Sequence[dict[str, Any]],
    reporter: Reporter,
    done: int = 0,
) -> None:
    total = done + sum(task["size"] for task in tasks)
    reporter.begin(name, done, total)
    for task in pool.run(tasks):
        reporter.advance(task["size"])
    reporter.end(name, total)


def _same(output: Path, kept: dict[str, Any], now: dict[str, Any]) -> None:
    for name in now:
        if kept.get(name) != now[name]:
            raise DataError(
                f"{output}: holds data of other choices: {name}: expected "
                f"{_short(kept.get(name))}, found {_short(now[name])}. Give another "
                "--output, or delete the folder"
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nothing(file: str, statistics: Statistics) -> str:
    """Say why there is no instance."""
    if not statistics.documents:
        return f"{file}: expected text, found blank lines only"
    why = ", ".join(f"{count} {reason}" for reason, count in statistics.dropped.items())
    return (
        f"{file}: expected a usable document, found none among "
        f"{statistics.documents}: {why}. See --min-tokens"
    )
