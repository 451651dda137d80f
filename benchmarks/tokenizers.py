"""Lines per second of the tokenizers on one core, beside others.

    python -m benchmarks.tokenizers --texts FILE... --vocab VOCAB [--count 8192]
        [--huggingface PYTHON] [--original TOKENIZATION_PY] [--runs 5]

Reads as many lines of each file (of lines with tabs the first column). kerasplm's
tokenizer in graph and Hugging Face's get batches of 256 lines, the Python ones line
after line; all give ids without special tokens, in one thread. Each runs in fresh
processes, all in turn; one round over all lines is not timed.

`--huggingface` is an interpreter with `tokenizers` (written in Rust), `--original` the
path of tokenization.py of google-research/bert, whose `FullTokenizer` is timed without
TensorFlow. Columns: median of lines per second, their spread, tokens per second, the
ratio of kerasplm's (the one in graph to Hugging Face's, the Python one to the
original's) to it, and the share of lines with the ids of kerasplm's Python tokenizer.

    python -m venv hf && hf/bin/pip install tokenizers
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.processes import last_line
from benchmarks.stream import sentences
from kerasplm.reporting import print_table

START = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
lines, vocab = job["lines"], job["vocab"]
parts = [lines[n:n + 256] for n in range(0, len(lines), 256)]
"""

END = """
run()
begin = time.perf_counter()
found = run()
seconds = time.perf_counter() - begin
print(json.dumps([seconds, [list(map(int, ids)) for ids in rows(found)]]))
"""

IN_GRAPH = """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from kerasplm.tokenizer import Tokenizer
tokenizer = Tokenizer(vocab)
tensors = [tf.constant(part) for part in parts]
run = lambda: [tokenizer.tokenize(part) for part in tensors]
rows = lambda found: [ids for part in found for ids in part.to_list()]
"""

PYTHON = """
from kerasplm.python_tokenizer import PythonTokenizer
tokenizer = PythonTokenizer(vocab)
run = lambda: tokenizer.tokenize(lines)
rows = list
"""

HUGGING_FACE = """
from tokenizers import BertWordPieceTokenizer
tokenizer = BertWordPieceTokenizer(vocab, lowercase=True, strip_accents=True)
fast = tokenizer._tokenizer.encode_batch_fast
run = lambda: [fast(part, add_special_tokens=False) for part in parts]
rows = lambda found: [one.ids for part in found for one in part]
"""

# All that the file wants of TensorFlow is to open the vocabulary.
ORIGINAL = """
import types
tensorflow = types.ModuleType("tensorflow")
tensorflow.gfile = types.SimpleNamespace(GFile=open)
tensorflow.io = types.SimpleNamespace(gfile=tensorflow.gfile)
sys.modules["tensorflow"] = tensorflow
import importlib.util
spec = importlib.util.spec_from_file_location("tokenization", job["original"])
tokenization = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tokenization)
tokenizer = tokenization.FullTokenizer(vocab, do_lower_case=True)
run = lambda: [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(x)) for x in lines]
rows = list
"""

CODE = {
    "kerasplm, in graph": IN_GRAPH,
    "Hugging Face tokenizers": HUGGING_FACE,
    "kerasplm, Python": PYTHON,
    "original FullTokenizer": ORIGINAL,
}
# Whose speed is divided by whose.
OURS = {
    "Hugging Face tokenizers": "kerasplm, in graph",
    "original FullTokenizer": "kerasplm, Python",
}


def measure(python: str, code: str, job: dict[str, Any]) -> tuple[float, list[Any]]:
    """Return the seconds and the ids of a fresh process on one core."""
    seconds, ids = json.loads(last_line(python, START + code + END, job))
    return seconds, ids


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8192)
    parser.add_argument("--huggingface", help="interpreter with tokenizers")
    parser.add_argument("--original", type=Path, help="tokenization.py of BERT")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    lines = sentences(args.texts, args.count)
    job = {"lines": lines, "vocab": str(args.vocab.resolve())}
    pythons = dict.fromkeys(CODE, sys.executable)
    pythons["Hugging Face tokenizers"] = args.huggingface
    if args.original is None:
        del pythons["original FullTokenizer"]
    else:
        job["original"] = str(args.original.resolve())
    seconds: dict[str, list[float]] = {}
    ids: dict[str, list[Any]] = {}
    for _ in range(args.runs):
        for name, python in pythons.items():
            if python is not None:
                one, ids[name] = measure(python, CODE[name], job)
                seconds.setdefault(name, []).append(one)
    speeds = {n: len(lines) / statistics.median(times) for n, times in seconds.items()}
    exact = ids["kerasplm, Python"]
    rows = [
        (
            name,
            speed,
            len(lines) * (1 / min(seconds[name]) - 1 / max(seconds[name])) / 2,
            sum(map(len, ids[name])) * speed / len(lines),
            speeds[OURS[name]] / speed if name in OURS else "-",
            statistics.mean(a == b for a, b in zip(exact, ids[name], strict=True)),
        )
        for name, speed in speeds.items()
    ]
    characters = sum(map(len, lines)) / len(lines)
    title = f"{len(lines)} lines of {characters:.0f} characters on average, one thread"
    columns = ("tokenizer", "lines/s", "±", "tokens/s", "kerasplm is ×", "equal")
    print_table(title, columns, rows)


if __name__ == "__main__":
    main()
