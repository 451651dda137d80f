"""Tensors that are read in threads."""

import threading
import time

import pytest

from kerasplm.ahead import read_ahead
from kerasplm.errors import CheckpointError


def test_order_is_that_of_the_names():
    def read(name):
        time.sleep(0.02 if name in "ac" else 0)  # the others overtake
        return name.upper()

    assert list(read_ahead(read, "abcdefgh")) == list("ABCDEFGH")
    assert list(read_ahead(read, "ab")) == ["A", "B"]
    assert list(read_ahead(read, "")) == []


def test_two_are_read_at_once():
    both = threading.Barrier(2, timeout=30)
    assert len(list(read_ahead(lambda name: both.wait(), "abcd"))) == 4


def test_few_tensors_wait():
    begun, ahead = [], []
    for n, _ in enumerate(read_ahead(begun.append, map(str, range(50)))):
        time.sleep(0.001)
        ahead.append(len(begun) - n)
    assert len(begun) == 50
    assert max(ahead) <= 4


def test_an_error_comes_at_its_turn_and_ends_the_reading():
    begun = []

    def read(name):
        begun.append(name)
        if name == 3:
            raise CheckpointError("damaged")
        return name

    values = read_ahead(read, range(50))
    assert [next(values) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CheckpointError, match="damaged"):
        next(values)
    assert len(begun) < 9
    assert not [t for t in threading.enumerate() if t.name.startswith("kerasplm-read")]
