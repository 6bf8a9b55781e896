"""A store that a test can delay and break."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from batches.batch import Batch
from batches.errors import TransactionTooLarge
from batches.recording import Recording, record
from batches.result import JobOutcome, JobResult, ResultSource
from services.progress.group_commit import Answer, GroupCommit

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryStore:
    """A store of the batch `b` in memory; its commits wait while `open` is cleared."""

    def __init__(self) -> None:
        self.batch = Batch(
            batch_key=1, batch_id="b", sealed=True, announced_jobs=10**6, create_time=NOW, read_time=NOW
        )
        self.groups: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.failures: list[Exception] = []
        self.results_max = 10**9
        """More results in a transaction are refused for their number."""
        self.refused: list[int] = []
        self.poison: str | None = None

    async def record(self, results: Sequence[JobResult]) -> Recording:
        """Record like the real store, or fail as the test wants."""
        self.entered.set()
        await self.open.wait()
        await asyncio.sleep(0)  # as a database does; callers that are answered go on
        if len(results) > self.results_max:
            self.refused.append(len(results))
            raise TransactionTooLarge
        if self.failures:
            raise self.failures.pop(0)
        if any(result.job_id == self.poison for result in results):
            raise ValueError(self.poison)
        self.groups.append(len(results))
        recording = record([self.batch], {}, results, ResultSource.WORKER)
        self.batch = recording.batches["b"]
        return recording


@asynccontextmanager
async def group_commit(
    store: MemoryStore, changed: list[str] | None = None, backlog_results_max: int = 100_000
) -> AsyncIterator[GroupCommit]:
    """Run a group commit; leaving the context closes it and waits for its last flush."""

    def note(batch_ids: Iterable[str]) -> None:
        (changed if changed is not None else []).extend(batch_ids)

    commit = GroupCommit(store.record, note, backlog_results_max=backlog_results_max)
    running = asyncio.create_task(commit.run())
    try:
        yield commit
    finally:
        store.open.set()
        commit.close()
        await running


async def submit(
    commit: GroupCommit, results: Sequence[JobResult], caller: str = "a", *, request_bytes: int = 0
) -> list[Answer]:
    """Admit a call and record its results."""
    return await commit.record(commit.admit(len(results), request_bytes, caller), results)


def one(job_id: str, batch_id: str = "b") -> list[JobResult]:
    """Return the results of a call that has one."""
    return [JobResult(batch_id, job_id, JobOutcome.SUCCEEDED)]


def several(name: str, number: int) -> list[JobResult]:
    """Return the results of a call with this number of jobs."""
    return [JobResult("b", f"{name}{n}", JobOutcome.SUCCEEDED) for n in range(number)]
