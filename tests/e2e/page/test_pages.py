"""The pages with hostile names, keyboard, phone, dark scheme, screen reader, and failures."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.page.page_scripts import DURATIONS, IS_DARK, TOO_PALE
from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage, watched_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOBS_TRACED = 300
"""More jobs than one page shows."""
HOSTILE_ID = "<script>window.pwned=1</script>" + "&%22'/../?#" + "W" * 80
HOSTILE_NAME = "<img src=x onerror=window.pwned=1>" + "\N{RIGHT-TO-LEFT OVERRIDE}" + "long" * 30
HOSTILE_LABEL = "\"'><svg onload=window.pwned=1>"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _batches(shown: Scene) -> None:
    await shown.create("imports", 400, "October import", {"team": "billing"})
    await shown.report("imports", range(400))
    await shown.create(HOSTILE_ID, 200, HOSTILE_NAME, {"q": HOSTILE_LABEL})
    await shown.report(HOSTILE_ID, range(150))


async def test_hostile_names_are_text(shown: Scene, watched: WatchedPage) -> None:
    """Names, ids and labels are shown as text, and scripts in them do not run."""
    await watched.page.goto(f"{shown.url}/")
    await watched.page.get_by_role("link", name=HOSTILE_NAME).click()
    await watched.shows("#percent", "75")
    assert await watched.value("document.getElementById('name').textContent") == HOSTILE_NAME
    assert await watched.value("document.getElementById('id').textContent") == HOSTILE_ID
    await watched.page.get_by_role("link", name=f"q={HOSTILE_LABEL}").click()
    await watched.shows("#count", "1 shown")
    assert await watched.value("window.pwned") is None


async def test_the_list_is_live(shown: Scene, watched: WatchedPage) -> None:
    """New batches appear and bars move without a reload; state, label and text filter the list."""
    await watched.page.goto(f"{shown.url}/")
    await watched.shows(".row", "October import")
    await shown.create("fresh", 10, "Fresh from the queue", {"team": "media"})
    await watched.shows(".row:first-child", "Fresh from the queue")
    await shown.report("fresh", range(4))
    await watched.shows(".row:first-child .row-percent", "40 %")
    await watched.page.locator("label:has([value=COMPLETED])").click()
    await watched.shows("#count", "1 shown")
    await watched.page.locator("label:has([value=''])").click()
    await watched.shows("#count", "3 shown")
    await watched.page.get_by_label("Search").fill("FRESH")
    await watched.shows("#count", "1 shown")
    await watched.page.get_by_label("Search").fill("")
    await watched.shows("#count", "3 shown")
    await watched.page.get_by_label("Label", exact=True).fill("team=billing")
    await watched.page.keyboard.press("Enter")
    await watched.shows("#count", "1 shown")
    assert "label=team%3Dbilling" in watched.page.url
    await watched.page.get_by_role("button", name="Remove the label team=billing").click()
    await watched.shows("#count", "3 shown")


async def test_pages_work_with_the_keyboard(shown: Scene, watched: WatchedPage) -> None:
    """The skip link comes first; Enter opens a batch and a group of failures."""
    await watched.page.goto(f"{shown.url}/")
    await watched.shows(".row", "October import")
    await watched.page.keyboard.press("Tab")
    assert await watched.value("document.activeElement.textContent") == "Skip to the batches"
    await watched.page.keyboard.press("Enter")
    assert await watched.value("document.activeElement.id") == "content"
    await _tab_to(watched, "October import")
    await watched.page.keyboard.press("Enter")
    await watched.shows("#failures", "TimeoutError")
    await _tab_to(watched, "TimeoutError")
    assert await watched.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await watched.page.keyboard.press("Enter")
    await watched.shows(".failure-jobs", "job-00003")
    await watched.shows(".failure-jobs .job-name", "imports.row 3")
    assert await watched.value("document.activeElement.getAttribute('aria-expanded')") == "true"


async def test_group_that_is_opened_twice_shows_each_job_once(shown: Scene, watched: WatchedPage) -> None:
    """This holds even if the first answer comes late."""
    second_answered, first_answered = asyncio.Event(), asyncio.Event()
    questions: list[Route] = []

    async def answer(route: Route) -> None:
        questions.append(route)
        if len(questions) > 1:
            await route.continue_()
            return
        response = await route.fetch()
        await second_answered.wait()
        await route.fulfill(response=response)
        first_answered.set()

    await watched.page.route("**/ListJobResults", answer)
    await watched.page.goto(f"{shown.url}/batch?id=imports")
    group = watched.page.get_by_role("button", name="TimeoutError")
    for _ in range(3):
        await group.click()
    await watched.shows(".failure-jobs tbody", "job-00003")
    jobs = await watched.page.locator(".failure-jobs tbody tr").count()
    second_answered.set()
    await first_answered.wait()
    await watched.value("fetch('static/list.js').then((answer) => answer.text())")
    assert await watched.page.locator(".failure-jobs tbody tr").count() == jobs


async def test_group_of_many_jobs_is_paged(shown: Scene, watched: WatchedPage) -> None:
    """A page that could not be loaded can be loaded again."""
    await shown.create("traced", JOBS_TRACED)
    await shown.report_failures("traced", JOBS_TRACED, "Traceback:\n  line {}\nKeyError: 'id'")
    await watched.page.goto(f"{shown.url}/batch?id=traced")
    await watched.page.route("**/ListJobResults", lambda route: route.abort())
    await watched.page.get_by_role("button", name="KeyError").click()
    await watched.shows(".failure-jobs", "The gateway does not answer.")
    await watched.page.unroute("**/ListJobResults")
    await watched.page.get_by_role("button", name="Try again").click()
    await watched.shows(".failure-jobs", "250 jobs shown.")
    await watched.page.get_by_role("button", name="Show more").click()
    await watched.shows(".failure-jobs", f"job-{JOBS_TRACED - 1:05}")
    assert await watched.page.locator(".failure-jobs tbody tr").count() == JOBS_TRACED


async def test_batch_without_jobs_is_complete(shown: Scene, watched: WatchedPage) -> None:
    """It shows 100 % and no plot."""
    await shown.create("none", 0)
    await watched.page.goto(f"{shown.url}/batch?id=none")
    await watched.shows("#percent", "100")
    assert await watched.page.locator(".succeeded.part").get_attribute("style") == "width: 100%;"
    assert not await watched.page.is_visible("#plot")


async def test_page_says_that_too_many_jobs_failed(shown: Scene, watched: WatchedPage) -> None:
    """The list does so, too, and a screen reader."""
    limit = pb.FailureLimit(jobs=1)
    request = pb.CreateBatchRequest(batch_id="fragile", total_jobs=9, failure_limit=limit)
    await shown.stub.CreateBatch(request)
    await watched.page.goto(f"{shown.url}/batch?id=fragile")
    await watched.shows("#facts", "1 job")
    assert not await watched.page.is_visible("#stall")
    await shown.report_failures("fragile", 2, "no answer from {}")
    await watched.shows("#stall", "Cancelled")
    await watched.shows("#stall-reason", "More than 1 job failed.")
    await watched.shows("#news", "More than 1 job failed.")
    await watched.page.goto(f"{shown.url}/?text=fragile")
    await watched.shows(".row:first-child .row-pace", ": more than 1 job failed")


async def test_plot_of_several_days_shows_dates(shown: Scene, watched: WatchedPage) -> None:
    """The dates stand at both ends of the plot."""
    await shown.create("slow", 2)
    await watched.page.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=3))
    await watched.page.goto(f"{shown.url}/batch?id=slow")
    await watched.shows("#percent", "0")
    times = await watched.page.locator(".tick").filter(has_text=":").all_text_contents()
    assert [len(re.findall(r"^\d+ \w+, \d\d:\d\d$", time)) for time in times] == [1, 1]


async def test_pages_work_with_a_screen_reader(shown: Scene, watched: WatchedPage) -> None:
    """Bars have values in words, pages have headings and landmarks, and plots have a description."""
    await watched.page.goto(f"{shown.url}/batch?id=imports")
    await watched.shows("#percent", "100")
    bar = watched.page.get_by_role("progressbar")
    assert await bar.get_attribute("aria-valuenow") == "100"
    assert await bar.get_attribute("aria-valuetext") == "100 %, 400 of 400 jobs, 5 failed"
    assert await watched.page.get_by_role("heading", level=1).inner_text() == "October import"
    assert await watched.page.get_by_role("img", name="400 of 400 jobs").count() == 1
    assert await watched.text("#news") == "Completed with failures: 100 %, 400 of 400 jobs, 5 failed."
    for role in ("banner", "main"):
        assert await watched.page.get_by_role(role).count() == 1


async def test_pages_fit_a_phone(browser: Browser, shown: Scene) -> None:
    """Nothing is wider than the screen, even with long names."""
    async with watched_page(browser, **PHONE) as phone:
        await phone.page.goto(f"{shown.url}/")
        await phone.shows(".row", "<img")
        assert await phone.value("document.documentElement.scrollWidth") == 360
        await phone.page.get_by_role("link", name=HOSTILE_NAME).click()
        await phone.shows("#failures", "TimeoutError")
        await phone.page.get_by_role("button", name="TimeoutError").tap()
        await phone.shows(".failure-jobs", "job-00003")
        assert await phone.value("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_follow_the_colour_scheme(browser: Browser, shown: Scene, scheme: str) -> None:
    """All text has enough contrast in both schemes."""
    async with watched_page(browser, color_scheme=scheme) as page:
        for address in ("/", "/batch?id=imports"):
            await page.page.goto(shown.url + address)
            await page.shows("main", "October import")
            await page.shows("#connection", "Live" if address == "/" else "Ended")
            assert await page.value(IS_DARK) is (scheme == "dark")
            assert await page.value(TOO_PALE) == []


async def test_bars_do_not_glide_with_reduced_motion(browser: Browser, shown: Scene) -> None:
    """Bars change at once."""
    async with watched_page(browser, reduced_motion="reduce") as page:
        await page.page.goto(f"{shown.url}/")
        await page.shows(".row", "October import")
        assert set(await page.value(DURATIONS)) == {"0s"}


async def test_tallies_stand_on_one_line(shown: Scene, watched: WatchedPage) -> None:
    await watched.page.goto(f"{shown.url}/batch?id=imports")
    await watched.shows("#percent", "100")
    tops = "[...document.querySelectorAll('#tallies > div')].map((one) => one.getBoundingClientRect().top)"
    assert len(set(await watched.value(tops))) == 1


async def test_a_stalled_batch_shows_its_pending_jobs(shown: Scene, watched: WatchedPage) -> None:
    """The section disappears when a result arrives."""
    await shown.create("pending", 4)
    await shown.report("pending", range(2))
    await shown.let_time_pass("pending")
    await shown.look("pending", ["job-00002", "<b>job</b>"])
    await watched.page.goto(f"{shown.url}/batch?id=pending")
    await watched.shows("#stall-reason", "2 jobs are still pending in Celery")
    await watched.shows("#pending-reason", "2 jobs are still pending in Celery.")
    await watched.shows("#pending", "job-00002")
    await watched.shows("#pending", "<b>job</b>")
    await shown.report("pending", range(2, 3))
    await watched.page.locator("#pending-card").wait_for(state="hidden")


async def test_page_only_reads_by_default(shown: Scene, watched: WatchedPage) -> None:
    """There is nothing to log in to, either."""
    await shown.create("unsealed", 3)
    await watched.page.goto(f"{shown.url}/batch?id=unsealed")
    await watched.shows("#percent", "0")
    settings = await watched.value("fetch('page.json').then((answer) => answer.json())")
    assert settings["changes"] is False
    assert not await watched.page.is_visible("#changes")


async def test_times_are_local_and_in_utc_on_hover(browser: Browser, shown: Scene) -> None:
    async with watched_page(browser, timezone_id="Asia/Kolkata") as watched:
        await watched.page.goto(f"{shown.url}/batch?id=imports")
        await watched.shows("#facts", "Created")
        created = watched.page.locator("#facts dd").first
        title = await created.get_attribute("title") or ""
        utc = datetime.strptime(title.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z")
        assert f"{utc + timedelta(hours=5, minutes=30):%H:%M:%S}" in await created.inner_text()


async def test_printed_pages_are_dark_on_white_without_controls(browser: Browser, shown: Scene) -> None:
    async with watched_page(browser, color_scheme="dark") as watched:
        await watched.page.emulate_media(media="print")
        for address, gone in (("/", "#filters"), ("/batch?id=imports", "#connection")):
            await watched.page.goto(shown.url + address)
            await watched.shows("main", "October import")
            assert not await watched.value(IS_DARK)
            assert not await watched.page.is_visible(gone)


async def test_unknown_address_links_to_all_batches(shown: Scene, watched: WatchedPage) -> None:
    answer = await watched.page.goto(f"{shown.url}/some/where/else")
    assert answer is not None
    assert answer.status == 404
    await watched.page.get_by_role("link", name="All batches").click()
    await watched.shows(".row", "October import")


async def _tab_to(watched: WatchedPage, text: str) -> None:
    """Press Tab until an element with this text has the focus."""
    for _ in range(50):
        await watched.page.keyboard.press("Tab")
        if text in await watched.value("document.activeElement.textContent"):
            return
    raise AssertionError(f"Tab never reaches {text}")
