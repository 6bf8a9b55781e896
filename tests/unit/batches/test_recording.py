"""What a group of results changes."""

from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.errors import BatchError, BatchFull, BatchNotFound, ResultConflict
from batches.recording import record
from batches.result import Disposition, JobOutcome, JobResult
from tests.support.samples import BATCH, FAILED, SKIPPED, SUCCEEDED, WORKER, at, result, results, stored
from tests.unit.batches.reporting import kinds, recorded

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
def test_the_second_report(report: JobResult, verdict: Disposition | type[BatchError], tally: Tally) -> None:
    """A job whose second attempt FAILED: what each further report is, and what it counts."""
    recording = recorded(ONE_FAILED, [report], stored("job", FAILED, attempt=2))
    assert kinds(recording) == [verdict]
    assert recording.batches["batch"].tally == tally


@pytest.mark.parametrize("outcome", list(JobOutcome))
def test_the_first_report(outcome: JobOutcome) -> None:
    """The first result of a job is counted by its outcome and becomes a row."""
    recording = recorded(BATCH, [result("job", outcome)])
    assert kinds(recording) == [RECORDED]
    assert recording.batches["batch"].tally.of(outcome) == recording.batches["batch"].tally.ended == 1
    assert recording.inserted == [(BATCH.batch_key, result("job", outcome))]
    assert recording.updated == []


def test_a_conflict_names_the_result_that_stays() -> None:
    """Same attempt, other outcome: the first result stays, and the sentence says which it is."""
    (verdict,) = recorded(ONE_FAILED, [result("job")], stored("job", FAILED)).verdicts
    assert str(verdict) == "attempt 1 of job job of batch batch is recorded as FAILED"


def test_a_superseded_row_is_updated() -> None:
    """A higher attempt takes the place of the recorded one."""
    later = result("job", attempt=2)
    recording = recorded(ONE_FAILED, [later], stored("job", FAILED))
    assert (recording.inserted, recording.updated) == ([], [(BATCH.batch_key, later)])


@pytest.mark.parametrize(
    ("reports", "verdicts", "tally", "last"),
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
def test_one_job_several_times_in_a_group(
    reports: list[JobResult], verdicts: list[Disposition], tally: Tally, last: JobResult
) -> None:
    """Within a group each report meets those before it, and one row is written for the job."""
    recording = recorded(BATCH, reports)
    assert kinds(recording) == verdicts
    assert recording.batches["batch"].tally == tally
    assert recording.inserted == [(BATCH.batch_key, last)]


def test_a_stored_job_superseded_twice_in_a_group() -> None:
    """The row is updated once, to the last attempt, and the tallies move from the first to the last."""
    reports = [result("job", SKIPPED, attempt=2), result("job", SUCCEEDED, attempt=3)]
    recording = recorded(ONE_FAILED, reports, stored("job", FAILED))
    assert recording.updated == [(BATCH.batch_key, reports[-1])]
    assert recording.batches["batch"].tally == Tally(1)


def test_one_bad_result_never_fails_its_neighbours() -> None:
    """Errors are verdicts in the order of the reports, and what is good is recorded."""
    reports = [result("a"), result("b", batch_id="unknown"), result("c", SUCCEEDED), result("d", FAILED)]
    recording = recorded(ONE_FAILED, reports, stored("c", FAILED))
    assert kinds(recording) == [RECORDED, BatchNotFound, ResultConflict, RECORDED]
    assert recording.batches["batch"].tally == Tally(1, 2)


def test_a_job_beyond_the_sealed_total_is_refused() -> None:
    """Each of the ten jobs has a result: an eleventh is one too many, and the sentence says so."""
    recording = recorded(BATCH, [*results(10), result("eleventh")])
    assert kinds(recording) == [RECORDED] * 10 + [BatchFull]
    assert str(recording.verdicts[-1]) == "job eleventh is beyond the 10 jobs of the sealed batch batch"


def test_a_full_batch_still_takes_retries() -> None:
    """A higher attempt of a job that is counted moves the tallies of a batch that has completed."""
    full = recorded(replace(BATCH, tally=Tally(0, 9)), [result("job", FAILED)]).batches["batch"]
    after = recorded(full, [result("job", attempt=2)], stored("job", FAILED)).batches["batch"]
    assert (after.state, after.tally, after.revision) == (BatchState.COMPLETED, Tally(1, 9), 3)


def test_an_unsealed_batch_takes_more_than_announced() -> None:
    """Workers may report jobs before they are announced, and the total follows."""
    batch = replace(BATCH, sealed=False, announced_jobs=1)
    recording = recorded(batch, results(3))
    after = recording.batches["batch"]
    assert kinds(recording) == [RECORDED] * 3
    assert (after.announced_jobs, after.total_jobs, after.state) == (1, 3, BatchState.PROCESSING)


@pytest.mark.parametrize("number", [1, 2, 10])
def test_a_group_is_one_change(number: int) -> None:
    """The revision rises by one for a group, however many results it has."""
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
def test_a_group_that_changes_nothing(report: JobResult) -> None:
    """A group of duplicates, stale results and errors leaves the batch as it is, and nothing is written."""
    recording = recorded(ONE_FAILED, [report], stored("job", FAILED, attempt=2))
    assert recording.batches["batch"] is ONE_FAILED
    assert (recording.changed, recording.inserted, recording.updated) == ([], [], [])


def test_only_batches_with_results_change() -> None:
    """Of two batches of a group, that which got a duplicate only keeps its revision."""
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
    """A job is unique within its batch only."""
    other = replace(BATCH, batch_key=8, batch_id="other")
    reports = [result("job"), result("job", FAILED, batch_id="other")]
    recording = record([BATCH, other], stored("another"), reports, WORKER)
    assert [recording.batches[name].tally for name in ("batch", "other")] == [Tally(1), Tally(0, 1)]


@pytest.mark.parametrize("outcome", list(JobOutcome))
def test_the_last_result_completes(outcome: JobOutcome) -> None:
    """The batch completes with its last result, however that ended, at the time of the group."""
    batch = replace(BATCH, tally=Tally(9), read_time=at(60))
    after = recorded(batch, [result("last", outcome)]).batches["batch"]
    assert (after.state, after.complete_time) == (BatchState.COMPLETED, at(60))


def test_the_last_announced_result_of_an_unsealed_batch_completes_nothing() -> None:
    """Only a sealed batch can complete."""
    after = recorded(replace(BATCH, sealed=False, tally=Tally(9)), [result("last")]).batches["batch"]
    assert (after.state, after.pending_jobs, after.complete_time) == (BatchState.PROCESSING, 0, None)


def test_a_cancelled_batch_still_counts() -> None:
    """Late results are recorded and counted, and even the last one leaves the batch CANCELLED."""
    cancelled = replace(BATCH, tally=Tally(8), state=BatchState.CANCELLED, complete_time=at(10))
    recording = recorded(replace(cancelled, read_time=at(60)), [result("a"), result("b", FAILED)])
    after = recording.batches["batch"]
    assert kinds(recording) == [RECORDED, RECORDED]
    assert (after.state, after.tally, after.complete_time) == (BatchState.CANCELLED, Tally(9, 1), at(10))


def test_times_of_a_group() -> None:
    """The first and the last result carry the database's time of their groups."""
    first = recorded(replace(BATCH, read_time=at(5)), [result("a")]).batches["batch"]
    second = recorded(replace(first, read_time=at(9)), [result("b")], stored("a")).batches["batch"]
    assert (second.first_result_time, second.last_result_time) == (at(5), at(9))


@pytest.mark.parametrize("ended", [0, 9])
def test_times_never_run_backwards(ended: int) -> None:
    """A statement that began before the last commit records, and completes, no earlier than that commit."""
    batch = replace(BATCH, tally=Tally(ended), last_result_time=at(5), read_time=at(4.9))
    after = recorded(batch, [result("job")]).batches["batch"]
    assert after.last_result_time == at(5)
    assert after.complete_time in {None, at(5)}


def test_a_result_is_never_older_than_its_batch() -> None:
    """The same holds for the creation."""
    after = recorded(replace(BATCH, read_time=at(-1)), [result("job")]).batches["batch"]
    assert (after.first_result_time, after.last_result_time) == (at(0), at(0))
