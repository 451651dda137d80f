"""Python strings as string tensors."""

import re
from typing import Any

import tensorflow as tf

# A code point that is a letter like a lone surrogate, and dropped where that is.
SURROGATE_STAND_IN = "\U0010ffff"


def as_strings(texts: Any) -> tf.Tensor:
    """Return a string tensor of rank 1."""
    if not tf.is_tensor(texts):
        many = not isinstance(texts, (str, bytes))
        texts = tf.constant(
            [_storable(text) for text in (texts if many else [texts])], tf.string
        )
    if texts.dtype != tf.string or texts.shape.rank not in (0, 1):
        raise ValueError(
            "text must be a string or a batch of strings, of shape () or (B,). "
            f"Received: a tensor of dtype {texts.dtype.name}, shape {texts.shape}"
        )
    return tf.reshape(texts, [-1])


def _storable(text: Any) -> bytes:
    """Return UTF-8, which has no lone surrogates."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise ValueError(f"text must be str or a list of str. Received: {text!r}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", SURROGATE_STAND_IN, text).encode()
