"""Ask exported models in a process that does not know kerasplm."""

import json
import os
import subprocess
import sys

SERVER = """
import sys, json
import tensorflow as tf
import tensorflow_text

def plain(x):
    if isinstance(x, list):
        return [plain(part) for part in x]
    return x.decode() if isinstance(x, bytes) else float(x)

for folder, batches in json.load(sys.stdin):
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    specs = serve.structured_input_signature[1]
    for batch in batches:
        given = {k: tf.constant(v, specs[k].dtype) for k, v in batch.items()}
        out = {k: plain(v.numpy().tolist()) for k, v in serve(**given).items()}
        print(json.dumps(out, sort_keys=True))
assert "kerasplm" not in sys.modules
"""


def serve(folder, *batches):
    return serve_all((folder, batches))[0]


def serve_all(*jobs):
    """Return what each (folder, batches) answers, all in one process."""
    jobs = [(str(folder), list(batches)) for folder, batches in jobs]
    done = subprocess.run(
        [sys.executable, "-c", SERVER],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        cwd=jobs[0][0],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = iter([json.loads(line) for line in done.stdout.splitlines()])
    return [[next(answers) for _ in batches] for _, batches in jobs]
