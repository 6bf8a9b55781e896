"""What each command does and prints."""

import json
from typing import Any

import pytest

from batches.look import Look, PendingJob, QueuePending
from batches.repair import RepairPlan
from batches.store.batch_store import BatchStore
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import CommandLine
from tests.support.progress import Served
from tests.support.samples import FAILED, result

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)

BATCH_FIELDS = [field.name for field in pb.Batch.DESCRIPTOR.fields]
UNSET_AT_FIRST = {
    "last_result_time",
    "complete_time",
    "estimated_complete_time",
    "failure_limit",
    "pace_holds_for",
}


async def fail_jobs(progress: Served, number: int) -> None:
    """Create batch `b` with this number of failed jobs."""
    await progress.create("b", number)
    failed = pb.JOB_OUTCOME_FAILED
    results = [
        pb.ReportJobResultRequest(batch_id="b", job_id=f"j{index:04}", outcome=failed)
        for index in range(number)
    ]
    await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))


async def test_create_prints_the_id(progress: Served, cli: CommandLine) -> None:
    """The batch has the given fields; the same command again changes nothing."""
    command = ("create", "b", "--total", "7", "--unsealed", "--name", "November", "--label", "team=a=b")
    for _ in range(2):
        ended = await cli.run(*command)
        assert (ended.code, ended.out, ended.err) == (0, "b\n", "")
    batch = await progress.get("b")
    assert (batch.total_jobs, batch.sealed, batch.display_name) == (7, False, "November")
    assert (dict(batch.labels), batch.revision) == ({"team": "a=b"}, 1)


async def test_create_says_that_a_batch_has_ended_and_replaces_it_if_asked(
    progress: Served, cli: CommandLine
) -> None:
    """The batch of the night before is never taken for the new one in silence."""
    await progress.create("b", 1)
    await progress.report("b", "j")
    ended = await cli.run("create", "b", "--total", "1")
    assert (ended.code, ended.out) == (0, "b\n")
    assert ended.err.startswith("batchprogress: batch 'b' was not created: it exists and was completed at 20")
    refused = await cli.run("create", "b", "--total", "1", "--if-ended", "error")
    assert (refused.code, refused.out) == (6, "")
    assert refused.err.startswith("batchprogress: batch b already exists and has ended")
    assert "--if-ended replace" in refused.err
    replaced = await cli.run("create", "b", "--total", "1", "--if-ended", "replace")
    assert (replaced.code, replaced.out, replaced.err) == (0, "b\n", "")
    assert (await progress.get("b")).pending_jobs == 1


async def test_create_without_an_id_chooses_one(progress: Served, cli: CommandLine) -> None:
    """Each command creates another batch."""
    ids = [(await cli.run("create", "--total", "1")).out.strip() for _ in range(2)]
    assert ids[0] != ids[1]
    assert [(await progress.get(one)).total_jobs for one in ids] == [1, 1]


async def test_add_adds_once_for_each_request_id_until_seal(progress: Served, cli: CommandLine) -> None:
    """Without a request id, each command adds jobs."""
    await progress.create("b", 1, sealed=False)
    for _ in range(2):
        await cli.run("add", "b", "10", "--request-id", "r")
        await cli.run("add", "b", "100")
    ended = await cli.run("seal", "b", "--json")
    (answer,) = ended.json
    assert (answer["batch"]["total_jobs"], answer["batch"]["sealed"]) == (211, True)
    refused = await cli.run("add", "b", "1")
    assert (refused.code, refused.out) == (6, "")
    assert refused.err.startswith("batchprogress: batch b is sealed")


async def test_cancel_ends_the_batch(progress: Served, cli: CommandLine) -> None:
    """It prints how far the batch was."""
    await progress.create("b", 4)
    await progress.report("b", "j")
    ended = await cli.run("cancel", "b")
    assert (ended.code, ended.out) == (0, "b: 1/4, 25 %, cancelled\n")
    assert (await progress.get("b")).state == pb.BATCH_STATE_CANCELLED


async def test_report_prints_the_disposition(progress: Served, cli: CommandLine) -> None:
    """It also says when the batch has ended with this result."""
    await progress.create("b", 2)
    failed = ("report", "b", "j", "failed", "--error-type", "Timeout", "--error", "after 30 s")
    assert (await cli.run(*failed)).out == "recorded\n"
    assert (await cli.run(*failed)).out == "duplicate\n"
    conflict = await cli.run("report", "b", "j", "skipped")
    assert (conflict.code, conflict.out) == (6, "")
    assert "--attempt" in conflict.err
    again = await cli.run("report", "b", "j", "succeeded", "--attempt", "2")
    assert again.out == "superseded earlier\n"
    last = await cli.run("report", "b", "k", "skipped")
    assert last.out == "recorded; the batch is completed\n"
    batch = await progress.get("b")
    assert (batch.succeeded_jobs, batch.failed_jobs, batch.skipped_jobs) == (1, 0, 1)


async def test_list_shows_the_newest_batches_first(progress: Served, cli: CommandLine) -> None:
    """It filters by state and label, and says when there are more than --limit."""
    for batch_id in ("b1", "b2", "b3"):
        await cli.run("create", batch_id, "--total", "0" if batch_id == "b2" else "1", "--label", "team=a")
    await progress.create("b4", 1)

    async def listed(*options: str) -> list[str]:
        return [line.split()[0] for line in (await cli.run("list", *options)).lines[1:]]

    assert await listed() == ["b4", "b3", "b2", "b1"]
    assert await listed("--label", "team=a", "--state", "processing") == ["b3", "b1"]
    limited = await cli.run("list", "--limit", "2", "--json")
    assert [batch["batch_id"] for batch in limited.json] == ["b4", "b3"]
    assert "--limit" in (await cli.run("list", "--limit", "2")).err
    assert await listed("--state", "cancelled") == []


async def test_list_finds_batches_by_id_failures_and_time(progress: Served, cli: CommandLine) -> None:
    await progress.create("imports-1", 2)
    await fail_jobs(progress, 1)
    created = (await progress.get("b")).create_time.ToJsonString()

    async def listed(*options: str) -> list[str]:
        lines = (await cli.run("list", *options, "--json")).lines
        return [json.loads(line)["batch_id"] for line in lines]

    assert await listed("--id-prefix", "imp") == ["imports-1"]
    assert await listed("--with-failures") == ["b"]
    assert await listed("--stalled") == []
    assert await listed("--created-from", created) == ["b"]
    assert await listed("--created-before", created) == ["imports-1"]
    refused = await cli.run("list", "--created-from", "yesterday")
    assert (refused.code, "is not a time such as 2026-11-30" in refused.err) == (2, True)


async def test_show_prints_tallies_and_repairs(progress: Served, cli: CommandLine, store: BatchStore) -> None:
    """The tallies are a sum; a repair has its reason and its tallies before and after."""
    await progress.create("b", 4)
    await progress.report("b", "j1")
    await progress.report("b", "j2", pb.JOB_OUTCOME_SKIPPED)
    results = (result("j3", FAILED, batch_id="b"), result("j4", batch_id="b"))
    await store.write_repair(RepairPlan("b", revision=3, reason="the queue says so", results=results))
    ended = await cli.run("show", "b")
    assert "jobs         2 succeeded + 1 failed + 1 skipped + 0 pending = 4 jobs" in ended.lines
    repair = ended.lines[-1]
    assert "processing -> completed  4      1 -> 2     0 -> 1  1        2 -> 0   the queue says so" in repair
    (shown,) = (await cli.run("show", "b", "--json")).json
    assert shown["repairs"][0]["before"]["pending_jobs"] == 2
    assert shown["batch"]["reconciled_jobs"] == 2


async def test_json_has_every_field_of_the_contract(progress: Served, cli: CommandLine) -> None:
    """The fields are in the order of the contract, with zeros, and numbers are numbers."""
    await progress.create("b", 3)
    (shown,) = (await cli.run("show", "b", "--json")).json
    batch: dict[str, Any] = shown["batch"]
    assert list(batch) == [name for name in BATCH_FIELDS if name not in UNSET_AT_FIRST]
    assert (batch["total_jobs"], batch["failed_jobs"], batch["labels"]) == (3, 0, {})
    assert batch["state"] == "BATCH_STATE_PROCESSING"


async def test_failures_are_grouped_by_error(progress: Served, cli: CommandLine) -> None:
    """The largest group comes first; --jobs adds the failed jobs."""
    await progress.create("b", 5)
    for job_id, kind in (("j1", "Timeout"), ("j2", "KeyError"), ("j3", "Timeout")):
        await progress.report(
            "b", job_id, pb.JOB_OUTCOME_FAILED, error_type=kind, error_message=f"of {job_id}"
        )
    await progress.report("b", "fine")
    j4 = ("j4", "failed", "--error-type", "Timeout", "--error", "of j4", "--name", "sync row 4")
    await cli.run("report", "b", *j4)
    grouped = await cli.run("failures", "b")
    assert [line.split()[:2] for line in grouped.lines[1:]] == [["3", "Timeout"], ["1", "KeyError"]]
    listed = await cli.run("failures", "b", "--jobs")
    assert listed.lines[: len(grouped.lines)] == grouped.lines
    assert [line.split()[0] for line in listed.lines[-4:]] == ["j1", "j2", "j3", "j4"]
    assert listed.lines[-1].split()[1:4] == ["sync", "row", "4"]
    one_group = await cli.run("failures", "b", "--fingerprint", grouped.lines[1].split()[3])
    assert [line.split()[0] for line in one_group.lines[1:]] == ["j1", "j3", "j4"]
    limited = await cli.run("failures", "b", "--limit", "1")
    assert limited.lines == grouped.lines[:2]
    groups = (await cli.run("failures", "b", "--json")).json
    assert [(group["error_type"], group["failed_jobs"]) for group in groups] == [
        ("Timeout", 3),
        ("KeyError", 1),
    ]


async def test_failed_jobs_are_found_by_the_beginning_of_their_ids(
    progress: Served, cli: CommandLine
) -> None:
    await progress.create("b", 5)
    for job_id in ("row-1", "row-2", "other"):
        await progress.report("b", job_id, pb.JOB_OUTCOME_FAILED, error_type="E")
    listed = await cli.run("failures", "b", "--job-prefix", "row")
    assert [line.split()[0] for line in listed.lines] == ["job", "row-1", "row-2"]
    as_json = (await cli.run("failures", "b", "--job-prefix", "row-2", "--json")).json
    assert [one["job_id"] for one in as_json] == ["row-2"]


async def test_long_lists_are_read_page_by_page(progress: Served, cli: CommandLine) -> None:
    """Each job is listed once."""
    await fail_jobs(progress, 1_003)
    ended = await cli.run("failures", "b", "--jobs", "--limit", "1002", "--json")
    assert [job["job_id"] for job in ended.json] == [f"j{index:04}" for index in range(1_002)]


async def test_foreign_text_cannot_control_a_terminal(progress: Served, cli: CommandLine) -> None:
    """Escape sequences and line breaks in an error message are replaced."""
    await progress.create("b", 1)
    await progress.report(
        "b", "j", pb.JOB_OUTCOME_FAILED, error_type="E\x1b[2J", error_message="a\nb\x1b]0;t\x07"
    )
    ended = await cli.run("failures", "b")
    assert "\x1b" not in ended.out
    assert ended.lines[1].endswith("a b\N{REPLACEMENT CHARACTER}]0;t\N{REPLACEMENT CHARACTER}")
    assert len(ended.lines) == 2


async def test_pending_lists_what_the_reconciler_found(
    progress: Served, cli: CommandLine, store: BatchStore
) -> None:
    """Why it left the batch, and when, goes to standard error."""
    await progress.create("b", 3)
    never = await cli.run("pending", "b")
    assert (never.out, "has not looked at the batch" in never.err) == ("", True)
    jobs = (PendingJob("j1", "sync_row", 2), PendingJob("j2"))
    found = QueuePending(2, lists_jobs=True, first_jobs=jobs)
    await store.record_look(Look("b", "still_pending", "2 jobs are still pending in Celery", found))
    ended = await cli.run("pending", "b")
    assert [line.split() for line in ended.lines] == [
        ["job", "attempt", "name"],
        ["j1", "2", "sync_row"],
        ["j2", "1"],
    ]
    assert ended.err.rstrip().endswith("UTC: 2 jobs are still pending in Celery")
    listed = (await cli.run("pending", "b", "--json")).json
    assert listed[0] == {"job_id": "j1", "display_name": "sync_row", "attempt": 2}
    assert (await cli.run("pending", "nope")).code == 4
