"""Several short instances in one row, so that nothing is computed on padding.

Letters: N instances, R rows, S instances of a row at most, T tokens, P masked
positions.
"""

from typing import Any

import tensorflow as tf

Tensor = Any
Instances = dict[str, Tensor]


def first_fit(
    lengths: Tensor, masks: Tensor, length: int, predictions: int, most: int
) -> tuple[Tensor, Tensor]:
    """Put instances into rows: the longest first, each into the first row with room.

    Args:
        lengths: (N,) int32 tokens of each instance.
        masks: (N,) int32 masked positions of each instance.
        length: T.
        predictions: P.
        most: S.

    Returns:
        (R, S) int32 the instances of each row, -1 where there is none; and the number
        of rows, a scalar. Its first rows hold all instances; R is N.

    Source: arXiv:2107.02027.
    """
    count = tf.shape(lengths)[0]
    order = tf.argsort(-lengths, stable=True)
    rows = tf.range(count)

    def put(step: Tensor, room: Tensor, free: Tensor, used: Tensor, where: Tensor):  # type: ignore[no-untyped-def]
        one = order[step]
        fits = (room >= lengths[one]) & (free >= masks[one]) & (used < most)
        row = tf.argmax(fits, output_type=tf.int32)
        hit = tf.cast(rows == row, "int32")
        place = tf.stack([row, used[row]])[None]
        where = tf.tensor_scatter_nd_update(where, place, one[None])
        return (
            step + 1,
            room - hit * lengths[one],
            free - hit * masks[one],
            used + hit,
            where,
        )

    used = tf.zeros([count], "int32")
    state = (
        tf.constant(0),
        tf.fill([count], length),
        tf.fill([count], predictions),
        used,
        tf.fill([count, most], -1),
    )
    *_, used, where = tf.while_loop(
        lambda step, *_: step < count, put, state, maximum_iterations=count
    )
    return where, tf.reduce_sum(tf.cast(used > 0, "int32"))


def pack(instances: Instances, most: int, predictions: int) -> Instances:
    """Join S instances at a time to one row.

    Args:
        instances: Of B * S instances: `token_ids`, `segment_ids` (B * S, T), `lengths`
            (B * S,), 0 where there is none; perhaps `mlm_positions`, `mlm_ids`,
            `mlm_weights` (B * S, P) and `pair_labels` (B * S,). The lengths of each
            S instances add up to T at most.
        most: S.
        predictions: P of a row.

    Returns:
        Rows: the inputs and targets of a packed batch.
    """
    lengths = tf.reshape(instances["lengths"], [-1, most])
    size = instances["token_ids"].shape[1]
    ends = tf.cumsum(lengths, axis=1)
    starts = ends - lengths
    place = tf.range(size)
    # Which instance of the row a token belongs to: the number of those that ended.
    number = tf.reduce_sum(
        tf.cast(place[None, :, None] >= ends[:, None, :], "int32"), axis=2
    )
    real = number < most
    number = tf.minimum(number, most - 1)
    local = place[None] - tf.gather(starts, number, batch_dims=1)
    local = tf.where(real, local, 0)
    rows = tf.range(tf.shape(lengths)[0])[:, None]
    index = tf.stack([rows * most + number, local], axis=-1)
    out = {
        name: tf.where(real, tf.gather_nd(instances[name], index), 0)
        for name in ("token_ids", "segment_ids")
    }
    exists = lengths > 0
    # Instances fill a row from its first place on, so numbers have no gaps.
    out["padding_mask"] = real
    out["pack_ids"] = tf.where(real, number + 1, 0)
    out["position_ids"] = local
    out["first_positions"] = tf.where(exists, starts, 0)
    if "pair_labels" in instances:
        out["pair_labels"] = tf.reshape(instances["pair_labels"], [-1, most])
        out["pair_weights"] = tf.cast(exists, "float32")
    if "mlm_weights" in instances:
        weights = tf.reshape(instances["mlm_weights"], [-1, most, predictions])
        shift = tf.where(weights > 0, starts[:, :, None], 0)
        flat = {
            "mlm_weights": weights,
            "mlm_positions": shift
            + tf.reshape(instances["mlm_positions"], [-1, most, predictions]),
            "mlm_ids": tf.reshape(instances["mlm_ids"], [-1, most, predictions]),
        }
        flat = {k: tf.reshape(x, [-1, most * predictions]) for k, x in flat.items()}
        # Used slots first, in their order.
        used = tf.cast(flat["mlm_weights"] == 0, "int32")
        keep = tf.argsort(used, axis=1, stable=True)[:, :predictions]
        out |= {k: tf.gather(x, keep, batch_dims=1) for k, x in flat.items()}
    return out


def mirrored(instances: Instances) -> Instances:
    """Add to each pair of texts the pair in the other order, as the next row.

    Args:
        instances: Of N instances [CLS] a [SEP] b [SEP].

    Returns:
        Of 2 N: [CLS] a [SEP] b [SEP], [CLS] b [SEP] a [SEP], ...

    Source: `get_batch` data generator of ZhuiyiTechnology/simbert simbert.py.
    """
    ids, lengths = instances["token_ids"], instances["lengths"][:, None]
    size = ids.shape[1]
    second = tf.reduce_sum(instances["segment_ids"], axis=1)[:, None]
    first = lengths - second
    place = tf.range(size)[None]
    source = tf.where(place <= second, place - 1 + first, place - second)
    source = tf.where((place == 0) | (place >= lengths), place, source)
    real = place < lengths
    other = {
        "token_ids": tf.gather(
            ids, tf.clip_by_value(source, 0, size - 1), batch_dims=1
        ),
        "segment_ids": tf.cast((place > second) & real & (second > 0), "int32"),
    }
    out = {}
    for name, x in instances.items():
        both = tf.stack([x, other.get(name, x)], axis=1)
        out[name] = tf.reshape(both, [-1, *x.shape[1:]])
    return out
