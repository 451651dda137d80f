"""Epoch time of fine-tuning on real texts, beside transformers and keras-hub.

    python -m benchmarks.finetune --data DIR --vocab VOCAB [--peers PYTHON]
        [--shape base] [--examples 256] [--runs 3] [--tasks lcqmc chnsenticorp]
        [--numbers float32 bfloat16]

DIR holds a folder `lcqmc` with dev.txt and one `chnsenticorp` with train.tsv. All
train a network of the same shape from random weights on the same first examples, with
the same vocabulary, batch size and limit of length, by AdamW with warm-up and clipping:
kerasplm with its own batches (rows of similar length together, nothing computed on
padding) and with texts that share rows of one shape (`packing`), transformers with
batches padded to their longest row (`DataCollatorWithPadding`), in random order and
with rows of similar length together (`get_length_grouped_indices` over 50 batches, as
kerasplm), keras-hub as its preprocessor pads, to the limit.

Each is run in processes of its own, all in turn. An epoch is timed from the second one
on, so that nobody's tracing or compiling counts; tokenization counts where the library
does it in every epoch (keras-hub). Columns: median seconds of an epoch, their spread,
real tokens per second, and the ratio to the fastest peer with the same numbers.

The other libraries are run by the interpreter of an environment of their own:

    python -m venv peers
    peers/bin/pip install torch transformers keras-hub tensorflow tensorflow-text
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from benchmarks.processes import last_line
from benchmarks.shapes import SHAPES
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.tasks import TASKS

SPLITS = {"lcqmc": ("dev", 128), "chnsenticorp": ("train", 256)}
EPOCHS = 3  # of which the first one is not counted

START = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
layers, hidden, heads, inner = job["shape"]
texts, pairs, labels = job["texts"], job["pairs"], job["labels"]
size, limit, epochs = job["batch_size"], job["max_length"], job["epochs"]
steps = -(-len(texts) // size) * epochs
times = []
"""
END = "\nprint(json.dumps(times))\n"

KERASPLM = """
import dataclasses, keras
import kerasplm as plm
from kerasplm.precision import computed_in
from kerasplm.tasks.optimizing import optimizer_of
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.epochs import training_batches
task = plm.TASKS[job["task"]]
settings = task.settings(batch_size=size, max_length=limit, epochs=epochs,
                         packing=PACKING,
                         precision=job["numbers"])
rows = [TextRow(n, text, pairs and pairs[n], labels[n]) for n, text in enumerate(texts)]
features = task.features(rows, plm.Tokenizer(job["vocab"]), settings)
with computed_in(settings.precision, mixed=True):
    encoder = plm.Encoder(plm.Config(vocab_size=job["vocab_size"], hidden_size=hidden,
        num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner))
    model = task.model(encoder, settings=settings,
                       optimizer=optimizer_of(settings, steps))
class Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None):
        times.append(time.perf_counter() - self.begin)
model.fit(training_batches(features, settings, 0, 0), epochs=epochs, verbose=0,
          steps_per_epoch=steps // epochs, callbacks=[Clock()], shuffle=False)
"""

TRANSFORMERS = """
import torch
from transformers import (BertConfig, BertForSequenceClassification, BertTokenizerFast,
                          DataCollatorWithPadding, get_linear_schedule_with_warmup)
from transformers.trainer_pt_utils import get_length_grouped_indices
torch.manual_seed(0)
tokenizer = BertTokenizerFast(job["vocab"])
rows = tokenizer(texts, pairs, truncation=True, max_length=limit)
data = [{"labels": int(labels[n]), **{k: v[n] for k, v in rows.items()}}
        for n in range(len(texts))]
class ByLength(torch.utils.data.Sampler):
    def __len__(self):
        return len(data)
    def __iter__(self):
        lengths = [len(one["input_ids"]) for one in data]
        return iter(get_length_grouped_indices(lengths, size, mega_batch_mult=50))
sampler = ByLength() if GROUPED else None
loader = torch.utils.data.DataLoader(data, size, shuffle=not GROUPED, sampler=sampler,
                                     collate_fn=DataCollatorWithPadding(tokenizer))
model = BertForSequenceClassification(BertConfig(vocab_size=job["vocab_size"],
    hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
    intermediate_size=inner, num_labels=2))
model.train()
optimizer = torch.optim.AdamW(model.parameters(), 2e-5, weight_decay=0.01)
schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
mixed = torch.autocast("cpu", torch.bfloat16, enabled=job["numbers"] != "float32")
for _ in range(epochs):
    begin = time.perf_counter()
    for batch in loader:
        with mixed:
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    times.append(time.perf_counter() - begin)
"""

KERAS_HUB = """
import keras, keras_hub, tensorflow as tf
if job["numbers"] != "float32":
    keras.config.set_dtype_policy("mixed_" + job["numbers"])
tokenizer = keras_hub.models.BertTokenizer(job["vocab"], lowercase=True)
prepare = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, limit)
backbone = keras_hub.models.BertBackbone(vocabulary_size=job["vocab_size"],
    num_layers=layers, num_heads=heads, hidden_dim=hidden, intermediate_dim=inner)
model = keras_hub.models.BertTextClassifier(backbone, 2, preprocessor=None)
schedule = keras.optimizers.schedules.PolynomialDecay(2e-5, steps)
model.compile(keras.optimizers.AdamW(schedule, global_clipnorm=1.0),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
answers = [int(label) for label in labels]
inputs = texts if pairs is None else (texts, pairs)
data = tf.data.Dataset.from_tensor_slices((inputs, answers)).shuffle(1000).batch(size)
data = data.map(prepare, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
for _ in range(epochs):
    begin = time.perf_counter()
    model.fit(data, epochs=1, verbose=0)
    times.append(time.perf_counter() - begin)
"""

OURS = {
    "kerasplm": KERASPLM.replace("PACKING", "False"),
    "kerasplm, shared rows": KERASPLM.replace("PACKING", "True"),
}
PEERS = {
    "transformers": TRANSFORMERS.replace("GROUPED", "False"),
    "transformers, by length": TRANSFORMERS.replace("GROUPED", "True"),
    "keras-hub": KERAS_HUB,
}


def job_of(args: argparse.Namespace, name: str) -> tuple[dict, int]:
    """Return what all train on, and its real tokens."""
    split, max_length = SPLITS[name]
    rows = TASKS[name].rows(args.data / name, split).rows[: args.examples]
    tokenizer = PythonTokenizer(args.vocab)
    texts = [row.text for row in rows]
    pairs = [row.pair for row in rows] if TASKS[name].pair else None
    tokens = int(tokenizer(texts, pairs, max_length=max_length)["padding_mask"].sum())
    job = {
        "task": name,
        "texts": texts,
        "pairs": pairs,
        "labels": [row.label for row in rows],
        "vocab": str(args.vocab),
        "vocab_size": tokenizer.vocab_size,
        "shape": SHAPES[args.shape],
        "batch_size": 32,
        "max_length": max_length,
        "epochs": EPOCHS,
    }
    return job, tokens


def measure(python: str, code: str, job: dict) -> list[float]:
    """Train in a fresh process; return the seconds of all epochs but the first."""
    seconds: list[float] = json.loads(last_line(python, START + code + END, job))
    return seconds[1:]


def main() -> None:
    """Measure and print one table per task."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--peers", help="interpreter with transformers and keras-hub")
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--examples", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3)
    both = ["float32", "bfloat16"]
    parser.add_argument("--numbers", nargs="+", choices=both, default=both)
    parser.add_argument("--tasks", nargs="+", choices=SPLITS, default=list(SPLITS))
    args = parser.parse_args()
    for name in args.tasks:
        job, tokens = job_of(args, name)
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(args.runs):
            for numbers in args.numbers:
                for label, code in {**OURS, **(PEERS if args.peers else {})}.items():
                    python = sys.executable if label in OURS else args.peers
                    seconds = measure(python, code, {**job, "numbers": numbers})
                    found.setdefault((label, numbers), []).extend(seconds)
        medians = {key: statistics.median(times) for key, times in found.items()}
        peers = {key: s for key, s in medians.items() if key[0] in PEERS}
        best = {
            numbers: min(s for (_, n), s in peers.items() if n == numbers)
            for numbers in {numbers for _, numbers in peers}
        }
        rows = [
            (
                *key,
                seconds,
                max(found[key]) - min(found[key]),
                tokens / seconds,
                best[key[1]] / seconds if best else 1.0,
            )
            for key, seconds in sorted(medians.items(), key=lambda item: item[1])
        ]
        title = f"{name}: {args.examples} examples, {tokens} tokens, {args.shape}"
        columns = ("library", "numbers", "s", "±", "tokens/s", "× best peer")
        print_table(title, columns, rows)


if __name__ == "__main__":
    main()
