"""Small models and batches on which the training methods are checked."""

import keras
import numpy as np
import tensorflow as tf

from kerasplm import Classifier, Config, Encoder
from kerasplm.methods import FGM, PGD, VAT, GradientPenalty, RDrop

RATE = 0.1
METHODS = (
    FGM(),
    FGM(0.1),
    PGD(epsilon=0.25, alpha=0.2, steps=2),
    GradientPenalty(),
    RDrop(),
    VAT(),
    VAT(xi=2.0, epsilon=0.5, iterations=3, weight=0.3, seed=7),
)
GRAPH = (METHODS[2], METHODS[6])  # as does `fit`
FEW = METHODS[1:6]  # one of each
NOTHING = (FGM(0.0), PGD(0.0, 0.0), GradientPenalty(0.0), RDrop(0.0), VAT(epsilon=0.0))


@keras.saving.register_keras_serializable(package="tests")
class Trained(Classifier):
    pass


def build(method, optimizer=None, dropout=0.3, weighted=False, **compiled):
    keras.utils.set_random_seed(3)
    config = Config(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=12,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.3,  # gradients of some size
    )
    model = Trained(Encoder(config), ["a", "b", "c"], dropout=dropout)
    compiled = {"run_eagerly": True} | compiled  # quicker for a few steps
    metrics = {"weighted_metrics" if weighted else "metrics": ["accuracy"]}
    model.compile(
        optimizer or keras.optimizers.SGD(RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        method=method,
        **metrics | compiled,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def data(rows=6, length=9, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, 12, (rows, length))  # words repeat
    mask = np.arange(length) < rng.integers(3, length + 1, (rows, 1))
    weights = rng.uniform(0.2, 2.0, rows).astype("float32")
    return {"token_ids": ids * mask, "padding_mask": mask}, ids[:, 0] % 3, weights


def tensors(batch):
    return tf.nest.map_structure(tf.convert_to_tensor, batch)


def numbers(variables):
    return [np.array(v.numpy()) for v in variables]
