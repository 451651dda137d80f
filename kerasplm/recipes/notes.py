"""What to know before following a recipe, and tasks that borrow one."""

LIKE = {
    "clue_diagnostics": ("cmnli", "A test set for the model of CMNLI: train on that."),
    "copa": ("afqmc", "No settings are published: those of a pair task, AFQMC."),
    "resume_ner": ("msra_ner", "No settings are published: those of MSRA NER."),
    "sentence_pair": ("lcqmc", "The reader's own data: settings of LCQMC."),
    "weibo_ner": ("msra_ner", "The script of MSRA NER runs it; no other settings."),
}
"""Task without a row of its own: the task whose rows it takes, and why."""

TRAPS = (
    (
        "*",
        "albert-x*large*",
        "Small batches harm the extra-large ALBERTs, and their training is unstable.",
    ),
    (
        "*",
        "[!a]*large*-zh.*",
        "A batch too small harms large models; accumulate rather than shrink it.",
    ),
    (
        "lcqmc",
        "*",
        "Some readers take the test file as dev: know which one a score comes from.",
    ),
    ("msra_ner", "*", "There is no dev set: the scripts take the test set as dev."),
    (
        "cmrc2018",
        "*",
        "CLUE's test set is a subset of 2k questions: not comparable to the official.",
    ),
    (
        "cluewsc2020",
        "*",
        "Scores of dev differ by 20 points between protocols: take several runs.",
    ),
    (
        "drcd",
        "*",
        "Traditional Chinese: CLUE's scripts convert it to simplified first; Google's "
        "BERT and BERT-wwm read both.",
    ),
    (
        "iflytek",
        "*",
        "Long texts: the published runs read the first 128 tokens or characters.",
    ),
)
"""Pattern of the task, pattern of the model, and what to know."""
