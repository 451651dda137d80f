"""Tokens per second of generation, beside transformers and bert4keras.

    python -m benchmarks.generation [--transformers PYTHON] [--bert4keras PYTHON]
        [--shape tiny] [--batches 1 32] [--beams 1 4] [--tokens 64] [--source 64]
        [--rounds 5] [--jit]

All load the same random weights of a causal BERT, written once by kerasplm as a TF1
checkpoint and for transformers, and generate the same number of tokens (no token ends a
text) from the same random sources. bert4keras' loop takes one text at a time, without a
cache: its speed does not depend on the batch, so it is timed on one text. Tracing and
compiling are not timed: each generates once before. The libraries take turns, each time
in a new process, so that what else the machine does meets all of them. Columns: the
median seconds, the median of those of all cores together, tokens per second, how many
times as fast kerasplm is, and the share of the texts whose ids equal kerasplm's
(rounding may let another token win where two are as good).

The others are run by interpreters of environments of their own:

    python -m venv hf && hf/bin/pip install torch transformers
    python -m venv b4k && b4k/bin/pip install bert4keras==0.11.5 tensorflow-cpu==2.15.1
"""

import argparse
import json
import os
import statistics
import sys
import tempfile

from benchmarks.processes import last_line
from benchmarks.shapes import SHAPES, WORDS
from kerasplm.reporting import print_table

START = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
layers, hidden, heads, inner = job["shape"]
words, room, beams = job["words"], job["tokens"], job["beams"]
rng = np.random.default_rng(0)
rows = rng.integers(200, words, (job["batch"], job["source"]))
"""
END = """
found = run()
begin, before = time.perf_counter(), time.process_time()
run()
times = time.perf_counter() - begin, time.process_time() - before
print(json.dumps([*times, [list(map(int, ids)) for ids in found]]))
"""

WRITE = """
import keras
import kerasplm as plm
keras.utils.set_random_seed(0)
# Wide weights: what comes next depends on the text.
encoder = plm.Encoder(plm.Config(vocab_size=words, hidden_size=hidden,
    num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
    hidden_act="gelu_erf", initializer_range=0.1))
model = plm.PretrainedModel(encoder, ["mlm", "sentence_pair"])
plm.save_checkpoint(model, job["folder"] + "/tf1/bert_model.ckpt", family="bert")
plm.save_huggingface(model, job["folder"] + "/hf")
"""

KERASPLM = """
import kerasplm as plm
from kerasplm.generation import Decoder, Decoding, next_token
from kerasplm.generation.sources import batch_of
model = plm.load(job["folder"] + "/tf1", heads="pretraining", attention="causal",
                 hidden_act="gelu_erf")
decoder = Decoder(next_token(model, 101), Decoding(max_length=room, beams=beams),
                  jit_compile=job["jit"])
batch = batch_of(rows.tolist(), 0)
def run():
    return [one.ids[0] for one in decoder(batch)]
"""

TRANSFORMERS = """
import torch
from transformers import BertLMHeadModel
torch.set_num_threads(os.cpu_count())
model = BertLMHeadModel.from_pretrained(job["folder"] + "/hf", is_decoder=True).eval()
model.generation_config.eos_token_id = None
model.generation_config.pad_token_id = 0
ids = torch.tensor(rows)
def run():
    with torch.inference_mode():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), num_beams=beams,
                             do_sample=False, max_new_tokens=room, use_cache=True)
    return out[:, ids.shape[1]:].tolist()
"""

BERT4KERAS = """
os.environ["TF_KERAS"] = "1"
import glob
import tensorflow as tf
tf.keras.layers.Layer  # before bert4keras puts this lazy module in the place of keras
from bert4keras.models import build_transformer_model
from bert4keras.snippets import AutoRegressiveDecoder
tf1 = job["folder"] + "/tf1/"
model = build_transformer_model(glob.glob(tf1 + "*.json")[0],
    glob.glob(tf1 + "*.index")[0][:-6], application="lm", hidden_act="gelu")
class Search(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps("probas")
    def predict(self, inputs, output_ids, states):
        token_ids = np.concatenate([inputs[0], output_ids], 1)
        last = self.last_token(model)
        return last.predict([token_ids, np.zeros_like(token_ids)], verbose=0)
search = Search(start_id=None, end_id=-1, maxlen=room)
def run():
    return [search.beam_search([rows[0]], beams)]
"""

LIBRARIES = {
    "kerasplm": KERASPLM,
    "transformers": TRANSFORMERS,
    "bert4keras": BERT4KERAS,
}


def compare(pythons: dict[str, str | None], job: dict, rounds: int) -> list[tuple]:
    """Let the libraries generate in turns; return the rows of the table."""
    seconds: dict[str, list[float]] = {}
    work: dict[str, list[float]] = {}
    texts: dict[str, list[list[int]]] = {}
    for _ in range(rounds):
        for library, python in pythons.items():
            if python is not None:
                code = START + LIBRARIES[library] + END
                line = last_line(python, code, job)
                one, other, texts[library] = json.loads(line)
                seconds.setdefault(library, []).append(one)
                work.setdefault(library, []).append(other)
    speeds = {
        library: len(texts[library]) * job["tokens"] / statistics.median(times)
        for library, times in seconds.items()
    }
    ours = texts["kerasplm"]
    return [
        (
            job["batch"],
            job["beams"],
            library,
            statistics.median(seconds[library]),
            statistics.median(work[library]),
            speed,
            speeds["kerasplm"] / speed,
            statistics.mean(a == b for a, b in zip(ours, texts[library], strict=False)),
        )
        for library, speed in speeds.items()
    ]


def main() -> None:
    """Measure and print one table per shape."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--transformers", help="interpreter with torch, transformers")
    parser.add_argument("--bert4keras", help="interpreter with bert4keras")
    parser.add_argument("--shape", choices=SHAPES, nargs="+", default=["tiny"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--source", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jit", action="store_true", help="compile ours by XLA")
    args = parser.parse_args()
    pythons = {
        "kerasplm": sys.executable,
        "transformers": args.transformers,
        "bert4keras": args.bert4keras,
    }
    for shape in args.shape:
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            job = {
                "shape": SHAPES[shape],
                "words": WORDS,
                "tokens": args.tokens,
                "source": args.source,
                "jit": args.jit,
                "folder": folder,
            }
            first = {**job, "batch": 1, "beams": 1}
            last_line(sys.executable, START + WRITE, first)
            for batch in args.batches:
                for beams in args.beams:
                    now = {**job, "batch": batch, "beams": beams}
                    rows += compare(pythons, now, args.rounds)
                    print(*rows[-3:], os.getloadavg(), sep="\n", file=sys.stderr)
        title = f"{shape}: {args.tokens} tokens after {args.source}"
        columns = (
            "batch",
            "beams",
            "library",
            "s",
            "CPU s",
            "tokens/s",
            "kerasplm is ×",
            "equal",
        )
        print_table(title, columns, rows)


if __name__ == "__main__":
    main()
