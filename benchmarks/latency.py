"""How long does one text take? kerasplm in every form, beside transformers.

    pip install '.[export]'
    python -m benchmarks.latency [--peers PYTHON] [--shape base tiny] [--tokens 32 128]
        [--rounds 5] [--seconds 3] [--threads N] [--only WORD ...]

All are the same classifier of two classes with the same random weights, written once by
kerasplm as a TF1 checkpoint, for transformers, as a SavedModel, as ONNX and as LiteRT.
The peers write their own ONNX files, the way of onnxruntime: `torch.onnx.export`, then
`onnxruntime.transformers.optimizer`, then `quantize_dynamic`. Each answers one text of
so many tokens again and again for `--seconds`, after three answers that do not count;
the forms take turns, each time in a new process. "pipeline" and "SavedModel" take the
text itself, all others its ids.

Columns: the numbers that are multiplied; the median of the milliseconds; texts per
second; how many times as fast as the fastest peer with the same numbers; how far the
difference of the two logits is from that of the first form.

The peers are run by an interpreter of an environment of its own:

    python -m venv peers && peers/bin/pip install torch transformers onnx onnxruntime
"""

import argparse
import json
import os
import statistics
import sys
import tempfile

import numpy as np

from benchmarks.processes import last_line
from benchmarks.shapes import SHAPES, WORDS
from kerasplm.reporting import print_table

START = """
import json, os, sys, time
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
threads = job["threads"]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
import numpy as np
layers, hidden, heads, inner = job["shape"]
words, folder, tokens = job["words"], job["folder"], job["tokens"]
rng = np.random.default_rng(0)
ids = rng.integers(5, 20000, (1, tokens)).astype("int32")
ids[0, 0], ids[0, -1] = 2, 3
text = "".join(chr(0x4e00 - 5 + n) for n in ids[0, 1:-1])
batch = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 0 * ids + 1}
theirs = {"input_ids": ids, "token_type_ids": 0 * ids, "attention_mask": 0 * ids + 1}
"""
END = """
for _ in range(3):
    found = np.asarray(run(), "float32")
times, begin = [], time.perf_counter()
while time.perf_counter() - begin < job["seconds"]:
    before = time.perf_counter()
    run()
    times.append(time.perf_counter() - before)
print(json.dumps([1000 * float(np.median(times)), found.reshape(-1).tolist()]))
"""

WRITE = """
import keras
import kerasplm as plm
keras.utils.set_random_seed(0)
encoder = plm.Encoder(plm.Config(vocab_size=words, hidden_size=hidden,
    num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
    hidden_act="gelu_erf", initializer_range=0.05))
model = plm.Classifier(encoder, ["no", "yes"])
plm.save_checkpoint(model, folder + "/tf1/bert_model.ckpt", family="bert")
plm.save_huggingface(model, folder + "/hf")
with open(folder + "/tf1/vocab.txt", "w", encoding="utf-8") as file:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    own = [chr(0x4e00 + n) for n in range(words - len(special))]
    file.write("".join(word + chr(10) for word in special + own))
plm.export(model, plm.load_tokenizer(folder + "/tf1"), folder + "/saved_model")
plm.export_onnx(model, folder + "/float32.onnx")
plm.export_onnx(model, folder + "/int8.onnx", quantize="int8")
for length in job["lengths"]:
    for form in ("none", "dynamic"):
        plm.export_litert(model, f"{folder}/{form}{length}.tflite", max_length=length,
                          quantize=form)
"""

WRITE_PEERS = """
import torch
from onnx import TensorProto
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.transformers import optimizer
from transformers import BertForSequenceClassification
model = BertForSequenceClassification.from_pretrained(folder + "/hf",
    attn_implementation="eager").eval()
class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = model
    def forward(self, *values):
        return self.inside(**dict(zip(theirs, values))).logits
values = tuple(torch.tensor(x.astype("int64")) for x in theirs.values())
torch.onnx.export(Logits(), values, folder + "/plain.onnx", dynamo=False,
    input_names=list(theirs), output_names=["logits"], opset_version=17,
    dynamic_axes=dict.fromkeys(theirs, {0: "batch", 1: "length"}))
small = optimizer.optimize_model(folder + "/plain.onnx", model_type="bert",
    num_heads=heads, hidden_size=hidden)
small.save_model_to_file(folder + "/peer_float32.onnx")
quantize_dynamic(folder + "/peer_float32.onnx", folder + "/peer_int8.onnx",
    extra_options={"DefaultTensorType": TensorProto.FLOAT})
"""

KERASPLM = """
import tensorflow as tf
import kerasplm as plm
model = plm.load(folder + "/tf1", heads="classification", hidden_act="gelu_erf",
                 precision=job["numbers"])
inputs = {name: tf.constant(x) for name, x in batch.items()}
def call(values):
    return tf.cast(model(values, training=False), tf.float32)
def graph(length, jit):
    shape = [1 if length else None, length]
    spec = {name: tf.TensorSpec(shape, tf.int32) for name in batch}
    return tf.function(call, input_signature=[spec], jit_compile=jit, autograph=False)
def frozen(function):
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2)
    fixed = convert_variables_to_constants_v2(function.get_concrete_function())
    values = [inputs[name] for name in sorted(inputs)]
    return lambda: fixed(*values)[0]
"""

ONNX = """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(folder + "/" + job["file"], options,
    providers=["CPUExecutionProvider"])
kinds = {x.name: x.type[len("tensor("):-1] for x in session.get_inputs()}
feed = {n: x.astype(kinds[n]) for n, x in {**batch, **theirs}.items() if n in kinds}
run = lambda: session.run(["logits"], feed)[0]
"""

LITERT = """
from ai_edge_litert.interpreter import Interpreter
loaded = Interpreter(folder + "/" + job["file"] + f"{tokens}.tflite",
    num_threads=threads)
runner = loaded.get_signature_runner("serving_default")
run = lambda: runner(**batch)["logits"]
"""

TRANSFORMERS = """
import torch
from transformers import BertForSequenceClassification
torch.set_num_threads(threads)
model = BertForSequenceClassification.from_pretrained(folder + "/hf",
    dtype=getattr(torch, job["numbers"])).eval()
if job["compile"]:
    model = torch.compile(model)
values = {name: torch.tensor(x.astype("int64")) for name, x in theirs.items()}
def run():
    with torch.inference_mode():
        return model(**values).logits.float().numpy()
"""

CALLS = {
    "called": "run = lambda: call(inputs)",
    "graph": "now = graph(None, False); run = lambda: now(inputs)",
    "graph, XLA": "now = graph(tokens, True); run = lambda: now(inputs)",
    "frozen": "run = frozen(graph(None, False))",
    "frozen, XLA": "run = tf.function(frozen(graph(tokens, False)), jit_compile=True)",
}
PIPELINE = """
ask = plm.pipeline("text-classification", model,
    tokenizer=plm.load_tokenizer(folder + "/tf1"))
def run():
    shares = ask(text)["probabilities"]
    return np.log([shares[label] for label in model.labels])
"""
SAVED_MODEL = """
import tensorflow as tf
import tensorflow_text
serve = tf.saved_model.load(folder + "/saved_model").signatures["serving_default"]
question = tf.constant([text])
run = lambda: np.log(serve(text=question)["probabilities"])
"""


def forms() -> dict[str, tuple[str, bool, str, dict]]:
    """Return the numbers, whether a peer runs it, the code and its choices."""
    found: dict[str, tuple[str, bool, str, dict]] = {}
    for name, code in CALLS.items():
        found[f"kerasplm, {name}"] = ("float32", False, KERASPLM + code, {})
    for name in ("called", "graph", "graph, XLA"):
        code = KERASPLM + CALLS[name]
        found[f"kerasplm, {name}, bfloat16"] = ("bfloat16", False, code, {})
    found["kerasplm, pipeline"] = ("float32", False, KERASPLM + PIPELINE, {})
    found["kerasplm, SavedModel"] = ("float32", False, SAVED_MODEL, {})
    for numbers, form in (("float32", "none"), ("int8", "dynamic")):
        name = f"kerasplm, ONNX {numbers}"
        found[name] = (numbers, False, ONNX, {"file": f"{numbers}.onnx"})
        found[f"kerasplm, LiteRT {numbers}"] = (numbers, False, LITERT, {"file": form})
        name = f"transformers, ONNX {numbers}"
        found[name] = (numbers, True, ONNX, {"file": f"peer_{numbers}.onnx"})
    for numbers in ("float32", "bfloat16"):
        for compiled in (False, True):
            name = f"transformers, {numbers}" + (", compiled" if compiled else "")
            found[name] = (numbers, True, TRANSFORMERS, {"compile": compiled})
    return found


def compare(
    pythons: dict[bool, str | None], job: dict, args: argparse.Namespace
) -> list:
    """Let all forms answer in turns; return the rows of the table."""
    chosen = {
        name: form
        for name, form in forms().items()
        if pythons[form[1]] and (not args.only or any(w in name for w in args.only))
    }
    if not chosen:
        raise SystemExit(f"no form is named like {args.only}; there are {[*forms()]}")
    times: dict[str, list[float]] = {name: [] for name in chosen}
    logits = {}
    for _ in range(args.rounds):
        for name, (numbers, peer, code, choices) in chosen.items():
            now = {**job, **choices, "numbers": numbers}
            line = last_line(pythons[peer] or "", START + code + END, now)
            one, logits[name] = json.loads(line)
            times[name].append(one)
    middle = {name: statistics.median(values) for name, values in times.items()}
    best: dict[str, float] = {}
    for name, (numbers, peer, *_) in chosen.items():
        if peer:
            best[numbers] = min(middle[name], best.get(numbers, middle[name]))
    first = np.diff(next(iter(logits.values())))
    return [
        (
            name,
            chosen[name][0],
            f"{ms:.2f}",
            f"{1000 / ms:.1f}",
            f"{best[chosen[name][0]] / ms:.2f}" if chosen[name][0] in best else "",
            # Probabilities tell the difference of the logits only.
            f"{abs((np.diff(logits[name]) - first).item()):.1g}",
        )
        for name, ms in middle.items()
    ]


def main() -> None:
    """Measure and print one table per shape and length."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peers", help="interpreter with torch, transformers, ...")
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=["base", "tiny"])
    parser.add_argument("--tokens", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="+", help="forms with one of these in the name")
    args = parser.parse_args()
    pythons = {False: sys.executable, True: args.peers}
    for shape in args.shape:
        with tempfile.TemporaryDirectory() as folder:
            job = {
                "shape": SHAPES[shape],
                "words": WORDS,
                "tokens": args.tokens[0],
                "lengths": args.tokens,
                "seconds": args.seconds,
                "threads": args.threads,
                "folder": folder,
            }
            last_line(sys.executable, START + WRITE, job)
            if args.peers:
                last_line(args.peers, START + WRITE_PEERS, job)
            for tokens in args.tokens:
                rows = compare(pythons, {**job, "tokens": tokens}, args)
                title = f"{shape}: 1 x {tokens} tokens, {args.threads} threads"
                columns = ("form", "numbers", "ms", "text/s", "× peer", "|Δ|")
                print_table(title, columns, rows)


if __name__ == "__main__":
    main()
