"""python -m bench.peers.list_only TARGET BATCHES: list the jobs of every batch, and count them.

Uses the reconciler's own client, page size and concurrency, and does nothing with the jobs: the least that
a pass can take.
"""

import asyncio
import sys
from collections.abc import Iterator

from bench.load.filled_tables import batch_id_of
from process import gc_tuning
from reconciler.queue.client import JobStatusClient, open_channel
from reconciler.queue.reader import RESULTS_MAX
from reconciler.settings import ReconcilerSettings

PAGE_JOBS = (RESULTS_MAX - 1) // 2
"""The page size of a pass."""


async def list_all(target: str, batches: int) -> int:
    """Return the number of jobs that were listed."""
    gc_tuning.tune_gc()  # as a pass does
    settings = ReconcilerSettings.from_environment()
    batch_ids = map(batch_id_of, range(1, batches + 1))
    async with open_channel(target) as channel:
        client = JobStatusClient(channel, call_seconds_max=settings.job_status_seconds_max)
        return sum(
            await asyncio.gather(*(_list_some(client, batch_ids) for _ in range(settings.concurrency)))
        )


async def _list_some(client: JobStatusClient, batch_ids: Iterator[str]) -> int:
    """List batches, one after the other, until there are no more."""
    jobs = 0
    for batch_id in batch_ids:
        await client.batch_counts(batch_id)
        token = ""
        while True:
            page = await client.job_page(batch_id, token, PAGE_JOBS)
            jobs += len(page.jobs)
            token = page.next_page_token
            if not token:
                break
    return jobs


if __name__ == "__main__":
    print(asyncio.run(list_all(sys.argv[1], int(sys.argv[2]))))  # noqa: T201  # the command's output
