"""Settings for classification, from scripts and from READMEs without scores."""

from kerasplm.recipes.base import RecipeRow, sets
from kerasplm.recipes.defaults import ADAM

_CLUE = "CLUEbenchmark/CLUE"
_TPU = f"{_CLUE}, baselines/models/*/tpu"
_ALBERT = "brightmart/albert_zh"
_WWM = "ymcui/Chinese-BERT-wwm"
_BERT4KERAS = "bojone/bert4keras, examples"

_TINY = "albert-tiny-zh.brightmart albert-tiny-489k-zh.brightmart"
_XLARGE = "albert-xlarge-177k-zh.brightmart albert-xlarge-183k-zh.brightmart"
_BASES = (
    "bert-base-zh.google bert-wwm-ext-base-zh.hfl roberta-wwm-ext-base-zh.hfl "
    "roberta-wwm-ext-large-zh.hfl roberta-large-zh.brightmart"
)
_CLUE_SIX = "afqmc cmnli csl iflytek tnews cluewsc2020"

_TORCH = (
    "Run in PyTorch: AdamW with bias correction, epsilon 1e-8, seed 42, and a schedule "
    "that falls from the peak without a jump.",
)
_RATES_ONLY = (
    "HFL states the best rates only, of ten runs each, and says that the rate matters "
    "most.",
)

SCRIPTS: tuple[RecipeRow, ...] = (
    # LCQMC, and similar pairs of questions.
    *sets(
        "README",
        "brightmart/roberta_zh, README, LCQMC",
        "lcqmc | 128 64 2e-5 3",
        models="roberta-large-zh.brightmart *",
    ),
    *sets(
        "README",
        f"{_ALBERT}, README, LCQMC",
        "lcqmc | 128 64 1e-4 5 learning_rates=2e-5,6e-5,1e-4",
        models=_TINY,
    ),
    *sets(
        "run_classifier_sp_google.py",
        f"{_ALBERT}, README, LCQMC with albert_small_google",
        "lcqmc | 128 64 1e-4 5",
        models="albert-small-google-zh.brightmart",
    ),
    *sets(
        "similarity.py",
        f"{_ALBERT}, args.py",
        "lcqmc | 128 128 5e-5 10",
        models=_TINY,
        variant="demonstration of deployment",
    ),
    *sets(
        "task_sentence_similarity_lcqmc",
        _BERT4KERAS,
        "lcqmc | 128 64 2e-5 20",
        models="bert-wwm-base-zh.hfl",
        values=ADAM | {"dropout": 0.1},
    ),
    # CLUE.
    *sets(
        "scripts in TensorFlow",
        f"{_CLUE}, baselines/models",
        f"{_CLUE_SIX} | 128 32 2e-5 3",
        models=_BASES,
        families="bert",
    ),
    *sets(
        "scripts in TensorFlow, ERNIE",
        f"{_CLUE}, baselines/models/ernie",
        f"{_CLUE_SIX} | 128 32 2e-5 3",
    ),
    *sets(
        "scripts in TensorFlow, XLNet",
        f"{_CLUE}, baselines/models/xlnet",
        f"{_CLUE_SIX} | 128 32 2e-5 3",
    ),
    *sets(
        "scripts in TensorFlow, albert_xlarge_zh_177k",
        f"{_CLUE}, baselines/models/albert",
        f"{_CLUE_SIX} | 128 16 3e-5 2",
        models="albert-xlarge-177k-zh.brightmart albert-xlarge-*",
    ),
    *sets(
        "run_classifier_clue.sh",
        f"{_ALBERT}, run_classifier_clue.sh",
        """
afqmc | 128 16 2e-5 3 save_steps=300
cmnli | 128 64 3e-5 2 save_steps=300
csl | 128 16 1e-5 5 save_steps=100
iflytek | 128 32 2e-5 3 save_steps=300
tnews | 128 16 2e-5 3 save_steps=300
cluewsc2020 | 128 16 1e-5 10 save_steps=10
""",
        models="albert-tiny-489k-zh.brightmart albert-tiny-*",
    ),
    *sets(
        "roberta_tiny_clue",
        f"{_CLUE}, baselines/models/roberta/tpu",
        """
afqmc csl iflytek tnews | 128 16 1e-5 5 save_steps=100
cmnli | 128 16 1e-5 5 save_steps=1000
cluewsc2020 | 128 16 1e-5 10 save_steps=10
""",
        variant="TPU with 8 cores",
    ),
    *sets(
        "scripts in PyTorch",
        f"{_CLUE}, baselines/models_pytorch/classifier_pytorch",
        """
afqmc | 128 16 2e-5 3 save_steps=2146
tnews | 128 16 2e-5 3 save_steps=3335
iflytek | 128 16 2e-5 3 save_steps=759
cmnli | 128 16 3e-5 3 save_steps=24487
ocnli | 128 16 3e-5 2 save_steps=24487
csl | 256 8 1e-5 5 save_steps=2500
cluewsc2020 | 128 16 1e-5 50 save_steps=34
""",
        models="*",
        notes=_TORCH,
    ),
    # The older tasks of chineseGLUE, which ran on TPU.
    *sets(
        "TPU, bert",
        _TPU,
        """
inews thucnews | 512 16 2e-5 8
jd_comments | 128 32 2e-5 3
""",
        models="bert-base-zh.google *",
    ),
    *sets(
        "TPU, bert",
        _TPU,
        """
lcqmc | 128 16 2e-5 8
tnews | 128 32 2e-5 3
xnli | 512 16 2e-5 8
""",
        models="bert-base-zh.google",
    ),
    *sets(
        "TPU, albert_xlarge",
        _TPU,
        """
inews | 512 16 2e-5 8
lcqmc | 128 64 2e-5 3
thucnews | 512 32 2e-5 8
tnews | 128 32 6e-5 9
xnli | 128 64 2e-5 8
""",
        models=_XLARGE,
    ),
    *sets(
        "TPU, albert_tiny",
        _TPU,
        """
inews | 512 16 6e-5 10 save_steps=600
lcqmc | 128 32 6e-5 3
thucnews | 128 64 1e-4 5
tnews | 128 32 6e-5 3
xnli | 128 64 2e-5 8
""",
        models=_TINY,
    ),
    *sets(
        "TPU, bert_wwm_ext",
        _TPU,
        """
inews thucnews xnli | 512 16 2e-5 8
lcqmc tnews | 128 16 2e-5 3
""",
        models="bert-wwm-ext-base-zh.hfl",
    ),
    *sets(
        "TPU, ernie",
        _TPU,
        """
inews thucnews xnli | 512 16 2e-5 8
lcqmc tnews | 128 16 2e-5 3
""",
    ),
    *sets(
        "TPU, roberta_wwm_ext and large",
        _TPU,
        """
inews thucnews xnli | 512 32 2e-5 8
jd_comments | 128 32 2e-5 8
lcqmc tnews | 128 16 2e-5 3
""",
        models="roberta-wwm-ext-base-zh.hfl roberta-wwm-ext-large-zh.hfl",
    ),
    # XNLI as Google's README has it, for models that nobody else gives settings for.
    *sets(
        "multilingual.md",
        "google-research/bert, multilingual.md",
        "xnli | 128 32 5e-5 2",
        models="*",
    ),
    # HFL.
    *sets(
        "best rates, BERT",
        f"{_WWM}, README, best learning rates",
        """
cmrc2018 drcd xnli bq | - - 3e-5
cjrc | - - 4e-5
chnsenticorp lcqmc thucnews | - - 2e-5
""",
        models="bert-base-zh.google *",
        notes=_RATES_ONLY,
    ),
    *sets(
        "best rates, BERT-wwm and its kin",
        f"{_WWM}, README, best learning rates",
        """
cmrc2018 drcd xnli bq | - - 3e-5
cjrc | - - 4e-5
chnsenticorp lcqmc thucnews | - - 2e-5
""",
        models="*wwm*.hfl",
        notes=_RATES_ONLY,
    ),
    *sets(
        "best rates, ERNIE",
        f"{_WWM}, README, best learning rates",
        """
cmrc2018 drcd cjrc | - - 8e-5
xnli chnsenticorp bq thucnews | - - 5e-5
lcqmc | - - 3e-5
""",
    ),
)
