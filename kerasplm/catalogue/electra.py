"""Chinese-ELECTRA: a discriminator and its generator in each row."""

from typing import Any, NamedTuple

from kerasplm.catalogue.base import (
    Entry,
    HuggingFace,
    baidu,
    checkpoint,
    drive,
    network,
)

_ELECTRA: dict[str, Any] = {"hidden_act": "gelu_erf", "pooler": "none"}


class _Size(NamedTuple):
    discriminator: dict[str, Any]
    parameters: int
    generator: dict[str, Any]
    generator_parameters: int
    archive: str
    rates: tuple[float, ...]


# Generators have a quarter of the width and the embeddings of the discriminator.
_SMALL = _Size(
    network(12, 256, 4, embedding_size=128, **_ELECTRA),
    12_280_576,
    network(12, 64, 1, embedding_size=128, **_ELECTRA),
    3_378_496,
    "46 MB",
    (3e-4,),
)
_SMALL_EX = _Size(
    network(24, 256, 4, **_ELECTRA),
    24_495_104,
    network(24, 64, 1, embedding_size=256, **_ELECTRA),
    6_756_928,
    "92 MB",
    (3e-4,),
)
_BASE = _Size(
    network(12, 768, 12, **_ELECTRA),
    101_677_056,
    network(12, 192, 3, embedding_size=768, **_ELECTRA),
    22_108_608,
    "383 MB",
    (1e-4,),
)
_LARGE = _Size(
    network(24, 1024, 16, **_ELECTRA),
    324_472_832,
    network(24, 256, 4, embedding_size=1024, **_ELECTRA),
    41_380_096,
    "1 GB",
    (5e-5,),
)

_JSON = "Older archives lack the two JSON files: take the configurations of this row."
_RATE_EX = "The learning rate is that of small: the publisher gives none for small-ex."
_HEAD = (
    "The classifier of transformers has one dense layer more than the original code."
)


def _row(
    name: str,
    title: str,
    corpus: str,
    size: _Size,
    on_drive: str,
    on_baidu: str,
    code: str,
    prefix: str = "",
    rates: tuple[float, ...] = (),
    notes: tuple[str, ...] = (),
) -> Entry:
    # The hub has "legal-electra", the other way round than "electra-180g".
    repo = f"hfl/chinese-{name.replace('electra-legal', 'legal-electra')}"
    return Entry(
        name=f"{name}-zh.hfl",
        title=title,
        family="electra",
        config=size.discriminator,
        parameters=size.parameters,
        heads=("rtd",),
        vocabulary="google-zh",
        lowercase=True,
        sources=(
            HuggingFace(repo=f"{repo}-discriminator", part="discriminator"),
            HuggingFace(repo=f"{repo}-generator", part="generator"),
            drive(on_drive),
            baidu(on_baidu, code),
        ),
        files=(
            "discriminator.json",
            "generator.json",
            "vocab.txt",
            *(checkpoint(prefix) if prefix else ()),
        ),
        size=size.archive,
        licence="Apache-2.0",
        paper="arXiv:2003.10555; arXiv:2004.13922",
        learning_rates=rates or size.rates,
        notes=(f"Trained on {corpus}.", _JSON, _HEAD, *notes),
        generator=size.generator,
        generator_parameters=size.generator_parameters,
    )


_180G = "180 GB of text"
_20G = "20 GB of text (5.4 billion tokens)"
_LAW = "judicial documents"

ROWS = (
    _row(
        "electra-180g-large",
        "ELECTRA-180g-large, Chinese",
        _180G,
        _LARGE,
        "1P9yAuW0-HR7WvZ2r2weTnx3slo6f5u9q",
        "13UJIG2G0lASjjCvPmh13RQ",
        "2v5r",
    ),
    _row(
        "electra-180g-base",
        "ELECTRA-180g-base, Chinese",
        _180G,
        _BASE,
        "1RlmfBgyEwKVBFagafYvJgyCGuj7cTHfh",
        "15PQdeh7nRxCgXp9YmjqgsQ",
        "3vg1",
    ),
    _row(
        "electra-180g-small-ex",
        "ELECTRA-180g-small-ex, Chinese",
        _180G,
        _SMALL_EX,
        "1NYJTKH1dWzrIBi86VSUK-Ml9Dsso_kuf",
        "1UV83d2LNp5HHwK7X14HjPQ",
        "93n8",
        notes=(_RATE_EX,),
    ),
    _row(
        "electra-180g-small",
        "ELECTRA-180g-small, Chinese",
        _180G,
        _SMALL,
        "177EVNTQpH2BRW-35-0LNLjV86MuDnEmu",
        "1J5DXcehcNtX0iBXNRKLWBw",
        "k9iu",
    ),
    _row(
        "electra-large",
        "ELECTRA-large, Chinese",
        _20G,
        _LARGE,
        "1ny0NMLkEWG6rseDLiF_NujdHxDcIN51m",
        "1M5pSqDRbb3Vsv5r3TfviBQ",
        "1e14",
        prefix="electra_large",
    ),
    _row(
        "electra-base",
        "ELECTRA-base, Chinese",
        _20G,
        _BASE,
        "1FMwrs2weFST-iAuZH3umMa6YZVeIP8wD",
        "1HOzCBNaoIEULj_s-q3dDzA",
        "f32j",
        prefix="electra_base",
    ),
    _row(
        "electra-small-ex",
        "ELECTRA-small-ex, Chinese",
        _20G,
        _SMALL_EX,
        "1LluPORc7xtFmCTFR4IF17q77ip82i7__",
        "1dOLw4feMJcsgZL07V-koWA",
        "gfb1",
        notes=(_RATE_EX,),
    ),
    _row(
        "electra-small",
        "ELECTRA-small, Chinese",
        _20G,
        _SMALL,
        "1uab-9T1kR9HgD2NB0Kz1JB_TdSKgJIds",
        "1UIosBYOHVA3bDuJrFqU0NQ",
        "1r4r",
        prefix="electra_small",
    ),
    _row(
        "electra-legal-large",
        "legal-ELECTRA-large, Chinese",
        _LAW,
        _LARGE,
        "1jPyVi_t4QmTkFy7PD-m-hG-lQ8cIETzD",
        "180cloQ0A3m3VqpLPeKpPYg",
        "q4gv",
        rates=(1e-4,),
    ),
    _row(
        "electra-legal-base",
        "legal-ELECTRA-base, Chinese",
        _LAW,
        _BASE,
        "12ZLaoFgpqGJxSi_9KiQV-jdVN4XRGMiD",
        "1OWwSsr-jCWq3vb7Js4B2vg",
        "8gcv",
        rates=(3e-4,),
    ),
    _row(
        "electra-legal-small",
        "legal-ELECTRA-small, Chinese",
        _LAW,
        _SMALL,
        "1arQ5qNTNoc1OyMH8wBUKdTMy2QponIFY",
        "1FIblX4EU23KSQWft3DWL0g",
        "kmrj",
        rates=(5e-4,),
    ),
)
