"""What is closed when a process of multiprocessing ends."""

import multiprocessing
import multiprocessing.util

import pytest

from batchprogress._process import at_exit


class Closed:
    """Notes that it was closed."""

    def __init__(self) -> None:
        self.times = 0

    def close_at_exit(self) -> None:
        """Note it."""
        self.times += 1


def test_many_reporters_have_one_exit_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a pool may make one for each of its jobs. After a fork the next one registers again."""
    registry = multiprocessing.util._finalizer_registry  # type: ignore[attr-defined]  # noqa: SLF001
    monkeypatch.setattr(multiprocessing, "parent_process", object)
    monkeypatch.setattr(at_exit, "_close_at_sigterm", lambda: None)
    monkeypatch.setattr(at_exit, "_registered", None, raising=False)
    before, kept = dict(registry), Closed()
    try:
        for one in (kept, *(Closed() for _ in range(100))):
            at_exit.close_at_exit(one)
        assert len(registry.keys() - before.keys()) == 1
        registry.clear()  # as in a process that multiprocessing forks
        at_exit.close_at_exit(kept)
        [registered] = registry.values()
        registered()
        assert kept.times == 1
    finally:
        at_exit.forget_all()
        registry.clear()
        registry.update(before)
