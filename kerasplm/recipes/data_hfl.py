"""Scores of HFL: ymcui/Chinese-BERT-wwm and ymcui/Chinese-ELECTRA.

The number is the best run, the one in brackets the mean of ten with different seeds.
Scores without a mean were published alone.
"""

from kerasplm.recipes.base import Table
from kerasplm.recipes.names import HFL

_BOTH = "ymcui/Chinese-BERT-wwm and ymcui/Chinese-ELECTRA, README"
_WWM = "ymcui/Chinese-BERT-wwm, README"
_ELECTRA = "ymcui/Chinese-ELECTRA, README"
_SMALL = "ymcui/Chinese-BERT-wwm, README, small models"

_OFFICIAL = "The official test set, which CLUE's test set is not: do not mix them."
_CMRC = {"cmrc2018 test": _OFFICIAL}
_CJRC = {"": "Not the final data of the task."}


def _accuracy(task: str, rows: str, source: str = _BOTH, notes: str = "") -> Table:
    return Table(
        source=source,
        columns=(f"{task} dev accuracy", f"{task} test accuracy"),
        rows=rows,
        models=HFL,
        runs=10,
        notes={"": notes},
    )


TABLES = (
    Table(
        source=_BOTH,
        columns=("cmrc2018 dev em/f1", "cmrc2018 test em/f1"),
        models=HFL,
        runs=10,
        notes=_CMRC,
        rows="""
BERT-base | 65.5(64.4)/84.5(84.0) 70.0(68.7)/87.0(86.3)
BERT-wwm | 66.3(65.0)/85.6(84.7) 70.5(69.1)/87.4(86.7)
BERT-wwm-ext | 67.1(65.6)/85.7(85.0) 71.4(70.0)/87.7(87.0)
RoBERTa-wwm-ext | 67.4(66.5)/87.2(86.5) 72.6(71.4)/89.4(88.8)
RBT3 | 57.0/79.0 62.2/81.8
ELECTRA-small | 63.4(62.9)/80.8(80.2) 67.8(67.4)/83.4(83.0)
ELECTRA-180g-small | 63.8/82.7 68.5/85.2
ELECTRA-small-ex | 66.4/82.2 71.3/85.3
ELECTRA-180g-small-ex | 68.1/85.1 71.8/87.2
ELECTRA-base | 68.4(68.0)/84.8(84.6) 73.1(72.7)/87.1(86.9)
ELECTRA-180g-base | 69.3/87.0 73.1/88.6
ELECTRA-large | 69.1/85.2 73.9/87.1
ELECTRA-180g-large | 68.5/86.2 73.5/88.5
ERNIE | 65.4(64.3)/84.7(84.2) 69.4(68.2)/86.6(86.1)
RoBERTa-wwm-ext-large | 68.5(67.6)/88.4(87.9) 74.2(72.4)/90.6(90.0)
""",
    ),
    Table(
        source=_BOTH,
        columns=("cmrc2018 challenge em/f1",),
        models=HFL,
        runs=10,
        rows="""
BERT-base | 18.6(17.0)/43.3(41.3)
BERT-wwm | 21.0(19.3)/47.0(43.9)
BERT-wwm-ext | 24.0(20.0)/47.3(44.6)
RoBERTa-wwm-ext | 26.2(24.6)/51.0(49.1)
RBT3 | 14.7/36.2
ELECTRA-small | 16.3(15.4)/37.2(35.8)
ELECTRA-180g-small | 15.1/35.8
ELECTRA-small-ex | 18.1/38.3
ELECTRA-180g-small-ex | 20.6/41.7
ELECTRA-base | 22.6(21.7)/45.0(43.8)
ELECTRA-180g-base | 24.0/48.6
ELECTRA-large | 23.0/44.2
ELECTRA-180g-large | 21.8/42.9
ERNIE | 19.6(17.0)/44.3(42.8)
RoBERTa-wwm-ext-large | 31.5(30.1)/60.1(57.5)
""",
    ),
    Table(
        source=_BOTH,
        columns=("drcd dev em/f1", "drcd test em/f1"),
        models=HFL,
        runs=10,
        rows="""
BERT-base | 83.1(82.7)/89.9(89.6) 82.2(81.6)/89.2(88.8)
BERT-wwm | 84.3(83.4)/90.5(90.2) 82.8(81.8)/89.7(89.0)
BERT-wwm-ext | 85.0(84.5)/91.2(90.9) 83.6(83.0)/90.4(89.9)
RoBERTa-wwm-ext | 86.6(85.9)/92.5(92.2) 85.6(85.2)/92.0(91.7)
RBT3 | 76.3/84.9 75.0/83.9
ELECTRA-small | 79.8(79.4)/86.7(86.4) 79.0(78.5)/85.8(85.6)
ELECTRA-180g-small | 83.5/89.2 82.9/88.7
ELECTRA-small-ex | 84.0/89.5 83.3/89.1
ELECTRA-180g-small-ex | 87.3/92.3 86.5/91.3
ELECTRA-base | 87.5(87.0)/92.5(92.3) 86.9(86.6)/91.8(91.7)
ELECTRA-180g-base | 89.6/94.2 88.9/93.7
ELECTRA-large | 88.8/93.3 88.8/93.6
ELECTRA-180g-large | 90.1/94.8 90.5/94.7
ERNIE | 73.2(73.0)/83.9(83.8) 71.9(71.4)/82.5(82.3)
RoBERTa-wwm-ext-large | 89.6(89.1)/94.8(94.4) 89.6(88.9)/94.5(94.1)
""",
    ),
    _accuracy(
        "xnli",
        """
BERT-base | 77.8(77.4) 77.8(77.5)
BERT-wwm | 79.0(78.4) 78.2(78.0)
BERT-wwm-ext | 79.4(78.6) 78.7(78.3)
RoBERTa-wwm-ext | 80.0(79.2) 78.8(78.3)
RBT3 | 72.2 72.3
ELECTRA-small | 73.3(72.5) 73.1(72.6)
ELECTRA-180g-small | 74.6 74.6
ELECTRA-small-ex | 75.4 75.8
ELECTRA-180g-small-ex | 76.5 76.6
ELECTRA-base | 77.9(77.0) 78.4(77.8)
ELECTRA-180g-base | 79.6 79.5
ELECTRA-large | 81.5 81.0
ELECTRA-180g-large | 81.2 80.4
ERNIE | 79.7(79.4) 78.6(78.2)
RoBERTa-wwm-ext-large | 82.1(81.3) 81.2(80.6)
""",
    ),
    _accuracy(
        "chnsenticorp",
        """
BERT-base | 94.7(94.3) 95.0(94.7)
BERT-wwm | 95.1(94.5) 95.4(95.0)
BERT-wwm-ext | 95.4(94.6) 95.3(94.7)
RoBERTa-wwm-ext | 95.0(94.6) 95.6(94.8)
RBT3 | 92.8 92.8
ELECTRA-small | 92.8(92.5) 94.3(93.5)
ELECTRA-180g-small | 94.1 93.6
ELECTRA-small-ex | 92.6 93.6
ELECTRA-180g-small-ex | 92.8 93.4
ELECTRA-base | 93.8(93.0) 94.5(93.5)
ELECTRA-180g-base | 94.3 94.8
ELECTRA-large | 95.2 95.3
ELECTRA-180g-large | 94.8 95.2
ERNIE | 95.4(94.8) 95.4(95.3)
RoBERTa-wwm-ext-large | 95.8(94.9) 95.8(94.9)
""",
    ),
    _accuracy(
        "lcqmc",
        """
BERT-base | 89.4(88.4) 86.9(86.4)
BERT-wwm | 89.4(89.2) 87.0(86.8)
BERT-wwm-ext | 89.6(89.2) 87.1(86.6)
RoBERTa-wwm-ext | 89.0(88.7) 86.4(86.1)
RBT3 | 85.3 85.1
ELECTRA-small | 86.7(86.3) 85.9(85.6)
ELECTRA-180g-small | 86.6 85.8
ELECTRA-small-ex | 87.5 86.0
ELECTRA-180g-small-ex | 87.6 86.3
ELECTRA-base | 90.2(89.8) 87.6(87.3)
ELECTRA-180g-base | 90.2 87.1
ELECTRA-large | 90.7 87.3
ELECTRA-180g-large | 90.3 87.3
ERNIE | 89.8(89.6) 87.2(87.0)
RoBERTa-wwm-ext-large | 90.4(90.0) 87.0(86.8)
""",
    ),
    _accuracy(
        "bq",
        """
BERT-base | 86.0(85.5) 84.8(84.6)
BERT-wwm | 86.1(85.6) 85.2(84.9)
BERT-wwm-ext | 86.4(85.5) 85.3(84.8)
RoBERTa-wwm-ext | 86.0(85.4) 85.0(84.6)
RBT3 | 84.1 83.3
ELECTRA-small | 83.5(83.0) 82.0(81.7)
ELECTRA-180g-small | 83.3 82.1
ELECTRA-small-ex | 84.0 82.6
ELECTRA-180g-small-ex | 84.6 83.4
ELECTRA-base | 84.8(84.7) 84.5(84.0)
ELECTRA-180g-base | 85.8 84.5
ELECTRA-large | 86.7 85.1
ELECTRA-180g-large | 86.4 85.4
ERNIE | 86.3(85.5) 85.0(84.6)
RoBERTa-wwm-ext-large | 86.3(85.7) 85.8(84.9)
""",
    ),
    _accuracy(
        "cail2018",
        """
ELECTRA-small | 78.84 76.35
legal-ELECTRA-small | 79.60 77.03
ELECTRA-base | 80.94 78.41
legal-ELECTRA-base | 81.71 79.17
ELECTRA-large | 81.53 78.97
legal-ELECTRA-large | 82.60 79.89
""",
        source=_ELECTRA,
    ),
    Table(
        source=_WWM,
        columns=("cjrc dev em/f1", "cjrc test em/f1"),
        models=HFL,
        runs=10,
        notes=_CJRC,
        rows="""
BERT | 54.6(54.0)/75.4(74.5) 55.1(54.1)/75.2(74.3)
ERNIE | 54.3(53.9)/75.3(74.6) 55.0(53.9)/75.0(73.9)
BERT-wwm | 54.7(54.0)/75.2(74.8) 55.1(54.1)/75.4(74.4)
BERT-wwm-ext | 55.6(54.8)/76.0(75.3) 55.6(54.9)/75.8(75.0)
RoBERTa-wwm-ext | 58.7(57.6)/79.1(78.3) 59.0(57.8)/79.0(78.0)
RoBERTa-wwm-ext-large | 62.1(61.1)/82.4(81.6) 62.4(61.4)/82.2(81.0)
""",
    ),
    _accuracy(
        "thucnews",
        """
BERT | 97.7(97.4) 97.8(97.6)
ERNIE | 97.6(97.3) 97.5(97.3)
BERT-wwm | 98.0(97.6) 97.8(97.6)
BERT-wwm-ext | 97.7(97.5) 97.7(97.5)
RoBERTa-wwm-ext | 98.3(97.9) 97.7(97.5)
RoBERTa-wwm-ext-large | 98.3(97.7) 97.8(97.6)
""",
        source=_WWM,
        notes="A subset of 10 classes; chineseGLUE's data has 14.",
    ),
    Table(
        source=_SMALL,
        columns=(
            "cmrc2018 test em/f1",
            "drcd test em/f1",
            "xnli test accuracy",
            "chnsenticorp test accuracy",
            "lcqmc test accuracy",
            "bq test accuracy",
            "hfl_average test average",
        ),
        models=HFL,
        notes=_CMRC,
        rows="""
RoBERTa-wwm-ext-large | 74.2/90.6 89.6/94.5 81.2 95.8 87.0 85.8 87.335
RoBERTa-wwm-ext | 72.6/89.4 85.6/92.0 78.8 95.6 86.4 85.0 85.675
RBTL3 | 63.3/83.4 77.2/85.6 74.0 94.2 85.1 83.6 80.800
RBT3 | 62.2/81.8 75.0/83.9 72.3 92.8 85.1 83.3 79.550
""",
    ),
)
