"""TinyBERT's pre-generated corpus, by cases computed by hand."""

import json

import pytest

from kerasplm.errors import ConfigError, DataError
from kerasplm.pretraining.compat import tinybert
from kerasplm.pretraining.compat.documents import Instance
from tests.draws import KEEP, TOKENIZER, drawing, shown, writing


@pytest.fixture
def text(tmp_path):
    return writing(tmp_path)


@pytest.fixture
def draw(monkeypatch):
    yield from drawing(monkeypatch)


def test_tinybert_draws_sentences_of_other_documents(text, draw):
    documents = tinybert.read_documents(
        text("天气", "很好", "", "看花", "", "去公园", "🀀"), TOKENIZER
    )
    assert [len(document) for document in documents] == [2, 1, 2]
    draw(
        # Sentences 0-1, 2, 3-4: of the first document those from 2 to 4 are drawn.
        *(0.9, 1, 0.4, (4, 2, 4), 1, None, *KEEP),
        *(2, 0, None, *KEEP),  # 很好 went back
        *(
            0.9,
            (6, 3, 6),
            0,
            None,
            *KEEP,
        ),  # of the second: 3, 4, then 0 and 1 as 5 and 6
        *(0.9, 1, 0.5, None, *KEEP),  # of the third: the next sentence
    )
    made = list(tinybert.instances(documents, TOKENIZER, max_seq_len=10))
    assert [shown(one) for one in made] == [
        ("[CLS]天气[SEP][UNK][SEP]", 4, True),
        ("[CLS]很好[SEP]看花[SEP]", 4, True),
        ("[CLS]看花[SEP]天气很好[SEP]", 4, True),
        ("[CLS]去公园[SEP][UNK][SEP]", 5, False),
    ]
    # The share is 0, and one token is predicted all the same.
    assert [one.positions for one in made] == [[1]] * 4


def test_tinybert_writes_a_full_stop_for_nothing(text, draw):
    documents = tinybert.read_documents(text("天气", "", "\u200b", "很好"), TOKENIZER)
    assert documents == [[["天", "气"]], [[], ["很", "好"]]]
    draw(0.9, None, *KEEP, 0.9, 1, None, *KEEP)
    made = list(tinybert.instances(documents, TOKENIZER, one_seq=True))
    assert [shown(one) for one in made] == [
        ("[CLS]天气[SEP].[SEP]", 4, False),
        ("[CLS].[SEP]很好[SEP]", 3, False),
    ]


def test_tinybert_files_are_read_again(text, tmp_path):
    documents = tinybert.read_documents(text("天气", "很好", "", "看花"), TOKENIZER)
    made = list(tinybert.instances(documents, TOKENIZER, epoch=2))
    again = list(tinybert.instances(documents, TOKENIZER, epoch=2))
    assert made == again
    corpus, metrics = tinybert.write(tmp_path / "out", 2, iter(made), 128)
    assert sorted(file.name for file in corpus.parent.iterdir()) == [
        *("epoch_2.json", "epoch_2_metrics.json")
    ]
    row = json.loads(corpus.read_text(encoding="utf-8").splitlines()[0])
    assert sorted(row) == sorted(tinybert.KEYS)
    assert json.loads(metrics.read_text()) == {
        "num_training_examples": len(made),
        "max_seq_len": 128,
    }
    assert list(tinybert.read(corpus.parent, 2)) == made


def test_broken_corpora_of_tinybert_are_named(text, tmp_path):
    with pytest.raises(DataError, match="expected two documents or more"):
        tinybert.read_documents(text("天气", "很好"), TOKENIZER)
    with pytest.raises(ConfigError, match="epoch_0_metrics.json"):
        list(tinybert.read(tmp_path, 0))
    one = Instance(["[CLS]", "天", "[SEP]"], 3, [1], ["天"])
    corpus, _ = tinybert.write(tmp_path, 0, [one], 128)
    line = corpus.read_text(encoding="utf-8")
    corpus.write_text(line + line, encoding="utf-8")
    with pytest.raises(DataError, match="expected 1 instances, .* found 2"):
        list(tinybert.read(tmp_path, 0))
    for old, new in (("[1]", "[3]"), ('["天"]', "[7]"), ("[0, 0, 0]", "[1, 0]")):
        corpus.write_text(line.replace(old, new), encoding="utf-8")
        with pytest.raises(DataError, match="epoch_0.json: line 1: expected a JSON"):
            list(tinybert.read(tmp_path, 0))
