"""The data creators of the original repositories, draw for draw."""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from kerasplm.pretraining.compat import (
    albert_google,
    albert_zh,
    albert_zh_google,
    bert,
    electra,
    electra_zh,
    roberta_zh,
)

CREATORS: Mapping[str, ModuleType] = MappingProxyType(
    {
        "albert_google": albert_google,
        "albert_zh": albert_zh,
        "albert_zh_google": albert_zh_google,
        "bert": bert,
        "electra": electra,
        "electra_zh": electra_zh,
        "roberta_zh": roberta_zh,
    }
)
"""Modules with ``instances`` and ``features``, whose options are the original flags."""
