"""ALBERT in its three layouts: brightmart's own, Google's, and "google_fast"."""

from kerasplm.families.base import Entry, Family
from kerasplm.families.bert import HEADS, LAYERS, OTHER_HEADS, POOLER, TABLES

_SHARED = {
    ours.replace("layer_{i}", "group_0_0"): entry.replace("layer_{i}", "layer_shared")
    for ours, entry in LAYERS.items()
    if isinstance(entry, str)
}
_PROJECTION: dict[str, Entry] = {
    "encoder/embeddings/projection/kernel": "bert/embeddings/word_embeddings_2",
}

ALBERT_BRIGHTMART = Family(
    name="albert_brightmart",
    title="albert_zh tiny, base, large, xlarge (layout A)",
    source="brightmart/albert_zh modeling.py",
    paper="arXiv:1909.11942",
    weights=TABLES
    | _PROJECTION
    | _SHARED
    | POOLER
    | HEADS
    # Only classifiers on a pre-norm encoder have this norm.
    | {"classifier/norm/{n}": "loss/LayerNorm/{n}"},
    required=(*TABLES, *_PROJECTION, *_SHARED),
    fixed={"embedding_projection": "before_norm", "num_hidden_groups": 1},
    other=OTHER_HEADS,
    config_file="albert_config.json",
)

_GROUP = "bert/encoder/transformer/group_{g}/inner_group_{j}"
_GROUPS: dict[str, Entry] = {
    "encoder/group_{g}_{j}/attention/{qkv}/{w}": (
        f"{_GROUP}/attention_1/self/{{qkv}}/{{w}}"
    ),
    "encoder/group_{g}_{j}/attention/output/{w}": (
        f"{_GROUP}/attention_1/output/dense/{{w}}"
    ),
    "encoder/group_{g}_{j}/attention_norm/{n}": f"{_GROUP}/LayerNorm/{{n}}",
    "encoder/group_{g}_{j}/ffn/inner/{w}": f"{_GROUP}/ffn_1/intermediate/dense/{{w}}",
    # The output layer really is nested under "intermediate".
    "encoder/group_{g}_{j}/ffn/outer/{w}": (
        f"{_GROUP}/ffn_1/intermediate/output/dense/{{w}}"
    ),
    "encoder/group_{g}_{j}/ffn_norm/{n}": f"{_GROUP}/LayerNorm_1/{{n}}",
}
MAPPING: dict[str, Entry] = {
    "encoder/embeddings/projection/{w}": "bert/encoder/embedding_hidden_mapping_in/{w}",
}

# Of SQuAD v2; that of v1 is BERT's.
_SPAN: dict[str, Entry] = {
    "span/start/{w}": "start_logits/dense/{w}",
    "span/end_hidden/{w}": "end_logits/dense_0/{w}",
    "span/end_norm/{n}": "end_logits/LayerNorm/{n}",
    "span/end/{w}": "end_logits/dense_1/{w}",
    "span/answerable_hidden/{w}": "answer_class/dense_0/{w}",
    "span/answerable/{w}": "answer_class/dense_1/{w}",
}

ALBERT = Family(
    name="albert",
    title="Google ALBERT, albert_zh *_google (layout B) and *_google_fast (layout C)",
    source="google-research/albert modeling.py; brightmart/albert_zh modeling_google*",
    paper="arXiv:1909.11942",
    weights=TABLES | MAPPING | _GROUPS | POOLER | HEADS | _SPAN,
    required=(*TABLES, *_GROUPS),
    other=OTHER_HEADS,
    config_file="albert_config.json",
    ask=("hidden_act",),  # the Chinese releases of Google use relu, others gelu
)
