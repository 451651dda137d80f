"""A checkpoint is read with fewer or more rows than it has."""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.errors import VocabError
from kerasplm.families.base import VOCABULARY_AXES
from kerasplm.heads import HEADS
from kerasplm.vocabulary_rows import ResizedVocabulary
from tests.golden import COMPACT
from tests.models import change, rewrite

WORD, BIAS = "encoder/embeddings/word", "mlm/bias"


class Memory:
    """A checkpoint in memory."""

    prefix = "memory"

    sizes = {}
    families = ()

    def __init__(self, **values):
        self.values = {name: np.array(v, "float32") for name, v in values.items()}
        self.shapes = {name: v.shape for name, v in self.values.items()}

    def read(self, name):
        return self.values[name]


def value(model, path):
    return np.asarray(checkpoint.named_weights(model)[path])


def test_rows_and_columns_change_together():
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(6, 3)), rng.normal(size=(2, 6)), rng.normal(size=(6, 6))
    reader = Memory(x=x, y=y, z=z)
    groups = [[0, 1], ([1, 2], [1, 3]), [2, 2, 0]]
    view = ResizedVocabulary(reader, {"x": 0, "y": 1}, (5, 0, 4), iter(groups))
    matrix = np.zeros((6, 6))
    matrix[0, 5] = matrix[1, 0] = matrix[2, 4] = 1  # kept
    matrix[3, [5, 0]] = 0.5  # the ids of groups count kept rows
    matrix[4, [0, 4]] = 0.25, 0.75
    matrix[5, [4, 5]] = 2 / 3, 1 / 3
    np.testing.assert_allclose(view.read("x"), matrix @ x, rtol=1e-6)
    np.testing.assert_allclose(view.read("y"), y @ matrix.T, rtol=1e-6)
    assert view.read("z") is reader.values["z"]
    assert view.shapes == {"x": (6, 3), "y": (2, 6), "z": (6, 6)}
    assert view.read("x").dtype == np.float32
    view = ResizedVocabulary(reader, {"x": 0}, [1, 1])
    np.testing.assert_array_equal(view.read("x"), reader.values["x"][[1, 1]])
    assert view.shapes["x"] == (2, 3)
    assert view.shapes["y"] == (2, 6)


@pytest.mark.parametrize(
    ("keep", "groups", "message"),
    [
        ([0, 6], None, "keep_tokens: expected ids from 0 to 5, found 6 at place 1"),
        ([-1], None, "found -1 at place 0"),
        ([], None, "keep_tokens: expected ids, found none"),
        ([1.0], None, "expected integers, found 1.0 at place 0"),
        ("01", None, "expected integers, found '0' at place 0"),
        (None, [[1], []], r"compound_tokens\[1\]: expected ids, found none"),
        ([0, 1], [[2]], r"compound_tokens\[0\]: expected ids from 0 to 1, found 2"),
        (None, [3], r"compound_tokens\[0\]: expected ids, found 3"),
        (None, ["ab"], r"compound_tokens\[0\]: expected ids, found 'ab'"),
        (None, [([0, 1], [1])], r"one weight for each of 2 ids, found \[1\]"),
        (None, [([0, 1], [1, -1])], "with a sum that is not 0, found"),
        (None, [([0], [float("nan")])], "finite weights"),
        (None, [([0], ["a"])], "weights as numbers"),
        (None, [([], [])], "expected ids, found none"),
    ],
)
def test_bad_rows(keep, groups, message):
    with pytest.raises(VocabError, match=f"memory: .*{message}"):
        ResizedVocabulary(Memory(x=np.zeros((6, 2))), {"x": 0}, keep, groups)


def test_rows_must_agree():
    reader = Memory(x=np.zeros((6, 2)), y=np.zeros(5))
    with pytest.raises(VocabError, match="same number of rows.*x: 6, y: 5"):
        ResizedVocabulary(reader, {"x": 0, "y": 0}, [0])
    with pytest.raises(VocabError, match="no such variable"):
        ResizedVocabulary(reader, {}, [0])


# --- models -------------------------------------------------------------------------


def test_load_with_other_rows(folder, tmp_path):
    rewrite(
        folder,
        lambda tensors: tensors | {"cls/predictions/output_bias": np.arange(60.0)},
    )
    keep, groups = [*range(5), 40, 7], [[5, 6], ([5, 0], [3, 1])]
    full = plm.load(folder, heads="pretraining")
    changes = {"keep_tokens": np.array(keep), "compound_tokens": groups}
    model = plm.load(folder, heads="pretraining", **changes)
    assert model.encoder.config == full.encoder.config.replace(vocab_size=9)
    assert model.load_report.rows == (60, 7, 2)
    assert "vocabulary: 7 of 60 rows kept, 2 made of them" in str(model.load_report)
    assert full.load_report.rows is None
    assert "vocabulary" not in str(full.load_report)
    np.testing.assert_array_equal(
        value(model, BIAS), [0, 1, 2, 3, 4, 40, 7, 23.5, 30.0]
    )
    word = value(full, WORD).astype("float64")
    np.testing.assert_array_equal(value(model, WORD)[:7], word[keep])
    made = [(word[40] + word[7]) / 2, (3 * word[40] + word[0]) / 4]
    np.testing.assert_allclose(value(model, WORD)[7:], made, rtol=1e-6)
    # The same tokens under their new ids give the same states and logits.
    old = {"token_ids": np.array([[2, 40, 7, 3]])}
    new = {"token_ids": np.array([[2, 5, 6, 3]])}
    out, theirs = model(new), full(old)
    np.testing.assert_allclose(
        out["sequence_output"], theirs["sequence_output"], atol=1e-6
    )
    logits = np.asarray(theirs["mlm_logits"])[..., keep]
    np.testing.assert_allclose(out["mlm_logits"][..., :7], logits, atol=1e-5)

    plm.save_checkpoint(model, tmp_path / "small" / "bert_model.ckpt")
    again = plm.load(tmp_path / "small", heads="pretraining")
    assert again.encoder.config == model.encoder.config
    assert again.load_report.rows is None
    for path in checkpoint.named_weights(model):
        np.testing.assert_array_equal(value(again, path), value(model, path), path)
    assert json.loads((tmp_path / "small" / "bert_config.json").read_text())[
        "vocab_size"
    ] == 9  # fmt: skip


def test_load_checks_the_checkpoint_first(folder):
    """A configuration that contradicts the weights is not hidden by the change."""
    change(folder, {"vocab_size": 59})
    with pytest.raises(plm.PLMError, match="vocab_size is 59 but the weights say 60"):
        plm.load(folder, keep_tokens=range(10))
    with pytest.raises(VocabError, match="keep_tokens: expected ids from 0 to 59"):
        plm.load(folder, keep_tokens=[60], vocab_size=60)
    assert plm.load(folder, keep_tokens=[5, 6], vocab_size=2).config.vocab_size == 2
    with pytest.raises(plm.PLMError, match="wrong shape: encoder/embeddings/word"):
        plm.load(folder, keep_tokens=[5, 6], vocab_size=60)


EVERY = [p.parent for p in sorted(COMPACT.glob("*/meta.json")) if not p.match("ft_*/*")]
EVERY = [p for p in EVERY if list(p.glob("*.index")) and p.name != "helpers_tf1"]


@pytest.mark.parametrize("place", EVERY, ids=lambda p: p.name)
def test_every_family_changes_its_rows(place):
    """Table, bias and decoder of all families, with and without factorised tables."""
    options = {"heads": "pretraining"}
    if "electra" in place.name and "bert4keras" not in place.name:
        options["part"] = "generator"
    full = plm.load(place, **options)
    count = full.encoder.config.vocab_size
    keep = [0, *range(count - 7, count)]
    changes = {"keep_tokens": keep, "compound_tokens": [[1, 2]]}
    model = plm.load(place, **options, **changes)
    assert model.encoder.config.vocab_size == len(keep) + 1
    for path in checkpoint.named_weights(full):
        theirs = value(full, path)
        if path in VOCABULARY_AXES:
            axis = VOCABULARY_AXES[path]
            kept = np.take(theirs, keep, axis).astype("float64")
            made = np.take(kept, [1, 2], axis).mean(axis, keepdims=True)
            theirs = np.concatenate([kept, made], axis).astype("float32")
        np.testing.assert_allclose(value(model, path), theirs, rtol=1e-6, err_msg=path)
    heads = getattr(model, "heads", ())
    if "mlm" in heads:
        out = model({"token_ids": np.array([[1, 2, 8]])})
        assert out["mlm_logits"].shape == (1, 3, len(keep) + 1)
    assert set(heads) <= set(HEADS)


def test_hugging_face_folder_changes_its_rows(folder, tmp_path):
    pytest.importorskip("safetensors")
    model = plm.load(folder, heads="pretraining", hidden_act="gelu_erf")
    plm.save_huggingface(model, tmp_path / "hf")
    small = plm.load(tmp_path / "hf", keep_tokens=[9, 8], compound_tokens=[[0, 1]])
    word = value(model, WORD).astype("float64")
    expected = [word[9], word[8], (word[9] + word[8]) / 2]
    np.testing.assert_allclose(value(small, WORD), expected, rtol=1e-6)
