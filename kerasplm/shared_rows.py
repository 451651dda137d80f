"""Texts that share rows, so that batches of one shape hold little padding.

XLA, and so a TPU, compiles for fixed shapes. Letters: B texts padded to T tokens, R
rows of L places in which their real tokens stand, D hidden size.
"""

from typing import Any

from keras import ops

from kerasplm import masks
from kerasplm.encoder import INPUTS, Encoder, Inputs, check_inputs

Tensor = Any
NAME = "shared_rows"
"""Name of the input that says where the tokens stand."""


def encoded(
    encoder: Encoder,
    inputs: Inputs,
    training: bool | None = None,
    return_hidden_states: bool = False,
    first_only: bool = False,
) -> dict[str, Any]:
    """Encode a batch in shared rows; the result is that of `Encoder.call`.

    No text sees another one, and each has the positions of a row of its own.

    Args:
        encoder: The encoder.
        inputs: As for `Encoder`, with `padding_mask`, without `attention_mask`; and
            `shared_rows` (R, L) int: b * T + t for token t of text b, -1 at places
            without one. The real tokens of a text, of which the first of all is one,
            stand in their order and without gaps.
        training: Whether dropout is on.
        return_hidden_states: As for `Encoder.call`.
        first_only: Return the first tokens only: `sequence_output` is (B, 1, D).

    Returns:
        As `Encoder.call`; the states of padded positions are zeros. Of a text without
        any real token they mean nothing.

    Raises:
        ValueError: An input is missing or unknown.
    """
    known = tuple(name for name in INPUTS if name != "attention_mask")
    check_inputs(inputs, ("token_ids", "padding_mask", NAME), (*known, NAME))
    places = ops.cast(inputs[NAME], "int32")
    count, length = ops.shape(inputs["token_ids"])
    used, source = places >= 0, ops.maximum(places, 0)
    packs = ops.where(used, source // length + 1, 0)
    given = {
        name: ops.where(used, ops.take(ops.reshape(inputs[name], (-1,)), source), 0)
        for name in ("token_ids", "segment_ids", "position_ids")
        if name in inputs
    }
    given.setdefault("position_ids", ops.where(used, source % length, 0))
    segment_ids = given.get("segment_ids", ops.zeros_like(packs))
    mask = masks.within_texts(encoder.config.attention, packs, segment_ids)
    out = encoder(
        given | {"attention_mask": mask},
        training=training,
        return_hidden_states=return_hidden_states,
    )
    firsts = ops.arange(count)[:, None] * length
    found = ops.equal(ops.reshape(places, (1, -1)), firsts)
    starts = ops.argmax(ops.cast(found, "int32"), axis=1)
    if first_only and not return_hidden_states:
        first = ops.take(_flat(out["sequence_output"]), starts, axis=0)[:, None]
        return {"sequence_output": first, "pooled_output": encoder.pool(first)}
    real = ops.cast(inputs["padding_mask"], "bool")
    number = ops.cumsum(ops.cast(real, "int32"), axis=1) - 1
    at = ops.where(real, ops.cast(starts, "int32")[:, None] + number, 0)

    def apart(x: Tensor) -> Tensor:
        own = ops.take(_flat(x), at, axis=0)
        return ops.where(real[:, :, None], own, ops.zeros_like(own))

    states = out.pop("hidden_states", None)
    out.pop("pooled_output")
    out = {name: apart(x) for name, x in out.items()}
    if states is not None:
        out["hidden_states"] = [apart(x) for x in states]
    return out | {"pooled_output": encoder.pool(out["sequence_output"])}


def _flat(x: Tensor) -> Tensor:
    return ops.reshape(x, (-1, x.shape[-1]))
