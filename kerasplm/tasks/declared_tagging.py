"""Tasks on named entities."""

from kerasplm.evaluation.entities import CLUENER_TYPES
from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.task import Task

TAGGING = (
    Task(
        name="cluener",
        title="Named entities of ten types in news",
        source="CLUEbenchmark/CLUENER2020 pytorch_version",
        kind="tagging",
        labels=CLUENER_TYPES,
        format=FORMATS["cluener"],
        metric="cluener_f1",
        recipe={"epochs": 4, "batch_size": 24, "learning_rate": 3e-5},
    ),
    Task(
        name="msra_ner",
        title="Persons, places and organisations in newspapers (SIGHAN 2006)",
        source="Levow, SIGHAN 2006; CLUEbenchmark/CLUE run_ner.py",
        kind="tagging",
        labels=("PERSON", "LOCATION", "ORGANIZATION"),
        format=FORMATS["msra"],
        recipe={
            "epochs": 5,
            "batch_size": 16,
            "learning_rate": 2e-5,
            "max_length": 256,
        },
        options={"stride": 128},
    ),
    Task(
        name="peoples_daily",
        title="Persons, organisations and places in the People's Daily",
        source="huawei-noah NEZHA-TensorFlow run_classifier_ner.py",
        kind="tagging",
        labels=("PER", "ORG", "LOC"),
        format=FORMATS["peoples_daily"],
        recipe={
            "epochs": 10,
            "batch_size": 16,
            "learning_rate": 3e-5,
            "max_length": 256,
        },
        options={"stride": 128},
    ),
    Task(
        name="weibo_ner",
        title="Persons, places and organisations in microblogs, named or nominal",
        source="Peng and Dredze, EMNLP 2015; hltcoe/golden-horse; CLUE run_ner.py",
        kind="tagging",
        labels=(
            *("PER.NAM", "PER.NOM", "LOC.NAM", "LOC.NOM"),
            *("ORG.NAM", "ORG.NOM", "GPE.NAM", "GPE.NOM"),
        ),
        format=FORMATS["weibo"],
        recipe={
            "epochs": 5,
            "batch_size": 16,
            "learning_rate": 2e-5,
            "max_length": 256,
        },
        options={"stride": 128},
    ),
    Task(
        name="resume_ner",
        title="Eight types of entities in resumes",
        source="Zhang and Yang, ACL 2018; jiesutd/LatticeLSTM ResumeNER",
        kind="tagging",
        labels=("NAME", "CONT", "RACE", "LOC", "EDU", "ORG", "PRO", "TITLE"),
        format=FORMATS["tags"],
        recipe={
            "epochs": 5,
            "batch_size": 16,
            "learning_rate": 2e-5,
            "max_length": 256,
        },
        options={"stride": 128},
    ),
)
