"""Models in 16 bits: loaded so, near float32, and never set for the whole process."""

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm import precision, tensorflow_kernels
from kerasplm.errors import ConfigError
from kerasplm.tasks.judging import Judge
from tests.asking import encoder, texts, tokenizer, write
from tests.models import tiny_seq2seq
from tests.test_shared_rows import KINDS, tools_of

# Their steps are 2^-8 and 2^-11 of a number, and the weights of this model are wide.
HALF = {"bfloat16": 0.1, "float16": 0.0125}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return write(plm.Classifier(encoder(), ["差", "好"]), folder)


@pytest.mark.parametrize("dtype", HALF)
def test_weights_and_answers(place, dtype):
    full = plm.load(place, heads="task")
    half = plm.load(place, heads="task", precision=dtype)
    assert keras.config.dtype_policy().name == "float32"
    assert {w.dtype for w in full.weights if "seed" not in w.path} == {"float32"}
    assert {w.dtype for w in half.weights if "seed" not in w.path} == {dtype}
    batch = tokenizer()(texts(20), max_length=16)
    found, wanted = keras.ops.cast(half(batch), "float32"), full(batch)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=HALF[dtype])
    assert not np.array_equal(found, wanted)


def test_pipelines_take_it(place):
    exact = plm.pipeline("text-classification", place)
    quick = plm.pipeline("text-classification", place, precision="bfloat16")
    assert quick.model.compute_dtype == "bfloat16"
    for one, other in zip(quick(texts(30)), exact(texts(30)), strict=True):
        assert one["probabilities"]["好"] == pytest.approx(
            other["probabilities"]["好"], abs=0.02
        )
    extract = plm.pipeline("feature-extraction", place, precision="bfloat16")
    vectors = extract.vectors(texts(5))
    assert vectors.dtype == "float32"
    wanted = plm.pipeline("feature-extraction", place).vectors(texts(5))
    np.testing.assert_allclose(vectors, wanted, rtol=0, atol=0.1)


def test_a_model_that_writes_takes_it(tmp_path):
    model = tiny_seq2seq()
    plm.save_checkpoint(model, tmp_path / "model.ckpt", family=model.family)
    half = plm.load(tmp_path, precision="bfloat16")
    assert half.compute_dtype == "bfloat16"


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_every_kind_are_judged_in_16_bits(kind):
    """As a fine-tuning judges them, whose weights stay float32."""
    task, rows, module, choices = KINDS[kind]
    settings = task.settings(batch_size=4, **choices)
    losses = {}
    for dtype in ("float32", *HALF):
        keras.utils.set_random_seed(0)
        with precision.computed_in(dtype, mixed=True):
            cut, body = tools_of(module)
            model = task.model(body, settings=settings)
        features = task.features(rows, cut, settings)
        losses[dtype] = Judge(task, model, settings, cut).score(rows, features)["loss"]
        assert model.compute_dtype == dtype
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.01)
    assert losses["float16"] == pytest.approx(losses["float32"], rel=0.002)


def test_it_is_checked(place):
    with pytest.raises(ConfigError, match=r"one of float32, bfloat16.*'int4'"):
        plm.load(place, precision="int4")
    with pytest.raises(ConfigError, match="precision: a model that is loaded already"):
        plm.pipeline("feature-extraction", encoder(), tokenizer(), precision="bfloat16")


@pytest.mark.parametrize(
    ("flags", "warned"), [("avx512f avx512_bf16", False), ("avx512f fma", True)]
)
def test_a_processor_without_bfloat16_is_told(
    flags, warned, tmp_path, monkeypatch, caplog
):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor : 0\nflags : fpu {flags}\n")
    monkeypatch.setattr(precision, "_PROCESSOR", file)
    monkeypatch.setattr(tensorflow_kernels, "only_cpu", lambda: True)
    precision._warn_of_slow_numbers.cache_clear()
    for _ in range(2):
        with precision.computed_in("bfloat16", mixed=True):
            pass
    precision._warn_of_slow_numbers.cache_clear()
    assert len(caplog.records) == warned
    if warned:
        assert "float32 is faster" in caplog.text
