"""Texts per second and steps of fine-tuning on a GPU, beside transformers.

    python -m benchmarks.gpu [--transformers PYTHON] [--jax PYTHON] [--torch PYTHON]
        [--device gpu] [--shape base] [--batches 8x128 64x128 8x512] [--runs 3]
        [--numbers float32 bfloat16 float16] [--output FILE]

All are the same classifier of two classes with random weights, and get the same batches
(texts x tokens): lengths are drawn between a quarter and all of the tokens and padded.
"inference" returns logits; "training" is a step of fine-tuning with AdamW, dropout of
0.1 and float32 weights, with scaled losses in float16. Each measurement has a process
of its own, all in turn; what is compiled in the first runs is not timed.

kerasplm runs on the three backends of Keras: TensorFlow (by XLA on a GPU), JAX and
torch, whose inference runs with `torch.compile` as well. This interpreter runs JAX and
torch if it has them, or others that have kerasplm. transformers runs on torch
(attention "sdpa"), as it is and compiled. All may round float32 products to
TensorFloat-32. `--attention-dropout 0` lets attention in training be one kernel.

Columns: median of texts per second and its spread, tokens per second without padding,
the share of the rate of matrix products of the same library with these numbers on this
device, MiB of its memory at the peak, the ratio to the best transformers.

Without a GPU all run on the processor. The others need environments of their own:

    python -m venv hf && hf/bin/pip install torch transformers
    python -m venv jax && jax/bin/pip install 'jax[cuda12]' .
"""

import argparse
import dataclasses
import importlib.util
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import gpu_libraries as libraries
from benchmarks.processes import last_line
from benchmarks.shapes import SHAPES, WORDS
from kerasplm import Config
from kerasplm.benchmarking.arithmetic import flops
from kerasplm.files import write_json
from kerasplm.reporting import print_table

WORKS = ("inference", "training")
NUMBERS = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class Library:
    """One row of the tables.

    Args:
        name: Of the library.
        python: The option that names its interpreter; "" is this one.
        backend: That it computes with.
        code: Defines `run`.
        compiled: Whether torch compiles.
        works: What is measured.
    """

    name: str
    python: str
    backend: str
    code: str
    compiled: bool = False
    works: tuple[str, ...] = WORKS


LIBRARIES = [
    Library("kerasplm, tensorflow", "", "tensorflow", libraries.KERASPLM),
    Library("kerasplm, jax", "jax", "jax", libraries.KERASPLM),
    Library("kerasplm, torch", "torch", "torch", libraries.KERASPLM),
    Library(
        "kerasplm, torch, compiled",
        "torch",
        "torch",
        libraries.KERASPLM,
        True,
        ("inference",),
    ),
    Library("transformers", "transformers", "torch", libraries.TRANSFORMERS),
    Library(
        "transformers, compiled", "transformers", "torch", libraries.TRANSFORMERS, True
    ),
]


def batch(text: str) -> tuple[int, int]:
    """Read texts and tokens of a batch, as in "8x128"."""
    rows, tokens = map(int, text.split("x"))
    if rows < 1 or not 1 <= tokens <= 512:
        raise ValueError
    return rows, tokens


def lengths_of(rows: int, tokens: int) -> list[int]:
    """Draw the real tokens of each text; one has all."""
    drawn = np.random.default_rng(0).integers(-(-tokens // 4), tokens + 1, rows)
    return [tokens, *drawn[1:].tolist()]


def ask(library: Library, python: str, code: str, job: dict[str, Any]) -> Any:
    """Return what code of a library prints as JSON in a process of its own."""
    own = {"backend": library.backend, "compiled": library.compiled}
    hidden = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    line = last_line(
        python,
        libraries.START + libraries.CODE[library.backend] + code,
        job | own,
        OMP_WAIT_POLICY="PASSIVE",  # threads that wait must not keep a core
        **(hidden if job["device"] == "cpu" else {}),
    )
    return json.loads(line)


def rows_of(
    found: dict[tuple[str, ...], list[dict[str, Any]]],
    batches: dict[str, list[int]],
    fields: dict[str, Any],
) -> list[dict[str, Any]]:
    """Return the rows of the tables.

    Args:
        found: What each work, batch, numbers and library measured in all processes.
        batches: The lengths of the texts of each.
        fields: Of the configuration.
    """
    speeds: dict[tuple[str, ...], list[float]] = {
        key: [len(batches[key[1]]) / one for run in runs for one in run["seconds"]]
        for key, runs in found.items()
    }
    rows: list[dict[str, Any]] = []
    for key, values in speeds.items():
        lengths, speed = batches[key[1]], statistics.median(values)
        peers = [
            statistics.median(more)
            for other, more in speeds.items()
            if other[:3] == key[:3] and other[3].startswith("transformers")
        ]
        # A step computes the products forwards, and twice as many backwards.
        products = 3 if key[0] == "training" else 1
        work = products * flops(Config(**fields), lengths) / 1e9
        rate = work * speed / len(lengths)
        roof = statistics.median(run["roof"] for run in found[key])
        peaks = [run["peak"] for run in found[key] if run["peak"] is not None]
        row: dict[str, Any] = dict(
            zip(("work", "batch", "numbers", "library"), key, strict=True)
        )
        row |= {"texts/s": speed, "±": (max(values) - min(values)) / 2}
        row |= {"tokens/s": speed * sum(lengths) / len(lengths)}
        row |= {"share of roof": rate / roof, "peak MiB": max(peaks, default="-")}
        rows.append(row | {"× best peer": speed / max(peers) if peers else "-"})
    return sorted(rows, key=lambda row: (*list(row.values())[:3], -row["texts/s"]))


def main() -> None:
    """Measure and print a table for each kind of work."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", choices=("gpu", "cpu"))
    parser.add_argument("--transformers", help="interpreter with torch, transformers")
    for name in ("jax", "torch"):
        here = sys.executable if importlib.util.find_spec(name) else None
        text = f"interpreter with kerasplm and {name}; default: this, if it has {name}"
        parser.add_argument(f"--{name}", default=here, help=text)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    sizes = [(8, 128), (64, 128), (8, 512)]
    parser.add_argument("--batches", nargs="+", type=batch, default=sizes)
    parser.add_argument("--numbers", choices=NUMBERS, nargs="+", default=NUMBERS)
    parser.add_argument("--works", choices=WORKS, nargs="+", default=WORKS)
    names = [library.name for library in LIBRARIES]
    parser.add_argument("--only", choices=names, nargs="+", default=names)
    parser.add_argument("--attention-dropout", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each stretch")
    parser.add_argument("--repeats", type=int, default=3, help="stretches of a process")
    parser.add_argument("--runs", type=int, default=3, help="processes of each row")
    parser.add_argument("--output", type=Path, help="JSON with the rows")
    args = parser.parse_args()
    pythons = {**vars(args), "": sys.executable}
    chosen = [
        library
        for library in LIBRARIES
        if library.name in args.only and pythons[library.python]
    ]
    job: dict[str, Any] = {"seconds": args.seconds, "repeats": args.repeats}
    job |= {"device": args.device or "gpu"}
    devices = {"the processor"}
    if args.device != "cpu":
        places = {
            one: ask(one, pythons[one.python], libraries.LOOK, job) for one in chosen
        }
        seen = {place for place in places.values() if place is not None}
        if seen or args.device:
            for library in [one for one in chosen if places[one] is None]:
                print(f"{library.name} sees no GPU and is left out", file=sys.stderr)
                chosen.remove(library)
            devices = seen
        else:
            job["device"] = "cpu"
            print("There is no GPU: all run on the processor.", file=sys.stderr)
    if not chosen:
        raise SystemExit("no library is left to be measured")
    layers, hidden, heads, inner = SHAPES[args.shape]
    fields = {
        "vocab_size": WORDS,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "attention_probs_dropout_prob": args.attention_dropout,
    }
    batches = {f"{rows} x {n}": lengths_of(rows, n) for rows, n in args.batches}
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    order = itertools.product(args.works, batches, args.numbers, chosen)
    for _, (work, size, numbers, library) in itertools.product(
        range(args.runs), [*order]
    ):
        if work not in library.works:
            continue
        key = (work, size, numbers, library.name)
        own = {"work": work, "numbers": numbers, "fields": fields}
        own |= {"lengths": batches[size]}
        try:
            new = ask(
                library,
                pythons[library.python],
                library.code + libraries.END,
                job | own,
            )
        except SystemExit as error:  # one that needs too much memory ends no other
            failed[", ".join(key)] = str(error)
        else:
            found.setdefault(key, []).append(new)
        print(*key, found.get(key, failed.get(", ".join(key))), file=sys.stderr)
    rows = rows_of(found, batches, fields)
    for work in args.works:
        now = [row for row in rows if row["work"] == work]
        title = f"{work}, {args.shape}, on {' and '.join(sorted(devices))}"
        if now:
            columns = list(now[0])[1:]
            print_table(title, columns, [[*row.values()][1:] for row in now])
    if args.output is not None:
        write_json(
            args.output, {"devices": sorted(devices), "rows": rows, "failed": failed}
        )


if __name__ == "__main__":
    main()
