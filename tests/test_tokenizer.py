"""The tokenizers: batches, options, offsets, graphs."""

import json
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kerasplm
from kerasplm.errors import VocabError
from kerasplm.python_tokenizer import PythonTokenizer, pair_lengths
from kerasplm.tokenizer import Tokenizer
from kerasplm.vocab import decode_tokens

VOCAB = Path(__file__).parent / "goldens" / "tokenizer" / "vocab.txt"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = [*SPECIAL, *"你好世界，。ab", "##a", "##b", "ke", "##ras"]
ODD = ["[MASK] don't", "a\x00b", "\u2028x\u3000", "😀❤️", "Ⅷ①ｶﾞ", "a" * 300, "\ufeff中"]
BOTH = pytest.mark.parametrize("cls", [PythonTokenizer, Tokenizer])


@cache
def small(cls):
    return cls(SMALL)


def arrays(encoded) -> dict:
    return {key: np.asarray(value).tolist() for key, value in encoded.items()}


def lists(ids) -> list:
    return ids.to_list() if isinstance(ids, tf.RaggedTensor) else ids


# --- batches ------------------------------------------------------------------------


@BOTH
def test_batch(cls):
    tokenizer = small(cls)
    assert arrays(tokenizer(["你好", "Keras", ""])) == {
        "token_ids": [[2, 5, 6, 3], [2, 15, 16, 3], [2, 3, 0, 0]],
        "segment_ids": [[0] * 4] * 3,
        "padding_mask": [[True] * 4, [True] * 4, [True, True, False, False]],
    }
    assert arrays(
        tokenizer(["你", "世界"], ["好。", ""], max_length=7, padding="max_length")
    ) == {
        "token_ids": [[2, 5, 3, 6, 10, 3, 0], [2, 7, 8, 3, 3, 0, 0]],
        "segment_ids": [[0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 0, 0]],
        "padding_mask": [[True] * 6 + [False], [True] * 5 + [False] * 2],
    }
    encoded = tokenizer("你好世界", "世界", max_length=6)
    assert arrays(encoded)["token_ids"] == [[2, 5, 6, 3, 7, 3]]
    dtypes = [np.asarray(value).dtype for value in encoded.values()]
    assert dtypes == [np.int32, np.int32, bool]
    assert lists(tokenizer.tokenize(["", "好a"])) == [[], [6, 11]]
    assert lists(tokenizer.tokenize("好a")) == [[6, 11]]
    assert arrays(tokenizer([]))["token_ids"] == []
    assert arrays(tokenizer([], []))["padding_mask"] == []
    assert arrays(tokenizer(np.array(["你", "好"])))["token_ids"] == [
        [2, 5, 3],
        [2, 6, 3],
    ]


def test_pair_lengths_is_the_loop():
    for a in range(9):
        for b in range(9):
            for budget in range(12):
                left, right = a, b
                while left + right > budget:
                    left, right = (
                        (left - 1, right) if left > right else (left, right - 1)
                    )
                assert pair_lengths(a, b, budget) == (left, right)
    texts = ["好" * a for a in range(9) for _ in range(9)]
    pairs = ["世" * b for _ in range(9) for b in range(9)]
    for length in (3, 4, 8, 11, None):
        expected = arrays(small(PythonTokenizer)(texts, pairs, max_length=length))
        assert arrays(small(Tokenizer)(texts, pairs, max_length=length)) == expected


@BOTH
def test_properties(cls):
    tokenizer = small(cls)
    assert tokenizer.vocab == SMALL
    assert tokenizer.vocab_size == len(SMALL)
    ids = [
        getattr(tokenizer, f"{name}_id")
        for name in ("pad", "unk", "cls", "sep", "mask")
    ]
    assert ids == [0, 1, 2, 3, 4]
    assert tokenizer.id_of("##ras") == 16
    with pytest.raises(VocabError, match="'猫' is not among its 17 tokens"):
        tokenizer.id_of("猫")
    assert cls(SPECIAL[:4]).mask_id is None
    config = json.loads(json.dumps(tokenizer.get_config()))
    assert cls(SMALL, **config).get_config() == config
    assert cls(SMALL, lowercase=False).get_config()["strip_accents"] is False


@BOTH
def test_wrong_options(cls):
    tokenizer = small(cls)
    with pytest.raises(ValueError, match="at least 2"):
        tokenizer("好", max_length=1)
    with pytest.raises(ValueError, match="at least 3.*a pair"):
        tokenizer("好", "好", max_length=2)
    with pytest.raises(ValueError, match="padding must be .*'none'"):
        tokenizer("好", padding="none")
    with pytest.raises(ValueError, match="needs a max_length"):
        tokenizer("好", padding="max_length")
    with pytest.raises(ValueError, match="2 texts and 1 pairs"):
        tokenizer(["好", "你"], ["好"])
    with pytest.raises(ValueError, match="control must be"):
        cls(SMALL, control="google")
    with pytest.raises(ValueError, match="max_word_chars must be positive"):
        cls(SMALL, max_word_chars=0)
    for texts in ([1], [None], 3.5):
        with pytest.raises((ValueError, TypeError)):
            tokenizer(texts)


@BOTH
def test_decode(cls):
    tokenizer = small(cls)
    ids = [[2, 15, 16, 6, 9, 11, 3, 0, 0], [2, 5, 3, 4, 4, 4, 4, 4, 1]]
    assert tokenizer.decode(ids) == ["keras好，a", "你"]
    assert tokenizer.decode(np.array(ids)) == ["keras好，a", "你"]
    assert tokenizer.decode(tf.constant(ids)) == ["keras好，a", "你"]
    assert tokenizer.decode(tf.ragged.constant([[5], []])) == ["你", ""]
    assert tokenizer.decode([5, 6]) == tokenizer.decode(tf.constant([5, 6])) == ["你好"]
    assert tokenizer.decode([]) == []
    with pytest.raises(ValueError, match="from 0 to 16. Received: 17"):
        tokenizer.decode([[17]])
    assert (
        decode_tokens(["##a", "it", "'", "s", "3", ".", "5", "(", "a"])
        == "a it's 3.5(a"
    )


# --- odd input ----------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_long_words(limit):
    words = [c * n for c in "aé가𝒜" for n in (limit - 1, limit, limit + 1, 3 * limit)]
    vocab = [*SPECIAL, "a", "##a", "e", "##e", "𝒜", "##𝒜", "가"[0], "ᄀ", "##ᄀ", "##ᅡ"]
    for options in ({}, {"strip_accents": False}):
        python = PythonTokenizer(vocab, max_word_chars=limit, **options)
        in_graph = Tokenizer(vocab, max_word_chars=limit, **options)
        assert in_graph.tokenize(words).to_list() == python.tokenize(words)
    ids = Tokenizer(vocab, max_word_chars=limit).tokenize(
        ["a" * limit, "a" * (limit + 1)]
    )
    assert ids.row_lengths().numpy().tolist() == [limit, 1]
    # Counted after decomposition, as in the original: 가 is two letters.
    (ids,) = PythonTokenizer(vocab, max_word_chars=limit).tokenize("가" * limit)
    assert ids == [1]


def test_offsets_of_special_cases():
    tokenizer = PythonTokenizer(VOCAB)

    def spans(text):
        found = tokenizer.encode_offsets(text)[2][1:-1]
        return [text[start:end] for start, end in found]

    assert spans("HTTP，世 界！") == ["HTTP", "，", "世", "界", "！"]
    assert spans("ＡＢ１") == ["Ａ", "Ｂ", "１"]
    assert spans("ca\u0301fe\u0301 中") == ["ca\u0301fe", "中"]
    assert spans(" h\u200btt\0p ") == ["h\u200btt\0p"]
    assert tokenizer.encode_offsets("İs")[2] == [(0, 0), (0, 2), (0, 0)]
    assert tokenizer.encode_offsets("\u200b가")[2][1:-1] == [(1, 2), (1, 2)]
    assert tokenizer.encode_offsets("😀 ok")[2][1:-1] == [(0, 1), (2, 4)]
    ids, segments, places = tokenizer.encode_offsets("你好呀", "很好，呀", max_length=7)
    assert len(ids) == len(segments) == len(places) == 7
    assert segments == [0, 0, 0, 0, 1, 1, 1]
    assert places == [(0, 0), (0, 1), (1, 2), (0, 0), (0, 1), (1, 2), (0, 0)]


def test_pre_tokenize():
    vocab = [*SPECIAL, "你好", "你", "好", "世", "ke", "##ras", "，"]
    words = ["你好", "，", "世你", " ", "keras"]
    tokenizer = PythonTokenizer(vocab, pre_tokenize=lambda text: words)
    ids, _, spans = tokenizer.encode_offsets("你好，世你 Ke\u0301ras")
    assert ids == [2, 5, 11, 8, 6, 9, 10, 3]
    assert spans[1:-1] == [(0, 2), (2, 3), (3, 4), (4, 5), (6, 8), (9, 12)]
    with pytest.raises(ValueError, match="must yield words of the text in their order"):
        tokenizer.tokenize("世你")


def test_python_tokenizer_pickles():
    tokenizer = small(PythonTokenizer)
    tokenizer.tokenize("你好 keras")
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.tokenize("你好 Keras世") == tokenizer.tokenize("你好 Keras世")


# --- graphs -------------------------------------------------------------------------


def test_tf_data():
    tokenizer = small(Tokenizer)
    texts, pairs = ["你好", "keras 好", "", "Σ世"] * 3, ["世界"] * 12
    expected = arrays(
        small(PythonTokenizer)(texts, pairs, max_length=5, padding="max_length")
    )
    dataset = tf.data.Dataset.from_tensor_slices((texts, pairs)).batch(5)
    dataset = dataset.map(
        lambda a, b: tokenizer(a, b, max_length=5, padding="max_length")
    )
    assert dataset.element_spec["token_ids"].shape.as_list() == [None, 5]
    got = [arrays(batch) for batch in dataset]
    for key, value in expected.items():
        assert sum((batch[key] for batch in got), []) == value
    assert got == [arrays(batch) for batch in dataset]
    lines = tf.data.Dataset.from_tensor_slices(texts).map(tokenizer)
    assert [arrays(line)["token_ids"] for line in lines][0] == [[2, 5, 6, 3]]
    assert tokenizer._graph.experimental_get_tracing_count() == 1
    unknown_size = tf.function(
        lambda a, b: tokenizer(a, b),
        input_signature=[tf.TensorSpec([None], tf.string)] * 2,
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        unknown_size(tf.constant(["好"]), tf.constant(["好", "你"]))
    with pytest.raises(ValueError, match=r"of shape \(\) or \(B,\)"):
        tokenizer(tf.constant([["好"]]))
    with pytest.raises(ValueError, match="dtype int32"):
        tokenizer(tf.constant([1]))


LOAD = """
import json, sys
import tensorflow as tf
import tensorflow_text
served = tf.saved_model.load(sys.argv[1])
texts = json.load(open(sys.argv[2], encoding="utf-8"))
out = served.encode(tf.constant(texts), tf.constant(texts[::-1]))
assert not any(name.startswith("kerasplm") for name in sys.modules)
print(json.dumps({key: value.numpy().tolist() for key, value in out.items()}))
"""


def test_saved_model(tmp_path):
    class Served(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = Tokenizer(VOCAB)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
        def encode(self, text, pair):
            return self.tokenizer(text, pair, max_length=32)

    served = Served()
    texts = [
        "你好，世界！",
        "",
        "ΑΣ Keras 3.5",
        "한국어 ≠ が",
        "\u200b啊" * 60,
        *ODD,
    ]
    served.tokenizer(texts[:2])
    tf.saved_model.save(served, str(tmp_path / "model"))
    (tmp_path / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    arguments = [str(tmp_path / "model"), str(tmp_path / "texts.json")]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    expected = arrays(PythonTokenizer(VOCAB)(texts, texts[::-1], max_length=32))
    assert json.loads(done.stdout.splitlines()[-1]) == expected


def test_python_tokenizer_needs_no_tensorflow():
    code = (
        "import sys, types; package = types.ModuleType('kerasplm');"
        f"package.__path__ = [{str(Path(kerasplm.__file__).parent)!r}];"
        "sys.modules['kerasplm'] = package;"
        "import kerasplm.python_tokenizer, kerasplm.symbols;"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("pair", [False, True])
def test_no_texts(pair):
    for cls in (Tokenizer, PythonTokenizer):
        out = cls(VOCAB)([], [] if pair else None)
        assert out["token_ids"].shape == (0, 3 if pair else 2)


def test_pairs_of_unequal_number_in_graph():
    texts = tf.TensorSpec([None], tf.string)
    encode = tf.function(Tokenizer(VOCAB).__call__, input_signature=[texts, texts])
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many texts"):
        encode(tf.constant(["a", "b"]), tf.constant(["a"]))
