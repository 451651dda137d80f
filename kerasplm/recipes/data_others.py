"""Scores of the makers of data sets, of NEZHA, and of Google."""

from kerasplm.recipes.base import Table
from kerasplm.recipes.names import BERT4KERAS, CLUE_SETS, NEZHA

_OCNLI = "CLUEbenchmark/OCNLI, README"
_CLUENER = "CLUEbenchmark/CLUENER2020, README"
_GOOGLE = "google-research/bert"
_ENGLISH = {"": "English."}
_SECOND_HAND = {"": "Taken from an aggregator, not from the paper."}
_TYPES = (
    "name",
    "organization",
    "position",
    "company",
    "address",
    "game",
    "government",
    "scene",
    "book",
    "movie",
)


def _portion(size: str, rows: str) -> Table:
    """Return the scores of OCNLI after training on a part of the training set."""
    setting = f"; trained on {size}" if size else ""
    return Table(
        source=_OCNLI,
        columns=(f"ocnli dev accuracy{setting}", f"ocnli test accuracy{setting}"),
        rows=rows,
        models=CLUE_SETS,
        number="mean",
        brackets="deviation",
        runs=5,
    )


TABLES = (
    _portion(
        "",
        """
BERT-base | 74.5(.3) 72.2(.7)
RoBERTa-wwm-ext-large | 78.8(1.0) 78.2(.7)
""",
    ),
    _portion(
        "30k",
        """
BERT-base | 72.6(.9) 70.3(.9)
RoBERTa-wwm-ext-large | 77.4(1.0) 76.4(1.2)
""",
    ),
    _portion(
        "10k",
        """
BERT-base | 69.2 67.0
RoBERTa-wwm-ext-large | 75.2 73.6
""",
    ),
    _portion(
        "3k",
        """
BERT-base | 64.4 62.8
RoBERTa-wwm-ext-large | 70.4 69.5
""",
    ),
    Table(
        source=_OCNLI,
        columns=("ocnli dev accuracy", "ocnli test accuracy"),
        models={},
        rows="""
majority | 37.4 38.1
human | - 90.3
""",
    ),
    Table(
        source="CLUEbenchmark/CLUEWSC2020, README",
        columns=("cluewsc2020 dev accuracy",),
        models=CLUE_SETS,
        notes={"": "Far above CLUE's own table: another protocol."},
        rows="""
BERT-base | 77.63
RoBERTa-large-clue | 85.53
""",
    ),
    Table(
        source=_CLUENER,
        columns=(
            *(f"cluener test f1_{name}" for name in _TYPES),
            "cluener test macro_f1",
        ),
        models={
            "bert-base": CLUE_SETS["BERT-base"],
            "roberta-wwm-large": CLUE_SETS["RoBERTa-wwm-ext-large"],
        },
        notes={"": "The scorer compares sets of surface strings, not positions."},
        rows="""
bilstm-crf | 74.04 75.96 70.16 72.27 45.50 85.27 77.25 52.42 67.20 78.97 70.00
bert-base | 88.75 79.43 78.89 81.42 60.89 86.42 87.03 65.10 73.68 85.82 78.82
roberta-wwm-large | 89.09 82.34 79.62 83.02 62.63 86.80 88.17 70.49 74.60 87.46 80.42
human | 74.49 65.41 55.38 49.32 43.04 80.39 79.27 51.85 71.70 63.21 63.41
""",
    ),
    Table(
        source=f"{_CLUENER}, PyTorch baseline",
        columns=("cluener dev f1",),
        models={},
        notes={"": "Entities with their positions, unlike the official scorer."},
        rows="PyTorch baseline | 80.76",
    ),
    Table(
        source=f"{_GOOGLE}, multilingual.md",
        columns=(
            "xnli dev accuracy",
            "max_length",
            "batch_size",
            "learning_rate",
            "epochs",
        ),
        models=BERT4KERAS,
        rows="BERT-base | 77.4 128 32 5e-5 2",
    ),
    Table(
        source=f"{_GOOGLE}, README",
        columns=("squad_v1 dev f1/em",),
        models={},
        notes=_ENGLISH,
        rows="BERT-base, English | 88.4/81.2",
    ),
    Table(
        source="google-research/albert, README",
        columns=("squad_v2 dev f1/em",),
        models={},
        notes=_ENGLISH,
        rows="ALBERT v2 xxlarge, English | 89.8/86.9",
    ),
    Table(
        source="NEZHA, arXiv:1909.00204, best model, as listed by wizwand",
        columns=(
            "xnli dev accuracy",
            "xnli test accuracy",
            "lcqmc test accuracy",
            "chnsenticorp dev accuracy",
        ),
        models={},
        notes=_SECOND_HAND,
        rows="NEZHA | 82.21 81.17 87.94 95.92",
    ),
    Table(
        source="lonePatient/NeZha_Chinese_PyTorch, README",
        columns=(
            "chnsenticorp dev accuracy",
            "learning_rate",
            "batch_size",
            "epochs",
        ),
        models={
            "NEZHA-base-WWM, TensorFlow": NEZHA["NEZHA-base-WWM"],
            "NEZHA-base-WWM, PyTorch": NEZHA["NEZHA-base-WWM"],
        },
        rows="""
NEZHA-base-WWM, TensorFlow | 94.75 4e-5 32 10
NEZHA-base-WWM, PyTorch | 94.92 4e-5 32 10
""",
    ),
    Table(
        source="bojone/bert4keras, examples",
        columns=("lcqmc dev accuracy", "lcqmc test accuracy"),
        models=BERT4KERAS,
        rows="chinese_wwm | 88.7071 87.0320",
    ),
    Table(
        source="bojone/bert4keras, examples",
        columns=("peoples_daily dev f1", "peoples_daily test f1"),
        models=BERT4KERAS,
        notes={"": "Whole entities count; NEZHA's script counts tokens."},
        rows="BERT-base with CRF | 96.48 95.38",
    ),
    Table(
        source="bojone/bert4keras, examples",
        columns=("sighan_cws test f1",),
        models=BERT4KERAS,
        notes={"": "About."},
        rows="BERT with CRF | 96.1",
    ),
    Table(
        source="bojone/bert4keras, examples",
        columns=("lic2019 dev f1",),
        models=BERT4KERAS,
        notes={"RoBERTa-large": "About.", "BERT-base, GPLinker": "About."},
        rows="""
BERT-base | 82.198
RoBERTa-large | 82.9
BERT-base, GPLinker | 82.7
""",
    ),
    Table(
        source="Tongjilibo/bert4torch, examples",
        columns=("lic2019 dev f1",),
        models={},
        rows="""
CasRel | 81.87
GPLinker | 82.38
""",
    ),
    Table(
        source="bojone/bert4keras, examples",
        columns=("cips_sogou_qa dev em/f1/average",),
        models=BERT4KERAS,
        rows="""
BERT-base | 72.59/81.39/76.99
BERT-base, masked language model | 72.82/82.07/77.45
""",
    ),
)
