"""Which share of the tokens masks ever choose: drawn anew, or in static copies.

The originals write every document `dupe_factor` times, with other masks each time; then
a pass over the data is as many over the text, and after it the masks repeat. Masks that
are drawn anew need one copy. Both are counted over the same instances: those that occur
once in the text, so that copies can be told from repetitions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.files import write_bytes
from kerasplm.pretraining import records
from kerasplm.pretraining.corpus import Masks
from kerasplm.pretraining.creating import create
from kerasplm.pretraining.data_settings import DataSettings

COLUMNS = ("passes", "new masks", "10 static copies", "instances", "MiB", "MiB static")
COPIES = 10
LENGTH = 64
PASSES = (1, 10, 40)
SAMPLE = 1 << 19  # bytes of text


def rows_of(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the instances of files."""
    return [records.decode(data) for file in files for data in records.read(file)]


def coverage(text: Path, tokenizer: Any, folder: Path) -> list[tuple[Any, ...]]:
    """Tell which share of the tokens was ever predicted, by number of passes."""
    sample = folder / "sample.txt"
    start = text.read_bytes()[:SAMPLE]
    write_bytes(sample, start[: start.rfind(b"\n\n")] + b"\n")
    alike: dict[str, Any] = {"max_length": LENGTH, "whole_words": "jieba"}
    sets: dict[str, list[dict[str, Any]]] = {}
    sizes = []
    for form in ("dynamic", "static"):
        settings = DataSettings("doc-sentences", form=form, **alike)
        create([str(sample)], folder / form, tokenizer, settings)
        files = sorted((folder / form).glob("records-*.tfrecord"))
        sets[form] = rows_of(files)
        sizes.append(sum(file.stat().st_size for file in files) / 2**20)
    static: dict[bytes, list[np.ndarray]] = {}
    for row in sets["static"]:
        ids, used = row["input_ids"].copy(), row["masked_lm_weights"] > 0
        places = row["masked_lm_positions"][used]
        ids[places] = row["masked_lm_ids"][used]
        key = ids[row["input_mask"] > 0].astype("int32").tobytes()
        static.setdefault(key, []).append(places)
    once = [
        (row, static[key])
        for row in sets["dynamic"]
        if len(static.get(key := row["input_ids"].astype("int32").tobytes(), ()))
        == COPIES
    ]
    return [
        (
            passes,
            _dynamic([row for row, _ in once], tokenizer, passes),
            _union([places[: min(passes, COPIES)] for _, places in once], once),
            len(once),
            *sizes,
        )
        for passes in PASSES
    ]


def _union(places: list[list[np.ndarray]], once: Sequence[Any]) -> float:
    chosen = sum(len(set(np.concatenate(some).tolist())) for some in places)
    return chosen / sum(len(row["input_ids"]) - 2 for row, _ in once)


def _dynamic(rows: Sequence[dict[str, Any]], tokenizer: Any, passes: int) -> float:
    """Return the share of the tokens that new masks of every pass choose."""
    masking = Masks().masking(tokenizer, LENGTH, electra=False, seed=0)
    lengths = np.array([len(row["input_ids"]) for row in rows], "int32")
    ids, starts = np.zeros((2, len(rows), LENGTH), "int32")
    for n, row in enumerate(rows):
        ids[n, : lengths[n]] = row["input_ids"]
        starts[n, : lengths[n]] = row["token_boundary"]
    ever = np.zeros(ids.shape, bool)
    index = np.arange(len(rows), dtype="int64")
    for epoch in range(passes):
        seeds = masking.seeds(index, np.full_like(index, epoch))
        found = masking(ids, lengths, starts, seeds)
        line, slot = np.nonzero(found["mlm_weights"].numpy())
        ever[line, found["mlm_positions"].numpy()[line, slot]] = True
    return float(ever.sum() / (lengths - 2).sum())
