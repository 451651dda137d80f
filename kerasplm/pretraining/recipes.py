"""How the released models were pre-trained, as data, each row with its source."""

import difflib
from collections.abc import Mapping
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.pretraining.recipe import PretrainingRecipe


def _data(layout: str, length: int, **more: Any) -> dict[str, Any]:
    return {"layout": layout, "max_length": length, **more}


def _roberta_zh(name: str, model: str, corpus: str) -> PretrainingRecipe:
    return PretrainingRecipe(
        name=name,
        model=model,
        objectives=("mlm",),
        data=_data(
            "doc-sentences",
            256,
            max_predictions=23,
            masked_lm_prob=0.1,
            whole_words="jieba",
        ),
        training={
            "steps": 200_000,
            "batch_size": 8192,
            "max_length": 256,
            "learning_rate": 1e-4,
            "warmup": 10_000,
            "beta_2": 0.98,
        },
        corpus=corpus,
        source="README.md, create_pretrain_data.sh and optimization.py of "
        "brightmart/roberta_zh",
        notes=(
            "The original draws static masks in 5 copies of the text (dupe_factor 5).",
            "24 hours on a TPU v3-256 according to the README.",
        ),
    )


def _albert_brightmart(
    name: str, model: str, notes: tuple[str, ...] = (), **changes: Any
) -> PretrainingRecipe:
    training = {
        "steps": 125_000,
        "batch_size": 4096,
        "max_length": 512,
        "learning_rate": 0.00176,
        "warmup": 12_500,
        "optimizer": "lamb-brightmart",
    }
    return PretrainingRecipe(
        name=name,
        model=model,
        objectives=("mlm", "sop"),
        data=_data(
            "sop", 512, max_predictions=51, masked_lm_prob=0.1, whole_words="jieba"
        ),
        training={**training, **changes},
        corpus="30 GB of Chinese text, over 10 billion characters",
        source="README.md, create_pretrain_data.sh and lamb_optimizer.py of "
        "brightmart/albert_zh",
        notes=("The script draws static masks in 10 copies of the text.", *notes),
    )


def _albert_google(name: str, model: str, warmup: int) -> PretrainingRecipe:
    return PretrainingRecipe(
        name=name,
        model=model,
        objectives=("mlm", "sop"),
        data=_data("sop", 512, max_predictions=20, masked_lm_prob=0.15, ngram=3),
        training={
            "steps": 125_000,
            "batch_size": 4096,
            "max_length": 512,
            "learning_rate": 0.00176,
            "warmup": warmup,
            "optimizer": "lamb",
        },
        corpus="30 GB of Chinese text, over 10 billion characters",
        source="README.md, create_pretraining_data_google.py and "
        "run_pretraining_google.py of brightmart/albert_zh",
        notes=("Masks are n-grams of characters: this creator cuts no Chinese words.",),
    )


_HFL_GENERAL = "Chinese Wikipedia and general text, 20 GB, 5.4 billion tokens"
_HFL_180G = "180 GB: the 20 GB before and cleaned CommonCrawl"


def _electra(
    size: str, model: str, rate: float, batch: int, steps: int, *notes: str
) -> PretrainingRecipe:
    return PretrainingRecipe(
        name=f"electra-{size}",
        model=model,
        objectives=("rtd",),
        data=_data("electra", 512, max_predictions=79, masked_lm_prob=0.15),
        training={
            "steps": steps,
            "batch_size": batch,
            "max_length": 512,
            "learning_rate": rate,
            "warmup": 10_000,
            "schedule": "electra",
        },
        corpus=f"{_HFL_GENERAL}; the 180g release: {_HFL_180G}",
        source="README.md and configure_pretraining.py of ymcui/Chinese-ELECTRA",
        notes=(
            "The README says that what it does not name is as in the code; so the "
            "warm-up and the share of masks are the code's.",
            *notes,
        ),
    )


def _nezha(size: str, model: str, rate: float, batch: int) -> PretrainingRecipe:
    wwm = "-wwm" in model
    words = {"whole_words": "jieba"} if wwm else {}
    return PretrainingRecipe(
        name=f"nezha-{size}{'-wwm' if wwm else ''}",
        model=model,
        objectives=("mlm", "nsp"),
        data=_data("nsp", 128, max_predictions=20, masked_lm_prob=0.15, **words),
        training={
            "batch_size": batch,
            "max_length": 128,
            "learning_rate": rate,
            "warmup": 1_800,
            "schedule": "nezha",
            "optimizer": "lamb-nezha",
            "precision": "float16",
        },
        corpus="Chinese Wikipedia, Baidu Baike and Chinese news",
        source="arXiv:1909.00204, section 4.1; flags and optimizer of "
        "huawei-noah/Pretrained-Language-Model NEZHA-TensorFlow",
        notes=(
            "The number of steps is not published: the training ended when the loss "
            "no longer fell. Give --steps.",
            "Of the words the paper says that a tokenizer cut them, jieba.",
        )
        if wwm
        else (
            "The number of steps is not published: the training ended when the loss "
            "no longer fell. Give --steps.",
        ),
    )


def _zhuiyi(size: str, plus: str = "") -> PretrainingRecipe:
    return PretrainingRecipe(
        name=f"zhuiyi-roberta-{plus}{size}",
        model=f"roberta-{plus}{size}-zh.zhuiyi",
        objectives=("mlm",),
        data=_data("doc-sentences", 512, masked_lm_prob=0.15, whole_words="jieba"),
        training={
            "steps": 125_000,
            "batch_size": 3200,
            "accumulation": 4,
            "max_length": 512,
            "learning_rate": 0.00176,
            "warmup": 3_125,
            "optimizer": "lamb",
        },
        corpus="35 GB of encyclopaedia, news and more",
        source="README.md of ZhuiyiTechnology/pretrained-models; "
        "pretraining/ of bojone/bert4keras",
        notes=(
            "On a TPU v3-8, batches of 800 accumulated 4 times.",
            "The rate is that of bert4keras' pre-training script; the README of the "
            "models does not state it.",
        ),
    )


def _hfl(
    name: str,
    model: str,
    optimizer: str,
    start: str,
    stages: tuple[str, ...],
    corpus: str,
) -> PretrainingRecipe:
    parts = [[int(number) for number in stage.split(":")] for stage in stages]
    return PretrainingRecipe(
        name=name,
        model=model,
        start=start,
        objectives=("mlm",) if "roberta" in name else ("mlm", "nsp"),
        data=_data(
            "doc-sentences" if "roberta" in name else "nsp",
            max(length for _, length, _ in parts),
            masked_lm_prob=0.15,
            whole_words="segmented",
        ),
        training={
            "steps": sum(steps for steps, _, _ in parts),
            "batch_size": parts[0][2],
            "max_length": parts[0][1],
            "stages": stages,
            "optimizer": optimizer,
        },
        corpus=corpus,
        source="README.md of ymcui/Chinese-BERT-wwm, table of the pre-training; "
        "arXiv:1906.08101",
        notes=(
            "Words were cut by LTP: pass text with spaces between the words.",
            "The learning rate is not in the table; ours is the default.",
            "Several stages need data made for each length.",
        ),
    )


_WIKI = "Chinese Wikipedia, 0.4 billion tokens"
_EXT = "Chinese Wikipedia and general text, 5.4 billion tokens"
_ROWS = (
    _roberta_zh(
        "roberta-zh-large",
        "roberta-large-zh.brightmart",
        "30 GB: 300 million sentences, 10 billion characters",
    ),
    _roberta_zh("roberta-zh-l24", "roberta-l24-base-zh.brightmart", "10 GB"),
    _roberta_zh(
        "roberta-zh-base",
        "roberta-l12-base-zh.brightmart",
        "30 GB: 300 million sentences, 10 billion characters",
    ),
    _albert_brightmart("albert-tiny", "albert-tiny-zh.brightmart"),
    _albert_brightmart(
        "albert-tiny-489k",
        "albert-tiny-489k-zh.brightmart",
        ("The same training, gone on to 489,000 steps.",),
        steps=489_000,
    ),
    _albert_brightmart("albert-base", "albert-base-zh.brightmart"),
    _albert_brightmart("albert-large", "albert-large-zh.brightmart"),
    _albert_brightmart(
        "albert-xlarge", "albert-xlarge-177k-zh.brightmart", (), steps=177_000
    ),
    _albert_google("albert-tiny-google", "albert-tiny-google-zh.brightmart", 12_500),
    _albert_google("albert-small-google", "albert-small-google-zh.brightmart", 12_500),
    _electra("small", "electra-small-zh.hfl", 5e-4, 1024, 1_000_000),
    _electra("small-ex", "electra-small-ex-zh.hfl", 5e-4, 384, 2_000_000),
    _electra("base", "electra-base-zh.hfl", 2e-4, 256, 1_000_000),
    _electra(
        "large",
        "electra-large-zh.hfl",
        2e-4,
        96,
        2_000_000,
        "The English README says 2e-4, the Chinese one 1e-4.",
    ),
    _nezha("base", "nezha-base-zh.huawei", 1.8e-4, 14_400),
    _nezha("base", "nezha-base-wwm-zh.huawei", 1.8e-4, 14_400),
    _nezha("large", "nezha-large-zh.huawei", 1e-4, 5_120),
    _nezha("large", "nezha-large-wwm-zh.huawei", 1e-4, 5_120),
    _zhuiyi("tiny"),
    _zhuiyi("small"),
    _zhuiyi("tiny", "plus-"),
    _zhuiyi("small", "plus-"),
    _hfl(
        "bert-wwm",
        "bert-wwm-base-zh.hfl",
        "lamb",
        "bert-base-zh.google",
        ("100000:128:2560", "100000:512:384"),
        _WIKI,
    ),
    _hfl(
        "bert-wwm-ext",
        "bert-wwm-ext-base-zh.hfl",
        "lamb",
        "bert-base-zh.google",
        ("1000000:128:2560", "400000:512:384"),
        _EXT,
    ),
    _hfl(
        "roberta-wwm-ext",
        "roberta-wwm-ext-base-zh.hfl",
        "adamw",
        "bert-base-zh.google",
        ("1000000:512:384",),
        _EXT,
    ),
    _hfl(
        "roberta-wwm-ext-large",
        "roberta-wwm-ext-large-zh.hfl",
        "adamw",
        "",
        ("2000000:512:512",),
        _EXT,
    ),
)
RECIPES: Mapping[str, PretrainingRecipe] = {row.name: row for row in _ROWS}
"""Published pre-trainings by name."""


def recipe_named(name: str) -> PretrainingRecipe:
    """Return a recipe.

    Args:
        name: Key of `RECIPES`.

    Raises:
        ConfigError: There is none of that name.

    Example:
        >>> recipe_named("electra-small").training["batch_size"]
        1024
    """
    if name not in RECIPES:
        close = difflib.get_close_matches(name, RECIPES, n=3, cutoff=0.4)
        like = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise ConfigError(f"no recipe {name!r}{like}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
