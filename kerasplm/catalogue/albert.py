"""ALBERT: brightmart's own layout, and Google's."""

from typing import Any

from kerasplm.catalogue.base import Archive, Entry, HuggingFace, checkpoint, network

_BRIGHTMART = "https://storage.googleapis.com/albert_zh"
_GOOGLE = "https://storage.googleapis.com/albert_models"
_SHARED: dict[str, Any] = {
    "embedding_size": 128,
    "num_hidden_groups": 1,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_OWN_LAYOUT: dict[str, Any] = _SHARED | {"embedding_projection": "before_norm"}
_RELU: dict[str, Any] = _SHARED | {"hidden_act": "relu"}

_ERF = "; transformers computes gelu in the erf form, the original in the tanh form"
_DROPOUT = "No dropout in pre-training; 0.1 may help fine-tuning."
_XLARGE = (
    "Post-norm, whatever the downloaded configuration says (CLUE's copy says preln)."
)
_UNSTABLE = "Its pre-training was unstable; do not fine-tune it in small batches."
_GOOGLE_ACT = (
    "Unlike the English models it uses relu, as its authors say; the Hugging Face "
    "copy of xlarge says so too."
)


def _row(
    name: str,
    title: str,
    family: str,
    config: dict[str, Any],
    parameters: int,
    *sources: Archive | HuggingFace,
    config_file: str,
    rates: tuple[float, ...],
    size: str,
    notes: tuple[str, ...] = (),
    prefix: str = "albert_model.ckpt",
    vocabulary: str = "google-zh",
    vocab_file: str = "vocab.txt",
    licence: str = "not stated",
) -> Entry:
    return Entry(
        name=name,
        title=title,
        family=family,
        config=config,
        parameters=parameters,
        heads=("mlm", "sentence_pair"),
        vocabulary=vocabulary,
        lowercase=True,
        sources=sources,
        files=(config_file, vocab_file, *checkpoint(prefix)),
        size=size,
        licence=licence,
        paper="arXiv:1909.11942",
        learning_rates=rates,
        notes=notes,
    )


def _own(
    name: str,
    title: str,
    sizes: tuple[int, int, int],
    parameters: int,
    archive: str,
    notes: tuple[str, ...] = (),
    **row: Any,
) -> Entry:
    """Return a row of brightmart's own layout."""
    notes = (_DROPOUT, *notes)
    config = network(*sizes, **_OWN_LAYOUT)
    source = Archive(url=f"{_BRIGHTMART}/{archive}.zip")
    return _row(
        name, title, "albert_brightmart", config, parameters, source, notes=notes, **row
    )


def _port(size: str, differs: str = "") -> HuggingFace:
    return HuggingFace(
        repo=f"voidful/albert_chinese_{size}",
        note=f"port by voidful, with BERT's tokenizer{differs}",
    )


def _google(
    size: str,
    config: dict[str, Any],
    parameters: int,
    published: str,
    notes: tuple[str, ...] = (),
) -> Entry:
    return _row(
        f"albert-{size}-zh.google",
        f"ALBERT {size}, Chinese",
        "albert",
        config,
        parameters,
        Archive(url=f"{_GOOGLE}/albert_{size}_zh.tar.gz"),
        _port(size),
        config_file="albert_config.json",
        prefix="model.ckpt-best",
        vocab_file="vocab_chinese.txt",
        vocabulary="google-albert-zh",
        licence="Apache-2.0",
        size="",
        rates=(1e-5, 2e-5, 3e-5, 5e-5),
        notes=(
            _GOOGLE_ACT,
            f"CLUE counts {published} parameters.",
            "The learning rates are those of Google's GLUE script for English.",
            "The name of the folder in the archive, and that the heads are in it, are "
            "expected, not verified.",
            *notes,
        ),
    )


_TINY, _BASE, _LARGE = (4, 312, 12), (12, 768, 12), (24, 1024, 16)
_XLARGE_SIZES = (24, 2048, 32)
_TINY_RATES = (2e-5, 6e-5, 1e-4)
_TINY_ROW: dict[str, Any] = {
    "config_file": "albert_config_tiny.json",
    "size": "16 MB",
    "rates": _TINY_RATES,
}
_BASE_ROW: dict[str, Any] = {"config_file": "albert_config_base.json", "size": "40 MB"}
_XLARGE_ROW: dict[str, Any] = {
    "config_file": "albert_config_xlarge.json",
    "size": "230 MB",
}

ROWS = (
    _own(
        "albert-tiny-zh.brightmart",
        "albert_tiny_zh",
        _TINY,
        4_175_152,
        "albert_tiny",
        notes=("The first tiny model; albert_tiny_489k was trained for longer.",),
        **_TINY_ROW,
    ),
    _own(
        "albert-tiny-489k-zh.brightmart",
        "albert_tiny_zh, trained for longer",
        _TINY,
        4_175_152,
        "albert_tiny_489k",
        notes=("Trained on about 2 billion instances.",),
        **_TINY_ROW,
    ),
    _own(
        "albert-base-zh.brightmart",
        "albert_base_zh, trial version",
        _BASE,
        10_877_440,
        "albert_base_zh",
        rates=(2e-5,),
        **_BASE_ROW,
    ),
    _own(
        "albert-base-36k-zh.brightmart",
        "albert_base_zh, 36k steps more",
        _BASE,
        10_877_440,
        "albert_base_zh_additional_36k_steps",
        rates=(2e-5,),
        notes=("Trained on 150 million instances more than the trial version.",),
        **_BASE_ROW,
    ),
    _own(
        "albert-large-zh.brightmart",
        "albert_large_zh",
        _LARGE,
        17_009_664,
        "albert_large_zh",
        config_file="albert_config_large.json",
        size="64 MB",
        rates=(2e-5,),
    ),
    _own(
        "albert-xlarge-177k-zh.brightmart",
        "albert_xlarge_zh_177k",
        _XLARGE_SIZES,
        58_577_920,
        "albert_xlarge_zh_177k",
        rates=(2e-5, 3e-5),
        notes=(_XLARGE, _UNSTABLE, "The publisher says to try 183k first."),
        **_XLARGE_ROW,
    ),
    _own(
        "albert-xlarge-183k-zh.brightmart",
        "albert_xlarge_zh_183k",
        _XLARGE_SIZES,
        58_577_920,
        "albert_xlarge_zh_183k",
        rates=(2e-5, 3e-5),
        notes=(_XLARGE, _UNSTABLE),
        **_XLARGE_ROW,
    ),
    _row(
        "albert-tiny-google-zh.brightmart",
        "albert_tiny_google_zh",
        "albert",
        network(*_TINY, **_SHARED),
        4_080_520,
        Archive(url=f"{_BRIGHTMART}/albert_tiny_zh_google.zip"),
        _port("tiny", _ERF),
        config_file="albert_config_tiny_g.json",
        size="16 MB",
        rates=_TINY_RATES,
        notes=(
            _DROPOUT,
            "The downloaded configuration may say num_hidden_layers 1, as one copy "
            "does, where the project's own says 4: its layers share their weights, so "
            "a check against the shapes cannot tell.",
        ),
    ),
    _row(
        "albert-small-google-zh.brightmart",
        "albert_small_google_zh",
        "albert",
        network(6, 384, 12, **_SHARED),
        4_742_272,
        Archive(url=f"{_BRIGHTMART}/albert_small_zh_google.zip"),
        _port("small", _ERF),
        config_file="albert_config_small_google.json",
        size="18.5 MB",
        rates=(1e-4,),
        notes=(_DROPOUT,),
    ),
    _google("base", network(*_BASE, **_RELU), 10_547_968, "10M to 12M"),
    _google("large", network(*_LARGE, **_RELU), 16_548_352, "16.5M to 18M"),
    _google(
        "xlarge",
        network(24, 2048, 16, **_RELU, initializer_range=0.014),
        57_589_248,
        "57.5M to 60M",
        notes=(
            "16 heads as in the English model and in the Hugging Face copy; a user's "
            "report suspects 32, and the weights cannot tell.",
        ),
    ),
    _google("xxlarge", network(12, 4096, 64, **_RELU), 221_459_968, "221M to 235M"),
)
