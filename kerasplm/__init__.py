"""Chinese pre-trained language models for Keras 3, exact and in one line.

Importing the package loads Keras but not TensorFlow: what reads checkpoints,
tokenizes in graph, trains on tasks or exports is imported when it is first used, so
that the core also runs on JAX and PyTorch.
"""

import importlib
from typing import Any

from kerasplm._version import VERSION as __version__
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import PLMError
from kerasplm.heads import Classifier, PretrainedModel

_LAZY = {
    "FAMILIES": "kerasplm.families",
    "PythonTokenizer": "kerasplm.python_tokenizer",
    "TASKS": "kerasplm.tasks",
    "Task": "kerasplm.tasks",
    "Tokenizer": "kerasplm.tokenizer",
    "AdamW": "kerasplm.optimization",
    "WarmupLinear": "kerasplm.optimization",
    "adamw": "kerasplm.optimization",
    "export": "kerasplm.exporting",
    "finetune": "kerasplm.finetuning",
    "load": "kerasplm.zoo",
    "load_checkpoint": "kerasplm.zoo",
    "load_config": "kerasplm.zoo",
    "load_tokenizer": "kerasplm.tokenizing",
    "save_checkpoint": "kerasplm.saving",
}
__all__ = [
    "Classifier",
    "Config",
    "Encoder",
    "PLMError",
    "PretrainedModel",
    "__version__",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'kerasplm' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
