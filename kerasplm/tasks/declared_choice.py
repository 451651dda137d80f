"""Declared tasks with candidates."""

from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.task import Task

CHOICE = (
    Task(
        name="c3",
        title="Which answer to a question on a text is right?",
        source="Sun et al., TACL 2020; CLUEbenchmark/CLUE run_c3.py",
        kind="choice",
        pair=True,
        format=FORMATS["c3"],
        options={"layout": "question", "fill": 4},
        submissions={"test": "c310_predict.json", "test1.1": "c311_predict.json"},
    ),
    Task(
        name="chid",
        title="Which of ten idioms fills a blank?",
        source="Zheng et al., ACL 2019; CLUEbenchmark/CLUE run_multichoice_mrc.py",
        kind="choice",
        format=FORMATS["chid"],
        options={"layout": "cloze", "exclusive": True, "submission": "dictionary"},
        submissions={"test": "chid10_predict.json", "test1.1": "chid11_predict.json"},
    ),
)
