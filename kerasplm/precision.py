"""Number types in which models are computed."""

import contextlib
import functools
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import keras

from kerasplm.errors import ConfigError

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_log = logging.getLogger("kerasplm")
# What a processor says of itself on Linux, and words of it that mean bfloat16.
_PROCESSOR = Path("/proc/cpuinfo")
_FAST = re.compile(r"\b(avx512_bf16|amx_bf16|avx_ne_convert|bf16)\b")


@contextlib.contextmanager
def computed_in(precision: str | None, *, mixed: bool) -> Iterator[None]:
    """Build the layers inside it for a number type.

    On a processor without instructions for bfloat16 a warning says that it is slow.

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
    if precision == "bfloat16":
        _warn_of_slow_numbers()
    if precision is not None:
        prefix = "mixed_" if mixed and precision != "float32" else ""
        keras.config.set_dtype_policy(f"{prefix}{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@functools.cache
def _warn_of_slow_numbers() -> None:
    """Say once if bfloat16 takes longer than float32 here."""
    if keras.backend.backend() != "tensorflow":
        return
    from kerasplm.tensorflow_kernels import only_cpu

    if only_cpu() and _PROCESSOR.is_file() and not _FAST.search(_PROCESSOR.read_text()):
        _log.warning(
            "bfloat16: this processor has no instructions for it; float32 is faster"
        )
