"""The Zhuiyi models: BERT with factorised embeddings, and SimBERT."""

from kerasplm.families.albert import MAPPING
from kerasplm.families.base import Family
from kerasplm.families.bert import BERT, OTHER_HEADS, POOLER, SENTENCE_PAIR

ZHUIYI = Family(
    name="zhuiyi",
    title="RoBERTa tiny/small and RoBERTa+ tiny/small (factorised embeddings)",
    source="ZhuiyiTechnology/pretrained-models; bojone/bert4keras models.py",
    paper="",
    weights=dict(BERT.weights) | MAPPING,
    required=(*BERT.required, *MAPPING),
    other=OTHER_HEADS,
)

SIMBERT = Family(
    name="simbert",
    title="SimBERT tiny, small, base (UniLM; pooler without tanh)",
    source="ZhuiyiTechnology/simbert simbert.py; bojone/bert4keras models.py",
    paper="",
    weights={k: v for k, v in ZHUIYI.weights.items() if k not in SENTENCE_PAIR},
    required=(*BERT.required, *POOLER, "mlm/bias"),
    gelu="gelu_erf",
    fixed={"pooler": "linear", "attention": "unilm"},
    other=OTHER_HEADS,
    path_hint="simbert",
    vocab_hint="no_mask",
)
