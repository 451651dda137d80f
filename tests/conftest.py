"""Shared fixtures, and the table of golden comparisons at the end of a run."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Small networks for a few steps: to compile them well takes longer than to run them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm import Config, Encoder
from tests.golden import ROOT, Comparison
from tests.models import write_model
from tests.reviews import VOCAB, review, train


@pytest.fixture
def tiny_config() -> Config:
    return Config(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=40,
    )


@pytest.fixture
def tiny_encoder(tiny_config: Config) -> Encoder:
    return Encoder(tiny_config)


@pytest.fixture
def tiny_batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = np.array([[True] * 9, [True] * 5 + [False] * 4])
    return {
        "token_ids": rng.integers(1, 60, (2, 9)),
        "segment_ids": np.array([[0] * 5 + [1] * 4, [0] * 9]),
        "padding_mask": mask,
    }


@pytest.fixture
def folder(tmp_path, tiny_encoder: Encoder):
    """Return the folder of a small BERT checkpoint in the original format."""
    write_model(tmp_path / "m", tiny_encoder)
    return tmp_path / "m"


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A small checkpoint with its vocabulary, and data in ChnSentiCorp's format."""
    place = tmp_path_factory.mktemp("place")
    keras.utils.set_random_seed(5)
    config = plm.Config(
        vocab_size=len(VOCAB),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        initializer_range=0.2,  # so small a network learns faster from larger weights
    )
    plm.save_checkpoint(plm.Encoder(config), place / "model" / "bert_model.ckpt")
    (place / "model" / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    rng = np.random.default_rng(0)
    for split, count in (("train", 160), ("dev", 40), ("test", 40)):
        lines = [f"{n % 2}\t{review(rng, n % 2)}\n" for n in range(count)]
        file = place / "data" / f"{split}.tsv"
        file.parent.mkdir(exist_ok=True)
        file.write_text("label\ttext_a\n" + "".join(lines), "utf-8")
    return place


@pytest.fixture(scope="session")
def done(place):
    return train(place, place / "out")


def pytest_sessionfinish(session) -> None:
    """Hand the golden comparisons of a process to the one that started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["golden"] = Comparison.rows


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Collect them."""
    rows = getattr(node, "workeroutput", {}).get("golden", [])
    Comparison.rows.extend(tuple(row) for row in rows)


def pytest_terminal_summary(terminalreporter) -> None:
    if not Comparison.rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section(f"golden cases in {ROOT}")
    write(f"{'case':44} {'tensors':>8} {'max |Δ|':>10} {'of tolerance':>13}")
    for case, count, largest, share in Comparison.rows:
        write(f"{case:44} {count:8} {largest:10.2g} {share:12.0%}")
