"""Sentences with persons and places, which a tiny network learns in seconds."""

import keras
import numpy as np

import kerasplm as plm
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tasks import Task
from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.rows import Entity, EntityRow

# Persons stand in [], places in ().
SENTENCES = [
    "[王小明]昨天从(北京)飞到(上海)。",
    "[李雷]和[韩梅梅]在(杭州西湖)见面",
    "(成都)的[赵老师]教数学，[李雷]是他的学生。",
    "今天没有人来。",
    "[陈静]住在(南京)，她喜欢(西湖)的水",
    "(上海)(南京)两地下雨",
    "听说[小李]去了(广州塔)！",
    "[韩梅梅]：我不想回(杭州)",
    "他在(北京西站)等[王小明]的车",
    "明天天气很好，我们去看海",
    "[赵老师][陈静]都说好。",
    "(广州)",
]
CHARACTERS = sorted(set("".join(SENTENCES)) - set("[]()"))
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
TYPES = {"]": "person", ")": "place"}
NESTED = EntityRow(
    99,
    "北京西站的人",
    (Entity(0, 2, "place"), Entity(0, 4, "place"), Entity(5, 6, "person")),
)
TASK = Task(
    name="news",
    title="Persons and places",
    source="tests",
    kind="tagging",
    labels=("person", "place"),
    format=FORMATS["cluener"],
    metric="cluener_f1",
)


def parse(n, marked):
    text, entities, start = "", [], 0
    for char in marked:
        if char in "[(":
            start = len(text)
        elif char in TYPES:
            entities.append(Entity(start, len(text), TYPES[char]))
        else:
            text += char
    return EntityRow(n, text, tuple(entities))


ROWS = [parse(n, sentence) for n, sentence in enumerate(SENTENCES)]


def tokenizer():
    return PythonTokenizer(VOCAB)


def encoder(**changes):
    keras.utils.set_random_seed(5)
    fields = {
        "vocab_size": len(VOCAB),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return plm.Encoder(plm.Config(**fields | changes))


def settings(**changes):
    fields = {
        "batch_size": 4,
        "learning_rate": 3e-3,
        "max_length": 40,
        "head_dropout": 0.0,
        "head_size": 16,
    }
    return TASK.settings(**fields | changes)


def randomized(model):
    """Give every weight of a model a value that no initializer gives."""
    rng = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.3)
    return model
