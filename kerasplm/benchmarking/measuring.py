"""The measurements of `kerasplm benchmark`."""

import functools
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from kerasplm.benchmarking import memory
from kerasplm.benchmarking.arithmetic import flops
from kerasplm.errors import PLMError

Result = dict[str, Any]
_SINGLE = 50  # texts whose latency is measured
_LINES = 256  # that the tokenizer in graph gets at once
_SIGN = "，"  # punctuation is one token in every vocabulary


def seconds(work: Callable[[], Any]) -> float:
    """Return how long some work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def lengths_of(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[int]:
    """Return the tokens of each text as the model gets it."""
    return [min(len(ids) + 2, max_length) for ids in tokenizer.tokenize(texts)]


def in_order(ask: Any, texts: Sequence[str]) -> None:
    """Answer batch after batch as the texts come."""
    for start in range(0, len(texts), ask.batch_size):
        ask(list(texts[start : start + ask.batch_size]))


def by_length(ask: Any, texts: Sequence[str]) -> None:
    """Answer all texts at once, the short ones first."""
    ask(sorted(texts, key=len))


STREAMS = {"in order": in_order, "sorted": by_length}


def stream(ask: Any, texts: Sequence[str], repeats: int) -> dict[str, Result]:
    """Measure the way from raw strings to labels, tokenization included.

    Args:
        ask: A pipeline of single texts.
        texts: What it answers.
        repeats: Measurements of each order, in turns; their medians are returned.

    Returns:
        For each order of `STREAMS`: texts, real tokens and useful GFLOP per second,
        the spread of the texts per second, MiB at the peak.
    """
    lengths = lengths_of(ask.tokenizer, texts, ask.max_length)
    work = flops(ask.encoder.config, lengths) / 1e9
    for run in STREAMS.values():
        run(ask, texts[: 2 * ask.batch_size])  # traces
    taken: dict[str, list[float]] = {name: [] for name in STREAMS}
    peaks = dict.fromkeys(STREAMS, 0.0)
    for _ in range(repeats):
        for name, run in STREAMS.items():
            memory.reset()
            begin = time.perf_counter()
            run(ask, texts)
            taken[name].append(time.perf_counter() - begin)
            peaks[name] = max(peaks[name], memory.peak())
    found = {}
    for name, times in taken.items():
        median = statistics.median(times)
        found[name] = {
            "texts/s": len(texts) / median,
            "±": len(texts) * (1 / min(times) - 1 / max(times)) / 2,
            "tokens/s": sum(lengths) / median,
            "GFLOP/s": work / median,
            "peak MiB": peaks[name],
        }
    return found


def latency(ask: Any, texts: Sequence[str], repeats: int) -> Result:
    """Measure how long one text takes, from string to label.

    Args:
        ask: A pipeline of single texts.
        texts: The first of them are asked one by one.
        repeats: How often.

    Returns:
        Milliseconds: the median and the 95th percentile of all calls.
    """
    chosen = texts[:_SINGLE]
    for text in chosen[:5]:
        ask(text)
    calls = [functools.partial(ask, text) for text in chosen]
    times = sorted(1000 * seconds(call) for _ in range(repeats) for call in calls)
    last = times[math.ceil(0.95 * len(times)) - 1]
    return {"median ms": statistics.median(times), "p95 ms": last}


def tokenizers(tokenizer: Any, texts: Sequence[str], repeats: int) -> Result:
    """Measure lines per second of both tokenizers.

    Args:
        tokenizer: A `PythonTokenizer`.
        texts: The lines.
        repeats: Measurements of each, in turns; their medians are returned.
    """
    from kerasplm.python_tokenizer import PythonTokenizer

    options = tokenizer.get_config()
    python = PythonTokenizer(tokenizer.vocab, **options)
    ways: dict[str, Callable[[], Any]] = {"Python": lambda: python.tokenize(texts)}
    if tokenizer.pre_tokenize is None:  # words are cut in Python alone
        import tensorflow as tf

        from kerasplm.tokenizer import Tokenizer

        graph = Tokenizer(tokenizer.vocab, **options)
        parts = [texts[n : n + _LINES] for n in range(0, len(texts), _LINES)]
        tensors = [tf.constant(part) for part in parts]
        ways["in graph"] = lambda: [graph.tokenize(part) for part in tensors]
    else:
        python.pre_tokenize = tokenizer.pre_tokenize
    for way in ways.values():
        way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            taken[name].append(seconds(way))
    return {
        f"{name} lines/s": len(texts) / statistics.median(times)
        for name, times in taken.items()
    }


_PROCESSES = {
    "Python alone s": ("-c", "pass"),
    "import kerasplm s": ("-c", "import kerasplm"),
    "kerasplm --help s": ("-m", "kerasplm.cli", "--help"),
}


def starts(repeats: int) -> Result:
    """Measure the seconds of fresh processes: the medians.

    Raises:
        PLMError: One of them ends with an error.
    """
    found = {}
    for name, arguments in _PROCESSES.items():
        command = [sys.executable, *arguments]
        times = []
        for _ in range(repeats):
            begin = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            times.append(time.perf_counter() - begin)
            if done.returncode:
                raise PLMError(f"{' '.join(command)}: {done.stderr[-500:]}")
        found[name] = statistics.median(times)
    return found


def curve(
    ask: Callable[[int, int], Any],
    lengths: Sequence[int],
    batches: Sequence[int],
    repeats: int,
) -> list[Result]:
    """Measure speed and memory against length and batch.

    Every text has as many tokens as the length says, so there is no padding.

    Args:
        ask: Returns a pipeline of a batch size and a length.
        lengths: Tokens of a text, special tokens included.
        batches: Texts that run at once.
        repeats: Measurements of each point; the medians are returned.

    Returns:
        One row for each point, the small ones first.
    """
    rows = []
    for length in sorted(lengths):
        for batch in sorted(batches):
            pipe = ask(batch, length)
            texts = [_SIGN * (length - 2)] * batch
            work = flops(pipe.encoder.config, [length] * batch) / 1e9
            pipe(texts)
            memory.reset()
            times = [seconds(functools.partial(pipe, texts)) for _ in range(repeats)]
            median = statistics.median(times)
            rows.append(
                {
                    "length": length,
                    "batch": batch,
                    "texts/s": batch / median,
                    "tokens/s": batch * length / median,
                    "GFLOP/s": work / median,
                    "peak MiB": memory.peak(),
                }
            )
    return rows
