"""Sentences with relations, a tokenizer for them, and a small encoder."""

import keras

import kerasplm as plm
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.rows import RelationRow, Triple
from kerasplm.tasks.task import Task

PREDICATES = ("作者", "父亲", "首都")


def row(number: int, text: str, *triples: tuple[str, str, str]) -> RelationRow:
    return RelationRow(number, text, tuple(sorted(Triple(*one) for one in triples)))


ROWS = (
    row(0, "《山雨》是林晓写的。", ("山雨", "作者", "林晓")),
    row(
        1,
        "周明写了《海风》和《晨光》",
        ("海风", "作者", "周明"),
        ("晨光", "作者", "周明"),
    ),
    row(2, "赵立的父亲叫赵大山", ("赵立", "父亲", "赵大山")),
    row(
        3,
        "李文和李武都是李成的儿子",
        ("李文", "父亲", "李成"),
        ("李武", "父亲", "李成"),
    ),
    row(4, "东国的首都在白城。", ("东国", "首都", "白城")),
    row(5, "河口是西国的首都", ("西国", "首都", "河口")),
    row(
        6,
        "《旧路》由陈默所作，陈默之父陈岩。",
        ("旧路", "作者", "陈默"),
        ("陈默", "父亲", "陈岩"),
    ),
    row(7, "南国定都云港，有书《海风》。", ("南国", "首都", "云港")),
    row(8, "诗集《Big Sky》出自王森之手", ("big sky", "作者", "王森")),
    row(
        9,
        "王森的儿子王小森生在北国首都冰原",
        ("王小森", "父亲", "王森"),
        ("北国", "首都", "冰原"),
    ),
    row(10, "这里没有下雨。"),
    row(11, "《家父》是作者郭平的作品", ("家父", "作者", "郭平")),
)

_SIGNS = sorted({char for one in ROWS for char in one.text if not char.isascii()})
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "big", "sky", *_SIGNS]
TOKENIZER = PythonTokenizer(VOCAB)

TASK = Task(
    name="small",
    title="Small",
    source="",
    kind="relation",
    labels=PREDICATES,
    format=FORMATS["lic2019"],
)


def small_encoder(seed: int = 1, **fields) -> plm.Encoder:
    keras.utils.set_random_seed(seed)
    sizes = {
        "vocab_size": len(VOCAB),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.1,
    }
    return plm.Encoder(plm.Config(**(sizes | fields)))
