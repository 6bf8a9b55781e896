"""What a report says about a batch that others changed while it was checked."""

from dataclasses import replace

from batches.batch import Tally
from batches.repair import RepairPlan
from reconciler.run.result import BatchInProgress
from tests.support.samples import BATCH

REPORTED_MEANWHILE = replace(BATCH, tally=Tally(3), revision=4)
PLAN = RepairPlan("batch", 4)


def test_a_change_before_the_first_repair_is_not_the_repairs() -> None:
    """The report begins with the batch as others left it."""
    batch = BatchInProgress(BATCH)
    batch.refresh(REPORTED_MEANWHILE)
    batch.add_repair(PLAN, (), replace(BATCH, tally=Tally(10)))
    assert batch.result(None).before == REPORTED_MEANWHILE


def test_a_change_between_two_repairs_keeps_the_beginning() -> None:
    """The report covers all repairs of the batch."""
    batch = BatchInProgress(BATCH)
    batch.add_repair(PLAN, (), replace(BATCH, tally=Tally(2)))
    batch.refresh(REPORTED_MEANWHILE)
    assert (batch.result(None).before, batch.result(None).after) == (BATCH, REPORTED_MEANWHILE)
