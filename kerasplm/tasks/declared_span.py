"""Questions that a part of a passage answers."""

from kerasplm.tasks.formats import FORMATS, Format, one_file
from kerasplm.tasks.formats.questions import read_questions
from kerasplm.tasks.task import Task

# Lengths and rates are those of `kerasplm.recipes`. The originals have no dropout
# before the head; CLUE compares twice per epoch.
_RECIPE = {"head_dropout": 0.0}
_CLUE_RECIPE = {"head_dropout": 0.0, "evaluations": 2}


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
    ),
    Task(
        name="drcd",
        title="Which part of a passage answers the question? (traditional characters)",
        source="Shao et al., arXiv:1806.00920; CLUEbenchmark/CLUE run_mrc.py",
        kind="span",
        pair=True,
        format=FORMATS["drcd"],
        recipe=_CLUE_RECIPE,
    ),
    Task(
        name="squad_v1",
        title="Which part of a passage answers the question? (English)",
        source="Rajpurkar et al., EMNLP 2016; google-research/bert run_squad.py",
        kind="span",
        pair=True,
        format=_squad("v1.1"),
        recipe=_RECIPE,
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
        recipe=_RECIPE,
        options={"evaluator": "squad", "version2": True},
    ),
)
