"""Ends waits that take too long: gRPC has a deadline for a whole stream, but none for its next response."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from batchprogress._grpc.retry import StreamSilent


@dataclass(eq=False, slots=True)
class _Wait:
    deadline: float
    cancel: Callable[[], object]
    is_over: bool = False


class SilenceGuard:
    """One thread that looks after the waits of all threads, while there are any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waits: set[_Wait] = set()
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None

    @contextmanager
    def waiting(self, cancel: Callable[[], object] | None, seconds_max: float | None) -> Iterator[None]:
        """Call `cancel` from another thread if the context takes too long.

        Args:
            cancel: ends what the context waits for; None if nothing can.
            seconds_max: how long it may take; None is for ever.

        Raises:
            StreamSilent: it took too long, and was cancelled.

        """
        if seconds_max is None or cancel is None:
            yield
            return
        wait = _Wait(time.monotonic() + seconds_max, cancel)
        self._add(wait)
        try:
            yield
        except Exception as error:
            if wait.is_over:
                raise StreamSilent(seconds_max) from error
            raise
        finally:
            with self._changed:
                self._waits.discard(wait)

    def _add(self, wait: _Wait) -> None:
        with self._changed:
            self._waits.add(wait)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="batchprogress-silence", daemon=True)
                with suppress(RuntimeError):  # the interpreter ends, and with it every wait
                    thread.start()
                    self._thread = thread
            elif wait.deadline < self._wakes_at:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                late = [wait for wait in self._waits if wait.deadline <= now]
                self._waits.difference_update(late)
                if not self._waits and not late:
                    self._thread = None
                    return
                if not late:
                    self._wakes_at = min(wait.deadline for wait in self._waits)
                    self._changed.wait(self._wakes_at - now)
            for wait in late:
                wait.is_over = True
                wait.cancel()


_guards: dict[int, SilenceGuard] = {}


def guard() -> SilenceGuard:
    """Return the guard of this process: a forked child has not the thread of its parent."""
    pid = os.getpid()
    return _guards.get(pid) or _guards.setdefault(pid, SilenceGuard())
