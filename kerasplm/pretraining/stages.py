"""A part of a training with batches of one shape."""

import dataclasses
from typing import Any

from kerasplm.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the training with batches of one shape.

    Args:
        steps: Number of batches.
        length: T.
        batch_size: B, over all devices.
        max_predictions: P; None means that of the masking or of the records.
        data: As for `find_records`; None means the data of the training.

    Raises:
        ConfigError: A number is below 1.

    Example:
        >>> Stage(steps=900000, length=128, batch_size=256).length
        128
    """

    steps: int
    length: int
    batch_size: int
    max_predictions: int | None = None
    data: Any = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if min(self.steps, self.length, self.batch_size) < 1:
            raise ConfigError(f"steps, length and batch_size must be >= 1: {self}")
