"""The losses of TinyBERT, as sums and counts that add up over devices.

Letters: B rows, N heads, T query tokens, S key tokens, D width, C classes. All is
computed in float32.

Source: huawei-noah/Pretrained-Language-Model TinyBERT, general_distill.py and
task_distill.py (arXiv:1909.10351).
"""

from typing import Any

from keras import ops

Tensor = Any
Parts = tuple[Tensor, Tensor]

# What TinyBERT's code takes for a masked score.
_MASKED = -100.0
# Keeps a class that does not exist out of a softmax.
_NONE = -1e9


def attention(
    student: Tensor, teacher: Tensor, pairs: Tensor | None = None, mean: bool = False
) -> Parts:
    """Return the squared error of the attention scores of one layer, and a count.

    Args:
        student: (B, N, T, S), scaled and masked, before softmax.
        teacher: The same shape; with `mean` N may differ.
        pairs: (B, 1, T, S), True = a real token sees a real token: the others do not
            count. None does as TinyBERT's code: scores of -100 and below are 0 in
            both, and all entries count, those of padding too.
        mean: Whether to compare the means over the heads.

    Returns:
        Sum of the squares, and of how many entries.

    Example:
        >>> total, count = attention(np.ones((1, 1, 2, 2)), np.zeros((1, 1, 2, 2)))
        >>> float(total / count)
        1.0
    """
    student, teacher = _float(student), _float(teacher)
    if pairs is None:
        student = ops.where(student <= _MASKED, 0.0, student)
        teacher = ops.where(teacher <= _MASKED, 0.0, teacher)
    if mean:
        student = ops.mean(student, axis=1, keepdims=True)
        teacher = ops.mean(teacher, axis=1, keepdims=True)
    squares = ops.square(student - teacher)
    if pairs is None:
        return ops.sum(squares), _size(squares)
    # Not multiplied: a masked score may be too large for its square.
    squares = ops.where(ops.cast(pairs, "bool"), squares, 0.0)
    return ops.sum(squares), _float(ops.shape(squares)[1]) * ops.sum(_float(pairs))


def states(student: Tensor, teacher: Tensor, tokens: Tensor | None = None) -> Parts:
    """Return the squared error of the hidden states of one layer, and a count.

    Args:
        student: (B, T, D), projected to the width of the teacher.
        teacher: (B, T, D).
        tokens: (B, T), True = real token: the others do not count. None counts all,
            as TinyBERT's code does.

    Returns:
        Sum of the squares, and of how many entries.
    """
    squares = ops.square(_float(student) - _float(teacher))
    if tokens is None:
        return ops.sum(squares), _size(squares)
    weights = _float(tokens)
    total = ops.sum(squares * ops.expand_dims(weights, -1))
    return total, ops.sum(weights) * squares.shape[-1]


def soft_cross_entropy(
    student: Tensor,
    teacher: Tensor,
    temperature: float = 1.0,
    rows: Tensor | None = None,
    classes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cross-entropy to the teacher's probabilities, and two counts.

    Sum of -softmax(teacher / temperature) * log_softmax(student / temperature).

    Args:
        student: (..., C) logits.
        teacher: (..., C) logits.
        temperature: Above 1 flattens both.
        rows: (...), 1 = counts; None counts all.
        classes: (..., C), True = the class exists in this row; None: all do.

    Returns:
        The sum; the number of rows; the number of entries (rows times classes), by
        which TinyBERT's code divides.

    Example:
        >>> total, rows, entries = soft_cross_entropy(np.zeros((1, 4)), np.eye(4)[:1])
        >>> round(float(total / rows), 4), round(float(total / entries), 4)
        (1.3863, 0.3466)
    """
    student, teacher = _float(student) / temperature, _float(teacher) / temperature
    here = ops.ones_like(student) if classes is None else _float(classes)
    if classes is not None:
        student = ops.where(here > 0, student, _NONE)
        teacher = ops.where(here > 0, teacher, _NONE)
    entropy = -ops.softmax(teacher, axis=-1) * ops.log_softmax(student, axis=-1)
    entropy = ops.sum(ops.where(here > 0, entropy, 0.0), axis=-1)
    weights = ops.ones_like(entropy) if rows is None else _float(rows)
    entries = ops.sum(here * ops.expand_dims(weights, -1))
    return ops.sum(entropy * weights), ops.sum(weights), entries


def squared_error(student: Tensor, teacher: Tensor) -> Parts:
    """Return the squared error of values of any shape, and their number."""
    squares = ops.square(_float(student) - _float(teacher))
    return ops.sum(squares), _size(squares)


def _float(x: Tensor) -> Tensor:
    return ops.cast(x, "float32")


def _size(x: Tensor) -> Tensor:
    return _float(ops.size(x))
