"""The pass as a process: what it prints, how it exits, what a kill leaves."""

import asyncio
import json
import os

import grpc
import pytest

from batches.batch import BatchState
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch, failing

AWKWARD_ID = "[red]" + "x" * 115 + ":smile:" + "]"
"""As long as an id may be, and full of what a table might take for its own."""

ON_SQLITE = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
"""Where the database makes no difference: each process takes seconds to start."""


@ON_SQLITE
async def test_clean(scene: Scene) -> None:
    """A clean pass exits 0 and prints each repair, whole and without colours, and the summary as JSON."""
    await scene.batch(AWKWARD_ID, FakeBatch(jobs(1_037, failed=7)), jobs(1_037)[11:])
    await scene.batch("unknown", None)
    finished = await scene.run_process()
    assert finished.code == 0
    (repaired,) = [line for line in finished.lines if line.startswith(AWKWARD_ID)]
    assert "PROCESSING -> COMPLETED" in repaired
    assert "11 -> 0" in repaired
    assert "98 % -> 100 %" in repaired
    assert repaired.endswith("11 of 1,037 results were never reported; taken from the queue's list")
    assert any(line.split()[0] == "unknown" for line in finished.lines if line)
    assert "\x1b" not in "".join(finished.lines)
    assert finished.summary["completed"] == finished.summary["unknown_to_queue"] == 1


@ON_SQLITE
async def test_json(scene: Scene) -> None:
    """With --json standard output is an object for each batch that was looked at, then the summary."""
    await scene.batch(AWKWARD_ID, FakeBatch(jobs(10, failed=2)), jobs(10)[3:])
    await scene.batch("unknown", None)
    await scene.batch("bad", FakeBatch(jobs(3)))
    scene.queue.failure = failing(grpc.StatusCode.INTERNAL, "bad")
    finished = await scene.run_process("--json")
    assert finished.code == 1
    *batches, summary = map(json.loads, finished.lines)
    looked = {one["batch_id"]: one for one in batches}
    before, after = looked[AWKWARD_ID]["before"], looked[AWKWARD_ID]["after"]
    assert (before["state"], before["total_jobs"], before["pending_jobs"]) == (
        "BATCH_STATE_PROCESSING",
        10,
        3,
    )
    assert (after["state"], after["failed_jobs"], after["pending_jobs"]) == ("BATCH_STATE_COMPLETED", 2, 0)
    assert looked[AWKWARD_ID]["results_recorded"] == 3
    assert looked["unknown"]["left"] == "unknown_to_queue"
    assert looked["bad"]["left_reason"] == "the job-status service answers INTERNAL"
    assert [one["is_error"] for one in batches] == [one["batch_id"] == "bad" for one in batches]
    assert (summary["looked_at"], summary["completed"], summary["errors"]) == (3, 1, 1)
    none = await scene.run_process("--json", "--batch-id", "none")
    assert (none.code, len(none.lines), none.summary["left"]) == (1, 1, {"no_such_batch": 1})


@ON_SQLITE
async def test_dry_run(scene: Scene) -> None:
    """A dry run says so, and changes nothing."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    before = await scene.tables()
    finished = await scene.run_process("--dry-run")
    assert (finished.code, finished.summary["dry_run"], finished.summary["completed"]) == (0, True, 1)
    assert any(line.startswith("Dry run, nothing was written") for line in finished.lines)
    assert await scene.tables() == before


@ON_SQLITE
async def test_some_batches_failed(scene: Scene) -> None:
    """A pass with an error exits 1 and names the batch and the reason."""
    await scene.batch("good", FakeBatch(jobs(3)))
    await scene.batch("bad", FakeBatch(jobs(3)))
    scene.queue.failure = failing(grpc.StatusCode.INTERNAL, "bad")
    finished = await scene.run_process()
    assert (finished.code, finished.summary["completed"], finished.summary["errors"]) == (1, 1, 1)
    (line,) = [line for line in finished.lines if line.startswith("bad ")]
    assert line.endswith("the job-status service answers INTERNAL")


@ON_SQLITE
async def test_job_status_is_away(scene: Scene) -> None:
    """Without the job-status service a pass exits 1 and writes nothing."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    before = await scene.tables()
    finished = await scene.run_process(RECONCILER_JOB_STATUS_TARGET="127.0.0.1:1")
    assert (finished.code, finished.summary["left"]) == (1, {"queue_unavailable": 1})
    assert await scene.tables() == before


@ON_SQLITE
async def test_one_batch(scene: Scene) -> None:
    """--batch-id says why it left the batch; one that has ended is clean, one that is not there is not."""
    await scene.batch("ended", FakeBatch(jobs(1)), jobs(1))
    await scene.batch("running", FakeBatch(jobs(1, pending=1)))
    said = {
        batch_id: await scene.run_process("--batch-id", batch_id) for batch_id in ("ended", "running", "none")
    }
    assert [one.code for one in said.values()] == [0, 0, 1]
    assert ("GetBatchStatus", "ended") not in scene.queue.calls
    assert any(line.endswith("it has ended already: COMPLETED") for line in said["ended"].lines)
    assert any(line.endswith("1 job is still pending in the queue") for line in said["running"].lines)
    assert "there is no batch none" in said["none"].lines
    assert said["none"].summary["errors"] == 1


@ON_SQLITE
async def test_progress_on_a_terminal(scene: Scene) -> None:
    """Where standard error is a terminal a bar is shown there; standard output stays as it is."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    ours, theirs = os.openpty()
    process = await scene.start(stderr=theirs)
    finished = await process.finished()
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert (finished.code, finished.summary["completed"]) == (0, 1)
    assert "looking at" in shown
    assert "\x1b" not in "".join(finished.lines)


async def test_two_passes(scene: Scene) -> None:
    """A second pass exits 0 and says that another one runs."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    stall = scene.queue.stall("batch")
    first = await scene.start()
    await stall.reached.wait()
    second = await scene.run_process()
    stall.over.set()
    assert (second.code, second.summary["lease_held_elsewhere"]) == (0, True)
    assert "another pass runs: nothing was done" in second.lines
    assert (await first.finished()).code == 0


async def test_sigterm(scene: Scene) -> None:
    """SIGTERM ends a pass after the batch under way: it gives its lease back, reports and exits 1."""
    for number in range(3):
        await scene.batch(f"batch-{number}", FakeBatch(jobs(2)))
    stall = scene.queue.stall("batch-1")
    process = await scene.start(RECONCILER_CONCURRENCY="1")
    await stall.reached.wait()
    process.terminate()
    await process.says("stopping")
    stall.over.set()
    finished = await process.finished()
    assert (finished.code, finished.summary["cut_short"]) == (1, "stopped by a signal")
    assert (finished.summary["completed"], finished.summary["not_looked_at"]) == (2, 1)
    assert (await scene.tables())["leases"] == []


async def test_killed_twice(scene: Scene) -> None:
    """Passes that are killed in the middle leave nothing that a later one does not set right."""
    await scene.batch("first", FakeBatch(jobs(20)), jobs(20)[5:])
    await scene.batch("large", FakeBatch(jobs(12_000)))
    await scene.batch("last", FakeBatch(jobs(20)))
    stall = scene.queue.stall("large")
    await kill_at(scene, stall.reached)
    del scene.queue.stalls["large"]
    assert (await scene.store.get_batch("first")).state is BatchState.COMPLETED
    await kill_at(scene, second_portion_of(scene))
    scene.queue.before_page = None
    half = await scene.store.get_batch("large")
    assert (half.state, 0 < half.tally.ended < 12_000) == (BatchState.PROCESSING, True)
    assert await scene.differences() == []
    finished = await scene.run_process()
    assert (finished.code, finished.summary["completed"]) == (0, 2)
    assert (await scene.store.get_batch("large")).tally.ended == 12_000
    assert await scene.differences() == []


async def kill_at(scene: Scene, reached: asyncio.Event) -> None:
    """Run a pass, one batch after the other, kill it when it has come so far, and let its lease expire."""
    process = await scene.start(RECONCILER_CONCURRENCY="1")
    await reached.wait()
    await process.kill()
    await scene.let_the_lease_expire()


def second_portion_of(scene: Scene) -> asyncio.Event:
    """Let calls wait as soon as a page is asked for again: the first portion is recorded then."""
    seen: set[str] = set()
    reached, never = asyncio.Event(), asyncio.Event()

    async def wait_for_the_second(_batch_id: str, token: str) -> None:
        if token in seen:
            reached.set()
            await never.wait()
        seen.add(token)

    scene.queue.before_page = wait_for_the_second
    return reached


BAD_CONFIGURATIONS = {
    "RECONCILER_CONCURRENCY": "33",
    "RECONCILER_STUCK_AFTER": "soon",
    "RECONCILER_JOB_STATUS_TARGET": "",
    "BATCHES_DATABASE_URL": "postgresql://user:secret@host/database",
}


@ON_SQLITE
@pytest.mark.parametrize(("name", "value"), BAD_CONFIGURATIONS.items(), ids=BAD_CONFIGURATIONS)
async def test_bad_configuration(scene: Scene, name: str, value: str) -> None:
    """A wrong setting exits 78 and is named, without its value."""
    finished = await scene.run_process(**{name: value})
    assert (finished.code, finished.lines) == (78, [])
    assert finished.stderr.startswith(f"configuration: {name}: ")
    assert "secret" not in finished.stderr


async def test_a_database_of_another_version(scene: Scene, new_database_url: str) -> None:
    """A database without this version's tables exits 78 and says how to upgrade it."""
    finished = await scene.run_process(BATCHES_DATABASE_URL=new_database_url)
    assert finished.code == 78
    assert "python -m batches upgrade" in finished.stderr


@ON_SQLITE
async def test_the_database_is_away(scene: Scene) -> None:
    """Without a database a pass exits 1, with a summary and without the URL."""
    url = "mysql+asyncmy://user:secret@127.0.0.1:1/database"
    finished = await scene.run_process(BATCHES_DATABASE_URL=url)
    assert (finished.code, finished.summary["cut_short"]) == (1, "the database does not answer")
    assert "secret" not in finished.stderr + "".join(finished.lines)


@ON_SQLITE
@pytest.mark.parametrize("arguments", [("--batch-id", "a", "--all"), ("--batch-id", "a b"), ("--nonsense",)])
async def test_wrong_arguments(scene: Scene, arguments: tuple[str, ...]) -> None:
    """Wrong arguments exit 2."""
    assert (await scene.run_process(*arguments)).code == 2


@ON_SQLITE
async def test_help(scene: Scene) -> None:
    """--help names every option, setting and exit code."""
    text = "\n".join((await scene.run_process("--help")).lines)
    for told in ("--batch-id", "--all", "--dry-run", "RECONCILER_PASS_SECONDS_MAX", "Exit codes", "78"):
        assert told in text
