"""Questions that a part of a passage answers."""

from kerasplm.tasks.formats import FORMATS, Format, one_file
from kerasplm.tasks.formats.questions import read_questions
from kerasplm.tasks.task import Task

# CLUE compares twice per epoch and takes answers of up to 50 tokens. The originals
# have no dropout before the head.
_CLUE_RECIPE = {
    "epochs": 2,
    "batch_size": 32,
    "learning_rate": 3e-5,
    "max_length": 512,
    "head_dropout": 0.0,
    "evaluations": 2,
}
_CLUE_OPTIONS = {"max_answer_length": 50}
_SQUAD_RECIPE = {
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 5e-5,
    "max_length": 384,
    "head_dropout": 0.0,
}


def _squad(version: str) -> Format:
    names = one_file((".json",), train=(f"train-{version}",), dev=(f"dev-{version}",))
    return Format(read_questions, names)


SPAN = (
    Task(
        name="cmrc2018",
        title="Which part of a passage answers the question?",
        source="Cui et al., EMNLP 2019; CLUEbenchmark/CLUE run_mrc.py",
        kind="span",
        pair=True,
        format=FORMATS["cmrc2018"],
        recipe=_CLUE_RECIPE,
        options=_CLUE_OPTIONS,
    ),
    Task(
        name="drcd",
        title="Which part of a passage answers the question? (traditional characters)",
        source="Shao et al., arXiv:1806.00920; CLUEbenchmark/CLUE run_mrc.py",
        kind="span",
        pair=True,
        format=FORMATS["drcd"],
        recipe=_CLUE_RECIPE,
        options=_CLUE_OPTIONS,
    ),
    Task(
        name="squad_v1",
        title="Which part of a passage answers the question? (English)",
        source="Rajpurkar et al., EMNLP 2016; google-research/bert run_squad.py",
        kind="span",
        pair=True,
        format=_squad("v1.1"),
        recipe=_SQUAD_RECIPE,
        options={"evaluator": "squad"},
    ),
    Task(
        name="squad_v2",
        title="Which part of a passage answers the question, if any? (English)",
        source="Rajpurkar et al., ACL 2018; google-research/bert run_squad.py",
        kind="span",
        pair=True,
        format=_squad("v2.0"),
        metric="f1",
        recipe=_SQUAD_RECIPE,
        options={"evaluator": "squad", "version2": True},
    ),
)
