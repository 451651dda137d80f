"""Small models with a vocabulary, as pipelines take them."""

import keras
import numpy as np

import kerasplm as plm

WORDS = "好美香快乐净坏丑臭慢苦脏这家店的面条房间手机书和人都很太不今天气，。？"
LATIN = [chr(n) for n in range(97, 123)]
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS), *LATIN]
VOCAB += [f"##{letter}" for letter in LATIN] + ["天气", "手机"]
# Characters that the tokenizer drops, folds, decomposes or does not know.
ODD = ["", " ", "很好", "Éa b", "手\u200b机\x00很😀慢", "ﬁ İstanbul", "한 글", "#@！"]


def encoder(**fields):
    keras.utils.set_random_seed(2)
    config = plm.Config(
        vocab_size=len(VOCAB),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        initializer_range=0.5,
        **fields,
    )
    return plm.Encoder(config)


def tokenizer(**options):
    return plm.PythonTokenizer(VOCAB, **options)


def texts(count, seed=0, longest=30):
    rng = np.random.default_rng(seed)
    found = [
        "".join(rng.choice(list(WORDS), rng.integers(longest))) for _ in range(count)
    ]
    return [*ODD, *found][:count]


def softmax(x):
    exp = np.exp(np.asarray(x, "float64") - np.max(x, -1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def write(model, folder):
    plm.save_checkpoint(model, folder / "bert_model.ckpt", family="bert")
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    return folder
