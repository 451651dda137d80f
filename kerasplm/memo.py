"""A dictionary that computes what it lacks."""

from collections.abc import Callable
from typing import Any

# It stops growing here: a corpus has more rare words than memory.
SIZE = 1 << 18


class Memo(dict[Any, Any]):
    """Compute the value of a missing key; forget all when full.

    Args:
        compute: Returns the value of a key.

    Example:
        >>> Memo(len)["four"]
        4
    """

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        super().__init__()
        self.compute = compute

    def __missing__(self, key: Any) -> Any:
        """Return and keep the value of a new key."""
        if len(self) >= SIZE:
            self.clear()
        value = self[key] = self.compute(key)
        return value
