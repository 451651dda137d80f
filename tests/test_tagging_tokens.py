"""Entities in tokens: borders, overlaps, windows, tags; Viterbi against all paths."""

import itertools

import numpy as np
import pytest

from kerasplm.evaluation.tags import entities_of_tags, tags_of_entities
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.task_models.tagging import TAG_SCHEMES, tags_of_types
from kerasplm.tasks.entity_predictions import FoundEntity, most_context
from kerasplm.tasks.entity_targets import SpanTargets, TagTargets
from kerasplm.tasks.entity_tokens import (
    LOST,
    OVERLAPPING,
    TRIMMED,
    WIDENED,
    CharacterTokenizer,
    TokenEntity,
    keep_apart,
    learnable,
    to_tokens,
)
from kerasplm.tasks.rows import Entity
from kerasplm.tasks.tag_decoding import PathProbability, allowed_transitions, best_tags

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"我在看书", "star", "##craft", "##2", "s"]


@pytest.fixture(scope="module")
def tokenizer():
    return PythonTokenizer(VOCAB)


# -- characters and tokens -----------------------------------------------------------


def test_characters_are_tokens(tokenizer):
    characters = CharacterTokenizer(tokenizer)
    text = "我 看S2\u200b書한"
    ids, spans = characters.tokenize_offsets(text)
    known = {"我": 4, "看": 6, "S": VOCAB.index("s")}
    assert ids == [known.get(char, tokenizer.unk_id) for char in text]
    assert spans == [(n, n + 1) for n in range(len(text))]
    assert characters.tokenize_offsets("") == ([], [])


def test_offsets_without_special_tokens(tokenizer):
    text = "我看 StarCraft2书"
    ids, spans = tokenizer.tokenize_offsets(text)
    framed, _, every = tokenizer.encode_offsets(text)
    assert (ids, spans) == (framed[1:-1], every[1:-1])
    surfaces = [text[a:b] for a, b in spans]
    assert surfaces == ["我", "看", "Star", "Craft", "2", "书"]


def test_a_border_inside_a_token_is_widened(tokenizer):
    text = "我看 StarCraft2书"
    _, spans = tokenizer.tokenize_offsets(text)
    exact = Entity(3, 13, "x")  # "StarCraft2"
    assert text[3:13] == "StarCraft2"
    found, counts = to_tokens([exact], spans)
    assert found == [TokenEntity(2, 5, "x")]
    assert not counts
    found, counts = to_tokens([Entity(5, 9, "x")], spans)  # "arCr"
    assert found == [TokenEntity(2, 4, "x")]
    assert counts == {WIDENED: 1}
    found, counts = to_tokens([Entity(2, 7, "x")], spans)  # " Star"
    assert found == [TokenEntity(2, 3, "x")]
    assert counts == {TRIMMED: 1}
    found, counts = to_tokens([Entity(2, 3, "x")], spans)  # " "
    assert (found, counts) == ([], {LOST: 1})
    # Two that become one are one.
    found, counts = to_tokens([Entity(3, 5, "x"), Entity(4, 6, "x")], spans)
    assert found == [TokenEntity(2, 3, "x")]
    assert counts == {WIDENED: 2}
    assert to_tokens([Entity(0, 1, "x")], []) == ([], {LOST: 1})


def test_tags_cannot_overlap():
    spans = [(n, n + 1) for n in range(9)]
    entities = [
        Entity(0, 3, "a"),
        Entity(2, 7, "b"),
        Entity(6, 8, "a"),
        Entity(8, 9, "a"),
    ]
    nested, counts = learnable(entities, spans, nested=True)
    assert len(nested) == 4
    assert not counts
    kept, counts = learnable(entities, spans, nested=False)
    assert kept == [TokenEntity(2, 7, "b"), TokenEntity(8, 9, "a")]
    assert counts == {OVERLAPPING: 2}


def test_keep_apart_prefers_rank_then_place():
    found = [FoundEntity(0, 4, "a", 0.5), FoundEntity(3, 5, "a", 0.9)]
    found += [FoundEntity(5, 6, "a", 0.1), FoundEntity(0, 4, "b", 0.5)]
    kept = keep_apart(found, lambda e: -e.score)
    assert kept == [found[1], found[2]]
    assert keep_apart(found[:1] + found[3:], lambda e: -e.score) == found[:1]


# -- tags ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", TAG_SCHEMES)
def test_tags_and_back(scheme):
    tags = tags_of_types(["a", "b"], scheme)
    assert tags[0] == "O"
    assert len(tags) == 1 + 2 * (len(tags) // 2)
    rng = np.random.default_rng(0)
    allowed = allowed_transitions(tags, scheme)
    for _ in range(200):
        borders = np.unique(rng.integers(0, 13, 6))
        pairs = itertools.pairwise(borders.tolist())
        spans = [(a, b, "ab"[rng.integers(2)]) for a, b in pairs if rng.random() < 0.7]
        named = tags_of_entities(spans, 12, scheme)
        assert entities_of_tags(named) == spans
        path = [0, *(tags.index(tag) for tag in named), 0]
        assert all(allowed[a, b] for a, b in itertools.pairwise(path))


def test_what_may_follow():
    tags = tags_of_types(["x", "y"], "BIOES")
    allowed = allowed_transitions(tags, "BIOES")
    follows = {
        tag: {other for n, other in enumerate(tags) if allowed[tags.index(tag), n]}
        for tag in ("O", "B-x", "I-x", "E-x", "S-y")
    }
    free = {"O", "B-x", "S-x", "B-y", "S-y"}
    assert follows == {
        "O": free,
        "B-x": {"I-x", "E-x"},
        "I-x": {"I-x", "E-x"},
        "E-x": free,
        "S-y": free,
    }
    bios = tags_of_types(["x"], "BIOS")
    assert bios == ("O", "B-x", "I-x", "S-x")
    assert allowed_transitions(bios, "BIOS").astype(int).tolist() == [
        [1, 1, 0, 1],
        [0, 0, 1, 0],
        [1, 1, 1, 1],
        [1, 1, 0, 1],
    ]


def all_paths(logits, table, allowed):
    """Return the scores of all paths from tag 0 to tag 0."""
    length, count = logits.shape
    scores = {}
    for inner in itertools.product(range(count), repeat=length - 2):
        path = (0, *inner, 0)
        pairs = list(itertools.pairwise(path))
        if allowed is not None and not all(allowed[pair] for pair in pairs):
            continue
        nodes = sum(logits[t, tag] for t, tag in enumerate(path))
        scores[path] = nodes + sum(table[pair] for pair in pairs)
    return scores


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("chain", [True, False])
def test_best_tags_against_all_paths(scheme, constrained, chain):
    tags = tags_of_types(["x", "y"] if scheme == "BIO" else ["x"], scheme)
    rng = np.random.default_rng(1)
    lengths = np.array([6, 2, 4, 5, 3])
    logits = rng.normal(size=(5, 6, len(tags))).astype("float32") * 2
    table = rng.normal(size=(len(tags), len(tags))) * chain
    allowed = allowed_transitions(tags, scheme) if constrained else None
    found = best_tags(logits, lengths, table if chain else None, allowed)
    for row, length in enumerate(lengths):
        scores = all_paths(logits[row, :length], table, allowed)
        assert tuple(found[row, :length]) == max(scores, key=scores.get)


@pytest.mark.parametrize("chain", [True, False])
def test_probability_of_some_tags_against_all_paths(chain):
    rng = np.random.default_rng(2)
    lengths, count = np.array([5, 3]), 3
    logits = rng.normal(size=(2, 5, count))
    table = rng.normal(size=(count, count)) * chain
    tags = rng.integers(0, count, (2, 5))
    found = PathProbability(logits, lengths, tags, table if chain else None)
    for row, length in enumerate(lengths):
        paths = list(itertools.product(range(count), repeat=int(length)))
        weights = np.exp(
            [
                sum(logits[row, t, tag] for t, tag in enumerate(path))
                + sum(table[pair] for pair in itertools.pairwise(path))
                for path in paths
            ]
        )
        for start, end in itertools.combinations(range(length + 1), 2):
            wanted = tuple(tags[row, start:end])
            share = sum(
                w for w, p in zip(weights, paths, strict=True) if p[start:end] == wanted
            )
            expected = share / weights.sum()
            assert found(row, start, end) == pytest.approx(expected, rel=1e-9)


# -- windows and targets -------------------------------------------------------------


def test_an_entity_comes_from_the_window_with_most_context():
    spans = [(0, 10), (5, 15), (10, 20)]
    cut = FoundEntity(8, 10, "a", 0.9)  # its rest is behind the border
    whole = FoundEntity(8, 12, "a", 0.5)
    early, late = FoundEntity(0, 2, "b", 0.5), FoundEntity(18, 20, "b", 0.5)
    twice = FoundEntity(6, 8, "c", 0.5)
    found = [[early, twice, cut], [twice, whole], [late]]
    assert most_context(spans, found) == [early, twice, whole, late]
    assert most_context([(0, 4)], [[early]]) == [early]


def test_batches_of_targets():
    tags = TagTargets(np.arange(1, 7, dtype="int32"), np.array([0, 2, 6]))
    rng = np.random.default_rng(0)
    found = tags.batch(np.array([1, 0]), 5, rng)
    assert found.tolist() == [[3, 4, 5, 6, 0], [1, 2, 0, 0, 0]]
    spans = np.array([[1, 2, 3], [0, 4, 4], [1, 5, 6], [0, 1, 1]], "int32")
    targets = SpanTargets(spans, np.array([0, 3, 3, 4]), np.array(2))
    found = targets.batch(np.array([0, 2, 1]), 9, rng)
    assert found.shape == (3, 2, 2, 2)
    assert found[0].tolist() == [[[4, 4], [0, 0]], [[2, 3], [5, 6]]]
    assert found[1].tolist() == [[[1, 1], [0, 0]], [[0, 0], [0, 0]]]
    assert not found[2].any()
    assert targets.batch(np.array([1]), 9, rng).shape == (1, 2, 1, 2)
