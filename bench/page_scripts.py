"""python -m bench.page_scripts: measure how long the scripts of the page run in Chromium.

Starts a progress server on SQLite with many batches, and a gateway, as processes; opens the list and a batch
whose jobs failed for many reasons, and uses them as a person does.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import grpc
import typer
from playwright.async_api import CDPSession, Page, async_playwright
from sqlalchemy import insert

from batches.batch import BatchState
from batches.new_batch import NewBatch
from batches.store import schema
from batches.store.database import Database
from batches.store.rows import changing_values
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from bench.load.processes import gateway_process, progress_process
from database_servers.ports import free_port

BATCH = "with-failures"
ROWS_AT_ONCE = 10_000
RESULTS_AT_ONCE = 1_000
SETTLED_MS = 500
"""After an element is shown, the scripts of the same step have ended."""
RUNS = 5
"""Of each step; the median is printed."""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
ROWS = "document.querySelectorAll('.row, .failures > li').length"
FLAGS = ("--no-sandbox", "--disable-gpu")

Step = Callable[[Page, str], Awaitable[None]]


async def _open_list(page: Page, url: str) -> None:
    await page.goto(url)
    await page.locator(".row").first.wait_for()


async def _find_id(page: Page, _url: str) -> None:
    await page.get_by_label("Search").fill("batch-77777")
    await page.locator(".row", has_text="batch-77777").first.wait_for()


async def _find_failures(page: Page, _url: str) -> None:
    await page.get_by_label("Search").fill("")
    await page.get_by_role("checkbox").check()
    await page.locator(".row-failed", has_text="failed").first.wait_for()


async def _sort(page: Page, _url: str) -> None:
    await page.get_by_label("Order").select_option("failures")
    await page.locator("#count", has_text="sorted").wait_for()


async def _open_batch(page: Page, url: str) -> None:
    await page.goto(f"{url}/batch?id={BATCH}")
    await page.locator(".failures > li").first.wait_for()


async def _more_kinds(page: Page, _url: str) -> None:
    await page.locator("#failures-next").click()
    await page.locator(".failures > li").nth(150).wait_for()


async def _open_kind(page: Page, _url: str) -> None:
    await page.locator(".failure-head").first.click()
    await page.locator(".failure-jobs tbody tr").first.wait_for()


STEPS: dict[str, Step] = {
    "open the list": _open_list,
    "find an id": _find_id,
    "filter those with failures": _find_failures,
    "sort 1,000 by failures": _sort,
    "open a batch": _open_batch,
    "show 100 more kinds": _more_kinds,
    "open a kind": _open_kind,
}
"""In this order in one page."""
NEW_DOCUMENTS = {"open the list", "open a batch"}
"""With a new document the count of the browser begins again."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took."""

    script_ms: float
    """In scripts of the page."""
    paint_ms: float
    """From the navigation to the first paint of content."""
    rows: int
    """In the page at the end."""


def main(
    batches: Annotated[int, typer.Argument(help="Batches in the database.")] = 100_000,
    kinds: Annotated[int, typer.Argument(help="Kinds of failures of one of them.")] = 1_000,
    chromium: Annotated[str, typer.Option(help="The program.")] = "chromium",
) -> None:
    """Measure the page, and print the median of each step."""
    asyncio.run(measure(batches, kinds, chromium))


async def measure(batches: int, kinds: int, chromium: str, flags: tuple[str, ...] = FLAGS) -> None:
    """Measure the page with a Chromium."""
    with tempfile.TemporaryDirectory() as folder:
        database_url = f"sqlite+aiosqlite:///{folder}/batches.db"
        async with progress_process(database_url) as progress:
            await _insert(database_url, batches)
            await _fail(progress.target, kinds)
            target = f"127.0.0.1:{free_port()}"
            async with (
                gateway_process(progress.target, target),
                async_playwright() as playwright,
            ):
                browser = await playwright.chromium.launch(executable_path=chromium, args=list(flags))
                runs = [await _run(await browser.new_page(), f"http://{target}") for _ in range(RUNS)]
                await browser.close()
    print(f"{batches:,} batches, {kinds:,} kinds of failures; medians of {RUNS} runs")  # noqa: T201
    for name in STEPS:
        costs = sorted((run[name] for run in runs), key=lambda cost: cost.script_ms)
        middle = costs[RUNS // 2]
        print(  # noqa: T201  # the command's output
            f"{name}: {middle.script_ms:.0f} ms of script (at most {costs[-1].script_ms:.0f}),"
            f" first paint after {middle.paint_ms:.0f} ms, {middle.rows} rows"
        )


async def _run(page: Page, url: str) -> dict[str, Cost]:
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    costs = {}
    for name, step in STEPS.items():
        before = 0.0 if name in NEW_DOCUMENTS else await _script_ms(session)
        await step(page, url)
        await page.wait_for_timeout(SETTLED_MS)
        script_ms = await _script_ms(session) - before
        costs[name] = Cost(script_ms, await page.evaluate(PAINT), await page.evaluate(ROWS))
    await page.close()
    return costs


async def _script_ms(session: CDPSession) -> float:
    """Return how long the scripts of the document have run."""
    answer = await session.send("Performance.getMetrics")
    metrics: dict[str, float] = {one["name"]: one["value"] for one in answer["metrics"]}
    return metrics["ScriptDuration"] * 1_000


async def _insert(database_url: str, count: int) -> None:
    """Insert batches with all their rows at once: creating each by a call would take minutes."""
    database = Database(database_url, connections_max=1)
    now = datetime.now(UTC)
    values = changing_values(NewBatch("", 100, sealed=True).created(now))
    for begin in range(0, count, ROWS_AT_ONCE):
        rows = [
            {
                **values,
                "batch_id": f"batch-{number:05}",
                "display_name": f"Import {number}",
                "labels": {"team": f"team-{number % 20}"},
                "created_total_jobs": 100,
                "created_sealed": True,
                "create_time": now - timedelta(minutes=count - number),
                "complete_time": now - timedelta(minutes=count - number - 1),
                "state": int(BatchState.COMPLETED),
                "succeeded_jobs": 100 - number % 4,
                "failed_jobs": number % 4,
            }
            for number in range(begin, min(begin + ROWS_AT_ONCE, count))
        ]
        async with database.engine.begin() as connection:
            await connection.execute(insert(schema.batches), rows)
    await database.close()


async def _fail(target: str, kinds: int) -> None:
    """Report a batch with two failures of each kind."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = progress_pb2_grpc.ProgressServiceStub(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=BATCH, total_jobs=2 * kinds))
        results = [
            pb.ReportJobResultRequest(
                batch_id=BATCH,
                job_id=f"job-{number:05}",
                outcome=pb.JOB_OUTCOME_FAILED,
                error_type=f"{_letters(number // 2)}Error",
                error_message="the record has no e-mail address",
            )
            for number in range(2 * kinds)
        ]
        for begin in range(0, len(results), RESULTS_AT_ONCE):
            part = results[begin : begin + RESULTS_AT_ONCE]
            await stub.ReportJobResults(pb.ReportJobResultsRequest(results=part))


def _letters(number: int) -> str:
    """Return a number in letters: digits in an error make no other kind."""
    return "".join(chr(ord("A") + int(digit)) for digit in str(number))


if __name__ == "__main__":
    typer.run(main)
