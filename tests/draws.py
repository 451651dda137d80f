"""A random source that gives what a test wrote down, and checks how it is asked."""

import random
from collections.abc import Sequence

from kerasplm.python_tokenizer import PythonTokenizer

VOCAB = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"天气很好去公园看花开了",
    *("##气", "##园"),
]
TOKENIZER = PythonTokenizer(VOCAB)
KEEP = 0.85, 0.4  # a chosen token stays as it is


class Draws:
    """Stand for ``random.Random``: floats, ints and orders, in the order of use.

    A float answers ``random()``; an int ``randint`` and ``randrange``, or a tuple of
    the number and of the lowest and highest that must be asked for; a list is the
    order that ``shuffle`` makes, and None leaves things as they are.
    """

    def __init__(self, *values: float | int | Sequence[int] | None) -> None:
        self.values = list(values)

    def _next(self, kind: type | tuple, what: str):
        assert self.values, f"one draw too many: {what}"
        value = self.values.pop(0)
        assert isinstance(value, kind), f"{what} is not answered by {value!r}"
        return value

    def random(self) -> float:
        return self._next(float, "random()")

    def randint(self, low: int, high: int) -> int:
        value = self._next((int, tuple), f"randint({low}, {high})")
        if isinstance(value, tuple):
            value, *bounds = value
            assert bounds == [low, high]
        assert low <= value <= high, (low, value, high)
        return value

    def randrange(self, low: int, high: int) -> int:
        return self.randint(low, high - 1)

    def shuffle(self, items: list) -> None:
        order = self._next((list, type(None)), f"shuffle of {len(items)}")
        if order is not None:
            assert sorted(order) == list(range(len(items))), (order, len(items))
            items[:] = [items[i] for i in order]

    def random_sample(self) -> float:
        return self.random()

    def finish(self) -> None:
        assert not self.values, f"never drawn: {self.values}"


def drawing(monkeypatch):
    """Yield what sets the draws of the next creator; check that it drew them all."""
    made = []

    def draw(*values):
        made.append(Draws(*values))
        monkeypatch.setattr(random, "Random", lambda seed: made[-1])

    yield draw
    monkeypatch.undo()
    for draws in made:
        draws.finish()


def writing(folder):
    """Return what writes lines to a text and returns it."""

    def text(*lines):
        file = folder / "text.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    return text


def shown(instance):
    return "".join(instance.tokens), instance.first, instance.is_random_next
