"""The fast way of the tokenizer in graph, for texts of plain characters."""

import random
from pathlib import Path

import pytest
import tensorflow as tf

from kerasplm.characters import RULES, CharRules
from kerasplm.plain_text import PlainText, _plain_codes, _ranges
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tokenizer import Tokenizer
from kerasplm.vocab import Vocabulary

VOCAB = Path(__file__).parent / "goldens" / "tokenizer" / "vocab.txt"
OPTIONS = [RULES["bert_lower"], RULES["bert_cased"], RULES["nezha_squad_lower"]]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_common_characters_are_plain(options):
    rules = CharRules(**options)
    plain = _plain_codes(rules)
    for char in "az09 !?,.[]{}中国龥㐀，。！？：；（）《》“”‘’…—、·":
        assert ord(char) in plain, char
    for char in "éがΣ①～\0\ufffd\u0301Ａ":
        assert ord(char) not in plain, char
    # Upper case is folded before the question.
    assert (ord("A") in plain) == (not rules.lowercase)


def test_ranges():
    assert _ranges([9, 2, 3, 1]) == r"\x{1}-\x{3}\x{9}-\x{9}"


def test_texts_that_are_not_plain_are_left_to_others():
    words = Vocabulary.of(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "好", "ok", "##ay"])
    read = PlainText(words, CharRules(), 6)
    texts = ["好 OKAY", "好é", "", "okokoko"]
    ids, plain = read(tf.constant(texts))
    assert plain.numpy().tolist() == [True, False, True, True]
    assert ids.to_list() == [[4, 5, 6], [], [], [1]]
    assert not read(tf.constant([b"\xff"]))[1].numpy()[0]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_mixed_batches_stay_in_order(options):
    graph, python = (cls(VOCAB, **options) for cls in (Tokenizer, PythonTokenizer))
    draws = random.Random(0)
    plain = sorted(_plain_codes(CharRules(**options)))
    alphabet = "abcXYZ019 ,。[]#好不中国"
    texts = [
        "".join(
            draws.choice(alphabet) if draws.random() < 0.7 else chr(draws.choice(plain))
            for _ in range(draws.randrange(30))
        )
        + ("é" * (n % 3 == 0))
        for n in range(600)
    ]
    texts += ["[UNK]", "[unk] [MASK]好", "##好", "好##a", "  好 \u3000 好", "é [UNK]"]
    assert graph.tokenize(texts).to_list() == python.tokenize(texts)
    for only in (texts[::3], texts[1::3], []):  # none plain, most plain, none at all
        assert graph.tokenize(only).to_list() == python.tokenize(only)


@pytest.mark.parametrize("longest", [5, 200])
def test_long_words(longest):
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##a", "é", "好"]
    options = {"max_word_chars": longest, "lowercase": False, "strip_accents": False}
    graph, python = (cls(vocab, **options) for cls in (Tokenizer, PythonTokenizer))
    texts = [f"{end}{'a' * n} 好" for n in (longest, longest + 1) for end in ("", "é")]
    found = graph.tokenize(texts).to_list()
    assert found == python.tokenize(texts)
    assert [len(row) for row in found[::2]] == [longest + 1, 2]


def test_tokens_that_no_word_is_do_not_mislead():
    vocab = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "a b",
        "好吗",
        "好",
        "吗",
        "。。",
        "。",
    ]
    vocab += ["##。", "##好", "a", "##b", "ab!", "", " ", "##", "a", "éa", "b\0"]
    graph, python = Tokenizer(vocab), PythonTokenizer(vocab)
    texts = [
        "好吗。。",
        "a b  ab!ab",
        "a。。好好",
        "。",
        "  ",
        "ab#b ##b",
        "éa",
        "aé好",
    ]
    assert graph.tokenize(texts).to_list() == python.tokenize(texts)
