"""Where words begin, by position."""

import builtins
import random
import sys

import pytest

from kerasplm.errors import DataError
from kerasplm.jieba_import import import_jieba
from kerasplm.pretraining.jieba_words import JiebaCut
from kerasplm.pretraining.words import WordList, Words
from kerasplm.python_tokenizer import PythonTokenizer

VOCAB = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *"我们用语言模型写诗歌，3.5a",
    *("ke", "##ras", "##a", "##3", "tf", "e"),
]
TOKENIZER = PythonTokenizer(VOCAB)


def words_of(cut, tokenizer=TOKENIZER):
    """Return the words that a segmentation gives."""
    made = Words(tokenizer, "wordpiece")
    made.source, made._cut = "jieba", cut
    return made


def shown(found, tokenizer=TOKENIZER):
    """Return the tokens of each word, joined."""
    tokens = [tokenizer.vocab[i] for i in found.ids]
    assert len(tokens) == len(found.starts)
    text = ""
    for token, start in zip(tokens, found.starts, strict=True):
        text += ("|" if start else " ") + token
    return text


def exact(cut, sentence, tokenizer=TOKENIZER):
    """Do it by offsets only."""
    made = words_of(cut, tokenizer)
    return made._located(sentence, list(cut(sentence)))


def test_pieces_alone_tell_words_without_a_source():
    words = Words(TOKENIZER, "wordpiece")
    assert shown(words("用Keras写诗")) == "|用|ke ##ras|写|诗"
    assert words("") == ((), b"")


def test_words_that_are_separated_by_spaces():
    words = Words(TOKENIZER, "spaces")
    assert shown(words("我们 用\u3000语言模型 写 诗歌 ， Keras TF 3.5")) == (
        "|我 们|用|语 言 模 型|写|诗 歌|，|ke ##ras|tf|3 . 5"
    )
    text = "我们 用 Keras 写"
    assert list(words(text).ids) == TOKENIZER.tokenize(text)[0]
    assert words("  ") == ((), b"")


def test_the_longest_word_of_a_list_wins(tmp_path):
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeff语言 100 n\n语言模型\n\n诗\n们用\r\n".encode())
    words = Words(TOKENIZER, "list", file)
    assert shown(words("语言语言模型模型")) == "|语 言|语 言 模 型|模|型"
    # From left to right, whatever follows.
    assert shown(words("我们用语言Keras3")) == "|我|们 用|语 言|ke ##ras ##3"
    assert shown(words("Keras写tf")) == "|ke ##ras|写|tf"


def test_a_list_keeps_letters_and_digits_together():
    assert WordList(["T恤", "AI写"])("T恤AI写MAINAI写ab12é ") == [
        *("T恤", "AI写", "MAINAI", "写", "ab12", "é", " ")
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "found none of two characters in 0 lines"),
        ("诗\n歌".encode(), "found none of two characters in 2 lines"),
        ("诗歌\n".encode() + b"\xe8", r"words.txt: line 2: .*0xe8"),
    ],
)
def test_a_broken_list_is_named(tmp_path, data, said):
    file = tmp_path / "words.txt"
    file.write_bytes(data)
    with pytest.raises(DataError, match=said):
        Words(TOKENIZER, "list", file)


def test_words_are_found_by_place():
    """The same two characters are a word in one place and not in the other."""
    cut = {"语言用语言": ["语言", "用", "语", "言"]}.__getitem__
    assert shown(words_of(cut)("语言用语言")) == "|语 言|用|语|言"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # A boundary inside a WordPiece word: its pieces stay together, and with them
        # what they share a word with.
        (["我", "Ke", "ras", "写"], "|我|ke ##ras|写"),
        (["我a", "a写"], "|我 a ##a 写"),
        # [UNK] covers two words and belongs to the first; the next is another one.
        (["用Ω", "Ω写", "诗"], "|用 [UNK]|写|诗"),
        # A word may hold several tokens, spaces, and things that leave no token.
        (["3.5", " ", "语\u200b言 模型"], "|3 . 5|语 言 模 型"),
        (["e", "\u0301", "写"], "|e|写"),
        (["用Σ写", "诗"], "|用 [UNK] 写|诗"),
    ],
)
def test_places_agree_whatever_a_boundary_cuts(parts, expected):
    sentence = "".join(parts)
    found = words_of(lambda text: parts)(sentence)
    assert shown(found) == expected
    assert found == exact(lambda text: parts, sentence)
    assert list(found.ids) == TOKENIZER.tokenize(sentence)[0]


def test_the_fast_way_is_the_exact_way_for_random_cuts():
    rng = random.Random(0)
    alphabet = "我们用语言写诗，3.5aaKkeras  Ω\u0301é한\u200bΣ#"
    for _ in range(3000):
        sentence = "".join(rng.choices(alphabet, k=rng.randrange(1, 12)))
        inner = range(1, len(sentence))
        ends = sorted(rng.sample(inner, rng.randrange(len(sentence))))
        edges = [0, *ends, len(sentence)]
        parts = [sentence[a:b] for a, b in zip(edges, edges[1:], strict=False)]

        def cut(text, parts=parts):
            return parts

        assert words_of(cut)(sentence) == exact(cut, sentence), (sentence, parts)


def test_words_of_the_vocabulary_are_words():
    """A vocabulary of words has its own cut; a word may lie inside another's."""
    vocab = [*VOCAB, "语言", "模型"]
    tokenizer = PythonTokenizer(vocab, pre_tokenize=lambda text: ["用", "语言", "模型"])
    found = words_of(lambda text: ["用", "语言模型"], tokenizer)("用语言模型")
    assert shown(found, tokenizer) == "|用|语言 模型"


def test_a_cut_that_invents_words_is_an_error():
    with pytest.raises(DataError, match="found '歌' after '我'"):
        words_of(lambda text: ["我", "歌"])("我诗")


def test_a_repeated_sentence_is_cut_once():
    asked = []
    words = words_of(lambda text: asked.append(text) or ["我们", "写"])
    assert words("我们写") is words("我们写")
    assert asked == ["我们写"]


def test_jieba_finds_words(tmp_path):
    pytest.importorskip("jieba")
    words = Words(TOKENIZER)
    assert shown(words("我们用语言模型写诗歌")) == "|我 们|用|语 言|模 型|写|诗 歌"
    file = tmp_path / "dictionary.txt"
    file.write_text("语言模型 1000\n", encoding="utf-8")
    own = Words(TOKENIZER, "jieba", file)
    assert shown(own("用语言模型")) == "|用|语 言 模 型"
    # The dictionary is this source's alone.
    assert shown(words("用语言模型")) == "|用|语 言|模 型"


def test_words_are_those_of_jieba(tmp_path):
    """Also of what its dictionary lacks, and with words that it must keep apart."""
    jieba = pytest.importorskip("jieba")
    file = tmp_path / "dictionary.txt"
    file.write_text("云计 5\n台中 0\n模型A 30 n\n", encoding="utf-8")
    own = jieba.Tokenizer()
    with open(file, "rb") as stream:
        own.load_userdict(stream)
    rng = random.Random(0)
    common = "他说云计算和大数据平台中的小模型是在北京大学研究生命起源李小福王二台中"
    rare = "".join(chr(rng.randrange(0x4E00, 0x9FD6)) for _ in range(200))
    other = "AabTB09+#&._%- \t\r\n,。：é\u3000"
    texts = [
        "他来到了网易杭研大厦",
        "T恤和C++，3.5%的AT&T",
        "a\r\nb\n\r\n",
        "",
        "云计" * 9,
    ]
    for _ in range(800):
        alphabet = common * 3 + rare * rng.randrange(2) + other
        texts.append("".join(rng.choices(alphabet, k=rng.randrange(1, 30))))
    cut = JiebaCut(file)
    for text in texts:
        assert cut(text) == own.lcut(text), text


def test_a_broken_dictionary_is_named(tmp_path):
    pytest.importorskip("jieba")
    with pytest.raises(DataError, match="nothing.txt: expected a dictionary"):
        JiebaCut(tmp_path / "nothing.txt")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="bad.txt: expected a dictionary"):
        JiebaCut(tmp_path / "bad.txt")


def test_without_jieba_one_sentence_says_what_to_do(monkeypatch):
    original = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "jieba":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "jieba", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(DataError, match=r"pip install 'kerasplm\[jieba\]'"):
        import_jieba()
    Words(TOKENIZER, "spaces")  # needs none


@pytest.mark.parametrize(
    ("source", "file"),
    [("ltp", None), ("list", None), ("spaces", "a.txt"), ("wordpiece", "a.txt")],
)
def test_options_that_contradict_each_other(source, file):
    with pytest.raises(ValueError, match="Received"):
        Words(TOKENIZER, source, file)
