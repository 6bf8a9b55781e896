"""The PHP worker of docs/php.md, which reports without Laravel."""

import asyncio
from pathlib import Path

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.application import ended
from tests.laravel.framework import Framework
from tests.support.gateway import gateway
from tests.support.progress import ROOT, served

WORKER = ROOT / "examples/php/http_worker.php"


async def test_plain_php_reports_a_job_once_and_says_why_a_report_is_refused(
    laravel_13: Framework, tmp_path: Path
) -> None:
    async with (
        served(f"sqlite+aiosqlite:///{tmp_path}/batches.db") as progress,
        gateway(f"127.0.0.1:{progress.port}") as door,
    ):
        await progress.create("sync", 2)
        url = f"http://127.0.0.1:{door.port}"
        assert await report(laravel_13, url, "sync", "1") == ("DISPOSITION_RECORDED\n", 0)
        assert await report(laravel_13, url, "sync", "1") == ("DISPOSITION_DUPLICATE\n", 0)
        assert (await report(laravel_13, url, "none", "1"))[1] == 1
        batch = await progress.get("sync")
    assert (batch.state, batch.succeeded_jobs) == (pb.BATCH_STATE_PROCESSING, 1)


def test_the_page_shows_the_worker() -> None:
    page = (ROOT / "docs/php.md").read_text(encoding="utf-8")
    assert f"{WORKER.read_text(encoding='utf-8').rstrip()}\n```" in page


async def report(laravel: Framework, *arguments: str) -> tuple[str, int]:
    """Run the worker; return what it printed and its exit code."""
    process = await asyncio.create_subprocess_exec(
        *(*laravel.php, str(WORKER), *arguments), stdout=asyncio.subprocess.PIPE
    )
    return await ended(process)
