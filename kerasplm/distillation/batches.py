"""Batches of a distillation: one dictionary of inputs, true and known answers."""

from collections.abc import Mapping
from typing import Any

Tensor = Any
Batch = Mapping[str, Tensor]

TARGET, TEACHER = "target", "teacher"


def one_dictionary(inputs: Batch, targets: Any = None) -> dict[str, Tensor]:
    """Join inputs and targets of a task, for `tf.data.Dataset.map`.

    Args:
        inputs: What a model takes.
        targets: A tensor or a dictionary, as features of a task give them; None has
            none. Names that begin with "teacher/" stay as they are.

    Returns:
        The inputs, with "target" or "target/NAME" beside them.

    Example:
        >>> one_dictionary({"token_ids": 1}, {"start_positions": 2})
        {'token_ids': 1, 'target/start_positions': 2}
    """
    if targets is None:
        return dict(inputs)
    if not isinstance(targets, Mapping):
        return {**inputs, TARGET: targets}
    out = dict(inputs)
    for name, value in targets.items():
        plain = name == TARGET or name.startswith(f"{TEACHER}/")
        out[name if plain else f"{TARGET}/{name}"] = value
    return out


def split_batch(batch: Batch) -> tuple[dict[str, Tensor], Any, dict[str, Tensor]]:
    """Return inputs, targets (None, a tensor or a dictionary), known answers."""
    inputs: dict[str, Tensor] = {}
    targets: dict[str, Tensor] = {}
    known: dict[str, Tensor] = {}
    for name, value in batch.items():
        group, _, rest = name.partition("/")
        if group == TARGET:
            targets[rest] = value
        elif group == TEACHER:
            known[rest] = value
        else:
            inputs[name] = value
    return inputs, targets.get("", targets or None), known
