"""Names, words, properties, and what assistive technology gets."""

import json

import pytest
from playwright.async_api import Browser

from batchprogress.v1 import progress_pb2 as pb
from tests.e2e.web.stage import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE_ID = "<img/src=x/onerror=window.pwned=1>&%22'/../?#"
HOSTILE_NAME = "</slot><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
GERMAN = {
    "running": "Läuft",
    "percent": "{percent} Prozent",
    "counts": {"one": "{done} von {total} Job", "other": "{done} von {total} Jobs"},
    "failed": "<b>{failed}</b> fehlgeschlagen",
}
ANIMATION = "return getComputedStyle(bar.shadowRoot.querySelector('[part=moving]')).animationName"


async def test_hostile_names_are_text(shown: Stage) -> None:
    """In names, ids and words; the page allows no markup from strings either."""
    await shown.progress.stub.CreateBatch(
        pb.CreateBatchRequest(batch_id=HOSTILE_ID, total_jobs=2, display_name=HOSTILE_NAME)
    )
    await shown.progress.report(HOSTILE_ID, "1", pb.JOB_OUTCOME_FAILED)
    nowhere = shown.element(HOSTILE_ID + "x")
    await shown.page.open(shown.element(HOSTILE_ID, words=json.dumps(GERMAN)), nowhere)
    await shown.page.part("name", HOSTILE_NAME)
    await shown.page.part("failed-jobs", "<b>1</b> fehlgeschlagen")
    await shown.page.watched.shows("batch-progress [part=problem]", HOSTILE_ID + "x")
    assert await shown.page.bar("aria-label") == HOSTILE_NAME
    assert await shown.page.watched.value("window.pwned") is None


async def test_words_can_be_replaced(shown: Stage) -> None:
    """By the attribute or the property; numbers and plurals follow the language of the page."""
    await shown.progress.create("import", 2_000)
    await shown.page.open(f'<div lang="de">{shown.element("import", words=json.dumps(GERMAN))}</div>')
    await shown.page.part("counts", "0 von 2.000 Jobs")
    assert (await shown.page.text("state"), await shown.page.text("percent")) == ("Läuft", "0 Prozent")
    await shown.page.run("bar.words = { counts: '{done}/{total}' }")
    await shown.page.part("counts", "0/2.000")
    assert await shown.page.text("state") == "Running"


async def test_words_that_are_not_json_are_ignored(shown: Stage) -> None:
    await shown.progress.create("import", 1)
    await shown.page.open(f'<div lang="not a language">{shown.element("import", words="{")}</div>')
    await shown.page.part("counts", "0 of 1 job")


async def test_screen_readers_get_the_bar_and_a_status(shown: Stage) -> None:
    """The status changes with each state and each quarter, not with each job."""
    await shown.progress.stub.CreateBatch(
        pb.CreateBatchRequest(batch_id="import", total_jobs=100, display_name="October import")
    )
    await shown.page.open(shown.element("import"))
    await shown.page.watched.shows("batch-progress [role=status]", "Running, 0 %, 0 of 100 jobs")
    await shown.progress.report("import", "1", pb.JOB_OUTCOME_FAILED)
    await shown.page.part("percent", "1 %")
    bar = shown.page.watched.page.get_by_role("progressbar", name="October import")
    assert await bar.get_attribute("aria-valuetext") == "1 %, 1 of 100 jobs, 1 failed"
    assert [await bar.get_attribute(f"aria-value{one}") for one in ("min", "now", "max")] == ["0", "1", "100"]
    tree = await shown.page.watched.page.locator("body").aria_snapshot()
    assert tree.splitlines() == [
        "- text: October import 1 %",
        '- progressbar "October import"',
        "- text: Running 1 of 100 jobs 1 failed",
        "- status: Running, 0 %, 0 of 100 jobs",
    ]


async def test_the_page_may_give_the_name(shown: Stage) -> None:
    """It is also the name for screen readers."""
    await shown.progress.create("import", 1)
    named = shown.element("import").replace("></b", '>\n<strong slot="name">My import</strong>\n</b')
    await shown.page.open(named, shown.element("import"))
    for name in ("My import", "Progress"):
        await shown.page.watched.page.get_by_role("progressbar", name=name).wait_for()


async def test_properties_set_before_the_definition_hold(shown: Stage) -> None:
    """Frameworks set them as soon as an element exists, and before its script has loaded."""
    await shown.progress.create("import", 2)
    shown.page.app.script = "/nothing.js"
    await shown.page.open("<batch-progress></batch-progress>")
    await shown.page.run(f"bar.src = '{shown.gateway_url}'; bar.batchId = ['import']")
    await shown.page.run("bar.words = { running: 'Go' }")
    await shown.page.watched.value(f"import('{shown.page.app.origin}/batch-progress.js').then(() => null)")
    await shown.page.part("state", "Go")
    assert await shown.page.run("return [bar.getAttribute('src'), bar.getAttribute('batch-id')]") == [
        shown.gateway_url,
        "import",
    ]
    assert await shown.page.run("return [bar.totals.total, bar.batches[0].batchId]") == [2, "import"]


async def test_a_token_is_neither_in_an_address_nor_in_an_attribute(shown: Stage) -> None:
    """Unless the page writes the attribute itself."""
    await shown.progress.create("import", 1)
    await shown.page.open(shown.element(""))
    await shown.page.run("bar.token = 'secret'; bar.batchId = 'import'")
    await shown.page.part("counts", "0 of 1 job")
    (request,) = shown.page.requests
    assert await request.header_value("authorization") == "Bearer secret"
    assert "secret" not in request.url
    assert await shown.page.run("return bar.token + bar.outerHTML.includes('secret')") == "secretfalse"


async def test_nothing_moves_with_reduced_motion(browser: Browser, sqlite_url: str) -> None:
    async with stage(browser, sqlite_url, reduced_motion="reduce") as shown:
        await shown.progress.create("growing", 1, sealed=False)
        await shown.page.open(shown.element("growing"))
        await shown.page.part("counts", "0 of 1 job so far")
        assert await shown.page.run(ANIMATION) == "none"


async def test_the_state_styles_the_element(shown: Stage) -> None:
    """A page can use it in CSS, as well as custom properties and parts."""
    await shown.progress.create("import", 1)
    await shown.page.open(shown.element("import"))
    await shown.page.part("state", "Running")
    assert await shown.page.run("return bar.matches(':state(running)')")
    await shown.page.run("bar.style.setProperty('--batch-progress-running', 'rgb(1, 2, 3)')")
    colour = "getComputedStyle(bar.shadowRoot.querySelector('[part=succeeded]')).backgroundColor"
    assert await shown.page.run(f"return {colour}") == "rgb(1, 2, 3)"
