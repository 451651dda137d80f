"""Data creation: any number of workers, stops, statistics, errors."""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import tensorflow as tf

from kerasplm.errors import DataError
from kerasplm.files import read_json
from kerasplm.pretraining import creating, records
from kerasplm.pretraining.creating import create, shard_name
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.pool import Pool, cores, light_python
from kerasplm.pretraining.worker import shuffled
from kerasplm.python_tokenizer import PythonTokenizer

HAN = [chr(code) for code in range(0x4E00, 0x4E80)]
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ke", "##ras", *HAN]
TOKENIZER = PythonTokenizer(VOCAB)
SMALL = {"max_length": 32, "shards": 3, "block_bytes": 2000}


def corpus(path, documents=60, seed=0):
    rng = random.Random(seed)
    text = "\n\n".join(
        "\n".join(
            "".join(rng.choices(HAN, k=rng.randint(3, 40)))
            for _ in range(rng.randint(1, 9))
        )
        for _ in range(documents)
    )
    path.write_text(text, encoding="utf-8")
    return str(path)


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def rows(folder):
    files = sorted(folder.glob("*.tfrecord"))
    return [records.decode(data) for file in files for data in records.read(file)]


@pytest.fixture
def text(tmp_path):
    return corpus(tmp_path / "text.txt")


def test_workers_change_nothing(tmp_path, text):
    for form in ("dynamic", "static"):
        settings = DataSettings(form=form, dupe_factor=2, **SMALL)
        for workers in (1, 2, 5):
            out = tmp_path / f"{form}{workers}"
            facts = create([text], out, TOKENIZER, settings, workers=workers)
            assert facts == read_json(out / "dataset.json")
            names = {shard_name(n, 3) for n in range(3)}
            assert set(contents(out)) == {*names, "dataset.json", "lengths.png"}
            assert contents(out) == contents(tmp_path / f"{form}1")
        other = DataSettings(form=form, dupe_factor=2, seed=1, **SMALL)
        create([text], tmp_path / f"{form}other", TOKENIZER, other, workers=2)
        file = shard_name(0, 3)
        assert contents(tmp_path / f"{form}other")[file] != contents(out)[file]


def test_every_shard_has_its_documents(tmp_path, text):
    settings = DataSettings("sop", min_tokens=1, **SMALL)
    create([text], tmp_path / "o", TOKENIZER, settings, workers=2)
    facts = read_json(tmp_path / "o" / "dataset.json")
    for name, count in facts["shards"].items():
        assert len(list(records.read(tmp_path / "o" / name))) == count > 0
    ids = Counter(i for row in rows(tmp_path / "o") for i in row["input_ids"].tolist())
    lines = Path(text).read_text("utf-8").split()
    expected = Counter(VOCAB.index(char) for line in lines for char in line)
    assert {i: ids[i] for i in expected} == expected


def test_dynamic_records(tmp_path, text):
    create([text], tmp_path / "o", TOKENIZER, DataSettings(**SMALL), workers=1)
    for row in rows(tmp_path / "o"):
        ids, segments = row["input_ids"].tolist(), row["segment_ids"].tolist()
        assert set(row) == {
            "input_ids",
            "segment_ids",
            "token_boundary",
            "next_sentence_labels",
        }
        assert len(ids) == len(segments) == len(row["token_boundary"]) <= 32
        assert ids[0] == 2
        assert segments == sorted(segments)
        assert [ids[n] for n in (segments.index(1) - 1, -1)] == [3, 3]
        assert row["next_sentence_labels"].tolist() in ([0], [1])
    out = tmp_path / "c"
    create([text], out, TOKENIZER, DataSettings("causal", **SMALL), workers=1)
    assert {*rows(out)[0]} == {"input_ids", "segment_ids", "token_boundary"}


def test_static_records_are_those_of_the_originals(tmp_path, text):
    settings = DataSettings("nsp", "static", max_predictions=5, dupe_factor=1, **SMALL)
    create([text], tmp_path / "o", TOKENIZER, settings, workers=1)
    features = {
        "input_ids": tf.io.FixedLenFeature([32], tf.int64),
        "input_mask": tf.io.FixedLenFeature([32], tf.int64),
        "segment_ids": tf.io.FixedLenFeature([32], tf.int64),
        "masked_lm_positions": tf.io.FixedLenFeature([5], tf.int64),
        "masked_lm_ids": tf.io.FixedLenFeature([5], tf.int64),
        "masked_lm_weights": tf.io.FixedLenFeature([5], tf.float32),
        "next_sentence_labels": tf.io.FixedLenFeature([1], tf.int64),
    }
    data = [d for f in (tmp_path / "o").glob("*.tfrecord") for d in records.read(f)]
    assert set(records.decode(data[0])) == set(features)
    found = {k: v.numpy() for k, v in tf.io.parse_example(data, features).items()}
    sizes, counts = found["input_mask"].sum(1), found["masked_lm_weights"].sum(1)
    assert counts.tolist() == [min(5, max(1, round(n * 0.15))) for n in sizes]
    for n, (size, count) in enumerate(zip(sizes, counts.astype(int), strict=True)):
        row = {name: values[n].tolist() for name, values in found.items()}
        assert row["input_mask"] == [1] * size + [0] * (32 - size)
        assert row["input_ids"][size:] == row["segment_ids"][size:] == [0] * (32 - size)
        places = row["masked_lm_positions"]
        assert places[0] > 0
        assert places[:count] == sorted(set(places[:count]))
        assert places[count:] == row["masked_lm_ids"][count:] == [0] * (5 - count)
        assert all(label > 6 for label in row["masked_lm_ids"][:count])


@pytest.mark.parametrize("layout", ["electra", "causal", "unilm"])
def test_static_records_without_masks(tmp_path, text, layout):
    create([text], tmp_path / "o", TOKENIZER, DataSettings(layout, "static", **SMALL))
    found = rows(tmp_path / "o")[0]
    assert {k: len(v) for k, v in found.items()} == dict.fromkeys(
        ("input_ids", "input_mask", "segment_ids"), 32
    )


def test_whole_words_from_a_list(tmp_path, text):
    words = tmp_path / "words.txt"
    words.write_text("".join(a + b + "\n" for a in HAN for b in HAN), "utf-8")
    settings = DataSettings("causal", whole_words=str(words), **SMALL)
    create([text], tmp_path / "o", TOKENIZER, settings, workers=1)
    shares = [row["token_boundary"].mean() for row in rows(tmp_path / "o")]
    assert 0.45 < sum(shares) / len(shares) < 0.65
    words.write_text("一丁\n", "utf-8")
    with pytest.raises(DataError, match="other choices: words_sha256"):
        create([text], tmp_path / "o", TOKENIZER, settings, workers=1)


def test_statistics_of_a_small_corpus(tmp_path):
    path = tmp_path / "t.txt"
    # Four documents: two good ones, one too short, one that no token is left of.
    path.write_text("一丁😀\nkeras丁\n\n七万丈三上下\n\n一\n\n\u200b\n", "utf-8")
    settings = DataSettings("doc-sentences", max_length=16, min_tokens=2)
    facts = create([str(path)], tmp_path / "o", TOKENIZER, settings, workers=1)
    found = facts["statistics"]
    assert found["documents"] == 4
    assert found["sentences"] == 5
    assert found["tokens"] == 3 + 3 + 6 + 1
    assert found["unknown"] == 1
    assert found["unknown_texts"] == {"😀": 1}
    assert found["dropped"] == {"of fewer than 2 tokens": 1, "without tokens": 1}
    assert found["instances"] == 2
    assert found["instance_tokens"] == 8 + 8
    assert (
        dict(zip(found["lengths"]["edges"], found["lengths"]["counts"], strict=False))[
            8
        ]
        == 2
    )
    assert found["rates"]["unknown"] == round(1 / 13, 6)
    assert found["rates"]["mean_length"] == 8
    assert facts["vocabulary"]["special_ids"]["mask"] == 4
    assert (tmp_path / "o" / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_rates_of_masks_and_labels(tmp_path):
    text = corpus(tmp_path / "t.txt", documents=300)
    settings = DataSettings("sop", "static", max_length=64, dupe_factor=3)
    rates = create([text], tmp_path / "o", TOKENIZER, settings)["statistics"]["rates"]
    assert abs(rates["predicted"] - 0.15) < 0.01
    assert abs(rates["predicted_masked"] - 0.8) < 0.02
    assert abs(rates["predicted_kept"] - 0.1) < 0.02
    assert abs(rates["label_0"] - 0.5) < 0.05
    assert rates["label_0"] + rates["label_1"] == pytest.approx(1, abs=1e-5)


def test_a_killed_run_goes_on(tmp_path):
    text = corpus(tmp_path / "t.txt", documents=400)
    create([text], tmp_path / "whole", TOKENIZER, DataSettings(**SMALL), workers=2)
    expected = contents(tmp_path / "whole")
    task = {
        "inputs": [text],
        "output": str(tmp_path / "o"),
        "vocabulary": VOCAB,
        "tokenizer": TOKENIZER.get_config(),
        "settings": DataSettings(**SMALL).to_json(),
        "workers": 2,
        "show": False,
    }
    command = light_python("kerasplm.pretraining.command")
    work, codes = tmp_path / "o" / ".work", []
    for wanted in ("block-*.json", "block-*[1-9]?.json", "../records-*"):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        while process.poll() is None and not any(work.glob(wanted)):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        codes.append(process.wait())
        for file in (tmp_path / "o").glob("records-*"):
            assert file.read_bytes() == expected[file.name]
        if len(codes) == 2:
            assert any(work.glob("block-*.json"))
            with pytest.raises(DataError, match="choices: seed: expected 12345, fou"):
                create([text], tmp_path / "o", TOKENIZER, DataSettings(seed=1, **SMALL))
            (work / ".tmp-half").write_bytes(b"half")
    assert codes[:2] == [-signal.SIGKILL] * 2
    create([text], tmp_path / "o", TOKENIZER, DataSettings(**SMALL), workers=1)
    assert contents(tmp_path / "o") == expected


def test_finished_blocks_are_kept(tmp_path, text, monkeypatch):
    class Stop(Exception):
        pass

    def stop(*args):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(creating._Run, "_shards", stop)
        with pytest.raises(Stop):
            create([text], tmp_path / "o", TOKENIZER, DataSettings(**SMALL), workers=2)
    work = tmp_path / "o" / ".work"
    before = {p.name: p.stat().st_mtime_ns for p in work.glob("block-*")}
    asked = []
    run = Pool.run

    def watched(self, tasks):
        asked.extend(task["do"] for task in tasks)
        return run(self, tasks)

    monkeypatch.setattr(Pool, "run", watched)
    (work / "block-000001.json").unlink()
    create([text], tmp_path / "o", TOKENIZER, DataSettings(**SMALL), workers=2)
    assert asked == ["block", "shard", "shard", "shard"]
    assert len(before) > 6
    asked.clear()
    create([text], tmp_path / "o", TOKENIZER, DataSettings(**SMALL), workers=2)
    assert asked == []


def test_the_order_is_random_within_the_buffer():
    parts = [[b"%03d" % n for n in range(k, k + 50)] for k in range(0, 500, 50)]
    found = list(shuffled(map(iter, parts), random.Random(0), room=300))
    assert sorted(found) == [row for part in parts for row in part]
    far = [int(row) - n for n, row in enumerate(found)]
    assert max(far) <= 100  # As many as the buffer holds.
    assert sum(map(abs, far)) / 500 > 30


def test_workers_do_not_load_tensorflow(tmp_path, text):
    """That is what keeps them small, and what keeps scripts from running twice."""
    data = {
        "settings": DataSettings(**SMALL).to_json(),
        "vocabulary": VOCAB,
        "tokenizer": TOKENIZER.get_config(),
        "folder": str(tmp_path),
        "output": str(tmp_path),
    }
    with Pool(1, data) as pool:
        maps = Path(f"/proc/{pool._process.pid}/maps").read_text()
    assert "tensorflow" not in maps
    assert cores() >= 1


def test_a_lost_worker_is_told(tmp_path, text):
    data = {"settings": DataSettings(**SMALL).to_json(), "vocabulary": VOCAB}
    data |= {"tokenizer": {}, "folder": str(tmp_path), "output": str(tmp_path)}
    with Pool(1, data) as pool:
        own = pool._process.pid
        (child,) = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        with pytest.raises(DataError, match="a worker process ended before its work"):
            list(pool.run([{"do": "check"}]))
