"""Which channel of a client a watch gets."""

import threading
from contextlib import ExitStack

import grpc
import pytest

from batchprogress._grpc import channels as channels_module
from batchprogress._grpc.channels import WATCHES_PER_CHANNEL_MAX, Channels
from batchprogress._grpc.connection import Connection

CONNECTION = Connection("127.0.0.1:1")
LIMIT = 3
THREADS = 20
ROUNDS = 50


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Channels[grpc.Channel]:
    """Return channels that connect to nothing, with a low limit."""
    monkeypatch.setattr(channels_module, "WATCHES_PER_CHANNEL_MAX", LIMIT)
    return Channels(CONNECTION, CONNECTION.open)


def test_proxies_that_allow_100_calls_have_room_for_others() -> None:
    assert WATCHES_PER_CHANNEL_MAX <= 2 / 3 * 100


def test_watch_beyond_the_limit_gets_another_channel(channels: Channels[grpc.Channel]) -> None:
    """Other calls stay on the first one."""
    with ExitStack() as watches:
        used = [watches.enter_context(channels.for_watch()) for _ in range(2 * LIMIT + 1)]
        assert used[:LIMIT] == [channels.get()] * LIMIT
        assert [len(set(used[at : at + LIMIT])) for at in range(0, len(used), LIMIT)] == [1, 1, 1]
        assert len(set(used)) == LIMIT


def test_room_that_a_watch_has_left_is_used_again(channels: Channels[grpc.Channel]) -> None:
    with ExitStack() as watches:
        for _ in range(LIMIT - 1):
            watches.enter_context(channels.for_watch())
        with channels.for_watch() as left:
            watches.enter_context(channels.for_watch())
        assert watches.enter_context(channels.for_watch()) is left is channels.get()


def test_channel_without_watches_is_given_back(channels: Channels[grpc.Channel]) -> None:
    """The first one stays, for other calls."""
    with ExitStack() as watches:
        for _ in range(3 * LIMIT):
            watches.enter_context(channels.for_watch())
        first = channels.get()
    assert channels.pop() == [first]


def test_closing_returns_every_channel(channels: Channels[grpc.Channel]) -> None:
    """A watch that ends later does no harm."""
    with ExitStack() as watches:
        used = [watches.enter_context(channels.for_watch()) for _ in range(LIMIT + 1)]
        assert set(channels.pop()) == set(used)
    assert channels.pop() == []


def test_threads_never_crowd_a_channel(channels: Channels[grpc.Channel]) -> None:
    """However they take turns, no channel carries more watches than the limit."""
    counts: dict[grpc.Channel, list[None]] = {}
    most = 0

    def watch() -> None:
        nonlocal most
        for _ in range(ROUNDS):
            with channels.for_watch() as channel:
                counts.setdefault(channel, []).append(None)
                most = max(most, len(counts[channel]))
                counts[channel].pop()

    threads = [threading.Thread(target=watch) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < most <= LIMIT
    assert len(channels.pop()) == 1
