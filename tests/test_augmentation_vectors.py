"""Read word vectors, find the nearest words."""

import numpy as np
import pytest

from kerasplm.augmentation.vectors import WordVectors
from kerasplm.errors import ConfigError, DataError

WORDS = ["干净", "整洁", "清洁", "电影", "狗"]
TABLE = np.array([[2, 0, 0], [1, 0.2, 0], [1, 0.5, 0.1], [0, 1, 0], [-1, 0, 1]])


def write(file, words=WORDS, table=TABLE, header=True, end="\n"):
    lines = [f"{len(words)} {table.shape[1]}"] if header else []
    lines += [
        " ".join([word, *map(str, row)]) for word, row in zip(words, table, strict=True)
    ]
    file.write_text(end.join(lines) + end, encoding="utf-8")
    return file


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", ["\n", " \r\n"])
def test_nearest_words(header, end, tmp_path):
    vectors = WordVectors.read(write(tmp_path / "v.txt", header=header, end=end))
    assert vectors.words == WORDS
    units = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors.table, units, 1e-6)
    for n, word in enumerate(WORDS):
        scores = units @ units[n]
        order = [WORDS[k] for k in np.argsort(-scores) if k != n]
        assert vectors.nearest(word, 3) == order[:3]
        assert vectors.nearest(word, 99) == order
    assert vectors.nearest("猫", 3) == []


def test_limit_bounds_what_is_read(tmp_path):
    file = write(tmp_path / "v.txt")
    with file.open("ab") as more:
        more.write(b"\xff broken\n")
    vectors = WordVectors.read(file, limit=4)
    assert vectors.words == WORDS[:4]
    with pytest.raises(ConfigError, match="vectors_limit must be positive"):
        WordVectors.read(file, limit=0)


def test_words_with_blanks_and_zeros(tmp_path):
    words = ["New York", "new", "new"]
    table = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    vectors = WordVectors.read(write(tmp_path / "v.txt", words, table))
    assert vectors.words == words
    assert np.isfinite(vectors.table).all()
    assert vectors.nearest("New", 1) == vectors.nearest("new", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected word vectors, found none"),
        ("2 2\n", "line 1: expected 2 vectors as it says, found 0"),
        ("3 2\n好 1 2\n狗 1 2\n", "line 1: expected 3 vectors as it says, found 2"),
        ("好 1 2\n狗 1\n", "line 2: expected a word and 2 numbers"),
        ("好 1 2\n狗 1 2 3\n", "line 2: expected a word and 2 numbers"),
        ("2 2\n好 1 2\n狗 1 x\n", "line 3: expected a word and 2 numbers"),
        ("2 2\n好 1 nan\n狗 1 2\n", "line 2: expected finite numbers"),
        ("2 2\n好 1 1e999\n狗 1 2\n", "line 2: expected finite numbers"),
        ("好 1 2\n\n狗 1 2\n", "line 2: expected a word and 2 numbers"),
        ("\n", "line 1: expected a word and its vector, found an empty line"),
        ("好\n", "line 1: expected a word and 1 numbers"),
    ],
)
def test_broken_files(text, message, tmp_path):
    file = tmp_path / "v.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"v.txt: {message}"):
        WordVectors.read(file)


def test_broken_bytes(tmp_path, monkeypatch):
    file = tmp_path / "v.txt"
    file.write_bytes("好 1 2\n".encode() + b"\xe5 1 2\n")
    with pytest.raises(DataError, match="line 2: expected UTF-8, found the byte 0xe5"):
        WordVectors.read(file)
    monkeypatch.setattr("kerasplm.augmentation.vectors._LONGEST_LINE", 20)
    file.write_bytes(b"x 1 2\n" + b"y" * 1000)
    with pytest.raises(DataError, match="line 2: .*found over 20 bytes"):
        WordVectors.read(file)
    with pytest.raises(ConfigError, match="expected vectors of shape"):
        WordVectors(["a"], [[1], [2]])
