"""Classification with any number of true classes, as a comparison of scores.

loss = log(1 + sum over false classes of e^s) + log(1 + sum over true ones of e^-s):
every true score is pushed above 0 and every false one below; a class is predicted
where its score is above 0.
"""

from typing import Any

from keras import ops

Tensor = Any

# Scores of entries that do not exist (padding, ends before starts). They are finite,
# because infinities give NaN gradients, and cannot be mistaken for a score.
NO_ENTRY = -1e12
EPSILON = 1e-7


def multilabel_categorical_crossentropy(labels: Tensor, scores: Tensor) -> Tensor:
    """Compare the scores of all true classes with those of all false ones.

    Args:
        labels: (..., C), 1 = true; in between for soft labels.
        scores: (..., C); entries of `NO_ENTRY` or below do not count.

    Returns:
        (...,).

    Example:
        >>> float(multilabel_categorical_crossentropy([0.0, 1.0], [0.0, 0.0]))
        1.386294...

    Source: `multilabel_categorical_crossentropy` of bojone/bert4keras backend.py;
    arXiv:2208.02955.
    """
    labels = ops.cast(labels, "float32")
    scores = ops.cast(scores, "float32")
    real = scores > NO_ENTRY / 10
    inner = ops.clip(labels, EPSILON, 1.0 - EPSILON)
    false = ops.logical_and(real, labels < 1.0 - EPSILON)
    true = ops.logical_and(real, labels > EPSILON)
    # Two steps: the gradient of a hidden entry is 0 and not 0 * something large.
    scores = ops.where(real, scores, 0.0)
    false_scores = ops.where(false, scores + ops.log(1.0 - inner), NO_ENTRY)
    true_scores = ops.where(true, ops.log(inner) - scores, NO_ENTRY)
    return _log_one_plus_sum(false_scores) + _log_one_plus_sum(true_scores)


def _log_one_plus_sum(x: Tensor) -> Tensor:
    """Return log(1 + sum of e^x) over the last axis."""
    zero = ops.zeros_like(x[..., :1])
    return ops.logsumexp(ops.concatenate([x, zero], axis=-1), axis=-1)


def sparse_multilabel_categorical_crossentropy(
    classes: Tensor, scores: Tensor, mask_zero: bool = False
) -> Tensor:
    """Do the same for true classes given by their ids.

    The original subtracts the true classes from the sum of all, which in float32
    leaves nothing of the false ones where the scores are good; here the sum runs over
    the false ones. An id that is given n times counts n times in both sums, as there.

    Args:
        classes: (..., P) ids of the true classes.
        scores: (..., C).
        mask_zero: Whether id 0 fills up rows with fewer than P true classes; class 0
            then does not exist.

    Returns:
        (...,).

    Example:
        >>> float(sparse_multilabel_categorical_crossentropy([1], [0.0, 0.0]))
        1.386294...

    Source: `sparse_multilabel_categorical_crossentropy` of bojone/bert4keras
    backend.py.
    """
    scores = ops.cast(ops.convert_to_tensor(scores), "float32")
    counts = _counts(ops.cast(classes, "int32"), ops.shape(scores)[-1])
    if mask_zero:
        scores, counts = scores[..., 1:], counts[..., 1:]
    real = scores > NO_ENTRY / 10
    scores = ops.where(real, scores, 0.0)

    def chosen(which: Tensor, values: Tensor) -> Tensor:
        return ops.where(ops.logical_and(real, which), values, NO_ENTRY)

    times = ops.log(ops.maximum(counts, 1.0))
    again = ops.log(ops.maximum(counts - 1.0, 1.0))
    true = _log_one_plus_sum(chosen(counts > 0, times - scores))
    false = _log_one_plus_sum(chosen(counts < 1, scores))
    repeated = ops.logsumexp(chosen(counts > 1, again + scores), axis=-1)
    rest = 1.0 - ops.exp(ops.minimum(repeated - false, 0.0))
    return true + false + ops.log(ops.maximum(rest, EPSILON))


def _counts(classes: Tensor, size: Tensor) -> Tensor:
    """Turn (..., P) ids into (..., C): how often each occurs."""
    shape = ops.shape(classes)
    flat = ops.reshape(classes, (-1, shape[-1]))
    rows = ops.shape(flat)[0]
    index = ops.expand_dims(ops.arange(rows, dtype="int32") * size, 1) + flat
    index = ops.reshape(index, (-1, 1))
    ones = ops.ones_like(index[:, 0], dtype="float32")
    counts = ops.scatter(index, ones, (rows * size,))
    return ops.reshape(counts, (*shape[:-1], size))
