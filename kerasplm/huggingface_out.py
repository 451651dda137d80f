"""Write a model as a Hugging Face folder, which `transformers` loads."""

import json
import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasplm import checkpoint
from kerasplm.config import Config
from kerasplm.errors import ConfigError, FamilyError
from kerasplm.families import family_named
from kerasplm.files import temporary_folder, write_text
from kerasplm.huggingface import tf1_name
from kerasplm.published import COMMON, OWN
from kerasplm.saving import head_facts
from kerasplm.task_models import Classifier, EntityTagger
from kerasplm.tensor_files import WEIGHTS
from kerasplm.tokenizing import save_tokenizer

# From TF1 names to those of Hugging Face; `tf1_name` is the way back.
_GROUP = r"encoder/transformer/group_(\d+)/inner_group_(\d+)/"
_LAYER = r"encoder.albert_layer_groups.\1.albert_layers.\2."
_PLACES = (
    (r"/layer_(\d+)/", r"/layer.\1/"),
    (_GROUP + r"attention_1/self/", _LAYER + "attention."),
    (_GROUP + r"attention_1/output/dense", _LAYER + "attention.dense"),
    (_GROUP + r"LayerNorm_1", _LAYER + "full_layer_layer_norm"),
    (_GROUP + r"LayerNorm", _LAYER + "attention.LayerNorm"),
    (_GROUP + r"ffn_1/intermediate/output/dense", _LAYER + "ffn_output"),
    (_GROUP + r"ffn_1/intermediate/dense", _LAYER + "ffn"),
    (r"^generator/", "electra/"),
    (r"^generator_predictions/output_bias$", "generator_lm_head/bias"),
    (r"^(discriminator_predictions)/dense_1/", r"\1/dense_prediction/"),
    (r"^output_weights$", "classifier/weight"),
    (r"^output_bias$", "classifier/bias"),
    (r"^cls/squad/output_weights$", "qa_outputs/weight"),
    (r"^cls/squad/output_bias$", "qa_outputs/bias"),
    (r"^(cls/\w+)/output_weights$", r"\1/weight"),
    (r"^(cls/\w+)/output_bias$", r"\1/bias"),
    (r"/(kernel|gamma)$", "/weight"),
    (r"/beta$", "/bias"),
    (r"_embeddings$", "_embeddings/weight"),
)
# And what only one model_type has.
_OWN_PLACES = {
    "albert": (
        (r"^bert/pooler/dense/", "albert/pooler/"),
        (r"^bert/", "albert/"),
        (r"^cls/predictions/transform/", "predictions/"),
        (r"^cls/predictions/", "predictions/"),
        (r"^cls/seq_relationship/", "sop_classifier/classifier/"),
    ),
    "nezha": ((r"^bert/", "nezha/"),),
    "roformer": (
        (r"^bert/encoder/embedding_hidden_mapping_in/", "roformer/embeddings_project/"),
        (r"^bert/", "roformer/"),
    ),
}
_ACTIVATIONS = {"gelu_erf": "gelu", "gelu_tanh": "gelu_new", "swish": "silu"}
_HEADS = {
    ("mlm", "sentence_pair"): "ForPreTraining",
    ("mlm",): "ForMaskedLM",
    ("classifier",): "ForSequenceClassification",
    ("span",): "ForQuestionAnswering",
    (): "Model",
}
# Kinds of task models whose head has the variables of a classifier.
_KINDS = {"tagging": "ForTokenClassification", "choice": "ForMultipleChoice"}
# Family: model_type, and the class for its heads.
_CLASSES: dict[str, tuple[str, dict[tuple[str, ...], str]]] = {
    "bert": ("bert", {heads: f"Bert{end}" for heads, end in _HEADS.items()}),
    "albert": ("albert", {heads: f"Albert{end}" for heads, end in _HEADS.items()}),
    "electra": ("electra", {("rtd",): "ElectraForPreTraining", (): "ElectraModel"}),
    "electra_generator_untied": (
        "electra",
        {("mlm",): "ElectraForMaskedLM", (): "ElectraModel"},
    ),
    # In transformers up to 4.
    "nezha": ("nezha", {heads: f"Nezha{end}" for heads, end in _HEADS.items()}),
    "roformer": (
        "roformer",
        {("mlm",): "RoFormerForMaskedLM", (): "RoFormerModel"},
    ),
}
_CLASSES["tinybert"] = _CLASSES["bert"]
_CLASSES["wonezha"] = _CLASSES["nezha"]
_CLASSES["wobert"] = _CLASSES["bert"]
_CLASSES["electra_generator"] = _CLASSES["electra_generator_untied"]
# A folder holds one network: a generator has a copy of the tables that it shares.
_READ_AS = {"electra_generator": "electra_generator_untied"}
# What their code computes; anything else would load and give other numbers.
_FIXED: dict[str, Any] = {
    "ln_type": "post",
    "ffn_groups": 1,
    "attention_key_size": None,
    "position": "absolute",
    "hierarchical_positions": None,
    "attention": "bidirectional",
    "embedding_projection": "after_norm",
    "pooler": "tanh",
}
_OWN_FIXED: dict[str, dict[str, Any]] = {
    "bert": {"embedding_size": None},
    "electra": {"pooler": "none"},
    "nezha": {"embedding_size": None, "position": "nezha"},
    "roformer": {"position": "rotary", "pooler": "none"},
}
# What `config.json` says beyond the common keys.
_MORE: dict[str, tuple[str, ...]] = {
    "albert": ("num_hidden_groups", "inner_group_num"),
    "nezha": ("max_relative_position",),
}
_FACTS: dict[str, dict[str, Any]] = {
    "albert": {"classifier_dropout_prob": 0.1},
    "nezha": {"use_relative_position": True},
    "roformer": {"rotary_value": False},
}


def hf_name(name: str, model_type: str) -> str:
    """Return the Hugging Face name of a TF1 variable."""
    for pattern, new in (*_PLACES, *_OWN_PLACES.get(model_type, ())):
        name = re.sub(pattern, new, name)
    return name.replace("/", ".")


def save_huggingface(
    model: keras.Model, folder: str | Path, *, tokenizer: Any = None
) -> None:
    """Write `model.safetensors` and `config.json` as `transformers` reads them.

    Args:
        model: From `load`, of family bert, wobert, tinybert, albert, electra, nezha
            (transformers up to 4) or roformer.
        folder: Where to write.
        tokenizer: If given, `vocab.txt` and `tokenizer_config.json` are written too.

    Raises:
        FamilyError: The model is of a family that `transformers` does not have.
        ConfigError: Its code would compute other numbers.

    Example:
        >>> save_huggingface(plm.load("roberta_zh"), "out")  # doctest: +SKIP
    """
    from safetensors.numpy import save_file

    if len(whole := getattr(model, "networks", [model])) == 1:
        model = whole[0]
    encoder = checkpoint.body_of(model)
    name = encoder.family or "bert"
    if name not in _CLASSES:
        raise FamilyError(
            f"family {name!r} cannot be written for transformers; "
            f"{', '.join(_CLASSES)} can"
        )
    kind, classes = _CLASSES[name]
    # Theirs passes over a student's projection, which TinyBERT's code reads.
    heads = tuple(h for h in checkpoint.heads_of(model) if h != "fit_dense")
    if heads not in classes:
        raise FamilyError(f"transformers has no {kind} with the heads {heads}")
    config = _config(encoder.config, kind)
    kind_of_task = getattr(model, "kind", "")
    name_of_class = classes[heads].replace(
        _HEADS[("classifier",)], _KINDS.get(kind_of_task, _HEADS[("classifier",)])
    )
    config["architectures"] = [name_of_class]
    # Of a BERT with an MLM head alone, variables do not tell; transformers passes over.
    config[OWN] = {"family": _READ_AS.get(name, name)} | head_facts(model)
    if isinstance(model, Classifier) and model.activation != "linear":
        raise ConfigError(
            f"classifiers of transformers have no activation={model.activation!r} "
            "on the pooled vector"
        )
    if isinstance(model, Classifier | EntityTagger):
        names = model.labels if isinstance(model, Classifier) else model.tags
        config["id2label"] = dict(enumerate(names))
        config["label2id"] = {name: n for n, name in enumerate(names)}
    tensors = {}
    for theirs, value in checkpoint.collect([model], [family_named(name)]).items():
        array = np.asarray(value)
        new = hf_name(theirs, kind)
        tensors[new] = np.ascontiguousarray(array.T if tf1_name(new)[1] else array)
    path = Path(folder).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path) as work:
        save_file(tensors, work / WEIGHTS[0], metadata={"format": "pt"})
        os.replace(work / WEIGHTS[0], path / WEIGHTS[0])
    write_text(path / "config.json", json.dumps(config, indent=2) + "\n")
    if tokenizer is not None:
        save_tokenizer(tokenizer, path)


def _config(config: Config, kind: str) -> dict[str, Any]:
    fixed = _FIXED | _OWN_FIXED.get(kind, {})
    if config.pooler == "none":
        # A checkpoint without a pooler: their code draws one, as ours did not.
        del fixed["pooler"]
    wrong = [key for key, value in fixed.items() if getattr(config, key) != value]
    if wrong:
        raise ConfigError(
            f"{kind} of transformers has no "
            + ", ".join(f"{key}={getattr(config, key)!r}" for key in wrong)
        )
    data = {key: getattr(config, key) for key in (*COMMON, *_MORE.get(kind, ()))}
    data["hidden_act"] = _ACTIVATIONS.get(config.hidden_act, config.hidden_act)
    if "embedding_size" not in fixed:
        data["embedding_size"] = config.word_size
    return {"model_type": kind, **data, **_FACTS.get(kind, {})}
