"""Tokens per second of generation, beside transformers and bert4keras.

    python -m benchmarks.generation [--transformers PYTHON] [--bert4keras PYTHON]
        [--shape tiny] [--batches 1 32] [--beams 1 4] [--tokens 64] [--source 64]
        [--runs 3] [--jit]

All generate the same number of tokens (no token ends a text) from random sources of the
same length with a network of the same shape and random weights: kerasplm and
bert4keras a BERT with UniLM attention, transformers its BERT decoder (causal, with its
cache). bert4keras' loop takes one text at a time, without a cache: its speed does not
depend on the batch, so it is timed on one text. Tracing and compiling are not timed:
each runs once before. Columns: the median seconds of a run, those of all cores together
(which tell more where others use the machine too), tokens per second, and how many
times as fast kerasplm is.

The others are run by interpreters of environments of their own:

    python -m venv hf && hf/bin/pip install torch transformers
    python -m venv b4k && b4k/bin/pip install bert4keras "tensorflow<2.16" "keras<3"
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from kerasplm.reporting import print_table

SHAPES = {"base": (12, 768, 12, 3072), "tiny": (4, 312, 12, 1248)}
WORDS = 21128

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
texts = run()
times, work = [], []
for _ in range(job["runs"]):
    begin, before = time.perf_counter(), time.process_time()
    run()
    times.append(time.perf_counter() - begin)
    work.append(time.process_time() - before)
print(json.dumps([times, work, texts * room]))
"""

KERASPLM = """
import kerasplm as plm
from kerasplm.generation import Decoder, Decoding, next_token
from kerasplm.generation.sources import batch_of
encoder = plm.Encoder(plm.Config(vocab_size=words, hidden_size=hidden,
    num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
    attention="unilm"))
model = plm.PretrainedModel(encoder, ["mlm"])
decoder = Decoder(next_token(model, 101), Decoding(max_length=room, beams=beams),
                  jit_compile=job["jit"])
batch = batch_of(rows.tolist(), 0)
def run():
    found = decoder(batch)
    assert all(len(one.ids[0]) == room for one in found)
    return len(found)
"""

TRANSFORMERS = """
import torch
from transformers import BertConfig, BertLMHeadModel
torch.manual_seed(0)
model = BertLMHeadModel(BertConfig(vocab_size=words, hidden_size=hidden,
    num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
    is_decoder=True, bos_token_id=101, eos_token_id=None, pad_token_id=0)).eval()
ids = torch.tensor(rows)
def run():
    with torch.inference_mode():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), num_beams=beams,
                             do_sample=False, max_new_tokens=room, use_cache=True)
    assert out.shape[1] == ids.shape[1] + room
    return len(out)
"""

BERT4KERAS = """
os.environ["TF_KERAS"] = "1"
import tempfile
import tensorflow as tf
tf.keras.layers.Layer  # before bert4keras puts this lazy module in the place of keras
from bert4keras.models import build_transformer_model
from bert4keras.snippets import AutoRegressiveDecoder
config = {"vocab_size": words, "hidden_size": hidden, "num_hidden_layers": layers,
    "num_attention_heads": heads, "intermediate_size": inner, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02, "max_position_embeddings": 512, "type_vocab_size": 2}
with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    json.dump(config, file)
    file.flush()
    model = build_transformer_model(file.name, application="unilm")
class Search(AutoRegressiveDecoder):
    @AutoRegressiveDecoder.wraps("probas")
    def predict(self, inputs, output_ids, states):
        token_ids, segment_ids = inputs
        token_ids = np.concatenate([token_ids, output_ids], 1)
        segment_ids = np.concatenate([segment_ids, np.ones_like(output_ids)], 1)
        last = self.last_token(model)
        return last.predict([token_ids, segment_ids], verbose=0)
search = Search(start_id=None, end_id=-1, maxlen=room)
def run():
    ids = search.beam_search([rows[0], np.zeros_like(rows[0])], beams)
    assert len(ids) == room
    return 1
"""

LIBRARIES = {
    "kerasplm": KERASPLM,
    "transformers": TRANSFORMERS,
    "bert4keras": BERT4KERAS,
}


def measure(python: str, code: str, job: dict) -> tuple[float, ...]:
    """Generate in a fresh process.

    Returns:
        Median seconds, median seconds of work on all cores, tokens per second.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(job, file)
        file.flush()
        command = [python, "-c", START + code + END, file.name]
        environment = dict(os.environ)
        if python != sys.executable:
            environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr[-2000:]}")
    times, work, tokens = json.loads(done.stdout.splitlines()[-1])
    seconds = statistics.median(times)
    return seconds, statistics.median(work), tokens / seconds


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
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jit", action="store_true", help="compile ours by XLA")
    args = parser.parse_args()
    pythons = {
        "kerasplm": sys.executable,
        "transformers": args.transformers,
        "bert4keras": args.bert4keras,
    }
    for shape in args.shape:
        rows = []
        for batch in args.batches:
            for beams in args.beams:
                job = {
                    "shape": SHAPES[shape],
                    "words": WORDS,
                    "batch": batch,
                    "beams": beams,
                    "tokens": args.tokens,
                    "source": args.source,
                    "runs": args.runs,
                    "jit": args.jit,
                }
                ours = 0.0
                for library, python in pythons.items():
                    if python is None:
                        continue
                    *seconds, speed = measure(python, LIBRARIES[library], job)
                    ours = ours or speed
                    rows.append((batch, beams, library, *seconds, speed, ours / speed))
        title = f"{shape}: {args.tokens} tokens after {args.source}"
        columns = (
            "batch",
            "beams",
            "library",
            "s",
            "CPU s",
            "tokens/s",
            "kerasplm is ×",
        )
        print_table(title, columns, rows)


if __name__ == "__main__":
    main()
