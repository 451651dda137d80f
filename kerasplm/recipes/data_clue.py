"""Scores and settings of CLUE's README: CLUEbenchmark/CLUE."""

from kerasplm.recipes.base import Table
from kerasplm.recipes.names import CLUE

_README = "CLUEbenchmark/CLUE, README"
_SUBSET = (
    "CLUE's test set of 2k questions, not the official one: not comparable to HFL's "
    "test scores."
)
_WSC = (
    "Far below the 77 to 91 that others report on dev: compare within this protocol "
    "only."
)
_WHICH = "The README does not say which release it means."
_TINY = {"ALBERT-tiny": _WHICH}
_GOOGLE = {
    f"ALBERT-{size}": "Taken for Google's, by the published number of parameters."
    for size in ("base", "large", "xlarge", "xxlarge")
}
_NOTES = _TINY | _GOOGLE | {"cmrc2018 test": _SUBSET, "cluewsc2020 dev": _WSC}
_NOTES |= {"cluewsc2020 test": _WSC}
_SETTINGS = ("batch_size", "max_length", "epochs", "learning_rate")


def _table(task: str, metrics: str, rows: str, warmup: bool = False) -> Table:
    """Return the table of one task, which states the settings of each model."""
    return Table(
        source=f"{_README}, table of {task}",
        columns=(
            f"{task} dev {metrics}",
            f"{task} test {metrics}",
            *_SETTINGS,
            *(("warmup",) if warmup else ()),
        ),
        rows=rows,
        models=CLUE,
        notes=_NOTES,
    )


TABLES = (
    _table(
        "afqmc",
        "accuracy",
        """
ALBERT-xxlarge | - - - - - -
ALBERT-tiny | 69.13 69.92 16 128 3 2e-5
BERT-base | 74.16 73.70 16 128 3 2e-5
BERT-wwm-ext-base | 73.74 74.07 16 128 3 2e-5
ERNIE-base | 74.88 73.83 16 128 3 2e-5
RoBERTa-large | 73.32 74.02 16 128 3 2e-5
XLNet-mid | 70.73 70.50 16 128 3 2e-5
RoBERTa-wwm-ext | 74.30 74.04 16 128 3 2e-5
RoBERTa-wwm-large-ext | 74.92 76.55 16 128 3 2e-5
""",
    ),
    _table(
        "tnews",
        "accuracy",
        """
ALBERT-xxlarge | - - - - - -
ALBERT-tiny | 53.55 53.35 16 128 3 2e-5
BERT-base | 56.09 56.58 16 128 3 2e-5
BERT-wwm-ext-base | 56.77 56.86 16 128 3 2e-5
ERNIE-base | 58.24 58.33 16 128 3 2e-5
RoBERTa-large | 57.95 57.84 16 128 3 2e-5
XLNet-mid | 56.09 56.24 16 128 3 2e-5
RoBERTa-wwm-ext | 57.51 56.94 16 128 3 2e-5
RoBERTa-wwm-large-ext | 58.32 58.61 16 128 3 2e-5
""",
    ),
    _table(
        "iflytek",
        "accuracy",
        """
ALBERT-xlarge | - - 32 128 3 2e-5
ALBERT-tiny | 48.76 48.71 32 128 10 2e-5
BERT-base | 60.37 60.29 32 128 3 2e-5
BERT-wwm-ext-base | 59.88 59.43 32 128 3 2e-5
ERNIE-base | 59.52 58.96 32 128 3 2e-5
RoBERTa-large | 62.6 62.55 24 128 3 2e-5
XLNet-mid | 57.72 57.85 32 128 3 2e-5
RoBERTa-wwm-ext | 60.8 60.31 32 128 3 2e-5
RoBERTa-wwm-large-ext | 62.75 62.98 24 128 3 2e-5
""",
    ),
    _table(
        "cmnli",
        "accuracy",
        """
BERT-base | 79.47 79.69 64 128 2 3e-5
BERT-wwm-ext-base | 80.92 80.42 64 128 2 3e-5
ERNIE-base | 80.37 80.29 64 128 2 3e-5
ALBERT-xxlarge | - - - - - -
ALBERT-tiny | 70.26 70.61 64 128 2 3e-5
RoBERTa-large | 82.40 81.70 64 128 2 3e-5
xlnet-mid | 82.21 81.25 64 128 2 3e-5
RoBERTa-wwm-ext | 80.70 80.51 64 128 2 3e-5
RoBERTa-wwm-large-ext | 83.20 82.12 64 128 2 3e-5
""",
    ),
    _table(
        "cluewsc2020",
        "accuracy",
        """
ALBERT-xxlarge | - - - - - -
ALBERT-tiny | 57.7(52.9) 58.5(52.1) 8 128 50 1e-4
BERT-base | 59.6(56.7) 62.0(57.9) 8 128 50 2e-5
BERT-wwm-ext-base | 59.4(56.7) 61.1(56.2) 8 128 50 2e-5
ERNIE-base | 58.1(54.9) 60.8(55.9) 8 128 50 2e-5
RoBERTa-large | 68.6(58.7) 72.7(63.6) 8 128 50 2e-5
XLNet-mid | 60.9(56.8) 64.4(57.3) 8 128 50 2e-5
RoBERTa-wwm-ext | 67.2(57.7) 67.8(63.5) 8 128 50 2e-5
RoBERTa-wwm-large-ext | 69.7(64.5) 74.6(69.4) 8 128 50 2e-5
""",
    ),
    _table(
        "csl",
        "accuracy",
        """
ALBERT-xlarge | 80.23 80.29 16 128 2 5e-6
ALBERT-tiny | 74.36 74.56 4 256 5 1e-5
BERT-base | 79.63 80.23 4 256 5 1e-5
BERT-wwm-ext-base | 80.60 81.00 4 256 5 1e-5
ERNIE-base | 79.43 79.10 4 256 5 1e-5
RoBERTa-large | 81.87 81.36 4 256 5 5e-6
XLNet-mid | 82.06 81.26 4 256 3 1e-5
RoBERTa-wwm-ext | 80.67 80.63 4 256 5 1e-5
RoBERTa-wwm-large-ext | 82.17 82.13 4 256 5 1e-5
""",
    ),
    _table(
        "drcd",
        "f1/em",
        """
BERT-base | 92.30/86.60 91.46/85.49 32 512 2 3e-5 .1
BERT-wwm-ext-base | 93.27/88.00 92.63/87.15 32 512 2 3e-5 .1
ERNIE-base | 92.78/86.85 92.01/86.03 32 512 2 3e-5 .1
ALBERT-large | 93.90/88.88 93.06/87.52 32 512 3 2e-5 .05
ALBERT-xlarge | 94.63/89.68 94.70/89.78 32 512 3 2.5e-5 .06
ALBERT-xxlarge | 93.69/89.97 94.62/89.67 32 512 2 3e-5 .1
ALBERT-tiny | 81.51/71.61 80.67/70.08 32 512 3 2e-4 .1
RoBERTa-large | 94.93/90.11 94.25/89.35 32 256 2 3e-5 .1
xlnet-mid | 92.08/84.40 91.44/83.28 32 512 2 3e-5 .1
RoBERTa-wwm-ext | 94.26/89.29 93.53/88.12 32 512 2 3e-5 .1
RoBERTa-wwm-large-ext | 95.32/90.54 95.06/90.70 32 512 2 2.5e-5 .1
""",
        warmup=True,
    ),
    _table(
        "cmrc2018",
        "f1/em",
        """
BERT-base | 85.48/64.77 88.10/71.60 32 512 2 3e-5 .1
BERT-wwm-ext-base | 86.68/66.96 89.62/73.95 32 512 2 3e-5 .1
ERNIE-base | 87.30/66.89 90.57/74.70 32 512 2 3e-5 .1
ALBERT-base | 85.86/64.76 89.66/72.90 32 512 2 3e-5 .1
ALBERT-large | 87.36/67.31 90.81/75.95 32 512 2 3e-5 .1
ALBERT-xlarge | 88.99/69.08 92.09/76.30 32 512 2 3e-5 .1
ALBERT-xxlarge | 87.47/66.43 90.77/75.15 32 512 2 3e-5 .1
ALBERT-tiny | 73.95/48.31 76.21/53.35 32 512 3 2e-4 .1
RoBERTa-large | 88.61/69.94 92.04/78.50 32 256 2 3e-5 .1
xlnet-mid | 85.63/65.31 86.11/66.95 32 512 2 3e-5 .1
RoBERTa-wwm-ext | 87.28/67.89 90.41/75.20 32 512 2 3e-5 .1
RoBERTa-wwm-large-ext | 89.42/70.59 92.11/77.95 32 512 2 2.5e-5 .1
""",
        warmup=True,
    ),
    _table(
        "chid",
        "accuracy",
        """
BERT-base | 82.20 82.04 24 64 3 2e-5 .06
BERT-wwm-ext-base | 83.36 82.9 24 64 3 2e-5 .06
ERNIE-base | 82.46 82.28 24 64 3 2e-5 .06
ALBERT-base | 70.99 71.77 24 64 3 2e-5 .06
ALBERT-large | 75.10 74.18 24 64 3 2e-5 .06
ALBERT-xlarge | 81.20 80.57 24 64 3 2e-5 .06
ALBERT-xxlarge | 83.61 83.15 24 64 3 2e-5 .06
ALBERT-tiny | 43.47 43.53 24 64 3 2e-5 .06
RoBERTa-large | 85.31 84.50 24 64 3 2e-5 .06
xlnet-mid | 83.76 83.47 24 64 3 2e-5 .06
RoBERTa-wwm-ext | 83.78 83.62 24 64 3 2e-5 .06
RoBERTa-wwm-large-ext | 85.81 85.37 24 64 3 2e-5 .06
""",
        warmup=True,
    ),
    _table(
        "c3",
        "accuracy",
        """
BERT-base | 65.70 64.50 24 512 8 2e-5 .1
BERT-wwm-ext-base | 67.80 68.50 24 512 8 2e-5 .1
ERNIE-base | 65.50 64.10 24 512 8 2e-5 .1
ALBERT-base | 60.43 59.58 24 512 8 2e-5 .1
ALBERT-large | 64.07 64.41 24 512 8 2e-5 .1
ALBERT-xlarge | 69.75 70.32 24 512 8 2e-5 .1
ALBERT-xxlarge | 73.66 73.28 16 512 8 2e-5 .1
ALBERT-tiny | 50.58 50.26 32 512 8 5e-5 .1
RoBERTa-large | 67.79 67.55 24 256 8 2e-5 .1
xlnet-mid | 66.17 67.68 24 512 8 2e-5 .1
RoBERTa-wwm-ext | 67.06 66.50 24 512 8 2e-5 .1
RoBERTa-wwm-large-ext | 74.48 73.82 16 512 8 2e-5 .1
""",
        warmup=True,
    ),
    Table(
        source=f"{_README}, leaderboard of classification",
        columns=(
            "clue_score test average",
            "afqmc test accuracy",
            "tnews test accuracy",
            "iflytek test accuracy",
            "cmnli test accuracy",
            "cluewsc2020 test accuracy",
            "csl test accuracy",
        ),
        models=CLUE,
        notes=_NOTES,
        rows="""
BERT-base | 68.77 73.70 56.58 60.29 79.69 62.0 80.36
BERT-wwm-ext | 68.75 74.07 56.84 59.43 80.42 61.1 80.63
ERNIE-base | 68.55 73.83 58.33 58.96 80.29 60.8 79.1
RoBERTa-large | 71.70 74.02 57.86 62.55 81.70 72.7 81.36
XLNet-mid | 68.58 70.50 56.24 57.85 81.25 64.4 81.26
ALBERT-xxlarge | 71.04 75.6 59.46 62.89 83.14 61.54 83.63
ALBERT-xlarge | 68.92 69.96 57.36 59.50 81.13 64.34 81.20
ALBERT-large | 67.91 74 55.16 57.00 78.77 62.24 80.30
ALBERT-base | 67.44 72.55 55.06 56.58 77.58 64.34 78.5
ALBERT-tiny | 62.61 69.92 53.35 48.71 70.61 58.5 74.56
RoBERTa-wwm-ext | 70.10 74.04 56.94 60.31 80.51 67.8 81.0
RoBERTa-wwm-large | 72.83 76.55 58.61 62.98 82.12 74.6 82.13
""",
    ),
    Table(
        source=f"{_README}, leaderboard of reading comprehension",
        columns=(
            "clue_reading_score test average",
            "cmrc2018 test em",
            "chid test accuracy",
            "c3 test accuracy",
        ),
        models=CLUE,
        notes=_NOTES,
        rows="""
BERT-base | 72.71 71.60 82.04 64.50
BERT-wwm-ext | 75.12 73.95 82.90 68.50
ERNIE-base | 73.69 74.7 82.28 64.10
RoBERTa-large | 76.85 78.50 84.50 67.55
XLNet-mid | 72.70 66.95 83.47 67.68
ALBERT-base | 68.08 72.90 71.77 59.58
ALBERT-large | 71.51 75.95 74.18 64.41
ALBERT-xlarge | 75.73 76.30 80.57 70.32
ALBERT-xxlarge | 77.19 75.15 83.15 73.28
ALBERT-tiny | 49.05 53.35 43.53 50.26
RoBERTa-wwm-ext | 75.11 75.20 83.62 66.50
RoBERTa-wwm-large | 79.05 77.95 85.37 73.82
""",
    ),
)
