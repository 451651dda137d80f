"""Search texts by meaning."""

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.retrieval import SentenceIndex
from kerasplm.task_models.embedding import SentenceEncoder
from tests.choosing import TOKENIZER, encoder

TEXTS = ["猫在哪里", "狗", "他去了东山", "天气很好", "狗", "谁有书"]


def by_table(vectors):
    table = {text: np.array(v, "float32") for text, v in vectors.items()}
    return lambda texts: np.stack([table[text] for text in texts])


def test_nearest_first():
    index = SentenceIndex(
        by_table({"甲": [1, 0], "乙": [3, 3], "丙": [0, 2], "丁": [2, 0], "问": [5, 1]})
    )
    assert index.search(["问"]) == [[]]
    index.add(["甲", "乙"])
    index.add([])
    index.add(["丙", "丁"])
    assert len(index) == 4
    assert index.vectors.dtype == np.float32
    ((*hits,),) = index.search(["问"], k=3)
    # Equal ones stay in order, and the length of a vector does not matter.
    assert [(hit.text, hit.number) for hit in hits] == [("甲", 0), ("丁", 3), ("乙", 1)]
    assert hits[0].score == pytest.approx(5 / 26**0.5)
    assert [len(found) for found in index.search(["问", "甲"], k=9)] == [4, 4]


def test_it_is_the_full_sort():
    rng = np.random.default_rng(0)
    vectors = rng.integers(-2, 3, (300, 3)).astype("float32")  # many are equal
    texts = [str(n) for n in range(300)]
    index = SentenceIndex(lambda some: vectors[[int(text) for text in some]])
    for start in range(0, 300, 70):
        index.add(texts[start : start + 70])
    scores = index.vectors @ index.vectors.T
    for k in (1, 7, 299, 300):
        for n, hits in enumerate(index.search(texts, k)):
            expected = np.argsort(-scores[n], kind="stable")[:k]
            found = [hit.number for hit in hits]
            np.testing.assert_allclose(scores[n][found], scores[n][expected], atol=1e-6)
            assert len(set(found)) == k


def test_a_text_finds_itself():
    network = SentenceEncoder(encoder(), pooling="mean", normalize=False)
    embed = plm.pipeline("feature-extraction", network, TOKENIZER)
    index = SentenceIndex(embed)
    index.add(TEXTS)
    for text, vector in zip(TEXTS, index.vectors, strict=True):
        alone = np.asarray(network(TOKENIZER([text])))[0]
        np.testing.assert_allclose(vector, alone / np.linalg.norm(alone), atol=2e-6)
    for text, hits in zip(TEXTS, index.search(TEXTS, 2), strict=True):
        assert hits[0].text == text
        assert hits[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.number for hit in index.search(["狗"], 2)[0]] == [1, 4]


def test_dot_products_count_the_length():
    table = by_table({"甲": [1, 0], "乙": [3, 3], "问": [5, 1]})
    index = SentenceIndex(table, measure="dot")
    index.add(["甲", "乙"])
    assert [(hit.text, hit.score) for hit in index.search(["问"])[0]] == [
        ("乙", 18.0),
        ("甲", 5.0),
    ]


def test_what_does_not_work():
    index = SentenceIndex(by_table({"甲": [1, 0], "乙": [np.nan, 0], "丙": [1, 2, 3]}))
    with pytest.raises(ConfigError, match="a list of texts. Received: '甲'"):
        index.add("甲")
    index.add(["甲"])
    for text in "乙丙":
        with pytest.raises(ConfigError, match=r"finite vectors of shape \(1, 2\)"):
            index.add([text])
        with pytest.raises(ConfigError, match="finite vectors"):
            index.search([text])
    assert len(index) == len(index.vectors) == 1
    with pytest.raises(ConfigError, match="k must be at least 1"):
        index.search(["甲"], k=0)
    for wrong, message in ((3, "found int"), ("好\ud800", "lone surrogate at char")):
        with pytest.raises(DataError, match=f"text 1: expected .*{message}"):
            index.add([wrong])
    with pytest.raises(ConfigError, match="measure must be one of cosine, dot"):
        SentenceIndex(len, measure="l2")
    with pytest.raises(ConfigError, match="engine must be one of numpy, faiss-flat"):
        SentenceIndex(len, engine="annoy")
