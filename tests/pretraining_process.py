"""One process of a small pre-training: python -m tests.pretraining_process FACTS.

FACTS is JSON: output, settings; optional strategy, devices (virtual processors),
dropout, kill (seconds after its first own state at which the process kills itself),
fail (number of the batch at which the data end).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "steps": 8,
    "batch_size": 8,
    "max_length": 12,
    "learning_rate": 0.01,
    "clip_norm": 0.5,
    "log_steps": 1,
    "save_steps": 4,
    "peak_flops": None,
}


def told(output, settings=None, **facts):
    """Return the facts of a training: those of this module's docstring."""
    return {
        **facts,
        "output": str(output),
        "settings": {**SETTINGS, **(settings or {})},
    }


def start(output, *, environment=None, **facts):
    """Start a process."""
    facts = told(output, **facts)
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pretraining_process", json.dumps(facts)],
        cwd=ROOT,
        env={**quiet, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*processes, code=0, seconds=900):
    """Wait for processes; they must end with this code."""
    try:
        outputs = [process.communicate(timeout=seconds)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == code, output[-3000:]
    return outputs


def workers(output, count=2, **facts):
    """Start as many machines, all on this one."""
    free = [socket.socket() for _ in range(count)]
    for one in free:
        one.bind(("localhost", 0))
    cluster = {"worker": [f"localhost:{one.getsockname()[1]}" for one in free]}
    for one in free:
        one.close()
    return [
        start(
            output,
            strategy="multi_worker",
            environment={
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": n}}
                )
            },
            **facts,
        )
        for n in range(count)
    ]


def arrays(output):
    """Return the newest state as arrays."""
    file = max((Path(output) / "state").glob("step-*.npz"))
    with np.load(file) as data:
        return {name: data[name] for name in data.files if name != "meta"}


def die(output, seconds):
    """End this process as a crash does, a while after it saved a state."""
    before = set(Path(output).glob("state/step-*.npz"))
    while set(Path(output).glob("state/step-*.npz")) <= before:
        time.sleep(0.01)
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def main(facts):
    import tensorflow as tf

    from kerasplm.pretraining.strategies import strategy_of

    if "devices" in facts:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * facts["devices"],
        )
    strategy = strategy_of(facts.get("strategy", "cpu"))
    from kerasplm.pretraining.loop import pretrain
    from kerasplm.pretraining.training_settings import Settings
    from tests import toy_pretraining as toy

    class Data(toy.Data):
        def batches(self, stage, skip, shard, replicas):
            found = super().batches(stage, skip, shard, replicas)
            return found.take(facts["fail"] - skip) if "fail" in facts else found

    if "kill" in facts:
        threading.Thread(target=die, args=(facts["output"], facts["kill"])).start()
    settings = Settings(**facts["settings"])
    pretrain(
        lambda: toy.model(dropout=facts.get("dropout", 0.0)),
        Data(settings),
        facts["output"],
        settings=settings,
        strategy=strategy,
        show=False,
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
