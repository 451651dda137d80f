"""NEZHA and NEZHA-Gen of Huawei, and WoNEZHA of Zhuiyi."""

from typing import Any

from kerasplm.catalogue.base import (
    Entry,
    HuggingFace,
    Manual,
    baidu,
    checkpoint,
    drive_folder,
    network,
)

_RELATIVE: dict[str, Any] = {"position": "nezha"}
_GEN: dict[str, Any] = {"attention": "causal", "pooler": "none"}
_SLOTS = "The checkpoint holds optimizer slots: its files are three times the weights."
_NO_LIMIT = "Positions are relative and not learned: texts may be longer than 512."
_STEP = (
    "Ports say that the checkpoint's name carries a step, as in model.ckpt-900000; "
    "find it by its .index."
)


def _nezha(
    name: str,
    title: str,
    config: dict[str, Any],
    parameters: int,
    port: str,
    folder: str,
    share: Manual,
) -> Entry:
    return Entry(
        name=f"nezha-{name}-zh.huawei",
        title=title,
        family="nezha",
        config=config,
        parameters=parameters,
        heads=("mlm", "sentence_pair"),
        vocabulary="google-zh",
        lowercase=True,
        sources=(
            HuggingFace(
                repo=f"sijunhe/{port}",
                note="port by sijunhe under the licence AFL-3.0; its code computes "
                "gelu in the erf form, the original in the tanh form",
            ),
            drive_folder(folder),
            share,
        ),
        files=("bert_config.json", "vocab.txt"),
        size="",
        licence="Apache-2.0",
        paper="arXiv:1909.00204",
        learning_rates=(3e-5,),
        notes=(
            _NO_LIMIT,
            _SLOTS,
            _STEP,
            "Huawei gives MD5 sums of the four archives in a file on Baidu Pan (code "
            "yxpk) and on Google Drive.",
        ),
    )


def _gen(
    name: str,
    title: str,
    family: str,
    differs: dict[str, Any],
    *sources: HuggingFace | Manual,
    **row: Any,
) -> Entry:
    # Its code has no table of segments.
    config = network(12, 768, 12, **_GEN, **differs)
    return Entry(
        name=name,
        title=title,
        family=family,
        config=config | {"type_vocab_size": 0},
        parameters=101_675_520,
        heads=("mlm",),
        vocabulary="google-zh",
        sources=sources,
        size="",
        learning_rates=(),
        **row,
    )


_BASE = network(12, 768, 12, **_RELATIVE)
_LARGE = network(24, 1024, 16, **_RELATIVE)
_POST_NORM = "Post-norm, unlike GPT-2; the MLM head is its language model head."

ROWS = (
    _nezha(
        "base",
        "NEZHA-base",
        _BASE,
        101_874_432,
        "nezha-cn-base",
        "1tFs-wMoXIY8zganI2hQgDBoDPqA8pSmh",
        baidu("1UVQjy9v_Sv4cQd1ELdjqww", "ntn3"),
    ),
    _nezha(
        "base-wwm",
        "NEZHA-base-WWM",
        _BASE,
        101_874_432,
        "nezha-base-wwm",
        "1bK6WbqAG-B6BX2d9RPprnh2MPK6zL0t_",
        baidu("1-YG8e5V2zKCnR3azsGZT1w", "f68o"),
    ),
    _nezha(
        "large",
        "NEZHA-large",
        _LARGE,
        324_998_144,
        "nezha-cn-large",
        "1ZPPM5XtTTOrS_CDRak1t2nCBU-LFZ_zs",
        baidu("1R1Ew-Lu8oIP6QhWO6nqp5Q", "7thu"),
    ),
    _nezha(
        "large-wwm",
        "NEZHA-large-WWM",
        _LARGE,
        324_998_144,
        "nezha-large-wwm",
        "1LOAUc9LXyogC2gmP_q1ojqj41Ez01aga",
        baidu("1JK1RLIJd2wpuypku3stt8w", "ni4o"),
    ),
    Entry(
        name="wonezha-base-zh.zhuiyi",
        title="WoNEZHA (NEZHA with a vocabulary of words)",
        family="wonezha",
        config=network(
            12,
            768,
            12,
            vocabulary=33586,
            **_RELATIVE,
            pooler="none",
            hidden_act="gelu_erf",
        ),
        parameters=110_851_584,
        heads=("mlm",),
        vocabulary="wobert",
        lowercase=True,
        sources=(baidu("1ABKwUuIiMEEsRXxxlbyKmw", "qgkq"),),
        files=(
            "bert_config.json",
            "vocab.txt",
            *checkpoint("bert_model.ckpt", meta=False),
        ),
        size="",
        licence="not stated",
        paper="arXiv:1909.00204",
        learning_rates=(),
        notes=(
            _NO_LIMIT,
            "Pre-trained with the MLM objective alone, so it should hold no pooler; "
            "this is not verified.",
            "With a pooler it has 111,442,176 parameters.",
            "Trained with bert4keras, whose gelu is the erf form unless set otherwise.",
        ),
    ),
    _gen(
        "nezha-gen-base-zh.huawei",
        "NEZHA-Gen, Chinese GPT (general text)",
        "nezha_gen",
        {"hidden_act": "gelu_erf"},
        HuggingFace(
            repo="Tongjilibo/chinese_nezha_gpt_L-12_H-768_A-12",
            note="port by Tongjilibo to PyTorch",
        ),
        drive_folder("1i4f_8LhaVDNjnGlLXNJ0rNgBP0E4L6V0"),
        baidu("1Bgle8TpcxHyuUz_jAXOBWw", "rb5m"),
        Manual(
            url="https://github.com/bojone/bert4keras",
            host="Baidu Pan",
            code="xynn",
            note="Repackaged for bert4keras as config.json, gpt.ckpt, vocab.txt; the "
            "link stands in that project's examples.",
        ),
        lowercase=False,
        files=("cn_gpt/",),
        licence="not stated",
        paper="arXiv:1909.00204",
        notes=(
            _POST_NORM,
            "The original script keeps case; bert4keras' demonstration folds it.",
        ),
    ),
    _gen(
        "nezha-gen-yuefu-base-zh.huawei",
        "NEZHA-Gen, Yuefu (classical poetry)",
        "nezha_gen_poetry",
        {},
        drive_folder("1B5-jxUlzhoKwFVMQ-nkqqbmJQgr1lRAp"),
        baidu("1me6_BGYHbWFdTi80vRQ2Lg", "ytim"),
        lowercase=True,
        files=("poetry/", "vocab.txt"),
        licence="for academic research only",
        paper="arXiv:1907.00151",
        notes=(
            "The licence forbids business use: the publisher refers businesses to its "
            "cloud service.",
            _POST_NORM,
        ),
    ),
)
