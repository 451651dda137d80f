"""Published recipes: every row is sound, and the most specific one is taken."""

import fnmatch
import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import kerasplm as plm
from kerasplm.catalogue import CATALOGUE
from kerasplm.errors import CatalogueError, ConfigError, FamilyError
from kerasplm.recipes import OTHER_TASKS, TASKS, recipe_for, recipes
from kerasplm.recipes.base import sets
from kerasplm.recipes.defaults import CODE_OF, CODES
from kerasplm.recipes.names import ANY_MODEL, ANY_TASK
from kerasplm.recipes.notes import LIKE, TRAPS
from kerasplm.recipes.recipe import FIELDS

ROWS = recipes()
BERT, LARGE = "bert-base-zh.google", "roberta-wwm-ext-large-zh.hfl"
SCHEDULES = {"bert", "electra", "nezha", "piecewise", "constant"}
OF_CODE = ("schedule", "optimizer", "bias_correction", "epsilon", "weight_decay")
OF_CODE += ("clip_norm", "clip_each", "layer_decay", "dropout", "schedule_points")

# Task and model: max_length, batch_size, learning_rate, epochs, warmup.
EXPECTED = {
    # Tables of CLUE's README, which state settings with the scores.
    ("afqmc", BERT): (128, 16, 2e-5, 3, 0.1),
    ("iflytek", LARGE): (128, 24, 2e-5, 3, 0.1),
    ("iflytek", "albert-tiny-489k-zh.brightmart"): (128, 32, 2e-5, 10, 0.1),
    ("csl", BERT): (256, 4, 1e-5, 5, 0.1),
    ("csl", "roberta-large-zh.brightmart"): (256, 4, 5e-6, 5, 0.1),
    ("csl", "albert-xlarge-zh.google"): (128, 16, 5e-6, 2, 0.1),
    ("cluewsc2020", "albert-tiny-zh.brightmart"): (128, 8, 1e-4, 50, 0.1),
    ("drcd", "albert-xlarge-zh.google"): (512, 32, 2.5e-5, 3, 0.06),
    ("cmrc2018", LARGE): (512, 32, 2.5e-5, 2, 0.1),
    ("cmrc2018", "roberta-large-zh.brightmart"): (256, 32, 3e-5, 2, 0.1),
    ("c3", LARGE): (512, 16, 2e-5, 8, 0.1),
    ("chid", BERT): (64, 24, 2e-5, 3, 0.06),
    # PaddleNLP's best of its grid.
    ("ocnli", BERT): (128, 16, 3e-5, 5, 0.1),
    ("cmnli", "rbt6-base-zh.hfl"): (128, 64, 5e-5, 2, 0.1),
    ("chid", "tinybert-6l-zh.huawei"): (64, 24, 3e-5, 3, 0.06),
    # Scripts, exact model.
    ("afqmc", "albert-xlarge-177k-zh.brightmart"): (128, 16, 3e-5, 2, 0.1),
    ("xnli", BERT): (128, 32, 5e-5, 2, 0.1),
    ("xnli", "roberta-wwm-ext-base-zh.hfl"): (512, 32, 2e-5, 8, 0.1),
    ("lcqmc", "albert-tiny-zh.brightmart"): (128, 64, 1e-4, 5, 0.1),
    ("lcqmc", "roberta-large-zh.brightmart"): (128, 64, 2e-5, 3, 0.1),
    ("cluener", LARGE): (64, 32, 3e-5, 5, 0.1),
    ("sentiment", "wobert-base-zh.zhuiyi"): (512, 32, 1e-5, 10, 0.0),
    ("iflytek", "roberta-plus-small-zh.zhuiyi"): (128, 32, 5e-5, 50, 0.0),
    ("lic2019", "roberta-tiny-zh.zhuiyi"): (128, 64, 1e-5, 20, 0.0),
    # Patterns of names: sizes.
    ("afqmc", "albert-xlarge-183k-zh.brightmart"): (128, 16, 3e-5, 2, 0.1),
    ("lcqmc", "electra-180g-small-zh.hfl"): (128, 32, 3e-4, 3, 0.1),
    ("lcqmc", "electra-base-zh.hfl"): (128, 32, 1e-4, 3, 0.1),
    ("drcd", "electra-large-zh.hfl"): (512, 32, 5e-5, 2, 0.1),
    ("csl", "electra-small-ex-zh.hfl"): (256, 8, 3e-4, 5, 0.1),
    ("msra_ner", LARGE): (256, 8, 2e-5, 5, 0.1),
    # Families.
    ("lcqmc", "nezha-large-zh.huawei"): (128, 32, 3e-5, 5, 0.1),
    ("peoples_daily", "nezha-base-zh.huawei"): (256, 16, 3e-5, 10, 0.1),
    ("cmrc2018", "nezha-base-wwm-zh.huawei"): (512, 4, 3e-5, 1, 0.1),
    ("tnews", "roberta-l6-base-zh.brightmart"): (128, 32, 2e-5, 3, 0.1),
    # General rows.
    ("tnews", "nezha-base-zh.huawei"): (128, 16, 2e-5, 3, 0.1),
    ("cluener", None): (128, 24, 3e-5, 4, 0.1),
    ("squad_v2", None): (384, 32, 5e-5, 3, 0.1),
    ("thucnews", None): (512, 16, 2e-5, 8, 0.1),
    ("stsb", None): (512, 16, 2e-5, 10, 0.1),
    ("bq", None): (128, 32, 3e-5, 3, 0.1),
    # Borrowed.
    ("weibo_ner", BERT): (256, 16, 2e-5, 5, 0.1),
    ("clue_diagnostics", BERT): (128, 64, 3e-5, 2, 0.1),
}


def test_number_of_rows():
    """270 best of the grid, 97 lines of CLUE's tables, 28 rows of tables of others."""
    sources = Counter(row.source.split(",")[0] for row in ROWS)
    paddle = [row for row in ROWS if row.source.startswith("PaddlePaddle")]
    clue = [row for row in ROWS if ", README, table of" in row.source]
    assert (len(paddle), sum(row.general for row in paddle)) == (280, 10)
    assert len(clue) == 97
    assert min(sources.values()) >= 1
    assert len(ROWS) == 544


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.task}-{row.who}")
def test_row(row):
    assert row.task in (*TASKS, *OTHER_TASKS, ANY_TASK)
    assert row.who
    assert row.source
    assert row.values
    assert set(row.values) <= set(FIELDS)
    for name in filter(lambda pattern: pattern != ANY_MODEL, row.models):
        assert fnmatch.filter(CATALOGUE, name), name
        assert "*" in name or name in CATALOGUE
    assert set(row.families) <= set(plm.FAMILIES)
    assert all(note.endswith(".") for note in row.notes)
    for field, low, high in (
        ("max_length", 32, 512),
        ("batch_size", 4, 128),
        ("learning_rate", 5e-6, 1e-3),
        ("epochs", 1, 50),
        ("warmup", 0, 0.1),
    ):
        assert low <= row.values.get(field, low) <= high
    if row.general:
        # The optimizer is the family's, not that of whoever ran a general row.
        assert not set(OF_CODE) & set(row.values)


def test_no_row_stands_twice():
    keys = Counter(
        (row.task, row.who, row.source, row.models, tuple(row.values.items()))
        for row in ROWS
    )
    assert [key for key, n in keys.items() if n > 1] == []


@pytest.mark.parametrize(("task", "model"), EXPECTED)
def test_recipe_for(task, model):
    found = recipe_for(task, model)
    core = (found.max_length, found.batch_size, found.learning_rate, found.epochs)
    assert (*core, found.warmup) == EXPECTED[task, model]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_and_model_has_a_whole_recipe(task):
    for model in (None, *CATALOGUE):
        found = recipe_for(task, model)
        assert found.task == task
        assert found.schedule in SCHEDULES
        assert (found.schedule in ("constant", "piecewise")) <= (found.warmup == 0)
        assert bool(found.schedule_points) == (found.schedule == "piecewise")
        assert found.family == (CATALOGUE[model].family if model else None)
        cited = [name for citation in found.sources for name in citation.fields]
        assert len(cited) == len(set(cited))
        blank = recipe_for("afqmc")
        unstated = set(FIELDS) - set(cited)
        defaults = {f.default for f in type(blank).__dataclass_fields__.values()}
        assert all(getattr(found, name) in defaults for name in unstated)
        assert {"max_length", "batch_size", "learning_rate", "epochs"} <= set(cited)
        assert {"warmup", *OF_CODE[:7]} <= set(cited)


def test_every_field_tells_its_source():
    found = recipe_for("cmrc2018", LARGE)
    assert found.source_of("learning_rate").endswith("cmrc2018: RoBERTa-wwm-large-ext")
    assert "run_mrc.py" in found.source_of("max_answer_length")
    assert found.source_of("weight_decay").startswith("google-research/bert")
    with pytest.raises(ConfigError, match="no source states 'layer_decay'"):
        found.source_of("layer_decay")
    text = found.describe()
    assert "learning_rate=2.5e-05" in text
    assert all(f"from {citation.source}" in text for citation in found.sources)
    assert all(f"note: {note}" in text for note in found.notes)


def test_answers_are_cut_as_the_family_cuts_them():
    assert recipe_for("cmrc2018", BERT).max_answer_length == 50
    assert recipe_for("cmrc2018", "electra-base-zh.hfl").max_answer_length == 30
    assert recipe_for("cmrc2018", "nezha-base-zh.huawei").max_answer_length == 30
    for task, model in itertools.product(("cmrc2018", "drcd", "squad_v1"), CATALOGUE):
        found = recipe_for(task, model)
        assert (found.query_length, found.doc_stride, found.n_best) == (64, 128, 20)
    assert recipe_for("squad_v2").null_threshold == 0
    assert recipe_for("squad_v2", family="electra").null_threshold == -2.75


def test_optimizer_is_the_family_s_own():
    bert = recipe_for("tnews", BERT)
    assert (bert.optimizer, bert.bias_correction, bert.schedule) == (
        "adamw",
        False,
        "bert",
    )
    assert (bert.weight_decay, bert.clip_norm, bert.epsilon) == (0.01, 1.0, 1e-6)
    assert recipe_for("tnews", "nezha-base-zh.huawei").schedule == "nezha"
    small = recipe_for("tnews", "electra-small-zh.hfl")
    large = recipe_for("tnews", "electra-large-zh.hfl")
    assert (small.schedule, small.layer_decay, large.layer_decay) == (
        "electra",
        0.8,
        0.9,
    )
    assert recipe_for("tnews", "tinybert-4l-zh.huawei").clip_each
    adam = recipe_for("tnews", "roberta-tiny-zh.zhuiyi")
    assert (adam.optimizer, adam.bias_correction, adam.epsilon) == ("adam", True, 1e-7)
    assert (adam.weight_decay, adam.clip_norm, adam.schedule) == (0, None, "constant")


def test_zhuiyi_s_sentiment_has_pieces():
    found = recipe_for("sentiment", "albert-small-google-zh.brightmart")
    assert (found.schedule, found.learning_rate) == ("piecewise", 1e-4)
    assert found.schedule_points == (1000, 1, 2000, 0.1)
    assert recipe_for("lic2019", BERT).ema == 0.999
    # The rate of tiny models is not that of large ones.
    assert recipe_for("sentiment", BERT).learning_rate == 5e-5


def test_legal_models():
    assert recipe_for("cail2018", "electra-legal-small-zh.hfl").learning_rate == 5e-4
    assert recipe_for("lcqmc", "electra-legal-small-zh.hfl").learning_rate == 3e-4
    with pytest.raises(ConfigError, match="no recipe of 'cail2018'.*nezha-base"):
        recipe_for("cail2018", "nezha-base-zh.huawei")


def test_what_belongs_to_one_run_stays_with_its_batch():
    assert recipe_for("cmnli", BERT).save_steps is None
    assert recipe_for("cmnli").save_steps == 24487
    assert (recipe_for("stsb").train_steps, recipe_for("stsb").warmup_steps) == (
        3598,
        214,
    )


def test_variants_are_listed_and_never_taken():
    variants = [row for row in ROWS if row.variant]
    assert {row.variant for row in variants} >= {
        "TPU with 8 cores",
        "FGM with epsilon 0.5",
    }
    for row in variants:
        name = f"{row.source}: {row.who}"
        for model in row.models:
            cited = [c.source for c in recipe_for(row.task, model).sources]
            assert name not in cited


def test_grid_is_worth_trying():
    found = recipe_for("cluewsc2020", "rbt3-base-zh.hfl")
    assert found.learning_rates == (1e-5, 2e-5, 3e-5, 5e-5)
    assert found.batch_sizes == (8, 16, 32, 64)


def test_family_without_a_model():
    found = recipe_for("csl", family="electra")
    assert (found.model, found.family, found.learning_rate) == (None, "electra", 1e-5)
    assert found.schedule == "electra"
    assert recipe_for("tnews", family="bert").batch_size == 32
    assert recipe_for("tnews").batch_size == 16


def test_notes():
    notes = recipe_for("lcqmc", "albert-xxlarge-zh.google").notes
    assert any("Small batches" in note for note in notes)
    assert any("test file as dev" in note for note in notes)
    warned = [m for m in CATALOGUE if "accumulate" in str(recipe_for("bq", m).notes)]
    assert LARGE in warned
    assert "nezha-large-wwm-zh.huawei" in warned
    assert not fnmatch.filter(warned, "albert-*")
    assert any("no dev set" in note for note in recipe_for("msra_ner").notes)
    assert any(
        "catalogue lists" in n for n in recipe_for("bq", "roberta-tiny-zh.zhuiyi").notes
    )
    assert not any("catalogue" in note for note in recipe_for("bq", BERT).notes)
    for task, model, note in TRAPS:
        assert task == "*" or task in TASKS
        assert fnmatch.filter(CATALOGUE, model)
        assert note.endswith(".")


def test_borrowed_recipes_say_so():
    for task, (other, why) in LIKE.items():
        assert not [row for row in ROWS if row.task == task]
        assert why in recipe_for(task).notes
        assert recipe_for(task).sources == recipe_for(other).sources


def test_every_family_has_code():
    assert set(CODE_OF) == set(plm.FAMILIES)
    assert set(CODE_OF.values()) == set(CODES)


def test_listing():
    assert {row.task for row in recipes("csl")} == {"csl", ANY_TASK}
    assert len(recipes("csl")) < len(ROWS)
    with pytest.raises(ConfigError, match="no task 'clsl'"):
        recipes("clsl")


def test_wrong_names():
    with pytest.raises(ConfigError, match=r"no task 'cmrc'\. Did you mean cmrc2018"):
        recipe_for("cmrc")
    with pytest.raises(ConfigError, match="There are lcqmc, bq"):
        recipe_for("@")
    with pytest.raises(CatalogueError, match="Did you mean bert-base-zh.google"):
        recipe_for("tnews", "bert-base-zh.googel")
    with pytest.raises(FamilyError, match="there are bert"):
        recipe_for("tnews", family="berd")
    with pytest.raises(ConfigError, match="is of family 'bert'.*'nezha'"):
        recipe_for("tnews", BERT, "nezha")
    with pytest.raises(ConfigError, match="no recipe of 'clue_score'.*mean of the six"):
        recipe_for("clue_score")


def test_table_of_settings_is_read():
    (row,) = sets(
        "w", "s", "a | 64 - 2e-5 3 warmup=.06 seed=1 learning_rates=1e-5,2e-5"
    )
    assert row.values == {
        "max_length": 64,
        "learning_rate": 2e-5,
        "epochs": 3,
        "warmup": 0.06,
        "seed": 1,
        "learning_rates": (1e-5, 2e-5),
    }


def test_tables_are_read_lazily_and_need_neither_keras_nor_tensorflow():
    package = Path(plm.__file__).parent
    code = (
        "import sys, types; package = types.ModuleType('kerasplm')\n"
        f"package.__path__ = [{str(package)!r}]; sys.modules['kerasplm'] = package\n"
        "from kerasplm.recipes import published_scores, recipe_for\n"
        "assert not [m for m in sys.modules if 'recipes.data_' in m]\n"
        "assert recipe_for('tnews').epochs == 3 and published_scores()\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
