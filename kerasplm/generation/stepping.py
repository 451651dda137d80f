"""What a loop needs in which Python has a say between the steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.generation.settings import Decoding

Allowed = Callable[[int, list[int]], Sequence[int] | None]


def asked(
    allowed: Allowed,
    choice: Mapping[str, Any],
    numbers: Sequence[int],
    decoding: Decoding,
    words: int,
) -> np.ndarray:
    """Return the mask (R, V) of what a callback allows.

    Args:
        allowed: Called with the number of a source and the ids so far.
        choice: State of the strategy.
        numbers: Of the sources, (B,).
        decoding: The options.
        words: V.

    Raises:
        ConfigError: It allows nothing and there is no end token, or an id that is not
            in the vocabulary.
    """
    tokens = np.asarray(choice["tokens"])[:, : int(choice["count"])]
    done = np.asarray(choice["done"])
    done = np.repeat(done, len(tokens) // len(done))
    mask = np.ones((len(tokens), words), bool)
    for row, ids in enumerate(tokens.tolist()):
        if done[row]:
            continue
        number = numbers[row // decoding.width]
        some = allowed(number, ids)
        if some is None:
            continue
        some = [int(i) for i in some]
        wrong = [i for i in some if not 0 <= i < words]
        if wrong or (not some and decoding.end_id is None):
            raise ConfigError(
                f"allowed: source {number}, after {ids}: expected ids below {words}"
                f"{'' if wrong else ' (there is no end token)'}. Received: {some}"
            )
        mask[row] = False
        mask[row, some] = True
    return mask


def sizes(values: Any, all_vary: bool = False) -> Any:
    """Return specs of tensors of which the first size varies, or all of them."""

    def spec(x: tf.Tensor) -> tf.TensorSpec:
        rank = x.shape.rank
        kept = [] if all_vary else x.shape[1:]
        varying = rank if all_vary else min(rank, 1)
        return tf.TensorSpec([None] * varying + list(kept), x.dtype)

    return keras.tree.map_structure(spec, values)
