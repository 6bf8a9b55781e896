"""The viewer hub over a source that each test controls."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest
from structlog.testing import capture_logs

from services.dashboard import viewer_hub
from services.dashboard.errors import BatchUnknown, Defective, ServerAway, TooMany
from services.dashboard.states import Snapshot
from services.dashboard.topic import View
from services.dashboard.viewer_hub import ViewerHub

SECONDS_MAX = 10.0


class Source:
    """A source whose streams a test fills and breaks."""

    def __init__(self) -> None:
        self.now: Snapshot | None = _state(1)
        self.opened: list[tuple[str, int]] = []
        self.open = 0
        self.news: asyncio.Queue[Snapshot | Exception | None] = asyncio.Queue()

    async def get_batch(self, _batch_id: str) -> Snapshot:
        """Return the current state."""
        if self.now is None:
            raise BatchUnknown
        return self.now

    async def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot, None]:
        """Yield the states of the test, raise its errors, and end at None."""
        self.opened.append((batch_id, after_revision))
        self.open += 1
        try:
            if self.now and self.now.revision > after_revision:
                yield self.now
            while (news := await self.news.get()) is not None:
                if isinstance(news, Exception):
                    raise news
                self.now = news
                yield news
        finally:
            self.open -= 1


@pytest.fixture
def source() -> Source:
    """Return a source of one batch."""
    return Source()


async def test_all_viewers_share_one_stream(source: Source) -> None:
    """A thousand viewers open one stream, and all of them see the end."""
    hub = _hub(source)
    viewing = [asyncio.create_task(_revisions(hub)) for _ in range(1_000)]
    await _until(lambda: source.open == 1)
    source.news.put_nowait(_state(2, has_ended=True))
    assert {revisions[-1] for revisions in await asyncio.gather(*viewing)} == {2}
    assert len(source.opened) == 1


async def test_a_slow_viewer_skips_states(source: Source) -> None:
    """A viewer that does not read for a while gets the newest state, not every state."""
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        assert _revision(await anext(views)) == 1
        for revision in range(2, 50):
            source.news.put_nowait(_state(revision))
        await _until(lambda: source.now == _state(49))
        assert _revision(await anext(views)) >= 48
    await hub.close()


async def test_the_stream_ends_after_the_last_viewer(source: Source) -> None:
    """The stream stays open while anybody views the batch, and closes afterwards."""
    hub = _hub(source)
    first, second = hub.view("b"), hub.view("b")
    await anext(first)
    await anext(second)
    await first.aclose()
    await asyncio.sleep(0)
    assert source.open == 1
    await second.aclose()
    await _until(lambda: source.open == 0)


async def test_reloading_a_page_keeps_its_history(source: Source) -> None:
    """A viewer that returns soon finds the same stream with its history."""
    hub = _hub(source, linger_seconds=SECONDS_MAX)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.news.put_nowait(_state(2))
        await anext(views)
    async with aclosing(hub.view("b")) as views:
        _, points = await anext(views)
    assert [point.ended_jobs for point in points] == [1, 2]
    assert len(source.opened) == 1
    await hub.close()


async def test_a_broken_stream_resumes_by_revision(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that breaks once is reopened after the last revision, and viewers see no problem."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MIN", 0.0)
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.news.put_nowait(_state(2))
        await anext(views)
        source.news.put_nowait(ServerAway())
        await _until(lambda: len(source.opened) == 2)
        source.news.put_nowait(_state(3))
        view, _ = await anext(views)
    assert source.opened == [("b", 1), ("b", 2)]
    assert (view.problem, view.state and view.state.revision) == (None, 3)
    await hub.close()


async def test_viewers_see_the_end_of_a_batch_whose_last_changes_the_database_lost(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream may begin below the last revision, after a fail-over; a read may only be late."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MIN", 0.0)
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.news.put_nowait(_state(9))
        await anext(views)
        source.news.put_nowait(ServerAway())
        source.news.put_nowait(_state(3))
        async with asyncio.timeout(SECONDS_MAX):
            assert _revision(await anext(views)) == 3
        source.news.put_nowait(_state(4, has_ended=True))
        async with asyncio.timeout(SECONDS_MAX):
            assert [_revision(one) async for one in views] == [4]
    await hub.close()


async def test_viewers_see_that_the_server_is_down_and_that_it_is_back(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Viewers see a problem after the second failed try, and that it has gone, although no state changed."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MIN", 0.0)
    monkeypatch.setattr(viewer_hub, "SILENT_SECONDS", 10 * SECONDS_MAX)  # no polling
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.news.put_nowait(ServerAway())
        source.news.put_nowait(ServerAway())
        async with asyncio.timeout(SECONDS_MAX):
            away, back = (await anext(views))[0], (await anext(views))[0]
    assert (type(away.problem), _revision((away, []))) == (ServerAway, 1)
    assert (back.problem, _revision((back, []))) == (None, 1)
    await hub.close()


async def test_a_defect_is_shown_and_survived(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect is shown to viewers each time and logged once; then a new stream is opened."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MAX", 0.0)
    hub = _hub(source)
    with capture_logs() as logs:
        async with aclosing(hub.view("b")) as views, asyncio.timeout(SECONDS_MAX):
            await anext(views)
            for revision in (2, 3):
                source.news.put_nowait(RuntimeError("a defect"))
                problems = [(await anext(views))[0].problem]
                source.news.put_nowait(_state(revision))
                while _revision((view := (await anext(views))[0], [])) < revision:
                    problems.append(view.problem)
                assert [type(problem) for problem in problems if problem] == [Defective]
    assert [log["event"] for log in logs] == ["unexpected error"]
    await hub.close()


async def test_a_silent_batch_is_polled(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall changes no revision, so a silent batch is polled at the same revision."""
    monkeypatch.setattr(viewer_hub, "SILENT_SECONDS", 0.01)
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.now = _state(1, json="stalled")
        view, _ = await anext(views)
        while view.state and view.state.json != "stalled":
            view, _ = await anext(views)
    await hub.close()


async def test_an_unknown_batch_ends_its_views(source: Source) -> None:
    """Viewers of an unknown batch see so, and their views end."""
    hub = _hub(source)
    source.now = None
    assert [type(view.problem) async for view, _ in hub.view("b")] == [BatchUnknown]


async def test_unknown_batches_hold_no_place(source: Source) -> None:
    """Nor is a stream opened for any of them."""
    hub = _hub(source, watches_max=1, linger_seconds=SECONDS_MAX)
    source.now = None
    for number in range(10):
        assert [type(view.problem) async for view, _ in hub.view(f"none-{number}")] == [BatchUnknown]
    source.now = _state(1)
    async with aclosing(hub.view("b")) as views:
        assert _revision(await anext(views)) == 1
        await _until(lambda: source.opened == [("b", 1)])
    await hub.close()


async def test_an_ended_batch_needs_no_stream(source: Source) -> None:
    source.now = _state(3, has_ended=True)
    assert await _revisions(_hub(source)) == [3]
    assert source.opened == []


async def test_a_stream_that_ends_before_its_batch_is_reopened(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that ends OK while its batch is running was cut: it is reopened after a delay."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MIN", 0.0)
    monkeypatch.setattr(viewer_hub, "SILENT_SECONDS", 10 * SECONDS_MAX)  # no polling
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        for _ in range(viewer_hub.QUIET_TRIES + 1):
            source.news.put_nowait(None)
        async with asyncio.timeout(SECONDS_MAX):
            view, _ = await anext(views)
    assert type(view.problem) is ServerAway
    assert source.opened[:2] == [("b", 1), ("b", 1)]
    await hub.close()


async def test_a_returning_viewer_keeps_its_stream(source: Source) -> None:
    """A viewer that returns before the stream would close keeps it open beyond that time."""
    linger_seconds = 0.05
    hub = _hub(source, linger_seconds=linger_seconds)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
    would_have_closed = asyncio.Event()
    asyncio.get_running_loop().call_later(linger_seconds, would_have_closed.set)  # timers fire in order
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        await would_have_closed.wait()
        source.news.put_nowait(_state(2))
        assert _revision(await anext(views)) == 2
        assert (source.open, len(source.opened)) == (1, 1)
    await hub.close()


async def test_viewers_and_batches_are_bounded(source: Source) -> None:
    """The hub refuses viewers and batches beyond its limits; an unviewed batch makes room for another."""
    hub = _hub(source, viewers_max=2, watches_max=1, linger_seconds=SECONDS_MAX)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        with pytest.raises(TooMany):
            await anext(hub.view("another"))
        async with aclosing(hub.view("b")) as others:
            await anext(others)
            with pytest.raises(TooMany):
                await anext(hub.view("b"))
    async with aclosing(hub.view("another")) as views:
        await anext(views)
    await hub.close()


async def test_closing_ends_every_view_and_stream(source: Source) -> None:
    hub = _hub(source)
    viewing = asyncio.create_task(_revisions(hub))
    await _until(lambda: source.open == 1)
    await asyncio.sleep(0)
    await hub.close()
    await viewing
    assert source.open == 0


def _hub(source: Source, **options: float) -> ViewerHub:
    chosen = {"viewers_max": 1_000, "watches_max": 10, "linger_seconds": 0.0} | options
    return ViewerHub(source, **chosen)  # type: ignore[arg-type]  # numbers


def _state(revision: int, *, has_ended: bool = False, json: str = "{}") -> Snapshot:
    return Snapshot(revision, has_ended, 0.0, float(revision), revision, 0, json)


def _revision(seen: tuple[View, object]) -> int:
    state = seen[0].state
    assert state is not None
    return state.revision


async def _revisions(hub: ViewerHub) -> list[int]:
    return [_revision(seen) async for seen in hub.view("b")]


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110  # any condition
            await asyncio.sleep(0.001)
