"""The bricks of an encoder-decoder: T5's attention, gated feed-forward, stack.

Letters as in `kerasplm.layers`: B batch, T query tokens, S key tokens, N heads, H
width of a head, D hidden size, I intermediate size. Nothing has a bias; every norm
is a root-mean-square norm before its sub-layer.

Source: arXiv:2002.05202 and arXiv:2010.11934; `T5_Encoder` and `T5_Decoder` of
bojone/bert4keras models.py.
"""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasplm.layers import ACTIVATIONS
from kerasplm.masks import MASK_VALUE, softmax
from kerasplm.seq2seq.config import Seq2SeqConfig
from kerasplm.seq2seq.initial import initial

Tensor = Any


@functools.cache
def bucket_table(buckets: int, max_distance: int, bidirectional: bool) -> np.ndarray:
    """Return the bucket of every distance from -max_distance to max_distance.

    A distance is query position minus key position; those farther away have the
    buckets of the ends. Near distances have a bucket each, farther ones share
    buckets whose width grows by a constant factor. Whole numbers decide: n is in
    bucket near + k or above if (n / near) ** far >= (max_distance / near) ** k, so no
    rounding of a logarithm moves a distance.

    Args:
        buckets: Number of buckets.
        max_distance: Distance of the last bucket.
        bidirectional: Whether keys behind the query have buckets of their own, the
            upper half; else they all are in bucket 0.

    Returns:
        (2 * max_distance + 1,) int32.

    Example:
        >>> int(bucket_table(32, 128, True)[128 + 50])
        13

    Source: `RelativePositionEmbeddingT5` of bojone/bert4keras layers.py.
    """
    side = buckets // 2 if bidirectional else buckets
    near = side // 2
    far = side - near

    def bucket(n: int) -> int:
        if n < near:
            return n
        reached = [
            n**far * near**k >= max_distance**k * near**far for k in range(1, far)
        ]
        return near + sum(reached)

    table = [
        bucket(abs(n)) + (side if n < 0 else 0) if bidirectional else bucket(max(n, 0))
        for n in range(-max_distance, max_distance + 1)
    ]
    return np.array(table, "int32")


class Seq2SeqLayer(keras.layers.Layer):
    """A layer whose constructor argument is the `Seq2SeqConfig`."""

    def __init__(self, config: Seq2SeqConfig, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.config = config

    def dense(self, units: int, name: str) -> keras.layers.Dense:
        """Return a dense layer without bias."""
        draw = initial(self.config, name)
        return keras.layers.Dense(
            units, use_bias=False, kernel_initializer=draw, name=name
        )

    def norm(self, name: str) -> keras.layers.RMSNormalization:
        """Return a root-mean-square norm, computed in float32 at least."""
        return keras.layers.RMSNormalization(
            epsilon=self.config.layer_norm_eps, name=name
        )


class T5Attention(Seq2SeqLayer):
    """Let queries average the values of the keys that they may attend to.

    The weights are softmax(q kᵀ + position bias): the scores are not scaled. Keys
    and values are computed apart, so that a caller may keep those of earlier tokens.
    """

    def __init__(self, config: Seq2SeqConfig, name: str) -> None:
        super().__init__(config, name)
        self.query = self.dense(config.attention_size, "query")
        self.key = self.dense(config.attention_size, "key")
        self.value = self.dense(config.attention_size, "value")
        self.output_dense = self.dense(config.hidden_size, "output")

    def build(self, input_shape: Any = None) -> None:
        """Create the four projections."""
        for layer in (self.query, self.key, self.value):
            layer.build((None, None, self.config.hidden_size))
        self.output_dense.build((None, None, self.config.attention_size))

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of (B, S, D), each (B, N, S, H)."""
        return self._split(self.key(x)), self._split(self.value(x))

    def call(
        self,
        x: Tensor,
        keys: Tensor,
        values: Tensor,
        attention_mask: Tensor,
        position_bias: Tensor | None = None,
    ) -> Tensor:
        """Attend from (B, T, D).

        Args:
            x: (B, T, D).
            keys: (B, N, S, H), from `keys_values`.
            values: (B, N, S, H), from `keys_values`.
            attention_mask: Boolean, broadcasts to (B, N, T, S).
            position_bias: None or (1, N, T, S).

        Returns:
            (B, T, D).
        """
        q = self._split(self.query(x))
        scores = ops.matmul(q, ops.transpose(keys, (0, 1, 3, 2)))  # [B, N, T, S]
        # Softmax in float32: float16 cannot tell large scores apart.
        scores = ops.cast(scores, "float32")
        if position_bias is not None:
            scores += ops.cast(position_bias, "float32")
        scores += (1.0 - ops.cast(attention_mask, "float32")) * MASK_VALUE
        out = ops.matmul(ops.cast(softmax(scores), values.dtype), values)
        out = ops.transpose(out, (0, 2, 1, 3))
        size = self.config.attention_size
        return self.output_dense(ops.reshape(out, (ops.shape(x)[0], -1, size)))

    def _split(self, x: Tensor) -> Tensor:
        config = self.config
        heads, size = config.num_attention_heads, config.attention_head_size
        x = ops.reshape(x, (ops.shape(x)[0], -1, heads, size))
        return ops.transpose(x, (0, 2, 1, 3))


class GatedFeedForward(Seq2SeqLayer):
    """Apply outer(activation(gate(x)) * inner(x)): D to I to D."""

    def __init__(self, config: Seq2SeqConfig, name: str = "ffn") -> None:
        super().__init__(config, name)
        self.gate = self.dense(config.intermediate_size, "gate")
        self.inner = self.dense(config.intermediate_size, "inner")
        self.outer = self.dense(config.hidden_size, "outer")

    def build(self, input_shape: Any = None) -> None:
        """Create the three matrices."""
        self.gate.build((None, None, self.config.hidden_size))
        self.inner.build((None, None, self.config.hidden_size))
        self.outer.build((None, None, self.config.intermediate_size))

    def call(self, x: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        gate = ACTIVATIONS[self.config.hidden_act](self.gate(x))
        return self.outer(gate * self.inner(x))


class T5Block(Seq2SeqLayer):
    """One layer: self-attention, in a decoder cross-attention, feed-forward."""

    def __init__(self, config: Seq2SeqConfig, name: str, cross: bool) -> None:
        super().__init__(config, name)
        self.attention_norm = self.norm("attention_norm")
        self.attention = T5Attention(config, "attention")
        self.cross_attention: T5Attention | None = None
        if cross:
            self.cross_norm = self.norm("cross_norm")
            self.cross_attention = T5Attention(config, "cross_attention")
        self.ffn_norm = self.norm("ffn_norm")
        self.ffn = GatedFeedForward(config)
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob)

    def build(self, input_shape: Any = None) -> None:
        """Create all sub-layers."""
        layers = [self.attention_norm, self.attention, self.ffn_norm, self.ffn]
        if self.cross_attention is not None:
            layers += [self.cross_norm, self.cross_attention]
        for layer in layers:
            layer.build((None, None, self.config.hidden_size))

    def call(
        self,
        x: Tensor,
        attention_mask: Tensor,
        position_bias: Tensor,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
        context_bias: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D).

        Args:
            x: (B, T, D).
            attention_mask: Boolean, broadcasts to (B, N, T, T).
            position_bias: (1, N, T, T).
            context: Output of the encoder (B, S, D), in a decoder.
            context_mask: Boolean, broadcasts to (B, N, T, S).
            context_bias: None or (1, N, T, S).
            training: Whether dropout is on.
        """
        x = self.attend(x, attention_mask, position_bias, training=training)
        if self.cross_attention is not None:
            x = self.attend_context(
                x, context, context_mask, context_bias, training=training
            )
        return self.feed_forward(x, training=training)

    def attend(
        self, x: Tensor, mask: Tensor, bias: Tensor, training: bool | None = None
    ) -> Tensor:
        """Return the residual sum after self-attention, (B, T, D)."""
        normed = self.attention_norm(x)
        keys, values = self.attention.keys_values(normed)
        out = self.attention(
            normed, keys, values, attention_mask=mask, position_bias=bias
        )
        return x + self.dropout(out, training=training)

    def attend_context(
        self,
        x: Tensor,
        context: Tensor,
        mask: Tensor,
        bias: Tensor | None,
        training: bool | None = None,
    ) -> Tensor:
        """Return the residual sum after cross-attention, (B, T, D)."""
        assert self.cross_attention is not None
        keys, values = self.cross_attention.keys_values(context)
        out = self.cross_attention(
            self.cross_norm(x), keys, values, attention_mask=mask, position_bias=bias
        )
        return x + self.dropout(out, training=training)

    def feed_forward(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return the residual sum after the feed-forward layer, (B, T, D)."""
        return x + self.dropout(self.ffn(self.ffn_norm(x)), training=training)


class Stack(Seq2SeqLayer):
    """The blocks of encoder or decoder, their relative positions and the last norm.

    Args:
        config: Sizes and choices.
        name: "encoder" or "decoder".
        layers: Number of blocks.
        decoder: Whether blocks have cross-attention and keys behind the query are
            not told apart.
    """

    def __init__(
        self, config: Seq2SeqConfig, name: str, layers: int, decoder: bool
    ) -> None:
        super().__init__(config, name)
        self.decoder = decoder
        self.blocks = [T5Block(config, f"layer_{i}", decoder) for i in range(layers)]
        self.output_norm = self.norm("output_norm")
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob)

    def build(self, input_shape: Any = None) -> None:
        """Create the table and all blocks."""
        config = self.config
        self.relative_bias = self.add_weight(
            name="relative_bias",
            shape=(config.relative_buckets, config.num_attention_heads),
            initializer=initial(config, "relative_bias"),
        )
        for block in self.blocks:
            block.build(None)
        self.output_norm.build((None, None, config.hidden_size))

    def position_bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return what relative positions add to the scores.

        Args:
            queries: Positions (T,) of the queries, int32; a decoder that continues
                a text begins at the number of tokens before.
            keys: Positions (S,) of the keys, int32.

        Returns:
            (1, N, T, S).
        """
        config = self.config
        most = config.relative_max_distance
        table = bucket_table(config.relative_buckets, most, not self.decoder)
        distance = ops.expand_dims(queries, 1) - ops.expand_dims(keys, 0)
        rows = ops.clip(distance, -most, most) + most
        buckets = ops.take(ops.convert_to_tensor(table), rows, axis=0)
        bias = ops.take(self.relative_bias, buckets, axis=0)  # [T, S, N]
        return ops.expand_dims(ops.transpose(bias, (2, 0, 1)), 0)

    def call(
        self,
        x: Tensor,
        attention_mask: Tensor,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Run all blocks on word vectors (B, T, D).

        Args:
            x: (B, T, D).
            attention_mask: Boolean, broadcasts to (B, N, T, T).
            context: Output of the encoder (B, S, D), in a decoder.
            context_mask: Boolean, broadcasts to (B, N, T, S), in a decoder.
            training: Whether dropout is on.

        Returns:
            The normalised output (B, T, D), and a list of the input of the first
            block and the output of every block, not normalised, (B, T, D) each.
        """
        x = self.dropout(x, training=training)
        positions = ops.arange(ops.shape(x)[1], dtype="int32")
        bias, context_bias = self.position_bias(positions, positions), None
        if context is not None and self.config.cross_position_bias:
            keys = ops.arange(ops.shape(context)[1], dtype="int32")
            context_bias = self.position_bias(positions, keys)
        states = [x]
        for block in self.blocks:
            x = block(
                x,
                attention_mask=attention_mask,
                position_bias=bias,
                context=context,
                context_mask=context_mask,
                context_bias=context_bias,
                training=training,
            )
            states.append(x)
        return self.dropout(self.output_norm(x), training=training), states
