"""T5-PEGASUS and mT5, whose variables have the same names."""

from kerasplm.families.base import TRANSPOSE, Entry, Family

_FFN = {"gate": "wi_0", "inner": "wi_1", "outer": "wo"}


def _attention(ours: str, theirs: str) -> dict[str, Entry]:
    names = {"query": "q", "key": "k", "value": "v", "output": "o"}
    return {f"{ours}/{k}/kernel": f"{theirs}/{v}" for k, v in names.items()}


def _stack(name: str, ffn: int) -> dict[str, Entry]:
    """Return the names of encoder or decoder.

    Args:
        name: "encoder" or "decoder".
        ffn: Number of the feed-forward sub-layer, the last of a block.
    """
    ours, theirs = f"seq2seq/{name}/layer_{{i}}", f"{name}/block_{{i:03d}}"
    table: dict[str, Entry] = {
        # The first block stores the table that all share, as [heads, buckets].
        f"seq2seq/{name}/relative_bias": (
            f"{name}/block_000/layer_000/SelfAttention/relative_attention_bias",
            TRANSPOSE,
        ),
        f"{ours}/attention_norm/scale": f"{theirs}/layer_000/rms_norm/scale",
        f"{ours}/ffn_norm/scale": f"{theirs}/layer_{ffn:03d}/rms_norm/scale",
        f"seq2seq/{name}/output_norm/scale": f"{name}/rms_norm/scale",
    }
    table |= _attention(f"{ours}/attention", f"{theirs}/layer_000/SelfAttention")
    for part, wi in _FFN.items():
        table[f"{ours}/ffn/{part}/kernel"] = (
            f"{theirs}/layer_{ffn:03d}/DenseReluDense/{wi}/kernel"
        )
    return table


_CROSS: dict[str, Entry] = {
    "seq2seq/decoder/layer_{i}/cross_norm/scale": (
        "decoder/block_{i:03d}/layer_001/rms_norm/scale"
    ),
    **_attention(
        "seq2seq/decoder/layer_{i}/cross_attention",
        "decoder/block_{i:03d}/layer_001/EncDecAttention",
    ),
}
_TABLES: dict[str, Entry] = {
    "seq2seq/embedding/embeddings": "shared/embedding",
    "seq2seq/output/kernel": "decoder/logits/kernel",
}
_WEIGHTS = _TABLES | _stack("encoder", 1) | _stack("decoder", 2) | _CROSS

T5_PEGASUS = Family(
    name="t5_pegasus",
    title="T5-PEGASUS small, base (encoder-decoder with a vocabulary of words)",
    source="ZhuiyiTechnology/t5-pegasus; bojone/bert4keras models.py",
    paper="arXiv:2010.11934",
    weights=_WEIGHTS,
    required=tuple(_WEIGHTS),
    gelu="gelu_erf",
    network="seq2seq",
    path_hint="pegasus",
    vocab_hint="words",
    config_file="config.json",
)

# The same variables, yet other numbers: never to be taken for one another.
MT5 = Family(
    name="mt5",
    title="mT5, or T5-PEGASUS as transformers computes it",
    source="huggingface/transformers models/mt5; google-research/multilingual-t5",
    paper="arXiv:2010.11934",
    weights=_WEIGHTS,
    required=tuple(_WEIGHTS),
    gelu="gelu_tanh",
    fixed={"cross_position_bias": False, "scale_output": False},
    network="seq2seq",
    path_hint="mt5",
    config_file="config.json",
)
