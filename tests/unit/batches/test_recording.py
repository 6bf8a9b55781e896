"""What a group of results changes."""

from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.errors import BatchError, BatchFull, BatchNotFound, ResultConflict
from batches.recording import record
from batches.result import Disposition, JobOutcome, JobResult
from tests.support.samples import BATCH, FAILED, SKIPPED, SUCCEEDED, WORKER, at, result, results, stored
from tests.unit.batches.reporting import recorded, verdicts

RECORDED, DUPLICATE, SUPERSEDED_EARLIER, STALE = Disposition
ONE_FAILED = replace(BATCH, tally=Tally(0, 1))


@pytest.mark.parametrize(
    ("report", "verdict", "tally"),
    [
        (result("other"), RECORDED, Tally(1, 1)),
        (result("job", FAILED, attempt=2), DUPLICATE, Tally(0, 1)),
        (result("job", FAILED, attempt=3), SUPERSEDED_EARLIER, Tally(0, 1)),
        (result("job", SUCCEEDED, attempt=3), SUPERSEDED_EARLIER, Tally(1, 0)),
        (result("job", SKIPPED, attempt=9), SUPERSEDED_EARLIER, Tally(0, 0, 1)),
        (result("job", SUCCEEDED, attempt=1), STALE, Tally(0, 1)),
        (result("job", FAILED, attempt=1), STALE, Tally(0, 1)),
        (result("job", SUCCEEDED, attempt=2), ResultConflict, Tally(0, 1)),
        (result("JOB", SUCCEEDED, attempt=2), RECORDED, Tally(1, 1)),
        (result("job", batch_id="unknown"), BatchNotFound, Tally(0, 1)),
    ],
)
def test_verdicts_on_a_further_report(
    report: JobResult, verdict: Disposition | type[BatchError], tally: Tally
) -> None:
    """The second attempt of a job FAILED: the verdict on each further report, and the tally after it."""
    recording = recorded(ONE_FAILED, [report], stored("job", FAILED, attempt=2))
    assert verdicts(recording) == [verdict]
    assert recording.batches["batch"].tally == tally


@pytest.mark.parametrize("outcome", list(JobOutcome))
def test_the_first_report_becomes_a_row(outcome: JobOutcome) -> None:
    """It is counted by its outcome."""
    recording = recorded(BATCH, [result("job", outcome)])
    assert verdicts(recording) == [RECORDED]
    assert recording.batches["batch"].tally.of(outcome) == recording.batches["batch"].tally.ended == 1
    assert recording.inserted == [(BATCH.batch_key, result("job", outcome))]
    assert recording.updated == []


def test_a_conflict_names_the_recorded_outcome() -> None:
    """The first result of an attempt stays."""
    (verdict,) = recorded(ONE_FAILED, [result("job")], stored("job", FAILED)).verdicts
    assert str(verdict) == "attempt 1 of job job of batch batch is already recorded as FAILED"


def test_a_superseded_row_is_updated() -> None:
    """A higher attempt replaces the recorded one."""
    later = result("job", attempt=2)
    recording = recorded(ONE_FAILED, [later], stored("job", FAILED))
    assert (recording.inserted, recording.updated) == ([], [(BATCH.batch_key, later)])


@pytest.mark.parametrize(
    ("reports", "expected", "tally", "last"),
    [
        (
            [result("job", FAILED), result("job", FAILED)],
            [RECORDED, DUPLICATE],
            Tally(0, 1),
            result("job", FAILED),
        ),
        (
            [result("job", FAILED), result("job", attempt=2)],
            [RECORDED, SUPERSEDED_EARLIER],
            Tally(1),
            result("job", attempt=2),
        ),
        (
            [result("job", attempt=2), result("job", FAILED)],
            [RECORDED, STALE],
            Tally(1),
            result("job", attempt=2),
        ),
        (
            [result("job"), result("job", FAILED), result("job", SKIPPED, attempt=5)],
            [RECORDED, ResultConflict, SUPERSEDED_EARLIER],
            Tally(0, 0, 1),
            result("job", SKIPPED, attempt=5),
        ),
    ],
)
def test_reports_of_one_job_in_a_group_write_one_row(
    reports: list[JobResult], expected: list[Disposition], tally: Tally, last: JobResult
) -> None:
    """Each report is compared with those before it."""
    recording = recorded(BATCH, reports)
    assert verdicts(recording) == expected
    assert recording.batches["batch"].tally == tally
    assert recording.inserted == [(BATCH.batch_key, last)]


def test_a_job_superseded_twice_in_a_group_is_updated_once() -> None:
    """The row and the tallies change to the last attempt."""
    reports = [result("job", SKIPPED, attempt=2), result("job", SUCCEEDED, attempt=3)]
    recording = recorded(ONE_FAILED, reports, stored("job", FAILED))
    assert recording.updated == [(BATCH.batch_key, reports[-1])]
    assert recording.batches["batch"].tally == Tally(1)


def test_a_bad_result_never_fails_the_others() -> None:
    """Errors are verdicts, in the order of the reports."""
    reports = [result("a"), result("b", batch_id="unknown"), result("c", SUCCEEDED), result("d", FAILED)]
    recording = recorded(ONE_FAILED, reports, stored("c", FAILED))
    assert verdicts(recording) == [RECORDED, BatchNotFound, ResultConflict, RECORDED]
    assert recording.batches["batch"].tally == Tally(1, 2)


def test_a_job_beyond_the_sealed_total_is_refused() -> None:
    """The eleventh job of ten gets an error that says so."""
    recording = recorded(BATCH, [*results(10), result("eleventh")])
    assert verdicts(recording) == [RECORDED] * 10 + [BatchFull]
    refusal = "job eleventh was not recorded: all 10 jobs of sealed batch batch have a result"
    assert str(recording.verdicts[-1]) == refusal


def test_a_completed_batch_still_records_retries() -> None:
    """A higher attempt of a counted job moves the tallies."""
    full = recorded(replace(BATCH, tally=Tally(0, 9)), [result("job", FAILED)]).batches["batch"]
    after = recorded(full, [result("job", attempt=2)], stored("job", FAILED)).batches["batch"]
    assert (after.state, after.tally, after.revision) == (BatchState.COMPLETED, Tally(1, 9), 3)


def test_an_unsealed_batch_records_more_jobs_than_announced() -> None:
    """Workers may report jobs before they are announced, and the total follows."""
    batch = replace(BATCH, sealed=False, announced_jobs=1)
    recording = recorded(batch, results(3))
    after = recording.batches["batch"]
    assert verdicts(recording) == [RECORDED] * 3
    assert (after.announced_jobs, after.total_jobs, after.state) == (1, 3, BatchState.PROCESSING)


@pytest.mark.parametrize("number", [1, 2, 10])
def test_a_group_is_one_change(number: int) -> None:
    """The revision rises by one per group, whatever its number of results."""
    recording = recorded(BATCH, results(number))
    assert recording.batches["batch"].revision == BATCH.revision + 1
    assert recording.changed == [recording.batches["batch"]]


@pytest.mark.parametrize(
    "report",
    [
        result("job", FAILED, attempt=2),
        result("job", FAILED),
        result("job", SUCCEEDED, attempt=2),
        result("job", batch_id="unknown"),
    ],
)
def test_a_group_without_new_results_changes_nothing(report: JobResult) -> None:
    """Duplicates, stale results and errors leave the batch as it is."""
    recording = recorded(ONE_FAILED, [report], stored("job", FAILED, attempt=2))
    assert recording.batches["batch"] is ONE_FAILED
    assert (recording.changed, recording.inserted, recording.updated) == ([], [], [])


def test_only_batches_with_new_results_change() -> None:
    """A batch with nothing but a duplicate keeps its revision."""
    other = replace(BATCH, batch_key=8, batch_id="other")
    recording = record(
        [ONE_FAILED, other],
        stored("job", FAILED),
        [result("job", FAILED), result("x", batch_id="other")],
        WORKER,
    )
    assert [batch.batch_id for batch in recording.changed] == ["other"]
    assert recording.inserted == [(8, result("x", batch_id="other"))]
    assert set(recording.batches) == {"batch", "other"}


def test_the_same_job_id_in_two_batches_is_two_jobs() -> None:
    """A job_id is unique only within its batch."""
    other = replace(BATCH, batch_key=8, batch_id="other")
    reports = [result("job"), result("job", FAILED, batch_id="other")]
    recording = record([BATCH, other], stored("another"), reports, WORKER)
    assert [recording.batches[name].tally for name in ("batch", "other")] == [Tally(1), Tally(0, 1)]


@pytest.mark.parametrize("outcome", list(JobOutcome))
def test_the_last_result_completes_the_batch(outcome: JobOutcome) -> None:
    """It completes at the time of the group, whatever the outcome."""
    batch = replace(BATCH, tally=Tally(9), read_time=at(60))
    after = recorded(batch, [result("last", outcome)]).batches["batch"]
    assert (after.state, after.complete_time) == (BatchState.COMPLETED, at(60))


def test_an_unsealed_batch_never_completes() -> None:
    """Only a sealed batch can complete."""
    after = recorded(replace(BATCH, sealed=False, tally=Tally(9)), [result("last")]).batches["batch"]
    assert (after.state, after.pending_jobs, after.complete_time) == (BatchState.PROCESSING, 0, None)


def test_a_cancelled_batch_still_records_results() -> None:
    """Even its last result leaves it CANCELLED."""
    cancelled = replace(BATCH, tally=Tally(8), state=BatchState.CANCELLED, complete_time=at(10))
    recording = recorded(replace(cancelled, read_time=at(60)), [result("a"), result("b", FAILED)])
    after = recording.batches["batch"]
    assert verdicts(recording) == [RECORDED, RECORDED]
    assert (after.state, after.tally, after.complete_time) == (BatchState.CANCELLED, Tally(9, 1), at(10))


def test_result_times_are_those_of_the_groups() -> None:
    """The first and the last result have the database's time of their groups."""
    first = recorded(replace(BATCH, read_time=at(5)), [result("a")]).batches["batch"]
    second = recorded(replace(first, read_time=at(9)), [result("b")], stored("a")).batches["batch"]
    assert (second.first_result_time, second.last_result_time) == (at(5), at(9))


@pytest.mark.parametrize("ended", [0, 9])
def test_times_never_run_backwards(ended: int) -> None:
    """A group that was read before another commit gets no earlier time than that commit."""
    batch = replace(BATCH, tally=Tally(ended), last_result_time=at(5), read_time=at(4.9))
    after = recorded(batch, [result("job")]).batches["batch"]
    assert after.last_result_time == at(5)
    assert after.complete_time in {None, at(5)}


def test_a_result_is_never_older_than_its_batch() -> None:
    """A group that was read before the creation gets the time of the creation."""
    after = recorded(replace(BATCH, read_time=at(-1)), [result("job")]).batches["batch"]
    assert (after.first_result_time, after.last_result_time) == (at(0), at(0))
