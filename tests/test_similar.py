"""Indexes in folders, exact search in blocks, faiss, and the command `similar`."""

import json
import os

import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.files import alone
from kerasplm.retrieval import SentenceIndex
from kerasplm.retrieval import nearest as search
from kerasplm.retrieval.engines import engine_of
from tests.asking import encoder, texts, tokenizer, write
from tests.test_pipelines_vectors import read, run

TEXTS = list(dict.fromkeys(texts(45, seed=3)))


@pytest.fixture(scope="module")
def embed():
    return plm.pipeline("feature-extraction", encoder(), tokenizer())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    # As SimBERT: a linear pooler, which is then the default.
    model = plm.PretrainedModel(encoder(pooler="linear"), ["mlm"])
    return write(model, tmp_path_factory.mktemp("model"))


# --- the search -------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 50, 601])
@pytest.mark.parametrize("order", ["random", "rising", "equal", "few values"])
def test_nearest_is_the_full_sort(k, order, monkeypatch):
    monkeypatch.setattr(search, "_ROWS", 64)
    monkeypatch.setattr(search, "_QUERIES", 5)
    rng = np.random.default_rng(k)
    corpus = rng.integers(-9, 9, (601, 4)).astype("float32")
    queries = rng.integers(-9, 9, (12, 4)).astype("float32")
    if order == "rising":
        corpus = np.arange(601, dtype="float32")[:, None] * np.ones(4, "f4")
        queries = np.abs(queries)
    if order == "equal":
        corpus[:] = 1
    if order == "few values":
        corpus, queries = np.sign(corpus), np.sign(queries)
    parts = [corpus[:7], corpus[7:7], corpus[7:300], corpus[300:]]
    scores, numbers = search.nearest(queries, parts, k)
    products = queries @ corpus.T
    wanted = np.argsort(-products, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(numbers, wanted)
    found = np.take_along_axis(products, numbers, axis=1)
    np.testing.assert_array_equal(scores, found)


def test_what_is_not_finite_is_told():
    corpus = np.ones((5, 2), "float32")
    corpus[3, 1] = np.nan
    with pytest.raises(ConfigError, match="vectors 0 to 4: expected finite numbers"):
        search.nearest(np.ones((1, 2), "float32"), [corpus], 1)


def test_faiss():
    pytest.importorskip("faiss", exc_type=ImportError)
    rng = np.random.default_rng(0)
    corpus = rng.normal(size=(3000, 16)).astype("float32")
    queries = corpus[:40] + 0.01 * rng.normal(size=(40, 16)).astype("float32")
    parts = [corpus[:1000], corpus[1000:]]
    scores, numbers = engine_of("numpy", parts)(queries, 8)
    flat_scores, flat_numbers = engine_of("faiss-flat", parts)(queries, 8)
    np.testing.assert_array_equal(flat_numbers, numbers)
    np.testing.assert_allclose(flat_scores, scores, rtol=1e-5)
    for name in ("faiss-ivf", "faiss-hnsw"):
        found = engine_of(name, parts)(queries, 8)[1]
        assert (found[:, 0] == numbers[:, 0]).mean() > 0.8
    parts[1] = np.full((1, 16), np.inf, "float32")
    with pytest.raises(ConfigError, match="vectors from 1000 on: expected finite"):
        engine_of("faiss-flat", parts)


def test_without_faiss(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"pip install 'kerasplm\[faiss\]'"):
        engine_of("faiss-flat", [np.ones((2, 2), "float32")])
    # Before anything is embedded.
    with pytest.raises(ConfigError, match=r"pip install 'kerasplm\[faiss\]'"):
        SentenceIndex.build(tmp_path / "a", TEXTS, None, engine="faiss-hnsw")
    with pytest.raises(ConfigError, match="engine must be one of numpy, .*'annoy'"):
        SentenceIndex(None, engine="annoy")
    assert os.listdir(tmp_path) == []


# --- the folder -------------------------------------------------------------------


def hits(index, k=5):
    found = index.search(TEXTS[:9], k)
    return [[(hit.text, hit.number) for hit in some] for some in found]


def test_a_folder_is_the_index_in_memory(embed, tmp_path):
    index = SentenceIndex(embed)
    index.add(TEXTS)
    seen = []
    built = SentenceIndex.build(
        tmp_path / "a", (t + "\n" for t in TEXTS), embed, shard_size=8,
        progress=seen.append,
    )  # fmt: skip
    assert sum(seen) == len(built) == len(TEXTS)
    assert hits(built) == hits(index)
    np.testing.assert_allclose(built.vectors, index.vectors, atol=1e-6)
    again = SentenceIndex.load(tmp_path / "a", embed)
    assert hits(again) == hits(index)
    facts = json.loads((tmp_path / "a" / "index.json").read_text("utf-8"))
    assert (facts["count"], facts["width"], facts["measure"]) == (45, 16, "cosine")
    assert facts["model"]["pooling"] == "mean"
    assert sorted(os.listdir(tmp_path)) == ["a"]
    assert "plan.json" not in os.listdir(tmp_path / "a")
    with pytest.raises(ConfigError, match="does not grow"):
        again.add(["好"])
    with pytest.raises(ConfigError, match="a: exists; delete it"):
        SentenceIndex.build(tmp_path / "a", TEXTS, embed)


class Breaking:
    """An embedding whose machine stops."""

    def __init__(self, embed, good):
        self.embed, self.good, self.done = embed, good, 0

    def facts(self):
        return self.embed.facts()

    def vectors(self, some):
        if self.done >= self.good:
            raise KeyboardInterrupt
        self.done += len(some)
        return self.embed.vectors(some)


def test_a_build_goes_on_where_it_was(embed, tmp_path):
    broken = Breaking(embed, 20)
    with pytest.raises(KeyboardInterrupt):
        SentenceIndex.build(tmp_path / "a", TEXTS, broken, shard_size=8)
    assert os.listdir(tmp_path) == ["a.building"]
    for others, options, error, message in (
        (TEXTS[1:], {}, DataError, "with other texts; delete it"),
        (TEXTS[:8], {}, DataError, "with other texts; delete it"),
        (TEXTS, {"measure": "dot"}, ConfigError, "another model or other options"),
    ):
        options = {"shard_size": 8} | options
        with pytest.raises(error, match=f"a.building: is left of a build .*{message}"):
            SentenceIndex.build(tmp_path / "a", others, embed, **options)
    rest = Breaking(embed, 99)
    built = SentenceIndex.build(tmp_path / "a", TEXTS, rest, shard_size=8)
    assert rest.done == len(TEXTS) - 24
    assert os.listdir(tmp_path) == ["a"]
    whole = SentenceIndex(embed)
    whole.add(TEXTS)
    assert hits(built) == hits(whole)
    # A function that says nothing of itself begins anew.
    plain = Breaking(embed, 20)
    with pytest.raises(KeyboardInterrupt):
        SentenceIndex.build(tmp_path / "b", TEXTS, plain.vectors, shard_size=8)
    assert os.listdir(tmp_path) == ["a"]


def test_empty_and_odd_corpora(embed, tmp_path):
    for some, message in (
        ([], "expected texts to embed, found none"),
        (["好", 3], "text 1: expected a str, found int"),
        (["\udcff"], "text 0: expected Unicode"),
    ):
        with pytest.raises(DataError, match=message):
            SentenceIndex.build(tmp_path / "a", some, embed)
    with pytest.raises(ConfigError, match="must be a list of texts"):
        SentenceIndex.build(tmp_path / "a", "好", embed)
    with pytest.raises(ConfigError, match="shard_size must be positive"):
        SentenceIndex.build(tmp_path / "a", TEXTS, embed, shard_size=0)
    assert os.listdir(tmp_path) == []
    odd = ["a\nb", "\u2028", "", "\x00", '"[1]"', "😀"]
    index = SentenceIndex.build(tmp_path / "a", odd, embed, shard_size=2)
    assert sorted(hit.text for hit in index.search(["a"])[0]) == sorted(odd)


def test_two_builds_at_once(embed, tmp_path):
    with (
        alone(tmp_path / "a.building"),
        pytest.raises(ConfigError, match="another run writes there now"),
    ):
        SentenceIndex.build(tmp_path / "a", TEXTS, embed)
    assert os.listdir(tmp_path) == []


def test_what_others_wrote_stays(embed, tmp_path):
    (tmp_path / "a.building").mkdir()
    (tmp_path / "a.building" / "thesis.tex").write_text("x")
    for some in (embed, embed.vectors):
        with pytest.raises(ConfigError, match="is not left of a build; left alone"):
            SentenceIndex.build(tmp_path / "a", TEXTS, some)
    assert os.listdir(tmp_path / "a.building") == ["thesis.tex"]


def test_another_model(embed, tmp_path):
    SentenceIndex.build(tmp_path / "a", TEXTS[:3], embed)
    other = encoder()
    SentenceIndex.load(
        tmp_path / "a", plm.pipeline("feature-extraction", other, tokenizer())
    )
    weight = other.layers[-1].weights[-1]
    weight.assign(weight + 1e-6)
    for model, options, name in (
        (other, {}, "model"),
        (encoder(), {"pooling": "cls"}, "pooling"),
        (encoder(), {"max_length": 9}, "max_length"),
    ):
        wrong = plm.pipeline("feature-extraction", model, tokenizer(), **options)
        with pytest.raises(ConfigError, match=f"was built with {name} .*, found "):
            SentenceIndex.load(tmp_path / "a", wrong)


def rewritten(**values):
    def change(folder):
        file = folder / "index.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values))

    return change


def array(values):
    return lambda folder: np.save(folder / "vectors-00000.npy", values)


DAMAGE = {
    "no facts": (lambda f: os.remove(f / "index.json"), "no index"),
    "not JSON": (lambda f: (f / "index.json").write_text("{"), "not JSON"),
    "format": (rewritten(format="x"), "expected the format"),
    "count": (rewritten(count=True), "count: expected a positive number"),
    "more": (rewritten(count=2**40), "expected float32 of shape"),
    "width": (rewritten(width=-1), "width: expected a positive number"),
    "shards": (rewritten(shard_size=1.5), "shard_size: expected a pos"),
    "measure": (rewritten(measure=["cosine"]), "measure: expected one of"),
    "model": (rewritten(model=[1]), "model: expected an object"),
    "no vectors": (lambda f: os.remove(f / "vectors-00000.npy"), "cannot be read"),
    "cut": (lambda f: os.truncate(f / "vectors-00000.npy", 300), "cannot be read"),
    "no array": (lambda f: (f / "vectors-00000.npy").write_text("hello"), "cannot be"),
    "pickle": (array(np.array([{}] * 4)), "cannot be read"),
    "doubles": (array(np.ones((4, 16))), "expected float32"),
    "narrow": (array(np.ones((4, 8), "f4")), "expected float32"),
    "columns": (array(np.asfortranarray(np.ones((4, 16), "f4"))), "in rows"),
    "not finite": (array(np.full((4, 16), np.inf, "f4")), "expected finite numbers"),
    "no texts": (lambda f: os.remove(f / "texts-00000.jsonl"), "cannot be read"),
    "empty": (lambda f: os.truncate(f / "texts-00000.jsonl", 0), "cannot be read"),
    "fewer": (lambda f: os.truncate(f / "texts-00000.jsonl", 3), "expected 4 lines"),
    "numbers": (
        lambda f: (f / "texts-00000.jsonl").write_text("1\n2\n3\n4\n"),
        "expected a string, found int",
    ),
    "bytes": (
        lambda f: (f / "texts-00000.jsonl").write_bytes(b"\xff\n" * 4),
        "line .: not JSON",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told(embed, tmp_path, name):
    change, message = DAMAGE[name]
    SentenceIndex.build(tmp_path / "a", TEXTS[:6], embed, shard_size=4)
    change(tmp_path / "a")
    with pytest.raises(ConfigError, match=message):
        SentenceIndex.load(tmp_path / "a", embed).search(["好"])


# --- the command ------------------------------------------------------------------


def test_command(folder, tmp_path):
    corpus, index = tmp_path / "corpus.txt", tmp_path / "index"
    corpus.write_text("".join(f"{text}\n" for text in TEXTS), "utf-8")
    common = ("similar", "--model", folder)
    run(*common, "--corpus", corpus, "--index", index, "--max-length=12")
    model = plm.load(folder)
    embed = plm.pipeline("feature-extraction", model, tokenizer(), max_length=12)
    assert embed.pooling == "pooled"
    ours = SentenceIndex(embed)
    ours.add(TEXTS)
    out = run(*common, "--index", index, "--output=-", "-k", "3", TEXTS[7], "好")
    answers = [json.loads(line) for line in out.splitlines() if line[:1] == "{"]
    assert [answer["text"] for answer in answers] == [TEXTS[7], "好"]
    for answer, wanted in zip(answers, ours.search([TEXTS[7], "好"], 3), strict=True):
        assert [hit["number"] for hit in answer["hits"]] == [h.number for h in wanted]
        for hit, other in zip(answer["hits"], wanted, strict=True):
            assert hit["text"] == other.text == TEXTS[hit["number"]]
            assert hit["score"] == pytest.approx(other.score, abs=1e-5)
    assert TEXTS[7] in run(*common, "--index", index, TEXTS[7])
    source, output = tmp_path / "asked.jsonl", tmp_path / "found.jsonl"
    source.write_text('{"id": 5, "question": "好"}\n', "utf-8")
    more = ("--input", source, "--column=question", "--output", output, "--top=3")
    run(*common, "--index", index, TEXTS[7], *more)
    assert read(output) == [answers[0], {"id": 5, **answers[1]}]
    wrong = f"{index}: was built with max_length 12"
    run(*common, "--index", index, "--max-length=9", "好", fails=wrong)
    run(*common, "--corpus", corpus, "--index", index, fails=f"{index}: exists")


def test_command_in_memory(folder, tmp_path):
    corpus = tmp_path / "corpus.tsv"
    corpus.write_text("id\tsentence\n1\t这店很好\n2\t手机\n", "utf-8")
    common = ("similar", "--model", folder, "--corpus", corpus)
    options = ("--pooling=first_last", "--measure=dot", "--output=-", "--top=1")
    out = run(*common, "--input=-", *options, given="手机\n")
    (answer,) = (json.loads(line) for line in out.splitlines() if line[:1] == "{")
    embed = plm.pipeline("feature-extraction", folder, pooling="first_last")
    ours = SentenceIndex(embed, measure="dot")
    ours.add(["这店很好", "手机"])
    wanted = ours.search(["手机"], 1)[0][0]
    assert answer["hits"][0]["text"] == wanted.text
    assert answer["hits"][0]["score"] == pytest.approx(wanted.score, rel=1e-5)
    corpus.write_text("name\n手机\n", "utf-8")
    run(*common, "好", fails=f"{corpus}: input 0: expected a str")
    run(*common, "好", "--column=x", fails=f"{corpus}: input 0: expected a text in 'x'")
    corpus.write_text("text\n", "utf-8")
    run(*common, "好", fails=f"{corpus}: expected texts to embed")
    run(*common, fails="nothing to find")
    run("similar", "--model", folder, "好", fails="nothing to search")
    run(*common, "好", "--top=0", fails="--top must be at least 1")
    run(
        "similar", "--model", folder, "--index=x", "--measure=dot", "好", fails="--meas"
    )
    run("similar", "--model", folder, "--corpus=-", "--input=-", fails="--corpus and")
