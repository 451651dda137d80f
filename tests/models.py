"""A small checkpoint on disk, and ways to spoil it."""

import json

import keras
import numpy as np
import tensorflow as tf

import kerasplm as plm
from kerasplm.checkpoint import write

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(chr, range(0x4E00, 0x4E37))]
FULL = ("mlm", "sentence_pair")


def read_all(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}


def change(folder, values, anew=False):
    file = folder / "bert_config.json"
    data = {} if anew else json.loads(file.read_text())
    data |= values
    file.write_text(json.dumps({k: v for k, v in data.items() if v is not None}))


def rewrite(folder, edit):
    prefix = folder / "bert_model.ckpt"
    write(prefix, edit(read_all(prefix)))


def write_model(folder, encoder):
    """Write a BERT as the original code leaves it: slots, a stale `checkpoint` file."""
    model = plm.PretrainedModel(encoder, FULL)
    plm.save_checkpoint(model, folder / "bert_model.ckpt", family="bert")
    tensors = read_all(folder / "bert_model.ckpt")
    slots = {f"{n}/adam_m": v for n, v in tensors.items()}
    write(
        folder / "bert_model.ckpt",
        tensors | slots | {"global_step": np.array(7, "int64")},
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/author/x.ckpt"')
    config = encoder.config
    names = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    names += ("intermediate_size", "max_position_embeddings", "type_vocab_size")
    change(
        folder, {n: getattr(config, n) for n in names} | {"hidden_act": "gelu"}, True
    )
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")


def tiny_seq2seq() -> plm.Seq2Seq:
    """An encoder-decoder whose every size differs."""
    keras.utils.set_random_seed(3)
    return plm.Seq2Seq(
        plm.Seq2SeqConfig(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=2,
            num_decoder_layers=3,
            num_attention_heads=3,
            attention_head_size=8,
            intermediate_size=24,
            initializer_range=0.3,
        )
    )


def seq2seq_batch(source: int = 7, target: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "token_ids": rng.integers(1, 40, (2, source)),
        "target_ids": rng.integers(1, 40, (2, target)),
    }
