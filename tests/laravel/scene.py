"""What a batch is in Laravel, in the job-status service, for a pass of the reconciler, and for us."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest
from pydantic import SecretStr
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from batches.settings import DatabaseSettings
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from reconciler.output.wording import sentence
from reconciler.run.deadline import Deadline
from reconciler.run.result import BatchResult, Output
from reconciler.run.sweep import RunOptions
from reconciler.settings import ReconcilerSettings
from reconciler.wiring import run_pass
from tests.integration.job_status.answers import refused
from tests.integration.job_status.servers import Client
from tests.laravel.application import Application, Jobs
from tests.laravel.documented import documented
from tests.support.eventually import eventually
from tests.support.notes import FIGURES, note
from tests.support.older import make_older
from tests.support.progress import Served

REPORTED_SECONDS_MAX = 30.0
"""From the end of a job to its report it takes milliseconds; tests wait for jobs of 3 s, too."""
AWAY = "http://127.0.0.1:1"
"""Where no gateway is: connections are refused."""
PASS_SECONDS_MAX = 60.0
"""A pass over one batch takes milliseconds."""


ONE_VERSION = pytest.mark.parametrize(
    "parts", [("laravel_13", "postgresql", "database")], ids=["13-postgresql-database"], indirect=True
)
"""For what does not differ between the versions of Laravel."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of job_batches."""

    total_jobs: int
    pending_jobs: int
    failed_jobs: int
    failed_job_ids: list[str]
    is_cancelled: bool
    is_finished: bool

    @property
    def in_short(self) -> str:
        """The numbers in the order of the columns, and what is set."""
        numbers = (self.total_jobs, self.pending_jobs, self.failed_jobs, len(self.failed_job_ids))
        flags = [name for name in ("cancelled", "finished") if getattr(self, f"is_{name}")]
        return ", ".join((" / ".join(map(str, numbers)), *flags))


@dataclass(frozen=True, slots=True)
class Look:
    """What a pass saw and did."""

    row: Row
    answer: str
    """The counts of the job-status service, or its refusal."""
    did: str
    """The reasons of the repair, or why nothing was written."""
    batch: pb.Batch
    """The batch afterwards."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An application whose workers report to a server."""

    app: Application
    queue_url: str
    database_url: str
    progress: Served
    source: Client
    test: pytest.Item

    async def dispatch(self, jobs: Jobs, *options: str) -> str:
        """Let the application dispatch a batch and create ours; return the id of both."""
        return await self.app.artisan("app:batch", json.dumps(jobs), *options)

    @contextmanager
    def gateway(self, url: str = AWAY) -> Iterator[None]:
        """Let the programs that are started in this block report to another gateway."""
        usual = self.app.environment["BATCHPROGRESS_URL"]
        self.app.environment["BATCHPROGRESS_URL"] = url
        yield
        self.app.environment["BATCHPROGRESS_URL"] = usual

    async def add(self, batch_id: str, jobs: Jobs) -> None:
        """Let the application add jobs to a batch."""
        await self.app.artisan("app:add", batch_id, json.dumps(jobs))

    async def reported(self, batch_id: str, *, succeeded: int = 0, failed: int = 0, skipped: int = 0) -> None:
        """Wait until a batch has these results."""
        expected = (succeeded, failed, skipped)

        async def has_them() -> bool:
            return tallies(await self.progress.get(batch_id)) == expected

        try:
            await eventually(has_them, REPORTED_SECONDS_MAX)
        except TimeoutError:
            found = tallies(await self.progress.get(batch_id))
            raise AssertionError(f"{found} instead of {expected}: {self.app.log}") from None

    async def counted_twice(self, batch_id: str) -> None:
        """Wait until a row counts more successes than jobs."""

        async def is_negative() -> bool:
            return (await self.row(batch_id)).pending_jobs < 0

        await eventually(is_negative)

    async def has_pending(self, batch_id: str, number: int) -> bool:
        """Return whether so many jobs of a row are pending."""
        return (await self.row(batch_id)).pending_jobs == number

    async def late_reports(self, batch_id: str, number: int) -> None:
        """Wait until so many results of an ended batch have rows, which replace counted ones."""

        async def are_recorded() -> bool:
            return len(await self.results(batch_id)) == number

        await eventually(are_recorded, REPORTED_SECONDS_MAX)

    async def attempts(self, batch_id: str) -> list[int]:
        """Return the attempts of all results, in ascending order."""
        return sorted(result.attempt for result in await self.results(batch_id))

    async def results(self, batch_id: str) -> Sequence[pb.JobResult]:
        """Return all results."""
        request = pb.ListJobResultsRequest(batch_id=batch_id, page_size=1_000)
        return (await self.progress.stub.ListJobResults(request)).job_results

    async def is_known(self, batch_id: str) -> bool:
        """Return whether the server has a batch."""
        try:
            await self.progress.get(batch_id)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND  # noqa: PT017
            return False
        return True

    async def ended(self, batch_id: str) -> pb.Batch:
        """Wait until a batch has ended; return it."""

        async def has_ended() -> bool:
            return (await self.progress.get(batch_id)).state != pb.BATCH_STATE_PROCESSING

        await eventually(has_ended, REPORTED_SECONDS_MAX)
        return await self.progress.get(batch_id)

    async def look(self, batch_id: str, case: str, **options: Any) -> Look:
        """Run a pass over a batch, and note what it saw and did, which docs/laravel.md says, too.

        Args:
            batch_id: The batch.
            case: What the page calls it.
            options: The options of the pass.

        """
        row, answer = await self.row(batch_id), await self._answer(batch_id)
        did = await self._pass(batch_id, options)
        look = Look(row, answer, did, await self.progress.get(batch_id))
        cells = (row.in_short, answer, did, summary(look.batch))
        where = f"Laravel {self.app.framework.version}, {self.app.environment['DB_DRIVER']}"
        note(self.test, FIGURES, f"| {' | '.join((where, case, *cells))} |")
        assert without_numbers_below_0(cells) == without_numbers_below_0(documented()[case])
        return look

    async def row(self, batch_id: str) -> Row:
        """Read the row of a batch."""
        engine = create_async_engine(self.queue_url, poolclass=NullPool)
        async with engine.connect() as connection:
            query = text("SELECT * FROM job_batches WHERE id = :id")
            row = (await connection.execute(query, {"id": batch_id})).one()
        await engine.dispose()
        return Row(
            row.total_jobs,
            row.pending_jobs,
            row.failed_jobs,
            json.loads(row.failed_job_ids),
            is_cancelled=row.cancelled_at is not None,
            is_finished=row.finished_at is not None,
        )

    async def hours_pass(self, hours: int) -> None:
        """Move all batches and the looks at them into the past."""
        database = Database(self.database_url, connections_max=1)
        await make_older(database, timedelta(hours=hours))
        await database.close()

    async def _answer(self, batch_id: str) -> str:
        try:
            counts = await self.source.counts(batch_id)
        except grpc.aio.AioRpcError as error:
            refusal = await refused(_raise(error))
            return f"{refusal.reason}: {refusal.message}"
        numbers = f"{counts.succeeded} / {counts.failed} / {counts.skipped} / {counts.pending}"
        flags = [name for name in ("finished", "cancelled") if getattr(counts, name)]
        return ", ".join((numbers, *flags))

    async def _pass(self, batch_id: str, options: dict[str, Any]) -> str:
        results: list[BatchResult] = []

        async def keep(result: BatchResult) -> None:
            results.append(result)

        deadline = Deadline(PASS_SECONDS_MAX)
        report = await run_pass(
            ReconcilerSettings(job_status_target=self.source.target, stuck_after=0),
            DatabaseSettings(database_url=SecretStr(self.database_url)),
            RunOptions(batch_id=batch_id, **options),
            deadline,
            Output(keep, sentence),
        )
        deadline.close()
        assert report.summary is not None
        return "; ".join(map(said, results))


def without_numbers_below_0(cells: tuple[str, ...]) -> list[str]:
    """Return cells with one number for all below 0: how often a job is counted twice differs."""
    return [re.sub(r"-\d+", "-1", cell) for cell in cells]


def said(result: BatchResult) -> str:
    """Return what a pass did about a batch."""
    left = [result.not_repaired.told] if result.not_repaired is not None else []
    words = "; ".join(map(sentence, (*result.repairs, *left)))
    return f"repaired: {words}" if result.repairs else f"left: {words}"


def tallies(batch: pb.Batch) -> tuple[int, int, int]:
    """Return the numbers of succeeded, failed and skipped jobs."""
    return batch.succeeded_jobs, batch.failed_jobs, batch.skipped_jobs


def summary(batch: pb.Batch) -> str:
    """Return the state and the tallies of a batch."""
    state = pb.BatchState.Name(batch.state).removeprefix("BATCH_STATE_")
    return f"{state} {' / '.join(map(str, tallies(batch)))} of {batch.total_jobs}"


async def _raise(error: grpc.aio.AioRpcError) -> None:
    raise error
