"""A training that is killed at any moment ends with the weights of one that is not."""

import random
import signal

import numpy as np
import pytest

from kerasplm.errors import DataError
from kerasplm.pretraining.logs import read_history
from tests.pretraining_process import arrays, finish, main, start, told

# Kills of this test; more make it longer, not other.
KILLS = 2
FACTS = {
    "dropout": 0.1,
    "settings": {"steps": 300, "save_steps": 5, "log_steps": 5, "keep": 2},
}


def names(folder):
    return [file.name for file in folder.glob("step-*.npz")]


def same(first, second):
    one, other = arrays(first), arrays(second)
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_killed_at_random_moments(tmp_path):
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    main(told(whole, **FACTS))
    moments, steps = random.Random(KILLS), []
    for _ in range(KILLS):
        # Within the steps, or within the saving, which takes most of the time here.
        killed = start(folder, **FACTS, kill=moments.uniform(0, 1.5))
        finish(killed, code=-signal.SIGKILL)
        steps.append(max(names(folder / "state")))
        assert not (folder / "results.json").exists()
    assert len(set(steps)) == KILLS  # each went on from the one before
    main(told(folder, **FACTS))
    assert same(folder, whole)
    before, after = (read_history(f / "history.csv") for f in (whole, folder))
    assert [(row["step"], row["loss"]) for row in before] == [
        (row["step"], row["loss"]) for row in after
    ]
    assert not list(folder.rglob(".tmp-*"))


def test_goes_on_with_another_number_of_replicas(tmp_path):
    """Up to rounding; where the dropout of each replica is its own, without it."""
    facts = {"settings": {"steps": 8, "save_steps": 4}}
    whole, changed = tmp_path / "whole", tmp_path / "changed"
    main(told(whole, **facts))
    die = {**facts, "settings": {**facts["settings"], "keep": 1}}
    with pytest.raises(DataError, match="the data ended before step 6 of 8"):
        main(told(changed, **die, fail=5))
    states = [file.name for file in (changed / "state").iterdir()]
    assert states == ["step-00000004.npz"]
    finish(start(changed, strategy="mirrored", devices=2, **facts))
    before, after = (read_history(f / "history.csv") for f in (whole, changed))
    losses = [[row["loss"] for row in rows] for rows in (before, after)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
