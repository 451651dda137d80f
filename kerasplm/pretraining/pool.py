"""Worker processes, and tasks for them."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kerasplm import errors

# The package without its __init__; see worker.py.
_START = """
import sys, types
package = types.ModuleType("kerasplm")
package.__path__ = [sys.argv[1]]
sys.modules["kerasplm"] = package
import importlib
importlib.import_module(sys.argv[2]).main()
"""


def light_python(module: str) -> list[str]:
    """Return the command that runs `main` of a module without loading Keras.

    Args:
        module: Its full name; it must import nothing that needs Keras.
    """
    folder = str(Path(__file__).parent.parent)
    # -P: a file in the current folder hides no module of Python's.
    return [sys.executable, "-P", "-c", _START, folder, module]


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """Runs tasks in worker processes.

    One process loads what all need and becomes them all by fork, so that they share
    its memory: a dictionary of jieba takes 70 MB.

    Args:
        count: Number of workers.
        data: What they are told first; see `worker.Worker`.

    Example:
        >>> with Pool(2, data) as pool:                     # doctest: +SKIP
        ...     for task in pool.run(tasks):
        ...         print("done:", task)
    """

    def __init__(self, count: int, data: Mapping[str, Any]) -> None:
        self._count = count
        self._data = data
        self._threads = ThreadPoolExecutor(count)
        self._idle: queue.SimpleQueue[BufferedIOBase] = queue.SimpleQueue()
        self._lines: list[BufferedIOBase] = []

    def __enter__(self) -> Self:
        """Start the processes."""
        pairs = [socket.socketpair() for _ in range(self._count)]
        theirs = [theirs.fileno() for _, theirs in pairs]
        command = light_python("kerasplm.pretraining.worker")
        # They leave arithmetic of matrices alone: no threads for that.
        self._process = subprocess.Popen(
            [*command, *map(str, theirs)],
            stdin=subprocess.PIPE,
            pass_fds=theirs,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        for mine, other in pairs:
            other.close()
            self._lines.append(mine.makefile("rwb"))
            mine.close()
        try:
            self._tell()
            for line in self._lines:
                _answer(line)
                self._idle.put(line)
        except BaseException:
            self._stop()
            raise
        return self

    def _tell(self) -> None:
        stream = self._process.stdin
        # One that ended already gives no answer.
        with contextlib.suppress(BrokenPipeError):
            if stream is not None:
                stream.write(json.dumps(self._data).encode() + b"\n")
                stream.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes."""
        self._stop()

    def _stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        # The session of the first process, which is not reaped yet, so it is theirs.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._threads.shutdown(wait=True)
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.close()

    def run(self, tasks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Do tasks in any order; yield each when it is done.

        Raises:
            PLMError: What a worker raised, or that one was killed.
        """
        waiting = iter(tasks)
        futures: dict[Future[None], Mapping[str, Any]] = {}
        while True:
            while len(futures) < 2 * self._count:
                task = next(waiting, None)
                if task is None:
                    break
                futures[self._threads.submit(self._one, task)] = task
            if not futures:
                return
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                yield futures.pop(future)

    def _one(self, task: Mapping[str, Any]) -> None:
        line = self._idle.get()
        try:
            with contextlib.suppress(BrokenPipeError):
                line.write(json.dumps(task).encode() + b"\n")
                line.flush()
            _answer(line)
        finally:
            self._idle.put(line)


def _answer(line: BufferedIOBase) -> None:
    """Wait for the answer of a worker."""
    data = b""
    with contextlib.suppress(ConnectionError):
        data = line.readline()
    if not data:
        raise errors.DataError(
            "a worker process ended before its work (was it killed because memory is "
            "short?). The same command again goes on; fewer workers take less memory"
        )
    answer = json.loads(data)
    if "error" in answer:
        raise getattr(errors, answer["kind"])(answer["error"])
