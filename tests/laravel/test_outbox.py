"""The bounded buffer of the package for Laravel."""

import asyncio
from pathlib import Path

from tests.laravel.framework import Framework
from tests.laravel.ports import free_port
from tests.support.eventually import SECONDS_MAX
from tests.support.gateway import gateway
from tests.support.progress import served

SCRIPT = Path(__file__).parent / "fill_outbox.php"
JOBS = 70_000
"""More than the outbox keeps."""


async def test_full_buffer_is_told_once_and_what_it_kept_is_sent(
    laravel_13: Framework, tmp_path: Path
) -> None:
    port = free_port()
    command = (*laravel_13.php, str(SCRIPT), f"http://127.0.0.1:{port}", "sync", str(JOBS))
    async with served(f"sqlite+aiosqlite:///{tmp_path}/batches.db") as progress:
        await progress.create("sync", JOBS)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                assert process.stdout is not None
                told = (await process.stdout.readuntil(b"filled\n")).decode()
                async with gateway(f"127.0.0.1:{progress.port}", listen=f"127.0.0.1:{port}"):
                    await process.communicate(b"\n")
        finally:
            if process.returncode is None:
                process.kill()
        assert told.count("results are lost") == 1
        kept = (await progress.get("sync")).succeeded_jobs
    assert 40_000 < kept < JOBS
