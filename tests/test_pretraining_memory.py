"""A training that needs more memory than there is says so before it takes it."""

import json

import pytest

from kerasplm.pretraining import dry_run, hardware
from kerasplm.pretraining.jobs import PretrainingJob
from kerasplm.pretraining.strategies import on_processor, strategy_of
from kerasplm.pretraining.training_settings import Settings
from tests.test_pretraining_command import SIZES


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SIZES))
    return str(tmp_path / "config.json")


def job(config, rows, **choices):
    settings = Settings(batch_size=rows, max_length=32, **choices)
    choices = {"family": "bert", "settings": settings}
    return PretrainingJob(data="x", output="y", config=config, **choices)


def test_memory_is_that_of_the_container(tmp_path, monkeypatch):
    whole = hardware.machine_memory()
    assert whole > 1 << 28
    monkeypatch.setattr(hardware, "_LIMIT", tmp_path / "limit")
    for text, expected in (("1048576\n", 1 << 20), ("max\n", None), ("9" * 20, None)):
        (tmp_path / "limit").write_text(text)
        found = hardware.machine_memory()
        assert found == expected if expected else found >= whole


def test_a_batch_that_is_too_large_is_warned_of(config, monkeypatch, capsys, caplog):
    monkeypatch.setattr(dry_run, "machine_memory", lambda: 1 << 30)
    assert dry_run.too_large(job(config, 32)) is None
    large = job(config, 1 << 16)
    assert "of memory are needed, and this machine has 1.00 GiB" in dry_run.too_large(
        large
    )
    # Divided over other machines, or into parts, it fits.
    assert dry_run.too_large(large, 1 << 10) is None
    assert dry_run.too_large(large, 1 << 10, 1 << 10)
    assert dry_run.too_large(job(config, 1 << 16, accumulation=1 << 10)) is None
    dry_run.print_estimate(large, ["v100"])
    assert "warning: about" in capsys.readouterr().out
    strategy = strategy_of("cpu")
    assert on_processor(strategy) == 1
    dry_run.warn_of_memory(large, strategy)
    assert "this machine has 1.00 GiB" in caplog.text
