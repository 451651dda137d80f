"""The random numbers of numpy inside a graph, bit for bit.

`numpy.random.default_rng([seed, number]).random(shape, "float32")`: SeedSequence mixes
the two numbers to the state of PCG64, a linear congruential generator of 128 bits; each
state gives 64 bits, and each half of them a number. As the state after n steps is
A_n * state + C_n * increment, with constants A_n and C_n, no loop is needed.
"""

from typing import Any

import numpy as np
import tensorflow as tf

_LOW = 0xFFFFFFFF
_POOL = 4
_HASH_A, _HASH_B = (0x43B0D7E5, 0x931E8875), (0x8B51F9DD, 0x58F38DED)
_MIX_LEFT, _MIX_RIGHT = 0xCA01F9DD, 0x4973F715
_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
_2_128 = 1 << 128
Wide = tuple[Any, Any]


def _number(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


def _right(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(x, _number(bits))


def _left(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.left_shift(x, _number(bits))


class _Hash:
    """Hash 32-bit numbers, which are kept in 64 bits; the constant moves on."""

    def __init__(self, start: int, factor: int) -> None:
        self.constant, self.factor = start, factor

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.bitwise.bitwise_xor(x, _number(self.constant))
        self.constant = self.constant * self.factor & _LOW
        return _folded(x * _number(self.constant))


def _folded(x: tf.Tensor) -> tf.Tensor:
    x = tf.bitwise.bitwise_and(x, _number(_LOW))
    return tf.bitwise.bitwise_xor(x, _right(x, 16))


def _words(seed: tf.Tensor, numbers: tf.Tensor) -> list[tf.Tensor]:
    """Return what SeedSequence makes of [seed, number]: eight 32-bit numbers each."""
    seed = tf.cast(seed, tf.uint64) + tf.zeros_like(numbers, tf.uint64)
    numbers = tf.cast(numbers, tf.uint64)
    low, high = tf.bitwise.bitwise_and(seed, _number(_LOW)), _right(seed, 32)
    short = high == 0
    none = tf.zeros_like(low)
    entropy = [low, tf.where(short, numbers, high), tf.where(short, none, numbers)]
    mix = _Hash(*_HASH_A)
    pool = [mix(x) for x in (*entropy, none)]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                left = pool[target] * _number(_MIX_LEFT)
                pool[target] = _folded(left - mix(pool[source]) * _number(_MIX_RIGHT))
    out = _Hash(*_HASH_B)
    return [out(pool[n % _POOL]) for n in range(2 * _POOL)]


def _times(x: tf.Tensor, y: tf.Tensor) -> Wide:
    """Return the product of two 64-bit numbers, 128 bits."""
    low = _number(_LOW)
    x0, x1 = tf.bitwise.bitwise_and(x, low), _right(x, 32)
    y0, y1 = tf.bitwise.bitwise_and(y, low), _right(y, 32)
    first, second, third = x0 * y0, x1 * y0, x0 * y1
    carry = _right(first, 32) + tf.bitwise.bitwise_and(second, low)
    carry += tf.bitwise.bitwise_and(third, low)
    high = x1 * y1 + _right(second, 32) + _right(third, 32) + _right(carry, 32)
    return high, x * y


def _product(x: Wide, y: Wide) -> Wide:
    """Return x * y modulo 2 ** 128."""
    high, low = _times(x[1], y[1])
    return high + x[0] * y[1] + x[1] * y[0], low


def _sum(x: Wide, y: Wide) -> Wide:
    low = x[1] + y[1]
    return x[0] + y[0] + tf.cast(low < x[1], tf.uint64), low


def _constants(values: list[int]) -> Wide:
    high, low = [x >> 64 for x in values], [x & (2**64 - 1) for x in values]
    return tf.constant(np.array(high, "u8")), tf.constant(np.array(low, "u8"))


def draws(seed: tf.Tensor, numbers: tf.Tensor, count: int) -> tf.Tensor:
    """Return uniform numbers in [0, 1).

    Args:
        seed: A scalar, int64, not negative.
        numbers: (B,) int64 from 0 to 2 ** 32 - 1.
        count: How many of each.

    Returns:
        (B, count) float32; row b is
        `numpy.random.default_rng([seed, numbers[b]]).random(count, "float32")`.

    Example:
        >>> draws(tf.constant(7, tf.int64), tf.constant([3], tf.int64), 2).numpy()
        array([[0.59, ...]], dtype=float32)

    Source: numpy/random bit_generator.pyx (`SeedSequence`), src/pcg64; O'Neill, PCG
    (report HMC-CS-2014-0905).
    """
    with tf.device("CPU:0"):
        words = _words(seed, numbers)
        # Two 32-bit words, the lower one first, are one of 64 bits.
        parts = [words[n] + _left(words[n + 1], 32) for n in range(0, 8, 2)]
        state, stream = (parts[0][:, None], parts[1][:, None]), parts[2:]
        high, low = (x[:, None] for x in stream)
        one = tf.ones_like(low)
        increment = _left(high, 1) + _right(low, 63), _left(low, 1) + one
        # The first step is that of the seeding: from (state + increment).
        factors, terms, factor, term = [], [], 1, 0
        for n in range((count + 1) // 2 + 2):
            if n >= 2:
                factors.append(factor)
                terms.append(term)
            term = (term * _MULTIPLIER + 1) % _2_128
            factor = factor * _MULTIPLIER % _2_128
        state = _sum(state, increment)
        state = _sum(
            _product(_constants(factors), state), _product(_constants(terms), increment)
        )
        mixed = tf.bitwise.bitwise_xor(*state)
        turn = _right(state[0], 58)
        back = tf.bitwise.bitwise_and(_number(64) - turn, _number(63))
        bits = tf.bitwise.bitwise_or(
            tf.bitwise.right_shift(mixed, turn), tf.bitwise.left_shift(mixed, back)
        )
        halves = [tf.bitwise.bitwise_and(bits, _number(_LOW)), _right(bits, 32)]
        flat = tf.reshape(tf.stack(halves, axis=-1), [-1, 2 * len(factors)])[:, :count]
        return tf.cast(_right(flat, 8), tf.float32) * 2.0**-24
