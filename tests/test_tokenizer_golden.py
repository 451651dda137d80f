"""Both tokenizers against the output of the original tokenizers.

KERASPLM_GOLDENS=DIR runs the same tests on other cases of the same format.
"""

import json
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from kerasplm.characters import RULES
from kerasplm.python_tokenizer import PythonTokenizer, pair_lengths
from kerasplm.tokenizer import Tokenizer
from kerasplm.vocab import decode_tokens
from tests.golden import read_text

HERE = Path(__file__).parent / "goldens"
ROOT = Path(os.environ.get("KERASPLM_GOLDENS") or HERE)

# Which options each original needs, written out: RULES must say the same.
ORIGINALS = {
    "bert_lower": (True, True, "bert"),
    "bert_cased": (False, False, "bert"),
    "roberta_zh": (True, True, "bert"),
    "albert_zh": (True, True, "bert"),
    "albert_zh_google": (True, True, "bert"),
    "albert_google": (True, True, "bert"),
    "albert_google_cased": (False, False, "bert"),
    "electra_lower": (True, True, "electra"),
    "electra_cased": (False, False, "electra"),
    "electra_lower_keep_accents": (True, False, "electra"),
    "electra_zh_lower": (True, True, "electra"),
    "nezha_lower": (True, True, "bert"),
    "nezha_cased": (False, False, "bert"),
    "nezha_gen_lower": (True, True, "electra"),
    "nezha_gen_cased": (False, False, "electra"),
    "nezha_squad_cased": (False, False, "isolate"),
    "nezha_squad_lower": (True, False, "isolate"),
}


def case(name: str, *files: str) -> Path:
    """Return the folder of a case; only in a foreign root it may be missing."""
    folder = ROOT / name
    missing = [file for file in files if not list(folder.glob(f"{file}*"))]
    if missing and ROOT != HERE:
        pytest.skip(f"{ROOT} has no {name}/{missing[0]}")
    assert not missing, f"{folder} lacks {missing}"
    return folder


@cache
def load_json(path: Path):
    return json.loads(read_text(path))


@cache
def originals():
    """Return every line: text, and (tokens, ids) by name of the original."""
    folder = case("tokenizers_tf1", "tokens.jsonl", "vocab.txt", "meta.json")
    text = read_text(folder / "tokens.jsonl")
    rows = [json.loads(row) for row in text.split("\n") if row]
    lines = [
        (
            row["text"],
            {
                key: (group["tokens"], group["ids"])
                for group in row["groups"]
                for key in group["keys"]
            },
        )
        for row in rows
    ]
    return folder, lines


@cache
def make(cls, vocab: Path, **options):
    return cls(vocab, **options)


# --- 17 original tokenizers ----------------------------------------------------


def test_every_original_has_its_rules():
    assert set(RULES) == set(ORIGINALS)
    folder, lines = originals()
    meta = load_json(folder / "meta.json")
    assert set(meta["tokenizers"]) <= set(ORIGINALS)
    assert len(lines) == meta["n"]
    for _, expected in lines:
        assert set(expected) == set(meta["tokenizers"])
    for name, (lowercase, strip_accents, control) in ORIGINALS.items():
        config = make(PythonTokenizer, folder / "vocab.txt", **RULES[name]).get_config()
        assert config["lowercase"] == lowercase
        assert config["strip_accents"] == strip_accents
        assert config["control"] == control


@pytest.mark.parametrize("name", ORIGINALS)
def test_original_python(name):
    folder, lines = originals()
    tokenizer = make(PythonTokenizer, folder / "vocab.txt", **RULES[name])
    for text, expected in lines:
        tokens, ids = expected[name]
        assert tokenizer.tokens(text) == tokens, ascii(text)
        assert tokenizer.tokenize(text) == [ids], ascii(text)
        assert tokenizer.encode_offsets(text)[0][1:-1] == ids, ascii(text)
    texts = [text for text, _ in lines]
    assert tokenizer.tokenize(texts) == [e[name][1] for _, e in lines]


@pytest.mark.parametrize("name", ORIGINALS)
def test_original_in_graph(name):
    folder, lines = originals()
    tokenizer = make(Tokenizer, folder / "vocab.txt", **RULES[name])
    got = tokenizer.tokenize([text for text, _ in lines]).to_list()
    assert len(got) == len(lines)
    for (text, expected), ids in zip(lines, got, strict=True):
        assert ids == expected[name][1], ascii(text)
    # Line by line as well: a neighbour in the batch must not matter.
    for text, expected in lines[:: max(1, len(lines) // 40)]:
        assert tokenizer.tokenize(text).to_list() == [expected[name][1]]


# --- bert4keras ------------------------------------------------------------------


def bert4keras():
    folder = case("tokenizer", "golden.json", "vocab.txt", "meta.json")
    return folder / "vocab.txt", load_json(folder / "golden.json")


def test_vocabulary():
    vocab, _ = bert4keras()
    meta = load_json(vocab.parent / "meta.json")
    special = meta["special_ids"]
    for cls in (PythonTokenizer, Tokenizer):
        tokenizer = make(cls, vocab)
        assert tokenizer.vocab_size == meta["vocab_size"] == len(tokenizer.vocab)
        assert tokenizer.pad_id == special["pad"]
        assert tokenizer.unk_id == special["unk"]
        assert tokenizer.cls_id == special["start"]
        assert tokenizer.sep_id == special["end"]
        assert tokenizer.mask_id == special["mask"]


@pytest.mark.parametrize("key", ["lower", "cased"])
def test_bert4keras_lines(key):
    vocab, golden = bert4keras()
    tokenizer = make(PythonTokenizer, vocab, lowercase=key == "lower")
    in_graph = make(Tokenizer, vocab, lowercase=key == "lower")
    rows = golden[key]
    texts = [row["text"] for row in rows]
    for encoded in (tokenizer(texts), in_graph(texts)):
        encoded = {key: np.asarray(value) for key, value in encoded.items()}
        for i, row in enumerate(rows):
            real = encoded["padding_mask"][i]
            assert encoded["token_ids"][i][real].tolist() == row["token_ids"]
            assert encoded["segment_ids"][i][real].tolist() == row["segment_ids"]
            assert set(encoded["token_ids"][i][~real]) <= {tokenizer.pad_id}
    for row in rows:
        assert tokenizer.decode([row["token_ids"]]) == [row["decode"]]
        assert decode_tokens(row["tokens"]) == row["decode_from_tokens"]
    ids = in_graph(texts)["token_ids"]
    assert in_graph.decode(ids) == [row["decode"] for row in rows]


@pytest.mark.parametrize("key", ["lower", "cased"])
def test_offsets_are_those_of_rematch(key):
    vocab, golden = bert4keras()
    tokenizer = make(PythonTokenizer, vocab, lowercase=key == "lower")
    for row in golden[key]:
        spans = tokenizer.encode_offsets(row["text"])[2]
        places = row["rematch"]
        if "error" in places:  # rematch may fail; offsets never do
            continue
        if key == "lower":
            # rematch counts in text.lower(), which is longer behind every İ.
            origin = [i for i, char in enumerate(row["text"]) for _ in char.lower()]
            places = [[origin[i] for i in place] for place in places]
        assert spans == [(p[0], p[-1] + 1) if p else (0, 0) for p in places], row


def cut(ids: list[int], keep: int, truncate_from) -> list[int]:
    """Keep some ids: the first, the last, or all but those from a position on."""
    start = {"right": keep, "left": 0}.get(truncate_from)
    if start is None:
        start = min(truncate_from - 1, keep)
    return ids[:start] + ids[start + len(ids) - keep :]


def check_pairs(tokenizer, in_graph, rows) -> int:
    """Check bert4keras pairs; count those that a plain call gives as well.

    bert4keras pops the first text of two equally long ones, the originals the
    second; with the roles exchanged the closed form is the same.
    """
    same = 0
    for row in rows:
        a, b = tokenizer.tokenize([row["first"], row["second"]])
        repeated = row["pattern"] == "S*ES*E"
        budget = (row["maxlen"] or 1000) - (4 if repeated else 3)
        keep_b, keep_a = pair_lengths(len(b), len(a), budget)
        cls, sep = [tokenizer.cls_id], [tokenizer.sep_id]
        first = cls + cut(a, keep_a, row["truncate_from"]) + sep
        second = cls * repeated + cut(b, keep_b, row["truncate_from"]) + sep
        assert first + second == row["token_ids"], row
        assert [0] * len(first) + [1] * len(second) == row["segment_ids"], row
        if repeated or pair_lengths(len(a), len(b), budget) != (keep_a, keep_b):
            continue
        if row["truncate_from"] != "right" and row["maxlen"] is not None:
            continue
        options = {"max_length": row["maxlen"]}
        encoded = tokenizer([row["first"]], [row["second"]], **options)
        assert encoded["token_ids"].tolist() == [row["token_ids"]]
        assert encoded["segment_ids"].tolist() == [row["segment_ids"]]
        if in_graph is not None:
            encoded = in_graph([row["first"]], [row["second"]], **options)
            assert encoded["token_ids"].numpy().tolist() == [row["token_ids"]]
            assert encoded["segment_ids"].numpy().tolist() == [row["segment_ids"]]
        same += 1
    return same


def test_bert4keras_pairs():
    vocab, golden = bert4keras()
    tokenizer, in_graph = make(PythonTokenizer, vocab), make(Tokenizer, vocab)
    same = check_pairs(tokenizer, in_graph, golden["pairs"])
    assert same > 0


def test_bert4keras_singles():
    vocab, golden = bert4keras()
    tokenizer, in_graph = make(PythonTokenizer, vocab), make(Tokenizer, vocab)
    for row in golden["singles"]:
        (ids,) = tokenizer.tokenize(row["first"])
        keep = min(len(ids), row["maxlen"] - 2)
        kept = cut(ids, keep, row["truncate_from"])
        assert [tokenizer.cls_id, *kept, tokenizer.sep_id] == row["token_ids"]
        assert row["segment_ids"] == [0] * len(row["token_ids"])
        if row["truncate_from"] == "right":
            options = {"max_length": row["maxlen"]}
            encoded = tokenizer(row["first"], **options)
            assert encoded["token_ids"].tolist() == [row["token_ids"]]
            encoded = in_graph(row["first"], **options)
            assert encoded["token_ids"].numpy().tolist() == [row["token_ids"]]


def test_bert4keras_variants():
    vocab, golden = bert4keras()
    checked = set()
    for row in golden["variants"]:
        options = dict(row["kwargs"])
        start = options.pop("token_start", "[CLS]")
        end = options.pop("token_end", "[SEP]")
        limit = options.pop("word_maxlen", 200)
        if options:
            # token_translate renames tokens: nothing of the kind exists here.
            assert set(options) == {"token_translate"}
            continue
        frame = [[t] if t else [] for t in (start, end)]
        tokens = row["tokens"][len(frame[0]) : len(row["tokens"]) - len(frame[1])]
        for cls in (PythonTokenizer, Tokenizer):
            tokenizer = make(cls, vocab, max_word_chars=limit)
            (ids,) = as_list(tokenizer.tokenize(row["text"]))
            # bert4keras keeps the spelling of an unknown word as its token, and of
            # a word over the limit, which it may then find in the vocabulary.
            known = {t: i for i, t in enumerate(tokenizer.vocab)}
            expected = [
                tokenizer.unk_id
                if len(token.removeprefix("##")) > limit
                else known.get(token, tokenizer.unk_id)
                for token in tokens
            ]
            assert ids == expected, row
        checked.add((start, end, limit))
    assert checked


def as_list(ids) -> list:
    return ids.to_list() if hasattr(ids, "to_list") else ids


# --- WoBERT: words from a segmenter -----------------------------------------------


def wobert():
    if (ROOT / "wobert" / "meta.json").exists() and ROOT != HERE:
        golden = load_json(case("wobert", "vocab.txt") / "meta.json")
        return ROOT / "wobert" / "vocab.txt", golden["tokenization"]
    folder = case("wobert_tokens", "tokens.json", "vocab.txt")
    return folder / "vocab.txt", load_json(folder / "tokens.json")["tokenization"]


def check_wobert(tokenizer, row):
    ids, segments, spans = tokenizer.encode_offsets(row["text"])
    assert ids == row["encode"]["token_ids"], row["text"]
    assert segments == row["encode"]["segment_ids"]
    assert tokenizer(row["text"])["token_ids"].tolist() == [ids]
    assert tokenizer.decode([ids]) == [row["decode"]]
    known = {token: i for i, token in enumerate(tokenizer.vocab)}
    assert ids == [known.get(token, tokenizer.unk_id) for token in row["tokens"]]
    if row["rematch_error"] is None:
        places = row["rematch"]
        assert spans == [(p[0], p[-1] + 1) if p else (0, 0) for p in places], row


@pytest.mark.parametrize("hmm", [False, True])
def test_wobert_with_recorded_words(hmm):
    vocab, golden = wobert()
    for row in golden[f"pre_tokenize_jieba_HMM_{hmm}"]:
        seen = []
        words = row["pre_tokenize_output"]

        def segment(text, seen=seen, words=words):
            seen.append(text)
            return words

        check_wobert(PythonTokenizer(vocab, pre_tokenize=segment), row)
        assert set(seen) == {row["pre_tokenize_input"]}


@pytest.mark.parametrize("hmm", [False, True])
def test_wobert_with_jieba(hmm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba's own, on import
        jieba = pytest.importorskip("jieba")
    jieba.setLogLevel(60)
    vocab, golden = wobert()
    tokenizer = PythonTokenizer(
        vocab, pre_tokenize=lambda text: jieba.cut(text, HMM=hmm)
    )
    for row in golden[f"pre_tokenize_jieba_HMM_{hmm}"]:
        check_wobert(tokenizer, row)
    if not hmm:
        assert check_pairs(tokenizer, None, golden["pairs"]) > 0


def test_wobert_without_segmenter():
    vocab, golden = wobert()
    in_graph = make(Tokenizer, vocab)
    assert in_graph.unk_id == 1
    for row in golden["pre_tokenize_none"]:
        check_wobert(make(PythonTokenizer, vocab), row)
        ids = in_graph(row["text"])["token_ids"].numpy().tolist()
        assert ids == [row["encode"]["token_ids"]]
