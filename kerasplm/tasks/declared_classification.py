"""Tasks on texts and pairs with one class each."""

from typing import Any

from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.task import Task

_CLUE = "CLUEbenchmark/CLUE classifier_utils.py"
_YES_NO = ("0", "1")
_NLI = ("contradiction", "entailment", "neutral")
# Machine-translated MultiNLI spells one of them so.
_SPELLINGS = {"contradictory": "contradiction"}
# 105 and 111 do not exist.
_TOPICS = {
    "100": "news_story",
    "101": "news_culture",
    "102": "news_entertainment",
    "103": "news_sports",
    "104": "news_finance",
    "106": "news_house",
    "107": "news_car",
    "108": "news_edu",
    "109": "news_tech",
    "110": "news_military",
    "112": "news_travel",
    "113": "news_world",
    "114": "news_stock",
    "115": "news_agriculture",
    "116": "news_game",
}


def _versions(name: str) -> dict[str, str]:
    """Return the files of both versions of CLUE's leaderboard."""
    return {"test": f"{name}10_predict.json", "test1.1": f"{name}11_predict.json"}


def _task(name: str, title: str, labels: tuple[str, ...], **more: Any) -> Task:
    return Task(
        name=name,
        title=title,
        labels=labels,
        format=FORMATS[more.pop("format", name)],
        source=more.pop("source", _CLUE),
        **more,
    )


CLASSIFICATION = (
    _task(
        "lcqmc",
        "Do two questions ask the same?",
        _YES_NO,
        pair=True,
        source="Liu et al., COLING 2018; brightmart/albert_zh run_classifier.py",
    ),
    _task(
        "bq",
        "Do two questions to a bank ask the same?",
        _YES_NO,
        pair=True,
        source="Chen et al., EMNLP 2018; ymcui/Chinese-ELECTRA",
    ),
    _task("afqmc", "Do two financial questions ask the same?", _YES_NO, pair=True),
    _task(
        "sentence_pair",
        "Are two sentences similar? (the originals' own layout)",
        _YES_NO,
        pair=True,
        source="brightmart/roberta_zh run_classifier.py",
    ),
    _task(
        "xnli",
        "Does a hypothesis follow from a premise?",
        _NLI,
        pair=True,
        aliases=_SPELLINGS,
        source="Conneau et al., EMNLP 2018; google-research/bert run_classifier.py",
    ),
    _task(
        "cmnli",
        "Does a hypothesis follow from a premise? (translated)",
        _NLI,
        pair=True,
        aliases=_SPELLINGS,
    ),
    _task(
        "ocnli",
        "Does a hypothesis follow from a premise? (written in Chinese)",
        _NLI,
        pair=True,
        source="Hu et al., Findings of EMNLP 2020; CLUEbenchmark/OCNLI",
        submissions={"test": "ocnli_50k_predict.json"},
    ),
    _task(
        "clue_diagnostics",
        "CMNLI's question on hand-made pairs; predicted by a model of cmnli",
        _NLI,
        pair=True,
        aliases=_SPELLINGS,
        submissions={"test": "diagnostics_predict.json"},
        predicted_by="cmnli",
    ),
    _task(
        "chnsenticorp",
        "Is a review negative or positive?",
        _YES_NO,
        source="Tan Songbo; ymcui/Chinese-BERT-wwm, ymcui/Chinese-ELECTRA",
        recipe={"max_length": 256},
    ),
    _task(
        "sentiment",
        "Is a review negative or positive? (Zhuiyi's set)",
        _YES_NO,
        source="bojone/bert4keras examples/datasets/sentiment.zip",
    ),
    _task(
        "tnews",
        "Which of 15 topics has a news title?",
        tuple(_TOPICS),
        descriptions=_TOPICS,
        submissions=_versions("tnews"),
    ),
    _task(
        "iflytek",
        "Which of 119 categories has an app?",
        tuple(str(n) for n in range(119)),
    ),
    _task("csl", "Are these all keywords of an abstract?", _YES_NO, pair=True),
    _task(
        "cluewsc2020",
        "Does a pronoun mean that noun?",
        ("true", "false"),
        submissions=_versions("cluewsc"),
    ),
    _task("copa", "Which of two is cause or effect?", _YES_NO, pair=True),
    _task(
        "thucnews",
        "Which of 14 topics has a news title?",
        tuple(str(n) for n in range(14)),
        source="CLUEbenchmark/CLUE baselines (chineseGLUE's v0 files)",
    ),
    _task(
        "inews",
        "Is a news article negative, neutral or positive?",
        ("0", "1", "2"),
        pair=True,
        recipe={"max_length": 512},
        # The body is cut into pieces that do not overlap, each with the title.
        options={"stride": 512},
    ),
    _task(
        "jd_comments",
        "How many stars has a review?",
        ("1", "2", "3", "4", "5"),
        pair=True,
        format="jd",
        source="CLUEbenchmark/CLUE baselines (JD comments)",
    ),
)
