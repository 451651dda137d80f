"""Small batches for the tests of pre-training."""

import numpy as np

from kerasplm import Config

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 24,
}


def small_config(**fields) -> Config:
    return Config(**{**SIZES, **fields})


def batch_of(rows=4, length=20, masked=4, packed=False, seed=0) -> dict:
    """Return a batch with every field; packed rows hold two instances each."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(12, length + 1, rows)
    place = np.arange(length)
    mask = place < sizes[:, None]
    ids = rng.integers(6, 60, (rows, length)) * mask
    cut = sizes // 2
    batch = {
        "token_ids": ids,
        "segment_ids": ((place >= cut[:, None]) & mask).astype("int32"),
        "padding_mask": mask,
        "mlm_positions": np.sort(rng.integers(1, 12, (rows, masked)), axis=1),
        "mlm_ids": rng.integers(6, 60, (rows, masked)),
        "mlm_weights": np.ones((rows, masked), "float32"),
        "pair_labels": rng.integers(0, 2, rows),
        "pair_weights": np.ones(rows, "float32"),
        "draw_seeds": rng.integers(0, 2**31 - 1, rows),
    }
    batch["mlm_weights"][0, -1] = 0.0
    batch["mlm_positions"][0, -1] = 0
    if packed:
        second = place >= cut[:, None]
        batch["pack_ids"] = np.where(mask, 1 + second, 0)
        batch["position_ids"] = np.where(second, place - cut[:, None], place)
        batch["segment_ids"] = ((batch["position_ids"] >= 3) & mask).astype("int32")
        batch["first_positions"] = np.stack([0 * cut, cut], axis=1)
        batch["pair_labels"] = rng.integers(0, 2, (rows, 2))
        batch["pair_weights"] = np.ones((rows, 2), "float32")
    kinds = {"padding_mask": "bool", "mlm_weights": "float32"}
    kinds["pair_weights"] = "float32"
    return {k: np.asarray(x, kinds.get(k, "int32")) for k, x in batch.items()}
