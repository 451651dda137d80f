"""The arithmetic of a graph, and of a machine."""

import math
import time
from typing import Any

import tensorflow as tf


def matmul_flops(graph: Any) -> int | None:
    """Count the multiplications and additions of all matrix products of a graph.

    Products are nearly all of the work of a transformer; the rest is not counted, as
    is usual for the utilisation of a machine.

    Args:
        graph: A `tf.Graph`, such as that of a concrete function.

    Returns:
        The number for one run, or None if a shape is open.

    Example:
        >>> f = tf.function(lambda x: x @ tf.ones([4, 5]))
        >>> matmul_flops(f.get_concrete_function(tf.TensorSpec([3, 4])).graph)
        120
    """
    total = 0
    for node in graph.get_operations():
        if node.type in ("MatMul", "BatchMatMulV2", "BatchMatMul", "BatchMatMulV3"):
            transposed = node.get_attr(
                "transpose_a" if node.type == "MatMul" else "adj_x"
            )
            found = node.outputs[0].shape
            inner = node.inputs[0].shape[-2 if transposed else -1]
            if inner is None or not found.is_fully_defined():
                return None
            total += 2 * found.num_elements() * inner
        elif node.type == "Einsum":
            count = _einsum(node)
            if count is None:
                return None
            total += count
        for inner_graph in _bodies(graph, node):
            count = matmul_flops(inner_graph)
            if count is None:
                return None
            total += count
    return total


def _einsum(node: Any) -> int | None:
    left = node.get_attr("equation").decode().split("->")[0].split(",")
    if len(left) != 2:
        return 0
    sizes: dict[str, int] = {}
    for letters, operand in zip(left, node.inputs, strict=True):
        if not operand.shape.is_fully_defined() or "." in letters:
            return None
        sizes |= dict(zip(letters, operand.shape.as_list(), strict=True))
    return 2 * math.prod(sizes.values())


def _bodies(graph: Any, node: Any) -> list[Any]:
    """Return the graphs of the functions that a node calls."""
    if node.type not in ("PartitionedCall", "StatefulPartitionedCall"):
        return []
    name = node.get_attr("f").name
    function = graph._get_function(name)
    return [] if function is None else [function.graph]


def measured_peak(
    dtype: str = "float32", size: int = 1024, seconds: float = 0.5
) -> float:
    """Measure what the first accelerator, or else the processor, multiplies at most.

    Args:
        dtype: Number type of the matrices.
        size: Lines and columns of the matrices, eight times as many on a GPU.
        seconds: How long to measure, about.

    Returns:
        Multiplications and additions per second.

    Example:
        >>> measured_peak("float32", 64, 0.01) > 0
        True
    """
    gpu = bool(tf.config.list_logical_devices("GPU"))
    device, repeated = ("/GPU:0", 16) if gpu else ("/CPU:0", 1)
    size *= 8 if gpu else 1
    with tf.device(device):
        x = tf.ones((size, size), dtype)
        product = tf.function(lambda a, b: tf.matmul(a, b))
        product(x, x).numpy()
        best, begin = math.inf, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            since = time.perf_counter()
            for _ in range(repeated):
                y = product(x, x)
            y[0, 0].numpy()  # waits for the device
            best = min(best, (time.perf_counter() - since) / repeated)
    return 2 * size**3 / best
