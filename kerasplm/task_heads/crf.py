"""A linear-chain conditional random field: its likelihood, and Viterbi decoding.

No infinity is added or multiplied anywhere, so no gradient is NaN.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasplm.errors import ConfigError
from kerasplm.task_heads.base import TaskHead, float_mask, one_hot, positive
from kerasplm.task_heads.chains import best_path, borders, fold, neighbours, pack

Tensor = Any

# The score of a label that may not be taken; two of them still are a float32.
FORBIDDEN = -1e30


@keras.saving.register_keras_serializable(package="kerasplm")
class CRF(TaskHead):
    """Score sequences of labels: scores of the tokens, and of label after label.

    score(y) = sum_t logits[t, y_t] + sum_t transitions[y_t, y_{t+1}], without scores
    for the first and the last label. Called, it gives the best sequences;
    `log_likelihood` trains it.

    Args:
        labels: Number of labels C.
        lr_multiplier: Factor m. The weight is transitions / m, and used times m, so
            that an adaptive optimizer moves the transitions m times as fast as the
            encoder. A checkpoint holds transitions / m.
        starts: Labels that the first token may have; None = all.
        ends: Labels that the last token may have; None = all.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> CRF(3)(np.array([[[0.0, 2.0, 1.0], [0.0, 0.0, 9.0]]]))
        <tf.Tensor: shape=(1, 2), dtype=int32, numpy=array([[1, 2]], dtype=int32)>

    Source: `ConditionalRandomField` of bojone/bert4keras layers.py, `ViterbiDecoder`
    of its snippets.py.
    """

    def __init__(
        self,
        labels: int,
        lr_multiplier: float = 1.0,
        starts: Sequence[int] | None = None,
        ends: Sequence[int] | None = None,
        kernel_initializer: Any = "glorot_uniform",
        name: str = "crf",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.labels = positive("labels", labels)
        self.lr_multiplier = multiplier(lr_multiplier)
        self.starts = check_labels("starts", starts, labels)
        self.ends = check_labels("ends", ends, labels)

    def build(self, input_shape: Any = None) -> None:
        """Create the table of transitions, from row to column."""
        self.transitions = self.add_weight(
            name="transitions",
            shape=(self.labels, self.labels),
            initializer=scaled(self.kernel_initializer, 1.0 / self.lr_multiplier),
            autocast=False,  # float32 also where a model asks for the scores
        )

    def scores(self) -> Tensor:
        """Return the transitions (C, C) as they are used: times the multiplier."""
        return ops.convert_to_tensor(self.transitions) * self.lr_multiplier

    def log_likelihood(
        self, logits: Tensor, labels: Tensor, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Return log p(labels) of each sequence.

        Args:
            logits: (B, T, C).
            labels: (B, T) ids; at padding any number.
            padding_mask: (B, T), nonzero = real token, None = all. The real tokens
                of a row follow each other.

        Returns:
            (B,), at most 0; 0 for a row without tokens. The loss is its negative.
        """
        if not self.built:
            self.build()
        logits = ops.cast(logits, "float32")
        mask = float_mask(padding_mask, logits)
        return log_likelihood(logits, labels, mask, self.scores())

    def call(self, logits: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return the labels (B, T) of the best sequences, 0 at padding.

        Args:
            logits: (B, T, C).
            padding_mask: As for `log_likelihood`.
        """
        mask = float_mask(padding_mask, logits)
        return decode(logits, mask, self.scores(), self.starts, self.ends)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "labels": self.labels,
            "lr_multiplier": self.lr_multiplier,
            "starts": None if self.starts is None else list(self.starts),
            "ends": None if self.ends is None else list(self.ends),
        }


def multiplier(value: float) -> float:
    """Return a multiplier of the learning rate.

    Raises:
        ConfigError: It is not positive.
    """
    if not value > 0:
        raise ConfigError(f"lr_multiplier must be above 0. Received: {value!r}")
    return float(value)


def scaled(initializer: Any, factor: float) -> Any:
    """Return an initializer whose numbers are multiplied by a factor."""

    def initialize(shape: Any, dtype: Any = None) -> Tensor:
        return initializer(shape, dtype=dtype) * factor

    return initialize


def check_labels(
    what: str, ids: Sequence[int] | None, labels: int
) -> tuple[int, ...] | None:
    """Return ids of labels as a tuple.

    Raises:
        ConfigError: There are none, or one is not among the labels.
    """
    if ids is None:
        return None
    found = tuple(int(n) for n in ids)
    if not found or not set(found) <= set(range(labels)):
        raise ConfigError(
            f"{what} must be ids of labels, 0 ... {labels - 1}. Received: {list(ids)!r}"
        )
    return found


def log_likelihood(
    logits: Tensor, labels: Tensor, mask: Tensor, transitions: Tensor
) -> Tensor:
    """Return log p(labels), (B,): the score of the labels less the log of the sum.

    Args:
        logits: (B, T, C), float32.
        labels: (B, T) ids.
        mask: (B, T), float32, 1 = real token.
        transitions: (C, C).
    """
    linked = neighbours(mask)
    target = one_hot(labels, ops.shape(transitions)[0])
    nodes = ops.sum(ops.sum(logits * target, axis=-1) * mask, axis=1)
    taken = ops.einsum("btc,cd,btd->bt", target[:, :-1], transitions, target[:, 1:])
    score = nodes + ops.sum(taken * linked[:, 1:], axis=1)

    def step(total: Tensor, x: Tensor) -> Tensor:
        here, real, link = x[:, :-2], x[:, -2:-1], x[:, -1:]
        paths = ops.logsumexp(ops.expand_dims(total, 2) + transitions, axis=1)
        return real * (here + link * paths) + (1.0 - real) * total

    by_time = pack(logits, mask, linked)
    total = fold(step, ops.zeros_like(logits[:, 0]), by_time)
    # Without a token the sum is over nothing, not over C empty paths.
    return score - ops.logsumexp(total, axis=1) * ops.max(mask, axis=1)


def decode(
    logits: Tensor,
    mask: Tensor,
    transitions: Tensor,
    starts: Sequence[int] | None = None,
    ends: Sequence[int] | None = None,
) -> Tensor:
    """Return the best labels (B, T) of a chain; of equals the lowest.

    Args:
        logits: (B, T, C).
        mask: (B, T), float32, 1 = real token; the real ones follow each other.
        transitions: (C, C).
        starts: Labels that the first real token may have.
        ends: Labels that the last real token may have.
    """
    first, last = borders(mask)
    logits = restrict(logits, first, starts, transitions.shape[0])
    logits = restrict(logits, last, ends, transitions.shape[0])

    def extend(best: Tensor, here: Tensor) -> Tensor:
        return ops.expand_dims(best, 2) + transitions + ops.expand_dims(here, 1)

    return best_path(extend, logits, logits, mask)


def restrict(
    logits: Tensor, where: Tensor, allowed: Sequence[int] | None, labels: int
) -> Tensor:
    """Forbid all but the allowed labels at the tokens where a mask (B, T) is 1."""
    if allowed is None:
        return logits
    row = np.full(labels, 1.0, "float32")
    row[list(allowed)] = 0.0
    closed = ops.expand_dims(where, -1) * ops.convert_to_tensor(row) > 0
    return ops.where(closed, FORBIDDEN, logits)


def viterbi(
    logits: np.ndarray,
    transitions: np.ndarray,
    starts: Sequence[int] | None = None,
    ends: Sequence[int] | None = None,
) -> list[int]:
    """Return the best labels of one sequence, in numpy; of equals the lowest.

    For services without a Keras backend, and to check `CRF`.

    Args:
        logits: (T, C) of the real tokens.
        transitions: (C, C), as `CRF.scores` gives them.
        starts: Labels that the first token may have.
        ends: Labels that the last token may have.

    Example:
        >>> viterbi(np.array([[0.0, 2.0], [0.0, 9.0]]), np.zeros((2, 2)))
        [1, 1]
    """
    if not len(logits):
        return []
    nodes = np.array(logits)
    for row, allowed in ((0, starts), (-1, ends)):
        if allowed is not None:
            nodes[row, [n for n in range(nodes.shape[1]) if n not in allowed]] = (
                FORBIDDEN
            )
    best, pointers = nodes[0], []
    for here in nodes[1:]:
        paths = best[:, None] + transitions + here
        pointers.append(paths.argmax(0))
        best = paths.max(0)
    path = [int(best.argmax())]
    for back in reversed(pointers):
        path.append(int(back[path[-1]]))
    return path[::-1]
