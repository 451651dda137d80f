"""The formats of the official data sets: data, no code."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from kerasplm.tasks.formats.choices import read_dialogues, read_idioms
from kerasplm.tasks.formats.clue import read_causes, read_keywords, read_pronouns
from kerasplm.tasks.formats.columns import Column, read_table
from kerasplm.tasks.formats.entities import read_spans, read_tags, read_words
from kerasplm.tasks.formats.format import Format, Names, one_file
from kerasplm.tasks.formats.lcsts import read_news
from kerasplm.tasks.formats.questions import read_questions
from kerasplm.tasks.formats.relations import read_schemas, read_triples
from kerasplm.tasks.formats.targets import read_answers, read_targets, read_utterances

SUFFIXES = (".json", ".jsonl", ".tsv", ".txt", ".csv")
_ID = ("id", "idx", "index")
_CLUE_PAIR: Mapping[str, Column] = {
    "text": ("sentence1", "text_a", 0),
    "pair": ("sentence2", "text_b", 1),
    "label": ("label", 2),
    "id": _ID,
}
_CLUE_TEXT: Mapping[str, Column] = {
    "text": ("sentence", "text_a", "text", 1),
    "label": ("label", 0),
    "id": _ID,
}


def table_format(
    columns: Mapping[str, Column], names: Names | None = None, **options: Any
) -> Format:
    """Return the format of texts or pairs in columns, or under keys of JSON lines.

    Args:
        columns: Field ("text", "pair", "label", "id") to column; see `read_table`.
        names: File names; default is train, dev and test with any of the suffixes.
        **options: Of `read_table`.

    Example:
        >>> form = table_format({"text": "review", "label": "stars", "id": 0})
        >>> files = form.find("my_data", "train")  # doctest: +SKIP
    """
    read = functools.partial(read_table, columns=columns, **options)
    return Format(read, names or one_file(SUFFIXES))


def target_format(
    columns: Mapping[str, Column], names: Names | None = None, **options: Any
) -> Format:
    """Return the format of texts to read and a text to write, in columns or JSON lines.

    Args:
        columns: Field ("text", "pair", "target", "id") to column; see `read_targets`.
        names: As for `table_format`.
        **options: Of `read_targets`.
    """
    read = functools.partial(read_targets, columns=columns, **options)
    return Format(read, names or one_file(SUFFIXES))


def _together(**splits: Sequence[str]) -> Names:
    """Return names of splits; each alternative is names with blanks between."""
    return {
        split: tuple(tuple(names.split()) for names in alternatives)
        for split, alternatives in splits.items()
    }


_JSON = one_file((".json", ".jsonl"))
_CMRC = one_file(
    (".json",),
    train=("cmrc2018_train",),
    dev=("cmrc2018_dev",),
    test=("cmrc2018_test_2k", "cmrc2018_test"),
)
_DRCD = one_file(
    (".json",), train=("DRCD_training",), dev=("DRCD_dev",), test=("DRCD_test",)
)
_TITLES: Mapping[str, Column] = {
    "target": ("title", "target", "summary", 0),
    "text": ("content", "abst", "source", "text", 1),
    "id": _ID,
}
_ANSWERS = _together(
    train=("SogouQA.json WebQA.json", "train.json"),
    dev=("SogouQA.json", "dev.json"),
    test=("test.json",),
)
_TAG_SUFFIXES = (".txt", ".tsv", ".char.bmes")

FORMATS: Mapping[str, Format] = {
    # Classes of texts and of pairs.
    "lcqmc": table_format(_CLUE_PAIR),
    "bq": table_format(_CLUE_PAIR),
    "afqmc": table_format(_CLUE_PAIR),
    "tnews": table_format(_CLUE_TEXT),
    "iflytek": table_format(_CLUE_TEXT),
    "chnsenticorp": table_format(_CLUE_TEXT),
    "cmnli": table_format(_CLUE_PAIR, drop=("-",)),
    "ocnli": table_format(
        _CLUE_PAIR, one_file(SUFFIXES, train=("train.50k",)), drop=("-",)
    ),
    "clue_diagnostics": table_format(
        {
            "text": ("premise", "sentence1"),
            "pair": ("hypothesis", "sentence2"),
            "label": "label",
            "id": ("id", "index"),
        },
        one_file((".json", ".jsonl"), test=("diagnostics_test",)),
    ),
    "xnli": table_format(
        {
            "text": ("sentence1", "premise", 0),
            "pair": ("sentence2", "hypo", "hypothesis", 1),
            "label": ("gold_label", "label", 2),
            "id": _ID,
        },
        one_file(
            SUFFIXES,
            train=("multinli.train.zh", "multinli/multinli.train.zh"),
            dev=("xnli.dev",),
            test=("xnli.test",),
        ),
        keep=("language", "zh"),
    ),
    "sentence_pair": table_format(
        {"label": ("label", 0), "text": ("text_a", 1), "pair": ("text_b", 2)},
        one_file(
            (".tsv",), train=("train_0827",), dev=("dev_0827",), test=("test_0827",)
        ),
    ),
    "sentiment": table_format(
        {"text": 0, "label": 1},
        one_file(
            (".data",),
            train=("sentiment.train",),
            dev=("sentiment.valid",),
            test=("sentiment.test",),
        ),
    ),
    "thucnews": table_format({"label": 0, "text": 3}, separator="_!_"),
    "inews": table_format({"label": 0, "text": 2, "pair": 3}, separator="_!_"),
    "jd": table_format(
        {"label": ("label", 0), "text": ("title", 1), "pair": ("comment", 2)},
        one_file((".csv",), train=("jd_train",), dev=("jd_dev",), test=("jd_test",)),
    ),
    "csl": Format(read_keywords, _JSON),
    "cluewsc2020": Format(read_pronouns, _JSON),
    "copa": Format(read_causes, _JSON),
    # A number for a pair.
    "sts": table_format(
        {
            "text": ("sentence1", 0),
            "pair": ("sentence2", 1),
            "label": ("score", "label", 2),
            "id": _ID,
        },
        number=True,
    ),
    # Answers in passages.
    "cmrc2018": Format(read_questions, {**_CMRC, "trial": (("trial.json",),)}),
    "drcd": Format(read_questions, _DRCD),
    "drcd_simplified": Format(
        functools.partial(read_questions, simplified=True), _DRCD
    ),
    "squad": Format(
        read_questions,
        one_file(
            (".json",),
            train=("train-v2.0", "train-v1.1"),
            dev=("dev-v2.0", "dev-v1.1"),
        ),
    ),
    # Choices.
    "c3": Format(
        read_dialogues,
        _together(
            train=("d-train.json m-train.json", "c3-d-train.json c3-m-train.json"),
            dev=("d-dev.json m-dev.json", "c3-d-dev.json c3-m-dev.json"),
            test=(
                "test.json",
                "test1.0.json",
                "d-test.json m-test.json",
                "c3-d-test.json c3-m-test.json",
            ),
            **{"test1.1": ("test1.1.json",)},
        ),
    ),
    "chid": Format(
        read_idioms,
        _together(
            train=("train.json train_answer.json", "train.json"),
            dev=("dev.json dev_answer.json", "dev.json"),
            test=(
                "test.json test_answer.json",
                "test.json",
                "test1.0.json",
            ),
            **{"test1.1": ("test1.1.json",)},
        ),
        beside="_answer",
    ),
    # Entities.
    "cluener": Format(read_spans, _JSON),
    "msra": Format(
        read_words,
        _together(
            train=("train1.txt",), dev=("testright1.txt",), test=("testright1.txt",)
        ),
    ),
    "weibo": Format(
        read_tags,
        _together(
            **{
                split: (f"weiboNER.conll.{split}", f"weiboNER_2nd_conll.{split}")
                for split in ("train", "dev", "test")
            }
        ),
    ),
    "peoples_daily": Format(
        read_tags,
        {
            split: (*alternatives, (f"example.{split}",))
            for split, alternatives in one_file(_TAG_SUFFIXES).items()
        },
    ),
    "tags": Format(read_tags, one_file(_TAG_SUFFIXES)),
    # Relations.
    "lic2019": Format(
        read_triples,
        one_file(
            (".json", ".jsonl"),
            train=("train_data",),
            dev=("dev_data",),
            test=("test_data", "test1_data"),
        ),
        label_file="all_50_schemas",
        read_labels=read_schemas,
    ),
    # Texts to write.
    "csl_title": target_format(
        _TITLES,
        one_file(
            SUFFIXES,
            **{n: (f"summarization_csl_{n}",) for n in ("train", "dev", "test")},
        ),
    ),
    "lcsts": Format(
        functools.partial(read_news, columns=_TITLES),
        one_file(
            SUFFIXES,
            train=("PART_I", "DATA/PART_I"),
            dev=("PART_II", "DATA/PART_II"),
            test=("PART_III", "DATA/PART_III"),
        ),
    ),
    "source_target": target_format(
        {
            "text": ("source", "text", "content", 0),
            "target": ("target", "title", "summary", 1),
            "id": _ID,
        }
    ),
    "cips_sogou_qa": Format(read_answers, _ANSWERS),
    "qa_pairs": Format(functools.partial(read_answers, pairs=True), _ANSWERS),
    "utterances": Format(
        read_utterances, one_file((".txt", ".tsv"), train=("corpus",))
    ),
}
