"""What is measured: our server or a peer, its processes, its load, and the check of its counts."""

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
from batchprogress.v1 import progress_pb2_grpc
from bench.load.open_loop import OpenOutcome, OpenPlan
from bench.load.reporters import Plan
from bench.load.timed import Outcome
from bench.load.workload import Workload
from bench.peers.insert_only import ROWS_PER_STATEMENT

TOTAL_JOBS = 100_000_000
"""Jobs of every batch: more than are reported in a window, so that no batch completes in it."""
CONNECTIONS_MAX = 16
"""Connections of each load process: workers of one process share its connection."""


class Inexact(Exception):
    """A contestant's counts differ from what was sent, so its speed says nothing."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A timed process that makes load."""

    module: str
    plan: Mapping[str, Any]
    outcome: type = Outcome


class Contestant(ABC):
    """A server or process that is measured.

    Args:
        name: How the report calls it.
        server_pids: The processes whose CPU time is the server's.
        store_pids: The processes whose CPU time is the store's; empty if it cannot be read.

    """

    def __init__(self, name: str, server_pids: Sequence[int], store_pids: Sequence[int]) -> None:
        self.name = name
        self.server_pids = server_pids
        self.store_pids = store_pids

    drives_itself = False
    """Whether the load processes are the contestant itself, so that their CPU time is the server's."""

    @abstractmethod
    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Create the batches of a window."""

    @abstractmethod
    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:
        """Return the timed processes that make the load."""

    @abstractmethod
    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Compare the counts with what was sent.

        Raises:
            Inexact: they differ.

        """


class Server(Contestant):
    """A contestant behind gRPC, in one or more processes."""

    def __init__(
        self, name: str, targets: Sequence[str], server_pids: Sequence[int], store_pids: Sequence[int]
    ) -> None:
        super().__init__(name, server_pids, store_pids)
        self.targets = targets

    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Create the batches, each larger than what is sent in a window."""
        await self.create(batch_ids, TOTAL_JOBS)

    async def create(self, batch_ids: Sequence[str], total_jobs: int) -> None:
        """Create batches through the first process."""
        async with grpc.aio.insecure_channel(self.targets[0]) as channel:
            stub = progress_pb2_grpc.ProgressServiceStub(channel)
            for batch_id in batch_ids:
                await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=total_jobs))

    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:
        """Return load processes to which the workers are distributed."""
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

    def open_driver(
        self, batch_id: str, results_per_call: int, calls_per_second: float, calls: int, connections: int
    ) -> Driver:
        """Return a load process that reports at a fixed rate to the first process."""
        plan = OpenPlan(
            target=self.targets[0],
            batch_id=batch_id,
            calls=calls,
            calls_per_second=calls_per_second,
            connections=connections,
            results_per_call=results_per_call,
        )
        return Driver("bench.load.open_loop", asdict(plan), OpenOutcome)

    async def count_of(self, batch_id: str) -> int:
        """Return the number of results that the server counted for a batch."""
        async with grpc.aio.insecure_channel(self.targets[0]) as channel:
            stub = progress_pb2_grpc.ProgressServiceStub(channel)
            answer = await stub.GetBatch(pb.GetBatchRequest(batch_id=batch_id))
        return answer.batch.succeeded_jobs


class CountingPeer(Server):
    """A peer that must count every job. Each result is sent once, since most peers count duplicates."""

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Compare the count of each batch with the jobs that were sent."""
        for batch_id, jobs in jobs_by_batch(outcomes).items():
            equal(self.name, f"count of {batch_id}", await self.count_of(batch_id), jobs)


class NotCountingPeer(Server):
    """A peer that shows a limit and counts nothing."""

    async def prepare(self, batch_ids: Sequence[str]) -> None:
        """Do nothing: it has no batches."""

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Do nothing: the load generator fails if a call is not answered."""


class OurServer(Server):
    """Processes of `python -m services.progress` on one database, to which checks connect too."""

    checks_each_window = True
    """Whether all counters are checked after every window; rows with large tables call `check` once."""

    def __init__(
        self,
        name: str,
        targets: Sequence[str],
        server_pids: Sequence[int],
        store_pids: Sequence[int],
        database: Database,
    ) -> None:
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
    """A process that only inserts the rows that our server would write, a number per statement."""

    drives_itself = True

    def __init__(
        self,
        name: str,
        store_pids: Sequence[int],
        url: str,
        database: Database,
        rows_per_statement: int = ROWS_PER_STATEMENT,
    ) -> None:
        super().__init__(name, [], store_pids)
        self._url = url
        self._database = database
        self._rows_per_statement = rows_per_statement
        self._batch_key = 0

    async def prepare(self, batch_ids: Sequence[str]) -> None:  # noqa: ARG002  # it numbers batches itself
        """Begin a new batch."""
        self._batch_key += 1

    def drivers(self, workload: Workload, batch_ids: Sequence[str]) -> list[Driver]:  # noqa: ARG002
        """Return the one process that inserts."""
        plan = {
            "url": self._url,
            "batch_key": self._batch_key,
            "rows_per_statement": self._rows_per_statement,
            "prepared_statements": workload.prepared_calls
            * workload.results_per_call
            // self._rows_per_statement,
        }
        return [Driver("bench.peers.insert_only", plan)]

    async def verify(self, outcomes: Sequence[Outcome]) -> None:
        """Count the rows."""
        query = select(func.count()).where(schema.job_results.c.batch_key == self._batch_key)
        async with self._database.engine.connect() as connection:
            rows = await connection.scalar(query)
        equal(self.name, "rows", rows, sum(one.sent for one in outcomes))


async def check(name: str, database: Database) -> None:
    """Compare all counters of a database with all its rows.

    Raises:
        Inexact: they differ.

    """
    async for page in BatchStore(database).check():
        equal(name, "differences found by the check", page.differences, [])


def jobs_by_batch(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Return the number of different jobs that were reported, by batch."""
    jobs: Counter[str] = Counter()
    for outcome in outcomes:
        jobs.update(outcome.jobs)
    return jobs


def equal(contestant: str, what: str, found: object, expected: object) -> None:
    """Compare a number with the expected one.

    Raises:
        Inexact: they differ.

    """
    if found != expected:
        raise Inexact(f"{contestant}: {what}: {found!r} instead of {expected!r}")
