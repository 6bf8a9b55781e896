"""One pass: take the lease, delete old batches, check others, return what was done."""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial

import structlog

from batches import pace
from batches.batch import Batch
from batches.clock import PassTime
from batches.errors import BatchNotFound, DatabaseUnavailable
from batches.event import KEPT_SECONDS
from batches.passes import PassKind
from batches.result import JobOutcome
from batches.stall import duration_text
from batches.store.batch_store import BatchStore
from batches.store.held_lease import hold_lease
from reconciler.decision.not_repaired import NotRepairedReason
from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.looks import keep_look
from reconciler.run.progress import PassProgress
from reconciler.run.purge import PURGE_SHARE, purge_ended
from reconciler.run.result import BatchResult, OnResult, Output, RunLog, RunReport, RunSummary
from reconciler.run.webhooks import purge_webhooks, tell_recovered
from reconciler.run.workers import WorkerPool
from reconciler.settings import ReconcilerSettings

LEASE_NAME = "reconciler"

PAGE_BATCHES = 20
"""Batches read at once. If the queue takes four seconds a batch, the last of them is checked 20 s later; one
that has changed meanwhile is read again before anything is written."""

CLOCK_JUMPED = (
    "the database's clock has gone ahead without a pass of the reconciler: batches that ended before are kept"
    " for that much longer. If the clock is right, run python -m reconciler --trust-clock"
)

RETRY_SECONDS_MAX = 3 * 86_400.0
"""How long after the end of a batch its counted failures are checked for retries: over a weekend."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of the command line."""

    batch_id: str | None = None
    """Check only this batch, however recent its last result is."""
    all_batches: bool = False
    """Check all batches that have not ended, however recent their last result is."""
    dry_run: bool = False
    """Write nothing, not even the lease."""
    trust_clock: bool = False
    """Delete old batches by the database's clock even if it has jumped ahead."""
    end_pending_as: JobOutcome | None = None
    """End the batch of `batch_id`; its jobs without a result count with this outcome."""

    @property
    def is_by_hand(self) -> bool:
        """Whether a person asks, who learns from the exit code whether every batch is in order.

        A schedule would only retry a pass in vain because some batches need a person.
        """
        return self.batch_id is not None or self.all_batches or self.dry_run

    @property
    def kind(self) -> PassKind:
        """What is kept about the pass: a schedule runs it without an option that selects batches."""
        return PassKind(manual=self.is_by_hand, one_batch=self.batch_id is not None)


class Sweep:
    """One pass; used once.

    Args:
        store: Where batches are kept.
        pool: Checks the batches.
        deadline: When the pass stops.
        settings: What is stuck, what is old, and how many batches are checked at the same time.
        options: The options of the command line.

    """

    def __init__(
        self,
        store: BatchStore,
        pool: WorkerPool,
        deadline: Deadline,
        settings: ReconcilerSettings,
        options: RunOptions,
    ) -> None:
        self._store = store
        self._pool = pool
        self._deadline = deadline
        self._settings = settings
        self._options = options
        self._run_log = RunLog()
        self._lease_held_elsewhere = False
        self._started = asyncio.get_running_loop().time()
        self._not_checked = self._deleted = 0
        self._begun: PassTime | None = None
        """When the pass began; None for one that writes nothing."""

    async def run(self, output: Output) -> RunReport:
        """Run the pass; whatever went wrong is in the report.

        Args:
            output: Receives what was done about each batch, and words its reasons.

        """

        async def add(result: BatchResult) -> None:
            output.progress.checked += 1
            if result.before.has_ended and not result.repairs and self._options.batch_id is None:
                return  # it was only checked for retries, and there were none
            self._run_log.add(result)
            if not self._options.dry_run:
                await keep_look(self._store, result, output.word, self._settings.stuck_after)
            await output.on_result(result)

        self._started = asyncio.get_running_loop().time()
        try:
            await self._run_with_lease(add, output.progress)
        except DatabaseUnavailable:
            self._deadline.stop(StopReason.DATABASE_UNAVAILABLE)
        return RunReport(self._summary(), self._run_log)

    async def _run_with_lease(self, on_result: OnResult, progress: PassProgress) -> None:
        # Every write is conditional on a revision; the lease only keeps two passes from doing the same work.
        if self._options.dry_run:
            await self._check(on_result, progress)
        elif self._options.batch_id is not None:
            await self._run_and_keep(on_result, progress)
        else:
            lost = partial(self._deadline.stop, StopReason.LEASE_LOST)
            async with hold_lease(self._store, LEASE_NAME, lost) as is_ours:
                self._lease_held_elsewhere = not is_ours
                if is_ours:
                    await self._run_and_keep(on_result, progress)

    async def _run_and_keep(self, on_result: OnResult, progress: PassProgress) -> None:
        """Run the pass, and keep when it ran and what it did."""
        options = self._options
        begun = await self._store.begin_pass(
            options.kind, self._settings.retention, trusts_clock=options.trust_clock
        )
        self._begun = begun.time
        if begun.time.jump is not None:
            _log.error(CLOCK_JUMPED, jump=duration_text(begun.time.jump.seconds))
        await self._check(on_result, progress)
        with suppress(DatabaseUnavailable):  # the report says so already
            await self._store.end_pass(begun, self._summary().kept)

    async def _check(self, on_result: OnResult, progress: PassProgress) -> None:
        """Check the selected batches; what stops the pass goes into the report."""
        try:
            await self._check_selected(on_result, progress)
        except DatabaseUnavailable:
            self._deadline.stop(StopReason.DATABASE_UNAVAILABLE)
        except BatchNotFound:
            self._run_log.add_missing(self._options.batch_id or "")

    async def _check_selected(self, on_result: OnResult, progress: PassProgress) -> None:
        await self._purge(self._settings.pass_seconds_max * PURGE_SHARE)
        if not self._options.dry_run:
            await tell_recovered(self._store, self._deadline)
        async with aclosing(await self._selected(progress)) as batches:
            self._not_checked = await self._pool.check(batches, self._settings.concurrency, on_result)
        await self._purge(math.inf)

    async def _purge(self, seconds_max: float) -> None:
        """Delete old batches, except in a pass by hand: a person who asks for one batch expects only that."""
        if self._options.batch_id is not None or self._begun is None:
            return
        retention = self._settings.retention
        # By the time at which the pass began, since the clock may jump while it runs.
        ended_before = self._begun.deletes_before(retention) if retention else None
        self._deleted += await purge_ended(self._store, self._deadline, ended_before, seconds_max=seconds_max)
        await purge_webhooks(self._store, self._deadline, self._begun.deletes_before(KEPT_SECONDS))

    async def _selected(self, progress: PassProgress) -> AsyncGenerator[Batch]:
        if self._options.batch_id is not None:
            progress.add_batches(1)
            return _only(await self._store.get_batch(self._options.batch_id))
        stuck_after_seconds = 0 if self._options.all_batches else self._settings.stuck_after
        return _stuck_and_counted(self._store, stuck_after_seconds, progress)

    def _summary(self) -> RunSummary:
        # A pass whose time was up while it finished its last batch, or deleted old ones, is complete.
        is_cut_short = (
            self._deadline.stop_reason is not StopReason.TIME_UP
            or self._not_checked
            or self._run_log.count(NotRepairedReason.CUT_SHORT)
        )
        return self._run_log.summary(
            dry_run=self._options.dry_run,
            lease_held_elsewhere=self._lease_held_elsewhere,
            not_looked_at=self._not_checked,
            batches_deleted=self._deleted,
            clock_jump_seconds=self._begun.jump.seconds if self._begun and self._begun.jump else 0.0,
            seconds=round(asyncio.get_running_loop().time() - self._started, 3),
            cut_short=(self._deadline.stop_reason or "") if is_cut_short else "",
        )


async def _only(batch: Batch) -> AsyncGenerator[Batch]:
    yield batch


async def _stuck_and_counted(
    store: BatchStore, stuck_after_seconds: float, progress: PassProgress
) -> AsyncGenerator[Batch]:
    """Yield the stuck batches, then those that have ended with failures that their queue only counted."""
    stuck = await store.list_stuck(stuck_after_seconds)
    progress.add_batches(len(stuck))
    async with aclosing(_in_order(store, stuck)) as batches:
        async for batch in batches:
            if is_stuck(batch, stuck_after_seconds):
                yield batch
    counted = await store.list_counted_failures(RETRY_SECONDS_MAX)
    progress.add_batches(len(counted))
    async with aclosing(_in_order(store, counted)) as batches:
        async for batch in batches:
            yield batch


async def _in_order(store: BatchStore, keys: Sequence[int]) -> AsyncGenerator[Batch]:
    """Yield the batches with these keys as they are when their turn comes."""
    for begin in range(0, len(keys), PAGE_BATCHES):
        page = keys[begin : begin + PAGE_BATCHES]
        batches = {batch.batch_key: batch for batch in await store.read_batches(page)}
        for key in page:
            if key in batches:
                yield batches[key]


def is_stuck(batch: Batch, stuck_after_seconds: float) -> bool:
    """Return whether a batch has had no result for that long, or since the database's clock was set back."""
    return pace.silent_seconds_of(batch, batch.read_time) >= stuck_after_seconds
