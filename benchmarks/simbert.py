"""SimBERT from random weights: does a text find its partner after a short training?

    python -m benchmarks.simbert --train FILE --test FILE --output DIR [--steps 600]

Files have lines "text<TAB>text<TAB>label"; pairs with label 1 mean the same. A small
encoder (2 layers of 128) with SimBERT's linear pooler is trained by the objective
`simbert` (both orders of a pair are neighbours in a batch of 128 rows) on the pairs of
the first file and written as a TF1 checkpoint. Before and after, `kerasplm similar`
embeds all texts of the pairs of the second file and searches them: for the first text
of each pair, whether its partner is the nearest text, or among the nearest 10 (the text
itself left out). The vocabulary is made of the characters of the first file.
"""

import argparse
import collections
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerasplm as plm
from kerasplm.reporting import print_table
from kerasplm.vocab import MASK_TOKEN, REQUIRED_TOKENS

_PAIRS = 64  # of a batch: 128 rows
_LENGTH = 32  # tokens of a text
_RARE = 2  # a character that occurs less often is unknown


def positives(path: str) -> list[tuple[str, str]]:
    """Return the pairs of one meaning."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return [(a, b) for a, b, label in rows if label == "1" and a != b]


def vocabulary(pairs: list[tuple[str, str]]) -> list[str]:
    """Return the characters of the texts behind the special tokens."""
    counts = collections.Counter("".join(a + b for a, b in pairs).lower())
    found = sorted(c for c, n in counts.items() if n >= _RARE and not c.isspace())
    return [*REQUIRED_TOKENS, MASK_TOKEN, *found]


def batches(
    pairs: list[tuple[str, str]], tokenizer: Any, steps: int
) -> Iterator[dict[str, Any]]:
    """Yield rows 2k and 2k + 1 that are a pair in both orders."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        chosen = [pairs[n] for n in rng.choice(len(pairs), _PAIRS, replace=False)]
        both = [row for a, b in chosen for row in ((a, b), (b, a))]
        yield tokenizer(
            [a for a, _ in both], [b for _, b in both], max_length=2 * _LENGTH
        )


def recall(folder: Path, test: list[tuple[str, str]], at: tuple[int, ...]) -> Any:
    """Search by the command; return the shares and the seconds."""
    texts = list(dict.fromkeys(text for pair in test for text in pair))
    partners: dict[str, set[str]] = collections.defaultdict(set)
    for a, b in test:
        partners[a].add(b)
        partners[b].add(a)
    asked = list(dict.fromkeys(a for a, _ in test))
    (folder / "corpus.txt").write_text("".join(f"{x}\n" for x in texts), "utf-8")
    (folder / "asked.txt").write_text("".join(f"{x}\n" for x in asked), "utf-8")
    found, begin = folder / "found.jsonl", time.perf_counter()
    command = [sys.executable, "-m", "kerasplm.cli", "similar", "--model", folder]
    command += ["--corpus", folder / "corpus.txt", "--input", folder / "asked.txt"]
    command += ["--output", found, "--top", max(at) + 1, "--max-length", _LENGTH]
    subprocess.run([str(x) for x in command], check=True)
    seconds = time.perf_counter() - begin
    hits = collections.Counter[int]()
    with found.open(encoding="utf-8") as file:
        for answer in map(json.loads, file):
            text = answer["text"]
            near = [hit["text"] for hit in answer["hits"] if hit["text"] != text]
            hits.update(k for k in at if partners[text] & set(near[:k]))
    return [hits[k] / len(asked) for k in at], seconds, len(asked), len(texts)


def main() -> None:
    """Train, search before and after, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    pairs, test = positives(args.train), positives(args.test)
    words, folder = vocabulary(pairs), Path(args.output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{x}\n" for x in words), "utf-8")
    tokenizer = plm.PythonTokenizer(words)
    config = plm.Config(
        vocab_size=len(words),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        max_position_embeddings=2 * _LENGTH,
        attention="unilm",
        pooler="linear",
    )
    model = plm.PretrainingModel(plm.Encoder(config), [plm.simbert()])

    def now() -> Any:
        plm.save_checkpoint(model, folder / "bert_model.ckpt", family="bert")
        return recall(folder, test, (1, 10))

    rows = [("random weights", 0, *now())]
    model.compile(optimizer=plm.adamw(args.learning_rate, args.steps))
    begin = time.perf_counter()
    steps = list(batches(pairs, tokenizer, 1))
    spec = {name: tf.TensorSpec([None, None], x.dtype) for name, x in steps[0].items()}
    data = tf.data.Dataset.from_generator(
        lambda: batches(pairs, tokenizer, args.steps), output_signature=spec
    )
    model.fit(data, verbose=2, epochs=1)
    print(f"trained in {time.perf_counter() - begin:.0f} s")
    rows.append(("trained", args.steps, *now()))
    table = [
        (name, count, *shares, asked, texts, seconds)
        for name, count, shares, seconds, asked, texts in rows
    ]
    columns = ("weights", "steps", "recall@1", "recall@10", "asked", "texts", "seconds")
    print_table(f"{len(pairs)} pairs to train on", columns, table)


if __name__ == "__main__":
    main()
