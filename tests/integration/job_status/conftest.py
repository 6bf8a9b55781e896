"""Databases and ports for the tests, and that nothing of them is left."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

END_SECONDS_MAX = 5.0
"""How long a task or a thread that was told to end may take on a busy machine."""


@pytest.fixture
def queue_url(tmp_path: Path) -> str:
    """Return the URL of an empty database for a queue; the sources' own tests take one on each engine."""
    return f"sqlite+aiosqlite:///{tmp_path / 'queue.db'}"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Return a port that is taken but not listened on: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(autouse=True)
async def _nothing_left_running() -> AsyncIterator[None]:
    """Fail a test whose tasks do not end, or that leaves a connection to SQLite, which is a thread, open."""
    before = {asyncio.current_task(), *asyncio.all_tasks()}
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=END_SECONDS_MAX)
    assert left == set()
    assert _sqlite_threads_left() == []


def _sqlite_threads_left() -> list[threading.Thread]:
    threads = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
    for thread in threads:
        thread.join(END_SECONDS_MAX)
    return [thread for thread in threads if thread.is_alive()]
