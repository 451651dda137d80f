"""`kerasplm benchmark`: what it counts, how it measures, what it writes."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from matplotlib.image import imread

import kerasplm as plm
from kerasplm.benchmarking import arithmetic, measuring, memory, models, running
from kerasplm.benchmarking.texts import generated, read
from kerasplm.cli_benchmark import benchmark
from kerasplm.demo import MODEL
from kerasplm.errors import ConfigError, DataError

SMALL = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 40,
}
CONFIGS = [
    {},
    {"num_hidden_groups": 1, "embedding_size": 16},
    {"embedding_size": 24, "embedding_projection": "before_norm"},
    {"attention_key_size": 20, "embedding_size": 24},
    {"num_hidden_groups": 1, "inner_group_num": 2, "pooler": "none"},
    {"ffn_groups": 4, "position": "nezha"},
]


@pytest.mark.parametrize("fields", CONFIGS, ids=str)
def test_flops_are_those_of_the_weights(fields):
    config = plm.Config(**SMALL | fields)
    encoder = plm.Encoder(config)
    length = 7
    parts = [encoder.embeddings.projection, *encoder.layers_in_order()]
    weights = [w for part in parts if part is not None for w in part.trainable_weights]
    total = sum(2 * length * int(np.prod(w.shape)) for w in weights if w.ndim > 1)
    if encoder.pooler is not None:
        total += 2 * 24 * 24
    keys = config.key_size * 2
    pairs = length * length * len(encoder.layers_in_order())
    sides = 2 if config.position == "nezha" else 1
    total += 2 * pairs * sides * (keys + 24)
    assert arithmetic.flops(config, [length]) == total
    assert arithmetic.flops(config, [length, length]) == 2 * total


def test_roof_is_that_of_the_fastest_shape(monkeypatch):
    speeds = {(1, 2, 3): 5.0, (4, 5, 6): 7.0}
    monkeypatch.setattr(arithmetic, "_product", lambda kind, n, shape: speeds[shape])
    assert arithmetic.roof("float32", 1, list(speeds)) == 7.0


@pytest.mark.parametrize("kind", running.PRECISIONS)
def test_roof_of_small_matrices(kind, monkeypatch):
    monkeypatch.setattr(arithmetic, "_SECONDS", 0.01)
    assert arithmetic.roof(kind, 2, [(64, 32, 16)]) > 0


def test_generated_texts_are_long_and_short():
    texts = generated(2000)
    sizes = np.array([len(text) for text in texts])
    assert texts[:50] == generated(50)
    assert texts != generated(2000, seed=1)
    assert 28 < np.median(sizes) < 36
    assert 42 < sizes.mean() < 50
    assert sizes.min() >= 2
    assert sizes.max() <= 400
    assert np.log(sizes).std() == pytest.approx(0.85, abs=0.1)


def test_texts_of_a_file(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\ufeff好\n\n 房间很大 \n不好\n", encoding="utf-8")
    assert read(str(file), None) == ["好", "房间很大", "不好"]
    assert read(str(file), 2) == ["好", "房间很大"]
    file.write_text("\n \n", encoding="utf-8")
    with pytest.raises(DataError, match=r"texts\.txt: expected texts"):
        read(str(file), 3)
    file.write_bytes(b"ok\n\xff")
    with pytest.raises(DataError, match=r"texts\.txt: not UTF-8 at byte 3"):
        read(str(file), None)


def test_vocabulary_knows_the_generated_texts():
    tokens = models.vocabulary(21128)
    assert len(tokens) == len(set(tokens)) == 21128
    tokenizer = plm.PythonTokenizer(tokens)
    ids = [i for row in tokenizer.tokenize(generated(300)) for i in row]
    assert np.mean(np.array(ids) == tokenizer.unk_id) < 0.01
    assert len(models.vocabulary(30000)) == 30000
    with pytest.raises(ConfigError, match="5 tokens or more, not 4"):
        models.vocabulary(4)


class Asked:
    """A pipeline that notes what it is asked."""

    def __init__(self, batch_size=2):
        self.batch_size, self.calls = batch_size, []
        self.max_length = 5
        self.tokenizer = plm.PythonTokenizer(models.vocabulary(9000))
        self.encoder = SimpleNamespace(config=plm.Config(**SMALL))

    def __call__(self, items):
        self.calls.append(items)


def test_order_of_the_streams():
    ask = Asked()
    measuring.in_order(ask, ["好好", "好", "不好好"])
    measuring.by_length(ask, ["好好", "好", "不好好"])
    assert ask.calls == [["好好", "好"], ["不好好"], ["好", "好好", "不好好"]]


def test_stream_counts_real_tokens(monkeypatch):
    ask, texts = Asked(), ["好", "一二三四五六", "好吗"]
    assert measuring.lengths_of(ask.tokenizer, texts, 5) == [3, 5, 4]
    # Two readings of the clock for each run; in order: 2, 4 and 3 s.
    ticks = iter([0, 2, 2, 4, 4, 8, 8, 9, 9, 12, 12, 13])
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(ticks))
    found = measuring.stream(ask, texts, 3)
    row = found["in order"]
    assert row["texts/s"] == pytest.approx(3 / 3)
    assert row["tokens/s"] == pytest.approx(12 / 3)
    assert row["±"] == pytest.approx((3 / 2 - 3 / 4) / 2)
    work = arithmetic.flops(ask.encoder.config, [3, 5, 4])
    assert row["GFLOP/s"] == pytest.approx(work / 3e9)
    assert found["sorted"]["texts/s"] == pytest.approx(3 / 1)


def test_latency_is_median_and_tail(monkeypatch):
    times = iter(range(1, 201))
    monkeypatch.setattr(measuring, "seconds", lambda work: work() or next(times) / 1000)
    ask = Asked()
    found = measuring.latency(ask, [str(n) for n in range(80)], 4)
    assert found == {"median ms": pytest.approx(100.5), "p95 ms": pytest.approx(190)}
    assert len(ask.calls) == 5 + 4 * 50


def test_start_that_fails(monkeypatch):
    monkeypatch.setattr(measuring, "_PROCESSES", {"x": ("-c", "raise OSError('no')")})
    with pytest.raises(plm.PLMError, match="OSError: no"):
        measuring.starts(1)


def test_memory_sees_what_is_held():
    known = memory.reset()
    before = memory.peak()
    kept = np.ones(2**24, np.uint8)
    kept[:] = 2
    assert memory.resident() > 16
    assert memory.peak() >= before + (15 if known else 0)


def plan(**changes):
    given = {"texts": ["好", "房间很干净，好。"] * 4, "repeats": 1, "max_length": 16}
    given |= {"batch_size": 4, "roof_shapes": [(16, 8, 8)]}
    return running.Plan(**given | changes)


def test_every_measure_of_a_model(monkeypatch):
    monkeypatch.setattr(measuring, "_PROCESSES", {"Python s": ("-c", "pass")})
    monkeypatch.setattr(arithmetic, "_SECONDS", 0.01)
    told = []
    whole = plan(measures=running.MEASURES, lengths=(12, 6), batches=(2, 1))
    found = running.run([str(MODEL)], whole, told.append)
    assert json.loads(json.dumps(found)) == found
    assert told[0] == "start"
    assert told[-1] == "roof"
    results = found["models"][str(MODEL)]
    assert results["parameters"] == plm.load(MODEL).count_params()
    assert results["load s"] > 0
    assert results["first prediction s"] > 0
    for row in results["stream"].values():
        tokens = row["tokens/s"] / row["texts/s"]
        assert tokens == pytest.approx((3 + 10) / 2)
        share = row["GFLOP/s"] / found["roof"]["float32"]
        assert row["share of roof"] == pytest.approx(share)
    assert results["latency"]["p95 ms"] >= results["latency"]["median ms"] > 0
    assert set(results["tokenizers"]) == {"Python lines/s", "in graph lines/s"}
    points = [(row["length"], row["batch"]) for row in results["curves"]]
    assert points == [(6, 1), (6, 2), (12, 1), (12, 2)]
    for row in results["curves"]:
        assert row["tokens/s"] == pytest.approx(row["length"] * row["texts/s"])
    assert found["start"]["Python s"] > 0


def test_precision_is_that_of_the_layers():
    model, _ = models.classifier(str(MODEL), "bfloat16")
    assert model.encoder.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    batch = {"token_ids": np.array([[2, 7, 3]])}
    assert keras.backend.standardize_dtype(model(batch).dtype) in (
        "bfloat16",
        "float32",
    )


def test_shapes_are_those_of_released_models():
    for name in models.SHAPES.values():
        assert isinstance(plm.load_config(name), plm.Config)
    with pytest.raises(ConfigError, match="family: the shape 'tiny' is not loaded"):
        models.classifier("tiny", family="bert")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "int8"}, "precision must be one of float32, bfloat16"),
        ({"measures": ["speed"]}, "expected measurements among roof, .*found speed"),
        ({"measures": []}, "found none"),
        ({"batch_size": 0}, "batch_size must be positive"),
        ({"repeats": 0}, "repeats must be positive"),
        ({"batches": [0]}, "batches must be positive"),
        ({"lengths": [2]}, "3 tokens or more"),
        ({"texts": []}, "expected texts"),
    ],
)
def test_bad_plans(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


def test_too_long_for_the_model():
    with pytest.raises(ConfigError, match=r"tokens at most. Received: 4000"):
        running.run([str(MODEL)], plan(max_length=4000))


def test_command_writes_what_was_measured(tmp_path, capsys):
    texts = tmp_path / "mine.txt"
    texts.write_text("很好\n房间不大\n不好吃\n", encoding="utf-8")
    names = [tmp_path / f"out.{suffix}" for suffix in ("json", "md", "png")]
    benchmark(
        [str(MODEL)],
        texts=str(texts),
        count=2,
        batch_size=2,
        max_length=12,
        repeats=1,
        only="stream, curves",
        lengths="6",
        batches="1,2",
        output=list(map(str, names)),
    )
    found = json.loads(names[0].read_text(encoding="utf-8"))
    assert found["settings"]["texts"] == 2
    assert found["settings"]["mean_characters"] == 3
    assert set(found["models"][str(MODEL)]) >= {"stream", "curves"}
    assert "latency" not in found["models"][str(MODEL)]
    shown = names[1].read_text(encoding="utf-8")
    assert f"| {MODEL}, in order |" in shown
    for png in (names[2], tmp_path / "out_curves.png"):
        assert imread(io.BytesIO(png.read_bytes())).any()
    assert "raw strings to labels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": ["x.txt"]}, r"x\.txt: expected a name that ends in"),
        ({"count": 0}, "--count must be at least 1"),
        ({"threads": 0}, "--threads must be at least 1"),
        ({"lengths": "32,x"}, "--lengths: expected numbers"),
        ({"batches": ""}, "--batches: expected numbers"),
        ({"only": "speed"}, "found speed"),
        ({"only": "stream", "lengths": "8"}, "--lengths and --batches are of the cur"),
        ({"only": "latency", "output": ["x.png"]}, "a picture shows stream or curves"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        benchmark([str(MODEL)], **options)


def test_threads_of_the_command(tmp_path):
    options = ["--threads=1", "--only=latency", "--count=2", "--repeats=1"]
    command = [sys.executable, "-m", "kerasplm.cli", "benchmark", MODEL, *options]
    file = tmp_path / "r.json"
    done = subprocess.run(
        [*command, "--max-length=8", f"--output={file}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text(encoding="utf-8"))["machine"]["threads"] == 1
