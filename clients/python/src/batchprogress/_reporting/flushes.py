"""Those who wait until every earlier report is answered. Not thread-safe by itself."""

from collections.abc import Callable
from concurrent.futures import Future


class Flushes:
    """Holds a future for each flush that waits."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Future[bool]]] = []
        """The last report that each flush waits for, and the future that it waits on."""

    def add(self, last_number: int) -> "Future[bool]":
        """Return a future of a flush that waits for every report up to a number."""
        flushed: Future[bool] = Future()
        self._waiting.append((last_number, flushed))
        return flushed

    def wait_for_all(self, last_number: int) -> None:
        """Let every flush wait for the reports up to a number."""
        self._waiting = [(last_number, flushed) for _, flushed in self._waiting]

    def pop_finished(
        self, is_answered: Callable[[int], bool], *, is_stopped: bool
    ) -> list[tuple["Future[bool]", bool]]:
        """Remove and return the finished flushes, with their results; if nothing is sent any more, all."""
        answered = [(number, flushed, is_answered(number)) for number, flushed in self._waiting]
        self._waiting = [
            (number, flushed)
            for number, flushed, is_done in answered
            if not is_done and not is_stopped and not flushed.cancelled()
        ]
        return [(flushed, is_done) for _, flushed, is_done in answered if is_done or is_stopped]


def resolve(flushes: list[tuple["Future[bool]", bool]]) -> None:
    """Tell those who wait. The caller must hold no lock: their callbacks are not ours."""
    for flushed, is_answered in flushes:
        if flushed.set_running_or_notify_cancel():
            flushed.set_result(is_answered)
