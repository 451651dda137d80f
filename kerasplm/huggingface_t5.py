"""The names and the configuration of T5-PEGASUS and mT5 at Hugging Face. Data only.

The ports of T5-PEGASUS (imxly/t5-pegasus and others) hold the weights as they are,
but `MT5ForConditionalGeneration` of transformers computes other numbers with them than
the code that trained them:

- cross-attention gets no relative bias (original: the decoder's, `cross_position_bias`)
- the output is not multiplied by D ** -0.5 (original: it is, `scale_output`)
- "gelu" of the gate is the tanh form (original: the erf form, `hidden_act`)

kerasplm puts the weights into the original network; `load(x, family="mt5")` computes
what transformers computes, which is right for a port that was trained further there.

Source: huggingface/transformers, models/t5/modeling_t5.py and configuration_mt5.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from kerasplm.errors import ConfigError

MODEL_TYPES = ("mt5", "t5")
# The tensor that only these models have.
MARK = "shared.weight"
# Applied one after the other to the whole name.
RULES = (
    (r"^shared\.weight$", "shared/embedding"),
    (r"^lm_head\.weight$", "decoder/logits/kernel"),
    (r"^(encoder|decoder)\.final_layer_norm\.weight$", r"\1/rms_norm/scale"),
    (r"^(encoder|decoder)\.block\.(\d)\.", r"\1/block_00\2/"),
    (r"^(encoder|decoder)\.block\.(\d\d)\.", r"\1/block_0\2/"),
    (r"/layer\.(\d)\.", r"/layer_00\1/"),
    (r"/layer_norm\.weight$", "/rms_norm/scale"),
    (r"(SelfAttention|EncDecAttention)\.([qkvo])\.weight$", r"\1/\2"),
    (r"SelfAttention\.(relative_attention_bias)\.weight$", r"SelfAttention/\1"),
    (r"DenseReluDense\.(wi_0|wi_1|wo)\.weight$", r"DenseReluDense/\1/kernel"),
)
# Tensors that repeat the word table.
COPIES = re.compile(r"(encoder|decoder)\.embed_tokens\.weight")
# What old versions wrote and no version reads.
UNUSED = re.compile(r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_.*")
_FIELDS = {
    "vocab_size": "vocab_size",
    "d_model": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_decoder_layers": "num_decoder_layers",
    "num_heads": "num_attention_heads",
    "d_kv": "attention_head_size",
    "d_ff": "intermediate_size",
    "dropout_rate": "hidden_dropout_prob",
    "layer_norm_epsilon": "layer_norm_eps",
    "relative_attention_num_buckets": "relative_buckets",
    "relative_attention_max_distance": "relative_max_distance",
}


def tf1_name(name: str) -> tuple[str, bool]:
    """Return the TF1 name of a tensor and whether the file holds it transposed."""
    for pattern, new in RULES:
        name = re.sub(pattern, new, name)
    # Vectors have no order; of the matrices only the word table is the same in both.
    return name, name != "shared/embedding"


def fields_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a `config.json` to `Seq2SeqConfig` fields.

    `hidden_act` is "gelu", as in the original's JSON: the family decides on its form.

    Args:
        data: The JSON object.

    Raises:
        ConfigError: The feed-forward layers are not those of mT5.

    Example:
        >>> fields_from_json({"d_model": 512, "num_heads": 6})["hidden_size"]
        512
    """
    kind = data.get("feed_forward_proj", "gated-gelu")
    if kind != "gated-gelu":
        raise ConfigError(f"feed_forward_proj must be 'gated-gelu'. Received: {kind!r}")
    fields = {ours: data[theirs] for theirs, ours in _FIELDS.items() if theirs in data}
    return fields | {"hidden_act": "gelu"}
