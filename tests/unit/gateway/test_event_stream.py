"""Events as a viewer reads them."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.live import event_stream, viewer_hub
from tests.unit.gateway.live_source import ENDED, Client, Source, batch, streamed, until


async def test_a_viewer_that_does_not_read_gets_the_newest_state_only() -> None:
    source = Source()
    async with streamed(source) as served:
        client = Client(served.streams)
        assert (await client.part()).startswith("retry: ")
        assert "id: 1\n" in await client.part()
        source.change(batch(2))
        await until(lambda: source.now.revision == 2)
        source.change(*(batch(number) for number in range(3, 50)), batch(50, ENDED))
        await until(lambda: source.open == 0)
        parts = [part async for part in _rest(client)]
    assert len(parts) <= 3  # two were on their way already
    assert "id: 50\n" in parts[-1]
    assert parts[-1].count("event: ended") == 1


async def test_a_state_that_has_not_changed_is_not_sent_again() -> None:
    """After a heartbeat, or by a watch that was opened again."""
    source = Source()
    async with streamed(source) as served:
        client = Client(served.streams)
        assert "id: 1\n" in (await client.part(), await client.part())[1]
        source.change(None, None, EOFError())
        await until(lambda: len(source.opened) == 2)
        source.change(None, batch(2))
        assert "id: 2\n" in await client.part()


async def test_a_first_watch_that_is_cut_at_once_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's EventSource would give up after 503."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MIN", 0.0)
    source = Source()
    source.failures = 1
    async with streamed(source) as served:
        client = Client(served.streams)
        assert "id: 1\n" in (await client.part(), await client.part())[1]
        assert len(source.opened) == 2


async def test_a_quiet_stream_has_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "QUIET_SECONDS_MAX", 0.01)
    async with streamed(Source()) as served:
        client = Client(served.streams)
        assert [await client.part() for _ in range(4)][2:] == [":\n\n", ":\n\n"]


async def test_a_quiet_viewer_that_leaves_is_noticed_at_once() -> None:
    source = Source()
    async with streamed(source) as served:
        client = Client(served.streams)
        await client.part()
        await client.part()
        client.left.set()
        assert await client.part() == ""
        await until(lambda: source.open == 0)
        assert served.room.viewers == 0


async def test_streams_end_without_a_last_event_when_the_gateway_stops() -> None:
    """Clients connect again after it, wherever they find another gateway."""
    async with streamed(Source()) as served:
        client = Client(served.streams)
        await client.part()
        await client.part()
        await served.hub.close()
        assert await client.part() == ""
        late = Client(served.streams)
        assert "SHUTTING_DOWN" in await late.part()
        assert late.status == 503


async def _rest(client: Client) -> AsyncIterator[str]:
    while part := await client.part():
        yield part
