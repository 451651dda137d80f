"""Between the configuration JSON of an encoder-decoder, its weights, and its config.

The counterpart of `kerasplm.published`, with the same functions.
"""

import re
from collections.abc import Mapping
from typing import Any

from kerasplm import huggingface_t5
from kerasplm.errors import ConfigError
from kerasplm.families import Family, Match
from kerasplm.published import ACTIVATIONS, OWN, Shapes, check_sizes, own_block
from kerasplm.seq2seq.config import Seq2SeqConfig

# Fields that no key of the original says, or not exactly. Files of T5-PEGASUS have the
# "initializer_range" of BERT, which its code does not read.
_OWN_KEYS = ("hidden_act", "initializer_range", "cross_position_bias", "scale_output")
_RENAMED = {
    "relative_attention_num_buckets": "relative_buckets",
    "relative_attention_max_distance": "relative_max_distance",
}


def fields_from_json(data: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Translate a published configuration to `Seq2SeqConfig` fields.

    Args:
        data: The JSON object.
        family: Decides what "gelu" means.

    Returns:
        Only the fields that the JSON gives.

    Raises:
        ConfigError: `hidden_act` does not name a gate and "linear".
    """
    if "d_model" in data:
        data = huggingface_t5.fields_from_json(data)
    known = set(Seq2SeqConfig.fields()) - {"hidden_act", "initializer_range"}
    named = {_RENAMED.get(key, key): value for key, value in data.items()}
    fields = {k: v for k, v in named.items() if k in known and v is not None}
    if data.get("hidden_act") is not None:
        fields["hidden_act"] = _gate(data["hidden_act"], family)
    fields |= family.fixed
    own = own_block(data)
    act = own.get("hidden_act", fields.get("hidden_act"))
    if fields.get("hidden_act", act) not in (act, family.gelu):
        raise ConfigError(
            f"hidden_act is {data['hidden_act']!r}, but {act!r} under {OWN!r}; change "
            "both"
        )
    return fields | {key: own[key] for key in _OWN_KEYS if key in own}


def _gate(names: Any, family: Family) -> str:
    """Return the activation of the gate from "gelu" or ["gelu", "linear"]."""
    gate, *rest = names if isinstance(names, list) and names else [names]
    if not isinstance(gate, str) or rest not in ([], ["linear"]):
        raise ConfigError(
            "hidden_act must be a name, or a list of a name and 'linear'. Received: "
            f"{names!r}"
        )
    gate = gate.lower()
    return family.gelu if gate == "gelu" else ACTIVATIONS.get(gate, gate)


def to_json(config: Seq2SeqConfig, family: Family) -> dict[str, Any]:
    """Translate back: the keys that the family's original code reads."""
    data = config.to_dict()
    for theirs, ours in _RENAMED.items():
        data[theirs] = data.pop(ours)
    for key in _OWN_KEYS:
        del data[key]
    if data["num_decoder_layers"] is None:
        del data["num_decoder_layers"]
    gelu = config.hidden_act.startswith("gelu")
    data["hidden_act"] = ["gelu" if gelu else config.hidden_act, "linear"]
    data[OWN] = {"family": family.name}
    data[OWN] |= {key: getattr(config, key) for key in _OWN_KEYS}
    return data


def sizes_from_shapes(found: Match, shapes: Shapes) -> dict[str, Any]:
    """Return the fields that the shapes of the weights determine: all sizes.

    Args:
        found: The family and its view of the variables.
        shapes: Shapes by checkpoint name.

    Raises:
        ConfigError: The width of the queries is no multiple of the number of heads.
    """

    def shape(path: str) -> tuple[int, ...]:
        path = f"seq2seq/{path}"
        theirs = shapes[found.names[path]]
        return theirs[::-1] if found.family.theirs(path)[1] else theirs

    def layers(stack: str) -> int:
        places = (
            re.match(rf"seq2seq/{stack}/layer_(\d+)/", path) for path in found.names
        )
        return max(int(place[1]) for place in places if place) + 1

    vocab, hidden = shape("embedding/embeddings")
    buckets, heads = shape("encoder/relative_bias")
    width = shape("encoder/layer_0/attention/query/kernel")[1]
    if width % heads:
        raise ConfigError(
            f"{found.family.name}: the queries have width {width}, which is no "
            f"multiple of the {heads} heads of the relative bias"
        )
    return {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers("encoder"),
        "num_decoder_layers": layers("decoder"),
        "num_attention_heads": heads,
        "attention_head_size": width // heads,
        "intermediate_size": shape("encoder/layer_0/ffn/gate/kernel")[1],
        "relative_buckets": buckets,
    }


def complete_config(
    found: Match,
    shapes: Shapes,
    data: Mapping[str, Any] | None,
    overrides: Mapping[str, Any],
    where: str,
    told: Mapping[str, int] | None = None,
) -> tuple[Seq2SeqConfig, tuple[str, ...]]:
    """Build the configuration of a checkpoint and check it against the weights.

    Args:
        found: The family and its view of the variables.
        shapes: Shapes by checkpoint name.
        data: The configuration JSON, or None if there is none.
        overrides: Fields given by the user; they win.
        where: The JSON file, or the checkpoint, for messages.
        told: Fields that the format of the weights tells beside their shapes.

    Returns:
        The configuration, and the fields that were assumed from the family's
        defaults because nothing gives them.

    Raises:
        ConfigError: JSON and shapes contradict each other, or a field is bad.
    """
    try:
        Seq2SeqConfig.check_names(overrides)
        given = fields_from_json(data or {}, found.family) | dict(overrides)
    except ConfigError as error:
        raise ConfigError(f"{where}: {found.family.title}: {error}") from error
    sizes = sizes_from_shapes(found, shapes) | dict(told or {})
    check_sizes(given, sizes, overrides, where)
    fields = sizes | given
    assumed = () if "hidden_act" in fields else (f"hidden_act={found.family.gelu}",)
    fields.setdefault("hidden_act", found.family.gelu)
    try:
        return Seq2SeqConfig.from_dict(fields), assumed
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
