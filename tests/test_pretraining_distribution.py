"""Several devices and machines, really run: the losses are those of one device."""

import pytest

from kerasplm.pretraining.logs import read_history
from kerasplm.pretraining.loop import pretrain
from kerasplm.pretraining.training_settings import Settings
from tests import toy_pretraining as toy
from tests.pretraining_process import SETTINGS, finish, start, workers

MEASURED = (
    "loss",
    "masked_lm_loss",
    "pair_loss",
    "gradient_norm",
    "val_loss",
    "tokens",
)
MEASURED += ("masked_lm_accuracy", "pair_accuracy", "learning_rate")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The history of one device."""
    settings, folder = Settings(**SETTINGS), tmp_path_factory.mktemp("alone")
    result = pretrain(
        toy.model, toy.Data(settings), folder, settings=settings, show=False
    )
    assert result.history[0]["gradient_norm"] > SETTINGS["clip_norm"]
    return result.history


def compare(folder, alone):
    found = read_history(folder / "history.csv")
    assert [row["step"] for row in found] == [row["step"] for row in alone]
    for mine, theirs in zip(found, alone, strict=True):
        for name in MEASURED:
            if name in theirs:
                assert mine[name] == pytest.approx(theirs[name], rel=1e-5), name


def test_replicas_see_different_counts():
    """Otherwise a mean of means would pass, too."""
    weights = toy.batch(0)["mlm_weights"]
    assert weights[:4].sum() > 2 * weights[4:].sum()


@pytest.mark.parametrize(
    "choices",
    [{"jit": True}, {"accumulation": 2, "steps_per_execution": 2}],
    ids=["compiled", "accumulated"],
)
def test_two_devices(alone, tmp_path, choices):
    finish(start(tmp_path, strategy="mirrored", devices=2, settings=choices))
    if "steps_per_execution" in choices:
        alone = [row for row in alone if row["step"] % 4 == 0]
        found = read_history(tmp_path / "history.csv")
        for mine, theirs in zip(
            [r for r in found if "val_loss" in r], alone, strict=True
        ):
            assert mine["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-5)
        return
    compare(tmp_path, alone)


def test_two_machines_one_of_which_dies(alone, tmp_path):
    """The other one cannot go on alone; both started again end as one device does."""
    first = workers(tmp_path, settings={"save_steps": 2})
    while len(read_history(tmp_path / "history.csv")) < 3:
        assert first[0].poll() is None, first[0].communicate()[0][-3000:]
    first[1].kill()
    first[1].communicate()
    first[0].kill()  # it may wait for the other one for long
    first[0].communicate()
    states = list((tmp_path / "state").glob("step-*.npz"))
    assert states
    assert not (tmp_path / "results.json").exists()
    finish(*workers(tmp_path, settings={"save_steps": 2}))
    found = read_history(tmp_path / "history.csv")
    assert [row["loss"] for row in found] == pytest.approx(
        [row["loss"] for row in alone], rel=1e-5
    )
