"""Scores of brightmart: roberta_zh and albert_zh."""

from kerasplm.recipes.base import Table
from kerasplm.recipes.names import BRIGHTMART

_ROBERTA = "brightmart/roberta_zh, README"
_ALBERT = "brightmart/albert_zh, README"

_SWAPPED = (
    "roberta_zh's reader takes the test file as dev: the two may be the same data."
)
_MAY_SWAP = "One of albert_zh's two scripts takes the test file as dev."
_TWICE = (
    "The README prints the same numbers for sibert_base and roberta_wwm_ext_base: one "
    "of the two is mistaken."
)
_TWO = "The README does not say which of two releases it means."
_READING = {"sibert_base": _TWICE, "roberta_wwm_ext_base": _TWICE}
_RELEASES = {"ALBERT-zh-tiny": _TWO, "ALBERT-zh-xlarge": _TWO, "ALBERT-xlarge": _TWO}


def _reading(task: str, rows: str, notes: dict[str, str] | None = None) -> Table:
    """Return a table in which, against the habit, brackets hold the best run."""
    return Table(
        source=f"{_ROBERTA}, machine reading comprehension",
        columns=(f"{task} dev f1/em",),
        rows=rows,
        models=BRIGHTMART,
        number="mean",
        brackets="best",
        notes=notes or {},
    )


TABLES = (
    Table(
        source=_ROBERTA,
        columns=("lcqmc dev accuracy", "lcqmc test accuracy"),
        models=BRIGHTMART,
        notes={"": _SWAPPED},
        rows="""
BERT | 89.4(88.4) 86.9(86.4)
ERNIE | 89.8(89.6) 87.2(87.0)
BERT-wwm | 89.4(89.2) 87.0(86.8)
RoBERTa-zh-base | 88.7 87.0
RoBERTa-zh-Large | 89.9(89.6) 87.2(86.7)
RoBERTa-zh-Large, 200k steps | 89.7 87.0
""",
    ),
    Table(
        source=_ALBERT,
        columns=("lcqmc dev accuracy", "lcqmc test accuracy"),
        models=BRIGHTMART,
        notes=_RELEASES | {"": _MAY_SWAP},
        rows="""
ALBERT-zh-tiny | - 85.4
ALBERT-zh-small | - 86.0
ALBERT-zh-small (PyTorch) | - 86.8
ALBERT-zh-base+36k | 87.8 86.3
ALBERT-zh-base | 87.2 86.3
ALBERT-zh-large | 88.7 87.1
ALBERT-zh-xlarge | 87.3 87.7
""",
    ),
    Table(
        source=_ROBERTA,
        columns=("xnli dev accuracy", "xnli test accuracy"),
        models=BRIGHTMART,
        rows="""
BERT | 77.8(77.4) 77.8(77.5)
ERNIE | 79.7(79.4) 78.6(78.2)
BERT-wwm | 79.0(78.4) 78.2(78.0)
BERT-wwm-ext | 79.4(78.6) 78.7(78.3)
XLNet | 79.2 78.7
RoBERTa-zh-base | 79.8 78.8
RoBERTa-zh-Large | 80.2(80.0) 79.9(79.5)
""",
    ),
    Table(
        source=_ALBERT,
        columns=("xnli dev accuracy", "xnli test accuracy"),
        models=BRIGHTMART,
        rows="""
ALBERT-base | 77.0 77.1
ALBERT-large | 78.0 77.5
""",
    ),
    Table(
        source=_ROBERTA,
        columns=("ccf_sentiment online f1",),
        models=BRIGHTMART,
        notes={"Roberta-large": "Length 512, split 1."},
        rows="""
BERT | 80.3
BERT-wwm-ext | 80.5
XLNet | 79.6
Roberta-mid | 80.5
Roberta-large | 81.25
""",
    ),
    _reading(
        "cmrc2018",
        """
sibert_base | 87.521(88.628)/67.381(69.152)
sialbert_middle | 87.6956(87.878)/67.897(68.624)
roberta_wwm_ext_base | 87.521(88.628)/67.381(69.152)
brightmart roberta_middle | 86.841(87.242)/67.195(68.313)
brightmart roberta_large | 88.608(89.431)/69.935(72.538)
""",
        notes=_READING,
    ),
    _reading(
        "drcd",
        """
siBert_base | 93.343(93.524)/87.968(88.28)
siALBert_middle | 93.865(93.975)/88.723(88.961)
roberta_wwm_ext_base | 94.257(94.48)/89.291(89.642)
brightmart roberta_large | 94.933(95.057)/90.113(90.238)
""",
    ),
    _reading(
        "cjrc",
        """
siBert_base | 80.714(81.14)/64.44(65.04)
siALBert_middle | 80.9838(81.299)/63.796(64.202)
roberta_wwm_ext_base | 81.510(81.684)/64.924(65.574)
brightmart roberta_large | 80.16(80.475)/65.249(66.133)
""",
    ),
    Table(
        source=f"{_ALBERT}, figure of CMRC2018",
        columns=(
            "cmrc2018 dev f1/em",
            "epochs",
            "batch_size",
            "learning_rate",
            "warmup",
        ),
        models=BRIGHTMART,
        number="mean",
        brackets="best",
        notes=_RELEASES,
        rows="""
ALBERT-large | 87.8596(88.43)/67.754(69.028) 3 32 2e-5 .05
ALBERT-xlarge | 88.657(89.426)/68.897(70.643) 3 - 2e-5 .1
RoBERTa-wwm-ext | 87.277(88.052)/67.891(69.369) 2 - 3e-5 .1
""",
    ),
)
