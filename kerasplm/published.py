"""Between a published configuration JSON, the shapes of the weights, and `Config`."""

import re
from collections.abc import Mapping
from typing import Any

from kerasplm.config import FIELDS, Config
from kerasplm.errors import ConfigError
from kerasplm.families import Family, Match

Shapes = Mapping[str, tuple[int, ...]]

# Keys that mean the same in `Config`, in every original and in transformers.
COMMON = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "initializer_range",
    "layer_norm_eps",
)
_SAME = (
    *COMMON,
    "attention_key_size",
    "max_relative_position",
    "embedding_size",
    "num_hidden_groups",
    "inner_group_num",
)
_GROUPED = ("num_hidden_groups", "inner_group_num")
_NORMS = {"postln": "post", "preln": "pre"}
ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "swish",
    "": "linear",
    "none": "linear",
}
# ELECTRA's hyper-parameters name a size; the rest follows from the hidden size.
_ELECTRA_SIZES = {"small": (256, 12), "base": (768, 12), "large": (1024, 24)}
# The block under which our own exports keep what the original keys cannot say.
OWN = "kerasplm"
_OWN_KEYS = (
    "hidden_act",
    "attention",
    "pooler",
    "ffn_groups",
    "ln_type",
    "hierarchical_positions",
)


def expand_hparams(data: dict[str, Any]) -> dict[str, Any]:
    """Turn ELECTRA's hyper-parameter JSON into the keys of a `bert_config.json`.

    Any other JSON is returned as it is.

    Source: `get_bert_config` of google-research/electra util/training_utils.py.
    """
    overrides = data.get("model_hparam_overrides", {})
    if "model_size" not in data or not isinstance(overrides, dict):
        return data
    if str(data["model_size"]) not in _ELECTRA_SIZES:
        raise ConfigError(
            f"model_size must be one of {', '.join(_ELECTRA_SIZES)}. Received: "
            f"{data['model_size']!r}"
        )
    hidden, layers = _ELECTRA_SIZES[data["model_size"]]
    hidden = overrides.get("hidden_size", hidden)
    if not isinstance(hidden, int):
        raise ConfigError(f"hidden_size must be an integer. Received: {hidden!r}")
    sizes = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, hidden // 64),
        "intermediate_size": 4 * hidden,
        "hidden_act": "gelu",
        "embedding_size": data.get("embedding_size"),
    }
    return sizes | overrides


def fields_from_json(data: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Translate a published configuration to `Config` fields.

    Keys without a meaning for the network (`directionality`, `pooler_fc_size`, ...)
    are passed over, as the originals do.

    Args:
        data: The JSON object.
        family: Decides what "gelu" means and whether layers are grouped.

    Returns:
        Only the fields that the JSON gives.
    """
    grouped = any("{g}" in path or "group_0_0" in path for path in family.weights)
    fields = {
        key: data[key]
        for key in _SAME
        if data.get(key) is not None and (grouped or key not in _GROUPED)
    }
    if "hidden_act" in data:
        name = data["hidden_act"]
        if name is not None and not isinstance(name, str):
            raise ConfigError(f"hidden_act must be a name. Received: {name!r}")
        name = (name or "").lower()
        fields["hidden_act"] = ACTIVATIONS.get(
            name, family.gelu if name == "gelu" else name
        )
    if data.get("ln_type") is not None:
        fields["ln_type"] = _NORMS.get(str(data["ln_type"]), data["ln_type"])
    if "use_relative_position" in data:
        relative = bool(data["use_relative_position"])
        fields["position"] = "nezha" if relative else "absolute"
    fields |= family.fixed
    own = own_block(data)
    act = own.get("hidden_act", fields.get("hidden_act"))
    if fields.get("hidden_act", act) not in (act, family.gelu):
        raise ConfigError(
            f"hidden_act is {data['hidden_act']!r}, but {act!r} under {OWN!r}; change "
            "both"
        )
    return fields | {key: own[key] for key in _OWN_KEYS if key in own}


def own_block(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what our own exports add to a configuration; {} in any other.

    Raises:
        ConfigError: It is no object, or its family no name.
    """
    own = data.get(OWN, {})
    good = isinstance(own, dict) and isinstance(own.get("family", ""), str)
    if not good or not isinstance(own.get("head", {}), dict):
        raise ConfigError(f"{OWN!r} must be an object as kerasplm writes it")
    return own


def to_json(config: Config, family: Family) -> dict[str, Any]:
    """Translate back: the keys that the family's original code reads.

    What those keys cannot say stands under "kerasplm", which the original code
    ignores.
    """
    data: dict[str, Any] = {key: getattr(config, key) for key in _SAME}
    gelu = config.hidden_act.startswith("gelu")
    data["hidden_act"] = "gelu" if gelu else config.hidden_act
    data["embedding_size"] = config.word_size
    for key in ("attention_key_size", *_GROUPED):
        if data[key] is None or config.num_hidden_groups is None and key in _GROUPED:
            del data[key]
    if config.position == "nezha":
        data["use_relative_position"] = True
    else:
        del data["max_relative_position"]
    if config.embedding_projection == "before_norm":
        data["ln_type"] = {v: k for k, v in _NORMS.items()}[config.ln_type]
    data[OWN] = {"family": family.name}
    own = {key: getattr(config, key) for key in _OWN_KEYS}
    data[OWN] |= {key: value for key, value in own.items() if value is not None}
    return data


def sizes_from_shapes(found: Match, shapes: Shapes) -> dict[str, Any]:
    """Return the `Config` fields that the shapes of the weights determine.

    Args:
        found: The family and its view of the variables.
        shapes: Shapes by checkpoint name.
    """

    def shape(path: str) -> tuple[int, ...] | None:
        name = found.names.get(f"encoder/{path}")
        return None if name is None else shapes[name]

    def first(ending: str) -> tuple[int, ...]:
        path = next(p for p in sorted(found.names) if p.endswith(ending))
        return shapes[found.names[path]]

    word = shape("embeddings/word")
    if word is None:
        raise ConfigError(f"{found.family.name}: the checkpoint has no word table")
    query, inner = first("/attention/query/kernel"), first("/ffn/inner/kernel")
    types, positions = shape("embeddings/type"), shape("embeddings/position")
    sizes: dict[str, Any] = {
        "vocab_size": word[0],
        "embedding_size": word[1],
        "hidden_size": query[0],
        "type_vocab_size": types[0] if types else 0,
        "position": "absolute"
        if positions
        else found.family.fixed.get("position", "nezha"),
        "intermediate_size": first("/ffn/inner/bias")[0],
        "ffn_groups": inner[2] if len(inner) == 3 else 1,
    }
    if positions:
        sizes["max_position_embeddings"] = positions[0]
    layers = {
        int(m[1]) for p in found.names if (m := re.match(r"encoder/layer_(\d+)/", p))
    }
    if layers:
        sizes["num_hidden_layers"] = max(layers) + 1
    if shape("pooler/kernel") is None:
        sizes["pooler"] = "none"
    return sizes


def _groups(found: Match) -> list[tuple[int, int]]:
    places = (re.match(r"encoder/group_(\d+)_(\d+)/", p) for p in found.names)
    return sorted({(int(m[1]), int(m[2])) for m in places if m})


def complete_config(
    found: Match,
    shapes: Shapes,
    data: Mapping[str, Any] | None,
    overrides: Mapping[str, Any],
    where: str,
    told: Mapping[str, int] | None = None,
) -> tuple[Config, tuple[str, ...]]:
    """Build the `Config` of a checkpoint and check it against the weights.

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
        ConfigError: JSON and shapes contradict each other, or a field is missing
            that shapes cannot tell; the message says what to pass.
    """
    unknown = sorted(set(overrides) - set(FIELDS))
    if unknown:
        raise ConfigError(
            f"{', '.join(unknown)}: no such Config field. Fields: {', '.join(FIELDS)}"
        )
    try:
        given = fields_from_json(data or {}, found.family) | dict(overrides)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    sizes = sizes_from_shapes(found, shapes) | dict(told or {})
    groups = _groups(found)
    if groups:
        sizes["inner_group_num"] = max(j for _, j in groups) + 1
        used = sorted({g for g, _ in groups})
        if "num_hidden_groups" not in given and used == list(range(len(used))):
            given["num_hidden_groups"] = len(used)
    check_sizes(given, sizes, overrides, where)
    fields = sizes | given
    if found.family.head_size and "num_attention_heads" not in fields:
        heads = fields["hidden_size"] // found.family.head_size
        fields["num_attention_heads"] = max(1, heads)
    needed = ["num_attention_heads", *found.family.ask]
    needed += ["num_hidden_layers", "num_hidden_groups"] if groups else []
    missing = [name for name in needed if fields.get(name) is None]
    if missing:
        example = ", ".join(f"{name}=..." for name in missing)
        raise ConfigError(
            f"{where}: {' and '.join(missing)} cannot be told from the weights "
            f"({'no' if data is None else 'incomplete'} configuration JSON). "
            f"Pass load(..., {example})"
        )
    assumed = () if "hidden_act" in fields else (f"hidden_act={found.family.gelu}",)
    fields.setdefault("hidden_act", found.family.gelu)
    try:
        config = _config(fields, found, shapes)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    if groups and sorted(set(config.groups())) != used:
        raise ConfigError(
            f"{where}: num_hidden_layers={config.num_hidden_layers} and "
            f"num_hidden_groups={config.num_hidden_groups} use the weight groups "
            f"{sorted(set(config.groups()))}, but the checkpoint holds {used}"
        )
    return config, assumed


def _config(fields: dict[str, Any], found: Match, shapes: Shapes) -> Config:
    """Build the Config; derive the key size, which needs the number of heads."""
    fields = dict(fields)
    narrow = fields.get("embedding_projection", "after_norm") == "after_norm"
    if narrow and fields["embedding_size"] == fields["hidden_size"]:
        fields["embedding_size"] = None
    heads, query = fields["num_attention_heads"], _query_width(found, shapes)
    config = Config(**(fields | {"attention_key_size": None}))
    key = fields.get("attention_key_size")
    if key is None and query != config.hidden_size and query % heads == 0:
        key = query // heads
    config = config.replace(attention_key_size=key)
    if config.key_size * heads != query:
        raise ConfigError(
            "num_attention_heads * attention_key_size must be the width of the "
            f"queries. Received: {heads} * {config.key_size}, the weights have {query}"
        )
    return config


def _query_width(found: Match, shapes: Shapes) -> int:
    path = next(p for p in found.names if p.endswith("/attention/query/kernel"))
    return shapes[found.names[path]][1]


def check_sizes(
    given: Mapping[str, Any],
    sizes: Mapping[str, Any],
    overrides: Mapping[str, Any],
    where: str,
) -> None:
    """Make sure that a JSON and the weights agree.

    Raises:
        ConfigError: They contradict each other.
    """
    wrong = [
        name
        for name, size in sizes.items()
        if name in given
        and name not in overrides
        and given[name] != size
        # Without a pooler the family's activation for it is moot.
        and name != "pooler"
    ]
    if wrong:
        found = "; ".join(
            f"{n} is {given[n]!r} but the weights say {sizes[n]!r}" for n in wrong
        )
        remedy = ", ".join(f"{n}={sizes[n]!r}" for n in wrong)
        raise ConfigError(
            f"{where}: contradicts the checkpoint: {found}. If the weights are right, "
            f"pass load(..., {remedy})"
        )
