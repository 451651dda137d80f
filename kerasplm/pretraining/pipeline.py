"""How batches are to be made: shapes and choices."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kerasplm.errors import ConfigError
from kerasplm.pretraining.dynamic import Masking
from kerasplm.pretraining.sources import Records

Data = str | Path | Sequence[str | Path] | Records


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pipeline:
    """How batches are made of records.

    Args:
        masking: Draws masks of instances that have none; None leaves them unmasked,
            for objectives that predict what follows.
        seed: Of the shuffling; of the masks it is that of the masking.
        packing: S, instances of a row at most; 1 packs none.
        mirror: Whether to add each pair of texts in the other order as the next row
            (SimBERT); B counts both.
        shuffle: Whether to shuffle; if not, the files come in their order.
        shuffle_buffer: Rows in a window; they are held in memory.
        epochs: Where to end; None never ends. Rows that do not fill a batch are left.
        shard: (number of this worker, number of workers): each takes its rows of every
            batch, so that batches are the same for any number of workers.
        replicas: Devices of this worker: its rows come in so many parts, one after
            the other, as `distribute_datasets_from_function` wants them.
        vocab_size: Ids of instances must be below it; None: any will do.

    Raises:
        ConfigError: A number is out of range, or two options contradict each other.

    Example:
        >>> Pipeline(masking=masking, packing=8)  # doctest: +SKIP
    """

    masking: Masking | None = None
    seed: int = 0
    packing: int = 1
    mirror: bool = False
    shuffle: bool = True
    shuffle_buffer: int = 2**14
    epochs: int | None = None
    shard: tuple[int, int] = (0, 1)
    replicas: int = 1
    vocab_size: int | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        worker, workers = self.shard
        if min(self.packing, self.shuffle_buffer, self.replicas, workers) < 1:
            raise ConfigError(
                "packing, shuffle_buffer, replicas and the number of workers must be "
                f">= 1. Received: {self}"
            )
        if not 0 <= worker < workers or (self.epochs is not None and self.epochs < 1):
            raise ConfigError(
                "shard must be (number of the worker from 0 on, number of workers) and "
                f"epochs >= 1. Received: {self.shard} and {self.epochs}"
            )
        if self.mirror and (self.packing > 1 or self.masking is not None):
            raise ConfigError("mirror is for pairs of texts without packs and masks")
