"""What is measured: our server or a peer, its processes, its load, and the proof that it counted right."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import grpc
from sqlalchemy import func, select

from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from bench.load.reporters import Plan
from bench.load.timed import Outcome
from bench.load.workload import Workload
from bench.peers.insert_only import ROWS_PER_STATEMENT
from tests.support.progress import stub_of

TOTAL_JOBS = 100_000_000
"""Of every batch: more than a window holds, so that none is full or completes in the middle of it."""
CONNECTIONS_MAX = 16
"""From each load process: the workers of a process share its connection, and a fleet has some processes."""


class Inexact(Exception):
    """A contestant has not counted what was sent: a fast wrong answer is no answer."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A timed process that makes the load, and its plan."""

    module: str
    plan: Mapping[str, Any]


class Contestant(ABC):
    """One that is measured."""

    def __init__(self, name: str, server_pids: Sequence[int], store_pids: Sequence[int]) -> None:
        """Take whose CPU time is counted; none of the store's if it cannot be read."""
        self.name = name
        self.server_pids = server_pids
        self.store_pids = store_pids

    drives_itself = False
    """Whether the load's processes are the contestant's own, so that their CPU time is its server's."""

    @abstractmethod
    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Create the batches of a window."""

    @abstractmethod
    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:
        """Return the processes that make the load."""

    @abstractmethod
    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Compare what was counted with what was sent; Inexact if they differ."""


class Server(Contestant):
    """A contestant behind gRPC, in one or more processes."""

    def __init__(
        self, name: str, targets: Sequence[str], server_pids: Sequence[int], store_pids: Sequence[int]
    ) -> None:
        """Take where its processes serve."""
        super().__init__(name, server_pids, store_pids)
        self.targets = targets

    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Create the batches through the first process."""
        await self.create(batch_ids, TOTAL_JOBS)

    async def create(self, batch_ids: Sequence[str], total_jobs: int) -> None:
        """Create batches of so many jobs through the first process."""
        async with grpc.aio.insecure_channel(self.targets[0]) as channel:
            for batch_id in batch_ids:
                await stub_of(channel).CreateBatch(
                    pb.CreateBatchRequest(batch_id=batch_id, total_jobs=total_jobs)
                )

    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:
        """Return load processes that share the workers between them."""
        plans = [
            Plan(
                targets=list(self.targets),
                batch_ids=list(batch_ids),
                name=f"load-{number}",
                workers=workers,
                connections=min(workers, CONNECTIONS_MAX),
                results_per_call=workload.results_per_call,
                copies=workload.copies,
                prepared_calls=workload.prepared_calls,
            )
            for number, workers in enumerate(workload.workers_by_process())
        ]
        return [Driver("bench.load.reporters", asdict(plan)) for plan in plans]

    async def count_of(self, batch_id: str) -> int:
        """Return how many results the server says the batch has."""
        async with grpc.aio.insecure_channel(self.targets[0]) as channel:
            answer = await stub_of(channel).GetBatch(pb.GetBatchRequest(batch_id=batch_id))
        return answer.batch.succeeded_jobs


class CountingPeer(Server):
    """A peer: it must have counted every job; none is sent a result twice, since most know no duplicates."""

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Compare each batch's number with the jobs that were sent."""
        for batch_id, jobs in jobs_by_batch(outcomes).items():
            equal(self.name, f"count of {batch_id}", await self.count_of(batch_id), jobs)


class NotCountingPeer(Server):
    """A peer that shows a limit and counts nothing."""

    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Need no batches."""

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Have nothing to show: every call was answered, or the load would have failed."""


class OurServer(Server):
    """Processes of `python -m services.progress` on one database."""

    checks_each_window = True
    """Whether every window is followed by a check of all counters; where the table is large, the row
    calls `check` once itself."""

    def __init__(
        self,
        name: str,
        targets: Sequence[str],
        server_pids: Sequence[int],
        store_pids: Sequence[int],
        database: Database,
    ) -> None:
        """Take the database, to look into it from beside."""
        super().__init__(name, targets, server_pids, store_pids)
        self._database = database

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Compare rows, counters and answers with what was sent, and all counters with all rows."""
        sent = jobs_by_batch(outcomes)
        rows = await self._rows_by_batch(list(sent))
        for batch_id, jobs in sent.items():
            equal(self.name, f"rows of {batch_id}", rows.get(batch_id, 0), jobs)
            equal(self.name, f"count of {batch_id}", await self.count_of(batch_id), jobs)
        equal(self.name, "answers RECORDED", sum(one.recorded for one in outcomes), sent.total())
        if self.checks_each_window:
            await self.check()

    async def check(self) -> None:
        """Compare all counters of the database with all its rows."""
        await check(self.name, self._database)

    async def _rows_by_batch(self, batch_ids: Sequence[str]) -> dict[str, int]:
        query = (
            select(schema.batches.c.batch_id, func.count())
            .join(schema.job_results, schema.job_results.c.batch_key == schema.batches.c.batch_key)
            .where(schema.batches.c.batch_id.in_(batch_ids))
            .group_by(schema.batches.c.batch_id)
        )
        async with self._database.engine.connect() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}


class InsertOnly(Contestant):
    """Multi-row INSERTs of the rows that our server would write, and nothing else."""

    drives_itself = True

    def __init__(self, name: str, store_pids: Sequence[int], url: str, database: Database) -> None:
        """Take a database with our tables."""
        super().__init__(name, [], store_pids)
        self._url = url
        self._database = database
        self._batch_key = 0

    async def prepare(self, batch_ids: Sequence[str]) -> None:  # noqa: ARG002  # it numbers its own
        """Take a new batch."""
        self._batch_key += 1

    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:  # noqa: ARG002
        """Return the one process."""
        plan = {
            "url": self._url,
            "batch_key": self._batch_key,
            "prepared_statements": workload.prepared_calls * workload.results_per_call // ROWS_PER_STATEMENT,
        }
        return [Driver("bench.peers.insert_only", plan)]

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Count the rows."""
        query = select(func.count()).where(schema.job_results.c.batch_key == self._batch_key)
        async with self._database.engine.connect() as connection:
            rows = await connection.scalar(query)
        equal(self.name, "rows", rows, sum(one.sent for one in outcomes))


async def check(name: str, database: Database) -> None:
    """Compare all counters of a database with all its rows; Inexact if they differ."""
    async for page in BatchStore(database).check():
        equal(name, "differences found by the check", page.differences, [])


def jobs_by_batch(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Return how many different jobs were sent, by batch."""
    jobs: Counter[str] = Counter()
    for outcome in outcomes:
        jobs.update(outcome.jobs)
    return jobs


def equal(contestant: str, what: str, found: object, expected: object) -> None:
    """Raise Inexact if two numbers differ."""
    if found != expected:
        raise Inexact(f"{contestant}: {what}: {found!r} instead of {expected!r}")
