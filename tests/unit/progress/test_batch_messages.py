"""The messages of batches, with what the reconciler found about those that have stalled."""

import time
from collections.abc import Collection
from dataclasses import replace

from batches.errors import DatabaseUnavailable
from batches.stall import Findings, ReconcilerRules
from services.progress.batch_messages import BatchMessages
from services.progress.convert import BatchConverter
from services.progress.slices import Slices
from services.progress.watch import Snapshot
from tests.support.samples import BATCH, at

RULES = ReconcilerRules(stuck_after_seconds=300, period_seconds=300)
STALLED = replace(BATCH, batch_key=8, batch_id="stalled", read_time=at(200))


class Store:
    """Keeps which batches were asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.is_away = False

    async def read_findings(self, keys: Collection[int]) -> dict[int, Findings]:
        """Return that no reconciler has run."""
        self.asked.append(list(keys))
        if self.is_away:
            raise DatabaseUnavailable
        return {key: Findings(None, None) for key in keys}


async def test_a_batch_that_moves_costs_no_query() -> None:
    store = Store()
    messages = BatchMessages(BatchConverter(RULES), store.read_findings, Slices())
    assert [one.stall_reason for one in await messages.of([BATCH])] == [""]
    await messages.of_snapshot(Snapshot(BATCH, time.monotonic()))
    assert store.asked == []


async def test_all_stalled_batches_of_a_page_are_asked_for_at_once() -> None:
    store = Store()
    messages = BatchMessages(BatchConverter(RULES), store.read_findings, Slices())
    page = await messages.of([BATCH, STALLED, replace(STALLED, batch_key=9)])
    assert ["no reconciler has run" in one.stall_reason for one in page] == [False, True, True]
    assert store.asked == [[8, 9]]


async def test_the_watchers_of_a_stalled_batch_share_one_query() -> None:
    store = Store()
    messages = BatchMessages(BatchConverter(RULES), store.read_findings, Slices())
    snapshot = Snapshot(STALLED, time.monotonic())
    first, second = [await messages.of_snapshot(snapshot) for _ in range(2)]
    assert first is second
    assert (first.batch.stall_reason.endswith("no reconciler has run"), store.asked) == (True, [[8]])


async def test_a_stall_is_told_while_the_database_is_away() -> None:
    """What the reconciler found is left out."""
    store = Store()
    store.is_away = True
    messages = BatchMessages(BatchConverter(RULES), store.read_findings, Slices())
    (message,) = await messages.of([STALLED])
    assert message.stall_reason == "no result for 3 min; 10 of 10 jobs pending"
