"""One pass: take the lease, look at the batches, delete the old ones, tell what was done."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from batches.batch import Batch
from batches.errors import BatchNotFound, DatabaseUnavailable
from batches.store.batch_store import BatchStore
from reconciler.decision.not_repaired import LeaveKind
from reconciler.run import selection
from reconciler.run.deadline import TIME_IS_OVER, PassEnd
from reconciler.run.lease import held
from reconciler.run.purge import forget_ended
from reconciler.run.repairer import Repairer
from reconciler.run.result import Looked, PassResult, Record
from reconciler.run.workers import Crew, OnLooked
from reconciler.settings import ReconcilerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """What was asked for on the command line."""

    batch_id: str | None = None
    """Only this batch, whatever its age."""
    every: bool = False
    """All batches that have not ended, whatever their age."""
    dry_run: bool = False
    """Write nothing, not even the lease."""


@dataclass(frozen=True, slots=True)
class PassReport:
    """What a pass did: its numbers, and its batches as far as a report names them."""

    result: PassResult
    record: Record
    note: str = ""
    """What else is to be said of the pass, as a sentence; empty if nothing."""


class Sweep:
    """One pass. Used once."""

    def __init__(
        self,
        store: BatchStore,
        repairer: Repairer,
        end: PassEnd,
        settings: ReconcilerSettings,
        options: PassOptions,
    ) -> None:
        """Take where batches are kept, what repairs one, the pass's end, and what was asked for."""
        self._store = store
        self._end = end
        self._settings = settings
        self._options = options
        self._repairer = repairer
        self._record = Record()
        self._held_elsewhere = False
        self._not_looked_at = self._deleted = 0
        self._note = ""

    async def run(self, on_looked: OnLooked) -> PassReport:
        """Run the pass and tell of each batch; whatever went wrong is in the report."""

        async def looked(one: Looked) -> None:
            self._record.add(one)
            await on_looked(one)

        crew = Crew(self._repairer.repair, self._store.ping, self._end, looked)
        start = asyncio.get_running_loop().time()
        try:
            await self._with_lease(crew)
        except DatabaseUnavailable:
            self._end.cut("the database does not answer")
        except BatchNotFound as error:
            self._note = str(error)
            self._record.add_missing()
        return self._report(asyncio.get_running_loop().time() - start)

    async def _with_lease(self, crew: Crew) -> None:
        if self._options.dry_run:
            await self._pass(crew)
            return
        async with held(self._store, self._end) as is_ours:
            if is_ours:
                await self._pass(crew)
            else:
                self._held_elsewhere = True
                self._note = "another pass runs: nothing was done"

    async def _pass(self, crew: Crew) -> None:
        async with aclosing(await self._selected()) as batches:
            self._not_looked_at = await crew.work(batches, self._settings.concurrency)
        if self._deletes:
            self._deleted = await forget_ended(self._store, self._end, self._settings.retention)

    @property
    def _deletes(self) -> bool:
        """Whether old batches are deleted: not when a person looks at one batch."""
        is_of_one = self._options.batch_id is not None
        return not self._options.dry_run and not is_of_one and self._settings.retention > 0

    async def _selected(self) -> AsyncGenerator[Batch]:
        if self._options.batch_id is not None:
            return selection.one(await self._store.get_batch(self._options.batch_id))
        if self._options.every:
            return selection.every(self._store)
        return selection.stuck(self._store, self._settings.stuck_after)

    def _report(self, seconds: float) -> PassReport:
        # A pass whose time was over as it ended by itself, or as it deleted old batches, is complete.
        is_cut = (
            self._end.why != TIME_IS_OVER or self._not_looked_at or self._record.count(LeaveKind.CUT_SHORT)
        )
        result = replace(
            self._record.result(),
            dry_run=self._options.dry_run,
            lease_held_elsewhere=self._held_elsewhere,
            not_looked_at=self._not_looked_at,
            batches_deleted=self._deleted,
            seconds=round(seconds, 3),
            cut_short=self._end.why if is_cut else "",
        )
        return PassReport(result, self._record, self._note)
