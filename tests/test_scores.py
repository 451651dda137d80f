"""Published scores: structure, sums that must agree, and what a run compares with."""

from collections import Counter, defaultdict

import pytest

from kerasplm.catalogue import CATALOGUE
from kerasplm.errors import CatalogueError, ConfigError
from kerasplm.recipes import OTHER_TASKS, TASKS, closest, published_scores
from kerasplm.recipes.names import CLUE
from kerasplm.recipes.scores import PUBLISHERS, SPLITS, tables

SCORES = published_scores()
METRICS = {"accuracy", "em", "f1", "macro_f1", "average"}
METRICS |= {"rouge_1", "rouge_2", "rouge_l", "bleu"}
CLUE_TASKS = ("afqmc", "tnews", "iflytek", "cmnli", "cluewsc2020", "csl")
CLUE_READING = ("cmrc2018", "chid", "c3")
# (beginning of the source, tasks with single scores): lines, scores.
COUNTS = {
    "ymcui/Chinese-BERT-wwm and ymcui/Chinese-ELECTRA, README": (105, 270),
    "ymcui/Chinese-BERT-wwm, README": (12, 36),
    "ymcui/Chinese-BERT-wwm, README, small models": (4, 36),
    "ymcui/Chinese-ELECTRA, README": (6, 12),
    "CLUEbenchmark/CLUE, README, table of afqmc": (9, 16),
    "CLUEbenchmark/CLUE, README, table of tnews": (9, 16),
    "CLUEbenchmark/CLUE, README, table of iflytek": (9, 16),
    "CLUEbenchmark/CLUE, README, table of cmnli": (9, 16),
    "CLUEbenchmark/CLUE, README, table of cluewsc2020": (9, 16),
    "CLUEbenchmark/CLUE, README, table of csl": (9, 18),
    "CLUEbenchmark/CLUE, README, table of drcd": (11, 44),
    "CLUEbenchmark/CLUE, README, table of cmrc2018": (12, 48),
    "CLUEbenchmark/CLUE, README, table of chid": (12, 24),
    "CLUEbenchmark/CLUE, README, table of c3": (12, 24),
    "CLUEbenchmark/CLUE, README, leaderboard of classification": (12, 84),
    "CLUEbenchmark/CLUE, README, leaderboard of reading comprehension": (12, 48),
    "PaddlePaddle/PaddleNLP, CLUE baselines; CLUEbenchmark/CLUE baselines/paddlenlp": (
        54,
        324,
    ),
    "brightmart/roberta_zh, README": (18, 31),
    "brightmart/albert_zh, README": (9, 15),
    "brightmart/roberta_zh, README, machine reading comprehension": (13, 26),
    "brightmart/albert_zh, README, figure of CMRC2018": (3, 6),
    "CLUEbenchmark/OCNLI, README": (10, 19),
    "CLUEbenchmark/CLUENER2020, README": (4, 44),
    "ZhuiyiTechnology/pretrained-models, README": (22, 48),
    "ZhuiyiTechnology/GAU-alpha, README": (10, 55),
    "ZhuiyiTechnology/t5-pegasus, README and announcement": (33, 132),
}
# Leaderboard and table of CLUE's README contradict each other here.
CONTRADICTIONS = {
    ("tnews", "BERT-wwm-ext"),
    ("tnews", "RoBERTa-large"),
    ("csl", "ALBERT-xlarge"),
    ("csl", "BERT-base"),
    ("csl", "BERT-wwm-ext"),
    ("csl", "RoBERTa-wwm-ext"),
}
# Published means that are not those of the published numbers.
NOT_THE_MEAN = {"ERNIE 2.0-Large-zh", "ERNIE 3.0-Micro-zh"}


def best(task, source, label, split="test", metric="accuracy"):
    (score,) = (
        s
        for s in SCORES
        if (s.task, s.label, s.split, s.metric) == (task, label, split, metric)
        and s.source.endswith(source)
    )
    return score.best


@pytest.mark.parametrize("source", COUNTS)
def test_counts(source):
    lines = sum(len(list(t.lines())) for t in tables() if t.source == source)
    assert (lines, sum(s.source == source for s in SCORES)) == COUNTS[source]


def test_sources_without_a_count_are_small():
    rest = Counter(s.source for s in SCORES if s.source not in COUNTS)
    assert max(rest.values()) <= 22
    assert len(SCORES) == sum(n for _, n in COUNTS.values()) + rest.total() == 1512


def test_every_score_is_sound():
    for score in SCORES:
        assert score.task in TASKS or score.task in OTHER_TASKS
        assert score.split in SPLITS
        assert score.metric in METRICS or score.metric.startswith("f1_")
        assert score.label
        assert score.source
        assert score.best is not None or score.mean is not None
        for number in filter(None, (score.best, score.mean)):
            assert 3 <= number <= 100
        if score.best and score.mean:
            assert 0 <= score.best - score.mean < 11
        assert score.deviation is None or 0 < score.deviation < 2
        assert set(score.models) <= set(CATALOGUE)
        assert not score.protocol or score.protocol.endswith(".")


def test_no_score_stands_twice():
    keys = Counter(
        (s.source, s.task, s.label, s.split, s.metric, s.setting) for s in SCORES
    )
    assert [key for key, n in keys.items() if n > 1] == []


def test_labels_name_models_of_the_catalogue():
    for table in tables():
        for names in table.models.values():
            assert set(names.split()) <= set(CATALOGUE)
    assert {entry.publisher for entry in CATALOGUE.values()} == set(PUBLISHERS)


@pytest.mark.parametrize(
    ("task", "parts", "source"),
    [
        ("clue_score", CLUE_TASKS, "leaderboard of classification"),
        ("clue_reading_score", CLUE_READING, "leaderboard of reading comprehension"),
        ("clue_average", (*CLUE_TASKS, "ocnli", *CLUE_READING), "paddlenlp"),
    ],
)
def test_published_means_are_means(task, parts, source):
    split = "dev" if source == "paddlenlp" else "test"
    means = [s for s in published_scores(task) if s.source.endswith(source)]
    assert len(means) in (12, 27)
    for mean in means:
        numbers = [
            best(p, source, mean.label, split, "em" if p == "cmrc2018" else "accuracy")
            for p in parts
        ]
        close = abs(sum(numbers) / len(numbers) - mean.best) < 0.0055
        assert close == (mean.label not in NOT_THE_MEAN), mean.label


def test_hfl_averages_are_means_of_eight_numbers():
    small = [s for s in SCORES if s.source.endswith("small models")]
    numbers = defaultdict(list)
    for score in small:
        numbers[score.label].append(score.best)
    for label, (*eight, mean) in numbers.items():
        assert len(eight) == 8
        assert sum(eight) / 8 == pytest.approx(mean, abs=0.003), label


def test_small_models_repeat_the_large_table():
    for score in SCORES:
        if score.source.endswith("small models") and score.task != "hfl_average":
            same = [
                s.best
                for s in published_scores(score.task, score.label, score.split)
                if s.metric == score.metric
                and s.source.endswith("Chinese-ELECTRA, README")
            ]
            assert same == ([] if score.label == "RBTL3" else [score.best])


def test_leaderboard_agrees_with_the_tables():
    found = set()
    for task in (*CLUE_TASKS, *CLUE_READING):
        metric = "em" if task == "cmrc2018" else "accuracy"
        for score in published_scores(task, split="test"):
            if "leaderboard" not in score.source:
                continue
            tables_say = [
                s.best
                for s in published_scores(task, split="test")
                if s.source.endswith(f"table of {task}")
                and s.metric == metric
                and (s.models and s.models == score.models)
            ]
            if tables_say not in ([], [score.best]):
                found.add((task, score.label))
    assert found == CONTRADICTIONS


def test_brackets_are_read_as_their_source_means_them():
    """HFL writes best (mean), brightmart mean (best), OCNLI mean (deviation)."""
    hfl = closest("cmrc2018", "bert-wwm-base-zh.hfl", "dev")
    assert [(s.metric, s.best, s.mean, s.runs) for s in hfl] == [
        ("em", 66.3, 65.0, 10),
        ("f1", 85.6, 84.7, 10),
    ]
    own = closest("cmrc2018", "roberta-large-zh.brightmart")
    assert [(s.metric, s.best, s.mean) for s in own] == [
        ("f1", 89.431, 88.608),
        ("em", 72.538, 69.935),
    ]
    (score,) = closest("ocnli", "roberta-wwm-ext-large-zh.hfl", "test")
    assert (score.best, score.mean, score.deviation) == (None, 78.2, 0.7)


def test_selection_by_label():
    assert {s.label for s in published_scores("cluener", "HUMAN")} == {"human"}
    assert {s.label for s in published_scores("cmrc2018", "ernie*", "dev")} >= {
        "ERNIE",
        "ERNIE-base",
        "ERNIE 3.0-Nano-zh",
    }
    (name,) = published_scores("cluener", "human")[0:1]
    assert (name.metric, name.best) == ("f1_name", 74.49)


def test_settings_stand_with_the_score():
    score = closest("c3", "albert-xxlarge-zh.google", "test")[0]
    assert score.best == 73.28
    assert score.values == {
        "batch_size": 16,
        "max_length": 512,
        "epochs": 8,
        "learning_rate": 2e-5,
        "warmup": 0.1,
    }


def test_closest_takes_one_source_the_publisher_first():
    dev, test = closest("xnli", "RoBERTa-wwm-ext-base-zh.hfl")
    assert (dev.best, dev.mean, test.best, test.mean) == (80.0, 79.2, 78.8, 78.3)
    (clue,) = closest("afqmc", "roberta-wwm-ext-base-zh.hfl", "test")
    assert clue.best == 74.04
    (zhuiyi,) = closest("iflytek", "roberta-plus-tiny-zh.zhuiyi")
    assert (zhuiyi.mean, zhuiyi.runs, zhuiyi.setting) == (57.51, 3, "")
    for name in CATALOGUE:
        for task in TASKS:
            found = closest(task, name)
            assert len({s.source for s in found}) <= 1
            assert len({(s.split, s.metric, s.label) for s in found}) == len(found)
            assert not any(s.setting for s in found)


def test_protocol_warns_of_the_subset():
    for score in published_scores("cmrc2018", split="test"):
        if score.source.startswith("CLUEbenchmark"):
            assert "not comparable" in score.protocol
        else:
            assert "official" in score.protocol
    tiny = [s for s in SCORES if s.label == "ALBERT-tiny" and CLUE[s.label]]
    assert tiny
    assert all("which release" in s.protocol for s in tiny)


def test_nothing_published():
    assert closest("lcqmc", "wobert-base-zh.zhuiyi") == ()
    assert closest("copa", "bert-base-zh.google") == ()


def test_wrong_names():
    with pytest.raises(ConfigError, match=r"no task 'lqmc'\. Did you mean lcqmc"):
        published_scores("lqmc")
    with pytest.raises(ConfigError, match="split must be one of"):
        published_scores("lcqmc", split="train")
    with pytest.raises(CatalogueError, match="no such model"):
        closest("lcqmc", "ERNIE")
