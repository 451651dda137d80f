"""Data files: official formats, and every way in which they can be broken."""

import json
import types

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.tasks import task_named
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.kinds.classification import ClassPrediction
from kerasplm.tasks.rows import TextRow

TEXTS = ["今天天气不错", "明天会下雨吗", "这家店的面很好吃", "他昨天没有来"]


def put(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def read(task, path, split):
    """Return what was read, column by column."""
    found = task.rows(path, split)
    index = {label: n for n, label in enumerate(task.labels)}
    columns = {
        "texts": tuple(row.text for row in found.rows),
        "pairs": tuple(row.pair for row in found.rows) if task.pair else None,
        "labels": tuple(index.get(row.label) for row in found.rows),
        "ids": tuple(row.id for row in found.rows),
    }
    if None in columns["labels"]:
        columns["labels"] = None
    return types.SimpleNamespace(file=found.files[0], **columns)


def rows(*cells):
    return "".join("\t".join(row) + "\n" for row in cells)


# -- the official formats ------------------------------------------------------------


def test_lcqmc_without_and_with_header(tmp_path):
    data = [(TEXTS[0], TEXTS[1], "0"), (TEXTS[2], TEXTS[2], "1")]
    task = plm.TASKS["lcqmc"]
    for header in ([], [("text_a", "text_b", "label")]):
        file = put(tmp_path / "train.txt", rows(*header, *data))
        found = read(task, tmp_path, "train")
        assert found.file == file
        assert found.texts == (TEXTS[0], TEXTS[2])
        assert found.pairs == (TEXTS[1], TEXTS[2])
        assert found.labels == (0, 1)
        assert found.ids == (0, 1)


def test_chnsenticorp(tmp_path):
    text = "\ufefflabel\ttext_a\r\n1\t好\u2028看\r\n\r\n0\t 不好 \r\n"
    put(tmp_path / "dev.tsv", text)
    found = read(plm.TASKS["chnsenticorp"], tmp_path, "dev")
    assert found.texts == ("好\u2028看", " 不好 ")
    assert found.labels == (1, 0)
    assert found.pairs is None


def json_lines(*objects):
    return "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects)


def test_afqmc_json_and_tsv(tmp_path):
    task = plm.TASKS["afqmc"]
    a = {"sentence1": TEXTS[0], "sentence2": TEXTS[1], "label": "1"}
    put(tmp_path / "train.json", json_lines(a, a | {"label": 0}))
    found = read(task, tmp_path, "train")
    assert (found.labels, found.pairs) == ((1, 0), (TEXTS[1], TEXTS[1]))
    test = [{"id": 7, "sentence1": "一", "sentence2": "二"}]
    put(tmp_path / "test.json", json_lines(*test))
    found = read(task, tmp_path, "test")
    assert (found.labels, found.ids) == (None, (7,))
    file = put(tmp_path / "other.txt", rows(("一", "二"), ("三", "四")))
    assert read(task, file, "test").pairs == ("二", "四")


def test_tnews(tmp_path):
    task = plm.TASKS["tnews"]
    assert len(task.labels) == 15
    assert not {"105", "111"} & set(task.labels)
    one = {"label": "102", "label_desc": "news_entertainment", "sentence": "电影"}
    put(tmp_path / "dev.json", json_lines(one | {"keywords": ""}, one | {"label": 116}))
    found = read(task, tmp_path, "valid")
    assert [task.labels[n] for n in found.labels] == ["102", "116"]


# -- broken files --------------------------------------------------------------------

GOOD = {"sentence": "电影", "label": "102"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            json_lines(GOOD) + '{"sentence": "x", \n',
            ("line 2", "broken JSON", "column"),
        ),
        (json_lines(GOOD) + "[1]\n", ("line 2", "JSON object", "list")),
        (json_lines(GOOD, {"label": "102"}), ("line 2", "'sentence'", "None")),
        (json_lines({"sentence": 3, "label": "102"}), ("line 1", "text", "3")),
        (json_lines(GOOD, GOOD | {"label": "105"}), ("line 2", "'105'", "'104'")),
        (json_lines(GOOD, {"sentence": "x"}), ("line 2", "expected a label")),
        ("", ("empty file",)),
        ("\n \n", ("empty file",)),
        (b'{"sentence": "\xb5\xe7", "label": "102"}\n', ("line 1", "UTF-8", "0xb5")),
    ],
)
def test_broken_json_lines(content, words, tmp_path):
    file = put(tmp_path / "train.json", content)
    with pytest.raises(DataError) as error:
        read(plm.TASKS["tnews"], tmp_path, "train")
    for word in (str(file), *words):
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (rows(("甲", "乙", "0"), ("甲", "乙", "2")), ("line 2", "'2'", "'0', '1'")),
        (rows(("甲", "乙", "否")), ("line 1", "'否'")),
        (rows(("甲", "乙", "0"), ("甲", "乙")), ("line 2", "expected a label")),
        (rows(("甲", "乙", "0"), ("甲",)), ("line 2", "3 columns", "found 1")),
        (rows(("甲", "乙", "丙", "0")), ("line 1", "3 columns", "found 4")),
        (rows(("text_a", "text_b", "label")), ("empty file",)),
        ("甲\t乙\t0\n".encode("gbk"), ("line 1", "UTF-8")),
    ],
)
def test_broken_columns(content, words, tmp_path):
    file = put(tmp_path / "train.tsv", content)
    with pytest.raises(DataError) as error:
        read(plm.TASKS["lcqmc"], tmp_path, "train")
    for word in (str(file), *words):
        assert word in str(error.value)


def test_test_file_with_some_labels(tmp_path):
    put(tmp_path / "test.txt", rows(("甲", "乙", "0"), ("甲", "乙")))
    with pytest.raises(DataError, match="line 2: has no label, but 1 of 2 rows"):
        read(plm.TASKS["lcqmc"], tmp_path, "test")


def test_names_of_the_test_file(tmp_path):
    put(tmp_path / "eval.tsv", "label\ttext_a\n1\t好\n")
    assert read(plm.TASKS["chnsenticorp"], tmp_path, "test").labels == (1,)


def test_missing_files(tmp_path):
    task = plm.TASKS["lcqmc"]
    with pytest.raises(DataError, match="no such file or folder"):
        read(task, tmp_path / "no", "train")
    put(tmp_path / "dev.txt", "x")
    with pytest.raises(DataError, match=r"expected train\{.json,.*found dev.txt"):
        read(task, tmp_path, "train")
    put(tmp_path / "dev.tsv", "x")
    with pytest.raises(DataError, match=r"expected one file.*dev.tsv, dev.txt"):
        read(task, tmp_path, "dev")
    with pytest.raises(ConfigError, match="no task 'lcq'; there are lcqmc"):
        task_named("lcq")


# -- batches -------------------------------------------------------------------------


class Characters:
    """A tokenizer of single characters: [CLS]=1, [SEP]=2."""

    pad_id = 0

    def __call__(self, texts, pairs=None, max_length=None):
        ids, segments = [], []
        for n, text in enumerate(texts):
            one = [1, *(ord(c) % 50 + 3 for c in text), 2]
            two = [] if pairs is None else [*(ord(c) % 50 + 3 for c in pairs[n]), 2]
            ids.append((one + two)[:max_length])
            segments.append(([0] * len(one) + [1] * len(two))[:max_length])
        width = max(map(len, ids))
        pad = [[x + [0] * (width - len(x)) for x in y] for y in (ids, segments)]
        mask = [[n < len(x) for n in range(width)] for x in ids]
        return dict(
            zip(
                ("token_ids", "segment_ids", "padding_mask"),
                (np.array(x) for x in (*pad, mask)),
                strict=True,
            )
        )


def examples(count, pairs=False, labels=True):
    rng = np.random.default_rng(1)
    texts = ["字" * int(n) for n in rng.integers(1, 40, count)]
    return [
        TextRow(
            n,
            text,
            texts[-1 - n] if pairs else None,
            str(rng.integers(2)) if labels else None,
        )
        for n, text in enumerate(texts)
    ]


@pytest.mark.parametrize("pairs", [False, True])
def test_encoding_keeps_every_token(pairs):
    data = examples(1030, pairs)
    task = plm.TASKS["lcqmc" if pairs else "chnsenticorp"]
    features = task.features(data, Characters(), task.settings(max_length=30))
    assert len(features) == 1030
    seconds = [row.pair for row in data] if pairs else None
    whole = Characters()([row.text for row in data], seconds, 30)
    for n in (0, 1023, 1024, 1029):
        inputs, labels = features.batch(np.array([n]))
        real = whole["padding_mask"][n]
        assert labels == [int(data[n].label)]
        assert inputs["padding_mask"].all()
        for key in ("token_ids", "segment_ids"):
            np.testing.assert_array_equal(inputs[key][0], whole[key][n][real])


def test_every_row_once_in_any_order():
    lengths = np.random.default_rng(0).integers(3, 99, 1000)
    for order in ("shuffled", "file", "length"):
        plan = batches_of(lengths, 32, order, (5, 0))
        assert len(plan) == 32
        assert sorted(np.concatenate(plan)) == list(range(1000))
    assert np.concatenate(batches_of(lengths, 32, "file")).tolist() == list(range(1000))
    longest = [lengths[b].max() for b in batches_of(lengths, 32, "length")]
    assert longest == sorted(longest)


def test_sorted_batches_of_very_different_lengths_are_cut_in_two():
    lengths = np.array([10] * 20 + [90] * 4 + [100] * 40)
    sizes = [len(part) for part in batches_of(lengths, 32, "length")]
    assert sizes == [16, 16, 32]
    short = batches_of(np.array([1] * 7 + [100] * 8), 32, "length")
    assert [len(part) for part in short] == [15]


def test_shuffled_order_depends_on_seed_and_epoch_only():
    lengths = np.random.default_rng(0).integers(3, 99, 500)

    def order(*seed):
        return np.concatenate(batches_of(lengths, 16, "shuffled", seed)).tolist()

    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(s, e)) for s in (0, 1) for e in (0, 1)}) == 4


def test_shuffled_batches_hold_little_padding():
    lengths = np.random.default_rng(0).lognormal(3.3, 0.6, 5000).astype(int) + 3

    def padding(order):
        plan = batches_of(lengths, 32, order, (0, 0))
        computed = sum(len(b) * lengths[b].max() for b in plan)
        return 1 - lengths.sum() / computed

    assert padding("shuffled") < 0.1 < 0.3 < padding("file")


@pytest.mark.parametrize("labels", [True, False])
def test_dataset(tmp_path, labels):
    lines = [
        (t, t[::-1], str(n % 2))[: 3 if labels else 2] for n, t in enumerate(TEXTS)
    ]
    put(tmp_path / "test.tsv", rows(*lines))
    data = plm.TASKS["lcqmc"].dataset(
        tmp_path, "test", Characters(), batch_size=3, max_length=9
    )
    assert len(data) == 2
    for _ in range(2):
        batches = list(data)
        assert len(batches) == 2
        inputs = batches[0][0] if labels else batches[0]
        assert set(inputs) == {"token_ids", "segment_ids", "padding_mask"}
        assert inputs["token_ids"].shape == (3, 9)
        if labels:
            assert batches[0][1].numpy().tolist() == [0, 1, 0]


def test_training_order_changes_every_epoch(tmp_path):
    lines = [(chr(0x4E00 + n), "x", "0") for n in range(64)]
    put(tmp_path / "train.tsv", rows(*lines))
    data = plm.TASKS["lcqmc"].dataset(
        tmp_path, "train", Characters(), batch_size=4, seed=3
    )
    epochs = [
        np.concatenate([x["token_ids"][:, 1] for x, _ in data]).tolist()
        for _ in range(2)
    ]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1])


def test_submission(tmp_path):
    task = plm.TASKS["tnews"]
    file = tmp_path / "tnews_predict.json"
    found = [ClassPrediction(task.labels[n], None) for n in (0, 14, 5)]
    task.submission(file, examples(3, labels=False), found)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == [
        {"id": 0, "label": "100", "label_desc": "news_story"},
        {"id": 1, "label": "116", "label_desc": "news_game"},
        {"id": 2, "label": "106", "label_desc": "news_house"},
    ]


def test_settings():
    task = plm.TASKS["lcqmc"]
    assert task.settings().epochs == 3
    assert task.settings(epochs=None, batch_size=8).batch_size == 8
    bad = {"epochs": 0, "batch_size": -1, "learning_rate": 0.0, "save_steps": 0}
    for name, value in (bad | {"max_length": 2, "warmup": 1.5}).items():
        with pytest.raises(ConfigError, match=name):
            task.settings(**{name: value})


def test_model_needs_an_encoder(tiny_encoder):
    model = plm.TASKS["tnews"].model(tiny_encoder)
    assert (model.labels[0], model.pair, model.task) == ("100", False, "tnews")
    with pytest.raises(ConfigError, match="expected an Encoder.*Classifier"):
        plm.TASKS["tnews"].model(model)


@pytest.mark.parametrize(
    "row",
    [
        r'{"id": "\ud800", "sentence": "a"}',
        r'{"id": NaN, "sentence": "a"}',
        r'{"sentence": "\udc00"}',
        "[" * 100_000,
    ],
)
def test_what_no_file_can_hold(tmp_path, row):
    put(tmp_path / "test.json", row + "\n")
    with pytest.raises(DataError, match=r"test.json: line 1: "):
        read(plm.TASKS["tnews"], tmp_path, "test")


@pytest.mark.parametrize("bad", [{"seed": -1}, {"learning_rate": float("inf")}])
def test_settings_out_of_range(bad):
    with pytest.raises(ConfigError):
        plm.TASKS["tnews"].settings(**bad)
