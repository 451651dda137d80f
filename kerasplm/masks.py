"""Attention masks: boolean, True = may attend, broadcast to (B, N, T, S)."""

from typing import Any

from keras import ops

from kerasplm.config import AttentionKind

Tensor = Any

# The value that the original code adds to scores of tokens that must not be seen.
MASK_VALUE = -10000.0


def softmax(scores: Tensor) -> Tensor:
    """Turn scores (..., S) into weights."""
    # Keras warns about an axis with one entry; a single token is no mistake here.
    if scores.shape[-1] == 1:
        return ops.ones_like(scores)
    return ops.softmax(scores, axis=-1)


def padding(padding_mask: Tensor) -> Tensor:
    """Let every token attend to the real tokens.

    Args:
        padding_mask: (B, S), True or 1 = real token.

    Returns:
        (B, 1, 1, S) boolean.

    Example:
        >>> padding(np.array([[True, False]])).shape
        TensorShape([1, 1, 1, 2])
    """
    mask = ops.cast(padding_mask, "bool")
    return ops.expand_dims(ops.expand_dims(mask, 1), 1)


def causal(length: Tensor) -> Tensor:
    """Let each token attend to itself and to those before it.

    Args:
        length: Number of tokens T.

    Returns:
        (1, 1, T, T) boolean.
    """
    index = ops.arange(length)
    mask = ops.expand_dims(index, 1) >= ops.expand_dims(index, 0)
    return ops.expand_dims(ops.expand_dims(mask, 0), 0)


def unilm(segment_ids: Tensor) -> Tensor:
    """Let source tokens see the source, target tokens also the target so far.

    With c = cumsum(segment_ids), query q sees key k iff c[k] <= c[q].

    Args:
        segment_ids: (B, T), 0 = source, 1 = target.

    Returns:
        (B, 1, T, T) boolean.

    Source: arXiv:1905.03197; `UniLM_Mask` of bojone/bert4keras.
    """
    count = ops.cumsum(ops.cast(segment_ids, "int32"), axis=1)
    mask = ops.expand_dims(count, 1) <= ops.expand_dims(count, 2)
    return ops.expand_dims(mask, 1)


def attention_mask(
    kind: AttentionKind, padding_mask: Tensor, segment_ids: Tensor
) -> Tensor:
    """Combine the padding mask with the kind of attention.

    Args:
        kind: "bidirectional", "causal" or "unilm".
        padding_mask: (B, T), True = real token.
        segment_ids: (B, T).

    Returns:
        Boolean, (B, 1, 1, T) or (B, 1, T, T).
    """
    mask = padding(padding_mask)
    if kind == "causal":
        mask = ops.logical_and(mask, causal(ops.shape(padding_mask)[1]))
    elif kind == "unilm":
        mask = ops.logical_and(mask, unilm(segment_ids))
    return mask


def within_texts(kind: AttentionKind, pack_ids: Tensor, segment_ids: Tensor) -> Tensor:
    """As `attention_mask`, for rows of several texts that do not see each other.

    Args:
        kind: As for `attention_mask`.
        pack_ids: (B, T) int, 1, 2, ... for each text in a row, 0 for padding.
        segment_ids: (B, T).

    Returns:
        (B, 1, T, T) boolean.
    """
    same = ops.equal(pack_ids[:, None, :, None], pack_ids[:, None, None, :])
    return ops.logical_and(same, attention_mask(kind, pack_ids > 0, segment_ids))
