"""From the width of the student to that of the teacher."""

from typing import Any, Literal

import keras

from kerasplm.config import Config
from kerasplm.errors import ConfigError
from kerasplm.layers import initializer

Tensor = Any
Projections = Literal["shared", "embedding", "per_layer"]
_COUNTS = {"shared": 1, "embedding": 2, "per_layer": None}


class Projection(keras.layers.Layer):
    """Dense layers from the student's states to the teacher's width, in float32.

    Args:
        student: Configuration of the student.
        width: Of the teacher.
        kind: "shared": one for all states, with a bias (TinyBERT's `fit_dense`);
            "embedding": one for the state before the first layer and one for the
            others; "per_layer": one for each.

    Raises:
        ConfigError: There is no such kind.
    """

    def __init__(self, student: Config, width: int, kind: Projections) -> None:
        super().__init__(name="projection", dtype="float32")
        if kind not in _COUNTS:
            raise ConfigError(
                f"projection must be one of {', '.join(_COUNTS)}. Received: {kind!r}"
            )
        count = _COUNTS[kind] or student.num_hidden_layers + 1
        names = ["fit_dense", *(f"fit_dense_{n}" for n in range(1, count))]
        self.dense = [
            keras.layers.Dense(
                width,
                kernel_initializer=initializer(student),
                dtype="float32",
                name=name,
            )
            for name in names
        ]
        for layer in self.dense:
            layer.build((None, None, student.hidden_size))
        self.built = True

    @property
    def shared(self) -> keras.layers.Dense | None:
        """The only dense layer, if there is one only."""
        return self.dense[0] if len(self.dense) == 1 else None

    def call(self, state: Tensor, number: int) -> Tensor:
        """Map (B, T, D) of a state, counted from 0, to the teacher's width."""
        return self.dense[min(number, len(self.dense) - 1)](state)
