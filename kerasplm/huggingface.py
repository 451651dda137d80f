"""Hugging Face weights, seen under the names of the TF1 checkpoints.

Recognition, configuration and loading then work as for the original files. Of the
differences between the two formats only these are known here: names, the transposed
kernels of linear layers, tied copies, and that "gelu" means the erf form.

Source: huggingface/transformers, models/{bert,albert,electra,roformer,nezha}/
modeling_*.py, and their conversion scripts; huawei-noah/Pretrained-Language-Model,
NEZHA-PyTorch and TinyBERT.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm import huggingface_t5 as t5
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.published import OWN
from kerasplm.tensor_files import open_tensors

# Applied in this order to the name without its last part.
_PLACES = (
    (r"\blayer\.(\d+)", r"layer_\1"),
    (
        r"albert_layer_groups\.(\d+)\.albert_layers\.(\d+)",
        r"transformer.group_\1.inner_group_\2",
    ),
    (r"(inner_group_\d+)\.attention\.(query|key|value)", r"\1.attention_1.self.\2"),
    (r"(inner_group_\d+)\.attention\.dense", r"\1.attention_1.output.dense"),
    (r"(inner_group_\d+)\.attention\.LayerNorm", r"\1.LayerNorm"),
    (r"(inner_group_\d+)\.full_layer_layer_norm", r"\1.LayerNorm_1"),
    (r"(inner_group_\d+)\.ffn_output", r"\1.ffn_1.intermediate.output.dense"),
    (r"(inner_group_\d+)\.ffn$", r"\1.ffn_1.intermediate.dense"),
    (r"^albert\.pooler$", "bert.pooler.dense"),
    (r"^roformer\.embeddings_project$", "bert.encoder.embedding_hidden_mapping_in"),
    (r"^(albert|nezha|roformer)\.", "bert."),
    (r"^predictions\.", "cls.predictions.transform."),
    (r"^predictions$", "cls.predictions"),
    (r"^sop_classifier\.classifier$", "cls.seq_relationship"),
    (r"^(discriminator_predictions)\.dense_prediction$", r"\1.dense_1"),
    (r"^generator_lm_head$", "generator_predictions"),
)
# Tensors that repeat another one, or are no weights.
_TIED = re.compile(
    r"(cls\.)?predictions\.decoder\.(weight|bias)|generator_lm_head\.weight"
)
_BUFFERS = re.compile(
    r".*(position_ids|token_type_ids|relative_positions_encoding\..*|embed_positions\..*)"
)
_TABLE = re.compile(r".*(word|position|token_type)_embeddings")
_INSIDE = ("embeddings", "encoder", "pooler", "embeddings_project")
# Of each model_type the family, where the variables do not tell it.
_TYPES = {
    "bert": None,
    "albert": None,
    "electra": None,
    "nezha": "nezha",
    "roformer": "roformer",
}


def tf1_name(name: str) -> tuple[str, bool]:
    """Return the TF1 name of a tensor and whether the file holds it transposed."""
    place, _, last = name.rpartition(".")
    for pattern, new in _PLACES:
        place = re.sub(pattern, new, place)
    place = place.replace(".", "/")
    if last in ("gamma", "beta") or "LayerNorm" in place.rsplit("/", 1)[-1]:
        kind = {"weight": "gamma", "bias": "beta"}.get(last, last)
        return f"{place}/{kind}", False
    if _TABLE.fullmatch(place):
        return place, False
    if place in ("cls/predictions", "generator_predictions"):
        return f"{place}/output_{last}", False
    if place == "cls/seq_relationship":
        return f"{place}/output_{'weights' if last == 'weight' else last}", False
    if place == "qa_outputs":
        return f"cls/squad/output_{'weights' if last == 'weight' else last}", False
    if place == "classifier":
        return f"output_{'weights' if last == 'weight' else last}", False
    return f"{place}/{'kernel' if last == 'weight' else last}", last == "weight"


class HuggingFaceReader:
    """The weights of a Hugging Face folder, under TF1 names.

    Args:
        prefix: The file, or the index of several.
        model_type: What `config.json` says, for files whose names begin inside the
            model ("embeddings..." for "bert.embeddings...").

    Raises:
        CheckpointError: A file is damaged.
    """

    def __init__(self, prefix: Path, model_type: str = "bert") -> None:
        self.prefix = prefix
        self._file = open_tensors(prefix)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.sizes: dict[str, int] = {}
        self.families: tuple[str, ...] = ()
        self._places: dict[str, tuple[str, bool]] = {}
        self._tied: dict[str, str] = {}
        shapes = self._file.shapes
        generator = any(name.startswith("generator_") for name in shapes)
        for name, shape in shapes.items():
            if _BUFFERS.fullmatch(name) or t5.UNUSED.fullmatch(name):
                continue
            if t5.MARK in shapes and t5.COPIES.fullmatch(name):
                self._tied[name] = name
                continue
            if t5.MARK in shapes:
                ours, transposed = t5.tf1_name(name)
                self.shapes[ours] = shape[::-1] if transposed else shape
                self._places[ours] = (name, transposed)
                continue
            inside = name.split(".")[0] in _INSIDE
            full = f"{model_type}.{name}" if inside else name
            if generator:
                full = re.sub(r"^electra\.", "generator.", full)
            if _TIED.fullmatch(full):
                self._tied[name] = full
                continue
            ours, transposed = tf1_name(full)
            self.shapes[ours] = shape[::-1] if transposed else shape
            self._places[ours] = (name, transposed)
        self._check_tied()

    def read(self, name: str) -> Any:
        """Return one tensor.

        Raises:
            CheckpointError: Its bytes are missing or damaged.
        """
        theirs, transposed = self._places[name]
        value = self._file.get(theirs)
        return value.T if transposed else value

    def _check_tied(self) -> None:
        """Make sure that the copies are copies.

        Raises:
            CheckpointError: An output layer of its own, which no family has.
        """
        for name, full in self._tied.items():
            tables = ("word_embeddings", "shared/embedding")
            ending = tables if full.endswith("weight") else "output_bias"
            original = next((n for n in self.shapes if n.endswith(ending)), None)
            if original is None or not np.array_equal(
                self._file.get(name), self.read(original)
            ):
                raise CheckpointError(
                    f"{self.prefix}: {name} differs from {original}; expected tied "
                    "weights"
                )


def from_config_json(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Translate a `config.json` to what a TF1 configuration would say.

    Raises:
        ConfigError: The model has positions or a type that kerasplm has not.
    """
    kind = data.get("model_type") or "bert"
    if isinstance(kind, str) and kind in t5.MODEL_TYPES:
        return dict(data)  # `kerasplm.published_seq2seq` reads its keys
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ConfigError(
            f"{where}: model_type must be one of "
            f"{', '.join((*_TYPES, *t5.MODEL_TYPES))}. Received: "
            f"{kind!r}"
        )
    if data.get("position_embedding_type", "absolute") != "absolute":
        raise ConfigError(
            f"{where}: position_embedding_type must be 'absolute'. Received: "
            f"{data['position_embedding_type']!r}"
        )
    if data.get("rotary_value"):
        raise ConfigError(
            f"{where}: rotary_value must be false: no published model rotates values"
        )
    default = "gelu_new" if kind == "albert" else "gelu"
    act = data.get("hidden_act", default)
    own = {OWN: {"family": _TYPES[kind]}} if _TYPES[kind] else {}
    return {**data, "hidden_act": "gelu_erf" if act == "gelu" else act, **own}
