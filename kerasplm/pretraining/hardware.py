"""What accelerators can do, as data: peak speed and memory of one replica."""

import contextlib
import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kerasplm.errors import ConfigError


class Hardware(NamedTuple):
    """One replica of a kind of machine, as its maker states it.

    Args:
        half: Multiplications and additions per second in 16 bits, dense.
        single: The same in float32 (of A100 and H100 in TF32, as TensorFlow does).
        memory: Bytes.
        source: Where the numbers are from.
    """

    half: float
    single: float
    memory: float
    source: str

    def peak(self, precision: str) -> float:
        """Operations per second for activations of a precision."""
        return self.single if precision == "float32" else self.half


_TPU = "cloud.google.com/tpu/docs, system architecture; per core where it has two"
_GPU = "data sheet of NVIDIA"
_GIB = 2.0**30

# A TPU multiplies float32 in several bfloat16 passes; TensorFlow's default is one.
HARDWARE: Mapping[str, Hardware] = {
    "tpu-v2": Hardware(23e12, 23e12, 8 * _GIB, _TPU),
    "tpu-v3": Hardware(61.5e12, 61.5e12, 16 * _GIB, _TPU),
    "tpu-v4": Hardware(275e12, 275e12, 32 * _GIB, _TPU),
    "tpu-v5e": Hardware(197e12, 197e12, 16 * _GIB, _TPU),
    "tpu-v5p": Hardware(459e12, 459e12, 95 * _GIB, _TPU),
    "t4": Hardware(65e12, 8.1e12, 16 * _GIB, _GPU),
    "v100": Hardware(125e12, 15.7e12, 32 * _GIB, _GPU),
    "a100": Hardware(312e12, 156e12, 80 * _GIB, _GPU),
    "h100": Hardware(989e12, 495e12, 80 * _GIB, _GPU),
    "rtx3090": Hardware(71e12, 35.6e12, 24 * _GIB, _GPU),
    "rtx4090": Hardware(165e12, 82.6e12, 24 * _GIB, _GPU),
}
"""Kinds of replicas by name; of a TPU v2 or v3 a replica is one core of a chip."""


# What a container may take on Linux; a word if it may take all.
_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_memory() -> int | None:
    """Return the bytes of memory that this machine has; None: it does not tell."""
    found = []
    with contextlib.suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):
        found.append(int(_LIMIT.read_text()))
    return min(found, default=None)


def hardware_named(name: str) -> tuple[Hardware, int]:
    """Return a kind of replica and how many there are.

    Args:
        name: Key of `HARDWARE`, and "*N" behind it for several: "tpu-v3*8".

    Raises:
        ConfigError: There is no such kind, or the number is none.

    Example:
        >>> hardware_named("v100*8")[1]
        8
    """
    kind, _, count = name.partition("*")
    if kind not in HARDWARE or not (count or "1").isdecimal() or count == "0":
        close = difflib.get_close_matches(kind, HARDWARE, n=2)
        like = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise ConfigError(
            f"hardware: expected one of {', '.join(HARDWARE)}, as 'v100' or "
            f"'v100*8', found {name!r}{like}"
        )
    return HARDWARE[kind], int(count or 1)
