"""Vectors of texts and tokens, how alike texts are, and the two commands."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm.cli import app
from kerasplm.errors import ConfigError, DataError
from kerasplm.pipelines import split_line
from tests.asking import VOCAB, encoder, softmax, texts, tokenizer, write


@pytest.fixture(scope="module")
def model():
    return encoder()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    full = plm.PretrainedModel(model, ["mlm", "sentence_pair"])
    return write(full, tmp_path_factory.mktemp("model"))


def states(model, text, pair=None, max_length=24):
    pairs = None if pair is None else [pair]
    batch = tokenizer()([text], pairs, max_length=max_length)
    out = model(batch, return_hidden_states=True)
    hidden = [np.asarray(x)[0] for x in out["hidden_states"][1:]]
    return (
        np.asarray(batch["token_ids"])[0],
        hidden,
        np.asarray(out["pooled_output"])[0],
    )


POOLINGS = {
    "default": ({}, lambda h, p: h[1].mean(0)),
    "cls": ({"pooling": "cls"}, lambda h, p: h[1][0]),
    "max": ({"pooling": "max"}, lambda h, p: h[1].max(0)),
    "pooled": ({"pooling": "pooled"}, lambda h, p: p),
    "first_last": (
        {"pooling": "first_last"},
        lambda h, p: (h[0].mean(0) + h[1].mean(0)) / 2,
    ),
    "first": ({"layers": [0]}, lambda h, p: h[0].mean(0)),
    "two": (
        {"pooling": "max", "layers": [-1, -2]},
        lambda h, p: ((h[0] + h[1]) / 2).max(0),
    ),
}


@pytest.fixture(scope="module")
def known(model):
    """Some texts and a pair, with all states of each, computed one at a time."""
    items = [*texts(30), ("这店", "好")]
    pairs = [item if isinstance(item, tuple) else (item,) for item in items]
    return items, [states(model, *pair)[1:] for pair in pairs]


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling(model, known, name):
    options, formula = POOLINGS[name]
    extract = plm.pipeline(
        "feature-extraction", model, tokenizer(), batch_size=4, **options
    )
    items, inside = known
    found = extract.vectors(items)
    for vector, (hidden, pooled) in zip(found, inside, strict=True):
        np.testing.assert_allclose(vector, formula(hidden, pooled), atol=2e-5)
    assert extract.traces == 1
    assert extract(items[3:5]) == [
        {"vector": pytest.approx(vector.tolist(), abs=2e-5)} for vector in found[3:5]
    ]
    assert extract.vectors([]).shape == (0, 16)


def test_bad_choices(model):
    for options, message in (
        ({"pooling": "sum"}, "pooling must be one of mean, cls"),
        ({"pooling": "pooled", "layers": [-1]}, "pooling='pooled' takes no layers"),
        ({"layers": [2]}, r"layers must be in \[-2, 2\)"),
        ({"stride": 3}, "stride: no such option for 'feature-extraction'"),
    ):
        with pytest.raises(ConfigError, match=message):
            plm.pipeline("feature-extraction", model, tokenizer(), **options)
    seq2seq = plm.Seq2Seq(plm.Seq2SeqConfig(vocab_size=40))
    with pytest.raises(ConfigError, match="with an encoder, found a Seq2Seq"):
        plm.pipeline("feature-extraction", seq2seq, tokenizer())


def test_lines_of_extract_features(model, tmp_path):
    extract = plm.pipeline(
        "feature-extraction", model, tokenizer(), max_length=9, batch_size=2
    )
    lines = ["这店很好\n", " 手机 ||| 很慢 ||| 很丑 \n", "\n", "abc这店很好这店很好\n"]
    extract.write_tokens(tmp_path / "out.jsonl", map(split_line, lines), [-1, 0])
    rows = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    inputs = [("这店很好",), ("手机 ||| 很慢", "很丑"), ("",), ("abc这店很好这店很好",)]
    for n, (row, given) in enumerate(zip(rows, inputs, strict=True)):
        ids, hidden, _ = states(model, *given, max_length=9)
        record = json.loads(row)
        assert list(record) == ["linex_index", "features"]
        assert record["linex_index"] == n
        assert [f["token"] for f in record["features"]] == [VOCAB[i] for i in ids]
        for t, token in enumerate(record["features"]):
            assert [layer["index"] for layer in token["layers"]] == [-1, 0]
            for layer in token["layers"]:
                wanted = hidden[layer["index"]][t]
                np.testing.assert_allclose(layer["values"], wanted, atol=2e-5)
                assert all(round(x, 6) == x for x in layer["values"])
    with pytest.raises(ConfigError, match="layers must be in"):
        list(extract.tokens(["好"], [5]))


def test_cosines(model):
    compare = plm.pipeline("similarity", model, tokenizer())
    _, one, _ = states(model, "这店很好")
    _, two, _ = states(model, "手机慢")
    a, b = one[-1].mean(0), two[-1].mean(0)
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    found = compare("这店很好", "手机慢")
    assert found == {"score": pytest.approx(cosine, abs=2e-5)}
    assert compare([("这店很好", "手机慢")] * 3) == [found] * 3
    matrix = compare(["这店很好", "手机慢"], ["手机慢", "这店很好", ""])
    assert np.shape(matrix) == (2, 3)
    assert matrix[0][:2] == pytest.approx([cosine, 1.0], abs=2e-5)
    with pytest.raises(
        DataError, match="input 0: expected a tuple or dict of text, pair"
    ):
        compare("这店很好")
    with pytest.raises(
        DataError, match="expected a text or a list of texts, found int"
    ):
        compare(["好"], 3)
    with pytest.raises(ConfigError, match="found a Encoder, which gives cosines"):
        compare.predict_sentences([("a", "b")])


def test_a_classifier_of_pairs_compares_itself(tmp_path):
    judge = plm.Classifier(encoder(), ["0", "1"], pair=True)
    folder = write(judge, tmp_path)
    compare = plm.pipeline("similarity", folder)
    pairs = [("这店很好", "店好"), ("手机", "慢"), ("", "")]
    batch = tokenizer()([a for a, _ in pairs], [b for _, b in pairs])
    wanted = softmax(judge(batch))
    found = compare.predict_sentences(pairs)
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    answers = compare(pairs)
    assert [a["score"] for a in answers] == pytest.approx(wanted[:, 1], abs=2e-6)
    np.testing.assert_allclose(answers[0]["probabilities"], wanted[0], atol=2e-6)
    square = compare(["这店很好", "手机"], ["慢", "店好"])
    assert square[1][0] == pytest.approx(wanted[1, 1], abs=2e-6)
    for labels, pair in ((["0", "1"], False), (["0", "1", "2"], True)):
        other = plm.Classifier(encoder(), labels, pair=pair)
        with pytest.raises(ConfigError, match="a classifier of pairs with two classes"):
            plm.pipeline("similarity", other, tokenizer())


def run(*args, given=None, fails=None):
    done = CliRunner().invoke(app, [*map(str, args)], input=given)
    if fails is None:
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output
    assert str(done.exception).startswith(fails), done.exception
    return None


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_command_predict(folder, tmp_path):
    common = ("predict", "--model", folder, "--task=fill-mask")
    out = run(*common, "--input=-", given="这店[MASK]\n很[MASK]\n")
    guess = plm.pipeline("fill-mask", folder)
    wanted = guess(["这店[MASK]", "很[MASK]"])
    assert [json.loads(line) for line in out.splitlines()] == wanted
    source, target = tmp_path / "in.jsonl", tmp_path / "out" / "answers.jsonl"
    source.write_text('{"id": "x", "text": "很[MASK]"}\n"这店[MASK]"\n', "utf-8")
    run(*common, "--input", source, "--output", target)
    rows = read(target)
    assert rows == [{"id": "x", **wanted[1]}, wanted[0]]
    source.write_text('"很[MASK]"\n{\n', "utf-8")
    other = tmp_path / "no.jsonl"
    run(*common, "--input", source, "--output", other, fails=f"{source}: line 2: not J")
    source.write_text('"很好"\n', "utf-8")
    wrong = f"{source}: input 0: expected [MASK]"
    run(*common, "--input", source, "--output", other, fails=wrong)
    assert not other.exists()
    run("predict", "--model", folder, "--input=-", fails=f"{folder}: nothing beside")


def test_command_predict_reads_columns(tmp_path):
    folder = write(plm.Classifier(encoder(), ["0", "1"], pair=True), tmp_path / "m")
    source = tmp_path / "in.tsv"
    source.write_text("id\tsentence2\tsentence1\n7\t店好\t这店很好\n", "utf-8")
    out = run("predict", "--model", folder, "--input", source)
    wanted = plm.pipeline("text-classification", folder)(("这店很好", "店好"))
    assert json.loads(out) == {"id": "7", **wanted}
    lines = ("predict", "--model", folder, "--input=-")
    assert json.loads(run(*lines, given="这店很好\t店好\n")) == wanted
    source.write_text("sentence1\tsentence2\n好\n", "utf-8")
    wrong = f"{source}: line 2: expected 2 columns, found 1"
    run("predict", "--model", folder, "--input", source, fails=wrong)


def test_command_embed(folder, tmp_path):
    common = ("embed", "--model", folder, "--input=-")
    given = "这店很好\n手机 ||| 慢\n"
    run(*common, "--output", tmp_path / "a.npz", "--pooling=max", given=given)
    extract = plm.pipeline("feature-extraction", folder, pooling="max")
    items = ["这店很好", ("手机", "慢")]
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["vectors"], extract.vectors(items))
    run(*common, "--output", tmp_path / "b.jsonl", "--layers=-1,0", given=given)
    rows = read(tmp_path / "b.jsonl")
    extract = plm.pipeline("feature-extraction", folder, layers=[-1, 0])
    assert rows == extract(items)
    tokens = (*common, "--pooling=tokens", "--layers=-2")
    run(*tokens, "--output", tmp_path / "c.jsonl", given=given)
    rows = read(tmp_path / "c.jsonl")
    assert rows == list(extract.tokens(items, [-2]))
    run(*tokens, "--output", tmp_path / "d.npz", fails=f"{tmp_path / 'd.npz'}: the ve")
    run(*common, "--output", tmp_path / "d.txt", fails=f"{tmp_path / 'd.txt'}: expect")
    wrong = (*common, "--layers=a", "--output", tmp_path / "d.npz")
    run(*wrong, fails="layers: expected numbers")
