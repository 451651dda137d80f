"""An encoder with an MLM head as a model that generates: UniLM or causal."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from kerasplm import masks
from kerasplm.generation.next_token import remember
from kerasplm.heads import PretrainedModel
from kerasplm.layers import Attention
from kerasplm.relative import distance_rows, relative_table, rotations

Tensor = Any


class EncoderSteps:
    """Score the next token by the MLM head of an encoder.

    The keys and values of the source are kept once per text, those of the generated
    tokens per hypothesis; a query attends to both by one softmax. A generated token
    stands right behind the last real token of its own text, whatever the length of the
    others, so a text is continued as if it were alone.

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
        kept = []
        for block in encoder.layers_in_order():

            def attend(
                x: Tensor, attention: Attention = block.attention, **options: Any
            ) -> tuple[Tensor, Tensor]:
                projected = attention.project(x, rotary)
                kept.append(projected[1:])
                return attention(x, projected=projected, **options)

            x, _, _ = block(x, attention_mask=mask, relative=relative, attend=attend)
        lengths = ops.sum(ops.cast(real, "int32"), axis=1)
        last = ops.take_along_axis(x, lengths[:, None, None] - 1, axis=1)[:, 0]
        source = {"kept": kept, "real": real, "lengths": lengths}
        return self._logits(last), source, self._empty(lengths, x.dtype, width, room)

    def step(
        self, tokens: Tensor, place: Tensor, source: Any, memory: Any
    ) -> tuple[Tensor, Any]:
        """Run the encoder on one token per row; see `NextToken`."""
        config, encoder = self.config, self.encoder
        texts = ops.shape(source["lengths"])[0]
        width = ops.shape(tokens)[0] // texts
        ends = source["lengths"] + place  # [B], the position of each text's new token
        positions = ops.repeat(ends, width)[:, None]
        segments = ops.full_like(positions, int(config.attention == "unilm"))
        _, x = encoder.embeddings(
            tokens[:, None], segment_ids=segments, position_ids=positions
        )
        room = memory[0][0].shape[2]
        places = ops.arange(room, dtype="int32")
        visible = (source["real"][:, None, None], places <= place)
        rotary = before = since = None
        if config.position == "rotary":
            rotary = rotations(config, positions, x.dtype)
        elif config.position == "nezha":
            keys = ops.arange(ops.shape(source["real"])[1], dtype="int32")
            before = distance_rows(config, keys[None] - ends[:, None], x.dtype)
            since = distance_rows(config, places - place, x.dtype)
        new = []
        layers = zip(encoder.layers_in_order(), source["kept"], memory, strict=True)
        for block, kept, old in layers:

            def attend(
                x: Tensor,
                attention: Attention = block.attention,
                kept: Any = kept,
                old: Any = old,
                **options: Any,
            ) -> tuple[Tensor, Tensor]:
                q, k, v = attention.project(x, rotary)
                now = remember(old[0], k, place), remember(old[1], v, place)
                new.append(now)
                out = attend_both(attention, q, kept, now, visible, (before, since))
                return out, None

            x, _, _ = block(x, attention_mask=None, attend=attend)
        return self._logits(x[:, 0]), new

    def _logits(self, x: Tensor) -> Tensor:
        logits = self.head.logits(x, self.encoder.embeddings)
        return ops.cast(logits, "float32")

    def _empty(self, lengths: Tensor, dtype: Any, width: int, room: int) -> Any:
        config = self.config
        rows, heads = ops.shape(lengths)[0] * width, config.num_attention_heads
        sizes = (config.key_size, config.head_size)
        return [
            tuple(ops.zeros((rows, heads, room, size), dtype) for size in sizes)
            for _ in self.encoder.layers_in_order()
        ]


def attend_both(
    attention: Attention,
    q: Tensor,
    kept: tuple[Tensor, Tensor],
    now: tuple[Tensor, Tensor],
    visible: tuple[Tensor, Tensor],
    relative: tuple[Tensor | None, Tensor | None],
) -> Tensor:
    """Attend to the source and to the generated tokens by one softmax.

    Args:
        attention: Whose output layer is applied.
        q: (R, N, 1, K).
        kept: Keys (B, N, S, K) and values (B, N, S, H) of the sources.
        now: Keys (R, N, G, K) and values (R, N, G, H) of the generated tokens.
        visible: Booleans that broadcast to (B, N, W, S) and (B, N, W, G).
        relative: NEZHA's rows for the source (B, S, H) and the rest (G, H), or Nones.

    Returns:
        (R, 1, D).
    """
    config = attention.config
    rows, heads = ops.shape(q)[0], config.num_attention_heads
    texts = ops.shape(kept[0])[0]
    width = rows // texts
    before, since = relative

    def by_text(x: Tensor) -> Tensor:
        """Turn (R, N, 1, X) into (B, N, W, X)."""
        x = ops.reshape(x, (texts, width, heads, x.shape[-1]))
        return ops.transpose(x, (0, 2, 1, 3))

    def by_row(x: Tensor, size: Any) -> Tensor:
        x = ops.transpose(x, (0, 2, 1, 3))
        return ops.reshape(x, (rows, heads, 1, size))

    queries = by_text(q)
    to_source = ops.matmul(queries, ops.transpose(kept[0], (0, 1, 3, 2)))
    to_rest = ops.matmul(q, ops.transpose(now[0], (0, 1, 3, 2)))
    if before is not None:
        to_source += ops.matmul(queries, ops.transpose(before, (0, 2, 1))[:, None])
        to_rest += ops.matmul(q, ops.transpose(since))
    length = ops.shape(to_source)[-1]
    parts = [
        # Softmax in float32, as in `Attention`.
        ops.cast(scores, "float32") * config.key_size**-0.5
        + (1.0 - ops.cast(seen, "float32")) * masks.MASK_VALUE
        for scores, seen in zip((to_source, by_text(to_rest)), visible, strict=True)
    ]
    weights = ops.cast(masks.softmax(ops.concatenate(parts, axis=-1)), q.dtype)
    of_source, of_rest = weights[..., :length], weights[..., length:]
    of_rest = by_row(of_rest, now[0].shape[2])
    out, rest = ops.matmul(of_source, kept[1]), ops.matmul(of_rest, now[1])
    if before is not None:
        out += ops.matmul(of_source, before[:, None])
        rest += ops.matmul(of_rest, since)
    out = by_row(out, config.head_size) + rest
    return attention.output_dense(ops.reshape(out, (rows, 1, config.hidden_size)))
