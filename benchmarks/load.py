"""Time and memory of loading BERT-base, beside other loaders and plain reading.

    python -m benchmarks.load [--bert4keras PYTHON] [--transformers PYTHON] [--runs 5]

Writes two TF1 checkpoints of BERT-base shape with random weights to a temporary folder
(0.4 GB, and 1.2 GB with both Adam slots; 2.5 GB in all), and the same model as
safetensors and as a Keras file. Each loader runs in fresh processes, all in turn; the
first turn only fills the page cache and is not counted. The other libraries have
requirements of their own, so each is run by the interpreter of its own environment:

    python -m venv b4k && b4k/bin/pip install bert4keras==0.11.5 tensorflow-cpu==2.15.1
    python -m venv hf && hf/bin/pip install torch transformers safetensors

Seconds are from the call until all weights are in memory. What every loader pays once
comes before the clock starts, for all of them: imports, the first operation, and a
model of one small layer. Memory is the highest resident set (VmHWM, so Linux only)
above the one before the clock started. Pages of a file that is mapped into memory are
part of it, though the system may drop them: safetensors are read that way. The columns:
median seconds, their spread, peak MiB, peak / weights, seconds / those of kerasplm.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasplm import Config, Encoder, PretrainedModel, load, save_huggingface
from kerasplm.checkpoint import named_weights, write
from kerasplm.families import FAMILIES
from kerasplm.reporting import print_table
from kerasplm.saving import config_data

MIB = 2**20
HEADS = ("mlm", "sentence_pair")
DATA = "bert_model.ckpt.data-00000-of-00001"

# The peak is set back: imports may have needed more than they kept.
MEASURE = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
folder, size = sys.argv[1], int(sys.argv[2])

def memory(line):
    with open("/proc/self/status") as file:
        return next(int(x.split()[1]) for x in file if x.startswith(line)) * 1024

{start}
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
base, begin = memory("VmRSS"), time.perf_counter()
{load}
seconds = time.perf_counter() - begin
print(json.dumps([seconds, memory("VmHWM") - base]))
"""

NUMPY = "import numpy as np"
SAFETENSORS = "import numpy as np\nfrom safetensors.numpy import load_file"
TENSORFLOW = "import tensorflow as tf\ntf.constant(1.0) + 1.0"
KERASPLM = f"""{TENSORFLOW}
import kerasplm as plm
from kerasplm import zoo
tiny = plm.Config(vocab_size=8, hidden_size=8, num_hidden_layers=1,
                  num_attention_heads=1, intermediate_size=8)
plm.PretrainedModel(plm.Encoder(tiny), {HEADS})
"""
# TensorFlow first: bert4keras asks it for its Keras too early otherwise.
BERT4KERAS = f"""os.environ["TF_KERAS"] = "1"
{TENSORFLOW}
tf.keras.backend.floatx()
from bert4keras.models import build_transformer_model
heads = dict(with_pool=True, with_nsp=True, with_mlm=True)
with open(folder + "/bert_config.json") as file:
    config = json.load(file)
tiny = dict(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
            intermediate_size=8, max_position_embeddings=8)
path = folder + "/tiny.json"
with open(path, "w") as file:
    json.dump(dict(config, **tiny), file)
build_transformer_model(path, **heads)
"""
TRANSFORMERS = """import torch, transformers
transformers.logging.set_verbosity_error()
torch.ones(1) + 1.0
tiny = dict(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
            intermediate_size=8)
transformers.BertForPreTraining(transformers.BertConfig(**tiny))
"""


@dataclasses.dataclass(frozen=True)
class Loader:
    """One row of the table.

    Args:
        name: What loads what.
        start: Code before the clock starts.
        load: Code that is measured; `folder` and `size` (bytes) are given.
        peer: The option that names its interpreter; "" is this one.
        slots: Whether it reads the TF1 checkpoint, so that slots may matter.
    """

    name: str
    start: str
    load: str
    peer: str = ""
    slots: bool = True


LOADERS = (
    Loader(
        "kerasplm.load, TF1",
        KERASPLM,
        'model = plm.load(folder, heads="pretraining")',
    ),
    Loader(
        "kerasplm.load, safetensors",
        KERASPLM,
        'model = plm.load(folder + "/hf", heads="pretraining")',
        slots=False,
    ),
    Loader(
        "kerasplm.load, .keras",
        KERASPLM,
        'model = plm.load(folder + "/model.keras", heads="pretraining")',
        slots=False,
    ),
    Loader(
        "bytes of the weights, np.fromfile",
        NUMPY,
        f'data = np.fromfile(folder + "/{DATA}", "uint8", size)',
    ),
    Loader(
        "safetensors, load_file",
        SAFETENSORS,
        'data = load_file(folder + "/hf/model.safetensors")',
        slots=False,
    ),
    Loader(
        "TensorFlow's reader, TF1",
        TENSORFLOW,
        """reader = tf.train.load_checkpoint(folder + "/bert_model.ckpt")
names = [n for n in reader.get_variable_to_shape_map() if "/adam_" not in n]
data = [reader.get_tensor(n) for n in names]""",
    ),
    Loader(
        "bert4keras, TF1",
        BERT4KERAS,
        """model = build_transformer_model(
    folder + "/bert_config.json", folder + "/bert_model.ckpt", **heads)""",
        "bert4keras",
    ),
    # A value of each page: its tensors may be no more than a map of the file.
    Loader(
        "transformers, safetensors",
        TRANSFORMERS,
        """model = transformers.BertForPreTraining.from_pretrained(folder + "/hf")
for weight in model.parameters():
    weight.detach().reshape(-1)[::1024].sum()""",
        "transformers",
        slots=False,
    ),
)


def write_files(folder: Path, slots: bool) -> int:
    """Write the checkpoint, and without slots the other formats, too.

    Returns:
        The bytes of the weights without slots.
    """
    encoder = Encoder(Config(vocab_size=21128), family="bert")
    model = PretrainedModel(encoder, HEADS)
    rng = np.random.default_rng(0)
    tensors = {}
    for path, weight in named_weights(model).items():
        name, transpose = FAMILIES["bert"].theirs(path)
        shape = tuple(weight.shape)[:: -1 if transpose else 1]
        for slot in ("", "/adam_m", "/adam_v") if slots else ("",):
            tensors[name + slot] = rng.standard_normal(shape, "float32")
    write(folder / "bert_model.ckpt", tensors)
    config = config_data(model, FAMILIES["bert"])
    (folder / "bert_config.json").write_text(json.dumps(config))
    if not slots:
        model = load(folder, heads="pretraining")
        save_huggingface(model, folder / "hf")
        model.save(folder / "model.keras")
    return sum(v.nbytes for n, v in tensors.items() if "/adam_" not in n)


def measure(loader: Loader, python: str, folder: Path, size: int) -> tuple[float, ...]:
    """Return seconds and bytes of one run in a fresh process."""
    code = MEASURE.format(start=loader.start, load=loader.load)
    done = subprocess.run(
        [python, "-c", code, str(folder), str(size)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{loader.name}: {python} failed:\n{done.stderr[-2000:]}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def compare(slots: bool, pythons: dict[str, str | None], runs: int) -> None:
    """Print the table of one checkpoint."""
    loaders = [x for x in LOADERS if pythons[x.peer] and (x.slots or not slots)]
    found: dict[Loader, list[tuple[float, ...]]] = {loader: [] for loader in loaders}
    with tempfile.TemporaryDirectory() as name:
        size = write_files(Path(name), slots)
        for _ in range(runs + 1):
            for loader, results in found.items():
                python = pythons[loader.peer] or sys.executable
                results.append(measure(loader, python, Path(name), size))
    rows: list[tuple[object, ...]] = []
    ours = 0.0
    for loader, results in found.items():
        seconds, peaks = zip(*results[1:], strict=True)
        middle, peak = statistics.median(seconds), statistics.median(peaks)
        ours = ours or middle
        spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
        sizes = (f"{peak / MIB:.0f}", f"{peak / size:.2f}")
        rows.append(
            (loader.name, f"{middle:.2f}", spread, *sizes, f"{middle / ours:.2f}")
        )
    what = "with Adam slots" if slots else "without slots"
    print_table(
        f"TF1 checkpoint {what}: {size / MIB:.0f} MiB of weights, median of {runs}",
        (
            "loader",
            "seconds",
            "spread",
            "peak MiB",
            "peak / weights",
            "time / kerasplm",
        ),
        rows,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    peers = [loader.peer for loader in LOADERS if loader.peer]
    for peer in peers:
        parser.add_argument(f"--{peer}", metavar="PYTHON", help=f"has {peer} installed")
    given = vars(parser.parse_args(arguments))
    pythons = {"": sys.executable, **{peer: given[peer] for peer in peers}}
    for slots in (False, True):
        compare(slots, pythons, given["runs"])
    for peer in peers:
        if not pythons[peer]:
            print(
                f"{peer} is left out: add --{peer} PYTHON, an interpreter that has it "
                f"(see the top of {Path(__file__).name})"
            )


if __name__ == "__main__":
    main()
