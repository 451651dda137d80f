"""The models of Zhuiyi: RoBERTa tiny and small, SimBERT, WoBERT, T5-PEGASUS."""

from typing import Any

from kerasplm.catalogue.base import (
    Archive,
    Entry,
    HuggingFace,
    Manual,
    baidu,
    checkpoint,
    network,
)

_HOST = "https://open.zhuiyi.ai/releases/nlp/models/zhuiyi"
_FILES = ("bert_config.json", "vocab.txt", *checkpoint("bert_model.ckpt", meta=False))
_NO_DROPOUT: dict[str, Any] = {
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_NARROW: dict[str, Any] = {"embedding_size": 128}
_SIMBERT: dict[str, Any] = {
    "hidden_act": "gelu_erf",
    "pooler": "linear",
    "attention": "unilm",
}
_WOBERT: dict[str, Any] = {"hidden_act": "gelu_erf", "pooler": "none"}

_DOWN = "the host is reported down at times"
_NO_POOLER = "The release has no pooler: classifiers take the vector of [CLS] itself."
_DROPOUT = "Dropout 0 is that of SimBERT's configuration; here it is not verified."
_TANH = (
    "gelu is the tanh form as in the publisher's classification scripts; the form of "
    "the pre-training is not stated."
)
_EMBEDDING = (
    "The sentence vector is the linear pooler output of segment 0, normalised to "
    "length 1; no tanh."
)
_WORDS = "Texts are cut by jieba (HMM off) after lower-casing, before the vocabulary."


def _archive(name: str) -> Archive:
    return Archive(url=f"{_HOST}/{name}.zip", note=_DOWN)


def _roberta(
    name: str,
    title: str,
    config: dict[str, Any],
    parameters: int,
    size: str,
    archive: str,
    share: Manual,
    notes: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        name=f"{name}-zh.zhuiyi",
        title=title,
        family="zhuiyi",
        config=config | _NARROW | _NO_DROPOUT | {"pooler": "none"},
        parameters=parameters,
        heads=("mlm",),
        vocabulary="google-zh",
        lowercase=True,
        sources=(_archive(archive), share),
        files=_FILES,
        size=size,
        licence="not stated",
        paper="arXiv:1907.11692",
        learning_rates=(5e-5, 1e-4),
        notes=(_NO_POOLER, *notes, _DROPOUT, _TANH),
    )


def _simbert(
    name: str,
    title: str,
    config: dict[str, Any],
    parameters: int,
    size: str,
    archive: str,
    *more: Manual,
    notes: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        name=f"simbert-{name}-zh.zhuiyi",
        title=title,
        family="simbert",
        config=config | _SIMBERT,
        parameters=parameters,
        heads=("mlm",),
        vocabulary="simbert",
        lowercase=True,
        sources=(
            _archive(archive),
            HuggingFace(
                repo=f"Tongjilibo/simbert-chinese-{name}",
                note="port by Tongjilibo to PyTorch",
            ),
            *more,
        ),
        files=_FILES,
        size=size,
        licence="not stated",
        paper="https://github.com/ZhuiyiTechnology/simbert",
        learning_rates=(),
        notes=(_EMBEDDING, *notes),
    )


def _wobert(
    name: str,
    title: str,
    vocabulary: str,
    tokens: int,
    parameters: int,
    port: str,
    share: Manual,
    *notes: str,
    size: str = "",
) -> Entry:
    return Entry(
        name=f"{name}-base-zh.zhuiyi",
        title=title,
        family="wobert",
        config=network(12, 768, 12, vocabulary=tokens, **_WOBERT),
        parameters=parameters,
        heads=("mlm",),
        vocabulary=vocabulary,
        lowercase=True,
        sources=(
            HuggingFace(repo=f"junnyu/{port}", note="port by junnyu to PyTorch"),
            share,
        ),
        files=_FILES,
        size=size,
        licence="not stated",
        paper="https://github.com/ZhuiyiTechnology/WoBERT",
        learning_rates=(1e-5, 2e-5),
        notes=(
            _WORDS,
            "Pre-trained with the MLM objective alone, so it should hold no pooler; "
            "this is not verified.",
            "With a pooler it has 590,592 parameters more.",
            *notes,
        ),
    )


def _t5(
    size: str,
    title: str,
    config: dict[str, Any],
    parameters: int,
    megabytes: str,
    port: str,
    *more: Manual,
    notes: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        name=f"t5-pegasus-{size}-zh.zhuiyi",
        title=title,
        family="t5_pegasus",
        config=_T5 | config,
        parameters=parameters,
        heads=(),
        vocabulary="zhuiyi-50000",
        lowercase=True,
        sources=(
            _archive(f"chinese_t5_pegasus_{size}"),
            HuggingFace(
                repo=f"imxly/{port}",
                note="port by imxly to transformers' mT5, which leaves out the scale "
                "of the output and the positions in cross-attention: other text",
            ),
            *more,
        ),
        files=("config.json", "vocab.txt", *checkpoint("model.ckpt", meta=False)),
        size=megabytes,
        licence="not stated",
        paper="https://github.com/ZhuiyiTechnology/t5-pegasus",
        learning_rates=(2e-4,),
        notes=(
            _WORDS,
            "The parameters are those of the whole network with its output matrix.",
            *notes,
        ),
    )


# These are fields of the encoder-decoder, not of `kerasplm.Config`.
_T5: dict[str, Any] = {
    "vocab_size": 50000,
    "attention_head_size": 64,
    "hidden_act": "gelu_erf",
    "hidden_dropout_prob": 0.1,
    "layer_norm_eps": 1e-6,
    "relative_buckets": 32,
    "relative_max_distance": 128,
    "cross_position_bias": True,
    "scale_output": True,
}
_PLUS_TINY = "Queries and keys are 104 wide per head, values 26."
_PLUS_SMALL = "Queries and keys are 128 wide per head, values 32."
_TINY, _SMALL, _BASE = (4, 312, 12), (6, 384, 12), (12, 768, 12)

ROWS = (
    _roberta(
        "roberta-tiny",
        "RoBERTa Tiny",
        network(*_TINY),
        7_499_416,
        "27 MB",
        "chinese_roberta_L-4_H-312_A-12",
        baidu("1AfRKIBMIoxzXbfqWE4aDsw", "mrcv"),
    ),
    _roberta(
        "roberta-small",
        "RoBERTa Small",
        network(*_SMALL),
        13_466_752,
        "48 MB",
        "chinese_roberta_L-6_H-384_A-12",
        baidu("15-loby3PEwBtMLc-On6Vzg", "j2ns"),
    ),
    _roberta(
        "roberta-plus-tiny",
        "RoBERTa+ Tiny",
        network(*_TINY, attention_key_size=104),
        9_843_160,
        "35 MB",
        "chinese_roberta_L-4_H-312_A-12_K-104",
        baidu("1JjqwVhnpIGtjecXBsdv2BQ", "bbgq"),
        notes=(_PLUS_TINY,),
    ),
    _roberta(
        "roberta-plus-small",
        "RoBERTa+ Small",
        network(*_SMALL, attention_key_size=128),
        18_788_992,
        "67 MB",
        "chinese_roberta_L-6_H-384_A-12_K-128",
        baidu("1L_15sYXZcVmlxb9QqgAJ-Q", "88wp"),
        notes=(_PLUS_SMALL,),
    ),
    _simbert(
        "tiny",
        "SimBERT Tiny",
        network(*_TINY, vocabulary=13685, **_NARROW, **_NO_DROPOUT),
        6_644_368,
        "26 MB",
        "chinese_simbert_L-4_H-312_A-12",
    ),
    _simbert(
        "small",
        "SimBERT Small",
        network(*_SMALL, vocabulary=13685, **_NARROW, **_NO_DROPOUT),
        12_661_888,
        "49 MB",
        "chinese_simbert_L-6_H-384_A-12",
    ),
    _simbert(
        "base",
        "SimBERT Base",
        network(*_BASE, vocabulary=13685),
        96_551_424,
        "344 MB",
        "chinese_simbert_L-12_H-768_A-12",
        baidu("1uGfQmX1Kxcv_cXTVsvxTsQ", "6xhq"),
        notes=("Its dropout is assumed to be that of Google's BERT, its origin.",),
    ),
    _wobert(
        "wobert",
        "WoBERT",
        "wobert",
        33586,
        111_244_800,
        "wobert_chinese_base",
        baidu("1BrdFSx9_n1q2uWBiQrpalw", "kim2"),
        size="400 MB",
    ),
    _wobert(
        "wobert-plus",
        "WoBERT+",
        "zhuiyi-50000",
        50000,
        123_850_752,
        "wobert_chinese_plus_base",
        baidu("1Ltq3ltQsyBCj56zoOOvI9A", "aedw"),
    ),
    _t5(
        "base",
        "T5 PEGASUS base",
        {
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_decoder_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 2048,
        },
        275_029_248,
        "971 MB",
        "t5-pegasus",
        baidu("1lQ9Dt9wZDO3IgiCL9tP-Ug", "3sfn"),
    ),
    _t5(
        "small",
        "T5 PEGASUS small",
        {
            "hidden_size": 512,
            "num_hidden_layers": 8,
            "num_decoder_layers": 8,
            "num_attention_heads": 6,
            "intermediate_size": 1024,
        },
        95_262_080,
        "",
        "t5-pegasus-small",
        notes=("Queries are 6 * 64 = 384 wide, the hidden states 512.",),
    ),
)
