"""The list with filters, orders and a text that is searched."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Route

from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

BATCHES_SEARCHED = 260
"""More batches than one call of a search reads."""
CREATED_AT_ONCE = 10
"""SQLite has one writer; on a busy machine the last of many would wait too long."""
ROWS_MAX = 50


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _batches(shown: Scene) -> None:
    await shown.create("needle", 1, "The one that is sought", {"team": "lab"})
    for first in range(0, BATCHES_SEARCHED, CREATED_AT_ONCE):
        numbers = range(first, min(first + CREATED_AT_ONCE, BATCHES_SEARCHED))
        await asyncio.gather(*(shown.create(f"hay-{n}", 1, labels={"team": "lab"}) for n in numbers))
    await shown.create("stuck", 4, "Stuck since an hour")
    await shown.report("stuck", range(1))
    await shown.let_time_pass("stuck")
    await shown.create("failing", 900, "Failing", {"team": "lab"})
    await shown.report("failing", range(700))


async def test_text_is_found_in_batches_beyond_the_first_call(shown: Scene, watched: WatchedPage) -> None:
    """The server cannot search text, so the page reads on until it has searched all batches."""
    await watched.page.goto(f"{shown.url}/?label=team%3Dlab&text=SOUGHT")
    await watched.shows(".row", "The one that is sought")
    await watched.shows("#count", "1 shown")
    await watched.page.get_by_label("Search").fill("nowhere")
    await watched.shows("#empty", "No matching batch")


async def test_id_is_found_before_other_batches_are_searched(shown: Scene, watched: WatchedPage) -> None:
    """By one call for the id and one for its beginning, however many batches there are."""

    async def hold(route: Route) -> None:
        asked = route.request.post_data_json
        if asked and "batchIdPrefix" not in asked:
            await asyncio.Event().wait()
        await route.continue_()

    await watched.page.route("**/ListBatches", hold)
    await watched.page.goto(f"{shown.url}/?text=needle")
    await watched.shows(".row", "The one that is sought")
    await watched.page.get_by_label("Search").fill("hay-1")
    await watched.shows(".row:first-child", "hay-1")
    assert await watched.page.locator(".row").count() == ROWS_MAX + 1
    await watched.page.unroute_all(behavior="ignoreErrors")


async def test_stalled_and_failing_batches_are_listed_and_counted(shown: Scene, watched: WatchedPage) -> None:
    await watched.page.goto(f"{shown.url}/")
    await watched.shows(".segments", f"Running {BATCHES_SEARCHED + 3}")
    await watched.shows(".segments", "Stalled 1")
    await watched.page.locator("label:has([value=STALLED])").click()
    await watched.shows("#count", "1 shown")
    await watched.shows(".row", "Stuck since an hour")
    await watched.page.locator("label:has([value=''])").click()
    await watched.page.get_by_role("checkbox").check()
    await watched.shows("#count", "1 shown")
    await watched.shows(".row", "Failing")


async def test_batches_of_a_time_are_listed(shown: Scene, watched: WatchedPage) -> None:
    """The field is in local time, and the address in UTC."""
    await watched.page.goto(f"{shown.url}/")
    later = datetime.now(UTC) + timedelta(hours=2)
    local = await watched.value(
        f"new Date({later.timestamp() * 1000} - new Date().getTimezoneOffset() * 60000).toISOString()"
    )
    await watched.page.get_by_label("Created from").fill(local[:16])
    await watched.page.get_by_label("Created from").dispatch_event("change")
    await watched.shows("#empty", "No matching batch")
    assert f"from={later:%Y-%m-%dT%H}%3A{later:%M}%3A00Z" in watched.page.url
    await watched.page.goto(watched.page.url.replace("from=", "until="))
    await watched.shows("#count", "50 of 263 shown, newest first")


async def test_loaded_batches_are_sorted(shown: Scene, watched: WatchedPage) -> None:
    await watched.page.goto(f"{shown.url}/")
    await watched.page.get_by_label("Order").select_option("Most failures")
    await watched.shows(".row:first-child", "Failing")
    await watched.page.get_by_label("Order").select_option("Oldest first")
    await watched.shows(".row:first-child", "The one that is sought")
    await watched.page.get_by_role("link", name="Next").click()
    await watched.shows("#count", "50 shown")
    await watched.shows(".row:first-child", "hay-")
    assert await watched.page.locator(".row").count() == ROWS_MAX
    await watched.page.get_by_label("Order").select_option("Least time left")
    await watched.shows(".row:first-child", "Failing")


async def test_text_that_was_just_typed_is_kept_by_another_filter(shown: Scene, watched: WatchedPage) -> None:
    await watched.page.goto(f"{shown.url}/")
    await watched.page.clock.install()  # no pause in typing is noticed
    await watched.page.get_by_label("Search").fill("failing")
    await watched.page.get_by_role("checkbox").check()
    assert await watched.page.get_by_label("Search").input_value() == "failing"
    assert "text=failing&failures=1" in watched.page.url


async def test_back_and_forward_restore_the_filters(shown: Scene, watched: WatchedPage) -> None:
    """A batch links back to the list as it was, and a link in another tab shows the same list."""
    await watched.page.goto(f"{shown.url}/")
    await watched.page.locator("label:has([value=STALLED])").click()
    await watched.shows("#count", "1 shown")
    await watched.page.get_by_label("Search").press_sequentially("stuck", delay=20)
    await watched.page.wait_for_url("**text=stuck")
    await watched.page.get_by_label("Order").select_option("Most failures")
    address = watched.page.url
    await watched.page.get_by_role("link", name="Stuck since an hour").click()
    await watched.shows("#state", "Stalled")
    await watched.page.get_by_role("link", name="All batches").click()
    await watched.shows(".row", "Stuck since an hour")
    assert watched.page.url == address
    assert await watched.page.get_by_label("Order").input_value() == "failures"
    for _ in range(4):  # to the batch, the list that was left, the list without an order, and without a text
        await watched.page.go_back()
    await watched.page.wait_for_url("**/?state=STALLED")
    await watched.shows("#count", "1 shown")
    assert await watched.page.get_by_label("Search").input_value() == ""
    assert await watched.page.get_by_label("Stalled").is_checked()
    await watched.page.go_forward()
    assert await watched.page.get_by_label("Search").input_value() == "stuck"
