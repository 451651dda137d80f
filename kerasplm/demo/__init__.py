"""The whole path on a small model and small data that come with the package.

`data/model/` is a BERT of 0.6 million weights in the format of the original code,
pre-trained by `examples/make_demo` on Chinese text that it generates;
`data/sentiment/` is a set of generated reviews in the format of ChnSentiCorp.
"""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

MODEL = Path(__file__).parent / "data" / "model"
REVIEWS = Path(__file__).parent / "data" / "sentiment"
SENTENCES = (
    "房间干净，服务员很热情，下次还来。",
    "手机用了两天就坏了，太让人失望。",
    "虽然位置有点偏，但是味道非常好。",
    "封面很漂亮，可是内容太空洞了。",
)

# What a server does: kerasplm is not imported.
_ANSWER = """
import sys
import tensorflow as tf
import tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
out = serve(text=tf.constant(sys.argv[2:]))
for label, row in zip(out["label"].numpy(), out["probabilities"].numpy()):
    print(label.decode(), *(f"{p:.3f}" for p in row))
assert "kerasplm" not in sys.modules
"""


def run(output: Path) -> None:
    """Load, fine-tune, export, answer.

    Args:
        output: Folder for the results; a finished run there is used again.
    """
    from kerasplm import finetuning, load
    from kerasplm.reporting import print_table
    from kerasplm.tasks import TASKS

    console = Console()
    begin = time.perf_counter()
    console.rule("1. Load a TF1 checkpoint in one line")
    encoder = load(MODEL)
    console.print(f"encoder = kerasplm.load({str(MODEL)!r})")
    console.print(str(encoder.load_report), highlight=False)
    console.print(f"{encoder.count_params():,} weights", highlight=False)
    console.rule("2. Fine-tune with model.fit")
    task = dataclasses.replace(
        TASKS["chnsenticorp"], name="reviews", source="examples/make_demo/sentiment.py"
    )
    settings = task.settings(epochs=8, learning_rate=5e-4, max_length=64, dropout=0.1)
    result = finetuning.finetune(
        MODEL,
        task,
        REVIEWS,
        output,
        settings=settings,
        verbose=2,
    )
    console.rule("3. Results")
    finetuning.print_result(result, task.name)
    console.rule("4. Ask the exported model, in a process without kerasplm")
    folder = output / "saved_model"
    answer = subprocess.run(
        [sys.executable, "-c", _ANSWER, str(folder), *SENTENCES],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = {"0": "negative", "1": "positive"}
    rows = []
    for sentence, line in zip(SENTENCES, answer.splitlines(), strict=True):
        label, *probabilities = line.split()
        rows.append((sentence, names[label], float(probabilities[int(label)])))
    print_table("", ("sentence", "label", "probability"), rows)
    console.print(f"{time.perf_counter() - begin:.0f} s in all; see {output}")
