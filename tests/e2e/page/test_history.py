"""The plot of a batch shows what happened when nobody watched."""

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from batches.batch import Tally
from batches.history import HistoryPoint, RecentPoints, pack_recent
from batches.store import schema
from batches.store.database import Database
from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.more("draws in a browser"),
]

JOBS = 100
HOUR_SECONDS = 3_600
LINE = ".line:not(.failed):not(.waiting):not(.unwatched)"
WIDTHS = f"""() => {{
    const line = document.querySelector("{LINE}")?.getAttribute("d") ?? "";
    const steps = line.match(/[MHV][\\d.]+/g) ?? [];
    const at = steps.filter((one) => !one.startsWith("V")).map((one) => Number(one.slice(1)));
    return at.slice(1).map((one, index) => one - at[index]);
}}"""
"""How far the line is flat between two changes, in pixels."""


async def keep(shown: Scene, batch_id: str, points: Sequence[tuple[float, int]]) -> None:
    """Make a batch look as if it had begun two hours ago and grown so, in seconds and succeeded jobs."""
    database = Database(shown.database_url, connections_max=1)
    table = schema.batches
    is_it = table.c.batch_id == batch_id
    async with database.engine.begin() as connection:
        row = (await connection.execute(select(table.c.last_result_time).where(is_it))).one()
        begin = row.last_result_time - timedelta(hours=2)
        kept = [
            HistoryPoint(begin + timedelta(seconds=seconds), JOBS, Tally(jobs)) for seconds, jobs in points
        ]
        recent = pack_recent(RecentPoints(0, kept)) if kept else None
        moved = {"create_time": begin, "recent_history": recent}
        await connection.execute(update(table).where(is_it).values(moved))
    await database.close()


async def complete(shown: Scene, batch_id: str) -> None:
    """Complete a batch without a failure."""
    await shown.create(batch_id, JOBS)
    await shown.report_succeeded(batch_id, JOBS)


async def test_stall_that_nobody_watched_is_flat(shown: Scene, watched: WatchedPage) -> None:
    """The page is opened after the end of the batch."""
    await complete(shown, "unwatched")
    points = [(0.0, 0), *((10.0 * number, 3 * number) for number in range(1, 11)), (HOUR_SECONDS, 31)]
    await keep(shown, "unwatched", points)
    await watched.page.goto(f"{shown.url}/batch?id=unwatched")
    await watched.page.wait_for_function(f"() => ({WIDTHS})().length > 5")
    widths = await watched.value(WIDTHS)
    stall, rest = sorted(widths)[-2:]
    assert len(widths) == len(points)
    assert 0.95 < (stall + min(widths)) / rest < 1.05
    assert max(sorted(widths)[:-2]) < stall / 100
    assert await watched.text("#plot-gap") == ""


async def test_changes_are_added_to_the_history(shown: Scene, watched: WatchedPage) -> None:
    await shown.create("running", JOBS)
    await shown.report_succeeded("running", 10)
    await watched.page.goto(f"{shown.url}/batch?id=running")
    await watched.shows("#percent", "10")
    await shown.report_succeeded("running", 60)
    await watched.shows("#percent", "60")
    await watched.page.wait_for_function(f"() => ({WIDTHS})().length >= 2")
    label = await watched.page.locator("#plot svg").get_attribute("aria-label")
    assert label is not None
    assert re.match("60 of 100 jobs had ended", label)


async def test_batch_of_an_older_server_says_that_no_history_was_kept(
    shown: Scene, watched: WatchedPage
) -> None:
    """No line is drawn from its creation to its end."""
    await complete(shown, "old")
    await keep(shown, "old", [])
    await watched.page.goto(f"{shown.url}/batch?id=old")
    await watched.shows("#plot-gap", "No history was kept.")
    assert await watched.value(WIDTHS) == []


async def test_server_without_histories_is_enough_for_a_page(shown: Scene, watched: WatchedPage) -> None:
    await complete(shown, "older")
    await watched.page.route("**/GetBatchHistory", lambda route: route.fulfill(status=501, json={}))
    await keep(shown, "older", [(0.0, 0)])
    await watched.page.goto(f"{shown.url}/batch?id=older")
    await watched.shows("#plot-gap", "No history was kept.")
