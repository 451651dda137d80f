"""An exported generator writes what `generate` writes, elsewhere."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.detokenizer import Detokenizer
from kerasplm.errors import ConfigError, ExportError, VocabError
from kerasplm.files import read_json
from kerasplm.generation import exporting
from kerasplm.generation.draws import draws
from kerasplm.vocab import decode_tokens
from tests.asking import ODD, VOCAB, encoder, texts, write
from tests.server import serve_all
from tests.test_pipelines_vectors import run

# Tokens that stand in Chinese vocabularies, and some that could.
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "", "##", "[", "]", "[x", "##[", "'"]
TOKENS += ["re", "m", "s", "##s", "ve", ".", ",", "-", "(", "3", "4", "##5", "３", "٣"]
TOKENS += ["##.", "+", "<", "“", "，", "。", "…", "·", "你", "好", "ab", "a你", "你a"]
TOKENS += ["##你", "\u3000", "##\u3000x", "\x1c", "x\x1f", "##\u2028", "é", "😀", "a b"]
SOURCES = ["这店很好", "", "手机abc慢，人", *ODD[2:], *texts(30)[-4:]]


@pytest.fixture(scope="module")
def tokenizer():
    return plm.Tokenizer(VOCAB)


def generator(**fields):
    config = encoder().config.replace(num_hidden_layers=1, **fields)
    keras.utils.set_random_seed(4)
    return plm.PretrainedModel(plm.Encoder(config), ["mlm"])


def seq2seq():
    return plm.Seq2Seq(
        plm.Seq2SeqConfig(
            vocab_size=len(VOCAB),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            attention_head_size=8,
            intermediate_size=24,
            initializer_range=0.9,
        )
    )


# --- the parts --------------------------------------------------------------------


@pytest.mark.parametrize("room", [1, 2, 12, 33])
def test_detokenizer_is_decode(room):
    rng = np.random.default_rng(room)
    ids = rng.integers(0, len(TOKENS), (40, 10, room))
    lengths = rng.integers(0, room + 1, (40, 10))
    detokenize = tf.function(Detokenizer(TOKENS))
    found = detokenize(tf.constant(ids, tf.int32), tf.constant(lengths, tf.int32))
    for rows, some, answers in zip(ids, lengths, found.numpy(), strict=True):
        for row, n, text in zip(rows, some, answers, strict=True):
            assert text.decode() == decode_tokens(TOKENS[i] for i in row[:n])


def test_detokenizer_of_real_words(tokenizer):
    ids = np.random.default_rng(0).integers(0, len(VOCAB), (50, 20))
    found = Detokenizer(VOCAB)(tf.constant(ids, tf.int32), tf.fill([50], 20))
    assert [text.decode() for text in found.numpy()] == tokenizer.decode(ids)
    none = Detokenizer(VOCAB)(tf.zeros([0, 3, 5], tf.int32), tf.zeros([0, 3], "int32"))
    assert none.shape == (0, 3)


def test_draws_are_those_of_numpy():
    numbers = [0, 1, 3, 2**32 - 1]
    traced = tf.function(draws)
    for seed in (0, 7, 2**32 - 1, 2**32, 2**62 + 3):
        for count in (1, 2, 31):
            found = traced(np.int64(seed), tf.constant(numbers, tf.int64), count)
            for number, row in zip(numbers, found.numpy(), strict=True):
                rng = np.random.default_rng([seed, number])
                np.testing.assert_array_equal(row, rng.random(count, "float32"))


# --- the SavedModel ---------------------------------------------------------------

CASES = {
    "unilm greedy": ({"attention": "unilm"}, {"max_length": 9}),
    "unilm beams of pairs": (
        {"attention": "unilm"},
        {
            "pair": True,
            "max_length": 7,
            "beams": 3,
            "length_penalty": 0.7,
            "min_length": 2,
            "no_repeat_ngram": 2,
            "repetition_penalty": 1.3,
            "repetition_exempt": ["好"],
            "suppress": ["[UNK]", "的"],
            "max_source_length": 9,
        },
    ),
    # As NEZHA-Gen, of which nothing limits the length.
    "nezha samples": (
        {"attention": "causal", "position": "nezha", "max_relative_position": 5},
        {
            "max_length": 6,
            "samples": 3,
            "top_k": 9,
            "top_p": 0.9,
            "temperature": 0.8,
            "max_source_length": 6,
            "end": None,
        },
    ),
    "seq2seq": (None, {"max_length": 6, "beams": 2, "start": "这", "end": "。"}),
}


@pytest.fixture(scope="module")
def served(tokenizer, tmp_path_factory):
    """Models, and what their exports answer, all in one process of their own."""
    place, models = tmp_path_factory.mktemp("exports"), {}
    jobs = []
    for name, (fields, options) in CASES.items():
        models[name] = seq2seq() if fields is None else generator(**fields)
        folder = place / name
        plm.export_generator(models[name], tokenizer, folder, **options)
        given = {"text": SOURCES}
        if options.get("pair"):
            given["text_pair"] = SOURCES[::-1]
        if "samples" in options:
            given["seed"] = 5
        cut = {key: x[:2] if isinstance(x, list) else x for key, x in given.items()}
        jobs.append((folder, [given, cut]))
    assert sorted(os.listdir(place)) == sorted(CASES)
    return models, dict(zip(CASES, serve_all(*jobs), strict=True)), place


@pytest.mark.parametrize("name", CASES)
def test_it_writes_what_generate_writes(name, tokenizer, served):
    models, answers, _ = served
    fields, options = CASES[name]
    if name == "unilm greedy":  # what the 24 positions leave
        options = {"max_source_length": 24 - 9 + 1} | options
    sources = SOURCES
    options = dict(options)
    if options.pop("pair", False):
        sources = list(zip(SOURCES, SOURCES[::-1], strict=True))
    live = plm.generate(models[name], tokenizer, sources, seed=5, **options)
    assert answers[name] == [{"text": live}, {"text": live[:2]}]
    assert len(set(map(str, live))) > 2


def test_no_texts_and_bad_seeds(served):
    loaded = tf.saved_model.load(str(served[2] / "nezha samples"))
    draw = loaded.signatures["serving_default"]
    out = draw(text=tf.zeros([0], tf.string), seed=tf.constant(1, tf.int64))
    assert out["text"].shape == (0, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="seed must not be neg"):
        draw(text=tf.constant(["好"]), seed=tf.constant(-1, tf.int64))


def test_what_differs_is_an_error(tokenizer, served, tmp_path, monkeypatch):
    models, _, place = served
    name = "unilm greedy"

    def written(target, serve, model, tokenizer, finish):
        finish(place / name)

    monkeypatch.setattr(exporting, "write_saved_model", written)
    monkeypatch.setattr(exporting, "generate", lambda *_, **__: ["", "x", "y", "z"])
    with pytest.raises(ExportError, match="expected '.*', the SavedModel generates"):
        plm.export_generator(models[name], tokenizer, tmp_path / "x", max_length=9)


def test_refusals(tokenizer, tmp_path):
    model = generator(attention="unilm")
    words = plm.PythonTokenizer(VOCAB, pre_tokenize=list)
    for wrong, tokens, options, error, message in (
        (model, words, {}, ConfigError, "vocabulary of words has none"),
        (model.encoder, tokenizer, {}, ConfigError, "found a Encoder"),
        (generator(), tokenizer, {}, ConfigError, "found 'bidirectional'"),
        (model, tokenizer, {"choices": ["好"]}, ConfigError, "choices: cannot be ex"),
        (model, tokenizer, {"extract": True}, ConfigError, "extract: cannot be ex"),
        (model, tokenizer, {"top": 1}, ConfigError, "top: no such option; there a"),
        (model, tokenizer, {"suppress": "好"}, ConfigError, "suppress must be a list"),
        (model, tokenizer, {"beams": 0}, ConfigError, "beams must be a whole"),
        (model, tokenizer, {"end": "<end>"}, VocabError, "<end>"),
        (model, tokenizer, {"max_length": 23}, ConfigError, "at least 3 tokens of a s"),
        (
            model,
            tokenizer,
            {"max_length": 9, "max_source_length": 17},
            ConfigError,
            "no more than the 24 positions",
        ),
        (seq2seq(), tokenizer, {"max_source_length": 2}, ConfigError, "at least 3. R"),
        (seq2seq(), plm.Tokenizer([*VOCAB, "x"]), {}, VocabError, "rows"),
    ):
        with pytest.raises(error, match=message):
            plm.export_generator(
                wrong, tokens, tmp_path / "x", **{"max_length": 4, **options}
            )
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match="is not a SavedModel; left alone"):
        plm.export_generator(model, tokenizer, tmp_path / "x", max_length=4)
    assert os.listdir(tmp_path) == ["x"]


# --- the command ------------------------------------------------------------------


def test_command(tokenizer, tmp_path):
    model = generator(attention="unilm")
    place = write(model, tmp_path)
    choices = ("max_length=4", "samples=2", "top_k=3", 'suppress=["[UNK]"]', "end=。")
    common = ["export", "--model", place, "--output", tmp_path / "x"]
    run(*common, "--generate", *(f"--set={x}" for x in choices), "--max-length=8")
    loaded = tf.saved_model.load(str(tmp_path / "x")).signatures["serving_default"]
    found = loaded(text=tf.constant(SOURCES), seed=tf.constant(3, tf.int64))["text"]
    options = {"max_length": 4, "samples": 2, "top_k": 3, "suppress": ["[UNK]"]}
    live = plm.generate(
        model, tokenizer, SOURCES, seed=3, end="。", max_source_length=8, **options
    )
    assert [[x.decode() for x in row] for row in found.numpy()] == live
    card = read_json(tmp_path / "x" / "assets.extra" / "generate.json")
    assert (card["samples"], card["suppress"], card["pair"]) == (2, ["[UNK]"], False)
    assert (card["max_source_length"], card["end"]) == (8, "。")
    run(*common, "--set=beams=2", fails="--set, --pair and --attention are for --gener")
    wrong = "batch_size: no such option; there are max_length, "
    run(*common, "--generate", "--set=batch_size=2", fails=wrong)
    wrong = "beams: expected int, found 'two'"
    run(*common, "--generate", "--set=beams=two", fails=wrong)
