"""A pooler that has no part in the loss is not trained."""

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from kerasplm.encoder import Encoder


class WithoutIdlePooler:
    """Mix-in for models with an `encoder`: leaves out a pooler without a gradient.

    A pooler that no head takes would be decayed and averaged all the same.
    """

    encoder: "Encoder"

    @property
    def trains_pooler(self) -> bool:
        """Whether the loss reaches the pooled vector."""
        raise NotImplementedError

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Return what training changes, without a pooler that has no effect."""
        return self._with_effect(super().trainable_variables)  # type: ignore[misc]

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """Return the same."""
        return self._with_effect(super().trainable_weights)  # type: ignore[misc]

    def _with_effect(self, variables: list[keras.Variable]) -> list[keras.Variable]:
        pooler = getattr(self.encoder, "pooler", None)  # a Seq2Seq has none
        if pooler is None or self.trains_pooler:
            return variables
        without = {id(variable) for variable in pooler.weights}
        return [one for one in variables if id(one) not in without]
