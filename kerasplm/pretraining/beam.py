"""Data creation on Apache Beam: the same records from many machines.

Each block is made by the same code as in `worker.py`; the parts of a shard are brought
together by Beam and mixed by the same code, so the files are equal byte for byte.
Paths may be of any file system that Beam knows, such as gs://.
"""

import functools
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kerasplm._version import VERSION
from kerasplm.errors import DataError
from kerasplm.pretraining import documents, records
from kerasplm.pretraining.agreement import FACTS
from kerasplm.pretraining.blocks import BlockMaker, maker_of
from kerasplm.pretraining.creating import (
    PICTURE,
    check_tokenizer,
    facts_of,
    nothing,
    shard_name,
    with_shards,
)
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.documents import Block
from kerasplm.pretraining.statistics import Statistics, picture
from kerasplm.pretraining.worker import mixed
from kerasplm.python_tokenizer import PythonTokenizer

RUNNERS: Mapping[str, str] = MappingProxyType(
    {
        "direct": "DirectRunner",
        "dataflow": "DataflowRunner",
        "flink": "FlinkRunner",
        "spark": "SparkRunner",
    }
)
"""What `--runner` takes, and Beam's names."""

_STATISTICS = -1
Part = tuple[int, bytes]


def create(
    inputs: Sequence[str],
    output: str,
    tokenizer: PythonTokenizer,
    settings: DataSettings,
    runner: str = "direct",
    options: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write the TFRecord files of a corpus by a Beam pipeline.

    Args:
        inputs: Files or globs, as Beam's file systems match them.
        output: Folder for the files of `creating.create`; there must be none of them.
        tokenizer: Of the model.
        settings: What instances look like.
        runner: From `RUNNERS`.
        options: Of the pipeline, by name.

    Returns:
        What `dataset.json` says.

    Raises:
        DataError: Beam is not installed, there is no such runner, or as for
            `creating.create`.

    Example:
        >>> create(["gs://mine/raw/*.txt"], "gs://mine/data", tokenizer, settings,
        ...        "dataflow", {"project": "mine", "region": "europe-west1",
        ...        "temp_location": "gs://mine/temp"})         # doctest: +SKIP

    Source:
        beam.apache.org, "Apache Beam Programming Guide".
    """
    if runner not in RUNNERS:
        raise DataError(f"runner: expected {', '.join(RUNNERS)}, found {runner!r}")
    beam = _import()
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    files = _files(inputs)
    total = sum(size for _, size in files)
    if not total:
        raise DataError(f"{files[0][0]}: expected text, found empty files only")
    settings = with_shards(settings, total)
    check_tokenizer(tokenizer, settings)
    target = FileSystems.join(output, FACTS)
    if FileSystems.exists(target):
        raise DataError(f"{target}: expected a folder without data, found some")
    size = settings.block_bytes or documents.block_size(total)
    blocks = documents.plan(files, size, FileSystems.open)
    told = {
        "settings": settings.to_json(),
        "vocabulary": tokenizer.vocab,
        "tokenizer": tokenizer.get_config(),
    }
    facts = facts_of(files, tokenizer, settings)
    arguments = [f"--{name}={value}" for name, value in (options or {}).items()]
    with beam.Pipeline(RUNNERS[runner], PipelineOptions(arguments)) as pipeline:
        _ = (
            pipeline
            | "Blocks" >> beam.Create([json.dumps(b.to_json()) for b in blocks])
            # So that one machine does not get them all.
            | "Spread" >> beam.Reshuffle()
            | "Build" >> beam.FlatMap(_build, json.dumps(told))
            | "Group" >> beam.GroupByKey()
            | "Write" >> beam.Map(_shard, settings, output, len(blocks))
            | "Together" >> beam.GroupByKey()
            | "Finish" >> beam.Map(_finish, facts, output)
        )
    with FileSystems.open(target) as stream:
        found: dict[str, Any] = json.loads(stream.read())
    return found


def _import() -> Any:
    try:
        import apache_beam
    except ImportError as error:
        raise DataError(
            "--runner: Apache Beam is not installed: pip install 'kerasplm[beam]'"
        ) from error
    return apache_beam


def _files(inputs: Sequence[str]) -> list[tuple[str, int]]:
    from apache_beam.io.filesystems import FileSystems

    found: dict[str, int] = {}
    for name in (part for text in inputs for part in text.split(",") if part):
        (match,) = FileSystems.match([name])
        if not match.metadata_list:
            raise DataError(f"{name}: expected text files there, found none")
        for file in sorted(match.metadata_list, key=lambda file: file.path):
            found[file.path] = file.size_in_bytes
    if not found:
        raise DataError("expected at least one input file, found no name")
    return list(found.items())


def _write(path: str, data: Iterable[bytes]) -> None:
    """Write a file that appears only when complete, on any file system."""
    from apache_beam.io.filesystems import FileSystems

    part = f"{path}.part-{random.SystemRandom().getrandbits(64):016x}"
    with FileSystems.create(part) as stream:
        for piece in data:
            stream.write(piece)
    if FileSystems.exists(path):
        # A runner may do a step twice; both give the same bytes.
        FileSystems.delete([part])
    else:
        FileSystems.rename([part], [path])


@functools.lru_cache(1)
def _maker(told: str) -> BlockMaker:
    return maker_of(json.loads(told))


def _build(block: str, told: str) -> Iterator[tuple[int, Part]]:
    """Make the parts of all shards that come from one block."""
    from apache_beam.io.filesystems import FileSystems

    maker, it, statistics = (
        _maker(told),
        Block.from_json(json.loads(block)),
        Statistics(),
    )
    if it.number == 0:
        # A shard without a record is a file, too.
        for shard in range(json.loads(told)["settings"]["shards"]):
            yield shard, (-1, b"")
    for shard, data in maker.make(it, statistics, FileSystems.open):
        yield shard, (it.number, b"".join(data))
    yield _STATISTICS, (it.number, json.dumps(statistics.to_json()).encode("utf-8"))


def _shard(
    group: tuple[int, Iterable[Part]], settings: DataSettings, output: str, blocks: int
) -> tuple[None, tuple[int, Any]]:
    """Write a shard; return how many records it has, or all statistics."""
    from apache_beam.io.filesystems import FileSystems

    shard, found = group
    parts = dict(found)
    if shard == _STATISTICS:
        total = Statistics()
        for data in parts.values():
            total.add(Statistics.from_json(json.loads(data)))
        return None, (shard, total.to_json())
    count = 0

    def part(block: int) -> Iterator[bytes]:
        nonlocal count
        data = parts.get(block, b"")
        for record in records.framed(io.BytesIO(data), len(data)):
            count += 1
            yield record

    name = shard_name(shard, settings.shards or 1)
    _write(FileSystems.join(output, name), mixed(settings.seed, shard, blocks, part))
    return None, (shard, count)


def _finish(
    group: tuple[None, Iterable[tuple[int, Any]]], facts: Mapping[str, Any], output: str
) -> None:
    """Write the picture and, last, the facts."""
    from apache_beam.io.filesystems import FileSystems

    counts = dict(sorted(group[1]))
    statistics = Statistics.from_json(counts.pop(_STATISTICS))
    if not statistics.instances:
        raise DataError(nothing(next(iter(facts["inputs"])), statistics))
    longest = facts["max_length"]
    found = {
        **facts,
        "version": VERSION,
        "shards": {shard_name(n, len(counts)): count for n, count in counts.items()},
        "statistics": statistics.summary(longest),
    }
    png = picture(found["statistics"], longest)
    _write(FileSystems.join(output, PICTURE), [png])
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    _write(FileSystems.join(output, FACTS), [text.encode("utf-8")])
