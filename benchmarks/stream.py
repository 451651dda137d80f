"""From raw strings to labels on a stream of real sentences, beside other libraries.

    python -m benchmarks.stream --texts FILE... [--vocab VOCAB] [--count 4000]
        [--transformers PYTHON] [--onnxruntime PYTHON] [--keras-hub PYTHON]
        [--bert4keras PYTHON] [--shape base] [--orders given sorted] [--runs 3]

Takes as many lines of each file (of lines with tabs the first column), shuffles them,
and lets every library classify them with random weights of the same shape: each with
its own tokenizer, in batches of 32 that are padded to their longest text, cut at 128
tokens. Two modes: batches in the given order, and texts that the library may sort by
length. Each library runs in fresh processes, all in turn; what it traces or compiles
for the first batches is not timed.

transformers runs as it is and under `torch.compile` with frozen weights; onnxruntime
runs what torch exports, fused and quantised (int8) by its own tools; "kerasplm" in int8
is what `export_onnx(..., quantize="int8")` writes, run by onnxruntime, too.

Columns: median of texts per second, their spread, GFLOP/s on tokens without padding,
the share of TensorFlow's rate of matrix products with these numbers, and the ratio to
the best peer with the same numbers in the same mode.

The other libraries are run by interpreters of environments of their own:

    python -m venv hf && hf/bin/pip install torch transformers
    python -m venv ort && ort/bin/pip install torch transformers onnx onnxruntime
    python -m venv hub && hub/bin/pip install keras-hub tensorflow tensorflow-text
    python -m venv b4k && b4k/bin/pip install bert4keras==0.11.5 tensorflow-cpu==2.15.1
"""

import argparse
import dataclasses
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import stream_peers as peers
from benchmarks.processes import last_line
from benchmarks.shapes import WORDS
from kerasplm import Config, PythonTokenizer
from kerasplm.benchmarking.arithmetic import flops
from kerasplm.benchmarking.measuring import lengths_of
from kerasplm.benchmarking.models import vocabulary
from kerasplm.benchmarking.texts import read
from kerasplm.files import write_json
from kerasplm.reporting import print_table

BATCH, LONGEST = 32, 128
ORDERS = ("given", "sorted")


def fields(layers: int, hidden: int, heads: int, **more: Any) -> dict[str, Any]:
    """Return the fields of a configuration that all libraries share."""
    return {
        "vocab_size": WORDS,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        **more,
    }


SHAPES = {
    "base": ("bert", fields(12, 768, 12)),
    "tiny": ("bert", fields(4, 312, 12)),
    "albert-tiny": (
        "albert",
        fields(4, 312, 12, embedding_size=128, num_hidden_groups=1),
    ),
    "electra-small": (
        "electra",
        fields(12, 256, 4, embedding_size=128, pooler="none"),
    ),
}


@dataclasses.dataclass(frozen=True)
class Library:
    """One row of the tables.

    Args:
        name: Of the library.
        numbers: In what it computes.
        python: The option that names its interpreter; "" is this one.
        code: Defines `run`.
        compiled: Whether torch compiles.
    """

    name: str
    numbers: str
    python: str
    code: str
    compiled: bool = False


LIBRARIES = [
    *(Library("kerasplm", n, "", peers.KERASPLM) for n in ("float32", "bfloat16")),
    Library("kerasplm", "int8", "", peers.KERASPLM_INT8),
    *(
        Library(
            "transformers" + more, n, "transformers", peers.TRANSFORMERS, bool(more)
        )
        for n in ("float32", "bfloat16")
        for more in ("", ", compiled")
    ),
    *(
        Library("onnxruntime", n, "onnxruntime", peers.ONNXRUNTIME)
        for n in ("float32", "int8")
    ),
    *(
        Library("keras-hub", n, "keras_hub", peers.KERAS_HUB)
        for n in ("float32", "bfloat16")
    ),
    Library("bert4keras", "float32", "bert4keras", peers.BERT4KERAS),
]


def run(python: str, code: str, job: dict[str, Any]) -> Any:
    """Return what the code prints as JSON in a process of its own."""
    # Threads that wait must not keep a core.
    line = last_line(python, peers.START + code, job, OMP_WAIT_POLICY="PASSIVE")
    return json.loads(line)


def sentences(files: list[str], count: int) -> list[str]:
    """Return as many texts of each file, shuffled."""
    found = []
    for file in files:
        lines = [line.split("\t")[0] for line in read(file, None)]
        found += [line for line in lines if line.strip()][: -(-count // len(files))]
    random.Random(0).shuffle(found)
    return found[:count]


def rows_of(
    found: dict[tuple[str, str, str], list[float]],
    count: int,
    work: float,
    roofs: dict[str, float],
) -> list[tuple[Any, ...]]:
    """Return the rows of a table.

    Args:
        found: Seconds of each order, numbers and library.
        count: Texts.
        work: GFLOP of all texts.
        roofs: GFLOP/s of the machine, by numbers.
    """
    speeds = {key: count / statistics.median(times) for key, times in found.items()}
    rows = []
    for key, speed in speeds.items():
        order, numbers, _ = key
        others = [
            other
            for (same, kind, name), other in speeds.items()
            if (same, kind) == (order, numbers) and name != "kerasplm"
        ]
        spread = count * (1 / min(found[key]) - 1 / max(found[key])) / 2
        rate = work * speed / count
        share = rate / roofs[numbers] if numbers in roofs else "-"
        ratio = speed / max(others) if others else "-"
        rows.append((*key, speed, spread, rate, share, ratio))
    return sorted(rows, key=lambda row: (row[0], row[1], -row[3]))


def main() -> None:
    """Measure and print one table per shape."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--vocab", help="default: a generated one of 21,128 tokens")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--transformers", help="interpreter with torch, transformers")
    parser.add_argument("--onnxruntime", help="one with onnx and onnxruntime as well")
    parser.add_argument("--keras-hub", help="interpreter with keras-hub")
    parser.add_argument("--bert4keras", help="interpreter with bert4keras")
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=["base"])
    parser.add_argument("--orders", choices=ORDERS, nargs="+", default=list(ORDERS))
    numbers = sorted({library.numbers for library in LIBRARIES})
    parser.add_argument("--numbers", choices=numbers, nargs="+", default=numbers)
    names = list(dict.fromkeys(library.name for library in LIBRARIES))
    parser.add_argument("--only", choices=names, nargs="+", default=names)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSON with the rows")
    args = parser.parse_args()
    pythons = {**vars(args), "": sys.executable}
    texts = sentences(args.texts, args.count)
    libraries = [
        library
        for library in LIBRARIES
        if library.name in args.only
        and library.numbers in args.numbers
        and pythons[library.python]
    ]
    columns = ("order", "numbers", "library", "texts/s", "±", "GFLOP/s")
    columns += ("share of roof", "× best peer")
    tables: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        vocab = Path(args.vocab or Path(folder, "vocab.txt")).resolve()
        if args.vocab is None:
            vocab.write_text("\n".join(vocabulary(WORDS)) + "\n", encoding="utf-8")
        lengths = lengths_of(PythonTokenizer(vocab), texts, LONGEST)
        job: dict[str, Any] = {"texts": texts, "batch": BATCH, "longest": LONGEST}
        job |= {"orders": args.orders, "vocab": str(vocab), "folder": folder}
        for shape in args.shape:
            family, chosen = SHAPES[shape]
            job |= {"shape": shape, "family": family, "fields": chosen}
            found: dict[tuple[str, str, str], list[float]] = {}
            roofs: dict[str, list[float]] = {}
            for _ in range(args.runs):
                for kind in set(args.numbers) & {"float32", "bfloat16"}:
                    now = run(sys.executable, peers.ROOF, job | {"numbers": kind})
                    roofs.setdefault(kind, []).append(now)
                for library in libraries:
                    own = {"numbers": library.numbers, "compiled": library.compiled}
                    code, python = library.code + peers.END, pythons[library.python]
                    times = run(python, code, job | own)
                    print(shape, library.name, library.numbers, times, file=sys.stderr)
                    for order, (seconds, _) in times.items():
                        key = (order, library.numbers, library.name)
                        found.setdefault(key, []).append(seconds)
            work = flops(Config(**chosen), lengths) / 1e9
            best = {kind: statistics.median(all_) for kind, all_ in roofs.items()}
            rows = rows_of(found, len(texts), work, best)
            title = f"{shape}: {len(texts)} texts, {sum(lengths) / len(texts):.0f} "
            title += f"tokens on average, batches of {BATCH}"
            print_table(title, columns, rows)
            tables[shape] = {
                "texts": len(texts),
                "mean tokens": sum(lengths) / len(texts),
                "roof GFLOP/s": best,
                "rows": [dict(zip(columns, row, strict=True)) for row in rows],
            }
            if args.output is not None:  # what there is, if a later shape fails
                write_json(args.output, tables)


if __name__ == "__main__":
    main()
