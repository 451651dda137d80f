"""Texts to write."""

from collections.abc import Mapping
from typing import Any

from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.task import Task

# The optimizer of the scripts is the Adam of stand-alone Keras.
_RECIPE: Mapping[str, Any] = {
    "max_length": 256,
    "batch_size": 16,
    "learning_rate": 1e-5,
    "epochs": 30,
    "schedule": "constant",
    "warmup": 0.0,
    "optimizer": "adam",
    "weight_decay": 0.0,
    "clip_norm": None,
}
_QUESTIONS = {**_RECIPE, "batch_size": 32, "epochs": 20}

GENERATION = (
    Task(
        name="csl_title",
        title="What is the title of this abstract?",
        source="CLUEbenchmark/CLGE CSL; bojone/bert4keras task_seq2seq_autotitle_csl",
        kind="generation",
        format=FORMATS["csl_title"],
        recipe=_RECIPE,
    ),
    Task(
        name="lcsts",
        title="What is the title of this news text?",
        source="Hu et al., EMNLP 2015; ZhuiyiTechnology/t5-pegasus",
        kind="generation",
        format=FORMATS["lcsts"],
        recipe={**_RECIPE, "epochs": 40},
    ),
    Task(
        name="cips_sogou_qa",
        title="What do these passages answer to the question?",
        source="CIPS-SogouQA; ZhuiyiTechnology/pretrained-models task_cips_sogou_qa",
        kind="generation",
        pair=True,
        format=FORMATS["cips_sogou_qa"],
        metric="average",
        options={"extract": True, "beams": 3},
        recipe=_QUESTIONS,
        submissions={"test": "cips_sogou_qa_predict.txt"},
    ),
    Task(
        name="qa_pairs",
        title="Which answer stands in the passage, and to which question?",
        source="bojone/bert4keras task_question_answer_generation_by_seq2seq",
        kind="generation",
        format=FORMATS["qa_pairs"],
        options={"parts": 2, "max_answer_length": 82, "beams": 3},
        recipe={**_QUESTIONS, "max_length": 128},
    ),
    Task(
        name="rewriting",
        title="What does the last utterance say without the dialogue before it?",
        source="Su et al., ACL 2019, utterance rewriting",
        kind="generation",
        pair=True,
        format=FORMATS["utterances"],
        recipe={**_RECIPE, "max_length": 128},
    ),
)
