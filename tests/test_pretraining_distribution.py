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


def compare(folder, alone, names=MEASURED):
    """Compare the steps that were logged: with several at once not every one."""
    theirs = {row["step"]: row for row in alone}
    found = read_history(folder / "history.csv")
    assert found[-1]["step"] == SETTINGS["steps"]
    for row in found:
        for name in names:
            if name in theirs[row["step"]]:
                expected = pytest.approx(theirs[row["step"]][name], rel=1e-5)
                assert row[name] == expected, (name, row["step"])
    return [row["step"] for row in found]


def test_replicas_see_different_counts():
    """Otherwise a mean of means would pass, too."""
    weights = toy.batch(0)["mlm_weights"]
    assert weights[:4].sum() > 2 * weights[4:].sum()


def test_two_devices_compiled(alone, tmp_path):
    finish(start(tmp_path, strategy="mirrored", devices=2, settings={"jit": True}))
    assert compare(tmp_path, alone) == list(range(1, 9))


def test_two_devices_in_parts_and_several_steps_at_once(alone, tmp_path):
    """The logs are means of two steps; what is evaluated is not."""
    choices = {"accumulation": 2, "steps_per_execution": 2}
    finish(start(tmp_path, strategy="mirrored", devices=2, settings=choices))
    assert compare(tmp_path, alone, ["val_loss", "learning_rate"]) == [2, 4, 6, 8]
    for n, row in enumerate(read_history(tmp_path / "history.csv")):
        mean = (alone[2 * n]["loss"] + alone[2 * n + 1]["loss"]) / 2
        assert row["loss"] == pytest.approx(mean, rel=1e-5)


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
    assert compare(tmp_path, alone, ["loss", "masked_lm_loss"]) == list(range(1, 9))
