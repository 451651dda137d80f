"""Work that is done in threads, before it is needed."""

import contextvars
import threading
import time

import pytest

from kerasplm.ahead import ahead
from kerasplm.errors import CheckpointError
from kerasplm.tasks import graphs
from kerasplm.tasks.features import joined
from kerasplm.tasks.graphs import each


def test_order_is_that_of_the_names():
    def read(name):
        time.sleep(0.02 if name in "ac" else 0)  # the others overtake
        return name.upper()

    assert list(ahead(read, "abcdefgh")) == list("ABCDEFGH")
    assert list(ahead(read, "ab")) == ["A", "B"]
    assert list(ahead(read, "")) == []


def test_two_are_read_at_once():
    both = threading.Barrier(2, timeout=30)
    assert len(list(ahead(lambda name: both.wait(), "abcd"))) == 4


def test_few_tensors_wait():
    begun, lead = [], []
    for n, _ in enumerate(ahead(begun.append, map(str, range(50)))):
        time.sleep(0.001)
        lead.append(len(begun) - n)
    assert len(begun) == 50
    assert max(lead) <= 4


def test_an_error_comes_at_its_turn_and_ends_the_reading():
    begun = []

    def read(name):
        begun.append(name)
        if name == 3:
            raise CheckpointError("damaged")
        return name

    values = ahead(read, range(50))
    assert [next(values) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CheckpointError, match="damaged"):
        next(values)
    assert len(begun) < 9
    assert not [t for t in threading.enumerate() if t.name.startswith("kerasplm")]


def test_one_item_needs_no_thread_and_threads_have_the_context():
    assert list(ahead(lambda _: threading.current_thread(), [1])) == [
        threading.main_thread()
    ]
    assert list(ahead(lambda _: threading.current_thread(), [])) == []
    variable = contextvars.ContextVar("variable", default=0)
    token = variable.set(5)
    found = list(ahead(lambda _: (variable.get(), threading.current_thread()), "abc"))
    variable.reset(token)
    assert [value for value, _ in found] == [5, 5, 5]
    assert threading.main_thread() not in [thread for _, thread in found]


def test_what_has_not_begun_is_not_done_after_an_error():
    begun, hold = [], threading.Event()

    def work(item):
        begun.append(item)
        if item == 0:
            raise ValueError("no")
        hold.wait(5)

    values = ahead(work, range(4))
    threading.Timer(0.3, hold.set).start()
    with pytest.raises(ValueError, match="no"):
        next(values)
    assert len(begun) <= 3  # of four that were planned


def test_models_run_two_batches_only_where_there_is_nothing_but_a_cpu(monkeypatch):
    features = joined([([1] * n, [0] * n) for n in (5, 3, 4)], 0)

    def names(**options):
        said = each(features, 1, lambda _: threading.current_thread(), **options)
        numbers, threads = zip(*said, strict=True)
        assert [list(chosen) for chosen in numbers] == [[1], [2], [0]]
        return {thread.name for thread in threads}

    main = {threading.main_thread().name}
    monkeypatch.setattr(graphs, "only_cpu", lambda: True)
    assert not names() & main
    assert names(together=False) == main
    monkeypatch.setattr(graphs, "only_cpu", lambda: False)
    assert names() == main
