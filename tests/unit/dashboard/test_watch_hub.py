"""The hub over a source that does what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest
from structlog.testing import capture_logs

from services.dashboard import watch_hub
from services.dashboard.errors import BatchUnknown, Defective, ServerAway, TooMany
from services.dashboard.states import BatchState
from services.dashboard.topic import View
from services.dashboard.watch_hub import WatchHub

SECONDS_MAX = 10.0


class Source:
    """Streams that a test fills and breaks."""

    def __init__(self) -> None:
        """Begin with no stream and revision 1."""
        self.now = _state(1)
        self.opened: list[tuple[str, int]] = []
        self.open = 0
        self.news: asyncio.Queue[BatchState | Exception] = asyncio.Queue()

    async def get_batch(self, _batch_id: str) -> BatchState:
        """Answer the state of now."""
        return self.now

    async def watch(self, batch_id: str, after_revision: int) -> AsyncIterator[BatchState]:
        """Yield the news, or break."""
        self.opened.append((batch_id, after_revision))
        self.open += 1
        try:
            if self.now.revision > after_revision:
                yield self.now
            while True:
                news = await self.news.get()
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


async def test_one_stream_for_all_viewers(source: Source) -> None:
    """However many view a batch, one stream is opened, and all see its end."""
    hub = _hub(source)
    viewing = [asyncio.create_task(_revisions(hub)) for _ in range(1_000)]
    await _until(lambda: source.open == 1)
    source.news.put_nowait(_state(2, has_ended=True))
    assert {revisions[-1] for revisions in await asyncio.gather(*viewing)} == {2}
    assert len(source.opened) == 1


async def test_a_slow_viewer_skips_states(source: Source) -> None:
    """A viewer who does not look for a while is shown the newest state, not each in turn."""
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        assert _revision(await anext(views)) == 1
        for revision in range(2, 50):
            source.news.put_nowait(_state(revision))
        await _until(lambda: source.now.revision == 49)
        assert _revision(await anext(views)) >= 48
    await hub.close()


async def test_the_stream_ends_after_the_last_viewer(source: Source) -> None:
    """The stream stays as long as anybody views, and goes when nobody does."""
    hub = _hub(source)
    first, second = hub.view("b"), hub.view("b")
    await anext(first)
    await anext(second)
    await first.aclose()
    await asyncio.sleep(0)
    assert source.open == 1
    await second.aclose()
    await _until(lambda: source.open == 0)


async def test_loading_again_keeps_the_history(source: Source) -> None:
    """Whoever comes back soon finds the stream, and what it has shown."""
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
    """A stream that breaks once is opened after the last revision, and nobody hears of it."""
    monkeypatch.setattr(watch_hub, "RETRY_SECONDS_MIN", 0.0)
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.news.put_nowait(ServerAway())
        await _until(lambda: len(source.opened) == 2)
        source.news.put_nowait(_state(2))
        view, _ = await anext(views)
    assert source.opened == [("b", 0), ("b", 1)]
    assert (view.problem, view.state and view.state.revision) == (None, 2)
    await hub.close()


async def test_a_server_that_is_away_is_told_and_its_return_too(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the second try viewers hear of it; when the server is back they do, although nothing changed."""
    monkeypatch.setattr(watch_hub, "RETRY_SECONDS_MIN", 0.0)
    monkeypatch.setattr(watch_hub, "SILENT_SECONDS", 10 * SECONDS_MAX)  # nor is it asked for in a silence
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


async def test_a_defect_is_told_and_outlived(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect leaves no viewer waiting: it is told each time, logged once, and a new stream is opened."""
    monkeypatch.setattr(watch_hub, "RETRY_SECONDS_MAX", 0.0)
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


async def test_a_silent_batch_is_asked_for(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall sends nothing: after a silence the batch is asked for, at the same revision."""
    monkeypatch.setattr(watch_hub, "SILENT_SECONDS", 0.01)
    hub = _hub(source)
    async with aclosing(hub.view("b")) as views:
        await anext(views)
        source.now = _state(1, json="stalled")
        view, _ = await anext(views)
        while view.state and view.state.json != "stalled":
            view, _ = await anext(views)
    await hub.close()


async def test_an_unknown_batch_ends_its_views(source: Source) -> None:
    """Of a batch that is not there viewers are told, once."""
    hub = _hub(source)
    source.now = _state(0)
    source.news.put_nowait(BatchUnknown())
    assert [type(view.problem) async for view, _ in hub.view("b")] == [BatchUnknown]


async def test_bounded(source: Source) -> None:
    """No more viewers, and no more batches, than may be; a batch that nobody views makes room."""
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


async def test_closing_ends_all(source: Source) -> None:
    """When the hub is closed every view ends, and every stream."""
    hub = _hub(source)
    viewing = asyncio.create_task(_revisions(hub))
    await _until(lambda: source.open == 1)
    await asyncio.sleep(0)
    await hub.close()
    await viewing
    assert source.open == 0


def _hub(source: Source, **options: float) -> WatchHub:
    chosen = {"viewers_max": 1_000, "watches_max": 10, "linger_seconds": 0.0} | options
    return WatchHub(source, **chosen)  # type: ignore[arg-type]  # numbers


def _state(revision: int, *, has_ended: bool = False, json: str = "{}") -> BatchState:
    return BatchState(revision, has_ended, 0.0, float(revision), revision, 0, json)


def _revision(seen: tuple[View, object]) -> int:
    state = seen[0].state
    assert state is not None
    return state.revision


async def _revisions(hub: WatchHub) -> list[int]:
    return [_revision(seen) async for seen in hub.view("b")]


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not is_so():  # noqa: ASYNC110  # of any condition
            await asyncio.sleep(0.001)
