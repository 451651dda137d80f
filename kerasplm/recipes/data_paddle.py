"""Scores and settings of PaddleNLP's run of CLUE: the best of a grid, on dev."""

from kerasplm.recipes.base import RecipeRow, Table, sets
from kerasplm.recipes.names import PADDLE

_SOURCE = (
    "PaddlePaddle/PaddleNLP, CLUE baselines; CLUEbenchmark/CLUE baselines/paddlenlp"
)
_NOTES = {"": "Best of a grid over rate and batch, chosen on dev itself."}

TABLES = (
    Table(
        source=_SOURCE,
        columns=(
            "afqmc dev accuracy",
            "tnews dev accuracy",
            "iflytek dev accuracy",
            "cmnli dev accuracy",
            "ocnli dev accuracy",
            "cluewsc2020 dev accuracy",
            "csl dev accuracy",
        ),
        models=PADDLE,
        notes=_NOTES,
        rows="""
ERNIE 2.0-Large-zh | 76.41 59.67 62.29 83.82 79.69 89.14 84.10
HFL/RoBERTa-wwm-ext-large | 76.00 59.33 62.02 83.88 78.81 90.79 83.67
ERNIE 3.0-Xbase-zh | 76.85 59.89 62.41 84.76 82.51 89.80 84.47
ERNIE 3.0-Base-zh | 75.93 58.26 61.56 83.02 80.10 86.18 82.63
ERNIE-Gram-zh | 75.28 57.88 60.87 82.90 79.08 88.82 82.83
ERNIE 2.0-Base-zh | 76.25 58.53 61.72 83.07 78.81 84.21 82.77
Langboat/Mengzi-BERT-Base | 75.35 57.76 61.64 82.41 77.93 88.16 82.20
ERNIE 1.0-Base-zh | 74.84 58.91 62.25 81.68 76.58 85.20 82.77
HFL/RoBERTa-wwm-ext | 74.60 58.08 61.23 81.11 76.92 88.49 80.77
BERT-Base-Chinese | 74.63 57.13 61.29 80.97 75.22 81.91 81.90
UER/Chinese-RoBERTa-Base | 72.89 57.62 61.14 80.01 75.56 81.58 80.80
UER/Chinese-RoBERTa-Medium | 70.64 56.10 58.29 77.35 71.90 68.09 78.63
ERNIE 3.0-Medium-zh | 73.37 57.00 60.67 80.64 76.88 79.28 81.60
HLF/RBT6, Chinese | 73.45 56.82 59.64 79.36 73.32 76.64 80.67
TinyBERT6, Chinese | 72.22 55.70 54.48 79.12 74.07 77.63 80.17
RoFormerV2 Small | 72.47 56.53 60.72 76.37 72.95 75.00 81.07
UER/Chinese-RoBERTa-L6-H768 | 70.13 56.54 60.48 77.49 72.00 72.04 77.33
ERNIE 3.0-Mini-zh | 71.85 55.24 54.48 77.19 73.08 71.05 79.30
HFL/RBT4, Chinese | 72.41 56.50 58.95 77.34 70.78 71.05 78.23
UER/Chinese-RoBERTa-Small | 69.21 55.41 57.552 73.64 69.80 66.78 74.83
ERNIE 3.0-Micro-zh | 71.15 55.05 53.83 74.81 70.41 69.08 76.50
ERNIE 3.0-Nano-zh | 70.51 54.57 48.36 74.97 70.61 68.75 75.93
TinyBERT4, Chinese | 69.07 54.02 39.71 73.94 69.59 70.07 75.07
UER/Chinese-RoBERTa-Mini | 69.32 54.22 41.63 69.40 67.36 65.13 70.07
HFL/RBTL3, Chinese | 71.11 56.14 59.56 76.41 71.29 69.74 76.93
HFL/RBT3, Chinese | 70.95 55.53 59.18 76.20 70.71 67.11 76.63
UER/Chinese-RoBERTa-Tiny | 69.02 51.47 20.28 59.95 57.73 63.82 67.43
""",
    ),
    Table(
        source=_SOURCE,
        columns=(
            "clue_average dev average",
            "cmrc2018 dev em/f1",
            "chid dev accuracy",
            "c3 dev accuracy",
        ),
        models=PADDLE,
        notes=_NOTES,
        rows="""
ERNIE 2.0-Large-zh | 77.03 71.48/90.35 85.52 78.12
HFL/RoBERTa-wwm-ext-large | 76.61 70.58/89.82 85.72 75.26
ERNIE 3.0-Xbase-zh | 78.71 75.49/92.67 86.36 84.59
ERNIE 3.0-Base-zh | 76.05 70.71/90.41 84.26 77.88
ERNIE-Gram-zh | 75.72 71.82/90.38 84.04 73.69
ERNIE 2.0-Base-zh | 74.95 68.22/88.71 82.78 73.19
Langboat/Mengzi-BERT-Base | 74.69 67.04/88.35 83.74 70.70
ERNIE 1.0-Base-zh | 74.17 67.32/87.83 82.47 69.68
HFL/RoBERTa-wwm-ext | 74.11 68.39/88.50 83.43 68.03
BERT-Base-Chinese | 72.57 65.30/86.53 82.01 65.38
UER/Chinese-RoBERTa-Base | 71.78 63.87/84.95 81.52 62.76
UER/Chinese-RoBERTa-Medium | 67.06 57.63/78.91 75.13 56.84
ERNIE 3.0-Medium-zh | 72.49 65.83/87.30 79.91 69.73
HLF/RBT6, Chinese | 70.06 62.72/84.77 78.17 59.85
TinyBERT6, Chinese | 69.62 63.03/83.75 77.64 62.11
RoFormerV2 Small | 68.52 62.97/83.64 67.66 59.41
UER/Chinese-RoBERTa-L6-H768 | 67.09 53.74/75.52 76.73 54.40
ERNIE 3.0-Mini-zh | 66.90 58.53/81.97 69.71 58.60
HFL/RBT4, Chinese | 67.42 59.30/81.93 73.18 56.45
UER/Chinese-RoBERTa-Small | 63.25 46.75/69.69 67.59 50.92
ERNIE 3.0-Micro-zh | 64.21 53.77/77.82 62.26 55.53
ERNIE 3.0-Nano-zh | 62.97 52.00/76.35 58.91 55.11
TinyBERT4, Chinese | 60.82 46.04/69.34 58.53 52.18
UER/Chinese-RoBERTa-Mini | 53.40 5.96/17.13 51.19 39.68
HFL/RBTL3, Chinese | 66.63 58.50/80.90 71.03 55.56
HFL/RBT3, Chinese | 65.72 55.73/78.63 70.26 54.93
UER/Chinese-RoBERTa-Tiny | 44.45 3.08/14.33 23.57 28.12
""",
    ),
)

# What the grid keeps fixed, and where it looks.
_RATES = "learning_rates=1e-5,2e-5,3e-5,5e-5"
_MRC_RATES = "learning_rates=1e-5,2e-5,3e-5"
_FIXED = {
    "afqmc": "epochs=3",
    "tnews": "epochs=3",
    "iflytek": "epochs=3",
    "cmnli": "epochs=2",
    "ocnli": "epochs=5",
    "cluewsc2020": "epochs=50",
    "csl": "epochs=5 max_length=256",
    "cmrc2018": "epochs=2 max_length=512",
    "chid": "epochs=3 max_length=64 warmup=.06",
    "c3": "epochs=8 max_length=512",
}
_READING = ("cmrc2018", "chid", "c3")
_DROPOUT = "The grid also tries a dropout of 0."
_OPTIMIZER = "Run in PaddlePaddle, whose AdamW corrects the bias of its moments."

# Rate in 1e-5 and batch: 2/16 is 2e-5 with 16 examples.
_BEST = """
ERNIE 3.0-Xbase-zh | 2/16 3/32 3/32 3/64 3/64 2/32 1/16 3/24 2/24 3/24
ERNIE 2.0-Large-zh | 1/32 3/64 3/32 2/32 1/16 3/32 1/64 2/24 2/24 3/32
HFL/RoBERTa-wwm-ext-large | 1/32 3/32 2/32 1/16 1/16 2/16 2/16 3/32 1/24 2/24
ERNIE 3.0-Base-zh | 3/16 3/32 5/32 3/32 2/64 2/16 2/32 2/24 3/24 3/32
ERNIE-Gram-zh | 1/16 5/16 5/16 2/32 2/64 3/16 3/64 3/32 2/24 2/24
ERNIE 2.0-Base-zh | 3/64 3/64 5/16 5/64 5/32 5/16 2/16 2/32 3/24 3/32
Langboat/Mengzi-Bert-Base | 3/32 5/32 5/16 2/16 2/16 3/8 1/16 3/24 3/24 2/32
ERNIE 1.0-Base-zh | 3/16 3/32 5/16 5/32 3/16 2/8 2/16 3/32 3/24 3/24
HFL/RoBERTa-wwm-ext | 3/32 3/64 5/16 3/32 2/32 3/32 2/32 3/32 2/32 3/24
BERT-Base-Chinese | 2/16 5/16 5/16 5/64 3/16 3/16 1/16 3/24 2/32 3/24
UER/Chinese-RoBERTa-Base | 2/16 5/16 5/16 2/16 3/16 3/8 2/16 3/24 3/32 3/32
UER/Chinese-RoBERTa-Medium | 3/32 5/64 5/16 5/32 3/32 3/16 5/32 3/24 3/24 3/32
ERNIE 3.0-Medium-zh | 3/32 3/64 5/32 2/32 1/64 3/16 2/32 3/24 2/24 1/24
TinyBERT6, Chinese | 1/16 3/32 5/16 5/32 3/64 3/16 3/16 3/32 3/24 2/24
RoFormerV2 Small | 5/16 2/16 5/16 5/32 2/16 3/8 3/16 3/24 3/24 3/24
HLF/RBT6, Chinese | 3/16 5/16 5/16 5/64 3/16 3/8 5/64 2/24 3/32 2/32
UER/Chinese-RoBERTa-L6-H768 | 2/16 3/16 5/16 5/16 5/32 2/32 3/16 3/32 3/24 3/24
ERNIE 3.0-Mini-zh | 5/64 5/64 5/16 5/32 2/16 2/8 2/16 3/24 3/24 3/24
HFL/RBT4, Chinese | 5/16 5/16 5/16 5/16 2/16 2/8 2/16 3/32 3/24 3/32
UER/Chinese-RoBERTa-Small | 2/32 5/32 5/16 5/16 5/16 2/64 5/32 3/24 3/24 3/24
ERNIE 3.0-Micro-zh | 3/16 5/32 5/16 5/16 2/32 5/16 3/64 3/24 3/32 3/24
ERNIE 3.0-Nano-zh | 2/32 5/16 5/16 5/16 3/16 1/8 3/32 3/24 3/24 2/24
TinyBERT4, Chinese | 3/32 5/16 5/16 5/16 3/16 1/16 5/16 3/24 3/24 2/24
UER/Chinese-RoBERTa-Mini | 3/16 5/16 5/16 5/16 5/32 3/8 5/32 3/24 3/32 3/32
HFL/RBTL3, Chinese | 5/32 5/16 5/16 5/32 2/16 5/8 2/16 3/24 2/24 3/24
HFL/RBT3, Chinese | 5/64 5/32 5/16 5/16 2/16 3/16 5/16 3/32 3/24 3/32
UER/Chinese-RoBERTa-Tiny | 5/64 5/16 5/16 5/16 5/16 5/8 5/16 3/24 3/24 3/24
"""


def _best() -> tuple[RecipeRow, ...]:
    """Return the best rate and batch of each model and task."""
    found: list[RecipeRow] = []
    for line in _BEST.strip().splitlines():
        label, _, cells = line.rpartition(" | ")
        for (task, fixed), cell in zip(_FIXED.items(), cells.split(), strict=True):
            rate, size = cell.split("/")
            best = f"{task} | - {size} {rate}e-5 {fixed}"
            found += sets(
                label,
                _SOURCE,
                best,
                models=PADDLE.get(label, ""),
                notes=(_OPTIMIZER,),
            )
    return tuple(found)


def _grid() -> tuple[RecipeRow, ...]:
    """Return where the grid looks, as general rows."""
    found: list[RecipeRow] = []
    for task, fixed in _FIXED.items():
        reading = task in _READING
        sizes = "24,32" if reading else "16,32,64"
        sizes = "8,16,32,64" if task == "cluewsc2020" else sizes
        rates = _MRC_RATES if reading else _RATES
        found += sets(
            "grid",
            _SOURCE,
            f"{task} | - - - {fixed} {rates} batch_sizes={sizes} eval_steps=100",
            models="*",
            notes=(_DROPOUT,) if task in ("cluewsc2020", "iflytek") else (),
        )
    return tuple(found)


BEST = _best()
GRID = _grid()
