"""Both tokenizers against a literal transcription of the original algorithm."""

import random
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasplm.characters import CJK_BLOCKS, RULES, CharRules, is_cjk, is_punctuation
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.symbols import build_tables
from kerasplm.tokenizer import Tokenizer
from kerasplm.vocab import Vocabulary

VOCAB = Path(__file__).parent / "goldens" / "tokenizer" / "vocab.txt"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# The rule sets that differ from each other.
DISTINCT = {tuple(options.values()): dict(options) for options in RULES.values()}
RULE_SETS = pytest.mark.parametrize(
    "options", DISTINCT.values(), ids=["-".join(map(str, key)) for key in DISTINCT]
)


def arrays(encoded) -> dict:
    return {key: np.asarray(value).tolist() for key, value in encoded.items()}


# --- the original algorithm, step by step and without any table ---------------------


def original_words(text, lowercase, strip_accents, control):
    category = unicodedata.category

    def is_control(char):
        if control == "electra":
            return category(char)[0] == "C" and char not in "\t\n\r"
        return category(char) in ("Cc", "Cf") and char not in "\t\n\r"

    def is_space(char):
        return char in " \t\n\r" or category(char) == "Zs"

    def is_sign(char):
        asc = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
        return char in asc or category(char)[0] == "P"

    if control == "isolate":
        out = ""
        for char in text:
            lone = is_cjk(char) or is_sign(char) or is_space(char) or is_control(char)
            out += f" {char} " if lone else char
        return (out.lower() if lowercase else out).split()
    clean = ""
    for char in text:
        if char not in "\0\ufffd" and not is_control(char):
            clean += " " if is_space(char) else char
    spaced = "".join(f" {char} " if is_cjk(char) else char for char in clean)
    words = []
    for word in spaced.split():
        word = word.lower() if lowercase else word
        if lowercase if strip_accents is None else strip_accents:
            word = unicodedata.normalize("NFD", word)
            word = "".join(char for char in word if category(char) != "Mn")
        words.append("".join(f" {char} " if is_sign(char) else char for char in word))
    return " ".join(words).split()


def original_ids(text, index, **rules):
    ids = []
    for word in original_words(text, **rules):
        pieces, start = [], 0
        while start < len(word) <= 200:
            end = len(word)
            while end > start and ("##" * (start > 0) + word[start:end]) not in index:
                end -= 1
            if end == start:
                break
            pieces.append(index["##" * (start > 0) + word[start:end]])
            start = end
        ids += pieces if start == len(word) else [index["[UNK]"]]
    return ids


# --- fuzz ---------------------------------------------------------------------------

RANGES = [
    (0x00, 0x7F),
    (0x80, 0x24F),
    (0x250, 0x36F),
    (0x370, 0x52F),
    (0x590, 0x6FF),
    (0x900, 0xDFF),
    (0xE00, 0x11FF),
    (0x1AB0, 0x1CFF),
    (0x1E00, 0x20FF),
    (0x2100, 0x2BFF),
    (0x2C00, 0x2FFF),
    (0x3000, 0x33FF),
    (0x4E00, 0x9FFF),
    (0xA640, 0xAB6F),
    (0xAC00, 0xD7FF),
    (0xE000, 0xE010),
    (0xF900, 0xFFFF),
    (0x10400, 0x104FF),
    (0x11000, 0x11FFF),
    (0x1D100, 0x1D7FF),
    (0x1F000, 0x1FAFF),
    (0x20000, 0x20100),
    (0x2CEB0, 0x2CEC0),
    (0x2F800, 0x2FA1F),
    (0xE0000, 0xE01EF),
]
SPICE = (
    [chr(c) for c in range(0x80)]
    + list("ΣΣΣσςΑα'’·:.\u00ad\u0345\u0301\u0323\u0327\u1dc0ªºʰ\u0130İIıß\u1e9e")
    + list("\u200b\u200d\ufeff\ufffd\ufffe\uffff\x85\u2028\u2029\u3000\xa0\u180e")
    + list("\u302e\u302f\U0001d165\U0001d16d\U00016ff0\u1b44\ua953\u0dca\u0f71\u0f39")
    + list("中国你好，。！？（）：；“”…—、《》￥〇々ー가힣각が゙ﾞＡ１")
    + ["\u2260", "\u226e", "\u037e", "\u1fef", "\u0344", "\u0f73", "❤️", "👨‍👩‍👧"]
    + ["a" * 199, "ab" * 100, "a" * 201, "é" * 200, "é" * 201, "啊" * 210, "가" * 70]
    + ["[MASK]", "##a", "don't", "3.14", "  ", "\r\n", " "]
)


def make_texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        spread = rng.choice([0, 0.3, 0.9])
        parts = []
        for _ in range(rng.randrange(1, 24)):
            if rng.random() < spread:
                parts.append(chr(rng.randint(*rng.choice(RANGES))))
            else:
                parts.append(rng.choice(SPICE))
        texts.append("".join(p for p in parts if not 0xD800 <= ord(p[0]) < 0xE000))
    return texts


@cache
def sharp_vocab(seed: int) -> list[str]:
    """Return most characters that can come out, alone and inside a word, shuffled."""
    chars = set()
    for char in set("".join(make_texts(seed, 3000))):
        for form in (char, char.lower(), unicodedata.normalize("NFD", char.lower())):
            chars.update(form)
    chars = sorted(char for char in chars | {"ς"} if not char.isspace())
    rng = random.Random(seed)
    kept = [char for char in chars if rng.random() < 0.95]
    inside = ["##" + char for char in chars if rng.random() < 0.95]
    tokens = [*SPECIAL, *kept, *inside, "aa", "##aa", "##aaab", "ab", "##ab", "στ"]
    rng.shuffle(tokens)
    return tokens


@RULE_SETS
def test_fuzz(options):
    vocab, texts = sharp_vocab(1), make_texts(1, 3000)
    python, in_graph = PythonTokenizer(vocab, **options), Tokenizer(vocab, **options)
    index = {token: i for i, token in enumerate(vocab)}
    expected = [original_ids(text, index, **options) for text in texts]
    assert python.tokenize(texts) == expected
    got = in_graph.tokenize(texts).to_list()
    wrong = [ascii(t) for t, a, b in zip(texts, got, expected, strict=True) if a != b]
    assert not wrong
    pairs = texts[1:] + texts[:1]
    for length in (3, 4, 17, None):
        encoded = arrays(python(texts[:300], pairs[:300], max_length=length))
        assert encoded == arrays(in_graph(texts[:300], pairs[:300], max_length=length))
    # The text of the tokens: each is found where its offsets say.
    for text, ids in zip(texts, expected, strict=True):
        check_offsets(python, text, ids)


def check_offsets(tokenizer, text, expected):
    rules = tokenizer._rules
    ids, segments, spans = tokenizer.encode_offsets(text)
    assert ids == [tokenizer.cls_id, *expected, tokenizer.sep_id]
    assert segments == [0] * len(ids)
    assert spans[0] == spans[-1] == (0, 0)

    def spell(part):
        normal = "".join(rules.normalize(*rules.clean(part))[0])
        return normal.replace(" ", "").replace("ς", "σ")

    one_by_one = "".join(rules.fold(c) for c in text if rules.kind(c) != "drop")
    sorts_marks = spell(text) != "".join(one_by_one.split()).replace("ς", "σ")
    last = 0
    for i, (start, end) in zip(ids[1:-1], spans[1:-1], strict=True):
        assert 0 <= start < end <= len(text)
        edges = text[start], text[end - 1]
        # Neighbours share at most the one character that made both.
        assert start >= last or (start == last - 1 and len(rules.fold(edges[0])) > 1)
        last = end
        for edge in edges:
            assert rules.kind(edge) not in ("drop", "space")
            assert rules.fold(edge)
        if i == tokenizer.unk_id or sorts_marks:
            continue
        token = tokenizer._words.tokens[i].removeprefix("##").replace("ς", "σ")
        if all(len(rules.fold(edge)) == 1 for edge in edges):
            assert spell(text[start:end]) == token
        else:
            assert token in spell(text[start:end])


# Every code point on which a rule acts, and a share of the others.
CODES = [
    code
    for code in [*range(0x32000), *range(0xE0000, 0xE0200), *range(0x10FF00, 0x110000)]
    if code % 37 == 0
    or not (
        unicodedata.category(chr(code)) in ("Lo", "Cn", "Co", "Cs", "So", "Sm", "Nl")
        or is_cjk(chr(code))
    )
]


@RULE_SETS
def test_code_points(options):
    texts = [f"a{chr(c)}b 中{chr(c)}国 {chr(c)}Σ{chr(c)}" for c in CODES]
    python, in_graph = PythonTokenizer(VOCAB, **options), Tokenizer(VOCAB, **options)
    expected = python.tokenize(texts)
    got = [
        ids
        for k in range(0, len(texts), 4096)
        for ids in in_graph.tokenize(texts[k : k + 4096]).to_list()
    ]
    assert [
        ascii(t) for t, a, b in zip(texts, got, expected, strict=True) if a != b
    ] == []
    index = {token: i for i, token in enumerate(python.vocab)}
    for text, ids in zip(texts[::5], expected[::5], strict=True):
        assert original_ids(text, index, **options) == ids, ascii(text)


def test_assumptions_of_the_tables():
    # No letter outside the blocks becomes an ideograph, so only originals are cut out.
    for code in range(0x110000):
        char = chr(code)
        if not any(first <= code <= last for first, last in CJK_BLOCKS):
            assert not any(map(is_cjk, CharRules().expand(char)))
    tables = build_tables(Vocabulary.of(SPECIAL), CharRules())
    assert sum(pages.nbytes for _, pages in (tables.symbols, tables.cases)) < 1 << 19


@RULE_SETS
def test_bytes_and_surrogates(options):
    python, in_graph = PythonTokenizer(VOCAB, **options), Tokenizer(VOCAB, **options)
    broken = [
        b"a\xe4\xbdb",
        b"\xff\xfe",
        b"\xe4\xbd\xa0\xed\xa0\x80\xe5\xa5\xbd",
        b"\xc0\x80a",
    ]
    broken += ["你好".encode("gb18030"), b"\xf4\x90\x80\x80x", b"ok\xf0\x9f\x98"]
    expected = python.tokenize([text.decode("utf-8", "ignore") for text in broken])
    assert python.tokenize(broken) == expected
    assert in_graph.tokenize(tf.constant(broken)).to_list() == expected
    lone = ["a\ud800b", "\udfff", "中\ud83d国", "x \udc00 y"]
    index = {token: i for i, token in enumerate(python.vocab)}
    expected = [original_ids(text, index, **options) for text in lone]
    assert python.tokenize(lone) == in_graph.tokenize(lone).to_list() == expected


def test_punctuation_is_that_of_the_original():
    ascii_signs = [chr(c) for c in range(128) if is_punctuation(chr(c))]
    ranges = [*range(33, 48), *range(58, 65), *range(91, 97), *range(123, 127)]
    assert ascii_signs == list(map(chr, ranges))
