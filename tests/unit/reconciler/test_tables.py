"""What a pass prints."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from batches.batch import Batch, BatchState, Tally
from batches.repair import RepairPlan
from reconciler.decision.not_repaired import Leave, LeaveKind
from reconciler.decision.reasons import number_of
from reconciler.output.tables import LOG_COLUMNS, changed, print_report, summary
from reconciler.run.result import LISTED_MAX, Draft, Looked, PassResult, Record
from reconciler.run.sweep import PassReport
from tests.support.samples import BATCH

BEFORE = replace(BATCH, tally=Tally(7, 1))
AFTER = replace(BATCH, tally=Tally(8, 2), state=BatchState.COMPLETED)


def repaired(batch_id: str = "batch", portions: int = 1) -> Looked:
    """Return a batch that was repaired."""
    draft = Draft(replace(BEFORE, batch_id=batch_id))
    for _ in range(portions):
        draft.repaired(RepairPlan(batch_id, 1, "two were missing"), replace(AFTER, batch_id=batch_id))
    return draft.looked(None)


def left(kind: LeaveKind, batch: Batch = BATCH) -> Looked:
    """Return a batch that was left."""
    return Draft(batch).looked(Leave(kind, "for a reason"))


def printed(*looked: Looked, width: int = LOG_COLUMNS, is_terminal: bool = False) -> list[str]:
    """Return what is printed of these batches."""
    record = Record()
    for one in looked:
        record.add(one)
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=is_terminal, markup=False, highlight=False)
    print_report(console, PassReport(record.result(), record, "a note"))
    return file.getvalue().splitlines()


def test_a_line_in_a_log() -> None:
    """In a log each repaired batch is one line of what changed, without colours, boxes or trailing blanks."""
    lines = printed(repaired())
    numbers = "PROCESSING -> COMPLETED 10 7 -> 8 1 -> 2 0 2 -> 0 80 % -> 100 %"
    assert lines[0] == "Repaired: 1"
    assert " ".join(lines[2].split()) == f"batch {numbers} two were missing"
    assert all(line == line.rstrip() and line.isascii() and line.isprintable() for line in lines)


def test_nothing_is_cut_on_a_terminal() -> None:
    """On a narrow terminal a long id folds, whole, and the last line is still one line of JSON."""
    lines = printed(repaired("#" * 128), width=60, is_terminal=True)
    assert "".join(lines).count("#") == 128
    assert json.loads(lines[-1])["repaired"] == 1


def test_ids_are_no_markup() -> None:
    """An id is printed as it is, whatever a table might read into it."""
    batch_id = "[bold]:smile:[/nonsense]"
    assert printed(repaired(batch_id))[2].startswith(batch_id + " ")


def test_portions_are_one_line() -> None:
    """A batch that was repaired in portions is one line, with the first reason, and counts once."""
    lines = printed(repaired(portions=3))
    assert lines[2].endswith("two were missing (recorded in 3 portions)")
    assert json.loads(lines[-1])["repaired"] == 1


def test_left_batches_are_named_errors_last() -> None:
    """Every batch that was left is named with its reason; errors come last, nearest to the summary."""
    looked = (left(LeaveKind.CONTRADICTION), left(LeaveKind.STILL_PENDING), left(LeaveKind.UNKNOWN_TO_QUEUE))
    titles = [line for line in printed(*looked) if line.startswith(("Left", "Error"))]
    assert titles == ["Left: still pending: 1", "Left: unknown to queue: 1", "Error: contradiction: 1"]
    assert sum(line.endswith("for a reason") for line in printed(*looked)) == 3


def test_a_report_has_an_end() -> None:
    """Of very many batches a report names the first and says how many more there are."""
    lines = printed(*[repaired() for _ in range(LISTED_MAX + 5)])
    assert "... and 5 more" in lines
    assert len(lines) < LISTED_MAX + 10


def test_a_batch_may_be_repaired_and_left() -> None:
    """A batch of which a part was repaired before something went wrong is in both tables."""
    draft = Draft(BEFORE)
    draft.repaired(RepairPlan("batch", 1, "a portion"), AFTER)
    record = Record()
    record.add(draft.looked(Leave(LeaveKind.CONTRADICTION, "it changed")))
    assert (record.result().repaired, record.result().errors) == (1, 1)


def test_summary() -> None:
    """The summary is a sentence; what cut a pass short is another."""
    result = PassResult(looked_at=1, repaired=1, completed=1, results_recorded=1_037, seconds=0.25)
    assert summary(result) == (
        "looked at 1 batch; 1 repaired (1 completed, 0 cancelled); 0 left (0 errors);"
        " 1,037 results recorded, 0 only counted; 0 old batches deleted; 0.2 s."
    )
    cut = summary(replace(result, cut_short="stopped by a signal", not_looked_at=2, dry_run=True))
    assert cut.startswith("Dry run, nothing was written: ")
    assert cut.endswith(" Cut short, stopped by a signal: 2 batches not looked at.")


CLEAN = {
    "nothing to do": (PassResult(), True),
    "another pass runs": (PassResult(lease_held_elsewhere=True), True),
    "batches unknown to the queue": (PassResult(unknown_to_queue=3), True),
    "batches that move": (PassResult(changed_meanwhile=3), True),
    "an error": (PassResult(errors=1), False),
    "batches not looked at": (PassResult(not_looked_at=1), False),
    "cut short": (PassResult(cut_short="stopped by a signal"), False),
}


@pytest.mark.parametrize(("result", "is_clean"), CLEAN.values(), ids=CLEAN)
def test_clean(result: PassResult, is_clean: bool) -> None:  # noqa: FBT001  # the rule's answer
    """A pass is clean unless another try, or a person, could help."""
    assert result.is_clean == is_clean


def test_numbers_in_words() -> None:
    """Numbers are told with their nouns and verbs, in thousands."""
    assert number_of(1, "job", "is") == "1 job is"
    assert number_of(1_037, "job", "has") == "1,037 jobs have"
    assert number_of(0, "batch") == "0 batches"


def test_what_did_not_change_is_told_once() -> None:
    """A number that did not change has no arrow."""
    assert changed(BEFORE, AFTER, lambda batch: f"{batch.total_jobs}") == "10"
    assert changed(BEFORE, AFTER, lambda batch: f"{batch.tally.failed}") == "1 -> 2"
