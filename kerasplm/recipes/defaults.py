"""What each family's own fine-tuning code does where nobody says otherwise."""

from collections.abc import Mapping

from kerasplm.recipes.base import Value

_BERT: dict[str, Value] = {
    "max_length": 128,
    "batch_size": 32,
    "learning_rate": 5e-5,
    "epochs": 3,
    "warmup": 0.1,
    "schedule": "bert",
    "optimizer": "adamw",
    "bias_correction": False,
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "clip_each": False,
    "dropout": 0.1,
}
_ELECTRA = _BERT | {"learning_rate": 1e-4, "schedule": "electra", "layer_decay": 0.8}
_NEZHA = _BERT | {"learning_rate": 3e-5, "schedule": "nezha"}
# Its schedule is NEZHA's: falls from the peak without a jump.
_TINYBERT = _BERT | {"schedule": "nezha", "clip_each": True, "dropout": 0.0}
ADAM: dict[str, Value] = {
    "warmup": 0.0,
    "schedule": "constant",
    "optimizer": "adam",
    "bias_correction": True,
    "epsilon": 1e-7,
    "weight_decay": 0.0,
    "clip_norm": None,
    "clip_each": False,
    "dropout": 0.0,
}
"""The optimizer of the scripts of ZhuiyiTechnology: the Adam of stand-alone Keras."""

_ZHUIYI = _BERT | ADAM | {"learning_rate": 1e-5, "epochs": 10}
_T5 = _ZHUIYI | {"learning_rate": 2e-4, "epochs": 40}

CODES: Mapping[str, tuple[Mapping[str, Value], str]] = {
    "bert": (_BERT, "google-research/bert, run_classifier.py and optimization.py"),
    "electra": (
        _ELECTRA,
        "google-research/electra, configure_finetuning.py and model/optimization.py",
    ),
    "nezha": (
        _NEZHA,
        "huawei-noah/Pretrained-Language-Model, NEZHA-TensorFlow run_classifier.py "
        "and optimization.py",
    ),
    "tinybert": (
        _TINYBERT,
        "huawei-noah/Pretrained-Language-Model, TinyBERT task_distill.py and "
        "transformer/optimization.py",
    ),
    "zhuiyi": (
        _ZHUIYI,
        "ZhuiyiTechnology/pretrained-models and WoBERT, scripts; Keras 2.3.1, Adam",
    ),
    "t5": (_T5, "ZhuiyiTechnology/t5-pegasus, finetune.py; Keras, Adam"),
}
"""Code: fields of `Recipe` and where they are set."""

CODE_OF = {
    "bert": "bert",
    "albert": "bert",
    "albert_brightmart": "bert",
    "tinybert": "tinybert",
    "electra": "electra",
    "electra_shared": "electra",
    "electra_generator": "electra",
    "electra_generator_untied": "electra",
    "nezha": "nezha",
    "nezha_gen": "nezha",
    "nezha_gen_poetry": "nezha",
    "wobert": "zhuiyi",
    "wonezha": "zhuiyi",
    "roformer": "zhuiyi",
    "zhuiyi": "zhuiyi",
    "simbert": "zhuiyi",
    "t5_pegasus": "t5",
    "mt5": "t5",
}
"""Family: the code that its publisher fine-tunes it with."""
