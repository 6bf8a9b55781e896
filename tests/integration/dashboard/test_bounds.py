"""What requests may cost the progress server, and other viewers."""

import asyncio

import pytest

from services.dashboard.errors import Busy, InvalidQuestion
from tests.support.dashboard import dashboard
from tests.support.progress import Served

NOWHERE = "127.0.0.1:1"
FINGERPRINT = "0123456789abcdef"
SEARCHES = 100


@pytest.mark.parametrize("route", ["events", "failures", "failed-jobs", "pending-jobs", "repairs"])
async def test_an_id_that_no_batch_can_have_is_refused_at_once(route: str) -> None:
    """No call is made and no place taken: there is no server, and the page would wait for it."""
    async with dashboard(NOWHERE, viewers_max=1, watches_max=1) as page:
        for batch_id in ("", "a b", "ä", "a\x00b", "a\n", 129 * "a", ["a", "b c"]):
            answer = await page.get(f"/api/batch/{route}", id=batch_id, fingerprint=FINGERPRINT)
            assert (answer.status, answer.json) == (400, {"message": str(InvalidQuestion())})


async def test_unknown_batches_take_no_place_of_others(progress: Served) -> None:
    """However many a page asks for, the next viewer gets the only place."""
    await progress.create("b", 1)
    async with dashboard(f"127.0.0.1:{progress.port}", watches_max=1) as page:
        for number in range(20):
            async with page.events(f"none-{number}") as events:
                assert (await anext(events)).name == "unknown"
        async with page.events("b") as events:
            assert (await anext(events)).name == "history"


async def test_different_searches_beyond_the_limit_are_asked_to_come_again(progress: Served) -> None:
    """Equal ones share one search."""
    await progress.create("b", 1)
    async with dashboard(f"127.0.0.1:{progress.port}") as page:
        same = await asyncio.gather(*(page.get("/api/batches", text=text) for text in 20 * ["b", "B "]))
        assert {answer.status for answer in same} == {200}
        asked = await asyncio.gather(*(page.get("/api/batches", text=f"b{n}") for n in range(SEARCHES)))
        refused = [answer for answer in asked if answer.status == 503]
        assert {answer.status for answer in asked} <= {200, 503}
        assert all(answer.json == {"message": str(Busy())} for answer in refused)
        assert all(answer.headers["retry-after"] for answer in refused)
