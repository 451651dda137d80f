"""Speed of pre-training, beside transformers, keras-hub and tf-models-official.

    python -m benchmarks.pretraining_speed [--peers PYTHON] [--garden PYTHON]
        [--shape base] [--steps 6] [--runs 3] [--numbers float32 bfloat16]
        [--only NAME ...] [--texts FILE --vocab VOCAB]

All train a masked language model of the same shape from random weights on the same
batches of 8 x 128 tokens, 20 of each row masked, with 21,128 words, dropout of 0.1,
AdamW and clipping to a global norm of 1. Each runs in a process of its own, all in
turn; after two steps that do not count, `--steps` are timed three times.

kerasplm, keras-hub and tf-models-official compute logits at the masked positions;
transformers has no way to do so and computes them everywhere, as its users do. Its
optimizer is the fused one. kerasplm and tf-models-official also report the accuracy.

With `--texts` (one text per line) rows are as long as the texts, at most 128: padded to
128, packed (kerasplm only), or cut to the longest of the batch (transformers, as its
collator pads). Counted are real tokens.

Columns: median of real tokens per second, their spread, tokens per second of processor
time, which other programs on the machine disturb less (libraries whose threads wait
actively look slower in it), and the ratio to the fastest peer with the same numbers.

The other libraries are run by interpreters of environments of their own:

    python -m venv peers
    peers/bin/pip install torch transformers keras-hub tensorflow tensorflow-text
    python -m venv garden
    garden/bin/pip install tf-models-official==2.20.0
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import last_line
from benchmarks.shapes import SHAPES, WORDS
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table

ROWS, TOKENS, MASKED = 8, 128, 20
PACKED = "kerasplm, packed"

START = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
layers, hidden, heads, inner = job["shape"]
words, steps, mixed = job["words"], job["steps"], job["numbers"] != "float32"
types = {"padding_mask": "bool", "mlm_weights": "float32"}
batches = [{k: np.array(x, types.get(k, "int32")) for k, x in one.items()}
           for one in job["batches"]]
real = [int(one["padding_mask"].sum()) for one in batches]
def measure(run):
    run(0, 2)
    found = []
    for n in range(job["repeats"]):
        begin, work = time.perf_counter(), time.process_time()
        run(n * steps, steps)
        tokens = sum(real[i % len(real)] for i in range(n * steps, (n + 1) * steps))
        found.append((tokens / (time.perf_counter() - begin),
                      tokens / (time.process_time() - work)))
    print(json.dumps(found))
def stream(batches):
    import tensorflow as tf
    spec = {k: tf.TensorSpec(x.shape, x.dtype) for k, x in batches[0].items()}
    def endless():
        n = 0
        while True:
            yield batches[n % len(batches)]
            n += 1
    return tf.data.Dataset.from_generator(endless, output_signature=spec).prefetch(4)
"""

KERASPLM = """
import keras
import kerasplm as plm
from kerasplm.optimization import AdamW
from kerasplm.pretraining.models import PretrainingModel
from kerasplm.pretraining.objectives import mlm
if mixed:
    keras.config.set_dtype_policy("mixed_bfloat16")
model = PretrainingModel(plm.Encoder(plm.Config(vocab_size=words, hidden_size=hidden,
    num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner)),
    [mlm()])
model.compile(AdamW(1e-4), jit_compile=False)
data = stream(batches)
model.prepare(data.element_spec)
batch, train = iter(data), model.make_train_function()
measure(lambda start, count: train(batch, count)["loss"].numpy())
"""

TRANSFORMERS = """
import torch
from transformers import BertConfig, BertForMaskedLM
torch.manual_seed(0)
data = []
for one in batches:
    longest = one["padding_mask"].sum(1).max()
    labels = np.full(one["token_ids"].shape, -100)
    rows, slots = np.nonzero(one["mlm_weights"])
    labels[rows, one["mlm_positions"][rows, slots]] = one["mlm_ids"][rows, slots]
    given = {"input_ids": one["token_ids"], "attention_mask": one["padding_mask"],
             "labels": labels}
    data.append({k: torch.tensor(x[:, :longest].astype("int64"))
                 for k, x in given.items()})
model = BertForMaskedLM(BertConfig(vocab_size=words, hidden_size=hidden,
    num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner))
model.train()
optimizer = torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.01, fused=True)
cast = torch.autocast("cpu", torch.bfloat16, enabled=mixed)
def run(start, count):
    for n in range(start, start + count):
        with cast:
            loss = model(**data[n % len(data)]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
measure(run)
"""

KERAS_HUB = """
import keras, keras_hub
if mixed:
    keras.config.set_dtype_policy("mixed_bfloat16")
data = [{"token_ids": one["token_ids"], "segment_ids": 0 * one["token_ids"],
         "padding_mask": one["padding_mask"], "mask_positions": one["mlm_positions"],
         "ids": one["mlm_ids"], "weights": one["mlm_weights"]} for one in batches]
model = keras_hub.models.BertMaskedLM(keras_hub.models.BertBackbone(
    vocabulary_size=words, num_layers=layers, num_heads=heads, hidden_dim=hidden,
    intermediate_dim=inner))
model.compile(keras.optimizers.AdamW(1e-4, global_clipnorm=1.0),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False,
    weighted_metrics=[])
data = stream(data).map(lambda x: ({k: v for k, v in x.items() if k not in
    ("ids", "weights")}, x["ids"], x["weights"])).prefetch(4)
model.make_train_function()
batch = iter(data)
def run(start, count):
    for n in range(count):
        logs = model.train_function(batch)
    float(logs["loss"])
measure(run)
"""

GARDEN = """
import tensorflow as tf, tf_keras
from official.modeling.optimization.legacy_adamw import AdamWeightDecay
from official.nlp.configs import bert, encoders
from official.nlp.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
if mixed:
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
shape = encoders.BertEncoderConfig(vocab_size=words, hidden_size=hidden,
    num_layers=layers, num_attention_heads=heads, intermediate_size=inner)
config = MaskedLMConfig(model=bert.PretrainerConfig(
    encoder=encoders.EncoderConfig(type="bert", bert=shape), cls_heads=[]))
config.train_data.use_next_sentence_label = False
task = MaskedLMTask(config)
model, metrics = task.build_model(), task.build_metrics()
optimizer = AdamWeightDecay(1e-4, weight_decay_rate=0.01, gradient_clip_norm=1.0,
                            exclude_from_weight_decay=["LayerNorm", "bias"])
batch = iter(stream([{"input_word_ids": one["token_ids"],
    "input_mask": one["padding_mask"].astype("int32"),
    "input_type_ids": 0 * one["token_ids"],
    "masked_lm_positions": one["mlm_positions"], "masked_lm_ids": one["mlm_ids"],
    "masked_lm_weights": one["mlm_weights"]} for one in batches]))
@tf.function
def train(batch, count):
    for n in tf.range(count):
        task.train_step(next(batch), model, optimizer, metrics)
def run(start, count):
    train(batch, tf.constant(count))
    float(metrics[1].result())
measure(run)
"""

CODE = {
    "kerasplm": KERASPLM,
    PACKED: KERASPLM,
    "transformers": TRANSFORMERS,
    "keras-hub": KERAS_HUB,
    "tf-models-official": GARDEN,
}


def instances(args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Return rows of ids with their lengths and masks."""
    draws, count = np.random.default_rng(0), 4 * ROWS
    if args.texts is None:
        ids = draws.integers(5, WORDS, (count, TOKENS))
        lengths = np.full(count, TOKENS)
    else:
        lines = args.texts.read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line.strip()][: 12 * ROWS]
        rows = PythonTokenizer(args.vocab)(lines, max_length=TOKENS)
        lengths, count = rows["padding_mask"].sum(1), len(lines)
        ids = np.zeros((count, TOKENS), int)
        ids[:, : rows["token_ids"].shape[1]] = rows["token_ids"]
    positions = np.zeros((count, MASKED), int)
    weights = np.zeros((count, MASKED))
    for n, length in enumerate(lengths):
        slots = min(MASKED, max(1, round(0.15 * length) + (length == TOKENS)))
        positions[n, :slots] = np.sort(draws.permutation(length)[:slots])
        weights[n, :slots] = 1
    return {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "lengths": lengths,
        "mlm_positions": positions,
        "mlm_ids": np.take_along_axis(ids, positions, 1),
        "mlm_weights": weights,
    }


def padded(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return one instance per row."""
    rows = {name: x for name, x in given.items() if name != "lengths"}
    mask = np.arange(TOKENS)[None] < given["lengths"][:, None]
    return {**rows, "padding_mask": mask}


def packed(given: dict[str, np.ndarray], most: int = 16) -> dict[str, np.ndarray]:
    """Return several instances per row, as the pipeline of kerasplm packs them."""
    import tensorflow as tf

    from kerasplm.pretraining.packing import first_fit, pack

    types = {"mlm_weights": "float32"}
    given = {k: np.asarray(x, types.get(k, "int32")) for k, x in given.items()}
    masks = given["mlm_weights"].sum(1).astype("int32")
    where, rows = first_fit(given["lengths"], masks, TOKENS, MASKED, most)
    index = where.numpy()[: int(rows)].reshape(-1)
    chosen = {}
    for name, x in given.items():
        keep = (index >= 0).reshape(-1, *[1] * (x.ndim - 1))
        chosen[name] = tf.constant(np.where(keep, x[index], 0).astype(x.dtype))
    return {name: x.numpy() for name, x in pack(chosen, most, MASKED).items()}


def batches(rows: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Cut rows into batches, as plain values."""
    count = len(rows["token_ids"]) // ROWS
    return [
        {name: x[n * ROWS : (n + 1) * ROWS].tolist() for name, x in rows.items()}
        for n in range(count)
    ]


def measure(python: str, name: str, job: dict[str, Any]) -> list[tuple[float, float]]:
    """Train in a fresh process; return tokens per second, and per second of work."""
    # Threads that wait must not keep a core.
    line = last_line(python, START + CODE[name], job, OMP_WAIT_POLICY="PASSIVE")
    return [tuple(pair) for pair in json.loads(line)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peers", help="interpreter with transformers and keras-hub")
    parser.add_argument("--garden", help="interpreter with tf-models-official")
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    numbers = ("float32", "bfloat16")
    parser.add_argument("--numbers", nargs="+", choices=numbers, default=numbers)
    parser.add_argument("--only", nargs="+", choices=CODE, default=list(CODE))
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--vocab", type=Path)
    args = parser.parse_args()
    pythons = {"kerasplm": sys.executable, "tf-models-official": args.garden}
    pythons |= dict.fromkeys(("transformers", "keras-hub"), args.peers)
    given = instances(args)
    data = {name: batches(padded(given)) for name in CODE if name != PACKED}
    if args.texts is not None:
        pythons[PACKED] = sys.executable
        data[PACKED] = batches(packed(given))
    job = {"shape": SHAPES[args.shape], "words": WORDS}
    job |= {"steps": args.steps, "repeats": args.repeats}
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(args.runs):
        for kind in args.numbers:
            for name in args.only:
                if not pythons.get(name):
                    continue
                own = job | {"numbers": kind, "batches": data[name]}
                new = measure(pythons[name], name, own)
                found.setdefault((kind, name), []).extend(new)
                print(kind, name, [round(speed) for speed, _ in new], file=sys.stderr)
    rows = []
    for (kind, name), pairs in found.items():
        speeds, works = zip(*pairs, strict=True)
        others = [
            statistics.median(speed for speed, _ in more)
            for (same, other), more in found.items()
            if same == kind and not other.startswith("kerasplm")
        ]
        speed = statistics.median(speeds)
        spread = (max(speeds) - min(speeds)) / 2
        best = speed / max(others) if others else 1.0
        rows.append((kind, name, speed, spread, statistics.median(works), best))
    rows.sort(key=lambda row: (row[0], -row[2]), reverse=False)
    title = f"{args.shape}, batch {ROWS} x {TOKENS}"
    columns = ("numbers", "library", "tokens/s", "±", "per CPU s", "× best peer")
    print_table(title, columns, rows)


if __name__ == "__main__":
    main()
