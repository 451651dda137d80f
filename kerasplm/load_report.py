"""What became of a checkpoint that was loaded."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """Say what became of every variable of a checkpoint and every weight.

    Args:
        family: Name of the family.
        prefix: The checkpoint.
        loaded: Our weight paths to checkpoint names.
        skipped: Weights left as they were, because `skip` names them.
        unused: Variables that the model has no weight for: heads that were not
            asked for, other parts, heads of other tasks.
        slots: Optimizer slots and counters.
        heads: Heads that the checkpoint holds.
        lacks: The pooler and the pre-training heads that the family has but this
            checkpoint does not.
        assumed: Config fields that neither the JSON nor the shapes gave.
        rows: Where the vocabulary was changed: its rows in the checkpoint, how many
            of them were kept, and how many were made of others.
    """

    family: str
    prefix: str
    loaded: Mapping[str, str]
    skipped: tuple[str, ...]
    unused: tuple[str, ...]
    slots: tuple[str, ...]
    heads: tuple[str, ...]
    lacks: tuple[str, ...]
    assumed: tuple[str, ...] = ()
    rows: tuple[int, int, int] | None = None

    def __str__(self) -> str:
        """Return one line."""
        changed = ""
        if self.rows is not None:
            before, kept, made = self.rows
            changed = f"; vocabulary: {kept} of {before} rows kept, {made} made of them"
        return (
            f"{self.prefix}: {self.family}, {len(self.loaded)} weights loaded, "
            f"{len(self.skipped)} skipped, {len(self.unused)} variables unused, "
            f"{len(self.slots)} optimizer slots ignored; heads in the checkpoint: "
            f"{', '.join(self.heads) or 'none'}; not in it: "
            f"{', '.join(self.lacks) or 'nothing'}{changed}"
        )
