"""Scores of ZhuiyiTechnology's models, and others on the same data."""

from kerasplm.recipes.base import Table
from kerasplm.recipes.names import ZHUIYI

_MODELS = "ZhuiyiTechnology/pretrained-models, README"
_TORCH = "Tongjilibo/bert4torch, README"
_TITLES = "ZhuiyiTechnology/t5-pegasus, README and announcement"
_GAU = "ZhuiyiTechnology/GAU-alpha, README"
_FIRST = "; after the first epoch"
_WHICH = {"": "The source does not say which split it is."}
_ROUGE = "rouge_l/rouge_1/rouge_2/bleu"
_ENCODERS = {"BERT": "bert-base-zh.google"}


def _small(task: str, metric: str, rows: str) -> Table:
    """Return one of the tables of the tiny and small models: means of three runs."""
    return Table(
        source=_MODELS,
        columns=(f"{task} dev {metric}", f"{task} dev {metric}{_FIRST}"),
        rows=rows,
        models=ZHUIYI,
        number="mean",
        runs=3,
    )


def _titles(task: str, setting: str, rows: str) -> Table:
    return Table(
        source=_TITLES,
        columns=(f"{task} unstated {_ROUGE}; {setting}",),
        rows=rows,
        models=ZHUIYI,
        notes=_WHICH,
    )


TABLES = (
    Table(
        source=_MODELS,
        columns=(
            "sentiment dev accuracy",
            f"sentiment dev accuracy{_FIRST}",
            "sentiment test accuracy",
        ),
        models=ZHUIYI,
        number="mean",
        runs=3,
        rows="""
RoBERTa Small | 94.89 90.48 94.81
ALBERT Small | 94.57 91.02 94.52
RoBERTa Tiny | 94.46 90.83 94.00
ALBERT Tiny | 94.14 90.18 93.78
""",
    ),
    _small(
        "iflytek",
        "accuracy",
        """
RoBERTa+ Small | 57.93 54.44
RoBERTa Small | 57.66 52.60
ALBERT Small | 57.14 48.21
RoBERTa+ Tiny | 57.51 51.00
RoBERTa Tiny | 57.43 49.76
ALBERT Tiny | 56.42 43.84
""",
    ),
    _small(
        "lic2019",
        "f1",
        """
RoBERTa+ Small | 78.35 61.92
RoBERTa Small | 78.09 63.85
ALBERT Small | 77.69 46.58
RoBERTa+ Tiny | 76.93 45.80
RoBERTa Tiny | 76.65 46.12
ALBERT Tiny | 75.94 31.66
""",
    ),
    _small(
        "cips_sogou_qa",
        "average",
        """
RoBERTa+ Small | 71.27 56.09
RoBERTa Small | 70.35 61.07
ALBERT Small | 66.66 50.93
RoBERTa+ Tiny | 68.37 52.59
RoBERTa Tiny | 67.85 49.78
ALBERT Tiny | 63.41 37.47
""",
    ),
    Table(
        source="ZhuiyiTechnology/WoBERT, README",
        columns=("iflytek unstated accuracy", "tnews unstated accuracy"),
        models=ZHUIYI | _ENCODERS,
        notes=_WHICH,
        rows="""
BERT | 60.31 56.94
WoBERT | 61.15 57.05
WoBERT+ | 61.92 58.20
""",
    ),
    Table(
        source="ZhuiyiTechnology/simbert, retrieval_test.py",
        columns=("lcqmc_retrieval dev accuracy",),
        models=ZHUIYI,
        notes={"": "Unverified: a user measured 66.79 with the same script."},
        rows="SimBERT | 79.82",
    ),
    Table(
        source="ZhuiyiTechnology/simbert, issue 9",
        columns=("lcqmc_retrieval dev accuracy",),
        models={},
        rows="SimBERT, a user's run | 66.79",
    ),
    Table(
        source=_TORCH,
        columns=("sentiment dev accuracy", "sentiment test accuracy"),
        models={},
        notes={"": "The source does not say which releases it means."},
        rows="""
bert | 94.72 94.11
roberta | 94.77 94.64
nezha | 95.07 94.72
electra | 94.94 94.78
roformer | 94.85 94.42
roformer_v2 | 95.78 96.09
gau_alpha | 95.25 94.46
albert_small | 94.46 93.98
""",
    ),
    Table(
        source=f"{_TORCH}, training methods",
        columns=("sentiment dev accuracy", "sentiment test accuracy"),
        models={},
        notes={"": "Without segment input."},
        rows="""
bert | 94.90 94.78
bert + FGM | 95.34 94.99
bert + PGD | 95.34 94.64
bert + gradient penalty | 95.07 94.81
bert + VAT | 95.21 95.03
bert + EMA | 95.21 94.86
bert + EMA and warm-up | 95.51 95.12
bert + mix-up | 95.12 94.42
bert + R-Drop | 95.25 94.94
bert + UDA | 94.90 95.56
bert + semi-VAT | 95.34 95.38
""",
    ),
    Table(
        source=_GAU,
        columns=(
            "iflytek dev accuracy",
            "tnews dev accuracy",
            "afqmc dev accuracy",
            "cmnli dev accuracy",
            "ocnli dev accuracy",
            "cluewsc2020 dev accuracy",
            "csl dev accuracy",
        ),
        models={},
        rows="""
BERT | 60.06 56.80 72.41 79.56 73.93 78.62 83.93
RoBERTa | 60.64 58.06 74.05 81.24 76.00 87.50 84.50
RoFormer | 60.91 57.54 73.52 80.92 76.07 86.84 84.63
RoFormerV2* | 60.87 56.54 72.75 80.34 75.36 80.92 84.67
GAU-α | 61.41 57.76 74.17 81.82 75.86 79.93 85.67
""",
    ),
    Table(
        source=_GAU,
        columns=(
            "cmrc2018 dev em",
            "c3 dev accuracy",
            "chid dev accuracy",
            "cluener dev f1",
        ),
        models={},
        notes={"": "The source names no metric; the first looks like EM."},
        rows="""
BERT | 56.17 60.54 85.69 79.45
RoBERTa | 56.54 67.66 86.71 79.47
RoFormer | 56.26 67.24 86.57 79.72
RoFormerV2* | 57.91 64.62 85.09 81.08
GAU-α | 58.09 68.24 87.91 80.01
""",
    ),
    _titles(
        "csl_title",
        "beam 1",
        """
BERT | 63.81/65.45/54.91/45.52
WoBERT | 66.38/68.22/57.83/47.76
mT5 | 66.96/69.00/58.74/49.79
T5-PEGASUS | 67.68/69.87/59.8/49.37
""",
    ),
    _titles(
        "csl_title",
        "beam 2",
        """
BERT | 64.44/66.09/55.75/46.39
WoBERT | 66.65/68.68/58.5/48.4
mT5 | 67.25/69.19/59.10/50.17
T5-PEGASUS | 68.26/70.45/60.57/50.06
""",
    ),
    _titles(
        "csl_title",
        "beam 3",
        """
BERT | 64.75/66.34/56.06/46.7
WoBERT | 66.83/68.81/58.67/48.6
mT5 | 67.17/69.11/59.05/50.13
T5-PEGASUS | 68.39/70.54/60.69/50.19
""",
    ),
    _titles(
        "lcsts",
        "beam 1",
        """
BERT | 27.99/29.57/18.04/11.72
WoBERT | 31.51/32.90/21.13/13.74
mT5 | 28.92/30.75/19.54/13.21
T5-PEGASUS | 31.21/33.53/21.54/14.47
""",
    ),
    _titles(
        "lcsts",
        "beam 2",
        """
BERT | 29.20/30.70/19.17/12.64
WoBERT | 31.91/33.35/21.55/14.13
mT5 | 29.96/31.67/20.40/13.84
T5-PEGASUS | 31.47/34.00/21.98/14.75
""",
    ),
    _titles(
        "lcsts",
        "beam 3",
        """
BERT | 29.45/30.95/19.50/12.93
WoBERT | 32.19/33.72/21.81/14.29
mT5 | 30.15/31.97/20.72/14.05
T5-PEGASUS | 31.78/34.12/22.23/14.96
""",
    ),
    _titles(
        "csl_title",
        "beam 1, 1000 samples",
        """
WoBERT | 59.34/60.42/49.07/37.87
mT5 | 59.91/61.52/50.38/40.87
T5-PEGASUS | 63.12/65.28/54.54/43.55
""",
    ),
    _titles(
        "csl_title",
        "beam 1, 100 samples",
        """
WoBERT | 55.68/55.33/43.10/31.55
mT5 | 55.33/54.62/42.78/32.50
T5-PEGASUS | 60.87/62.78/52.30/41.40
""",
    ),
    _titles(
        "csl_title",
        "beam 1, 10 samples",
        """
WoBERT | 26.32/20.99/12.29/5.76
mT5 | 26.62/27.00/17.95/13.11
T5-PEGASUS | 55.85/57.66/47.52/35.97
""",
    ),
    Table(
        source="Tongjilibo/bert4torch, examples",
        columns=("csl_title dev rouge_l/bleu", "csl_title test rouge_l/bleu"),
        models={},
        rows="""
bert-unilm | 63.65/44.21 63.01/44.60
mt5 | 67.67/50.34 65.98/50.11
t5_pegasus | 66.07/46.14 66.11/47.95
""",
    ),
)
