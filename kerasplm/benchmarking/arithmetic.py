"""How much a model computes, and how much the machine can."""

import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

from kerasplm.config import Config

Shape = tuple[int, int, int]

# Rows, inner and outer width: those of the dense layers of BERT-base, and a square.
ROOF: tuple[Shape, ...] = ((4096, 768, 3072), (4096, 3072, 768), (2048, 2048, 2048))
_SECONDS = 0.1  # a measured stretch is at least as long


def flops(config: Config, lengths: Iterable[int]) -> float:
    """Count the operations of matrix products that texts need, without padding.

    Products of the embeddings' projection, of all layers and of the pooler; a
    multiplication and its addition count as two.

    Args:
        config: Of the encoder.
        lengths: Tokens of each text, special tokens included.

    Returns:
        Floating-point operations of one forward pass.

    Example:
        >>> base = Config(vocab_size=21128)
        >>> round(flops(base, [128]) / 1e9, 1)
        22.4
    """
    width, layers = config.hidden_size, config.num_hidden_layers
    keys = config.key_size * config.num_attention_heads
    inner = config.intermediate_size // config.ffn_groups
    dense = 2 * width * keys + 2 * width * width + 2 * width * inner
    projected = config.word_size if config.has_projection else 0
    # Relative distances have a product with queries and one with weights as well.
    sides = 2 if config.position == "nezha" else 1
    blocks = layers * config.inner_group_num
    total = 0.0
    for length in lengths:
        total += 2 * length * (blocks * dense + projected * width)
        total += 2 * length * length * blocks * sides * (keys + width)
        total += 2 * width * width * (config.pooler != "none")
    return total


def roof(number_type: str, repeats: int = 5, shapes: Sequence[Shape] = ROOF) -> float:
    """Measure how fast TensorFlow multiplies matrices here.

    Args:
        number_type: "float32" or "bfloat16".
        repeats: Measurements of each shape; the median counts.
        shapes: Rows, inner and outer width of the products.

    Returns:
        GFLOP/s of the fastest shape.
    """
    return max(_product(number_type, repeats, shape) for shape in shapes)


def _product(number_type: str, repeats: int, shape: Shape) -> float:
    import tensorflow as tf

    rows, inner, outer = shape
    left = tf.cast(tf.random.normal([rows, inner]), number_type)
    right = tf.cast(tf.random.normal([inner, outer]), number_type)
    product = tf.function(tf.linalg.matmul, autograph=False)

    def seconds(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            found: Any = product(left, right)
        # A GPU is asked for a value: its products run behind the program.
        found[0, 0].numpy()
        return time.perf_counter() - begin

    seconds(1)
    count = max(1, round(_SECONDS / max(seconds(1), 1e-6)))
    median = statistics.median(seconds(count) for _ in range(repeats))
    return 2e-9 * rows * inner * outer * count / median
