"""Embed a corpus into the folder of an index, shard by shard."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.errors import ConfigError, DataError
from kerasplm.files import (
    LOCK,
    alone,
    appearing,
    read_json,
    write_json,
    write_json_lines,
)
from kerasplm.retrieval.folder import (
    FACTS,
    FORMAT,
    Texts,
    mapped,
    texts_file,
    vectors_file,
)
from kerasplm.retrieval.vectors import Embedding, checked_text

_EMBEDDED = 1024  # texts between two reports of the progress
_LINE_ENDS = "\r\n"


def write(
    folder: Path,
    texts: Iterable[str],
    embedding: Embedding,
    shard_size: int,
    progress: Callable[[int], None] | None,
) -> None:
    """Embed texts into a folder; see `SentenceIndex.build`."""
    folder = folder.expanduser()
    if folder.exists():
        raise ConfigError(f"{folder}: exists; delete it, or name another folder")
    if shard_size < 1:
        raise ConfigError(f"shard_size must be positive. Received: {shard_size}")
    work = folder.with_name(f"{folder.name}.building")
    plan = {
        "format": FORMAT,
        "measure": embedding.measure,
        "shard_size": shard_size,
        "model": embedding.facts(),
    }
    with alone(work):
        if not _resumes(work, plan):
            write_json(work / "plan.json", plan)
        try:
            count, width = _shards(work, texts, embedding, shard_size, progress)
        except BaseException:
            # What cannot go on, or has nothing to go on from, is not left behind.
            if plan["model"] is None or not vectors_file(work, 0).exists():
                shutil.rmtree(work, ignore_errors=True)
            raise
        write_json(work / FACTS, {**plan, "count": count, "width": width})
        os.replace(work, folder)
        for name in ("plan.json", LOCK):
            (folder / name).unlink()


def _resumes(work: Path, plan: Mapping[str, Any]) -> bool:
    """Tell whether a build that was interrupted can go on.

    Raises:
        ConfigError: It was another one.
    """
    if all(path.name == LOCK for path in work.iterdir()):
        return False
    if not (work / "plan.json").is_file():
        raise ConfigError(f"{work}: exists and is not left of a build; left alone")
    if read_json(work / "plan.json") == plan and plan["model"] is not None:
        return True
    raise ConfigError(
        f"{work}: is left of a build with another model or other options; delete it"
    )


def _shards(
    work: Path,
    texts: Iterable[str],
    embedding: Embedding,
    shard_size: int,
    progress: Callable[[int], None] | None,
) -> tuple[int, int]:
    """Write the shards that are missing; return the number of texts and the width."""
    if isinstance(texts, str):
        raise ConfigError(f"texts must be a list of texts. Received: {texts!r:.80}")
    count, width = 0, None
    source = _cleaned(texts)
    for shard in itertools.count():
        some = list(itertools.islice(source, shard_size))
        path = vectors_file(work, shard)
        if not some:
            if path.exists():
                raise _other_texts(work)
            break
        if path.exists():
            width = mapped(path, (len(some), width)).shape[1]
            if list(Texts(work, count + len(some), shard_size)[count:]) != some:
                raise _other_texts(work)
            if progress is not None:
                progress(len(some))
        else:
            width = _write_shard(work, shard, some, embedding, width, progress)
        count += len(some)
    if width is None:
        raise DataError("expected texts to embed, found none")
    return count, width


def _other_texts(work: Path) -> DataError:
    return DataError(f"{work}: is left of a build with other texts; delete it")


def _write_shard(
    work: Path,
    shard: int,
    texts: list[str],
    embedding: Embedding,
    width: int | None,
    progress: Callable[[int], None] | None,
) -> int:
    write_json_lines(texts_file(work, shard), texts)
    vectors: Any = None
    for start in range(0, len(texts), _EMBEDDED):
        some = texts[start : start + _EMBEDDED]
        found = embedding(some, width)
        if vectors is None:
            width = found.shape[1]
            vectors = np.empty((len(texts), width), "<f4")
        vectors[start : start + len(some)] = found
        if progress is not None:
            progress(len(some))
    with appearing(vectors_file(work, shard)) as file:
        np.save(file, vectors, allow_pickle=False)
    return vectors.shape[1]


def _cleaned(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield checked_text(text, number).rstrip(_LINE_ENDS)
