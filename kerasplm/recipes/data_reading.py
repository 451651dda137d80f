"""Settings for reading comprehension, choices, entities and relations."""

from kerasplm.recipes.base import RecipeRow, sets

_CLUE = "CLUEbenchmark/CLUE"
_MRC = f"{_CLUE}, baselines/models_pytorch/mrc_pytorch"
_BERT4KERAS = "bojone/bert4keras, examples"

# Windows over the text, and answers.
GOOGLE_SPANS = "query_length=64 doc_stride=128 n_best=20 max_answer_length=30"
_CLUE_SPANS = "query_length=64 doc_stride=128 n_best=20 max_answer_length=50"

_TORCH_MRC = (
    "Run in PyTorch: gradients are clipped tensor by tensor, and the schedule falls "
    "from the peak without a jump. Its code's own defaults differ: length 256, "
    "warm-up 0.05.",
)

SCRIPTS: tuple[RecipeRow, ...] = (
    # Reading comprehension.
    *sets(
        "README and run_mrc.py",
        _MRC,
        f"cmrc2018 drcd | 512 32 3e-5 2 warmup=.1 seed=123 {_CLUE_SPANS}",
        models="*",
        notes=_TORCH_MRC,
    ),
    *sets(
        "README",
        "brightmart/roberta_zh, README, machine reading comprehension",
        "cmrc2018 | - 32 3e-5 2 warmup=.1",
        models="roberta-*.brightmart",
    ),
    *sets(
        "run_squad.py",
        "google-research/bert, run_squad.py",
        f"""
squad_v1 | 384 32 5e-5 3 warmup=.1 {GOOGLE_SPANS}
squad_v2 | 384 32 5e-5 3 warmup=.1 null_threshold=0.0 {GOOGLE_SPANS}
""",
        models="*",
    ),
    # Multiple choice.
    *sets(
        "run_c3.py",
        _MRC,
        "c3 | 512 24 2e-5 8 warmup=.05 accumulation=4",
        models="*",
        notes=("The README's table says warm-up 0.1.",),
    ),
    *sets(
        "run_multichoice_mrc.py",
        _MRC,
        "chid | 64 24 2e-5 3 warmup=.06 seed=42",
        models="*",
        notes=("The code's own default is a batch of 20.",),
    ),
    # Entities.
    *sets(
        "run_ner.py, large models",
        f"{_CLUE}, baselines/models",
        "msra_ner | 256 8 2e-5 5",
        models="roberta-*large-zh.*",
    ),
    *sets(
        "run_ner.py",
        f"{_CLUE}, baselines/models",
        "msra_ner | 256 16 2e-5 5",
        models="*",
    ),
    *sets(
        "TensorFlow baseline: labels BMES and a CRF",
        "CLUEbenchmark/CLUENER2020, tf_version",
        "cluener | 64 32 3e-5 5",
        models="roberta-wwm-ext-large-zh.hfl",
    ),
    *sets(
        "PyTorch baseline: labels BIOS",
        "CLUEbenchmark/CLUENER2020, pytorch_version",
        "cluener | 128 24 3e-5 4 crf_learning_rate=1e-3 eval_length=512 seed=42",
        models="*",
    ),
    *sets(
        "task_sequence_labeling_ner_crf",
        _BERT4KERAS,
        "peoples_daily | 256 32 2e-5 10 crf_rate_factor=1000",
        models="*",
    ),
    *sets(
        "task_sequence_labeling_cws_crf",
        _BERT4KERAS,
        "sighan_cws | 256 32 1e-5 10 crf_rate_factor=1",
        models="*",
    ),
    # Relations.
    *sets(
        "task_relation_extraction",
        _BERT4KERAS,
        "lic2019 | 128 64 1e-5 20 ema=.999",
        models="*",
    ),
)
