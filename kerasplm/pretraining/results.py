"""What a pre-training leaves beside its checkpoints."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm._version import VERSION
from kerasplm.files import write_bytes, write_json
from kerasplm.pretraining.logs import Row
from kerasplm.pretraining.state import Position
from kerasplm.pretraining.training_settings import Settings
from kerasplm.report.pictures import curves

RESULTS = "results.json"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a pre-training gave.

    Args:
        model: With the weights of the last step.
        history: Logs of the training, with "val_" before what was evaluated.
        position: How far it came, in how much time, and its best checkpoint.
        folder: Where everything was written.
    """

    model: keras.Model
    history: list[Row]
    position: Position
    folder: Path


def write_results(result: Result, settings: Settings, facts: Mapping[str, Any]) -> None:
    """Write the picture and, as the last file, the results."""
    shown: Sequence[str] = [
        name
        for row in result.history[-1:]
        for name in row
        if name.endswith("accuracy") and not name.startswith("val_")
    ]
    metric = shown[0] if shown else "gradient_norm"
    png = curves(result.history, "pre-training", metric, along="step")
    write_bytes(result.folder / "learning_curve.png", png)
    position = result.position
    results = {
        **dataclasses.asdict(position),
        "tokens_per_second": position.tokens / position.seconds
        if position.seconds
        else None,
        "last": result.history[-1] if result.history else {},
        "parameters": result.model.count_params(),
        "settings": dataclasses.asdict(settings),
        **facts,
        "kerasplm": VERSION,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    write_json(result.folder / RESULTS, results)
