"""Ask an exported model in a process that does not know kerasplm."""

import json
import os
import subprocess
import sys

SERVER = """
import sys, json
import numpy as np
import tensorflow as tf
import tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
kind = {True: "U", False: "f8"}
for texts in json.loads(sys.argv[2]):
    out = serve(**{k: tf.constant(v) for k, v in texts.items()})
    out = {k: v.numpy().astype(kind[v.dtype == tf.string]) for k, v in out.items()}
    print(json.dumps({k: v.tolist() for k, v in sorted(out.items())}))
assert "kerasplm" not in sys.modules
"""


def serve(folder, *batches):
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(folder), json.dumps(batches)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
