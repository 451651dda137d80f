"""The values with which the weights of a new encoder-decoder begin."""

import keras

from kerasplm.layers import Initializer, initializer
from kerasplm.seq2seq.config import Seq2SeqConfig


def initial(config: Seq2SeqConfig, name: str) -> Initializer:
    """Return what draws a weight: T5's own choice unless the configuration has one.

    T5's words begin far apart, and every matrix keeps the size of what it is applied
    to; those of the queries make up for the scores, which are not scaled. With the
    small values of BERT the residual sum forgets which word it began with.

    Args:
        config: Sizes; with an `initializer_range` all are drawn alike.
        name: Of the layer or weight: "embedding", "output_layer", "query",
            "relative_bias"; any other one is a matrix (inputs, outputs).

    Source: google-research/text-to-text-transfer-transformer, via
    huggingface/transformers modeling_mt5.py, `_init_weights`. Without
    `scale_output` the output layer has what the scale would give.
    """
    return initializer(config, lambda: _as_t5(config, name))


def _as_t5(config: Seq2SeqConfig, name: str) -> Initializer:
    if name == "embedding" or (name == "output_layer" and config.scale_output):
        return keras.initializers.RandomNormal(stddev=1.0)
    size = {"query": config.hidden_size * config.attention_head_size}
    size["relative_bias"] = config.hidden_size
    if name in size:
        return keras.initializers.RandomNormal(stddev=size[name] ** -0.5)
    return keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
