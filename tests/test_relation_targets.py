"""Relations among tokens: where they are found, and the labels of a batch."""

import collections
import dataclasses
import itertools

import numpy as np
import pytest

from kerasplm.errors import ConfigError, DataError
from kerasplm.tasks import TASKS
from kerasplm.tasks.kinds.relation_targets import (
    GPLinkerTargets,
    SubjectObjectTargets,
    occurrences,
)
from tests.relations import PREDICATES, ROWS, TASK, TOKENIZER, row


def features(rows, **changes):
    return TASK.features(rows, TOKENIZER, TASK.settings(**changes))


def triples_of(found, feature):
    targets = found.targets
    part = slice(targets.starts[feature], targets.starts[feature + 1])
    return [tuple(int(x) for x in one) for one in targets.triples[part]]


def test_occurrences_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(300):
        ids = rng.integers(0, 3, rng.integers(0, 9)).tolist()
        part = rng.integers(0, 3, rng.integers(0, 4)).tolist()
        starts = range(len(ids) - len(part) + 1) if part else ()
        all_ = [n for n in starts if ids[n : n + len(part)] == part]
        assert occurrences(part, ids) == all_
        assert occurrences(part, ids, 1) == all_[:1]


def test_first_match_among_tokens():
    rows = [
        # The first 海风 is not the book, but it is what the originals take.
        row(0, "海风吹，周明写《海风》", ("海风", "作者", "周明")),
        row(1, "《Big  SKY》王森", ("big sky", "作者", "王森")),
    ]
    found = features(rows)
    assert triples_of(found, 0) == [(1, 2, 0, 5, 6)]
    assert triples_of(found, 1) == [(2, 3, 0, 5, 6)]
    again = features(rows, all_matches=True)
    assert triples_of(again, 0) == [(1, 2, 0, 5, 6), (9, 10, 0, 5, 6)]


def test_a_part_of_a_word_is_not_found():
    found = features([row(0, "bigsky王森", ("big", "作者", "王森"))])
    assert triples_of(found, 0) == []
    assert found.targets.lost.tolist() == [1]
    assert found.targets.known.tolist() == [False]


def test_relations_that_are_not_there_are_counted():
    rows = [
        row(0, "赵立的父亲", ("赵立", "父亲", "赵大山"), ("赵立", "父亲", "父")),
        row(1, "这里没有下雨。"),
        row(2, "赵立", ("赵立", "父亲", "")),
    ]
    found = features(rows)
    assert found.targets.lost.tolist() == [1, 0, 1]
    assert found.targets.known.tolist() == [True, True, False]
    cut = features(ROWS[6:7], max_length=11)
    assert cut.targets.lost.tolist() == [1]
    assert triples_of(cut, 0) == [(2, 3, 0, 6, 7)]


def test_windows_hold_what_lies_in_them():
    text = ROWS[6].text
    found = features(ROWS[6:7], max_length=10, stride=4)
    assert found.owner.tolist() == [0, 0, 0, 0]
    assert found.targets.lost.tolist() == [0]
    seen = set()
    for n in range(4):
        places = found.places[found.span(n)]
        for s0, s1, p, o0, o1 in triples_of(found, n):
            subject = text[places[s0, 0] : places[s1, 1]]
            object_ = text[places[o0, 0] : places[o1, 1]]
            seen.add((subject, PREDICATES[p], object_))
    assert seen == {("旧路", "作者", "陈默"), ("陈默", "父亲", "陈岩")}


def test_without_relations_there_are_no_targets():
    rows = [ROWS[0], dataclasses.replace(ROWS[1], triples=None)]
    assert features(rows).targets is None


# -- labels ----------------------------------------------------------------------------

# Of three features: two subjects, of which one has two objects; none; one.
TRIPLES = np.array(
    [[1, 2, 0, 4, 4], [1, 2, 1, 5, 6], [5, 6, 0, 1, 2], [3, 3, 1, 1, 1]], "int32"
)


def made(cls):
    return cls(
        TRIPLES,
        np.array([0, 3, 3, 4]),
        np.array([True, False, True]),
        np.zeros(3, "int32"),
        np.array(2),
    )


def test_labels_of_subjects_and_objects_by_hand():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        batch = made(SubjectObjectTargets).batch(np.array([2, 0, 1]), 8, rng)
        assert batch["known"].tolist() == [True, True, False]
        starts, ends = batch["subjects"][..., 0], batch["subjects"][..., 1]
        assert np.argwhere(starts).tolist() == [[0, 3], [1, 1], [1, 5]]
        assert np.argwhere(ends).tolist() == [[0, 3], [1, 2], [1, 6]]
        assert batch["subject"][[0, 2]].tolist() == [[3, 3], [0, 0]]
        sampled = tuple(batch["subject"][1].tolist())
        seen.add(sampled)
        objects = {
            (1, 2): [[1, 4, 0, 0], [1, 4, 0, 1], [1, 5, 1, 0], [1, 6, 1, 1]],
            (5, 6): [[1, 1, 0, 0], [1, 2, 0, 1]],
            (1, 6): [],  # ends of different subjects: a negative example
        }[sampled]
        alone = [[0, 1, 1, 0], [0, 1, 1, 1]]
        assert np.argwhere(batch["objects"]).tolist() == alone + objects
        assert batch["objects"].shape == (3, 8, 2, 2)
    assert seen == {(1, 2), (5, 6), (1, 6)}


def test_the_sampled_subject_has_the_original_distribution():
    spans = [(1, 2), (1, 4), (6, 7), (3, 3)]
    triples = [(*span, 0, 9, 9) for span in spans]
    triples += [(1, 2, 0, 8, 8)]  # another object makes a subject no likelier
    targets = SubjectObjectTargets(
        np.array(sorted(triples), "int32"),
        np.array([0, 5]),
        np.array([True]),
        np.zeros(1, "int32"),
        np.array(1),
    )
    wanted = collections.Counter()
    for (start, _), ends in itertools.product(spans, [[e for _, e in spans]]):
        allowed = [end for end in ends if end >= start]
        for end in allowed:
            wanted[start, end] += 1 / len(spans) / len(allowed)
    rng, count = np.random.default_rng(3), 4000
    drawn = targets.batch(np.zeros(count, int), 10, rng)["subject"]
    seen = collections.Counter(map(tuple, drawn.tolist()))
    assert set(seen) == set(wanted)
    for span, share in wanted.items():
        deviation = (share * (1 - share) / count) ** 0.5
        assert abs(seen[span] / count - share) < 4 * deviation


def test_labels_of_three_tables_by_hand():
    rng = np.random.default_rng(0)
    batch = made(GPLinkerTargets).batch(np.array([2, 0, 1]), 8, rng)
    assert batch["entities"].tolist() == [
        [[[3, 3], [0, 0], [0, 0]], [[1, 1], [0, 0], [0, 0]]],
        [[[1, 2], [5, 6], [0, 0]], [[1, 2], [4, 4], [5, 6]]],
        [[[0, 0]] * 3] * 2,
    ]
    none = [[0, 0], [0, 0]]
    assert batch["heads"].tolist() == [
        [none, [[3, 1], [0, 0]]],
        [[[1, 4], [5, 1]], [[1, 5], [0, 0]]],
        [none, none],
    ]
    assert batch["tails"].tolist() == [
        [none, [[3, 1], [0, 0]]],
        [[[2, 4], [6, 2]], [[2, 6], [0, 0]]],
        [none, none],
    ]
    nothing = made(GPLinkerTargets).batch(np.array([1]), 8, rng)
    assert nothing["heads"].tolist() == [[[[0, 0]], [[0, 0]]]]


# -- the declared task -----------------------------------------------------------------


def test_predicates_come_from_the_folder(tmp_path):
    task = TASKS["lic2019"]
    assert len(task.labels) == 49
    assert task.at(tmp_path) is task
    schema = '{"object_type": "人", "predicate": "作者", "subject_type": "书"}\n'
    (tmp_path / "all_50_schemas").write_text(schema * 2, encoding="utf-8")
    assert task.at(tmp_path).labels == ("作者",)
    line = '{"text": "甲书", "spo_list": [{"subject": "书", "predicate": "父亲", '
    line += '"object": "甲"}]}\n'
    file = tmp_path / "dev_data.json"
    file.write_text(line, encoding="utf-8")
    assert task.rows(tmp_path, "dev").rows[0].triples[0].predicate == "父亲"
    with pytest.raises(DataError, match="'作者'.*'父亲'"):
        task.at(tmp_path).rows(tmp_path, "dev")
    (tmp_path / "all_50_schemas").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="all_50_schemas"):
        task.at(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decoder": "pointer"}, "decoder: expected 'subject_object' or 'gplinker'"),
        ({"stride": -1}, "stride must be 0 or more"),
        ({"start_threshold": 1.0}, "start_threshold must be in"),
        ({"end_threshold": 0.0}, "end_threshold must be in"),
        ({"threshold": 0.5}, "no such option"),
    ],
)
def test_options_are_checked(change, words):
    with pytest.raises(ConfigError, match=words):
        TASKS["lic2019"].settings(**change)
