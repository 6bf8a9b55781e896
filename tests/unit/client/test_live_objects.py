"""Objects that hooks call for as long as somebody keeps them."""

import sys
import threading
from collections import deque
from collections.abc import Iterator

import pytest

from batchprogress._process.live_objects import LiveObjects

KEPT = 100
LISTS = 500


class Thing:
    """An object that may be referred to weakly."""


@pytest.fixture
def _threads_take_turns_often() -> Iterator[None]:
    """Let threads take turns after microseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_turns_often")
def test_objects_are_listed_while_another_thread_adds_some_and_drops_others() -> None:
    objects, kept, is_over = LiveObjects[Thing](), deque[Thing](maxlen=KEPT), threading.Event()

    def add() -> None:
        while not is_over.is_set():
            kept.append(Thing())
            objects.add(kept[-1])

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(LISTS):
            assert all(isinstance(one, Thing) for one in objects.all())
    finally:
        is_over.set()
        thread.join()


def test_an_object_is_listed_once_and_only_while_somebody_keeps_it() -> None:
    objects, thing = LiveObjects[Thing](), Thing()
    objects.add(thing)
    objects.add(thing)
    objects.add(Thing())
    assert objects.all() == [thing]
    objects.clear()
    assert objects.all() == []
