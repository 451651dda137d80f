"""The keys and values of a text, which all of its hypotheses share.

A cache has P = Q * W places per text: those of the source (padded to a multiple of W),
then W for every generated token, one for each hypothesis. It is written in place and
never reordered: when hypotheses change, only the table of owners does, which tells
whose place each token of a hypothesis stands in; the others are masked. So W queries
read the keys of their text once, and no key is copied.

Letters as in `next_token`.
"""

from typing import Any

import tensorflow as tf

from kerasplm.masks import MASK_VALUE

Tensor = Any


def blocks(length: Tensor, width: int) -> Tensor:
    """Return how many blocks of W places hold a source of S tokens."""
    return (length + width - 1) // width


def begun(new: Tensor, width: int, room: int) -> Tensor:
    """Return a cache that holds the source.

    Args:
        new: Keys or values of the source (B, N, S, K); S may be 0.
        width: W.
        room: Tokens that will be generated at most (G).

    Returns:
        (B * N, Q, W, K).
    """
    shape = tf.shape(new)
    texts, length, size = shape[0], shape[2], new.shape[3]
    count = blocks(length, width) + room
    new = tf.pad(new, [[0, 0], [0, 0], [0, count * width - length], [0, 0]])
    return tf.reshape(new, [texts * new.shape[1], count, width, size])


def write(cache: Tensor, new: Tensor, block: Tensor) -> Tensor:
    """Put the keys or values of one token per hypothesis into a block.

    A scatter: TensorFlow does it within the old cache, without a copy.

    Args:
        cache: (B * N, Q, W, K).
        new: (R, N * K).
        block: Number of the block, a scalar.
    """
    width, size = cache.shape[2], cache.shape[3]
    rows = tf.shape(cache)[0]
    if width > 1:
        new = tf.reshape(new, [-1, width, new.shape[1] // size, size])
        new = tf.transpose(new, [0, 2, 1, 3])
    new = tf.reshape(new, [-1, width, size])
    at = tf.stack([tf.range(rows), tf.fill([rows], block)], axis=1)
    return tf.tensor_scatter_nd_update(cache, at, new)


def no_owners(texts: Tensor, width: int, room: int) -> Tensor:
    """Return the table of owners (B, W, G) before the first token."""
    return tf.zeros([texts, width, room], tf.int32)


def owned(owners: Tensor, parents: Tensor, place: Tensor) -> Tensor:
    """Let each hypothesis go on from its parent and own its new token.

    Args:
        owners: (B, W, G).
        parents: Row of each one's parent, (R,).
        place: Number of tokens before the new one, a scalar.
    """
    width, room = owners.shape[1], owners.shape[2]
    if width == 1:
        return owners
    old = tf.gather(tf.reshape(owners, [-1, room]), parents)
    old = tf.reshape(old, [-1, width, room])
    return tf.where(tf.range(room) == place, tf.range(width)[:, None], old)


def unseen(owners: Tensor, place: Tensor) -> Tensor:
    """Return what masks the places of generated tokens.

    Args:
        owners: (B, W, G), with the new token.
        place: Number of tokens before the new one, a scalar.

    Returns:
        (B, 1, W, G * W) float32: 0 at the tokens of a hypothesis, else `MASK_VALUE`.
    """
    width, room = owners.shape[1], owners.shape[2]
    seen = (tf.range(room) <= place)[:, None] & (owners[..., None] == tf.range(width))
    return tf.reshape(tf.where(seen, 0.0, MASK_VALUE), [-1, 1, width, room * width])


def attend(
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor,
    heads: int,
    relative: Tensor | None = None,
) -> Tensor:
    """Let one token per hypothesis attend to the places of its text.

    Args:
        q: Queries (R, N * K), scaled.
        keys: A cache of keys, or (B, N, P, K).
        values: A cache of values, or (B, N, P, H).
        bias: Added to the scores, broadcasts to (B, N, W, P), float32.
        heads: N.
        relative: None or one vector per place (B, P, H), added to keys and values.

    Returns:
        (R, N * H).
    """
    texts = tf.shape(bias)[0]
    keys = tf.reshape(keys, [texts, heads, -1, keys.shape[-1]])
    values = tf.reshape(values, [texts, heads, -1, values.shape[-1]])
    q = tf.reshape(q, [texts, -1, heads, keys.shape[-1]])
    # Products by einsum, which oneDNN does not take over: its batched product costs
    # more to begin than these small ones take.
    scores = tf.einsum("bwnk,bnpk->bnwp", q, keys)
    if relative is not None:
        scores += tf.einsum("bwnk,bpk->bnwp", q, relative)
    # Softmax in float32, as in `Attention`.
    weights = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
    weights = tf.cast(weights, values.dtype)
    out = tf.einsum("bnwp,bnph->bwnh", weights, values)
    if relative is not None:
        out += tf.einsum("bnwp,bph->bwnh", weights, relative)
    return tf.reshape(out, [-1, heads * values.shape[-1]])
