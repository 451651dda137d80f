"""TinyBERT of Huawei: BERT distilled to four or six layers."""

from typing import Any

from kerasplm.catalogue.base import Entry, HuggingFace, Manual, drive, network

_ERF: dict[str, Any] = {"hidden_act": "gelu_erf"}
_FILES = ("config.json", "pytorch_model.bin", "vocab.txt")
_HEADS = (
    "By its size the file also has an MLM head, a sentence-pair head and "
    "fit_dense; general distillation trains neither head."
)
_V1 = "The first version, with which the paper's results were made."
_V2 = "Distilled on books and Wikipedia without [MASK] in the text."
_NARROW = "The feed-forward layers are 1200 wide, not 4 * 312."
_HUB = (
    "Hugging Face has huawei-noah/TinyBERT_General_{}; which of the two versions it "
    "holds is not stated."
)
_FOUR, _SIX = (4, 312, 12, 1200), (6, 768, 12, 3072)
_PAPER = "arXiv:1909.10351"


def _chinese(
    layers: str,
    sizes: tuple[int, int, int, int],
    parameters: int,
    size: str,
    rates: tuple[float, ...],
    *notes: str,
) -> Entry:
    return Entry(
        name=f"tinybert-{layers.lower()}-zh.huawei",
        title=f"General_TinyBERT_zh, {layers}",
        family="tinybert",
        config=network(*sizes, **_ERF),
        parameters=parameters,
        heads=(),
        vocabulary="google-zh",
        lowercase=True,
        sources=(HuggingFace(repo=f"huawei-noah/TinyBERT_{layers}_zh"),),
        files=_FILES,
        size=size,
        licence="not stated",
        paper=_PAPER,
        learning_rates=rates,
        notes=(*notes, _HEADS),
    )


def _english(
    layers: str,
    version: str,
    sizes: tuple[int, int, int, int],
    parameters: int,
    source: Manual,
    hub: str,
    *notes: str,
) -> Entry:
    return Entry(
        name=f"tinybert-general-{layers.lower()}-{version}-en.huawei",
        title=f"General_TinyBERT {version}, {layers}",
        family="tinybert",
        config=network(*sizes, vocabulary=30522, **_ERF),
        parameters=parameters,
        heads=(),
        vocabulary="en-uncased",
        lowercase=True,
        sources=(source,),
        files=_FILES,
        size="",
        licence="not stated",
        paper=_PAPER,
        learning_rates=(3e-5, 5e-5),
        notes=(
            "English, after general distillation: made to be distilled on a task.",
            _V1 if version == "v1" else _V2,
            _HUB.format(hub),
            *notes,
        ),
    )


ROWS = (
    _chinese("4L", _FOUR, 11_419_320, "47.1 MB", (3e-5, 5e-5), _NARROW),
    _chinese("6L", _SIX, 59_740_416, "244 MB", (1e-5, 3e-5, 5e-5)),
    _english(
        "4L",
        "v1",
        _FOUR,
        14_350_248,
        drive("1dDigD7QBv1BmE6pWU71pFYPgovvEqOOj"),
        "4L_312D",
        _NARROW,
    ),
    _english(
        "4L",
        "v2",
        _FOUR,
        14_350_248,
        drive("1PhI73thKoLU2iliasJmlQXBav3v33-8z"),
        "4L_312D",
        _NARROW,
    ),
    _english(
        "6L",
        "v1",
        _SIX,
        66_955_008,
        drive("1wXWR00EHK-Eb7pbyw0VP234i2JTnjJ-x"),
        "6L_768D",
    ),
    _english(
        "6L",
        "v2",
        _SIX,
        66_955_008,
        drive("1r2bmEsQe4jUBrzJknnNaBJQDgiRKmQjF"),
        "6L_768D",
    ),
)
