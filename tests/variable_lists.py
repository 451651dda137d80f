"""The variables of the original checkpoints, typed from descriptions of the originals.

Nothing here is taken from the tables of `kerasplm.families`: this is what they are
compared with. Letters stand for sizes:

    V words, E width of the word table, H hidden, I inner, P positions, T segments,
    Q width of all queries, A heads, R buckets of relative positions

A line that begins with "?" holds where E and H differ.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Shapes = dict[str, tuple[int, ...]]

_WORDS = """
bert/embeddings/word_embeddings V,E
bert/embeddings/LayerNorm/beta E
bert/embeddings/LayerNorm/gamma E
"""
_SEGMENTS = "bert/embeddings/token_type_embeddings T,E\n"
_POSITIONS = "bert/embeddings/position_embeddings P,E\n"
_LAYERS = """
bert/encoder/layer_{i}/attention/self/query/kernel H,Q
bert/encoder/layer_{i}/attention/self/query/bias Q
bert/encoder/layer_{i}/attention/self/key/kernel H,Q
bert/encoder/layer_{i}/attention/self/key/bias Q
bert/encoder/layer_{i}/attention/self/value/kernel H,H
bert/encoder/layer_{i}/attention/self/value/bias H
bert/encoder/layer_{i}/attention/output/dense/kernel H,H
bert/encoder/layer_{i}/attention/output/dense/bias H
bert/encoder/layer_{i}/attention/output/LayerNorm/beta H
bert/encoder/layer_{i}/attention/output/LayerNorm/gamma H
bert/encoder/layer_{i}/intermediate/dense/kernel H,I
bert/encoder/layer_{i}/intermediate/dense/bias I
bert/encoder/layer_{i}/output/dense/kernel I,H
bert/encoder/layer_{i}/output/dense/bias H
bert/encoder/layer_{i}/output/LayerNorm/beta H
bert/encoder/layer_{i}/output/LayerNorm/gamma H
"""
_POOLER = """
bert/pooler/dense/kernel H,H
bert/pooler/dense/bias H
"""
_MAPPING = """
? bert/encoder/embedding_hidden_mapping_in/kernel E,H
? bert/encoder/embedding_hidden_mapping_in/bias H
"""
_BERT = _WORDS + _SEGMENTS + _POSITIONS + _LAYERS
_ZHUIYI = _BERT + _MAPPING

_ALBERT_A = """
bert/embeddings/word_embeddings V,E
bert/embeddings/word_embeddings_2 E,H
bert/embeddings/token_type_embeddings T,H
bert/embeddings/position_embeddings P,H
bert/embeddings/LayerNorm/beta H
bert/embeddings/LayerNorm/gamma H
""" + _LAYERS.replace("layer_{i}", "layer_shared")

_GROUP = "bert/encoder/transformer/group_0/inner_group_0"
_ALBERT_B = f"""
{_GROUP}/attention_1/self/query/kernel H,H
{_GROUP}/attention_1/self/query/bias H
{_GROUP}/attention_1/self/key/kernel H,H
{_GROUP}/attention_1/self/key/bias H
{_GROUP}/attention_1/self/value/kernel H,H
{_GROUP}/attention_1/self/value/bias H
{_GROUP}/attention_1/output/dense/kernel H,H
{_GROUP}/attention_1/output/dense/bias H
{_GROUP}/LayerNorm/beta H
{_GROUP}/LayerNorm/gamma H
{_GROUP}/ffn_1/intermediate/dense/kernel H,I
{_GROUP}/ffn_1/intermediate/dense/bias I
{_GROUP}/ffn_1/intermediate/output/dense/kernel I,H
{_GROUP}/ffn_1/intermediate/output/dense/bias H
{_GROUP}/LayerNorm_1/beta H
{_GROUP}/LayerNorm_1/gamma H
"""
_ALBERT_B += _WORDS + _SEGMENTS + _POSITIONS + _MAPPING

_ELECTRA_TABLES = (_WORDS + _SEGMENTS + _POSITIONS).replace("bert/", "electra/")
_ELECTRA_PROJECTION = """
? electra/embeddings_project/kernel E,H
? electra/embeddings_project/bias H
"""
_ELECTRA_LAYERS = _LAYERS.replace("bert/", "electra/")

_ATTENTION = """
{s}/block_{i:03d}/layer_{n:03d}/{a}/q H,Q
{s}/block_{i:03d}/layer_{n:03d}/{a}/k H,Q
{s}/block_{i:03d}/layer_{n:03d}/{a}/v H,Q
{s}/block_{i:03d}/layer_{n:03d}/{a}/o Q,H
{s}/block_{i:03d}/layer_{n:03d}/rms_norm/scale H
"""
_FEED_FORWARD = """
{s}/block_{i:03d}/layer_{n:03d}/DenseReluDense/wi_0/kernel H,I
{s}/block_{i:03d}/layer_{n:03d}/DenseReluDense/wi_1/kernel H,I
{s}/block_{i:03d}/layer_{n:03d}/DenseReluDense/wo/kernel I,H
{s}/block_{i:03d}/layer_{n:03d}/rms_norm/scale H
"""


def _fixed(block: str, stack: str, number: int, attention: str = "") -> str:
    block = block.replace("{s}", stack).replace("{a}", attention)
    return block.replace("{n:03d}", f"{number:03d}")


_T5 = (
    """
shared/embedding V,H
encoder/block_000/layer_000/SelfAttention/relative_attention_bias A,R
encoder/rms_norm/scale H
decoder/block_000/layer_000/SelfAttention/relative_attention_bias A,R
decoder/rms_norm/scale H
decoder/logits/kernel H,V
"""
    + _fixed(_ATTENTION, "encoder", 0, "SelfAttention")
    + _fixed(_FEED_FORWARD, "encoder", 1)
    + _fixed(_ATTENTION, "decoder", 0, "SelfAttention")
    + _fixed(_ATTENTION, "decoder", 1, "EncDecAttention")
    + _fixed(_FEED_FORWARD, "decoder", 2)
)

# Family: the network without heads, as its releases have it.
NETWORKS = {
    "bert": _BERT + _POOLER,
    "tinybert": _BERT + _POOLER,
    "wobert": _BERT,
    "zhuiyi": _ZHUIYI,
    "simbert": _ZHUIYI + _POOLER,
    "albert_brightmart": _ALBERT_A + _POOLER,
    "albert": _ALBERT_B + _POOLER,
    "electra": _ELECTRA_TABLES + _ELECTRA_PROJECTION + _ELECTRA_LAYERS,
    # The generator has the tables of the discriminator and no others.
    "electra_generator": _ELECTRA_TABLES
    + (_ELECTRA_PROJECTION + _ELECTRA_LAYERS).replace("electra/", "generator/"),
    "nezha": _WORDS + _SEGMENTS + _LAYERS + _POOLER,
    "wonezha": _WORDS + _SEGMENTS + _LAYERS,
    "nezha_gen": _WORDS + _POSITIONS + _LAYERS,
    "nezha_gen_poetry": _WORDS + _POSITIONS + _LAYERS,
    "t5_pegasus": _T5,
}

_MLM = """
cls/predictions/transform/dense/kernel H,E
cls/predictions/transform/dense/bias E
cls/predictions/transform/LayerNorm/beta E
cls/predictions/transform/LayerNorm/gamma E
cls/predictions/output_bias V
"""
HEADS = {
    "mlm": _MLM,
    "sentence_pair": """
cls/seq_relationship/output_weights 2,H
cls/seq_relationship/output_bias 2
""",
    "rtd": """
discriminator_predictions/dense/kernel H,H
discriminator_predictions/dense/bias H
discriminator_predictions/dense_1/kernel H,1
discriminator_predictions/dense_1/bias 1
""",
}
# Heads that differ from the above.
OWN_HEADS = {
    ("albert_brightmart", "mlm"): _MLM.replace("E", "H"),
    ("electra_generator", "mlm"): _MLM.replace(
        "cls/predictions/output_bias", "generator_predictions/output_bias"
    ).replace("cls/predictions/transform", "generator_predictions"),
}

# Row of the catalogue: folder with the variables of the released file.
FOLDER = Path(__file__).parent / "published"
RELEASED = {
    "albert-tiny-zh.brightmart": "albert_tiny_zh.A",
    "albert-tiny-google-zh.brightmart": "albert_tiny_zh_google",
    "albert-small-google-zh.brightmart": "albert_small_zh_google",
    "simbert-tiny-zh.zhuiyi": "chinese_simbert_L-4_H-312_A-12",
}


def described(
    name: str, family: str, config: Mapping[str, Any], heads: tuple[str, ...]
) -> Shapes:
    """Return the variables of a model as the descriptions give them.

    Args:
        name: Of the row.
        family: Of the network.
        config: Its sizes.
        heads: What it has beside the network.
    """
    lines = NETWORKS[family].splitlines()
    for head in heads:
        lines += OWN_HEADS.get((family, head), HEADS[head]).splitlines()
    hidden, count = config["hidden_size"], config["num_attention_heads"]
    width = config.get("embedding_size") or hidden
    key = config.get("attention_key_size") or config.get("attention_head_size")
    sizes = {
        "V": config["vocab_size"],
        "E": width,
        "H": hidden,
        "I": config["intermediate_size"],
        "P": config.get("max_position_embeddings"),
        "T": config.get("type_vocab_size"),
        "Q": count * (key or hidden // count),
        "A": count,
        "R": config.get("relative_buckets"),
    }
    shapes: Shapes = {}
    for line in filter(None, lines):
        *condition, template, shape = line.split(" ")
        if condition and width == hidden:
            continue
        stack = "decoder" if template.startswith("decoder") else "hidden"
        layers = range(config[f"num_{stack}_layers"]) if "{i" in template else [0]
        for i in layers:
            letters = shape.split(",")
            shapes[template.format(i=i)] = tuple(
                sizes[x] if x in sizes else int(x) for x in letters
            )
    return shapes


def released(name: str) -> Shapes | None:
    """Return the variables of the released file, without what training left there."""
    if name not in RELEASED:
        return None
    text = (FOLDER / RELEASED[name] / "variables.txt").read_text()
    rows = [line.split("\t") for line in text.splitlines()]
    slots = re.compile(r"global_step|.*/(adam|lamb)_[mv]")
    return {
        variable: tuple(int(n) for n in shape.strip("[]").split(","))
        for variable, shape, _ in rows
        if not slots.fullmatch(variable)
    }
