"""Layer normalisation whose scale and offset depend on a condition."""

from typing import Any

import keras
from keras import ops

from kerasplm.task_heads.base import TaskHead

Tensor = Any


@keras.saving.register_keras_serializable(package="kerasplm")
class ConditionalLayerNorm(TaskHead):
    """Normalise, then scale by gamma + c W_gamma and add beta + c W_beta.

    Both projections begin as zeros: an untrained layer is a plain normalisation.

    Args:
        epsilon: Added to the variance.

    Example:
        >>> ConditionalLayerNorm()(np.zeros((2, 5, 8)), np.ones((2, 3))).shape
        TensorShape([2, 5, 8])

    Source: `LayerNormalization(conditional=True)` of bojone/bert4keras layers.py.
    """

    def __init__(
        self,
        epsilon: float = 1e-7,
        kernel_initializer: Any = "zeros",
        name: str = "conditional_norm",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.epsilon = epsilon

    def build(self, x_shape: Any, condition_shape: Any) -> None:
        """Create the weights for (B, T, D) and (B, condition size)."""
        width = x_shape[-1]
        self.gamma = self.add_weight(name="gamma", shape=(width,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(width,), initializer="zeros")
        self.gamma_dense = self.dense(width, "gamma_dense", use_bias=False)
        self.beta_dense = self.dense(width, "beta_dense", use_bias=False)
        self.gamma_dense.build((None, condition_shape[-1]))
        self.beta_dense.build((None, condition_shape[-1]))

    def call(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalise.

        Args:
            x: (B, T, D).
            condition: (B, condition size) for all tokens of a row, or
                (B, T, condition size).

        Returns:
            (B, T, D).
        """
        if len(condition.shape) < len(x.shape):
            condition = ops.expand_dims(condition, 1)
        x = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
        x = x / ops.sqrt(variance + self.epsilon)
        gamma = self.gamma + self.gamma_dense(condition)
        return x * gamma + self.beta + self.beta_dense(condition)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {"epsilon": self.epsilon}
