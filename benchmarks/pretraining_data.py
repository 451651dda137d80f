"""Speed and memory of making pre-training data, beside the original way.

    python -m benchmarks.pretraining_data TEXT VOCAB [--copies 5] [--workers 1]
        [--repeat N] [--original SCRIPT [--python PYTHON]]

Both make static records of roberta_zh's layout with whole words of jieba: 256 tokens,
23 predictions, masked_lm_prob 0.1. "Original way" is `create_pretraining_data.py` of
brightmart/roberta_zh acted out step by step, its tokenizer too, by
`benchmarks.pretraining_original`. `--original` runs a script that has the flags of
google-research/bert instead, by `--python`. The original itself was measured at 136,000
tokens per second, and albert_zh's at 121,000, on a core of another machine; how fast
this machine is, the speed of jieba alone tells.

CPU seconds are those of all processes, from start to end, so that other work on the
machine counts little; rates are per CPU second, which is per core. Memory is the
highest sum of the proportional set sizes of all processes, so shared memory counts once
(Linux only). Tokens are those of the records with [CLS] and [SEP]. `--repeat` writes
the text N times in a row, for a large corpus; the original way would have as many times
more to hold, so it is left out.
"""

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pretraining_original import LENGTH, PREDICTIONS, PROBABILITY
from kerasplm.pretraining import records
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.pool import light_python
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.vocab import load_vocab


def processes(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += processes(int(child))
    return found


def memory(pid: int) -> int:
    """Return the bytes that a process takes; shared ones in proportion."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    with contextlib.suppress(OSError):
        # The name, in brackets, may hold spaces; user and system time follow.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def measured(command: Sequence[str], task: bytes = b"") -> tuple[float, float, float]:
    """Run a command; return its seconds, CPU seconds and most MiB."""
    begin, most, spent = time.perf_counter(), 0, dict[int, float]()
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out:
        stdin.write(task)
        stdin.seek(0)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = subprocess.Popen(
            command, stdin=stdin, stdout=out, stderr=out, env=environment
        )
        while process.poll() is None:
            found = processes(process.pid)
            most = max(most, sum(map(memory, found)))
            for pid in found:
                spent[pid] = max(spent.get(pid, 0.0), seconds(pid))
            time.sleep(0.1)
        if process.returncode:
            out.seek(0)
            sys.exit(out.read().decode(errors="replace")[-3000:])
    return time.perf_counter() - begin, sum(spent.values()), most / 2**20


def ours(text: str, vocab: str, copies: int, workers: int, output: str) -> Any:
    """Run the command as a user does, less the import of TensorFlow."""
    tokenizer = PythonTokenizer(load_vocab(vocab))
    settings = DataSettings(
        "doc-sentences",
        "static",
        max_length=LENGTH,
        max_predictions=PREDICTIONS,
        masked_lm_prob=PROBABILITY,
        dupe_factor=copies,
        whole_words="jieba",
    )
    task = {
        "inputs": [text],
        "output": output,
        "vocabulary": tokenizer.vocab,
        "tokenizer": tokenizer.get_config(),
        "settings": settings.to_json(),
        "workers": workers,
        "show": False,
    }
    command = light_python("kerasplm.pretraining.command")
    return measured(command, json.dumps(task).encode())


def theirs(arguments: argparse.Namespace, output: str) -> Any:
    """Run the original way, or the given script."""
    if arguments.original is None:
        given = [arguments.text, arguments.vocab, str(arguments.copies), output]
        module = "benchmarks.pretraining_original"
        return measured([sys.executable, "-m", module, *given])
    flags = {
        "input_file": arguments.text,
        "output_file": output,
        "vocab_file": arguments.vocab,
        "do_whole_word_mask": True,
        "max_seq_length": LENGTH,
        "max_predictions_per_seq": PREDICTIONS,
        "masked_lm_prob": PROBABILITY,
        "dupe_factor": arguments.copies,
    }
    given = [f"--{name}={value}" for name, value in flags.items()]
    return measured([arguments.python, arguments.original, *given])


def jieba_speed(text: str, lines: int = 2000) -> float:
    """Return the characters per CPU second of jieba alone."""
    import jieba

    jieba.initialize()
    with open(text, encoding="utf-8-sig") as stream:
        read = [line.strip() for line in itertools.islice(stream, lines)]
    begin = time.process_time()
    for line in read:
        jieba.lcut(line)
    return sum(map(len, read)) / (time.process_time() - begin)


def counted(folder: Path) -> tuple[int, int]:
    """Return how many records and tokens the files have."""
    masks = [
        records.decode(data)["input_mask"]
        for file in sorted(folder.glob("*.tfrecord"))
        for data in records.read(file)
    ]
    return len(masks), int(sum(mask.sum() for mask in masks))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text")
    parser.add_argument("vocab")
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--original", help="path of a script to run instead")
    parser.add_argument("--python", default=sys.executable, help="that runs it")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        text = arguments.text
        if arguments.repeat > 1:
            data = Path(text).read_bytes().strip() + b"\n\n"
            text = f"{place}/text.txt"
            with open(text, "wb") as stream:
                for _ in range(arguments.repeat):
                    stream.write(data)
        size = Path(text).stat().st_size / 2**20
        folder = Path(place) / "ours"
        found = ours(
            text, arguments.vocab, arguments.copies, arguments.workers, str(folder)
        )
        rows.append(("kerasplm", arguments.workers, *found, *counted(folder)))
        if arguments.repeat == 1:
            folder = Path(place) / "original"
            folder.mkdir()
            found = theirs(arguments, str(folder / "x.tfrecord"))
            name = Path(arguments.original or "original way").name
            rows.append((name, 1, *found, *counted(folder)))
    names = ("", "workers", "seconds", "CPU", "MiB", "instances", "/s", "tokens/s")
    probe = round(jieba_speed(text), -3)
    print_table(
        f"{size:.1f} MiB of text, {arguments.copies} copies; jieba alone cuts "
        f"{probe:,.0f} characters/s",
        names,
        [
            (name, workers, wall, cpu, mib, n, n / cpu, round(tokens / cpu))
            for name, workers, wall, cpu, mib, n, tokens in rows
        ],
    )


if __name__ == "__main__":
    main()
