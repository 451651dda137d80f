"""Declared tasks on how alike two texts are: a number, or the angle of two vectors."""

from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.task import Task

SIMILARITY = (
    Task(
        name="stsb",
        title="How alike are two sentences, from 0 to 5?",
        source="Cer et al., SemEval 2017; google-research/albert run_glue.sh",
        kind="regression",
        pair=True,
        format=FORMATS["sts"],
    ),
    Task(
        name="lcqmc_retrieval",
        title="Which question asks the same? (sentence embeddings)",
        source="Liu et al., COLING 2018; ZhuiyiTechnology/simbert",
        kind="embedding",
        labels=("0", "1"),
        pair=True,
        format=FORMATS["lcqmc"],
        recipe={"batch_size": 64},
    ),
)
