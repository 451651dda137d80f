"""Features on disk, found by the content of all that they depend on."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from kerasplm._version import VERSION
from kerasplm.files import write_arrays
from kerasplm.tasks.features import Features
from kerasplm.tasks.settings import Settings
from kerasplm.tasks.targets import Targets, targets_named
from kerasplm.tasks.task import Split, Task

# Raise it whenever the same rows give other features.
_LAYOUT = 1
_ARRAYS = ("token_ids", "segment_ids", "starts", "owner", "places", "best", "allowed")
_BROKEN = (OSError, ValueError, KeyError, EOFError, BadZipFile)


def cached_features(
    folder: Path | None,
    task: Task,
    split: Split,
    tokenizer: Any,
    settings: Settings,
) -> Features:
    """Return features from the cache, or make and keep them.

    The name of the file is a hash of the rows, the task, the vocabulary and
    its rules, and of every setting that changes features. A file that cannot be read
    is made again.

    Args:
        folder: Where the cache is; None makes the features without it.
        task: The declaration.
        split: The rows and the files from which they come.
        tokenizer: The tokenizer.
        settings: `max_length` and the options of the kind.
    """
    words = getattr(tokenizer, "pre_tokenize", None)
    if folder is None or words is not None:  # how words are cut cannot be hashed
        return task.features(split.rows, tokenizer, settings)
    file = folder / f"{_key(task, split, tokenizer, settings)}.npz"
    try:
        return _read(file)
    except FileNotFoundError:
        pass
    except _BROKEN:
        file.unlink(missing_ok=True)
    features = task.features(split.rows, tokenizer, settings)
    _write(file, features)
    return features


def _key(task: Task, split: Split, tokenizer: Any, settings: Settings) -> str:
    facts = {
        "layout": _LAYOUT,
        "kerasplm": VERSION,
        # Not the files: a reader may have been told other labels.
        "content": hashlib.sha256(repr(split.rows).encode()).hexdigest(),
        "task": [task.kind, task.pair, list(task.labels)],
        "max_length": settings.max_length,
        "options": dataclasses.asdict(settings.options),
        "vocab": hashlib.sha256("\n".join(tokenizer.vocab).encode()).hexdigest(),
        "rules": tokenizer.get_config(),
    }
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write(file: Path, features: Features) -> None:
    arrays = {name: getattr(features, name) for name in _ARRAYS}
    meta: dict[str, Any] = {"pad_id": features.pad_id, "choices": features.choices}
    if features.targets is not None:
        meta["targets"] = type(features.targets).__name__
        for field in dataclasses.fields(features.targets):
            arrays[f"targets.{field.name}"] = getattr(features.targets, field.name)
    kept = {name: array for name, array in arrays.items() if array is not None}
    write_arrays(file, {**kept, "meta": json.dumps(meta)})


def _read(file: Path) -> Features:
    with file.open("rb") as raw, np.load(raw, allow_pickle=False) as data:
        meta = json.loads(str(data["meta"]))
        arrays = {name: data[name] for name in _ARRAYS if name in data}
        targets: Targets | None = None
        if "targets" in meta:
            cls = targets_named(meta["targets"])
            names = [field.name for field in dataclasses.fields(cls)]
            targets = cls(**{name: data[f"targets.{name}"] for name in names})
        return Features(
            **arrays, pad_id=meta["pad_id"], choices=meta["choices"], targets=targets
        )


def length_statistics(features: Features, max_length: int) -> dict[str, float]:
    """Return how long features are, in tokens.

    Args:
        features: The features.
        max_length: The limit; the share of features that reach it is `full`.
    """
    lengths = features.lengths
    middle, most, nearly_all = np.percentile(lengths, (50, 95, 99))
    return {
        "features": len(features),
        "mean": float(lengths.mean()),
        "median": float(middle),
        "p95": float(most),
        "p99": float(nearly_all),
        "max": int(lengths.max()),
        "full": float((lengths >= max_length).mean()),
    }
