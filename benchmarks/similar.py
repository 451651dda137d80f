"""Searches per second and memory of an index, by numpy and by faiss.

    python -m benchmarks.similar [--count 500000] [--width 312] [--queries 1 32 1024]
        [--top 10] [--runs 3] [--engines numpy faiss-flat]

Random vectors of length 1 lie in files of 32768, as `kerasplm similar` writes them;
each engine runs in a process of its own. Columns: seconds until the index can be
searched, the median seconds of a search for so many queries at once, queries per
second, the largest memory of the process beyond what it had before (files that are
mapped into memory not counted: the system takes such pages back when it needs them),
and the share of the results that are those of the first engine.

faiss is optional: pip install 'kerasplm[faiss]'.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.reporting import print_table
from kerasplm.retrieval import unit_vectors
from kerasplm.retrieval.engines import engine_of

_SHARD = 2**15
_EVERY = 0.002  # seconds between two looks at the memory


def write(folder: Path, count: int, width: int, queries: int) -> None:
    """Write random vectors and queries near some of them."""
    rng = np.random.default_rng(0)
    for shard, first in enumerate(range(0, count, _SHARD)):
        size = (min(_SHARD, count - first), width)
        vectors = unit_vectors(rng.standard_normal(size, "float32"))
        np.save(folder / f"vectors-{shard:05}.npy", vectors)
    asked = rng.standard_normal((queries, width), "float32")
    np.save(folder / "queries.npy", unit_vectors(asked))


def anonymous() -> int:
    """Return the bytes of memory that no file stands for."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise OSError("/proc/self/status has no RssAnon: this needs Linux")


class Peak(threading.Thread):
    """Note the largest memory while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.most = anonymous()

    def run(self) -> None:
        """Look every few milliseconds."""
        while True:
            self.most = max(self.most, anonymous())
            time.sleep(_EVERY)


def measure(folder: Path, engine: Any, sizes: list[int], k: int, runs: int) -> None:
    """Search; print the results as JSON."""
    files = sorted(folder.glob("vectors-*.npy"))
    parts = [np.load(file, mmap_mode="r") for file in files]
    queries = np.load(folder / "queries.npy")
    peak = Peak()
    peak.start()
    begin = time.perf_counter()
    search = engine_of(engine, parts)
    ready = time.perf_counter() - begin
    rows = []
    for size in sizes:
        times = []
        for _ in range(runs + 1):
            begin = time.perf_counter()
            numbers = search(queries[:size], k)[1]
            times.append(time.perf_counter() - begin)
        # The first time reads the files.
        rows.append((size, ready, statistics.median(times[1:])))
    print(json.dumps([rows, peak.most - peak.before, numbers.tolist()]))


def main() -> None:
    """Run every engine and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500000)
    parser.add_argument("--width", type=int, default=312)
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 32, 1024])
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=["numpy", "faiss-flat"])
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "ENGINE"))
    args = parser.parse_args()
    if args.one:
        folder, engine = args.one
        measure(Path(folder), engine, args.queries, args.top, args.runs)
        return
    table, first = [], None
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), args.count, args.width, max(args.queries))
        for engine in args.engines:
            command = [sys.executable, "-m", "benchmarks.similar", *sys.argv[1:]]
            command += ["--one", place, engine]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"{engine}: {done.stderr.strip().splitlines()[-1]}")
                continue
            rows, memory, numbers = json.loads(done.stdout)
            first = numbers if first is None else first
            pairs = zip(first, numbers, strict=True)
            same = sum(len(set(a) & set(b)) for a, b in pairs)
            share = same / sum(map(len, first))
            for size, ready, seconds in rows:
                row = (engine, size, ready, seconds, size / seconds)
                table.append((*row, memory / 2**20, share))
    title = f"{args.count} vectors of {args.width}, the {args.top} nearest"
    columns = ("engine", "queries", "ready s", "search s", "per s", "MiB", "the same")
    print_table(title, columns, table)


if __name__ == "__main__":
    main()
