"""The classifier that is measured: of a model, or of a shape with random weights."""

from types import MappingProxyType
from typing import Any

import keras

from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.precision import computed_in
from kerasplm.task_models import Classifier

# The shapes of released models; their weights are not needed to measure speed.
SHAPES = MappingProxyType(
    {
        "base": "bert-base-zh.google",
        "small": "roberta-small-zh.zhuiyi",
        "tiny": "roberta-tiny-zh.zhuiyi",
        "albert-tiny": "albert-tiny-zh.brightmart",
        "electra-small": "electra-small-zh.hfl",
        "nezha": "nezha-base-zh.huawei",
    }
)
_FIRST, _LAST = 0x4E00, 0x9FA5
_SIGNS = "，。！？、；：（）《》“”‘’—…·￥"


def vocabulary(size: int) -> list[str]:
    """Return a vocabulary of ideographs, signs and Latin letters.

    Args:
        size: Tokens; those that are left over have names of their own.

    Raises:
        ConfigError: There is no room for the special tokens.

    Example:
        >>> vocabulary(8)
        ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '!', '"', '#']
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if size < len(special):
        raise ConfigError(f"a vocabulary has {len(special)} tokens or more, not {size}")
    latin = [c for c in map(chr, range(0x21, 0x7F)) if c == c.lower()]
    pieces = [f"##{c}" for c in latin if c.isalnum()]
    ideographs = map(chr, range(_FIRST, _LAST + 1))
    tokens = [*special, *latin, *_SIGNS, *pieces, *ideographs]
    tokens += [f"[unused{n}]" for n in range(size - len(tokens))]
    return tokens[:size]


def classifier(
    model: str, precision: str = "float32", **loading: Any
) -> tuple[Classifier, Any]:
    """Return a classifier of two classes, and its tokenizer.

    Args:
        model: A key of `SHAPES`, whose weights are random; or as for `load`.
        precision: "float32" or "bfloat16": in what is computed.
        **loading: As for `load`.

    Raises:
        ConfigError: It is no encoder, or a shape with options of `load`.
        PLMError: As for `load`.
    """
    from kerasplm import tokenizing, zoo
    from kerasplm.python_tokenizer import PythonTokenizer

    with computed_in(precision, mixed=False):
        if model in SHAPES:
            if loading:
                raise ConfigError(
                    f"{', '.join(loading)}: the shape {model!r} is not loaded"
                )
            config = zoo.load_config(SHAPES[model])
            assert isinstance(config, Config)  # the shapes are encoders
            keras.utils.set_random_seed(0)
            tokens = vocabulary(config.vocab_size)
            tokenizer: Any = PythonTokenizer(tokens)
            encoder: Any = Encoder(config)
        else:
            encoder = zoo.load(model, **loading)
            tokenizer = tokenizing.load_tokenizer(model, in_graph=False, **loading)
        if not isinstance(encoder, Encoder):
            raise ConfigError(
                f"{model}: expected an encoder, found {type(encoder).__name__}"
            )
        return Classifier(encoder, ["0", "1"]), tokenizer
