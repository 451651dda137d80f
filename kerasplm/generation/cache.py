"""The keys and values of a text, which all of its hypotheses share.

A cache has P = Q * W places per text: those of the source (padded to a multiple of W),
then W for every generated token, one for each hypothesis. It is written in place and
never reordered: when hypotheses change, only the table of owners does, which tells
whose place each token of a hypothesis stands in; the others are masked. So W queries
read the keys of their text once, and no key is copied.

Letters as in `next_token`.
"""

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasplm.masks import MASK_VALUE

Tensor = Any
# Rows below which small products are faster without oneDNN.
_FEW = 8
_xla: contextvars.ContextVar[bool] = contextvars.ContextVar("xla", default=False)


def for_xla(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, traced with operations that XLA knows.

    XLA itself finds out what can be written in place, and how to multiply.
    """

    @functools.wraps(function)
    def traced(*args: Any) -> Any:
        token = _xla.set(True)
        try:
            return function(*args)
        finally:
            _xla.reset(token)

    return traced


def blocks(length: Tensor, width: int) -> Tensor:
    """Return how many blocks of W places hold a source of S tokens."""
    return (length + width - 1) // width


def begun(new: Tensor, width: int, room: int) -> Tensor:
    """Return a cache that holds the source.

    Args:
        new: Keys or values of the source (B, N, S, K).
        width: W.
        room: Tokens that will be generated at most (G).

    Returns:
        (B * N * Q, W, K), a tensor of its own.
    """
    length, size = tf.shape(new)[2], new.shape[3]
    more = (blocks(length, width) + room) * width - length
    new = tf.pad(new, [[0, 0], [0, 0], [0, more], [0, 0]])
    return tf.reshape(new, [-1, width, size])


def empty(texts: Tensor, heads: int, room: int, width: int, like: Tensor) -> Tensor:
    """Return a cache (B * N * G, W, K) without a source; K and type as of `like`."""
    # Not zeros: equal ones may become one tensor, and each is written to.
    shape = [texts * heads * room, width, like.shape[-1]]
    return tf.raw_ops.Empty(shape=shape, dtype=like.dtype, init=True)


def places(texts: Tensor, heads: int, count: Tensor, block: Tensor) -> Tensor:
    """Return where a block lies: (B * N,), one row of a cache per text and head.

    Args:
        texts: B.
        heads: N.
        count: Q.
        block: Number of the block, a scalar.
    """
    return tf.range(texts * heads) * count + block


def write(cache: Tensor, new: Tensor, at: Tensor) -> Tensor:
    """Put the keys or values of one token per hypothesis into a block.

    In place: the old cache must not be read any more. (A scatter would copy all of it:
    within a loop TensorFlow does not see that nobody else needs it.)

    Args:
        cache: (B * N * Q, W, K).
        new: (R, N * K).
        at: From `places`.
    """
    width, size = cache.shape[1], cache.shape[2]
    if width > 1:
        new = tf.reshape(new, [-1, width, new.shape[1] // size, size])
        new = tf.transpose(new, [0, 2, 1, 3])
    new = tf.reshape(new, [-1, width, size])
    if _xla.get():
        return tf.tensor_scatter_nd_update(cache, at[:, None], new)
    return tf.raw_ops.InplaceUpdate(x=cache, i=at, v=new)


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
    texts, width = tf.shape(bias)[0], tf.shape(q)[0] // tf.shape(bias)[0]
    size, wide = keys.shape[-1], values.shape[-1]
    keys = tf.reshape(keys, [texts, heads, -1, size])
    values = tf.reshape(values, [texts, heads, -1, wide])
    q = tf.transpose(tf.reshape(q, [texts, width, heads, size]), [0, 2, 1, 3])

    def attended(product: Any) -> Tensor:
        scores = product(q, keys, True)  # [B, N, W, P]
        if relative is not None:
            scores += product(q, relative[:, None], True)
        # Softmax in float32, as in `Attention`.
        weights = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
        weights = tf.cast(weights, values.dtype)
        out = product(weights, values, False)
        if relative is not None:
            out += product(weights, relative[:, None], False)
        return out

    # For float16 on a processor the small product does not exist.
    if _xla.get() or q.dtype == tf.float16:
        out = attended(_product)
    else:
        out = tf.cond(
            texts * width < _FEW,
            lambda: attended(_small_product),
            lambda: attended(_product),
        )
    out = tf.transpose(out, [0, 2, 1, 3])
    return tf.reshape(out, [-1, heads * wide])


def _product(x: Tensor, y: Tensor, turned: bool) -> Tensor:
    return tf.matmul(x, y, transpose_b=turned)


def _small_product(x: Tensor, y: Tensor, turned: bool) -> Tensor:
    """Multiply by an operation that oneDNN does not take over.

    To begin its batched product costs oneDNN more than this one takes as a whole.
    """
    return tf.raw_ops.BatchMatMulV3(x=x, y=y, Tout=x.dtype, adj_y=turned)
