"""Everything that `kerasplm benchmark` measures, as one result."""

import dataclasses
import datetime
import gc
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from kerasplm.benchmarking import measuring, memory
from kerasplm.benchmarking.arithmetic import ROOF, Shape, roof
from kerasplm.benchmarking.models import classifier
from kerasplm.errors import ConfigError
from kerasplm.pipelines import pipeline

MEASURES = ("roof", "start", "stream", "latency", "tokenizers", "curves")
PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, and how.

    Args:
        texts: What the models answer.
        precision: "float32" or "bfloat16".
        batch_size: Texts that run at once.
        max_length: Tokens of a text at most.
        repeats: Measurements of everything; medians count.
        measures: Which of `MEASURES`.
        lengths: Of the curves, in tokens.
        batches: Of the curves, in texts.
        roof_shapes: Matrices whose products are the roof.

    Raises:
        ConfigError: A choice is not one.
    """

    texts: Sequence[str]
    precision: str = "float32"
    batch_size: int = 32
    max_length: int = 128
    repeats: int = 3
    measures: Sequence[str] = MEASURES[:-1]
    lengths: Sequence[int] = (32, 128, 512)
    batches: Sequence[int] = (1, 32)
    roof_shapes: Sequence[Shape] = ROOF

    def __post_init__(self) -> None:
        """Check every choice."""
        if self.precision not in PRECISIONS:
            raise ConfigError(
                f"precision must be one of {', '.join(PRECISIONS)}. Received: "
                f"{self.precision!r}"
            )
        unknown = [name for name in self.measures if name not in MEASURES]
        if unknown or not self.measures:
            raise ConfigError(
                f"expected measurements among {', '.join(MEASURES)}, found "
                f"{', '.join(unknown) or 'none'}"
            )
        numbers = {"batch_size": [self.batch_size], "repeats": [self.repeats]}
        numbers |= {"batches": list(self.batches)}
        for name, values in numbers.items():
            if not values or min(values) < 1:
                raise ConfigError(f"{name} must be positive. Received: {values}")
        lengths = [self.max_length, *self.lengths]
        if not self.lengths or min(lengths) < 3:
            raise ConfigError(f"lengths are 3 tokens or more. Received: {lengths}")
        if not self.texts:
            raise ConfigError("expected texts to measure with, found none")


def run(
    models: Sequence[str],
    plan: Plan,
    note: Callable[[str], None] = lambda text: None,
    **loading: Any,
) -> dict[str, Any]:
    """Measure the machine, and one model after the other.

    Args:
        models: Keys of `SHAPES`, or as for `load`.
        plan: What is measured.
        note: Is told what comes next.
        **loading: As for `load`.

    Returns:
        Plain values for JSON: "date", "machine", "settings", "roof" (GFLOP/s of each
        number type), "start", and for each model "models" with what was measured.

    Raises:
        ConfigError: A model is no encoder, or takes fewer tokens than are asked for.
        PLMError: As for `load`.
    """
    found: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "settings": {
            "precision": plan.precision,
            "batch_size": plan.batch_size,
            "max_length": plan.max_length,
            "repeats": plan.repeats,
            "texts": len(plan.texts),
            "mean_characters": sum(map(len, plan.texts)) / len(plan.texts),
        },
        "models": {},
    }
    if "start" in plan.measures:
        note("start")
        found["start"] = measuring.starts(plan.repeats)
    for name in models:
        found["models"][name] = _model(name, plan, note, loading)
        gc.collect()
    # Last: its matrices would count as memory of the models.
    if "roof" in plan.measures:
        note("roof")
        found["roof"] = {
            kind: roof(kind, plan.repeats, plan.roof_shapes) for kind in PRECISIONS
        }
        for results in found["models"].values():
            _share(results, found["roof"][plan.precision])
    return found


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, devices, versions."""
    import tensorflow as tf

    names = ("kerasplm", "keras", "tensorflow", "numpy")
    gpus = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or "all",
        "gpus": [str(one.get("device_name", "GPU")) for one in details],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        rows = (row.split(":", 1) for row in file.read_text().splitlines())
        names = [row[1].strip() for row in rows if row[0].strip() == "model name"]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _model(
    name: str,
    plan: Plan,
    note: Callable[[str], None],
    loading: Mapping[str, Any],
) -> dict[str, Any]:
    """Measure one model."""
    note(f"{name}: load")
    memory.reset()
    begin = time.perf_counter()
    model, tokenizer = classifier(name, plan.precision, **loading)
    loaded = time.perf_counter() - begin
    limit = model.encoder.config.max_positions
    wanted = [plan.max_length, *(plan.lengths if "curves" in plan.measures else ())]
    if limit is not None and max(wanted) > limit:
        raise ConfigError(
            f"{name}: takes {limit} tokens at most. Received: {max(wanted)}"
        )

    def ask(batch_size: int, max_length: int) -> Any:
        options = {"batch_size": batch_size, "max_length": max_length}
        return pipeline("text-classification", model, tokenizer, **options)

    pipe = ask(plan.batch_size, plan.max_length)
    # The first call of a program also starts TensorFlow's kernels.
    first = measuring.seconds(lambda: pipe(plan.texts[0]))
    results: dict[str, Any] = {
        "parameters": model.encoder.count_params(),
        "load s": loaded,
        "first prediction s": first,
        "peak MiB of loading": memory.peak(),
    }
    work: dict[str, Callable[[], Any]] = {
        "stream": lambda: measuring.stream(pipe, plan.texts, plan.repeats),
        "latency": lambda: measuring.latency(pipe, plan.texts, plan.repeats),
        "tokenizers": lambda: measuring.tokenizers(tokenizer, plan.texts, plan.repeats),
        "curves": lambda: measuring.curve(
            ask, plan.lengths, plan.batches, plan.repeats
        ),
    }
    for measure, measured in work.items():
        if measure in plan.measures:
            note(f"{name}: {measure}")
            results[measure] = measured()
    keras.backend.clear_session()
    return results


def _share(results: dict[str, Any], roof: float) -> None:
    """Tell every speed as a share of the roof as well."""
    for row in [*results.get("stream", {}).values(), *results.get("curves", [])]:
        row["share of roof"] = row["GFLOP/s"] / roof
