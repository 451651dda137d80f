"""Parts of losses and measures: sums and counts that add up over devices."""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

Tensor = Any
Measures = dict[str, tuple[Tensor, Tensor]]

# As tf.metrics.auc chooses them: a little below 0, evenly to a little above 1.
THRESHOLDS = (-1e-7, *(n / 199 for n in range(1, 199)), 1.0 + 1e-7)


class Term(NamedTuple):
    """One summand of the loss: weight * total / (count + epsilon)."""

    total: Tensor
    count: Tensor
    epsilon: float
    weight: float

    @property
    def value(self) -> Tensor:
        """The summand, if this is the whole batch."""
        return self.weight * self.total / (self.count + self.epsilon)


def measured(total: Any, count: Any) -> float:
    """Return a measure from its summed parts.

    Args:
        total: Scalar; of an area under a curve, the true positives by threshold.
        count: Scalar; of an area under a curve, the false positives by threshold.

    Returns:
        total / count, 0 of nothing; or the area under the ROC curve.

    Example:
        >>> measured(3.0, 4.0)
        0.75

    Source: `tf.metrics.auc` of TensorFlow 1 (trapezoids).
    """
    total, count = np.asarray(total, "float64"), np.asarray(count, "float64")
    if total.ndim == 0:
        return float(total / count) if count else 0.0
    # At the lowest threshold everything counts as positive.
    rate, false = (total + 1e-6) / (total[0] + 1e-6), count / (count[0] + 1e-6)
    return float(np.sum((false[:-1] - false[1:]) * (rate[:-1] + rate[1:]) / 2))


def curve(labels: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Return true and false positives at every threshold: parts of an AUC.

    Args:
        labels: 0 or 1, any shape.
        probabilities: The same shape.
    """
    labels = ops.reshape(ops.cast(labels, "float32"), (-1, 1))
    scores = ops.reshape(ops.cast(probabilities, "float32"), (-1, 1))
    above = ops.cast(scores > ops.convert_to_tensor(THRESHOLDS, "float32"), "float32")
    return ops.sum(labels * above, axis=0), ops.sum((1.0 - labels) * above, axis=0)


def hits(logits: Tensor, targets: Tensor) -> Tensor:
    """Return 1 where the highest logit is that of the target, else 0, in float32."""
    best = ops.argmax(logits, axis=-1)
    return ops.cast(ops.equal(best, ops.cast(targets, best.dtype)), "float32")
