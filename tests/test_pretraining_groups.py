"""Pairs of similar texts, and what SimBERT makes of them."""

import json

import numpy as np
import pytest

from kerasplm.errors import DataError
from kerasplm.pretraining.batches import batches
from kerasplm.pretraining.creating import create
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.groups import groups
from kerasplm.pretraining.pipeline import Pipeline
from kerasplm.pretraining.records import decode, read
from tests.test_pretraining_creating import TOKENIZER

A, B, C = "一丁七", "万丈三上", "下一丁七万"
OTHER = ["七七", "丁丁丁"]
LONG = "三上下" * 9


def pairs(tmp_path, text, **options):
    """Make data; return both texts of every instance."""
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    settings = DataSettings("simbert", **{"max_length": 19, **options})
    create([str(tmp_path / "t.txt")], tmp_path / "o", TOKENIZER, settings, workers=1)
    found = []
    for file in sorted((tmp_path / "o").glob("*.tfrecord")):
        for record in map(decode, read(file)):
            ids, second = record["input_ids"], record["segment_ids"] == 1
            tokens = [
                "".join(TOKENIZER.vocab[i] for i in part)
                for part in (ids[~second][1:-1], ids[second][:-1])
            ]
            assert "next_sentence_labels" not in record
            found.append(tuple(tokens))
    return found


@pytest.mark.parametrize(
    "text",
    [
        f"{A}\n{B}\n{C}\n\n\n{OTHER[0]}\n{OTHER[1]}\n",
        f"{A}\t{B} \t\t{C}\n{OTHER[0]}\t{OTHER[1]}",
        json.dumps({"text": A, "synonyms": [B, C]}, ensure_ascii=False)
        + "\n"
        + json.dumps({"text": OTHER[0], "synonyms": OTHER[1:]}),
    ],
    ids=["blank lines", "tabs", "json"],
)
def test_a_pair_of_each_group(tmp_path, text):
    found = pairs(tmp_path, text, dupe_factor=40)
    assert len(found) == 80
    (first,) = {frozenset(x) for x in found if x[0] in OTHER}
    assert first == set(OTHER)
    # Every pair in both orders, none with itself.
    assert len({x for x in found if x[0] not in OTHER}) == 6
    assert all(len(set(x)) == 2 for x in found)


def test_a_long_text_loses_its_end_and_equal_ones_are_one(tmp_path):
    text = f"{LONG}\n{A}\n\n{B}\n{B}\n\n{C}\n"
    found = pairs(tmp_path, text, dupe_factor=9)
    assert {frozenset(x) for x in found} == {frozenset((LONG[:8], A))}
    facts = json.loads((tmp_path / "o" / "dataset.json").read_text())
    assert facts["statistics"]["documents"] == 3
    assert facts["layout"] == "simbert"


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "一"}',
        '{"text": "一", "synonyms": [2]}',
        "{一",
        '{"text": 1, "x": []}',
    ],
)
def test_a_broken_line_is_named(line):
    with pytest.raises(DataError, match="synonyms.*found '{") as told:
        list(groups([line]))
    assert line in str(told.value)


def test_a_broken_line_stops_the_run_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="t.txt: expected a line such as.*found '{一"):
        pairs(tmp_path, f"{A}\t{B}\n\n{{一\n")
    assert not (tmp_path / "o").exists()


def test_rows_are_both_orders_of_a_pair(tmp_path):
    """What SimBERT takes: rows 2i and 2i + 1 are (a, b) and (b, a)."""
    pairs(tmp_path, f"{A}\n{B}\n\n{OTHER[0]}\n{OTHER[1]}\n")
    pipeline = Pipeline(mirror=True, vocab_size=TOKENIZER.vocab_size)
    (batch,) = batches(str(tmp_path / "o"), 19, 4, pipeline).take(1)
    ids = np.array(batch["token_ids"])
    segments = np.array(batch["segment_ids"])
    for row, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        second = ids[row][segments[row] == 1]
        size = len(second)
        assert ids[other][1 : size + 1].tolist() == second.tolist()
        assert segments[other][: size + 1].sum() == 0
