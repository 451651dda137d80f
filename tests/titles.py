"""Short news and their titles, which a tiny network learns by heart in seconds."""

import keras

import kerasplm as plm
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tasks.rows import SourceRow

PAIRS = [
    ("昨天夜里北方下了大雪，路上的车很少。", "北方大雪"),
    ("小明在学校的比赛里跑得最快，得了第一。", "小明得第一"),
    ("河边的花开了，很多人来看。", "河边花开"),
    ("他写了一本书，讲山里的故事。", "山里的故事"),
    ("市里的新图书馆明天开门。", "新图书馆开门"),
    ("今年的米比去年多，农民很高兴。", "今年米多"),
    ("两个城市之间开了新的火车。", "新火车"),
    ("医生说多走路对身体好。", "走路好"),
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCAB = [*SPECIAL, *sorted(set("".join(map("".join, PAIRS))))]
SIZES = {
    "vocab_size": len(VOCAB),
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
STILL = {"hidden_dropout_prob": 0.0}


def tokenizer():
    return PythonTokenizer(VOCAB)


def rows(count=None):
    return [SourceRow(n, (s,), (t,)) for n, (s, t) in enumerate(PAIRS[:count])]


def encoder(**fields):
    keras.utils.set_random_seed(1)
    sizes = {**SIZES, **STILL, "attention": "unilm", "max_position_embeddings": 48}
    quiet = {"attention_probs_dropout_prob": 0.0}
    return plm.Encoder(plm.Config(**{**sizes, **quiet, **fields}), family="bert")


def seq2seq(**fields):
    keras.utils.set_random_seed(1)
    more = {"attention_head_size": 16, **STILL, **fields}
    return plm.Seq2Seq(plm.Seq2SeqConfig(**SIZES, **more), family="t5_pegasus")


def write_files(folder):
    """Write train and dev as lines of title and text."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{title}\t{text}\n" for text, title in PAIRS]
    for split in ("train", "dev"):
        (folder / f"{split}.tsv").write_text("".join(lines), "utf-8")
    return folder


def write_model(model, folder):
    plm.save_checkpoint(model, folder / "bert_model.ckpt")
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    return folder
