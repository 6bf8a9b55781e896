"""Stuck batches and healthy ones, each with its queue."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from batches.batch import Batch, BatchState, Tally
from batches.result import JobOutcome, ResultSource
from batches.store import schema
from batches.store.database import Database
from batches.store.rows import changing_values
from tests.faults.ledger import Ledger
from tests.integration.reconciler.scenes import Tables
from tests.support.queue_fake import FakeBatch, FakeJob

OUTCOMES = (JobOutcome.SUCCEEDED, JobOutcome.FAILED, JobOutcome.SKIPPED)
CAN_END = ("listed", "counted", "cancelled", "fewer", "more", "unsealed")
"""Kinds of stuck batches that the reconciler can end: the queue lists the jobs, keeps only counts, cancelled
the batch, or has fewer or more jobs than were announced; or nobody sealed the batch."""
CANNOT_END = ("unknown", "running")
"""Kinds of stuck batches that the queue does not know, or that still have jobs running in it."""
HEALTHY = ("completed", "recent")
ANNOUNCED_BESIDES = {"cancelled": 2, "fewer": 2, "more": -1, "running": 2}
"""How many more jobs were announced than have ended."""
LATE_KINDS = ("listed", "counted", "cancelled", "fewer", "unsealed")
"""Kinds that have room for a report during the repair, whichever of the two comes first."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a test is."""

    runs: int
    of_each_stuck_kind: int
    completed: int
    recent: int
    live: int
    live_jobs: int

    def kinds(self) -> list[str]:
        """Return the kind of each batch that exists from the start."""
        stuck = (*CAN_END, *CANNOT_END) * self.of_each_stuck_kind
        return [*stuck, *["completed"] * self.completed, *["recent"] * self.recent]


@dataclass(frozen=True, slots=True)
class Case:
    """A batch as it is at first, and its queue."""

    kind: str
    batch: Batch
    reported: list[FakeJob]
    jobs: list[FakeJob]
    """All jobs that have ended, reported or not."""
    in_queue: FakeBatch | None

    @property
    def final(self) -> tuple[BatchState, int, Tally]:
        """The state, total and tally with which a batch that can end must end."""
        tally = tally_of(self.jobs)
        if self.kind != "cancelled":
            return BatchState.COMPLETED, tally.ended, tally
        never_ran = self.batch.announced_jobs - tally.ended
        return BatchState.CANCELLED, self.batch.announced_jobs, tally + Tally(skipped=never_ran)


def tally_of(jobs: list[FakeJob]) -> Tally:
    """Count outcomes."""
    return Tally(*([job.outcome for job in jobs].count(outcome) for outcome in OUTCOMES))


def make_case(order: random.Random, kind: str, batch_key: int, now: datetime, quiet_since: datetime) -> Case:
    """Draw a batch of the given kind."""
    jobs = [FakeJob(f"job-{number}", order.choice(OUTCOMES)) for number in range(order.randint(3, 8))]
    # At least two were never reported, so the batch has not ended even if one job fewer was announced.
    reported = jobs if kind in {"running", "completed"} else jobs[: order.randrange(len(jobs) - 1)]
    return Case(
        kind=kind,
        batch=Batch(
            batch_key=batch_key,
            batch_id=f"{kind}-{batch_key}",
            state=BatchState.COMPLETED if kind == "completed" else BatchState.PROCESSING,
            sealed=kind != "unsealed",
            announced_jobs=len(jobs) + ANNOUNCED_BESIDES.get(kind, 0),
            tally=tally_of(reported),
            revision=1 + len(reported),
            create_time=quiet_since,
            first_result_time=quiet_since if reported else None,
            last_result_time=quiet_since if reported else None,
            complete_time=quiet_since if kind == "completed" else None,
            read_time=now,
        ),
        reported=reported,
        jobs=jobs,
        in_queue=_in_queue(kind, jobs),
    )


def _in_queue(kind: str, jobs: list[FakeJob]) -> FakeBatch | None:
    if kind in HEALTHY:
        return ruinous()
    if kind == "unknown":
        return None
    if kind == "running":
        return FakeBatch([*jobs, FakeJob("runs", None), FakeJob("waits", None)], finished=False)
    return FakeBatch(jobs, lists_jobs=kind != "counted", cancelled=kind == "cancelled")


def ruinous() -> FakeBatch:
    """Return an answer that would end a healthy batch, about which the queue must not be asked."""
    return FakeBatch([], lists_jobs=False, cancelled=True)


async def insert_cases(database: Database, cases: list[Case]) -> None:
    """Insert batches and their reported results."""
    async with database.engine.begin() as connection:
        await connection.execute(insert(schema.batches), [_batch_row(one) for one in cases])
        rows = [row for one in cases for row in _result_rows(one)]
        await connection.execute(insert(schema.job_results), rows)


def opened_ledger(cases: list[Case]) -> Ledger:
    """Return a ledger of the results reported before the test, and of those that the queue may add."""
    ledger = Ledger()
    for one in cases:
        for job in one.jobs if one.kind in CAN_END else one.reported:
            ledger.attempted[one.batch.batch_id, job.job_id] = JobOutcome(job.outcome or 0)
        ledger.acknowledged |= {(one.batch.batch_id, job.job_id) for job in one.reported}
    return ledger


def by_id(tables: Tables) -> dict[str, dict[str, Any]]:
    """Return the rows of all batches, by batch_id."""
    names = schema.batches.c.keys()
    rows = [dict(zip(names, row, strict=True)) for row in tables["batches"]]
    return {row["batch_id"]: row for row in rows}


def end_of(row: Mapping[str, Any]) -> tuple[BatchState, int, Tally]:
    """Return the state, total and tally of a row."""
    tally = Tally(row["succeeded_jobs"], row["failed_jobs"], row["skipped_jobs"])
    return BatchState(row["state"]), row["announced_jobs"], tally


def _batch_row(one: Case) -> dict[str, Any]:
    batch = one.batch
    return {
        "batch_key": batch.batch_key,
        "batch_id": batch.batch_id,
        "display_name": "",
        "labels": {},
        "created_total_jobs": batch.announced_jobs,
        "created_sealed": batch.sealed,
        "create_time": batch.create_time,
        **changing_values(batch),
    }


def _result_rows(one: Case) -> list[dict[str, Any]]:
    return [
        {
            "batch_key": one.batch.batch_key,
            "job_id": job.job_id,
            "attempt": 1,
            "outcome": job.outcome,
            "source": int(ResultSource.WORKER),
            "record_time": one.batch.last_result_time,
        }
        for job in one.reported
    ]
