"""NEZHA (relative positions), RoFormer (rotary), NEZHA-Gen (causal, no segments)."""

import dataclasses

from kerasplm.families.albert import MAPPING
from kerasplm.families.base import Entry, Family
from kerasplm.families.bert import HEADS, LAYERS, MLM, OTHER_HEADS, POOLER, TABLES

_PAPER = "arXiv:1909.00204"
_NO_POSITION = {k: v for k, v in TABLES.items() if not k.endswith("/position")}
_NO_TYPE = {k: v for k, v in TABLES.items() if not k.endswith("/type")}
_GEN: dict[str, Entry] = _NO_TYPE | LAYERS | MLM
_GEN_FIXED = {"type_vocab_size": 0, "attention": "causal", "pooler": "none"}

NEZHA = Family(
    name="nezha",
    title="NEZHA, NEZHA-wwm",
    source="huawei-noah/Pretrained-Language-Model NEZHA-TensorFlow/modeling.py",
    paper=_PAPER,
    weights=_NO_POSITION | LAYERS | POOLER | HEADS,
    required=(*_NO_POSITION, *LAYERS),
    fixed={"position": "nezha"},
    other=OTHER_HEADS,
    span={"head": "nezha"},
    config_hint="use_relative_position",
    path_hint="(?<!wo)nezha",
)

WONEZHA = dataclasses.replace(
    NEZHA,
    name="wonezha",
    title="WoNEZHA (NEZHA with a vocabulary of words)",
    source="ZhuiyiTechnology/WoBERT; bojone/bert4keras models.py",
    gelu="gelu_erf",
    path_hint="wonezha",
    vocab_hint="words",
    hint_only=True,
)

# The same variables, yet another position encoding: never to be read as NEZHA.
ROFORMER = Family(
    name="roformer",
    title="RoFormer (rotary positions; not RoFormerV2)",
    source="ZhuiyiTechnology/roformer; bojone/bert4keras models.py",
    paper="arXiv:2104.09864",
    weights={**NEZHA.weights, **MAPPING},
    required=NEZHA.required,
    gelu="gelu_erf",
    fixed={"position": "rotary"},
    other=OTHER_HEADS,
    path_hint="roformer",
)

# Both releases have the same variables and "gelu" in the configuration, yet the
# scripts compute different forms: only the name tells them apart.
NEZHA_GEN = Family(
    name="nezha_gen",
    title="NEZHA-Gen, general text (cn_gpt)",
    source="NEZHA-Gen-TensorFlow/interactive_conditional_generation.py",
    paper=_PAPER,
    weights=_GEN,
    required=tuple(_GEN),
    gelu="gelu_erf",
    fixed=_GEN_FIXED,
    path_hint="cn_gpt|nezha_gpt",
    hint_only=True,
    config_file="config.json",
    tokenizer="electra",
    lowercase=False,
)
NEZHA_GEN_POETRY = Family(
    name="nezha_gen_poetry",
    title="NEZHA-Gen, classical poetry (Yuefu)",
    source="NEZHA-Gen-TensorFlow/poetry.py",
    paper="arXiv:1907.00151",
    weights=_GEN,
    required=tuple(_GEN),
    fixed=_GEN_FIXED,
    path_hint="poetry|yuefu",
    hint_only=True,
    config_file="config.json",
    tokenizer="electra",
)
