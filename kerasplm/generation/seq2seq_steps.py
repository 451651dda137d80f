"""An encoder-decoder as a model that generates."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from keras import ops

from kerasplm.generation import cache
from kerasplm.masks import MASK_VALUE
from kerasplm.seq2seq.layers import T5Attention, T5Block
from kerasplm.seq2seq.model import Seq2Seq

Tensor = Any


class Seq2SeqSteps:
    """Score the next token by the decoder of a `Seq2Seq`.

    The source is encoded once and its keys and values of every cross-attention are
    computed once; hypotheses of one text share them.

    Args:
        model: The model.
        start_id: Token with which every target begins.
    """

    def __init__(self, model: Seq2Seq, start_id: int) -> None:
        self.model = model
        self.start_id = start_id

    def begin(
        self, inputs: Mapping[str, Tensor], width: int, room: int
    ) -> tuple[Tensor, Any, Any]:
        """Encode the sources and take the start token; see `NextToken`."""
        config, decoder = self.model.config, self.model.decoder
        read = self.model.encode(
            {name: inputs[name] for name in ("token_ids", "padding_mask")}
        )
        context = read["encoder_output"]
        kept = [_cross(b).keys_values(context) for b in decoder.blocks]
        hidden = tf.where(read["padding_mask"], 0.0, MASK_VALUE)[:, None, None]
        source = {"kept": kept, "hidden": hidden}
        texts = tf.shape(context)[0]
        heads = config.num_attention_heads
        # One place more: the start token, which all hypotheses of a text have.
        caches = [
            tuple(cache.empty(texts, heads, room + 1, width, x) for x in pair)
            for pair in kept
        ]
        memory: Any = {
            "caches": caches,
            "owners": cache.no_owners(texts, width, room + 1),
        }
        rows = tf.range(texts * width)
        start = tf.fill(tf.shape(rows), self.start_id)
        logits, memory = self.step(start, rows, -1, source, memory)
        return logits[::width], source, memory

    def step(
        self,
        tokens: Tensor,
        parents: Tensor,
        place: Tensor,
        source: Any,
        memory: Any,
    ) -> tuple[Tensor, Any]:
        """Run the decoder on one token per row; see `NextToken`."""
        model, decoder, config = self.model, self.model.decoder, self.model.config
        place = tf.convert_to_tensor(place) + 1
        owners = cache.owned(memory["owners"], parents, place)
        width, room = owners.shape[1], owners.shape[2]
        bias = decoder.position_bias(place[None], tf.range(room))
        bias = tf.cast(tf.repeat(bias, width, axis=3), tf.float32)
        bias += cache.unseen(owners, place)
        across = source["hidden"]
        if config.cross_position_bias:
            far = tf.range(tf.shape(across)[-1])
            far = decoder.position_bias(place[None], far)
            across += tf.cast(far, tf.float32)
        heads = config.num_attention_heads
        at = cache.places(tf.shape(across)[0], heads, room, place)
        x, new = model.embedding(tokens), []
        layers = zip(decoder.blocks, source["kept"], memory["caches"], strict=True)
        for block, kept, old in layers:
            attention, cross = block.attention, _cross(block)
            for one in kept:  # from Python between the steps it comes without sizes
                one.set_shape([None, heads, None, config.attention_head_size])
            normed = block.attention_norm(x)
            fresh = (attention.key(normed), attention.value(normed))
            pairs = zip(old, fresh, strict=True)
            keys, values = (cache.write(*pair, at) for pair in pairs)
            new.append((keys, values))
            out = cache.attend(attention.query(normed), keys, values, bias, heads)
            x += attention.output_dense(out)
            # The hypotheses of a text are queries of the same keys.
            queries = cross.query(block.cross_norm(x))
            out = cache.attend(queries, kept[0], kept[1], across, heads)
            x += cross.output_dense(out)
            x = block.feed_forward(x)
        logits = model.logits(decoder.output_norm(x))
        return ops.cast(logits, "float32"), {"caches": new, "owners": owners}


def _cross(block: T5Block) -> T5Attention:
    assert block.cross_attention is not None  # every block of a decoder has it
    return block.cross_attention
