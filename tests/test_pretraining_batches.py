"""Batches of records: contents, order, restarts, stages, workers, packing."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kerasplm.errors import PLMError
from kerasplm.pretraining import making
from kerasplm.pretraining.batches import batches, staged_batches
from kerasplm.pretraining.pipeline import Pipeline
from kerasplm.pretraining.stages import Stage
from tests.pretraining_records import (
    MASK,
    MASKING,
    number_of,
    write_folder,
)

TOTAL = 80
SMALL = {"shuffle_buffer": 16, "seed": 3}
PLAIN = Pipeline(masking=MASKING, **SMALL)
PACKED = Pipeline(masking=MASKING, packing=4, **SMALL)


def taken(dataset, count=None) -> list[dict]:
    dataset = dataset if count is None else dataset.take(count)
    return [{k: x.numpy() for k, x in batch.items()} for batch in dataset]


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def unmasked(batch) -> np.ndarray:
    ids = batch["token_ids"].copy()
    rows, slots = np.nonzero(batch["mlm_weights"])
    ids[rows, batch["mlm_positions"][rows, slots]] = batch["mlm_ids"][rows, slots]
    return ids


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "data"
    return folder, write_folder(folder)


def test_contents_and_static_shapes(data):
    folder, instances = data
    dataset = batches(folder, 32, 8, PLAIN)
    spec = {name: (s.shape.as_list(), s.dtype.name) for name, s in
            dataset.element_spec.items()}  # fmt: skip
    assert spec == {
        "token_ids": ([8, 32], "int32"),
        "segment_ids": ([8, 32], "int32"),
        "padding_mask": ([8, 32], "bool"),
        "mlm_positions": ([8, 4], "int32"),
        "mlm_ids": ([8, 4], "int32"),
        "mlm_weights": ([8, 4], "float32"),
        "pair_labels": ([8], "int32"),
        "pair_weights": ([8], "float32"),
        "draw_seeds": ([8], "int32"),
    }
    seen = []
    for batch in taken(dataset, TOTAL // 8):
        for row, ids in enumerate(unmasked(batch)):
            one = instances[number_of(ids)]
            n = len(one["input_ids"])
            np.testing.assert_array_equal(ids[:n], one["input_ids"])
            assert not ids[n:].any()
            np.testing.assert_array_equal(batch["padding_mask"][row], np.arange(32) < n)
            np.testing.assert_array_equal(
                batch["segment_ids"][row][:n], one["segment_ids"]
            )
            assert batch["pair_labels"][row] == one["next_sentence_labels"][0]
            seen.append(number_of(ids))
    assert sorted(seen) == list(range(TOTAL))
    assert seen != sorted(seen)


def test_every_epoch_has_another_order_and_other_masks(data):
    folder, _ = data
    both = taken(batches(folder, 24, 8, PLAIN), 20)
    orders, masks = [], []
    for part in (both[:10], both[10:]):
        ids = np.concatenate([unmasked(batch) for batch in part])
        orders.append([number_of(row) for row in ids])
        where = np.concatenate([batch["mlm_positions"] for batch in part])
        masks.append({n: tuple(w) for n, w in zip(orders[-1], where, strict=True)})
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(TOTAL))
    assert orders[0] != orders[1]
    assert np.mean([masks[0][n] != masks[1][n] for n in range(TOTAL)]) > 0.8
    # The same seed gives the same again, another seed another order.
    same(taken(batches(folder, 24, 8, PLAIN), 20), both)
    other = Pipeline(masking=MASKING, shuffle_buffer=16, seed=4)
    assert (taken(batches(folder, 24, 8, other), 1)[0]["token_ids"] !=
            both[0]["token_ids"]).any()  # fmt: skip


def test_windows_move_rows_no_further_than_their_size(data):
    """A buffer of one file's size mixes; without shuffling the order stays."""
    folder, _ = data
    plain = Pipeline(masking=MASKING, shuffle=False, epochs=1, shuffle_buffer=16)
    order = [number_of(r) for b in taken(batches(folder, 24, 8, plain))
             for r in unmasked(b)]  # fmt: skip
    assert order == list(range(TOTAL))


@pytest.mark.parametrize("pipeline", [PLAIN, PACKED], ids=["plain", "packed"])
def test_goes_on_bit_equal_from_any_batch(data, pipeline):
    """Through windows, files and epochs; batches do not divide the epoch."""
    folder, _ = data
    making._counts.clear()
    whole = taken(batches(folder, 48, 7, pipeline), 26)
    for start in (1, 12, 22):
        rest = taken(batches(folder, 48, 7, pipeline, start=start), 26 - start)
        same(rest, whole[start:])


def test_skipping_opens_only_the_files_that_are_left(data, tmp_path):
    """The files that are passed over could be gone."""
    folder = tmp_path / "data"
    write_folder(folder)
    dataset = batches(folder, 24, 8, PLAIN, start=8)
    whole = taken(batches(folder, 24, 8, PLAIN), 10)
    first = taken(batches(folder, 24, 8, PLAIN), 1)[0]
    used = {number_of(row) for batch in whole[8:] for row in unmasked(batch)}
    starts = np.cumsum([0, 30, 17, 25, 8])
    files = sorted(folder.glob("*.tfrecord"))
    gone = 0
    for n, file in enumerate(files):
        if not used & set(range(starts[n], starts[n + 1])):
            file.unlink()
            gone += 1
    assert gone
    assert number_of(unmasked(first)[0]) not in used
    same(taken(dataset, 2), whole[8:])


def test_an_end_after_some_epochs(data):
    folder, _ = data
    pipeline = Pipeline(masking=MASKING, epochs=2, **SMALL)
    assert len(taken(batches(folder, 24, 7, pipeline))) == 2 * TOTAL // 7
    rest = batches(folder, 24, 7, pipeline, start=20)
    assert len(taken(rest)) == 2 * TOTAL // 7 - 20
    assert not taken(batches(folder, 24, 7, pipeline, start=40))


@pytest.mark.parametrize("pipeline", [PLAIN, PACKED], ids=["plain", "packed"])
def test_workers_and_replicas_share_the_same_batches(data, pipeline):
    folder, _ = data
    whole = taken(batches(folder, 48, 12, pipeline), 5)
    for workers, replicas in ((1, 2), (3, 2)):
        parts = []
        for worker in range(workers):
            own = {**vars(pipeline), "shard": (worker, workers), "replicas": replicas}
            found = taken(batches(folder, 48, 12, Pipeline(**own)), 5 * replicas)
            parts.append(
                [found[n : n + replicas] for n in range(0, len(found), replicas)]
            )
        for n, expected in enumerate(whole):
            pieces = list(itertools.chain(*(part[n] for part in parts)))
            joined = {k: np.concatenate([p[k] for p in pieces]) for k in expected}
            same([joined], [expected])


def test_stages(data, tmp_path):
    """A growing batch goes on in the data; another length has data of its own."""
    folder, _ = data
    longer = tmp_path / "longer"
    write_folder(longer, (20, 20), high=40)
    stages = [
        Stage(steps=3, length=24, batch_size=4),
        Stage(steps=4, length=24, batch_size=8),
        Stage(steps=2, length=40, batch_size=4, data=longer, max_predictions=6),
    ]
    parts = staged_batches(folder, stages, PLAIN)
    assert [steps for _, steps, _ in parts] == [3, 4, 2]
    whole = [taken(dataset()) for _, _, dataset in parts]
    assert [len(part) for part in whole] == [3, 4, 2]
    assert whole[2][0]["token_ids"].shape == (4, 40)
    assert whole[2][0]["mlm_ids"].shape == (4, 6)
    seen = [number_of(r) for p in whole[:2] for b in p for r in unmasked(b)]
    assert len(set(seen)) == 3 * 4 + 4 * 8  # none twice
    flat = list(itertools.chain(*whole))
    for start in (2, 5, 8, 9):
        rest = staged_batches(folder, stages, PLAIN, start=start)
        found = list(itertools.chain(*(taken(dataset()) for _, _, dataset in rest)))
        same(found, flat[start:])
        assert sum(steps for _, steps, _ in rest) == max(0, 9 - start)


def test_packed_rows(data):
    folder, instances = data
    pipeline = Pipeline(masking=MASKING, packing=4, epochs=1, **SMALL)
    seen, real, total = [], 0, 0
    for batch in taken(batches(folder, 48, 2, pipeline, max_predictions=9)):
        ids = unmasked(batch)
        for row in range(2):
            packs = batch["pack_ids"][row]
            np.testing.assert_array_equal(packs > 0, batch["padding_mask"][row])
            weights = batch["mlm_weights"][row]
            assert (np.diff(weights) <= 0).all()
            masks = np.bincount(
                packs[batch["mlm_positions"][row]][weights > 0], minlength=5
            )
            for n in range(1, packs.max() + 1):
                where = np.nonzero(packs == n)[0]
                one = instances[number_of(ids[row, where])]
                np.testing.assert_array_equal(ids[row, where], one["input_ids"])
                segments = batch["segment_ids"][row, where]
                np.testing.assert_array_equal(segments, one["segment_ids"])
                places = batch["position_ids"][row, where]
                np.testing.assert_array_equal(places, np.arange(len(where)))
                assert batch["first_positions"][row, n - 1] == where[0]
                label = one["next_sentence_labels"][0]
                assert batch["pair_labels"][row, n - 1] == label
                assert batch["pair_weights"][row, n - 1] == 1
                budget = min(9, max(1, round(len(where) * 0.15)))
                assert masks[n] <= budget
                assert masks[n] >= budget - 1
                seen.append(number_of(one["input_ids"]))
            assert not batch["pair_weights"][row, packs.max() :].any()
            real += (packs > 0).sum()
            total += 48
    # One row may be left that fills no batch.
    assert len(set(seen)) == len(seen) >= TOTAL - 4
    print(f"filled: {real / total:.3f}")
    assert real / total > 0.85  # 0.33 without packing; the last row of a file is short


def test_masks_of_an_instance_are_the_same_packed_or_not(data):
    folder, _ = data
    plain = Pipeline(masking=MASKING, epochs=1, **SMALL)
    packed = Pipeline(masking=MASKING, packing=4, epochs=1, **SMALL)
    alone = {}
    for batch in taken(batches(folder, 24, 1, plain)):
        n = batch["padding_mask"][0].sum()
        alone[number_of(unmasked(batch)[0])] = batch["token_ids"][0, :n]
    count = 0
    for batch in taken(batches(folder, 48, 1, packed)):
        for n in range(1, batch["pack_ids"].max() + 1):
            where = batch["pack_ids"][0] == n
            number = number_of(unmasked(batch)[0][where])
            np.testing.assert_array_equal(batch["token_ids"][0][where], alone[number])
            count += 1
    assert count == TOTAL


@pytest.mark.parametrize("facts", [True, False])
def test_files_of_the_original_scripts(tmp_path, facts):
    instances = write_folder(tmp_path / "bert", form="masked", facts=facts)
    pipeline = Pipeline(epochs=1, **SMALL)
    found = taken(batches(tmp_path / "bert", 24, 8, pipeline))
    seen = []
    for batch in found:
        assert (batch["token_ids"][:, 3] == MASK).all()
        np.testing.assert_array_equal(batch["mlm_positions"][:, 0], 3)
        for ids in unmasked(batch):
            one = instances[number_of(ids)]["input_ids"]
            np.testing.assert_array_equal(ids[: len(one)], one)
            seen.append(number_of(ids))
    assert sorted(seen) == list(range(TOTAL))
    write_folder(tmp_path / "electra", form="padded", facts=facts)
    files = str(tmp_path / "electra" / "*.tfrecord")
    electra = MASKING.electra(
        vocab_size=400, mask_id=MASK, special_ids=(0, 2, 3), max_predictions=4
    )
    batch = taken(batches(files, 32, 8, Pipeline(masking=electra, **SMALL)), 1)[0]
    assert "pair_labels" not in batch
    assert (batch["mlm_weights"].sum(1) >= 1).all()


def test_masked_files_can_be_packed(tmp_path):
    instances = write_folder(tmp_path / "bert", form="masked")
    pipeline = Pipeline(epochs=1, packing=4, **SMALL)
    count = 0
    for batch in taken(batches(tmp_path / "bert", 60, 1, pipeline)):
        ids = unmasked(batch)
        for n in range(1, batch["pack_ids"].max() + 1):
            where = batch["pack_ids"][0] == n
            one = instances[number_of(ids[0, where])]["input_ids"]
            np.testing.assert_array_equal(ids[0, where], one)
            count += 1
        assert batch["mlm_weights"].sum() == batch["pack_ids"].max()
    assert count == TOTAL


def test_pairs_in_both_orders(data):
    folder, instances = data
    pipeline = Pipeline(mirror=True, epochs=1, **SMALL)
    for batch in taken(batches(folder, 24, 8, pipeline), 3):
        for row in range(0, 8, 2):
            ids, n = batch["token_ids"][row], batch["padding_mask"][row].sum()
            one = instances[number_of(ids)]
            cut = one["segment_ids"].index(1)
            np.testing.assert_array_equal(ids[:n], one["input_ids"])
            other = [2, *ids[cut:n], *ids[1:cut]]
            np.testing.assert_array_equal(batch["token_ids"][row + 1][:n], other)
            expected = np.r_[[0] * (1 + n - cut), [1] * (cut - 1), [0] * (24 - n)]
            np.testing.assert_array_equal(batch["segment_ids"][row + 1], expected)


def test_without_masks(data):
    folder, _ = data
    batch = taken(batches(folder, 24, 8, Pipeline(**SMALL)), 1)[0]
    assert not [name for name in batch if name.startswith("mlm")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"packing": 0}, "packing"),
        ({"shard": (2, 2)}, "shard"),
        ({"epochs": 0}, "epochs"),
        ({"mirror": True, "packing": 2}, "mirror"),
    ],
)
def test_bad_choices_are_refused(fields, message):
    with pytest.raises(PLMError, match=message):
        Pipeline(**fields)


def test_bad_shapes_are_refused(data, tmp_path):
    folder, _ = data
    with pytest.raises(PLMError, match=r"up to 24 tokens, more than length=16"):
        batches(folder, 16, 8, PLAIN)
    odd = Pipeline(masking=MASKING, shard=(0, 3))
    with pytest.raises(PLMError, match="multiple of 3"):
        batches(folder, 24, 8, odd)
    write_folder(tmp_path / "bert", form="masked")
    with pytest.raises(PLMError, match="masks of its own"):
        batches(tmp_path / "bert", 24, 8, PLAIN)
    with pytest.raises(PLMError, match="4 slots"):
        batches(tmp_path / "bert", 24, 8, Pipeline(), max_predictions=2)
    with pytest.raises(PLMError, match="one stage or more"):
        staged_batches(folder, [], PLAIN)
    with pytest.raises(PLMError, match=">= 1"):
        Stage(steps=0, length=8, batch_size=8)


def test_tf_data_is_what_fit_takes(data):
    assert isinstance(batches(data[0], 24, 8, PLAIN), tf.data.Dataset)
