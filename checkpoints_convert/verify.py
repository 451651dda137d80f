"""Compare two checkpoints: their weights, and their outputs on random input.

    python -m checkpoints_convert.verify A B

Ends with status 1 if anything differs by more than the tolerance.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import typer
from keras import ops

from checkpoints_convert.command import run_command
from checkpoints_convert.export_tf1 import load_all
from kerasplm.checkpoint import components, named_weights
from kerasplm.errors import CheckpointError
from kerasplm.families import family_named
from kerasplm.networks import network_of
from kerasplm.reporting import print_table


def main(
    a: Annotated[str, typer.Argument(help="Folder, prefix or archive.")],
    b: Annotated[str, typer.Argument(help="The one to compare with.")],
    family: Annotated[
        str | None, typer.Option(help="Family, where the files do not tell.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest allowed difference.")] = 0.0,
) -> None:
    """Print the largest difference of weights and of outputs."""
    rows: list[tuple[str, str, float]] = []
    first, second = load_all(a, family), load_all(b, family)
    if len(first) != len(second):
        raise CheckpointError(
            f"expected the same networks, found {len(first)} in {a} and {len(second)} "
            f"in {b}"
        )
    for one, two in zip(first, second, strict=True):
        rows += _compare("weight", named_weights(one), named_weights(two))
        bodies = [next(iter(components(model).values())) for model in (one, two)]
        configs = [body.config for body in bodies]
        limits = [getattr(config, "max_position_embeddings", 32) for config in configs]
        words = min(config.vocab_size for config in configs)
        ids = np.random.default_rng(0).integers(0, words, (2, min(32, *limits)))
        network = network_of(family_named(one.load_report.family))
        batch = dict.fromkeys(network.ids, ids)
        outputs = [model(batch) for model in (one, two)]
        if not isinstance(outputs[0], dict):
            outputs = [{"logits": out} for out in outputs]
        rows += _compare("output", *outputs)
    worst = sorted(rows, key=lambda row: -row[2])
    print_table(f"{a} and {b}", ("kind", "name", "max |Δ|"), worst[:12])
    typer.echo(f"{len(rows)} compared, max |Δ| {worst[0][2]:.3g}")
    if worst[0][2] > tolerance:
        sys.exit(1)


def _compare(
    kind: str, first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[tuple[str, str, float]]:
    for name in sorted(set(first) | set(second)):
        if name in first and name in second:
            yield kind, name, _delta(first[name], second[name])
        else:
            yield kind, f"{name} (only in one)", float("inf")


def _delta(x: object, y: object) -> float:
    first, second = ops.convert_to_numpy(x), ops.convert_to_numpy(y)
    if first.shape != second.shape:
        return float("inf")
    delta = np.abs(first - second)
    # NaN compares with nothing, so equal NaNs are no difference and others are.
    delta[np.isnan(first) & np.isnan(second)] = 0.0
    return float(np.nan_to_num(delta, nan=np.inf).max())


if __name__ == "__main__":
    run_command(main)
