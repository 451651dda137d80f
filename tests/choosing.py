"""A small vocabulary, rows of my own, and how a tiny model is trained on them."""

import keras

import kerasplm as plm
from kerasplm.optimization import adamw
from kerasplm.tasks.epochs import training_batches
from kerasplm.tasks.judging import Judge

_CHARS = (
    "甲乙丙丁戊己庚辛春夏秋冬东南西北猫狗鸟鱼书笔纸灯红黄蓝白山水火土一二三四五六七八九十"
    "他她去了哪里买什么喜欢颜色谁在看天气今明不很好坏下雨雪车马船飞快慢大小多少上学回家"
    "无效答案，。？的是有人吃饭茶酒花草树木老师生医工怎么样样才能"
)
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]"]
VOCAB += list(dict.fromkeys(_CHARS))
TOKENIZER = plm.PythonTokenizer(VOCAB)


def spell(ids):
    """Return the tokens of ids, with blanks between."""
    return " ".join(VOCAB[i] for i in ids)


def encoder(**fields):
    keras.utils.set_random_seed(3)
    sizes = {
        "vocab_size": len(VOCAB),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "initializer_range": 0.1,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return plm.Encoder(plm.Config(**(sizes | fields)))


def sequences(features):
    """Return (tokens, segments) of every sequence."""
    bounds = list(zip(features.starts, features.starts[1:], strict=False))
    return [
        (spell(features.token_ids[a:b]), "".join(map(str, features.segment_ids[a:b])))
        for a, b in bounds
    ]


def settings_of(task, **changes):
    small = {"batch_size": 12, "max_length": 40, "head_dropout": 0.0}
    return task.settings(**(small | changes))


def learn(task, rows, epochs, rate=1e-3, **changes):
    """Train on the rows; return the model and the judge that scores it."""
    settings = settings_of(task, epochs=epochs, **changes)
    features = task.features(task.engine.training_rows(rows), TOKENIZER, settings)
    steps = epochs * -(-len(features) // settings.batch_size)
    network = task.model(
        encoder(), settings=settings, optimizer=adamw(rate, steps, warmup=5)
    )
    data = training_batches(features, settings, 0, 0)
    network.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)
    return network, Judge(task, network, settings)


def scores(task, judge, rows):
    return judge.score(rows, task.features(rows, TOKENIZER, judge.settings))
