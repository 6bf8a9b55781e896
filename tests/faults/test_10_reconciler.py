"""Fault 10: passes that overlap, are killed, sleep past their lease, and ask a queue that lies."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import case, select, update

from batches.batch import BatchState, Tally
from batches.result import JobOutcome
from batches.store import schema
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.sql_functions import database_now
from tests.faults.cluster import cluster
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Job
from tests.faults.lying_queue import LyingQueue, ignore
from tests.faults.passes import Pass, Passes
from tests.faults.stuck import (
    CAN_END,
    CANNOT_END,
    LATE_KINDS,
    OUTCOMES,
    Case,
    Size,
    by_id,
    end_of,
    insert_cases,
    make_case,
    opened_ledger,
    ruinous,
)
from tests.faults.workload import Plan, Workers, create_batches, make_plan
from tests.integration.reconciler.scenes import Scene, Tables
from tests.support.progress import stub_of
from tests.support.queue_fake import served

STUCK_AFTER_SECONDS = 1_800
QUIET = timedelta(seconds=2_700)
"""How long stuck batches have had no result. By a clock an hour behind they would not be stuck; by a clock an
hour ahead, every batch that has not ended would be."""
RETENTION_SECONDS = 3_600
"""Longer than QUIET; by a clock an hour ahead, the ended batches would be deleted."""
HOURS_OFF = (0, 1, -1)
LIED_TO = {"RECONCILER_JOB_STATUS_SECONDS_MAX": "0.15", "RECONCILER_CONCURRENCY": "8"}
"""For a queue that sometimes does not answer: calls time out soon, and several batches are checked together.
A true answer that takes longer is only requested again."""
RUN_SECONDS_MAX = 120
"""A run takes some seconds; a pass that hangs must not hang the test."""
WORKERS = 20
ENCOUNTERS = ("together", "refused", "overtaken")
"""How two passes meet: both start at the same time; the second starts while the first holds the lease; or the
first sleeps past its lease, the second takes it, and the first wakes up believing that it still holds it."""

Send = Callable[[Job], Coroutine[Any, Any, None]]
"""Sends the report of a job until it is acknowledged."""


FULL = Size(runs=50, of_each_stuck_kind=125, completed=6_000, recent=2_900, live=100, live_jobs=100)
QUICK = Size(runs=2, of_each_stuck_kind=10, completed=60, recent=55, live=5, live_jobs=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Many batches in a database, their queue, and passes over both."""

    scene: Scene
    queue: LyingQueue
    passes: Passes
    begin: datetime
    """When the test began, by the database's clock."""
    cases: list[Case]

    def of(self, kinds: Collection[str]) -> list[Case]:
        """Return the batches of the given kinds."""
        return [one for one in self.cases if one.kind in kinds]

    async def let_time_pass(self, cases: Collection[Case]) -> None:
        """Move the times of batches back, so that those that have not ended are stuck."""
        table, long_ago = schema.batches.c, self.begin - QUIET
        times = ("create_time", "first_result_time", "last_result_time")
        back = {name: case((table[name].is_not(None), long_ago)) for name in times}
        keys = [one.batch.batch_key for one in cases]
        chosen = table.batch_key.in_(keys) & (table.state == int(BatchState.PROCESSING))
        async with self.scene.database.engine.begin() as connection:
            await connection.execute(update(schema.batches).where(chosen).values(back))


@pytest_asyncio.fixture
async def fleet(target: Target, order: random.Random, tmp_path: Path, full: bool) -> AsyncIterator[Fleet]:  # noqa: FBT001  # a fixture
    """Yield batches in the database, and a queue that lies about them."""
    database, queue = Database(target.url, connections_max=2), LyingQueue(order)
    begin = await now(database)
    kinds = (FULL if full else QUICK).kinds()
    # Batches that can end are as recent as healthy ones at first; some become stuck with each run.
    since = dict.fromkeys((*CANNOT_END, "completed"), begin - QUIET)
    cases = [
        make_case(order, kind, key, begin, since.get(kind, begin))
        for key, kind in enumerate(order.sample(kinds, len(kinds)), start=1)
    ]
    await insert_cases(database, cases)
    queue.batches |= {one.batch.batch_id: one.in_queue for one in cases if one.in_queue}
    async with served(queue) as queue_target:
        settings = {
            "BATCHES_DATABASE_URL": target.url,
            "RECONCILER_JOB_STATUS_TARGET": queue_target,
            "RECONCILER_STUCK_AFTER": str(STUCK_AFTER_SECONDS),
            "RECONCILER_RETENTION": str(RETENTION_SECONDS),
        }
        scene = Scene(target.url, database, BatchStore(database), queue, queue_target)
        passes = Passes(settings, tmp_path)
        yield Fleet(scene=scene, queue=queue, passes=passes, begin=begin, cases=cases)
    await database.close()


async def now(database: Database) -> datetime:
    """Return the time by the database's clock."""
    async with database.engine.connect() as connection:
        moment: datetime = (await connection.execute(select(database_now()))).scalar_one()
    return moment


async def asked_by(fleet: Fleet, passes: int, latest: Pass) -> None:
    """Wait until that many passes have asked the queue: each of them has, or had, the lease."""
    await fleet.queue.until(lambda: len(fleet.queue.peers) >= passes, or_end=latest.finished)
    assert len(fleet.queue.peers) >= passes, latest.finished


async def run_two(fleet: Fleet, order: random.Random, encounter: str, calls: int) -> bool:
    """Run two passes and kill one after a number of calls; return whether one was still running then."""
    queue, passes, scene = fleet.queue, fleet.passes, fleet.scene
    await scene.let_the_lease_expire()
    queue.peers.clear()
    async with asyncio.timeout(RUN_SECONDS_MAX), AsyncExitStack() as stack:
        first = await stack.enter_async_context(passes.run(order.choice(HOURS_OFF), **LIED_TO))
        if encounter != "together":
            await asked_by(fleet, 1, first)
            first.freeze()
        if encounter == "overtaken":
            await scene.let_the_lease_expire()
        second = await stack.enter_async_context(passes.run(order.choice(HOURS_OFF), **LIED_TO))
        if encounter == "overtaken":
            await asked_by(fleet, 2, second)
        if encounter == "refused":
            assert (await second.end()).summary["lease_held_elsewhere"]
        first.thaw()
        goal = queue.asked + calls
        both = asyncio.gather(first.end(), second.end())
        await fleet.queue.until(lambda: fleet.queue.asked >= goal, or_end=both)
        running = [one for one in (first, second) if one.is_running]
        if running:
            order.choice(running).process.kill()
        await both
        return bool(running)


@asynccontextmanager
async def reporting(
    fleet: Fleet, order: random.Random, send: Send, late: dict[str, Job], live: list[Job]
) -> AsyncIterator[None]:
    """Whenever the queue is asked about a batch, send its late report, and a report of a live batch."""
    async with asyncio.TaskGroup() as reports:

        async def send_some(batch_id: str) -> None:
            if live:
                reports.create_task(send(live.pop()))
            if batch_id in late:
                report = reports.create_task(send(late.pop(batch_id)))
                if order.choice((True, False)):  # recorded between the pass's read and its repair
                    await asyncio.wait([report])

        fleet.queue.on_asked = send_some
        yield
        fleet.queue.on_asked = ignore  # calls of a killed pass may still arrive


async def run_faulty(fleet: Fleet, order: random.Random, send: Send, plan: Plan, runs: int) -> int:
    """Run passes while workers report and more and more batches get stuck; return how many were killed."""
    late = {job[0]: job for job in plan.reports if job[0] not in plan.sizes}
    live = [job for job in plan.reports if job[0] in plan.sizes]
    can_end, others = fleet.of(CAN_END), len(fleet.of(CANNOT_END))
    encounters = order.sample(ENCOUNTERS, len(ENCOUNTERS))
    killed = 0
    for run in range(runs):
        stuck_now = can_end[run::runs]
        await fleet.let_time_pass(stuck_now)
        async with reporting(fleet, order, send, late, live[run::runs]):
            calls = order.randint(1, len(stuck_now) + others)
            killed += await run_two(fleet, order, encounters[run % len(encounters)], calls)
    return killed


async def run_clean(fleet: Fleet, hours_off: int) -> Mapping[str, Any]:
    """Run a pass without faults; it reports only the batches that cannot end."""
    async with fleet.passes.run(hours_off) as one:
        finished = await one.end()
    of_each = len(fleet.of(["running"]))
    assert finished.code == 0, finished.lines
    assert finished.summary["left"] == {"still_pending": of_each, "unknown_to_queue": of_each}
    return finished.summary


async def assert_changes_nothing(fleet: Fleet, hours_off: int) -> None:
    """Check that a pass after a clean one changes nothing, whatever time its clock shows."""
    await fleet.passes.assert_clock_is_off(hours_off)
    before = await fleet.scene.tables()
    summary = await run_clean(fleet, hours_off)
    assert summary["looked_at"] == len(fleet.of(CANNOT_END))
    assert await fleet.scene.tables() == before


def assert_ended(fleet: Fleet, after: Tables, end: datetime) -> None:
    """Check that all batches that can end have ended with the queue's numbers, by the database's clock."""
    finals = {one.batch.batch_id: one.final for one in fleet.of(CAN_END)}
    rows = {batch_id: row for batch_id, row in by_id(after).items() if batch_id in finals}
    assert {batch_id: end_of(row) for batch_id, row in rows.items()} == finals
    assert all(fleet.begin <= row["complete_time"] <= end for row in rows.values())


def assert_untouched(fleet: Fleet, before: Tables, after: Tables) -> None:
    """Check that no other batch has changed, and no result that a worker had reported."""
    rows_before, rows_after = by_id(before), by_id(after)
    others = [one.batch.batch_id for one in fleet.cases if one.kind not in CAN_END]
    assert [rows_after[batch_id] for batch_id in others] == [rows_before[batch_id] for batch_id in others]
    assert set(before["job_results"]) <= set(after["job_results"])
    repaired = {row[1] for row in after["repairs"]}
    assert repaired == {one.batch.batch_key for one in fleet.of(CAN_END)}


def assert_ended_by_workers(plan: Plan, after: Tables) -> None:
    """Check that batches with live reports have the workers' numbers, and none of the queue's."""
    rows = by_id(after)
    for batch_id, size in plan.sizes.items():
        outcomes = [outcome for job, outcome in plan.outcomes.items() if job[0] == batch_id]
        tally = Tally(*(outcomes.count(outcome) for outcome in OUTCOMES))
        assert end_of(rows[batch_id]) == (BatchState.COMPLETED, size, tally)
        assert rows[batch_id]["reconciled_jobs"] == 0


def plan_reports(fleet: Fleet, order: random.Random, size: Size) -> Plan:
    """Plan the reports of live batches, and late reports of jobs that the queue has too."""
    plan = make_plan(order, {f"live-{number}": size.live_jobs for number in range(size.live)})
    fleet.queue.batches |= {batch_id: ruinous() for batch_id in plan.sizes}
    for one in fleet.of(LATE_KINDS):
        job: Job = (one.batch.batch_id, one.jobs[-1].job_id)
        plan.outcomes[job] = JobOutcome(one.jobs[-1].outcome or 0)
        plan.reports.append(job)
    return plan


async def test_faulty_passes_write_only_what_is_true(
    fleet: Fleet, target: Target, order: random.Random, verdict: Verdict, *, full: bool
) -> None:
    """They are killed, overlap and are lied to; a pass without faults then ends all batches that can end."""
    size, before, ledger = FULL if full else QUICK, await fleet.scene.tables(), opened_ledger(fleet.cases)
    plan = plan_reports(fleet, order, size)
    async with cluster(target.url, 1) as servers, servers.channels(2) as channels:
        workers = Workers(ledger, channels, WORKERS)
        stub = stub_of(channels[0])
        await create_batches(stub, plan)
        killed = await run_faulty(
            fleet, order, lambda job: workers.send(stub, job, plan.outcomes[job]), plan, size.runs
        )
        print(f"{killed} killed, {fleet.queue.lied} of {fleet.queue.asked} answers bad")
        await workers.send_all(plan)
    fleet.queue.tell_the_truth()
    await fleet.scene.let_the_lease_expire()
    await fleet.let_time_pass(fleet.of(CAN_END))
    await run_clean(fleet, 0)
    after = await fleet.scene.tables()
    assert_ended(fleet, after, await now(fleet.scene.database))
    assert_untouched(fleet, before, after)
    assert_ended_by_workers(plan, after)
    for hours_off in HOURS_OFF if full else HOURS_OFF[1:2]:
        await assert_changes_nothing(fleet, hours_off)
    await verdict("reconciler killed, its queue lying", killed, ledger)
