"""A process that does tasks: a line of JSON in, a line of JSON out.

It is started without the package's own `__init__`, which loads Keras and with it
TensorFlow: 30 MB a worker instead of 650. Nor does it run the caller's script again, so
that a script needs no `if __name__ == "__main__"`.
"""

import contextlib
import gc
import json
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kerasplm.errors import PLMError, describe
from kerasplm.pretraining import records
from kerasplm.pretraining.blocks import maker_of
from kerasplm.pretraining.documents import Block
from kerasplm.pretraining.statistics import Statistics

SHUFFLED_BYTES = 16 << 20
"""Records that are mixed with each other when a shard is written."""


class OrphanError(PLMError):
    """The process that gave the task is gone."""


@contextlib.contextmanager
def complete(
    path: Path, beside: Path, allowed: Callable[[], None]
) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when complete.

    Args:
        path: In a folder that exists.
        beside: Folder on the same disk, for the file until then.
        allowed: Raises if the file is not wanted any more.
    """
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=beside)
    try:
        with open(handle, "wb") as stream:
            yield stream
        allowed()
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def shuffled(
    parts: Iterator[Iterator[bytes]], rng: random.Random, room: int = SHUFFLED_BYTES
) -> Iterator[bytes]:
    """Mix records through a buffer of bounded size.

    Args:
        parts: Records, one part after the other.
        rng: Random numbers.
        room: Bytes that the buffer holds.

    Returns:
        The records; each in a place that is random within the buffer.
    """
    held: list[bytes] = []
    size = 0
    for part in parts:
        for record in part:
            held.append(record)
            size += len(record)
            while size > room:
                place = rng.randrange(len(held))
                held[place], held[-1] = held[-1], held[place]
                size -= len(held[-1])
                yield held.pop()
    rng.shuffle(held)
    yield from held


def mixed(
    seed: int, shard: int, blocks: int, part: Callable[[int], Iterator[bytes]]
) -> Iterator[bytes]:
    """Put a shard together from all blocks.

    Args:
        seed: Of the run.
        shard: Its number.
        blocks: How many there are.
        part: Returns the shard's records of a block.

    Returns:
        The records, in an order that depends on the seed and the shard.
    """
    rng = random.Random(f"{seed}:shard {shard}")
    order = list(range(blocks))
    rng.shuffle(order)
    return shuffled(map(part, order), rng)


def block_files(folder: Path, number: int) -> tuple[Path, Path]:
    """Return where the records of a block lie, and what is in there."""
    return folder / f"block-{number:06}.bin", folder / f"block-{number:06}.json"


class Worker:
    """Does the tasks of one run.

    Args:
        data: What `maker_of` takes, the `folder` for blocks, the `output` folder.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._maker = maker_of(data)
        self._seed = data["settings"]["seed"]
        self._folder = Path(data["folder"])
        self._output = Path(data["output"])
        # The process that becomes the workers.
        self._parent = os.getpid()
        # jieba reads its dictionary at its first text.
        self._maker.words("中文")

    def do(self, task: Mapping[str, Any]) -> None:
        """Do a task: `check` a block, make a `block`, or make a `shard`."""
        does = {"check": self._check, "block": self._block, "shard": self._shard}
        does[task["do"]](task)

    def _complete(self, path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
        return complete(path, self._folder, self._wanted)

    def _wanted(self) -> None:
        # After a kill -9 of the caller another run may have finished here.
        if os.getppid() != self._parent:
            raise OrphanError("the caller is gone")

    def _check(self, task: Mapping[str, Any]) -> None:
        for _ in self._maker.documents(Block.from_json(task["block"])):
            pass

    def _block(self, task: Mapping[str, Any]) -> None:
        block, statistics = Block.from_json(task["block"]), Statistics()
        data, index = block_files(self._folder, block.number)
        found: dict[str, list[int]] = {}
        with self._complete(data) as stream:
            for shard, made in self._maker.make(block, statistics):
                start = stream.tell()
                stream.writelines(made)
                found[str(shard)] = [start, stream.tell() - start, len(made)]
        # The block is finished when this file is there.
        with self._complete(index) as stream:
            facts = {"shards": found, "statistics": statistics.to_json()}
            stream.write(json.dumps(facts, ensure_ascii=False).encode("utf-8"))

    def _shard(self, task: Mapping[str, Any]) -> None:
        shard = task["number"]
        index = np.load(self._folder / "index.npy", mmap_mode="r")

        def part(block: int) -> Iterator[bytes]:
            start, size = map(int, index[block, shard, :2])
            if size:
                with open(block_files(self._folder, block)[0], "rb") as stream:
                    stream.seek(start)
                    yield from records.framed(stream, size)

        with self._complete(self._output / task["name"]) as stream:
            stream.writelines(mixed(self._seed, shard, len(index), part))


def main() -> None:
    """Become the workers of a pool; the arguments are their sockets."""
    sockets = [socket.socket(fileno=int(number)) for number in sys.argv[3:]]
    # Nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    first: dict[str, Any] = {}
    worker: Worker | None = None
    try:
        worker = Worker(json.loads(sys.stdin.buffer.readline()))
    except (PLMError, OSError) as error:
        first = _told(error)
    gc.collect()
    # What is there is shared, as long as nobody looks for garbage in it.
    gc.freeze()
    for own in sockets:
        if os.fork() == 0:
            for other in sockets:
                if other is not own:
                    other.close()
            with own.makefile("rwb") as stream:
                own.close()
                serve(worker, stream, first)
            os._exit(0)
    for own in sockets:
        own.close()
    # Until the caller ends, in whatever way.
    sys.stdin.buffer.read()


def serve(
    worker: Worker | None, stream: BufferedIOBase, first: Mapping[str, Any]
) -> None:
    """Answer tasks until there are no more.

    Args:
        worker: None if it could not be made.
        stream: Of lines of JSON.
        first: The answer to the start.
    """
    answer = first
    with contextlib.suppress(OrphanError, ConnectionError):
        while True:
            stream.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
            stream.flush()
            line = stream.readline()
            if not line or worker is None:
                return
            answer = {}
            try:
                worker.do(json.loads(line))
            except OrphanError:
                raise
            except (PLMError, OSError) as error:
                answer = _told(error)


def _told(error: Exception) -> dict[str, str]:
    kind = type(error).__name__ if isinstance(error, PLMError) else "DataError"
    return {"error": describe(error), "kind": kind}
