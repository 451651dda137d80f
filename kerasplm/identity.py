"""Tell models apart by what decides their numbers."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasplm.checkpoint import named_weights
from kerasplm.encoder import Encoder


def digest_of(encoder: Encoder, tokenizer: Any, more: Mapping[str, Any]) -> str:
    """Return a hash of an encoder and its tokenizer.

    It is the same wherever the model is loaded from, and another one if a single
    weight, token or option differs.

    Args:
        encoder: The encoder.
        tokenizer: From `load_tokenizer`.
        more: Other plain values that count.

    Example:
        >>> digest_of(encoder, tokenizer, {})  # doctest: +SKIP
        '5f0c...'
    """
    facts = {
        "config": encoder.config.to_dict(),
        "tokenizer": tokenizer.get_config(),
        "vocab": tokenizer.vocab,
        "more": dict(more),
    }
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, weight in sorted(named_weights(encoder).items()):
        values = ops.convert_to_numpy(weight)
        found.update(f"{name} {values.dtype} {values.shape}".encode())
        found.update(values.tobytes())
    return found.hexdigest()
