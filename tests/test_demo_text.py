"""Tests of the generators of the demo texts and of the labelled reviews."""

import collections
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import kerasplm as plm

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    # The examples are not part of the installed package.
    sys.path.insert(0, str(ROOT))

from examples.make_demo import (  # noqa: E402
    corpus,
    grammar,
    pretrain,
    sentiment,
    templates,
)

DATA = ROOT / "kerasplm" / "demo" / "data" / "sentiment"
SAMPLE = 20000


@pytest.fixture(scope="module")
def documents():
    return list(corpus.generate_corpus(SAMPLE, seed=0))


@pytest.fixture(scope="module")
def splits():
    return sentiment.generate_sentiment(seed=0)


def opinion_words():
    """All opinion words of the review domains, (trained, held out)."""
    trained, held_out = set(), set()
    for domain in sentiment.DOMAINS:
        closers = [grammar.CLOSERS["all"]]
        closers.append(grammar.CLOSERS[grammar.DOMAIN_KIND[domain]])
        for table in [*grammar.ASPECTS[domain], *closers]:
            for key in ("pos", "neg", "posp", "negp"):
                if key in table:
                    first, second = templates.expressions(table[key])
                    trained.update(first)
                    held_out.update(second)
    return trained, held_out


def count_words(texts, words):
    """Occurrences of words in texts, longest match first."""
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len)[::-1]))
    return collections.Counter(m for text in texts for m in pattern.findall(text))


# --- the data of the grammar


def test_every_slot_of_every_template_can_be_filled():
    rng = random.Random(0)
    for topic in grammar.TOPICS.values():
        rows = templates.records(topic["record"]) if topic["record"] else ({},)
        for row in rows:
            expander = templates.Expander(rng, {"field": "", "fact": "", **row})
            expander.bind(topic["bind"])
            for part in ("open", "body", "close"):
                for line in templates.template_lines(topic[part]):
                    assert not set("{|}") & set(expander.expand(line)), line
    for texts in grammar.REVIEWS.values():
        expander = templates.Expander(rng)
        expander.bind(texts["bind"])
        for part in ("open", "body", "lead"):
            for line in templates.template_lines(texts.get(part, "")):
                assert not set("{|}") & set(expander.expand(line)), line


def test_topics_have_enough_templates_for_the_longest_document():
    for name, topic in grammar.TOPICS.items():
        body = templates.template_lines(topic["body"])
        assert len(body) == len(set(body)) >= corpus.MAX_DOCUMENT - 1, name


def test_held_out_words_are_disjoint_from_the_trained_ones():
    trained, held_out = opinion_words()
    assert held_out == sentiment.held_out_expressions()
    assert not [(a, b) for a in held_out for b in trained if a in b]


def test_a_word_has_one_polarity():
    sides = {"pos": set(), "neg": set()}
    for table in sum(grammar.ASPECTS.values(), ()):
        for key in ("pos", "neg"):
            for half in templates.expressions(table[key]):
                sides[key].update(half)
            for half in templates.expressions(table[key + "p"]):
                sides[key].update(half)
    assert not sides["pos"] & sides["neg"]


def test_numerals():
    expander = templates.Expander(random.Random(0))
    assert expander.expand("第{%2-2}次，{%2-2}天，{%2-2}楼") == "第二次，两天，二楼"
    assert expander.expand("{#7-7}点，百分之{%2-2}") == "7点，百分之二"


def test_numbered_slots_differ_and_equal_slots_agree():
    expander = templates.Expander(random.Random(0), {"city": "北京"})
    for _ in range(50):
        a, b, c, d = expander.expand("{city1},{city2},{city},{city1}").split(",")
        assert (len({a, b, c}), c, d) == (3, "北京", a)


# --- the corpus


def test_corpus_is_deterministic(documents, tmp_path):
    again = corpus.generate_corpus(SAMPLE, seed=0)
    assert [next(again) for _ in range(50)] == documents[:50]
    assert next(corpus.generate_corpus(100, seed=1)) != documents[0]
    # Nor may the order of sets, which a process chooses anew, play a part.
    path = tmp_path / "corpus.txt"
    command = [sys.executable, "-m", "examples.make_demo.corpus"]
    command += ["--sentences", "300", "--seed", "5", "--output", str(path)]
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
    blocks = path.read_text(encoding="utf-8").removesuffix("\n").split("\n\n")
    expected = list(corpus.generate_corpus(300, seed=5))
    assert [block.split("\n") for block in blocks] == expected


def test_corpus_sizes(documents):
    assert sum(map(len, documents)) == SAMPLE
    assert {len(document) for document in documents} == set(range(3, 13))
    lengths = [len(text) for document in documents for text in document]
    assert min(lengths) >= 6
    assert max(lengths) <= 40
    for count in (3, 4, 5, 13, 14, 25):
        sizes = [len(document) for document in corpus.generate_corpus(count, seed=2)]
        assert (sum(sizes), min(sizes) >= 3, max(sizes) <= 12) == (count, True, True)
    with pytest.raises(ValueError, match="at least 3"):
        next(corpus.generate_corpus(2, seed=0))


def test_corpus_is_diverse(documents):
    texts = [text for document in documents for text in document]
    assert len(set(texts)) >= 0.95 * len(texts)
    for document in documents:
        assert len(set(document)) == len(document)
    counts = collections.Counter(char for text in texts for char in text)
    assert sum("\u4e00" <= char <= "\u9fff" for char in counts) >= 1800
    # Few characters make up most of a text, as in any real one.
    ranked = sorted(counts.values(), reverse=True)
    assert 0.35 < sum(ranked[:100]) / sum(ranked) < 0.65
    for piece in (
        "？",
        "！",
        "《",
        "“",
        "、",
        "wifi",
        "App",
        "4G",
        "虽然",
        "因为",
        ".",
    ):
        assert any(piece in text for text in texts), piece


def test_corpus_has_well_formed_sentences(documents):
    for text in (text for document in documents for text in document):
        assert text[-1] in "。？！”", text
        assert not re.search(r"[{}|\s#$]|[，。、][，。、]", text), text
        assert text.count("“") == text.count("”"), text
        assert text.count("《") == text.count("》"), text


def test_corpus_uses_all_opinion_words(documents):
    trained, held_out = opinion_words()
    text = "\n".join(text for document in documents for text in document)
    unseen = [word for word in trained | held_out if word not in text]
    assert len(unseen) < 0.02 * len(trained | held_out)


# --- the labelled reviews


def test_sentiment_sizes_and_balance(splits):
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 3600,
        "dev": 300,
        "test": 300,
    }
    for rows in splits.values():
        assert sum(label for label, _ in rows) * 2 == len(rows)
        assert {label for label, _ in rows} == {0, 1}
        assert all(8 <= len(text) <= 60 for _, text in rows)
        assert not any(set("\t\n{}|") & set(text) for _, text in rows)


def test_sentiment_is_deterministic(splits):
    assert sentiment.generate_sentiment(seed=0) == splits
    assert sentiment.generate_sentiment(seed=1) != splits


def test_no_review_appears_twice(splits):
    texts = [text.rstrip("。！") for rows in splits.values() for _, text in rows]
    assert len(set(texts)) == len(texts)


def test_held_out_words_are_not_in_the_training_split(splits):
    trained, held_out = opinion_words()
    long_words = {word for word in trained | held_out if len(word) > 1}
    for name, rows in splits.items():
        counts = count_words([text for _, text in rows], long_words)
        share = sum(word in held_out for word in counts) / len(counts)
        if name == "train":
            assert share == 0
            assert not [w for w in held_out if any(w in text for _, text in rows)]
        else:
            assert 0.35 <= share <= 0.45


def test_files_equal_the_generator(splits, tmp_path):
    sentiment.main(["--seed", "0", "--output", str(tmp_path)])
    for name, rows in splits.items():
        raw = (DATA / f"{name}.tsv").read_bytes()
        assert raw == (tmp_path / f"{name}.tsv").read_bytes()
        lines = raw.decode("utf-8").split("\n")
        assert (lines[0], lines[-1], b"\r" in raw) == ("label\ttext_a", "", False)
        cells = [line.split("\t") for line in lines[1:-1]]
        assert [(int(label), text) for label, text in cells] == rows


def test_corpus_knows_every_character_of_the_reviews(documents, splits):
    known = {char for document in documents for text in document for char in text}
    needed = {char for rows in splits.values() for _, text in rows for char in text}
    assert not needed - known


# --- the model


def test_the_model_is_made_by_the_product(tmp_path, monkeypatch):
    """All but the training, whose steps are tested elsewhere."""
    monkeypatch.setattr(
        plm.PretrainingJob, "run", lambda job: SimpleNamespace(model=job._model())
    )
    work, output = tmp_path / "work", tmp_path / "model"
    arguments = ["--work", str(work), "--output", str(output), "--sentences", "300"]
    for _ in range(2):  # what is there is used again
        pretrain.main(arguments)
    assert len(list((work / "data").glob("*.tfrecord"))) == pretrain.SHARDS
    model = plm.load(output, heads="pretraining")
    assert list(model.heads) == ["mlm", "sentence_pair"]
    assert model.encoder.config.initializer_range == 0.05
    vocab = (output / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert vocab[:5] == pretrain.SPECIAL
    assert len(vocab) == len(set(vocab)) == model.encoder.config.vocab_size
