"""What a pass prints."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from batches.batch import Batch, BatchState, Tally
from batches.repair import RepairPlan
from reconciler.decision.not_repaired import NotRepaired, NotRepairedReason
from reconciler.decision.reasons import ReasonKind
from reconciler.output.tables import LOG_COLUMNS, changed, print_report, summary
from reconciler.run.deadline import StopReason
from reconciler.run.result import LISTED_MAX, BatchInProgress, BatchResult, RunLog, RunReport, RunSummary
from tests.support.samples import BATCH
from tests.unit.reconciler.decisions import because

BEFORE = replace(BATCH, tally=Tally(7, 1))
AFTER = replace(BATCH, tally=Tally(8, 2), state=BatchState.COMPLETED)
REASONS = (because(ReasonKind.MISSING_LISTED, 2, 10),)
REASON = "2 of 10 results were missing; taken from the queue's list"


def repaired(batch_id: str = "batch", portions: int = 1) -> BatchResult:
    """Return a batch that was repaired."""
    batch = BatchInProgress(replace(BEFORE, batch_id=batch_id))
    for _ in range(portions):
        batch.add_repair(RepairPlan(batch_id, 1), REASONS, replace(AFTER, batch_id=batch_id))
    return batch.result(None)


def left(reason: NotRepairedReason, batch: Batch = BATCH) -> BatchResult:
    """Return a batch that was not repaired."""
    not_repaired = NotRepaired.because(reason, ReasonKind.QUEUE_ERROR, "for a reason")
    return BatchInProgress(batch).result(not_repaired)


def printed(
    *results: BatchResult, width: int = LOG_COLUMNS, is_terminal: bool = False, **of_pass: object
) -> list[str]:
    """Return what is printed about these batches."""
    log = RunLog()
    for one in results:
        log.add(one)
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=is_terminal, markup=False, highlight=False)
    print_report(console, RunReport(log.summary(**of_pass), log))
    return file.getvalue().splitlines()


def test_a_repaired_batch_is_one_line_in_a_log() -> None:
    """The line says what changed, without colours, boxes or trailing blanks."""
    lines = printed(repaired())
    numbers = "PROCESSING -> COMPLETED 10 7 -> 8 1 -> 2 0 2 -> 0 80 % -> 100 %"
    assert lines[0] == "Repaired: 1"
    assert " ".join(lines[2].split()) == f"batch {numbers} {REASON}"
    assert all(line == line.rstrip() and line.isascii() and line.isprintable() for line in lines)


def test_nothing_is_cut_on_a_narrow_terminal() -> None:
    """A long id folds, and the last line is still one line of JSON."""
    lines = printed(repaired("#" * 128), width=60, is_terminal=True)
    assert "".join(lines).count("#") == 128
    assert json.loads(lines[-1])["repaired"] == 1


def test_an_id_is_not_markup() -> None:
    """It is printed as it is."""
    batch_id = "[bold]:smile:[/nonsense]"
    assert printed(repaired(batch_id))[2].startswith(batch_id + " ")


def test_a_batch_repaired_in_portions_is_one_line() -> None:
    """It has the first reason, and counts once."""
    lines = printed(repaired(portions=3))
    assert lines[2].endswith(f"{REASON} (in 3 portions)")
    assert json.loads(lines[-1])["repaired"] == 1


def test_batches_that_were_not_repaired_are_named_with_errors_last() -> None:
    """Errors are then nearest to the summary."""
    reasons = (
        NotRepairedReason.CONTRADICTION,
        NotRepairedReason.STILL_PENDING,
        NotRepairedReason.UNKNOWN_TO_QUEUE,
    )
    lines = printed(*map(left, reasons))
    assert [line for line in lines if line.startswith(("Not repaired", "Error"))] == [
        "Not repaired (still pending): 1",
        "Not repaired (unknown to queue): 1",
        "Error (contradiction): 1",
    ]
    assert sum(line.endswith("for a reason") for line in lines) == 3


def test_a_report_has_an_end() -> None:
    """It names the first batches of a long list, and says how many more there are."""
    lines = printed(*[repaired() for _ in range(LISTED_MAX + 5)])
    assert "... and 5 more" in lines
    assert len(lines) < LISTED_MAX + 10


def test_a_batch_may_be_repaired_in_part_before_an_error() -> None:
    """It is in both tables."""
    batch = BatchInProgress(BEFORE)
    batch.add_repair(RepairPlan("batch", 1), REASONS, AFTER)
    log = RunLog()
    log.add(
        batch.result(NotRepaired.because(NotRepairedReason.CONTRADICTION, ReasonKind.QUEUE_ERROR, "changed"))
    )
    assert (log.summary().repaired, log.summary().errors) == (1, 1)


def test_the_summary_is_one_sentence() -> None:
    """A pass that was stopped early says so in another."""
    numbers = RunSummary(looked_at=1, repaired=1, completed=1, results_recorded=1_037, seconds=0.25)
    assert summary(numbers) == (
        "checked 1 batch in 0.2 s; 1 repaired (1 completed, 0 cancelled); 0 not repaired (0 errors);"
        " 1,037 results recorded, 0 only counted; 0 old batches deleted."
    )
    stopped = summary(replace(numbers, cut_short="stopped by a signal", not_looked_at=2))
    assert stopped.endswith(" Stopped early (stopped by a signal): 2 batches were not checked.")


def test_a_dry_run_is_reported_in_the_conditional() -> None:
    """Otherwise it could be mistaken for a repair."""
    numbers = RunSummary(looked_at=2, repaired=1, completed=1, results_recorded=3, dry_run=True)
    assert summary(numbers) == (
        "Dry run, nothing was written: checked 2 batches in 0.0 s;"
        " 1 would be repaired (1 would be completed, 0 would be cancelled);"
        " 0 would not be repaired (0 errors);"
        " 3 results would be recorded, 0 would only be counted."
    )
    lines = printed(repaired(), left(NotRepairedReason.STILL_PENDING), dry_run=True)
    assert lines[0] == "Would be repaired: 1"
    assert lines[2].endswith("missing; would be taken from the queue's list")
    assert "Would not be repaired (still pending): 1" in lines


def test_a_pass_that_did_nothing_says_why() -> None:
    """The reason may be that another pass is running."""
    assert "another pass is running: nothing was done" in printed(lease_held_elsewhere=True)


CLEAN = {
    "nothing to do": (RunSummary(), True),
    "another pass is running": (RunSummary(lease_held_elsewhere=True), True),
    "batches unknown to the queue": (RunSummary(unknown_to_queue=3), True),
    "batches that change": (RunSummary(changed_meanwhile=3), True),
    "an error": (RunSummary(errors=1), False),
    "batches that were not checked": (RunSummary(not_looked_at=1), False),
    "stopped early": (RunSummary(cut_short="stopped by a signal"), False),
}


@pytest.mark.parametrize(("numbers", "is_clean"), CLEAN.values(), ids=CLEAN)
def test_a_pass_is_clean_unless_another_try_could_help(numbers: RunSummary, *, is_clean: bool) -> None:
    """Normal outcomes, and those that need no action, are clean."""
    assert numbers.is_clean == is_clean


CONTINUED = frozenset({"", StopReason.TIME_UP, StopReason.LEASE_LOST})


@pytest.mark.parametrize("reason", ["", *StopReason])
def test_a_pass_has_failed_if_a_retry_may_do_better(reason: str) -> None:
    """Another pass continues after one whose time was up or whose lease was lost."""
    numbers = RunSummary(cut_short=reason, errors=3, needs_person=3)
    assert numbers.has_failed == (reason not in CONTINUED)


def test_the_summary_says_how_many_batches_need_a_person() -> None:
    lines = printed(left(NotRepairedReason.CONTRADICTION), left(NotRepairedReason.UNKNOWN_TO_QUEUE))
    assert lines[-2].endswith(" 1 batch needs a person.")
    assert json.loads(lines[-1])["needs_person"] == 1


def test_a_number_that_did_not_change_is_printed_once() -> None:
    """It is printed without an arrow."""
    assert changed(BEFORE, AFTER, lambda batch: f"{batch.total_jobs}") == "10"
    assert changed(BEFORE, AFTER, lambda batch: f"{batch.tally.failed}") == "1 -> 2"
