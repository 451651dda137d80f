"""Settings that the makers of ELECTRA, NEZHA and Zhuiyi's models use for theirs."""

from kerasplm.recipes.base import RecipeRow, Value, sets
from kerasplm.recipes.data_reading import GOOGLE_SPANS
from kerasplm.recipes.defaults import ADAM

_ELECTRA = "ymcui/Chinese-ELECTRA"
_NEZHA = "huawei-noah/Pretrained-Language-Model, NEZHA-TensorFlow"
_ZHUIYI = "ZhuiyiTechnology/pretrained-models, examples"
_WOBERT = "ZhuiyiTechnology/WoBERT, examples"
_ALBERT_GOOGLE = "google-research/albert, run_glue.sh"

_SMALL_MODELS = (
    "roberta-tiny-zh.zhuiyi roberta-small-zh.zhuiyi roberta-plus-tiny-zh.zhuiyi "
    "roberta-plus-small-zh.zhuiyi albert-tiny-google-zh.brightmart "
    "albert-small-google-zh.brightmart"
)
_WORDS = "wobert-base-zh.zhuiyi wobert-plus-base-zh.zhuiyi"

_PEAK = ("The peak of the rate is inferred from the script.",)
_CUT = ("Texts are cut to 128 characters first.",)
_STEPS = (
    "Stated in updates and for English; 3598 updates of 16 are ten passes over STS-B.",
)
_NO_RATE = ("No rate is published for small-ex: that of small is taken.",)
_PIECES: dict[str, Value] = {
    **ADAM,
    "schedule": "piecewise",
    "schedule_points": (1000.0, 1.0, 2000.0, 0.1),
}

SCRIPTS: tuple[RecipeRow, ...] = (
    # ELECTRA.
    *sets(
        "README",
        f"{_ELECTRA}, README and configure_finetuning.py",
        f"""
lcqmc bq xnli chnsenticorp | 128 32 - 3 warmup=.1
cmrc2018 drcd | 512 32 - 2 warmup=.1 {GOOGLE_SPANS}
squad_v1 | 512 32 - 2 warmup=.1 {GOOGLE_SPANS}
squad_v2 | 512 32 - 2 warmup=.1 null_threshold=-2.75 {GOOGLE_SPANS}
""",
        families="electra electra_shared",
    ),
    *sets(
        "README, legal models",
        f"{_ELECTRA}, README, legal models",
        "cail2018 | - - 5e-4",
        models="electra-legal-small-zh.hfl electra-small-zh.hfl",
    ),
    *sets(
        "README, legal models",
        f"{_ELECTRA}, README, legal models",
        "cail2018 | - - 3e-4",
        models="electra-legal-base-zh.hfl electra-base-zh.hfl",
    ),
    *sets(
        "README, legal models",
        f"{_ELECTRA}, README, legal models",
        "cail2018 | - - 1e-4",
        models="electra-legal-large-zh.hfl electra-large-zh.hfl",
    ),
    # NEZHA.
    *sets(
        "scripts/run_clf.sh",
        _NEZHA,
        "lcqmc | 128 32 3e-5 5 save_steps=50",
        families="nezha",
        notes=("The script leaves the rate to its code's default.",),
    ),
    *sets(
        "scripts of NER",
        _NEZHA,
        "peoples_daily | 256 16 3e-5 10 save_steps=100",
        families="nezha",
        notes=("Its code sums the loss over all positions, padding included.",),
    ),
    *sets(
        "scripts/run_reading.sh",
        _NEZHA,
        f"cmrc2018 | 512 4 3e-5 1 warmup=.1 {GOOGLE_SPANS}",
        families="nezha",
        notes=("Run without lower-casing.",),
    ),
    *sets(
        "run_classifier.sh",
        "huawei-noah/Pretrained-Language-Model, NEZHA-PyTorch",
        "chnsenticorp | 128 16 3e-5 10",
        families="nezha",
    ),
    # ZhuiyiTechnology.
    *sets(
        "task_sentiment",
        _ZHUIYI,
        "sentiment | 128 32 1e-4 10",
        models=_SMALL_MODELS,
        values=_PIECES,
        notes=_PEAK,
    ),
    *sets(
        "task_sentiment, without its rate for small models",
        _ZHUIYI,
        "sentiment | 128 32 - 10",
        models="*",
    ),
    *sets(
        "task_iflytek",
        _ZHUIYI,
        "iflytek | 128 32 5e-5 50",
        models=_SMALL_MODELS,
        values=ADAM,
    ),
    *sets(
        "task_lic2019_ie",
        _ZHUIYI,
        "lic2019 | 128 64 1e-5 20 ema=.999",
        models=_SMALL_MODELS,
        values=ADAM,
    ),
    *sets(
        "task_cips_sogou_qa",
        _ZHUIYI,
        "cips_sogou_qa | - 32 1e-5 20 text_length=256 query_length=64 "
        "max_answer_length=32",
        models=f"{_SMALL_MODELS} *",
    ),
    *sets(
        "task_iflytek_adversarial_training",
        "bojone/bert4keras, examples",
        "iflytek | - - 2e-5 50",
        variant="FGM with epsilon 0.5",
    ),
    *sets(
        "task_sentiment",
        _WOBERT,
        "sentiment | 512 32 1e-5 10",
        models=_WORDS,
        values=ADAM,
        notes=_CUT,
    ),
    *sets(
        "task_iflytek and task_tnews",
        _WOBERT,
        "iflytek tnews | 512 - 2e-5 10",
        models=_WORDS,
        values=ADAM,
        notes=_CUT,
    ),
    *sets(
        "retrieval_test.py",
        "ZhuiyiTechnology/simbert, retrieval_test.py",
        "lcqmc_retrieval | 32 threshold=.9",
        models="simbert-base-zh.zhuiyi *",
        notes=(
            "Not a training: cosine similarity above the threshold means the same.",
        ),
    ),
    *sets(
        "titles with UniLM",
        "ZhuiyiTechnology/t5-pegasus, examples",
        """
csl_title | 512 16 1e-5 30 text_length=256 max_answer_length=32
lcsts | 512 16 1e-5 40 text_length=256 max_answer_length=32
""",
        models=f"{_WORDS} bert-base-zh.google",
        values=ADAM,
    ),
    *sets(
        "task_seq2seq_autotitle_csl",
        "bojone/bert4keras, examples",
        "csl_title | 256 16 1e-5 20",
        models="bert-wwm-base-zh.hfl",
        values=ADAM,
    ),
    *sets(
        "finetune.py",
        "ZhuiyiTechnology/t5-pegasus, finetune.py",
        "csl_title lcsts | 256 32 2e-4 40 max_answer_length=32",
        families="t5_pegasus",
    ),
    # Google's ALBERT, English; its rates are all that it publishes.
    *sets(
        "run_glue.sh",
        _ALBERT_GOOGLE,
        """
sst2 | 512 32 1e-5 train_steps=20935 warmup_steps=1256 save_steps=100
mnli | 512 128 3e-5 train_steps=10000 warmup_steps=1000 save_steps=100
cola | 512 16 1e-5 train_steps=5336 warmup_steps=320 save_steps=100
qnli | 512 32 1e-5 train_steps=33112 warmup_steps=1986 save_steps=200
qqp | 512 128 5e-5 train_steps=14000 warmup_steps=1000 save_steps=100
rte | 512 32 3e-5 train_steps=800 warmup_steps=200 save_steps=100
stsb | 512 16 2e-5 10 train_steps=3598 warmup_steps=214 save_steps=100
mrpc | 512 32 2e-5 train_steps=800 warmup_steps=200 save_steps=100
""",
        models="*",
        notes=_STEPS,
    ),
)

SIZES: tuple[RecipeRow, ...] = (
    *sets(
        "rate by size, small-ex",
        f"{_ELECTRA}, README",
        "* | - - 3e-4 layer_decay=.8",
        models="electra-*small-ex-zh.hfl",
        notes=_NO_RATE,
    ),
    *sets(
        "rate by size, small",
        f"{_ELECTRA}, README",
        "* | - - 3e-4 layer_decay=.8",
        models="electra-*small-zh.hfl",
    ),
    *sets(
        "rate by size, base",
        f"{_ELECTRA}, README",
        "* | - - 1e-4 layer_decay=.8",
        models="electra-*base-zh.hfl",
    ),
    *sets(
        "rate by size, large",
        f"{_ELECTRA}, configure_finetuning.py",
        "* | - - 5e-5 layer_decay=.9",
        models="electra-*large-zh.hfl",
    ),
)
