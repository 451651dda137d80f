"""Small random models that generate, and the same without a memory."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import kerasplm as plm
from kerasplm.generation import Decoder, next_token
from kerasplm.generation.sources import batch_of

WORDS = 50
START = 7
BASE = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    # Wide enough that the next token depends on all of the context.
    "initializer_range": 0.25,
}
FAMILIES = {
    "bert-unilm": {"attention": "unilm"},
    "bert-causal": {"attention": "causal"},
    "nezha-unilm": {
        "attention": "unilm",
        "position": "nezha",
        "max_relative_position": 5,
    },
    "nezha-causal": {
        "attention": "causal",
        "position": "nezha",
        "max_relative_position": 5,
    },
    "nezha-gen": {"attention": "causal", "type_vocab_size": 0, "pooler": "none"},
    "roformer-unilm": {"attention": "unilm", "position": "rotary"},
    "roformer-causal": {"attention": "causal", "position": "rotary"},
    "albert-shared": {
        "attention": "unilm",
        "embedding_size": 12,
        "num_hidden_groups": 1,
    },
    "albert-zh-pre": {
        "attention": "unilm",
        "embedding_size": 12,
        "embedding_projection": "before_norm",
        "ln_type": "pre",
    },
    "zhuiyi-plus": {
        "attention": "unilm",
        "embedding_size": 12,
        "attention_key_size": 12,
        "hidden_act": "gelu_erf",
    },
    "hierarchical": {
        "attention": "unilm",
        "max_position_embeddings": 9,
        "hierarchical_positions": 0.4,
    },
}
SEQ2SEQ = {
    "t5": {},
    "mt5": {
        "cross_position_bias": False,
        "scale_output": False,
        "num_decoder_layers": 3,
    },
}


@functools.cache
def model_of(name):
    keras.utils.set_random_seed(sum(map(ord, name)))
    if name in SEQ2SEQ:
        config = plm.Seq2SeqConfig(
            vocab_size=WORDS,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=3,
            attention_head_size=8,
            intermediate_size=48,
            relative_buckets=8,
            relative_max_distance=6,
            **{"initializer_range": 0.25, **SEQ2SEQ[name]},
        )
        model = plm.Seq2Seq(config)
        if config.scale_output:  # else all words would be equally probable
            layer = model.output_layer
            layer.kernel.assign(layer.kernel * 32**0.5)
        return model
    encoder = plm.Encoder(plm.Config(**{**BASE, **FAMILIES[name]}))
    model = plm.PretrainedModel(encoder, ["mlm"])
    # A bias that the tied decoder cannot give: fewer loops of one word.
    rng = np.random.default_rng(3)
    model.heads["mlm"].bias.assign(rng.normal(0, 0.3, WORDS))
    return model


def sources(count, seed, longest=14):
    """Rows of ids of mixed lengths."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, longest, count)
    return [[2, *rng.integers(5, WORDS, n).tolist(), 3] for n in sizes]


class WithoutMemory:
    """Run the whole model on the whole text for every token; S and G are static."""

    def __init__(self, model):
        self.model = model

    def begin(self, inputs, width, room):
        source = {name: tf.repeat(x, width, axis=0) for name, x in inputs.items()}
        rows = tf.shape(source["token_ids"])[0]
        memory = tf.zeros([rows, room], tf.int32)
        logits = self._logits(source, memory, tf.constant(0))
        return logits[::width], source, memory

    def step(self, tokens, parents, place, source, memory):
        memory = tf.gather(memory, parents)
        here = tf.range(memory.shape[1]) == place
        memory = tf.where(here[None], tokens[:, None], memory)
        return self._logits(source, memory, place + 1), memory

    def _logits(self, source, memory, count):
        """Put the targets right behind the sources, as in a text of its own."""
        real = tf.cast(source["padding_mask"], tf.bool)
        if isinstance(self.model, plm.Seq2Seq):
            start = tf.fill([tf.shape(memory)[0], 1], START)
            out = self.model(
                {
                    "token_ids": source["token_ids"],
                    "padding_mask": real,
                    "target_ids": tf.concat([start, memory], axis=1),
                }
            )["logits"]
            return tf.gather(out, count, axis=1)
        width = tf.shape(memory)[1]
        lengths = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        places = tf.range(tf.shape(real)[1] + width)[None]
        behind = places - lengths[:, None]
        ids = tf.concat([source["token_ids"], tf.zeros_like(memory)], axis=1)
        target = tf.gather(memory, tf.clip_by_value(behind, 0, width - 1), batch_dims=1)
        ids = tf.where(behind >= 0, target, ids)
        unilm = self.model.encoder.config.attention == "unilm"
        out = self.model(
            {
                "token_ids": ids,
                "segment_ids": tf.cast((behind >= 0) & unilm, tf.int32),
                "padding_mask": behind < count,
            }
        )["mlm_logits"]
        return tf.gather(out, lengths + count - 1, batch_dims=1)


class Fixed:
    """A model whose next token depends on the last one only, or on nothing.

    `table` (V + 1, V) holds probabilities; row V is for the first token.
    """

    def __init__(self, table):
        with np.errstate(divide="ignore"):
            self.logits = np.maximum(np.log(np.array(table, "float32")), -80)

    def begin(self, inputs, width, room):
        texts = tf.shape(inputs["token_ids"])[0]
        first = tf.repeat(self.logits[-1:], texts, axis=0)
        return first, (), tf.zeros([texts * width, 1])

    def step(self, tokens, parents, place, source, memory):
        return tf.gather(tf.constant(self.logits), tokens), memory


def decode(model, decoding, rows, **options):
    """Return what a decoder generates; `model` is a Keras model or a NextToken."""
    given = {k: options.pop(k) for k in ("constraint", "jit_compile") if k in options}
    started = isinstance(model, plm.Seq2Seq)
    if isinstance(model, keras.Model):
        model = next_token(model, START)
    decoder = Decoder(model, decoding, started=started, **given)
    return decoder(batch_of(rows, 0), **options)


def first_texts(found):
    return [one.ids[0] for one in found]


def plain_greedy(model, ids, max_length, end_id):
    """The textbook loop: one text, no padding, the plain forward pass."""
    out = []
    while len(out) < max_length and out[-1:] != [end_id]:
        if isinstance(model, plm.Seq2Seq):
            batch = {"token_ids": [ids], "target_ids": [[START, *out]]}
        else:
            unilm = model.encoder.config.attention == "unilm"
            segments = [0] * len(ids) + [int(unilm)] * len(out)
            batch = {"token_ids": [[*ids, *out]], "segment_ids": [segments]}
        result = model({k: np.array(x) for k, x in batch.items()})
        logits = result["logits" if isinstance(model, plm.Seq2Seq) else "mlm_logits"]
        out.append(int(ops.argmax(logits[0, -1])))
    return out
