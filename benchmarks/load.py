"""Time and memory of loading a base-size TF1 checkpoint with optimizer slots.

    python -m benchmarks.load

Writes a checkpoint of BERT-base shape with random weights and both Adam slots (1.2 GB)
to a temporary folder, then loads it in fresh processes, several times. Compared, side
by side, with reading the same weights by TensorFlow's own reader into a list, which is
the least that any loader does. Memory is the peak of the process above what it held
before loading.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from kerasplm import Config, Encoder, PretrainedModel
from kerasplm.checkpoint import named_weights, write
from kerasplm.families import FAMILIES
from kerasplm.reporting import print_table

RUNS = 5
HEADS = ("mlm", "sentence_pair")

MEASURE = """
import json, sys, time
import numpy as np, tensorflow as tf
import kerasplm as plm
from kerasplm import checkpoint, zoo
folder, how = sys.argv[1:]
tf.constant(1.0) + 1.0
plm.Encoder(plm.Config(vocab_size=8, hidden_size=8, num_hidden_layers=1,
                       num_attention_heads=1, intermediate_size=8))

def memory(line):
    with open("/proc/self/status") as file:
        return next(int(x.split()[1]) for x in file if x.startswith(line)) * 1024

base = memory("VmRSS")
begin = time.perf_counter()
if how == "kerasplm":
    model = plm.load(folder, heads="pretraining")
else:
    reader = tf.train.load_checkpoint(folder + "/bert_model.ckpt")
    names = [n for n in reader.get_variable_to_shape_map() if "/adam_" not in n]
    model = [reader.get_tensor(n) for n in names]
seconds = time.perf_counter() - begin
print(json.dumps([seconds, memory("VmHWM") - base]))
"""


def write_checkpoint(folder: Path) -> int:
    """Return the bytes of the weights."""
    model = PretrainedModel(Encoder(Config(vocab_size=21128)), HEADS)
    rng = np.random.default_rng(0)
    tensors = {}
    for path, weight in named_weights(model).items():
        name, transpose = FAMILIES["bert"].theirs(path)
        shape = tuple(weight.shape)[:: -1 if transpose else 1]
        for slot in ("", "/adam_m", "/adam_v"):
            tensors[name + slot] = rng.standard_normal(shape, "float32")
    write(folder / "bert_model.ckpt", tensors)
    config = {"num_attention_heads": 12, "hidden_act": "gelu"}
    (folder / "bert_config.json").write_text(json.dumps(config))
    return sum(v.nbytes for n, v in tensors.items() if "/adam_" not in n)


def measure(folder: Path, how: str) -> tuple[float, float]:
    out = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder), how],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seconds, memory = json.loads(out.splitlines()[-1])
    return seconds, memory


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        size = write_checkpoint(Path(name))
        found: dict[str, list[tuple[float, float]]] = {"kerasplm": [], "tf reader": []}
        for _ in range(RUNS):
            for how, results in found.items():
                results.append(measure(Path(name), how))
    rows = []
    for how, results in found.items():
        seconds, memory = (statistics.median(x) for x in zip(*results, strict=True))
        rows.append((how, round(seconds, 2), memory / 2**20, memory / size))
    columns = ("loader", "seconds", "peak MiB above start", "peak / weights")
    print_table(f"{size / 2**20:.0f} MiB of weights, median of {RUNS}", columns, rows)


if __name__ == "__main__":
    main()
