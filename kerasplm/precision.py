"""Number types in which models are computed."""

import contextlib
from collections.abc import Iterator
from typing import Literal, get_args

import keras

from kerasplm.errors import ConfigError

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@contextlib.contextmanager
def computed_in(precision: str | None, *, mixed: bool) -> Iterator[None]:
    """Build the layers inside it for a number type.

    Args:
        precision: One of `PRECISIONS`; None leaves what Keras is set to.
        mixed: Whether weights stay float32, as a training needs them. If not they are
            of the number type, too: half the memory, and nothing is converted when
            the model is called.

    Raises:
        ConfigError: There is no such number type.
    """
    if precision is not None and precision not in PRECISIONS:
        raise ConfigError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    before = keras.config.dtype_policy()
    if precision is not None:
        prefix = "mixed_" if mixed and precision != "float32" else ""
        keras.config.set_dtype_policy(f"{prefix}{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
