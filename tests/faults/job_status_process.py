"""JobStatusService as a process, on a queue that keeps its jobs in a table."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.job_status.queues import JobTableQueue
from tests.support.progress import ROOT, ProgressProcess


@asynccontextmanager
async def job_status_process(url: str, batch_id: str, **environment: str) -> AsyncIterator[ProgressProcess]:
    """Serve a queue with one batch while the context is open."""
    queue = JobTableQueue(url)
    await queue.create()
    await queue.put(batch_id, {f"job-{number}": "succeeded" for number in range(30)})
    settings = {"LISTEN": "127.0.0.1:0", "SOURCE": "job_table", "DATABASE_URL": url, **environment}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.job_status"),
        cwd=ROOT,
        env={**os.environ, **{f"JOB_STATUS_{name}": value for name, value in settings.items()}},
        stderr=asyncio.subprocess.PIPE,
    )
    server = ProgressProcess(process)
    try:
        await server.read_port()
        yield server
    finally:
        process.kill()
        await server.ended()
