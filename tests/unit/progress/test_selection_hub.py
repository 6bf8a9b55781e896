"""What a watch of many batches is sent, from which position, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import pytest

from batches.batch import Batch
from batches.errors import DatabaseUnavailable
from services.progress import selection, selection_hub, selection_watch
from services.progress import watch as watch_module
from services.progress.errors import (
    HistoryRewound,
    ShuttingDown,
    TooManyBatches,
    TooManyWatches,
    WatchTooSlow,
)
from services.progress.selection_watch import EndedSince
from tests.unit.progress.memory_store import NOW
from tests.unit.progress.selection_scene import (
    Scene,
    batch,
    ended,
    first_ids,
    next_of,
    revisions,
    turns,
)


async def test_equal_filters_are_loaded_once() -> None:
    """A second watcher costs no read."""
    scene = Scene(batch(2), batch(1))
    async with aclosing(scene.watch()) as first, aclosing(scene.watch()) as second:
        assert await scene.begun(first) == ["b2", "b1"]
        assert await scene.begun(second) == ["b2", "b1"]
        assert scene.loads == 1
        assert set(scene.hub.versions()) == {"b1", "b2"}
    assert scene.hub.versions() == {}


async def test_slow_watcher_gets_the_newest_state_only() -> None:
    """Skipped states are not kept."""
    scene = Scene(batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        for revision in (2, 3, 4):
            scene.tick(batch(1, revision))
        assert revisions(await next_of(watch)) == [("b1", 4)]


async def test_every_end_is_sent_to_a_slow_watcher() -> None:
    """Before other states."""
    scene = Scene(batch(3), batch(2), batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.tick(batch(3, 2), ended(2))
        scene.tick(ended(1))
        assert revisions(await next_of(watch)) == [("b2", 2), ("b1", 2)]
        assert revisions(await next_of(watch)) == [("b3", 2)]


async def test_position_moves_only_when_every_end_before_it_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a resumed watch would miss those that wait."""
    monkeypatch.setattr(selection_watch, "CHUNK_BATCHES", 1)
    scene = Scene(batch(2), batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.tick(ended(2), ended(1))
        first = await next_of(watch)
        assert first.position == first.position_before
        second = await next_of(watch)
        assert second.position_before == first.position
        assert second.position == NOW + timedelta(seconds=scene.seconds)


async def test_watcher_that_reads_no_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is bounded; it resumes by its token."""
    monkeypatch.setattr(selection_watch, "UNSENT_ENDS_MAX", 1)
    scene = Scene(batch(2), batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.tick(ended(2), ended(1))
        with pytest.raises(WatchTooSlow):
            await next_of(watch)


async def test_deleted_batch_is_gone_and_its_successor_is_sent() -> None:
    """Whether the deletion or the replacement is seen."""
    scene = Scene(batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.tick(gone=["b1"])
        assert (await next_of(watch)).gone == ("b1",)
        scene.tick(new=[batch(2)])
        assert revisions(await next_of(watch)) == [("b2", 1)]
        scene.tick(replace(batch(9, 1), batch_id="b2"))
        news = await next_of(watch)
        assert [one.batch.batch_key for one in news.snapshots] == [9]


async def test_successor_that_does_not_match_is_gone() -> None:
    """Its labels are its own."""
    mine = replace(batch(1), labels={"team": "data"})
    scene = Scene(mine)
    async with aclosing(scene.watch(team="data")) as watch:
        await scene.begun(watch)
        scene.tick(replace(batch(9), batch_id="b1"))
        assert (await next_of(watch)).gone == ("b1",)


async def test_too_many_batches_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning and later."""
    monkeypatch.setattr(selection, "SELECTED_MAX", 2)
    scene = Scene(batch(2), batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.tick(new=[batch(3)])
        with pytest.raises(TooManyBatches):
            await next_of(watch)
    scene.under_way.append(batch(3))
    async with aclosing(scene.watch()) as watch:
        with pytest.raises(TooManyBatches):
            await scene.begun(watch)


async def test_selections_of_a_server_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them has a place for each of its batches."""
    monkeypatch.setattr(selection_hub, "SELECTED_TOTAL_MAX", 3)
    scene = Scene(*(replace(batch(number), labels={"a": "1", "b": "1"}) for number in (1, 2)))
    async with aclosing(scene.watch(a="1")) as first, aclosing(scene.watch(b="1")) as second:
        await scene.begun(first)
        with pytest.raises(TooManyWatches):
            await scene.begun(second)
        scene.tick(ended(1), ended(2))
        assert len(revisions(await next_of(first))) == 2
    assert scene.hub.watches == 0


async def test_older_state_ends_the_watch_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that lags behind catches up before that."""
    scene = Scene(batch(1, 5))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.tick(batch(1, 4))
        scene.tick(batch(1, 6))
        assert revisions(await next_of(watch)) == [("b1", 6)]
        scene.tick(batch(1, 4))
        monkeypatch.setattr(watch_module, "OLDER_SECONDS_MAX", 0.0)
        scene.tick()
        with pytest.raises(HistoryRewound):
            await next_of(watch)


async def test_unreadable_store_ends_new_watches_at_once_and_others_later() -> None:
    """As a watch of one batch."""
    scene = Scene(batch(1))
    async with aclosing(scene.watch()) as watch:
        beginning = asyncio.create_task(next_of(watch))
        await turns()
        scene.hub.begin_read()
        scene.hub.fail([])
        with pytest.raises(DatabaseUnavailable):
            await beginning
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        scene.hub.fail(["b1"])
        waiting = asyncio.create_task(next_of(watch))
        await turns()
        assert not waiting.done()
        scene.hub.fail(["b1"], for_long=True)
        with pytest.raises(DatabaseUnavailable):
            await waiting


async def test_closed_hub_ends_the_watches() -> None:
    """Their clients go on elsewhere."""
    scene = Scene(batch(1))
    async with aclosing(scene.watch()) as watch:
        await scene.begun(watch)
        waiting = asyncio.create_task(next_of(watch))
        await turns()
        scene.hub.close()
        with pytest.raises(ShuttingDown):
            await waiting


async def test_ends_since_the_last_watch_come_after_the_first_states() -> None:
    """With the old position, until all of them were sent."""

    async def pages() -> AsyncIterator[Sequence[Batch]]:
        yield [ended(3), ended(2)]

    scene = Scene(batch(1))
    since = NOW - timedelta(hours=1)
    async with aclosing(scene.watch(since=EndedSince(since, pages()))) as watch:
        scene.tick()
        beginning = asyncio.create_task(next_of(watch))
        await turns()
        scene.tick()
        first = await beginning
        assert (revisions(first), first.position) == ([("b1", 1)], since)
        second = await next_of(watch)
        assert (revisions(second), second.position_before) == ([("b3", 2), ("b2", 2)], since)
        scene.tick()
        assert (await next_of(watch)).position == NOW + timedelta(seconds=scene.seconds)


async def test_batch_that_others_watch_already_is_told_once_it_is_replaced() -> None:
    """A load that finds the successor first tells the watchers of its predecessor."""
    scene = Scene(batch(1))
    async with aclosing(scene.watch()) as first:
        await scene.begun(first)
        scene.under_way = [replace(batch(9), batch_id="b1", labels={"a": "1"})]
        async with aclosing(scene.watch(a="1")) as second:
            assert await scene.begun(second) == ["b1"]
        news = await next_of(first)
        assert [one.batch.batch_key for one in news.snapshots] == [9]


async def test_first_states_are_complete_after_a_read_that_began_after_the_watch() -> None:
    """A batch that was created just before is among them, even if others have the filter already."""
    scene = Scene(batch(1))
    async with aclosing(scene.watch()) as first, aclosing(scene.watch()) as second:
        await scene.begun(first)
        beginning = asyncio.create_task(first_ids(second))
        await turns()
        assert not beginning.done()
        scene.tick(new=[batch(2)])
        assert await beginning == ["b1", "b2"]
