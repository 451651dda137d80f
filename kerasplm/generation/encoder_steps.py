"""An encoder with an MLM head as a model that generates: UniLM or causal."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from keras import ops

from kerasplm import masks
from kerasplm.generation import cache
from kerasplm.generation.next_token import normalized
from kerasplm.heads import PretrainedModel
from kerasplm.layers import ACTIVATIONS, Attention, Block
from kerasplm.relative import distance_rows, relative_table, rotate, rotations

Tensor = Any
# From so many tokens on it pays to turn the tied decoder's matrix once for all.
_MANY = 8


class EncoderSteps:
    """Score the next token by the MLM head of an encoder.

    The keys and values of a source and of what is generated from it lie in one cache,
    which its hypotheses share. A generated token stands right behind the last real
    token of its own text, whatever the length of the others, so a text is continued as
    if it were alone.

    The tied decoder multiplies by the word table (V, E) turned around; a copy that lies
    that way (4 * V * E bytes, 65 MB for BERT-base) is made once per batch and makes
    this product, the largest of a step, twice as fast.

    Args:
        model: A `PretrainedModel` with head "mlm", whose attention is "unilm" (tokens
            that are generated get segment 1) or "causal" (segment 0).
    """

    def __init__(self, model: PretrainedModel) -> None:
        self.encoder = model.encoder
        self.head = model.heads["mlm"]
        self.config = model.encoder.config

    def begin(
        self, inputs: Mapping[str, Tensor], width: int, room: int
    ) -> tuple[Tensor, Any, Any]:
        """Run the encoder on the sources; see `NextToken`."""
        config, encoder = self.config, self.encoder
        token_ids, segments = inputs["token_ids"], inputs["segment_ids"]
        real = ops.cast(inputs["padding_mask"], "bool")
        mask = masks.attention_mask(config.attention, real, segments)
        length = ops.shape(token_ids)[1]
        _, x = encoder.embeddings(
            token_ids, segment_ids=segments, position_ids=ops.arange(length)[None]
        )
        relative = rotary = None
        if config.position == "nezha":
            relative = relative_table(config, length, x.dtype)
        elif config.position == "rotary":
            rotary = rotations(config, ops.arange(length)[None], x.dtype)
        caches = []
        for block in encoder.layers_in_order():

            def attend(
                x: Tensor, attention: Attention = block.attention, **options: Any
            ) -> tuple[Tensor, Tensor]:
                q, k, v = attention.project(x, rotary)
                caches.append(tuple(cache.begun(y, width, room) for y in (k, v)))
                return attention(x, projected=(q, k, v), **options)

            x, _, _ = block(x, attention_mask=mask, relative=relative, attend=attend)
        lengths = ops.sum(ops.cast(real, "int32"), axis=1)
        last = tf.gather(x, lengths - 1, batch_dims=1)
        source = {"real": real, "lengths": lengths}
        if room >= _MANY:
            source["decoder"] = tf.transpose(ops.cast(encoder.embeddings.word, x.dtype))
        owners = cache.no_owners(tf.shape(real)[0], width, room)
        memory = {"caches": caches, "owners": owners}
        return self._logits(last, source), source, memory

    def step(
        self,
        tokens: Tensor,
        parents: Tensor,
        place: Tensor,
        source: Any,
        memory: Any,
    ) -> tuple[Tensor, Any]:
        """Run the encoder on one token per row; see `NextToken`."""
        config, encoder = self.config, self.encoder
        owners = cache.owned(memory["owners"], parents, place)
        width, room = owners.shape[1], owners.shape[2]
        ends = source["lengths"] + place  # [B], the position of each text's new token
        positions = ops.repeat(ends, width)
        segments = ops.full_like(positions, int(config.attention == "unilm"))
        _, x = encoder.embeddings(
            tokens[:, None],
            segment_ids=segments[:, None],
            position_ids=positions[:, None],
        )
        x = x[:, 0]
        length = tf.shape(source["real"])[1]
        first = cache.blocks(length, width)
        heads, texts = config.num_attention_heads, tf.shape(ends)[0]
        at = cache.places(texts, heads, first + room, first + place)
        real = tf.pad(source["real"], [[0, 0], [0, first * width - length]])
        hidden = tf.where(real, 0.0, masks.MASK_VALUE)[:, None, None]
        hidden = tf.repeat(hidden, width, axis=2)
        bias = tf.concat([hidden, cache.unseen(owners, place)], axis=3)
        rotary = relative = None
        if config.position == "rotary":
            rotary = rotations(config, positions[:, None], x.dtype)
        elif config.position == "nezha":
            before = tf.range(first * width)[None] - ends[:, None]
            since = tf.repeat(tf.range(room) - place, width)[None]
            since = tf.repeat(since, texts, axis=0)
            distances = tf.concat([before, since], axis=1)
            relative = distance_rows(config, distances, x.dtype)
        new = []
        layers = zip(encoder.layers_in_order(), memory["caches"], strict=True)
        for block, old in layers:

            def attend(
                x: Tensor, attention: Attention = block.attention, old: Any = old
            ) -> Tensor:
                q, k = attention.query(x), attention.key(x)
                if rotary is not None:
                    q, k = self._rotated(q, rotary), self._rotated(k, rotary)
                fresh = (k, attention.value(x))
                pairs = zip(old, fresh, strict=True)
                keys, values = (cache.write(*pair, at) for pair in pairs)
                new.append((keys, values))
                q *= config.key_size**-0.5
                out = cache.attend(q, keys, values, bias, heads, relative)
                return attention.output_dense(out)

            x = block_step(block, x, attend)
        return self._logits(x, source), {"caches": new, "owners": owners}

    def _rotated(self, x: Tensor, rotary: Any) -> Tensor:
        heads, size = self.config.num_attention_heads, self.config.key_size
        x = rotate(tf.reshape(x, [-1, heads, 1, size]), rotary)
        return tf.reshape(x, [-1, heads * size])

    def _logits(self, x: Tensor, source: Any) -> Tensor:
        head, embeddings = self.head, self.encoder.embeddings
        x = head.dense_layer(x)
        x = normalized(head.norm, ACTIVATIONS[self.config.hidden_act](x))
        if "decoder" not in source:
            logits = embeddings.attend(x)
        else:
            if self.config.embedding_projection == "before_norm":
                assert embeddings.projection is not None
                kernel = ops.cast(embeddings.projection.kernel, x.dtype)
                x = tf.matmul(x, kernel, transpose_b=True)
            logits = tf.matmul(x, source["decoder"])
        logits = tf.nn.bias_add(logits, ops.cast(head.bias, x.dtype))
        logits.set_shape([None, self.config.vocab_size])
        return ops.cast(logits, "float32")


def block_step(block: Block, x: Tensor, attend: Any) -> Tensor:
    """Run a block on one token per row, as `Block.call` does.

    Args:
        block: The block.
        x: (R, D).
        attend: Called in the place of the attention with (R, D); returns as much.
    """
    pre = block.config.ln_type == "pre"
    x += attend(normalized(block.attention_norm, x) if pre else x)
    if not pre:
        x = normalized(block.attention_norm, x)
    inside = normalized(block.ffn_norm, x) if pre else x
    if block.config.ffn_groups > 1:  # these take texts
        x += block.ffn(inside[:, None])[:, 0]
    else:
        x += block.ffn(inside)
    return x if pre else normalized(block.ffn_norm, x)
