"""Compare two checkpoints or models: their weights, and their outputs on random input.

    python -m checkpoints_convert.verify A B

Ends with status 1 if anything differs by more than the tolerance.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checkpoints_convert.command import (
    FamilyArg,
    PartArg,
    load_all,
    run_command,
)
from kerasplm.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    import numpy as np

Row = tuple[str, str, float]


def main(
    a: Annotated[
        str,
        typer.Argument(help="Name, folder, prefix, file or archive.", metavar="A"),
    ],
    b: Annotated[str, typer.Argument(help="The one to compare with.", metavar="B")],
    family: FamilyArg = None,
    part: PartArg = None,
    tolerance: Annotated[float, typer.Option(help="Largest allowed difference.")] = 0.0,
) -> None:
    """Compare weights, and outputs on random input, and print max |Δ|.

    A and B may be of any format that loads.
    """
    from kerasplm.reporting import print_table

    if not tolerance >= 0:
        raise ConfigError(f"--tolerance must be 0 or more. Received: {tolerance}")
    rows = compare(load_all(a, family, part), load_all(b, family, part))
    worst = sorted(rows, key=lambda row: -row[2])
    print_table(f"{a} and {b}", ("kind", "name", "max |Δ|"), worst[:12])
    typer.echo(f"{len(rows)} compared, max |Δ| {worst[0][2]:.3g}")
    if worst[0][2] > tolerance:
        sys.exit(1)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Row]:
    """Return kind, name and largest difference of all weights and outputs.

    Args:
        first: Models by what they are, from `load_all`.
        second: The others.

    Raises:
        CheckpointError: Their networks take different input.
    """
    from kerasplm.checkpoint import body_of, named_weights

    rows: list[Row] = []
    for name in sorted(set(first) | set(second)):
        if name not in first or name not in second:
            rows.append(("model", f"{name} (only in one)", float("inf")))
            continue
        one, two = first[name], second[name]
        kinds = [type(body_of(model)).__name__ for model in (one, two)]
        if kinds[0] != kinds[1]:
            raise CheckpointError(
                f"expected two models of one kind, found {' and '.join(kinds)}"
            )
        rows += _compare("weight", named_weights(one), named_weights(two))
        batch = random_batch([one, two])
        rows += _compare("output", outputs(one, batch), outputs(two, batch))
    return rows


def random_batch(models: Sequence[Any]) -> "dict[str, np.ndarray]":
    """Return random input that all models take: ids, and a mask with padding."""
    import numpy as np

    from kerasplm.checkpoint import body_of
    from kerasplm.families import family_named
    from kerasplm.networks import network_of

    bodies = [body_of(model) for model in models]
    configs = [body.config for body in bodies]
    limits = [getattr(config, "max_position_embeddings", 32) for config in configs]
    length, words = min(32, *limits), min(config.vocab_size for config in configs)
    ids = np.random.default_rng(0).integers(0, words, (2, length))
    mask = np.ones((2, length), bool)
    mask[1, length - length // 4 :] = False
    names = network_of(family_named(bodies[0].family or "bert")).ids
    return {**dict.fromkeys(names, ids), "padding_mask": mask}


def outputs(model: Any, batch: "Mapping[str, np.ndarray]") -> dict[str, Any]:
    """Return the outputs of a model by name."""
    out = model(dict(batch))
    return out if isinstance(out, dict) else {"logits": out}


def _compare(
    kind: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[Row]:
    for name in sorted(set(first) | set(second)):
        if name in first and name in second:
            yield kind, name, delta(first[name], second[name])
        else:
            yield kind, f"{name} (only in one)", float("inf")


def delta(x: object, y: object) -> float:
    """Return the largest difference; infinite if shapes or NaNs differ."""
    import numpy as np
    from keras import ops

    first, second = ops.convert_to_numpy(x), ops.convert_to_numpy(y)
    if first.shape != second.shape:
        return float("inf")
    delta = np.abs(first - second)
    # NaN compares with nothing, so equal NaNs are no difference and others are.
    delta[np.isnan(first) & np.isnan(second)] = 0.0
    return float(np.nan_to_num(delta, nan=np.inf).max())


if __name__ == "__main__":
    run_command(main)
