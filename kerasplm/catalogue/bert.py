"""BERT and the Chinese models with its layout: BERT-wwm, RBT, RoBERTa-zh."""

from typing import Any

from kerasplm.catalogue.base import (
    Archive,
    Entry,
    HuggingFace,
    Source,
    baidu,
    checkpoint,
    drive,
    linked_from,
    network,
)

_WWM = "https://github.com/ymcui/Chinese-BERT-wwm"
_GOOGLE = "https://storage.googleapis.com/bert_models"
_CLUE = "https://storage.googleapis.com/chineseglue/pretrain_models"
_BERT_FILES = ("bert_config.json", "vocab.txt", *checkpoint("bert_model.ckpt"))
_BASE = network(12, 768, 12)
_LARGE = network(24, 1024, 16)

# What several rows say.
_ERF = (
    "its config.json says gelu, which transformers computes in the erf form; the "
    "original code has the tanh form"
)
_MIRROR = "mirror by CLUE; the files lie flat in the archive"
_NO_HEADS = "The release has no MLM head, so it cannot fill masks."
_HUB_HEADS = (
    "The Hugging Face copies may have the variables of an MLM head; whether it was "
    "trained is not stated."
)
_NO_NSP = "Pre-trained without next-sentence prediction, which alone trains a pooler."
_PLAIN_TEXT = "Whole words were masked in pre-training only: texts need no segmenting."
_LENGTH = "Trained at length 256: positions from 256 on are hardly trained, if at all."
_NSP_UNTRAINED = (
    "The original code may have saved a sentence-pair head, which its loss left out."
)


def _google(name: str, **row: Any) -> Entry:
    return Entry(
        name=name,
        family="bert",
        heads=("mlm", "sentence_pair"),
        files=_BERT_FILES,
        size="",
        licence="Apache-2.0",
        paper="arXiv:1810.04805",
        **row,
    )


def _hfl(
    name: str,
    title: str,
    config: dict[str, Any],
    parameters: int,
    repo: str,
    *sources: Source,
    code: str,
    rates: tuple[float, ...],
    notes: tuple[str, ...],
    size: str = "",
) -> Entry:
    return Entry(
        name=name,
        title=title,
        family="bert",
        config=config,
        parameters=parameters,
        heads=(),
        vocabulary="google-zh",
        lowercase=True,
        sources=(
            HuggingFace(repo=f"hfl/{repo}", note=_ERF),
            *sources,
            linked_from(_WWM, code),
        ),
        files=_BERT_FILES,
        size=size,
        licence="Apache-2.0",
        paper="arXiv:1906.08101; arXiv:2004.13922",
        learning_rates=rates,
        notes=(_NO_HEADS, _HUB_HEADS, _PLAIN_TEXT, *notes),
    )


def _brightmart(
    name: str,
    title: str,
    config: dict[str, Any],
    parameters: int,
    *sources: Source,
    files: tuple[str, ...] = (),
    size: str = "",
    notes: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        name=name,
        title=title,
        family="bert",
        config=config,
        parameters=parameters,
        heads=("mlm",),
        vocabulary="google-zh",
        lowercase=True,
        sources=sources,
        files=files,
        size=size,
        licence="not stated",
        paper="arXiv:1907.11692",
        learning_rates=(2e-5, 3e-5),
        notes=(
            "A BERT in spite of its name: never load it with RoBERTa classes.",
            _LENGTH,
            _NSP_UNTRAINED,
            *notes,
        ),
    )


_WWM_RATES = (2e-5, 3e-5, 4e-5)
_RBT_RATES = (2e-5, 3e-5, 5e-5)
_NAMES_UNKNOWN = "The names of the files in the archive are not known."

ROWS = (
    _google(
        "bert-base-zh.google",
        title="BERT-Base, Chinese",
        config=_BASE,
        parameters=102_267_648,
        vocabulary="google-zh",
        lowercase=True,
        sources=(
            Archive(url=f"{_GOOGLE}/2018_11_03/chinese_L-12_H-768_A-12.zip"),
            HuggingFace(
                repo="google-bert/bert-base-chinese", note=f"port to PyTorch; {_ERF}"
            ),
        ),
        learning_rates=_WWM_RATES,
    ),
    _google(
        "bert-base-multilingual-cased.google",
        title="BERT-Base, Multilingual Cased",
        config=network(12, 768, 12, vocabulary=119547),
        parameters=177_853_440,
        vocabulary="google-multilingual-cased",
        lowercase=False,
        sources=(Archive(url=f"{_GOOGLE}/2018_11_23/multi_cased_L-12_H-768_A-12.zip"),),
        learning_rates=(),
        notes=("Keep case: the original code refuses to lower-case for this model.",),
    ),
    _hfl(
        "bert-wwm-base-zh.hfl",
        "BERT-wwm, Chinese",
        _BASE,
        102_267_648,
        "chinese-bert-wwm",
        drive("1RoTQsXp2hkQ1gSRVylRIJfQxJUgkfJMW"),
        code="qfh8",
        size="400 MB",
        rates=_WWM_RATES,
        notes=("Trained on Wikipedia, from the weights of Google's BERT.",),
    ),
    _hfl(
        "bert-wwm-ext-base-zh.hfl",
        "BERT-wwm-ext, Chinese",
        _BASE,
        102_267_648,
        "chinese-bert-wwm-ext",
        Archive(url=f"{_CLUE}/chinese_wwm_ext_L-12_H-768_A-12.zip", note=_MIRROR),
        drive("1buMLEjdtrXE2c4G1rpsNGWEx7lUQ0RHi"),
        code="wgnt",
        size="400 MB",
        rates=_WWM_RATES,
        notes=("Trained on 5.4 billion words, from the weights of Google's BERT.",),
    ),
    _hfl(
        "roberta-wwm-ext-base-zh.hfl",
        "RoBERTa-wwm-ext, Chinese",
        _BASE,
        102_267_648,
        "chinese-roberta-wwm-ext",
        Archive(
            url=f"{_CLUE}/chinese_roberta_wwm_ext_L-12_H-768_A-12.zip", note=_MIRROR
        ),
        drive("1jMAKIJmPn7kADgD3yQZhpsqM-IRM1qZt"),
        code="vybq",
        size="400 MB",
        rates=_WWM_RATES,
        notes=(
            _NO_NSP,
            "A BERT in spite of its name: never load it with RoBERTa classes.",
        ),
    ),
    _hfl(
        "roberta-wwm-ext-large-zh.hfl",
        "RoBERTa-wwm-ext-large, Chinese",
        _LARGE,
        325_522_432,
        "chinese-roberta-wwm-ext-large",
        Archive(
            url=f"{_CLUE}/chinese_roberta_wwm_large_ext_L-24_H-1024_A-16.zip",
            note=_MIRROR,
        ),
        drive("1dtad0FFzG11CBsawu8hvwwzU2R0FDI94"),
        code="dqqe",
        rates=(1e-5, 2e-5, 3e-5),
        notes=(
            _NO_NSP,
            "A BERT in spite of its name: never load it with RoBERTa classes.",
        ),
    ),
    _hfl(
        "rbt3-base-zh.hfl",
        "RBT3, Chinese",
        network(3, 768, 12),
        38_476_800,
        "rbt3",
        code="5a57",
        rates=_RBT_RATES,
        notes=("The first 3 layers of RoBERTa-wwm-ext, trained 1M steps more.",),
    ),
    _hfl(
        "rbt4-base-zh.hfl",
        "RBT4, Chinese",
        network(4, 768, 12),
        45_564_672,
        "rbt4",
        code="sjpt",
        rates=_RBT_RATES,
        notes=(),
    ),
    _hfl(
        "rbt6-base-zh.hfl",
        "RBT6, Chinese",
        network(6, 768, 12),
        59_740_416,
        "rbt6",
        code="hniy",
        rates=_RBT_RATES,
        notes=(),
    ),
    _hfl(
        "rbtl3-large-zh.hfl",
        "RBTL3, Chinese",
        network(3, 1024, 16),
        61_001_728,
        "rbtl3",
        code="s6cu",
        rates=_RBT_RATES,
        notes=("The first 3 layers of RoBERTa-wwm-ext-large, trained 1M steps more.",),
    ),
    _brightmart(
        "roberta-l6-base-zh.brightmart",
        "RoBERTa-zh-Layer6",
        network(6, 768, 12),
        59_740_416,
        drive("1QXFqD6Qm8H9bRSbw7yZIgTGxD0O6ejUq"),
        baidu("1TfKz-d9wvfqct8vN0c-vjg"),
        size="200 MB",
        notes=(
            "Its width is inferred from the size of the file; check the configuration.",
            _NAMES_UNKNOWN,
        ),
    ),
    _brightmart(
        "roberta-l12-base-zh.brightmart",
        "RoBERTa_zh_L12",
        _BASE,
        102_267_648,
        drive("1ykENKV7dIFAqRRQbZIh0mSb7Vjc2MeFA"),
        baidu("1hAs7-VSn5HZWxBHQMHKkrg"),
        drive("1H6f4tYlGXgug1DdhYzQVBuwIGAkAflwB", note="PyTorch version."),
        notes=(_NAMES_UNKNOWN,),
    ),
    _brightmart(
        "roberta-l24-base-zh.brightmart",
        "Roberta_l24_zh_base (roberta-middle)",
        network(24, 768, 12),
        187_322_112,
        drive("1cg3tVKPyUEmiI88H3gasqYC4LV4X8dNm"),
        notes=(
            "The downloaded configuration may say another hidden_size than 768, which "
            "users found in the weights.",
            _NAMES_UNKNOWN,
        ),
    ),
    _brightmart(
        "roberta-large-zh.brightmart",
        "RoBERTa-zh-Large",
        _LARGE,
        325_522_432,
        Archive(
            url=f"{_CLUE}/roeberta_zh_L-24_H-1024_A-16.zip",
            note="mirror by CLUE; 'roeberta' is its real name",
        ),
        drive("1W3WgPJWGVKlU9wpUYsdZuurAIFKvrl_Y"),
        baidu("1Rk_QWqd7-wBTwycr91bmug"),
        drive("1yK_P8VhWZtdgzaG0gJ3zUGOKWODitKXZ", note="PyTorch version."),
        files=(
            "bert_config_large.json",
            "vocab.txt",
            "checkpoint",
            *checkpoint("roberta_zh_large_model.ckpt"),
        ),
        notes=("By the project's discussion this is the checkpoint of 100k steps.",),
    ),
)
