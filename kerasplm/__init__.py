"""Chinese pre-trained language models for Keras 3, exact and in one line.

Importing the package is quick: Keras, TensorFlow and the modules that need them are
imported when something of them is first used; the core also runs on JAX and PyTorch.
Once Keras is imported, so is every class that a `.keras` file may name, and
`keras.models.load_model` finds it.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if os.path.basename("".join(sys.argv[:1])) == "kerasplm":
    # The command line: TensorFlow's start-up messages would bury the results.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasplm import following
from kerasplm._version import VERSION as __version__
from kerasplm.config import Config
from kerasplm.errors import PLMError

if TYPE_CHECKING:
    from kerasplm.serializable import (
        FGM,
        LAMB,
        PGD,
        VAT,
        AdamW,
        Classifier,
        Encoder,
        EntityTagger,
        GradientPenalty,
        MultipleChoice,
        PiecewiseLinear,
        PretrainedModel,
        RDrop,
        RelationExtractor,
        SentenceEncoder,
        Seq2Seq,
        Seq2SeqConfig,
        SpanExtractor,
        TextGenerator,
        WarmupLinear,
        adamw,
    )

_SERIALIZABLE = "kerasplm.serializable"
_OBJECTIVES = "kerasplm.pretraining.objectives"
_LAZY = {
    "ContextualAugmenter": "kerasplm.augmentation",
    "Distillation": "kerasplm.distillation.model",
    "Electra": "kerasplm.pretraining.electra",
    "FAMILIES": "kerasplm.families",
    "PretrainingJob": "kerasplm.pretraining.jobs",
    "PretrainingModel": "kerasplm.pretraining.models",
    "PythonTokenizer": "kerasplm.python_tokenizer",
    "SentenceIndex": "kerasplm.retrieval",
    "TASKS": "kerasplm.tasks",
    "Task": "kerasplm.tasks",
    "Theseus": "kerasplm.distillation.theseus",
    "Tokenizer": "kerasplm.tokenizer",
    "WordVectors": "kerasplm.augmentation",
    "augment_task": "kerasplm.augmentation",
    "causal_lm": _OBJECTIVES,
    "check_vocab": "kerasplm.vocabulary_tools",
    "compare_scores": "kerasplm.runtimes",
    "electra_model": "kerasplm.pretraining.starting",
    "evaluate": "kerasplm.evaluating",
    "export": "kerasplm.exporting",
    "export_generator": "kerasplm.generation",
    "export_litert": "kerasplm.runtimes",
    "export_onnx": "kerasplm.runtimes",
    "extend_vocab": "kerasplm.vocabulary_tools",
    "finetune": "kerasplm.finetuning",
    "generate": "kerasplm.generation",
    "list_models": "kerasplm.catalogue",
    "load": "kerasplm.zoo",
    "load_checkpoint": "kerasplm.zoo",
    "load_config": "kerasplm.zoo",
    "load_tokenizer": "kerasplm.tokenizing",
    "mlm": _OBJECTIVES,
    "model_info": "kerasplm.catalogue",
    "nsp": _OBJECTIVES,
    "pipeline": "kerasplm.pipelines",
    "pretraining_model": "kerasplm.pretraining.starting",
    "save_checkpoint": "kerasplm.saving",
    "save_huggingface": "kerasplm.huggingface_out",
    "save_model_garden": "kerasplm.model_garden_out",
    "simbert": _OBJECTIVES,
    "simplify_vocab": "kerasplm.vocabulary_tools",
    "sop": _OBJECTIVES,
    "unilm": _OBJECTIVES,
}
__all__ = [
    "FGM",
    "LAMB",
    "PGD",
    "VAT",
    "AdamW",
    "Classifier",
    "Config",
    "Encoder",
    "EntityTagger",
    "GradientPenalty",
    "MultipleChoice",
    "PLMError",
    "PiecewiseLinear",
    "PretrainedModel",
    "RDrop",
    "RelationExtractor",
    "SentenceEncoder",
    "Seq2Seq",
    "Seq2SeqConfig",
    "SpanExtractor",
    "TextGenerator",
    "WarmupLinear",
    "__version__",
    "adamw",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in __all__:
        value = getattr(importlib.import_module(_LAZY.get(name, _SERIALIZABLE)), name)
        if "keras" in sys.modules:
            importlib.import_module(_SERIALIZABLE)
        return value
    raise AttributeError(f"module 'kerasplm' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)


following.keras(_SERIALIZABLE)
