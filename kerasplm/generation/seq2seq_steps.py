"""An encoder-decoder as a model that generates."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kerasplm import masks
from kerasplm.generation.next_token import remember
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
        config = self.model.config
        read = self.model.encode(
            {name: inputs[name] for name in ("token_ids", "padding_mask")}
        )
        context = read["encoder_output"]
        kept = [_cross(b).keys_values(context) for b in self.model.decoder.blocks]
        source = {"kept": kept, "mask": masks.padding(read["padding_mask"])}
        texts = ops.shape(context)[0]
        # One place more: the start token.
        shape = (texts, config.num_attention_heads, room + 1)
        empty = ops.zeros((*shape, config.attention_head_size), context.dtype)
        memory: Any = [(empty, empty) for _ in kept]
        start = ops.full((texts,), self.start_id, "int32")
        logits, memory = self.step(start, -1, source, memory)
        return (
            logits,
            source,
            keras.tree.map_structure(lambda x: ops.repeat(x, width, axis=0), memory),
        )

    def step(
        self, tokens: Tensor, place: Tensor, source: Any, memory: Any
    ) -> tuple[Tensor, Any]:
        """Run the decoder on one token per row; see `NextToken`."""
        model, decoder = self.model, self.model.decoder
        place = ops.convert_to_tensor(place, "int32") + 1
        texts = ops.shape(source["mask"])[0]
        rows, size = ops.shape(tokens)[0], model.config.hidden_size
        room, length = memory[0][0].shape[2], ops.shape(source["mask"])[-1]
        here, places = ops.reshape(place, (1,)), ops.arange(room, dtype="int32")
        bias, across = decoder.position_bias(here, places), None
        if model.config.cross_position_bias:
            keys = ops.arange(length, dtype="int32")
            across = decoder.position_bias(here, keys)
        seen = (places <= place)[None, None, None]
        x, new = model.embedding(tokens[:, None]), []
        layers = zip(decoder.blocks, source["kept"], memory, strict=True)
        for block, kept, old in layers:
            normed = block.attention_norm(x)
            k, v = block.attention.keys_values(normed)
            keys, values = remember(old[0], k, place), remember(old[1], v, place)
            new.append((keys, values))
            x = x + block.attention(
                normed, keys, values, attention_mask=seen, position_bias=bias
            )
            # The hypotheses of a text are queries of the same keys.
            queries = ops.reshape(block.cross_norm(x), (texts, rows // texts, size))
            out = _cross(block)(
                queries, *kept, attention_mask=source["mask"], position_bias=across
            )
            x = block.feed_forward(x + ops.reshape(out, (rows, 1, size)))
        logits = model.logits(decoder.output_norm(x[:, 0]))
        return ops.cast(logits, "float32"), new


def _cross(block: T5Block) -> T5Attention:
    assert block.cross_attention is not None  # every block of a decoder has it
    return block.cross_attention
