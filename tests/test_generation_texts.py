"""`generate`: strings in, strings out, under every constraint."""

import json

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm import cli_generate
from kerasplm.errors import ConfigError, DataError, VocabError
from kerasplm.generation import Decoding, Extract, Trie
from tests.language import Fixed, decode
from tests.models import VOCAB
from tests.test_convert import run

TEXTS = [
    "".join(VOCAB[5 + (n * k + k) % 50] for n in range(size))
    for k, size in ((3, 5), (7, 12), (11, 2), (13, 8), (17, 1))
]


@pytest.fixture(scope="module")
def tokenizer():
    return plm.PythonTokenizer(VOCAB)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    config = plm.Config(
        vocab_size=len(VOCAB),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=30,
        attention="unilm",
        initializer_range=0.25,
    )
    return plm.PretrainedModel(plm.Encoder(config), ["mlm"])


def attended(model, kind, heads=("mlm",)):
    config = model.encoder.config.replace(attention=kind)
    other = plm.PretrainedModel(plm.Encoder(config), heads)
    if heads == ("mlm",):
        other.set_weights(model.get_weights())
    return other


def test_one_text_per_source(model, tokenizer):
    found = plm.generate(model, tokenizer, TEXTS, max_length=9)
    assert len(found) == len(TEXTS)
    assert all(isinstance(text, str) for text in found)
    assert len(set(found)) > 1
    for n, text in enumerate(TEXTS):
        assert plm.generate(model, tokenizer, text, max_length=9) == [found[n]]
    assert plm.generate(model, tokenizer, [], max_length=9) == []
    small = plm.generate(model, tokenizer, iter(TEXTS), max_length=9, batch_size=2)
    assert small == found
    in_graph = plm.Tokenizer(VOCAB)
    assert plm.generate(model, in_graph, TEXTS, max_length=9) == found


def test_pairs_are_read_as_one_source(model, tokenizer):
    first, second = TEXTS[:2]
    found = plm.generate(model, tokenizer, (first, second), max_length=6)
    assert found == plm.generate(model, tokenizer, [[first, second]], max_length=6)
    assert (
        found
        == plm.generate(model, tokenizer, [(first, second), TEXTS[2]], max_length=6)[:1]
    )


def test_samples_are_lists_and_depend_on_the_seed_only(model, tokenizer):
    def draw(**options):
        options = {"max_length": 6, "samples": 3, "seed": 1} | options
        return plm.generate(model, tokenizer, TEXTS, **options)

    found = draw()
    assert [len(some) for some in found] == [3] * len(TEXTS)
    assert draw(batch_size=2) == found
    assert draw(seed=2) != found
    assert draw(seed=None) != draw(seed=None)
    one = draw(samples=1, top_k=4, top_p=0.9, temperature=0.8)
    assert all(isinstance(text, str) for text in one)


def test_one_graph_serves_all_lengths_and_ends(model, tokenizer):
    options = {"max_length": 7, "beams": 2, "length_penalty": 0.5}
    for end, least in ((VOCAB[9], 1), ("[SEP]", 3), (VOCAB[12], 2)):
        for texts in (TEXTS, TEXTS[:1]):
            plm.generate(model, tokenizer, texts, end=end, min_length=least, **options)
    decoders = [
        decoder
        for key, decoder in vars(model)["_kerasplm_decoders"].items()
        if key[1].length_penalty == 0.5
    ]
    assert [decoder.traces for decoder in decoders] == [1]


def test_choices(model, tokenizer):
    choices = [TEXTS[0], TEXTS[0][:2], TEXTS[3]]
    for options in ({}, {"beams": 3}, {"samples": 4, "seed": 1}):
        found = plm.generate(
            model, tokenizer, TEXTS, choices=choices, max_length=10, **options
        )
        assert set(np.ravel(found)) <= set(choices)


def test_extract(model, tokenizer):
    for options in ({}, {"beams": 3}, {"samples": 4, "seed": 1}):
        found = plm.generate(
            model, tokenizer, TEXTS, extract=True, max_length=5, **options
        )
        for text, some in zip(TEXTS, found, strict=True):
            for part in [some] if isinstance(some, str) else some:
                assert part in text


def test_a_trie_allows_what_it_holds():
    trie = Trie([[1, 2], [1, 3, 1], [1, 2, 2]])
    table = Fixed([[0.1, 0.2, 0.3, 0.4]] * 5)
    options = {"constraint": trie}
    greedy = decode(table, Decoding(end_id=0, max_length=5), [[5]], **options)
    assert greedy[0].ids == [[1, 3, 1, 0]]
    best = decode(table, Decoding(end_id=0, max_length=5, beams=3), [[5]], **options)
    # 0.2 * 0.3 * 0.1 against 0.2 * 0.4 * 0.2 * 0.1 and 0.2 * 0.3 * 0.3 * 0.1.
    assert best[0].ids == [[1, 2, 0]]
    fast = decode(
        table, Decoding(end_id=0, max_length=5), [[5]], jit_compile=True, **options
    )
    assert fast[0].ids == greedy[0].ids
    draws = Decoding(end_id=0, max_length=5, samples=40)
    ids = decode(table, draws, [[5]], **options)[0].ids
    assert set(map(tuple, ids)) == {(1, 2, 0), (1, 3, 1, 0), (1, 2, 2, 0)}
    with pytest.raises(ConfigError, match="needs an end token"):
        decode(table, Decoding(), [[5]], **options)
    for wrong in ([], [[]]):
        with pytest.raises(ConfigError, match="choice"):
            Trie(wrong)


def test_extracts_do_not_cross_special_tokens():
    table = Fixed([[0.04, 0.06, 0.2, 0.3, 0.3, 0.1]] * 7)
    rows = [[5, 3, 2, 5, 2, 4, 5], [5, 1, 5]]
    options = {"constraint": Extract([5])}
    draws = Decoding(end_id=0, max_length=4, samples=60)
    first, second = decode(table, draws, rows, **options)
    parts = {(0,), (3, 0), (2, 0), (4, 0), (3, 2, 0), (2, 4, 0)}
    assert set(map(tuple, first.ids)) == parts
    assert set(map(tuple, second.ids)) == {(0,), (1, 0)}


def test_a_callback_says_what_may_come(model, tokenizer):
    asked = []
    even = list(range(6, len(VOCAB), 2))

    def allowed(number, ids):
        asked.append(number)
        return [] if len(ids) == 4 else None if number == 1 else even

    for options in ({}, {"beams": 2}, {"samples": 2, "seed": 3}):
        found = plm.generate(
            model, tokenizer, TEXTS[:3], allowed=allowed, max_length=8, **options
        )
        assert set(asked) == {0, 1, 2}
        for n in (0, 2):
            for text in [found[n]] if isinstance(found[n], str) else found[n]:
                assert len(text) <= 4
                assert {VOCAB.index(char) for char in text} <= set(even)

    def everything(number, ids):
        return None

    for options in ({}, {"beams": 2}):
        common = {"max_length": 6, **options}
        plain = plm.generate(model, tokenizer, TEXTS, **common)
        stepwise = plm.generate(model, tokenizer, TEXTS, allowed=everything, **common)
        assert stepwise == plain
    for some, end in (([99], "[SEP]"), ([], None)):
        with pytest.raises(ConfigError, match="allowed: source 0, after"):
            plm.generate(
                model,
                tokenizer,
                "一",
                end=end,
                max_length=9,
                allowed=lambda *_, some=some: some,
            )


def test_texts_grow_before_the_eyes(model, tokenizer):
    seen = {n: [] for n in range(len(TEXTS))}

    def watch(number, text):
        seen[number].append(text)

    found = plm.generate(
        model, tokenizer, TEXTS, max_length=6, stream=watch, batch_size=2
    )
    assert found == plm.generate(model, tokenizer, TEXTS, max_length=6)
    for n, texts in seen.items():
        assert texts[-1] == found[n]
        assert all(b.startswith(a) for a, b in zip(texts, texts[1:], strict=False))
    with pytest.raises(ConfigError, match="stream shows one text"):
        plm.generate(model, tokenizer, TEXTS, samples=2, stream=watch)


def test_causal_models_continue(model, tokenizer):
    causal = attended(model, "causal")
    long = TEXTS[1]
    found = plm.generate(causal, tokenizer, [long, TEXTS[0]], max_length=5)
    assert found != plm.generate(model, tokenizer, [long, TEXTS[0]], max_length=5)
    # What is too long loses its beginning, of a source its end.
    options = {"max_length": 5, "max_source_length": 5}
    cut = plm.generate(causal, tokenizer, long, **options)
    assert cut == plm.generate(causal, tokenizer, long[-4:], max_length=5)
    cut = plm.generate(model, tokenizer, long, **options)
    assert cut == plm.generate(model, tokenizer, long[:3], max_length=5)


def test_unsuitable_models(model, tokenizer):
    for wrong, message in (
        (model.encoder, "PretrainedModel with an MLM head, found a Encoder"),
        (attended(model, "unilm", ("sentence_pair",)), "heads: sentence_pair"),
        (attended(model, "bidirectional"), "attention='unilm'.*found 'bidirectional'"),
    ):
        with pytest.raises(ConfigError, match=message):
            plm.generate(wrong, tokenizer, TEXTS)


def test_bad_input(model, tokenizer):
    for texts, options, error, message in (
        (TEXTS, {"max_length": 28}, DataError, "text 0: 7 tokens.*30 positions"),
        (["一", 3], {}, DataError, "text 1: expected a string or two, found int"),
        ([("一", "二", "三")], {}, DataError, "text 0: expected one text or two"),
        (TEXTS, {"end": "<end>"}, VocabError, "<end>"),
        (TEXTS, {"suppress": ["一二"]}, VocabError, "一二"),
        (TEXTS, {"suppress": "一二"}, ConfigError, "suppress must be a list of tok"),
        (TEXTS, {"samples": 1, "seed": -1}, ConfigError, "seed must be a whole num"),
        (TEXTS, {"batch_size": 0}, ConfigError, "batch_size must be positive"),
        (TEXTS, {"max_source_length": 2}, ConfigError, "at least 3"),
        (TEXTS, {"choices": ["一"], "extract": True}, ConfigError, "exclude"),
        (TEXTS, {"choices": "一"}, ConfigError, "choices must be a list"),
        (TEXTS, {"choices": [" "]}, ConfigError, "has no tokens"),
        (TEXTS, {"choices": ["一"], "end": None}, ConfigError, "needs an end token"),
    ):
        with pytest.raises(error, match=message):
            plm.generate(model, tokenizer, texts, **{"max_length": 9, **options})


def test_weights_are_as_before(model, tokenizer, tmp_path):
    """What a model keeps of its decoders is no part of it."""
    plm.generate(model, tokenizer, TEXTS, max_length=4)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    found = plm.generate(again, tokenizer, TEXTS, max_length=4)
    assert found == plm.generate(model, tokenizer, TEXTS, max_length=4)


# --- the command ------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    plm.save_checkpoint(model, folder / "bert_model.ckpt", family="bert")
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    return folder


def test_command(saved, model, tokenizer, tmp_path, monkeypatch):
    source, output = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    source.write_text("\n".join(TEXTS) + "\n", "utf-8")
    (tmp_path / "choices.txt").write_text("\n".join(TEXTS[:2]) + "\n", "utf-8")
    common = ("generate", "--model", saved, "--input", source, "--output", output)

    def answers(*options):
        run(*common, "--max-length=6", *options)
        return [json.loads(line) for line in output.read_text("utf-8").splitlines()]

    def ours(**options):
        found = plm.generate(model, tokenizer, TEXTS, max_length=6, **options)
        return [{"text" if isinstance(x, str) else "texts": x} for x in found]

    assert answers() == ours()
    assert answers("--attention=causal") != ours()
    # From here on options are told apart; what is compiled for one side serves both.
    monkeypatch.setattr(cli_generate, "_loaded", lambda *_: (model, tokenizer))
    found = answers(
        "--beams=3",
        "--length-penalty=0.7",
        "--min-length=2",
        "--repetition-penalty=1.5",
        "--no-repeat-ngram=2",
        f"--suppress={VOCAB[9]}",
        f"--suppress={VOCAB[10]}",
        f"--end={VOCAB[12]}",
        "--start=[CLS]",
        "--min-ends=2",
        "--batch-size=2",
        "--max-source-length=6",
    )
    assert found == ours(
        beams=3,
        length_penalty=0.7,
        min_length=2,
        repetition_penalty=1.5,
        no_repeat_ngram=2,
        suppress=VOCAB[9:11],
        end=VOCAB[12],
        min_ends=2,
        max_source_length=6,
    )
    found = answers(
        "--samples=2", "--temperature=0.7", "--top-k=9", "--top-p=0.8", "--seed=3"
    )
    options = {"samples": 2, "temperature": 0.7, "top_k": 9, "top_p": 0.8, "seed": 3}
    assert found == ours(**options)
    found = answers("--choices", tmp_path / "choices.txt", "--end=[SEP]")
    assert found == ours(choices=TEXTS[:2])
    found = answers("--extract", "--compatible=bert4keras", "--beams=2")
    assert found == ours(extract=True, compatible="bert4keras", beams=2)
    assert answers("--jit-compile", "--end=") == ours(end=None)
    monkeypatch.undo()
    shown = run(*common, "--max-length=6", "--stream", "--family=bert")
    assert f"2\t{ours()[1]['text']}\n" in shown


def test_command_reads_records(saved, model, tokenizer, tmp_path):
    source = tmp_path / "x.jsonl"
    rows = [{"id": 7, "text": TEXTS[0], "pair": TEXTS[1]}, {"text": TEXTS[2]}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    source.write_text("\n".join(lines) + "\n", "utf-8")
    out = run("generate", "--model", saved, "--input", source, "--max-length=4")
    sources = [(TEXTS[0], TEXTS[1]), TEXTS[2]]
    found = plm.generate(model, tokenizer, sources, max_length=4)
    answers = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert answers == [{"id": 7, "text": found[0]}, {"text": found[1]}]
    source.write_text('{"question": "一"}\n', "utf-8")
    wrong = "expected text .and pair., found question"
    with pytest.raises(DataError, match=wrong):
        run("generate", "--model", saved, "--input", source)
