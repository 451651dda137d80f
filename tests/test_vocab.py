"""Vocabulary files: what is read, and what is refused in words."""

from pathlib import Path

import pytest
import tensorflow as tf

from kerasplm.errors import VocabError
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tokenizer import Tokenizer
from kerasplm.vocab import load_vocab

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HEAD = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"
BOTH = pytest.mark.parametrize("cls", [PythonTokenizer, Tokenizer])


def lists(ids) -> list:
    return ids.to_list() if isinstance(ids, tf.RaggedTensor) else ids


def write(tmp_path, data) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("data", "tail"),
    [
        (HEAD + "好\n", ["好"]),
        (HEAD + "好", ["好"]),
        ("\ufeff" + HEAD + "好\n", ["好"]),
        ((HEAD + "好\n").replace("\n", "\r\n"), ["好"]),
        (HEAD + "\u2028\n##\u2028\n好\n", ["", "##", "好"]),
        (HEAD + "a\x85\na\x0bb\n\u3000\n好\n", ["a", "a\x0bb", "", "好"]),
        (HEAD + "\n好\n", ["", "好"]),
        (HEAD + "new york\n好\n", ["new york", "好"]),
    ],
)
def test_load_vocab(tmp_path, data, tail):
    assert load_vocab(write(tmp_path, data)) == [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *tail,
    ]


def test_two_columns(tmp_path):
    rows = [*SPECIAL, "好", "▁a", "", "你", "好", "世"]
    data = "".join(f"{row}\t-{i}.5\n" if row else "\n" for i, row in enumerate(rows))
    path = write(tmp_path, data)
    assert load_vocab(path) == [*SPECIAL, "好", "▁a", " ", "你", "世"]
    for cls in (PythonTokenizer, Tokenizer):
        assert lists(cls(path).tokenize("好 你世a")) == [[5, 8, 9, 1]]


@BOTH
def test_later_of_equal_tokens_wins(cls):
    tokenizer = cls([*SPECIAL, "好", "ab", "", "##", "好", "ab", "\0", "a b"])
    assert lists(tokenizer.tokenize("好ab a b")) == [[9, 10, 1, 1]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected one token per line and found an empty file"),
        (b"\n \n", r"found an empty file \(3 bytes\)"),
        (
            HEAD.encode() + b"ok\n\xff\xfe\n",
            r"found the byte 0xff at offset 27 \(line 6\)",
        ),
        (b"\xef\xbb\xbf[PAD]\n\xb0\n", r"0xb0 at offset 9 \(line 2\)"),
        (b"[PAD]\n[CLS]\n[SEP]\na\n", r"found 4 tokens without \[UNK\]"),
        (b"<pad>\n<unk>\na\n", r"without \[CLS\], \[PAD\], \[SEP\], \[UNK\].*<pad>"),
    ],
)
@BOTH
def test_bad_vocabularies(cls, tmp_path, data, message):
    path = write(tmp_path, data)
    with pytest.raises(VocabError, match=message) as caught:
        cls(path)
    assert str(caught.value).startswith(f"{path}: ")


@BOTH
def test_bad_token_lists(cls, tmp_path):
    with pytest.raises(VocabError, match="the given list of tokens: .*without"):
        cls(["a"])
    with pytest.raises(VocabError, match="expected str, found None"):
        cls([*SPECIAL, None])
    with pytest.raises(FileNotFoundError):
        cls(tmp_path / "none.txt")
