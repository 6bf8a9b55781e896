"""The viewer hub over a source that each test controls."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from structlog.testing import capture_logs

from services.gateway.contract.answers import Answer
from services.gateway.live import viewer_hub
from services.gateway.live.batch_topic import View
from services.gateway.live.problems import away
from tests.unit.gateway.live_source import ENDED, SECONDS_MAX, Hub, Source, batch, hub_of, until


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Return a source of one batch, of which nothing is waited for."""
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MIN", 0.0)
    return Source()


async def views_of(hub: Hub, batch_id: str = "b") -> AsyncGenerator[View, None]:
    """Yield each view of a batch until the last."""
    flag = asyncio.Event()
    with hub.viewing(batch_id, flag) as topic:
        shown = View(None, None)
        while not shown.is_last and not hub.is_closed:
            flag.clear()
            if topic.view == shown:
                async with asyncio.timeout(SECONDS_MAX):
                    await flag.wait()
            else:
                shown = topic.view
                yield shown


def revision(view: View) -> int:
    """Return the revision that is viewed."""
    assert view.state is not None
    return view.state.revision


async def revisions(hub: Hub) -> list[int]:
    """View a batch to its end."""
    return [revision(view) async for view in views_of(hub)]


async def test_all_viewers_share_one_watch(source: Source) -> None:
    hub = hub_of(source)
    viewing = [asyncio.create_task(revisions(hub)) for _ in range(1_000)]
    await until(lambda: source.open == 1)
    source.change(batch(2, ENDED))
    assert {seen[-1] for seen in await asyncio.gather(*viewing)} == {2}
    assert len(source.opened) == 1


async def test_a_slow_viewer_skips_states(source: Source) -> None:
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        assert revision(await anext(views)) == 1
        source.change(*(batch(number) for number in range(2, 50)))
        await until(lambda: source.news.empty() and source.now.revision == 49)
        assert revision(await anext(views)) >= 48
    await hub.close()


async def test_states_are_taken_while_viewers_are_woken(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 viewers take longer than the next state: they would see older and older ones."""

    async def never_done(_topic: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(viewer_hub, "_wake_viewers", never_done)
    hub = hub_of(source)
    with hub.viewing("b", asyncio.Event()) as topic:
        source.change(*(batch(number) for number in range(2, 50)))
        await until(lambda: topic.revision == 49)
    await hub.close()


async def test_the_watch_ends_with_the_last_viewer(source: Source) -> None:
    hub = hub_of(source)
    first, second = views_of(hub), views_of(hub)
    await anext(first)
    await anext(second)
    await first.aclose()
    await asyncio.sleep(0)
    assert (source.open, hub.watches) == (1, 1)
    await second.aclose()
    await until(lambda: source.open == 0)
    assert hub.watches == 0


async def test_a_cut_watch_resumes_by_revision(source: Source) -> None:
    """Viewers see no problem if the next try succeeds."""
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.change(batch(2))
        await anext(views)
        source.change(away())
        await until(lambda: len(source.opened) == 2)
        source.change(batch(3))
        view = await anext(views)
    assert source.opened == [("b", 0), ("b", 2)]
    assert (view.problem, revision(view)) == (None, 3)
    await hub.close()


async def test_viewers_see_the_end_of_a_batch_whose_last_changes_the_database_lost(source: Source) -> None:
    """A watch may begin below the last revision, after a fail-over."""
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.change(batch(9))
        await anext(views)
        source.now = batch(3)
        source.change(away())
        assert revision(await anext(views)) == 3
        source.change(batch(4, ENDED))
        assert [revision(view) async for view in views] == [4]


async def test_viewers_see_that_the_server_is_away_and_that_it_is_back(source: Source) -> None:
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.is_away = True
        source.change(away())
        problem = await anext(views)
        source.is_away = False
        back = await anext(views)
    assert problem.problem is not None
    assert (back.problem, revision(back)) == (None, 1)
    await hub.close()


async def test_a_stall_is_seen_although_it_changes_no_revision(source: Source) -> None:
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.now = batch(1, stall_reason="no result for 5 minutes")
        source.change(None)
        view = await anext(views)
    assert view.state is not None
    assert b"no result for 5 minutes" in view.state.events
    await hub.close()


async def test_a_late_read_replaces_no_newer_state(source: Source) -> None:
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.change(batch(9))
        await anext(views)
        source.now = batch(8)
        source.change(None, batch(10))
        assert revision(await anext(views)) == 10
    await hub.close()


async def test_a_batch_that_was_replaced_ends_its_views(source: Source) -> None:
    """Otherwise viewers would see the old batch until the new one has as many revisions."""
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.change(batch(2, create_time=Timestamp(seconds=1)))
        (last,) = [view async for view in views]
    assert last.problem is not None
    assert last.problem.is_final


async def test_a_watch_that_ends_before_its_batch_is_opened_again(source: Source) -> None:
    hub = hub_of(source)
    async with aclosing(views_of(hub)) as views:
        await anext(views)
        source.change(EOFError())
        await until(lambda: len(source.opened) == 2)
        source.change(batch(2, ENDED))
        assert [revision(view) async for view in views] == [2]


async def test_a_defect_is_logged_once_and_survived(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_hub, "RETRY_SECONDS_MAX", 0.0)
    hub = hub_of(source)
    with capture_logs() as logs:
        async with aclosing(views_of(hub)) as views:
            await anext(views)
            source.change(RuntimeError("a defect"), batch(2, ENDED))
            problems = [view.problem async for view in views]
    assert [problem and problem.answer.code.value for problem in problems][-1] is None
    assert [log["event"] for log in logs] == ["unexpected error"]


async def test_viewers_of_a_batch_and_watched_batches_are_bounded(source: Source) -> None:
    hub = hub_of(source, topic_viewers_max=1, topics_max=1)
    flag = asyncio.Event()
    with hub.viewing("b", flag):
        for batch_id in ("b", "another"):
            with pytest.raises(Answer, match="this gateway"), hub.viewing(batch_id, asyncio.Event()):
                pass
    with hub.viewing("another", flag):
        assert hub.watches == 1
    await hub.close()


async def test_closing_ends_every_view_and_watch(source: Source) -> None:
    hub = hub_of(source)
    viewing = asyncio.create_task(revisions(hub))
    await until(lambda: source.open == 1)
    await hub.close()
    await viewing
    assert source.open == 0
