"""Numbers on which the tests of task heads run."""

import numpy as np

B, T, D, C = 3, 6, 8, 3
RNG = np.random.default_rng(3)
X = RNG.normal(size=(B, T, D)).astype("float32")
MASK = np.arange(T) < np.array([[6], [4], [1]])
LOGITS = RNG.normal(size=(B, T, C)).astype("float32")
LABELS = RNG.integers(0, C, (B, T))


def filled(layer, *shapes):
    """Build a layer and give every weight numbers that matter."""
    if not layer.built:
        layer.build(*shapes)
    rng = np.random.default_rng(4)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return layer
