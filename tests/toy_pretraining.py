"""A model and data of the smallest size, for the loop of pre-training."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasplm import Config, Encoder, PretrainedModel
from kerasplm.pretraining.stepping import DistributedStep
from kerasplm.pretraining.strategies import divided
from kerasplm.pretraining.terms import Term

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 16,
}


class Toy(DistributedStep, PretrainedModel):
    """Masked words and pairs, with sums as the loop wants them."""

    def outcome(self, batch, training=False):
        names = ("token_ids", "segment_ids", "padding_mask", "mlm_positions")
        out = self({name: batch[name] for name in names}, training=training)
        terms, measures = {}, {}
        for name, key, ids, weights in (
            ("masked_lm", "mlm_logits", "mlm_ids", "mlm_weights"),
            ("pair", "sentence_pair_logits", "pair_labels", "pair_weights"),
        ):
            logits = ops.cast(out[key], "float32")
            nll = ops.sparse_categorical_crossentropy(
                batch[ids], logits, from_logits=True
            )
            total = ops.sum(nll * batch[weights])
            count = ops.sum(batch[weights])
            right = ops.cast(ops.argmax(logits, -1) == batch[ids], "float32")
            terms[name] = Term(total, count, 1e-5, 1.0)
            measures[f"{name}_loss"] = (total, count)
            measures[f"{name}_accuracy"] = (ops.sum(right * batch[weights]), count)
        return terms, measures


def model(seed=0, dropout=0.0, **fields):
    keras.utils.set_random_seed(seed)
    config = Config(
        **{**SIZES, **fields},
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return Toy(Encoder(config, family="bert"), ["mlm", "sentence_pair"])


def batch(number, rows=8, length=12, masked=4, seed=0):
    """One batch; how many words are masked differs from row to row."""
    random = np.random.default_rng((seed, number))
    ids = random.integers(5, 50, (rows, length))
    lengths = random.integers(length // 2, length + 1, (rows, 1))
    mask = np.arange(length) < lengths
    positions = np.tile(np.arange(1, masked + 1), (rows, 1))
    # The first half of the rows has many masked words, the second one few.
    share = np.where(np.arange(rows) < rows // 2, 0.9, 0.2)[:, None]
    weights = random.random((rows, masked)) < share
    weights[0, 0] = True
    # Learnable: the masked word is the sum of its neighbours.
    labels = 5 + (ids[:, :masked] + ids[:, 2 : masked + 2]) % 45
    return {
        "token_ids": np.where(mask, ids, 0).astype("int32"),
        "segment_ids": np.zeros((rows, length), "int32"),
        "padding_mask": mask,
        "mlm_positions": positions.astype("int32"),
        "mlm_ids": labels.astype("int32"),
        "mlm_weights": weights.astype("float32"),
        "pair_labels": (ids[:, 1] > 25).astype("int32"),
        "pair_weights": (random.random(rows) < 0.7).astype("float32"),
    }


def dataset(count, skip=0, **sizes):
    """Batches number skip, skip + 1, ... below count."""
    found = [batch(n, **sizes) for n in range(skip, count)]
    stacked = {name: np.stack([one[name] for one in found]) for name in found[0]}
    return tf.data.Dataset.from_tensor_slices(stacked)


class Data:
    """Batches by their number, as the loop asks for them."""

    def __init__(self, settings):
        self.stages = settings.parts()

    def batches(self, stage, skip, shard, replicas):
        its = self.stages[stage]
        sizes = {"rows": its.batch_size, "length": its.length}
        found = dataset(its.steps, skip, seed=stage, **sizes)
        return divided(found, shard, replicas)

    def held_out(self, stage, count, shard, replicas):
        its = self.stages[stage]
        sizes = {"rows": its.batch_size, "length": its.length}
        found = dataset(min(count, 2), seed=100, **sizes)
        return divided(found, shard, replicas)
