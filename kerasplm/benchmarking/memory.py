"""Resident memory of this process."""

import ctypes
import gc
import resource
import sys
from pathlib import Path

MIB = 2**20
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident() -> float:
    """Return the MiB that the process holds now; where only a peak is known, that."""
    return _status("VmRSS:") or _lifetime()


def peak() -> float:
    """Return the highest MiB since `reset`, or of the whole process elsewhere."""
    return _status("VmHWM:") or _lifetime()


def reset() -> bool:
    """Begin to look for a peak; returns False where only that of all time is known."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if _STATUS.exists() else None
    if trim is not None:
        trim(0)
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _status(name: str) -> float | None:
    if not _STATUS.exists():
        return None
    rows = _STATUS.read_text().splitlines()
    found = [row.split()[1] for row in rows if row.startswith(name)]
    return int(found[0]) * 1024 / MIB if found else None


def _lifetime() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB
