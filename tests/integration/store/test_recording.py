"""Recording results: each report is stored and counted exactly once."""

from dataclasses import replace

import pytest

from batches.batch import BatchState, Tally
from batches.errors import BatchError, BatchFull, BatchNotFound, ResultConflict
from batches.result import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    Disposition,
    JobOutcome,
    JobResult,
    ResultSource,
)
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from tests.integration.store.steps import (
    DUPLICATE,
    RECORDED,
    STALE,
    SUPERSEDED_EARLIER,
    create,
    differences,
    insert_batches,
    recorded,
    report,
    scalar,
)
from tests.support.samples import (
    FAILED,
    RECONCILER,
    SKIPPED,
    SUCCEEDED,
    WORKER,
    failure,
    result,
    results,
)


async def test_a_row_has_all_of_its_report(store: BatchStore) -> None:
    """It also has its source, and the time at which its batch changed."""
    await create(store, 10)
    error = JobResult("batch", "job", FAILED, 3, "builtins.ValueError", "no such row")
    recording = await store.record_results([error], WORKER)
    (row,) = (await recorded(store)).values()
    assert (row.job_id, row.outcome, row.attempt, row.source) == ("job", FAILED, 3, WORKER)
    assert (row.error_type, row.error_message) == ("builtins.ValueError", "no such row")
    assert row.record_time == recording.batches["batch"].last_result_time


async def test_a_group_is_one_change(store: BatchStore) -> None:
    """The returned batch equals the stored one."""
    await create(store, 10)
    recording = await store.record_results([result("a"), result("b", FAILED), result("c", SKIPPED)], WORKER)
    batch = await store.get_batch("batch")
    assert (batch.tally, batch.pending_jobs, batch.revision) == (Tally(1, 1, 1), 7, 2)
    assert replace(batch, read_time=batch.create_time) == replace(
        recording.batches["batch"], read_time=batch.create_time
    )


@pytest.mark.parametrize(
    ("again", "verdict", "tally"),
    [
        (result("job", FAILED, attempt=2), DUPLICATE, Tally(0, 1)),
        (result("job", FAILED, attempt=3), SUPERSEDED_EARLIER, Tally(0, 1)),
        (result("job", SUCCEEDED, attempt=3), SUPERSEDED_EARLIER, Tally(1)),
        (result("job", SUCCEEDED, attempt=1), STALE, Tally(0, 1)),
        (result("job", SUCCEEDED, attempt=2), ResultConflict, Tally(0, 1)),
    ],
)
async def test_verdicts_on_a_further_report(
    store: BatchStore, again: JobResult, verdict: Disposition | type[BatchError], tally: Tally
) -> None:
    """The second attempt of a job FAILED: the verdict on a further report, and on its repetition."""
    await create(store, 10)
    await report(store, result("job", FAILED, attempt=2))
    assert await report(store, again) == [verdict]
    assert (await store.get_batch("batch")).tally == tally
    assert await report(store, again) == [DUPLICATE if verdict is SUPERSEDED_EARLIER else verdict]
    assert (await store.get_batch("batch")).tally == tally
    assert await differences(store) == []


async def test_reports_without_news_write_nothing(store: BatchStore) -> None:
    """Duplicates, stale results and errors leave the batch and the row as they were."""
    await create(store, 10)
    await report(store, failure("job", "E", "the first"))
    before, row = await store.get_batch("batch"), await recorded(store)
    await report(store, failure("job", "F", "the second"), result("job", SUCCEEDED))
    after = await store.get_batch("batch")
    assert replace(after, read_time=before.read_time) == before
    assert await recorded(store) == row


async def test_a_superseded_row_has_nothing_of_the_earlier_attempt(store: BatchStore) -> None:
    """Outcome, attempt, source, error and time are those of the higher attempt."""
    await create(store, 10)
    await report(store, failure("job", "E", "why"), source=RECONCILER)
    recording = await store.record_results([result("job", attempt=2)], WORKER)
    (row,) = (await recorded(store)).values()
    assert (row.outcome, row.attempt, row.source) == (SUCCEEDED, 2, WORKER)
    assert (row.error_type, row.error_message) == ("", "")
    assert row.record_time == recording.batches["batch"].last_result_time
    assert recording.batches["batch"].reconciled_jobs == 0


async def test_a_superseded_job_of_another_batch_keeps_its_row(store: BatchStore) -> None:
    """A job_id is unique only within its batch."""
    for batch_id in ("batch", "other"):
        await create(store, 10, batch_id)
        await report(store, result("job", FAILED, batch_id=batch_id))
    await report(store, result("job", attempt=2))
    row = (await recorded(store, "other"))["job"]
    assert (row.attempt, row.outcome) == (1, FAILED)


@pytest.mark.parametrize("outcome", list(JobOutcome))
async def test_every_outcome_keeps_its_error(store: BatchStore, outcome: JobOutcome) -> None:
    """A worker may say why it skipped a job."""
    await create(store, 10)
    await report(store, JobResult("batch", "job", outcome, error_type="E", error_message="why"))
    row = (await recorded(store))["job"]
    assert (row.error_type, row.error_message) == ("E", "why")


async def test_only_failures_have_a_fingerprint(store: BatchStore, database: Database) -> None:
    """The column is NULL otherwise."""
    await create(store, 10)
    await report(store, result("s"), result("k", SKIPPED), result("f", FAILED))
    query = "SELECT COUNT(*) FROM job_results WHERE error_kind IS NULL"
    assert await scalar(database, query) == 2


async def test_the_last_result_completes_the_batch(store: BatchStore) -> None:
    """Further jobs are refused."""
    await create(store, 3)
    assert await report(store, *results(3), result("fourth")) == [RECORDED] * 3 + [BatchFull]
    batch = await store.get_batch("batch")
    assert (batch.state, batch.complete_time) == (BatchState.COMPLETED, batch.last_result_time)
    assert await report(store, result("fourth")) == [BatchFull]
    assert len(await recorded(store)) == 3


async def test_job_ids_are_compared_byte_by_byte(store: BatchStore) -> None:
    """Ids that differ only in case or in trailing characters are different jobs."""
    ids = ["a", "A", "aa", "a.", "a_", "a-", "a~", "a!", "a%", "a\\", "a'", 'a"', ".a", "ab", "aB"]
    await create(store, len(ids))
    assert await report(store, *map(result, ids)) == [RECORDED] * len(ids)
    assert await report(store, *map(result, ids)) == [DUPLICATE] * len(ids)
    assert set(await recorded(store)) == set(ids)


async def test_ids_may_contain_every_printable_character(store: BatchStore) -> None:
    """An id of 128 characters is stored unchanged."""
    ids = [chr(code) for code in range(0x21, 0x7F)]
    longest = ["".join(ids) + "x" * (128 - len(ids)), "".join(ids) + "X" * (128 - len(ids))]
    await create(store, len(ids) + 2)
    assert set(await report(store, *map(result, ids + longest))) == {RECORDED}
    assert set(await recorded(store)) == {*ids, *longest}


@pytest.mark.parametrize(
    "character",
    ["x", "ü", "漢", "🎉", "\\", "'", '"', "%", "\n", "\t", "\0", " "],
    ids=lambda character: f"U+{ord(character):04X}",
)
async def test_error_texts_are_stored_unchanged(store: BatchStore, character: str) -> None:
    """This holds for any character, up to the maximum length."""
    await create(store, 1)
    error_type = character * ERROR_TYPE_CHARACTERS_MAX
    error_message = character * ERROR_MESSAGE_CHARACTERS_MAX
    await report(store, failure("job", error_type, error_message))
    (row,) = (await recorded(store)).values()
    assert (row.error_type, row.error_message) == (error_type, error_message)


async def test_text_that_looks_like_sql_is_stored_unchanged(store: BatchStore) -> None:
    """Placeholders, quotes and comments have no meaning."""
    text = """%s %(name)s :name ? {0} '; DROP TABLE batches; -- /* " ` \\' \\"""
    await create(store, 1)
    await report(store, failure("job", text, text))
    (row,) = (await recorded(store)).values()
    assert (row.error_type, row.error_message) == (text, text)


async def test_one_transaction_records_results_of_several_batches(store: BatchStore) -> None:
    """The error of a result is its own verdict."""
    await create(store, 2, "one")
    await create(store, 1, "two")
    verdicts = await report(
        store,
        result("a", batch_id="one"),
        result("a", batch_id="two"),
        result("a", batch_id="unknown"),
        result("b", batch_id="two"),
        result("a", FAILED, batch_id="one"),
        result("b", FAILED, batch_id="one"),
    )
    assert verdicts == [RECORDED, RECORDED, BatchNotFound, BatchFull, ResultConflict, RECORDED]
    one, two = await store.get_batch("one"), await store.get_batch("two")
    assert (one.tally, one.revision, two.tally, two.revision) == (Tally(1, 1), 2, Tally(1), 2)
    assert await differences(store) == []


async def test_an_empty_group_changes_nothing(store: BatchStore) -> None:
    """It has no verdicts."""
    recording = await store.record_results([], WORKER)
    assert (recording.verdicts, recording.changed) == ([], [])


async def test_results_of_unknown_batches_are_not_recorded(store: BatchStore, database: Database) -> None:
    """No row is written."""
    assert await report(store, *results(3, batch_id="unknown")) == [BatchNotFound] * 3
    assert await scalar(database, "SELECT COUNT(*) FROM job_results") == 0


async def test_ten_thousand_results_are_one_group(store: BatchStore) -> None:
    """Sent again, all of them are duplicates."""
    await create(store, 10_000)
    assert set(await report(store, *results(10_000))) == {RECORDED}
    assert set(await report(store, *results(10_000))) == {DUPLICATE}
    batch = await store.get_batch("batch")
    assert (batch.state, batch.tally, batch.revision) == (BatchState.COMPLETED, Tally(10_000), 2)


async def test_a_group_may_have_more_batches_than_one_statement(
    store: BatchStore, database: Database
) -> None:
    """The real limits apply."""
    batch_ids = [f"batch-{number}" for number in range(1_001)]
    await insert_batches(database, batch_ids)
    reports = [result("job", batch_id=batch_id) for batch_id in batch_ids]
    assert set(await report(store, *reports)) == {RECORDED}
    assert set(await report(store, *reports)) == {DUPLICATE}
    assert await scalar(database, "SELECT COUNT(*) FROM batches WHERE revision = 2") == 1_001


@pytest.mark.parametrize("source", list(ResultSource))
async def test_only_results_of_the_reconciler_count_as_reconciled(
    store: BatchStore, source: ResultSource
) -> None:
    """Rows have their source."""
    await create(store, 10)
    await report(store, *results(3), source=source)
    batch = await store.get_batch("batch")
    assert batch.reconciled_jobs == (3 if source is RECONCILER else 0)
    assert {row.source for row in (await recorded(store)).values()} == {source}
    assert await differences(store) == []
