"""Worker processes, and tasks for them."""

import contextlib
import json
import os
import queue
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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

    Args:
        count: Number of processes.
        data: What each is told first; see `worker.Worker`.

    Example:
        >>> with Pool(2, data) as pool:                     # doctest: +SKIP
        ...     for task in pool.run(tasks):
        ...         print("done:", task)
    """

    def __init__(self, count: int, data: Mapping[str, Any]) -> None:
        self._count = count
        self._data = data
        self._processes: list[subprocess.Popen[bytes]] = []
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        """Start the processes."""
        command = light_python("kerasplm.pretraining.worker")
        for _ in range(self._count):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._processes.append(process)
            self._idle.put(process)
        first = [self._threads.submit(_ask, p, self._data) for p in self._processes]
        try:
            for future in first:
                future.result()
        except BaseException:
            self._stop()
            raise
        return self

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
        for process in self._processes:
            process.kill()
        self._threads.shutdown(wait=True)
        for process in self._processes:
            process.communicate()

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
        process = self._idle.get()
        try:
            _ask(process, task)
        finally:
            self._idle.put(process)


def _ask(process: subprocess.Popen[bytes], data: Mapping[str, Any]) -> None:
    """Send a line, wait for its answer."""
    line = b""
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None and process.stdout is not None:
            process.stdin.write(json.dumps(data).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
    if not line:
        code = process.wait()
        raise errors.DataError(
            f"a worker process ended with status {code}"
            + (" (killed; is memory short?)" if code == -9 else "")
            + ". The same command again goes on; fewer workers take less memory"
        )
    answer = json.loads(line)
    if "error" in answer:
        raise getattr(errors, answer["kind"])(answer["error"])
