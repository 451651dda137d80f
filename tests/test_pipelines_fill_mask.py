"""Guess the words under [MASK]."""

import json

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from tests.asking import VOCAB, encoder, softmax, tokenizer, write
from tests.golden import COMPACT


@pytest.fixture(scope="module")
def model():
    return plm.PretrainedModel(encoder(), ["mlm", "sentence_pair"])


@pytest.fixture(scope="module")
def guess(model):
    return plm.pipeline("fill-mask", model, tokenizer(), batch_size=3)


def expected(model, words):
    """Return the probabilities of all tokens at each mask."""
    ids = [VOCAB.index(word) for word in ("[CLS]", *words, "[SEP]")]
    shares = softmax(model({"token_ids": np.array([ids])})["mlm_logits"])[0]
    return [shares[n] for n, i in enumerate(ids) if i == VOCAB.index("[MASK]")]


def test_candidates_are_the_best_of_the_model(model, guess):
    answer = guess("这店[MASK]很[MASK]")
    assert json.loads(json.dumps(answer)) == answer
    shares = expected(model, ["这", "店", "[MASK]", "很", "[MASK]"])
    for mask, wanted in zip(answer["masks"], shares, strict=True):
        best = np.argsort(-wanted)[:5]
        found = mask["candidates"]
        assert [one["token"] for one in found] == [VOCAB[n] for n in best]
        np.testing.assert_allclose([one["score"] for one in found], wanted[best], 1e-5)


def test_other_characters_stay_as_they_are(guess):
    text = "ÉCOLE\u200b [MASK]  店😀[MASK][MASK]"
    answer = guess(text)
    rest = text
    for mask in reversed(answer["masks"]):
        assert text[mask["start"] : mask["end"]] == "[MASK]"
        word = mask["candidates"][0]["token"].removeprefix("##")
        rest = rest[: mask["start"]] + word + rest[mask["end"] :]
        for one in mask["candidates"]:
            word = one["token"].removeprefix("##")
            assert one["text"] == text[: mask["start"]] + word + text[mask["end"] :]
    assert answer["text"] == rest
    assert len(answer["masks"]) == 3


def test_masks_of_a_long_text_are_guessed_with_most_context(model):
    guess = plm.pipeline("fill-mask", model, tokenizer(), max_length=10)
    text = "很" * 5 + "[MASK]" + "好" * 20 + "[MASK]" + "不" * 3
    masks = guess(text)["masks"]
    words = ["很"] * 5 + ["[MASK]"] + ["好"] * 20 + ["[MASK]"] + ["不"] * 3
    # Windows of 8 begin 4 apart; the last one is shorter.
    cuts = [(n, min(n + 8, 30)) for n in range(0, 28, 4)]
    for mask, place in zip(masks, (5, 26), strict=True):
        margins = {(a, b): min(place - a, b - 1 - place) for a, b in cuts}
        start, end = max(cuts, key=lambda cut: margins[cut])
        assert (start, end) == ((0, 8) if place == 5 else (24, 30))
        (wanted,) = expected(model, words[start:end])
        assert mask["candidates"][0]["token"] == VOCAB[int(wanted.argmax())]
        assert mask["candidates"][0]["score"] == pytest.approx(wanted.max(), rel=1e-5)


def test_targets_restrict_the_guesses(model):
    options = {"targets": ["好", "B", "##c", "好"], "top_k": 9}
    guess = plm.pipeline("fill-mask", model, tokenizer(), **options)
    (mask,) = guess("很[MASK]")["masks"]
    (shares,) = expected(model, ["很", "[MASK]"])
    found = {one["token"]: one["score"] for one in mask["candidates"]}
    wanted = {word: shares[VOCAB.index(word)] for word in ("好", "b", "##c")}
    assert found == pytest.approx(wanted, rel=1e-5)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for bad in (["好吃"], ["龘"], [""], [], "好"):
        with pytest.raises(ConfigError, match="targets"):
            plm.pipeline("fill-mask", model, tokenizer(), targets=bad)


def test_words_of_a_word_vocabulary(model):
    words = tokenizer(pre_tokenize=lambda text: text.replace("手机", " 手机 ").split())
    guess = plm.pipeline("fill-mask", model, words, targets=["天气", "手机"])
    (mask,) = guess("[MASK]手机")["masks"]
    (shares,) = expected(model, ["[MASK]", "手机"])
    best = max(("天气", "手机"), key=lambda word: shares[VOCAB.index(word)])
    assert mask["candidates"][0]["text"] == best + "手机"


def test_batches_order_and_one_graph(model, guess):
    rng = np.random.default_rng(0)
    items = [
        "很" * rng.integers(30) + "[MASK]好" * rng.integers(1, 4) for _ in range(50)
    ]
    answers = guess(items)
    alone = [guess(item) for item in items]
    for many, one in zip(answers, alone, strict=True):
        assert many["text"] == one["text"]
        assert [m["start"] for m in many["masks"]] == [m["start"] for m in one["masks"]]
    assert guess.traces == 1


def test_what_cannot_be_guessed_is_refused(model, guess, tmp_path):
    with pytest.raises(
        DataError, match=r"input 1: expected \[MASK\] in the text, found"
    ):
        guess(["[MASK]", "很好"])
    with pytest.raises(DataError, match="input 0: expected a str, found int"):
        guess([4])
    with pytest.raises(ConfigError, match="top_k must be positive"):
        plm.pipeline("fill-mask", model, tokenizer(), top_k=0)
    with pytest.raises(
        ConfigError, match="expected a PretrainedModel with an MLM head"
    ):
        plm.pipeline("fill-mask", encoder(), tokenizer())
    without = plm.PythonTokenizer([w if w != "[MASK]" else "[unused]" for w in VOCAB])
    with pytest.raises(ConfigError, match=r"the vocabulary has no \[MASK\]"):
        plm.pipeline("fill-mask", model, without)


def test_electra_guesses_with_its_generator(tmp_path):
    discriminator = plm.PretrainedModel(encoder(), ["rtd"])
    with pytest.raises(ConfigError, match="pass part='generator'"):
        plm.pipeline("fill-mask", discriminator, tokenizer())
    rows = [*VOCAB, *(f"[unused{n}]" for n in range(300 - len(VOCAB)))]
    options = {"tokenizer": plm.PythonTokenizer(rows)}
    with pytest.raises(ConfigError, match="pass part='generator'"):
        plm.pipeline("fill-mask", COMPACT / "electra_zh", **options)
    guess = plm.pipeline(
        "fill-mask", COMPACT / "electra_zh", part="generator", **options
    )
    assert "mlm" in guess.model.heads


def test_a_folder(model, tmp_path, guess):
    folder = write(model, tmp_path)
    answer = plm.pipeline("fill-mask", folder)("这店[MASK]")
    assert answer == guess("这店[MASK]")
