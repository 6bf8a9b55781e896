"""The pass as a process: what it prints, how it exits, what is left when it is killed."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from batches.batch import BatchState
from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.eventually import eventually
from tests.support.queue_fake import FakeBatch, failing

AWKWARD_ID = "[red]" + "x" * 115 + ":smile:" + "]"
"""As long as an id may be, and full of markup that a table might interpret."""

ON_SQLITE = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
"""For rules that do not depend on the database: each process takes seconds to start."""


@ON_SQLITE
async def test_a_clean_pass_exits_0_and_prints_each_repair(scene: Scene) -> None:
    """Whole lines without colours, and the summary as JSON."""
    await scene.batch(AWKWARD_ID, FakeBatch(jobs(1_037, failed=7)), jobs(1_037)[11:])
    await scene.batch("unknown", None)
    finished = await scene.run_process()
    assert finished.code == 0
    (repaired,) = [line for line in finished.lines if line.startswith(AWKWARD_ID)]
    assert "PROCESSING -> COMPLETED" in repaired
    assert "11 -> 0" in repaired
    assert "98 % -> 100 %" in repaired
    assert repaired.endswith("11 of 1,037 results were missing; taken from the queue's list")
    assert any(line.split()[0] == "unknown" for line in finished.lines if line)
    assert "\x1b" not in "".join(finished.lines)
    assert finished.summary["completed"] == finished.summary["unknown_to_queue"] == 1


@ON_SQLITE
async def test_json_prints_an_object_for_each_checked_batch(scene: Scene) -> None:
    """The summary is the last line."""
    await scene.batch(AWKWARD_ID, FakeBatch(jobs(10, failed=2)), jobs(10)[3:])
    await scene.batch("unknown", None)
    await scene.batch("bad", FakeBatch(jobs(3)))
    scene.queue.failure = failing(grpc.StatusCode.INTERNAL, "bad")
    finished = await scene.run_process("--json")
    assert finished.code == 0
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
    assert {one["batch_id"] for one in batches if one["is_error"]} == {"bad"}
    assert {one["batch_id"] for one in batches if one["needs_person"]} == {"bad"}
    assert (summary["looked_at"], summary["completed"], summary["errors"]) == (3, 1, 1)
    assert summary["needs_person"] == 1
    none = await scene.run_process("--json", "--batch-id", "none")
    assert (none.code, len(none.lines), none.summary["left"]) == (1, 1, {"no_such_batch": 1})


@ON_SQLITE
async def test_a_dry_run_says_so_and_changes_nothing(scene: Scene) -> None:
    """Its report is that of the pass that would follow."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    before = await scene.tables()
    finished = await scene.run_process("--dry-run")
    assert (finished.code, finished.summary["dry_run"], finished.summary["completed"]) == (0, True, 1)
    assert any(line.startswith("Dry run, nothing was written") for line in finished.lines)
    assert await scene.tables() == before


@ON_SQLITE
async def test_a_scheduled_pass_exits_0_although_a_batch_needs_a_person(scene: Scene) -> None:
    """A retry cannot help; the report names the batch and the reason."""
    await scene.batch("good", FakeBatch(jobs(3)))
    await scene.batch("bad", FakeBatch(jobs(3), counts={"succeeded": 2}))
    finished = await scene.run_process()
    assert (finished.code, finished.summary["completed"], finished.summary["errors"]) == (0, 1, 1)
    (line,) = [line for line in finished.lines if line.startswith("bad ")]
    assert "the queue's counts do not add up" in line
    assert any("1 batch needs a person" in line for line in finished.lines)


@ON_SQLITE
@pytest.mark.parametrize("option", [("--batch-id", "bad"), ("--all",), ("--dry-run",)], ids=" ".join)
async def test_a_pass_by_hand_exits_1_if_a_batch_needs_a_person(
    scene: Scene, option: tuple[str, ...]
) -> None:
    """Its exit code tells a person, or a script, that not everything was repaired."""
    await scene.batch("bad", FakeBatch(jobs(3), counts={"succeeded": 2}))
    finished = await scene.run_process(*option)
    assert (finished.code, finished.summary["left"]) == (1, {"contradiction": 1})


@ON_SQLITE
async def test_a_scheduled_pass_whose_time_is_up_exits_0(scene: Scene) -> None:
    """The next one continues; by hand, the exit code says that it is not complete."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    passes = [
        await scene.run_process(*option, RECONCILER_PASS_SECONDS_MAX="1e-9") for option in ((), ("--all",))
    ]
    assert [(one.code, one.summary["not_looked_at"]) for one in passes] == [(0, 1), (1, 1)]


@ON_SQLITE
async def test_a_pass_without_the_job_status_service_exits_1(scene: Scene) -> None:
    """It writes nothing."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    before = await scene.tables()
    finished = await scene.run_process(RECONCILER_JOB_STATUS_TARGET="127.0.0.1:1")
    assert (finished.code, finished.summary["left"]) == (1, {"queue_unavailable": 1})
    assert await scene.tables() == before


@ON_SQLITE
async def test_batch_id_says_why_the_batch_was_not_repaired(scene: Scene) -> None:
    """A batch that has ended is clean; one that does not exist is not."""
    await scene.batch("ended", FakeBatch(jobs(1)), jobs(1))
    await scene.batch("running", FakeBatch(jobs(1, pending=1)))
    passes = {
        batch_id: await scene.run_process("--batch-id", batch_id) for batch_id in ("ended", "running", "none")
    }
    assert [one.code for one in passes.values()] == [0, 0, 1]
    assert ("GetBatchStatus", "ended") not in scene.queue.calls
    assert any(line.endswith("the batch has already ended: COMPLETED") for line in passes["ended"].lines)
    assert any(line.endswith("1 job is still pending in the queue") for line in passes["running"].lines)
    assert "there is no batch none" in passes["none"].lines
    assert passes["none"].summary["errors"] == 1


@ON_SQLITE
async def test_a_progress_bar_is_shown_on_a_terminal(scene: Scene) -> None:
    """On standard error; standard output stays as it is."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    ours, theirs = os.openpty()
    process = await scene.start(stderr=theirs)
    finished = await process.finished()
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert (finished.code, finished.summary["completed"]) == (0, 1)
    assert "preparing" in shown
    assert "\x1b" not in "".join(finished.lines)


async def test_a_second_pass_exits_0(scene: Scene) -> None:
    """It says that another one is running."""
    await scene.batch("batch", FakeBatch(jobs(3)))
    stall = scene.queue.stall("batch")
    first = await scene.start()
    await stall.reached.wait()
    second = await scene.run_process()
    stall.over.set()
    assert (second.code, second.summary["lease_held_elsewhere"]) == (0, True)
    assert "another pass is running: nothing was done" in second.lines
    assert (await first.finished()).code == 0


async def test_sigterm_stops_a_pass_after_the_batch_in_progress(scene: Scene) -> None:
    """It releases its lease, prints its report and exits 1."""
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


async def test_a_later_pass_finishes_what_killed_passes_began(scene: Scene) -> None:
    """One was killed before, one in the middle of a large batch."""
    await scene.batch("first", FakeBatch(jobs(20)), jobs(20)[5:])
    await scene.batch("large", FakeBatch(jobs(12_000)))
    await scene.batch("last", FakeBatch(jobs(20)))
    stall = scene.queue.stall("large")
    await kill_when(scene, lambda: stall.reached.is_set() and has_completed(scene, "first"))
    del scene.queue.stalls["large"]
    await kill_when(scene, second_portion_of(scene).is_set)
    scene.queue.before_page = None
    half = await scene.store.get_batch("large")
    assert (half.state, 0 < half.tally.ended < 12_000) == (BatchState.PROCESSING, True)
    assert await scene.differences() == []
    finished = await scene.run_process()
    assert finished.code == 0
    assert await has_completed(scene, "last")
    assert (await scene.store.get_batch("large")).tally.ended == 12_000
    assert await scene.differences() == []


async def kill_when(scene: Scene, look: Callable[[], object]) -> None:
    """Run a pass with one worker, kill it when something is true, and let its lease expire."""
    process = await scene.start(RECONCILER_CONCURRENCY="1")
    await eventually(look)
    await process.kill()
    await scene.let_the_lease_expire()


async def has_completed(scene: Scene, batch_id: str) -> bool:
    """Return whether a batch has completed, perhaps while the queue is asked about the next one."""
    return (await scene.store.get_batch(batch_id)).state is BatchState.COMPLETED


def second_portion_of(scene: Scene) -> asyncio.Event:
    """Block calls as soon as a page of a batch is requested again: the first portion is recorded then."""
    seen: set[tuple[str, str]] = set()
    reached, never = asyncio.Event(), asyncio.Event()

    async def wait_for_the_second(batch_id: str, token: str) -> None:
        if (batch_id, token) in seen:
            reached.set()
            await never.wait()
        seen.add((batch_id, token))

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
async def test_an_invalid_setting_exits_78(scene: Scene, name: str, value: str) -> None:
    """It is named without its value, which may be a secret."""
    finished = await scene.run_process(**{name: value})
    assert (finished.code, finished.lines) == (78, [])
    assert finished.stderr.startswith(f"configuration: {name}: ")
    assert "secret" not in finished.stderr


@ON_SQLITE
async def test_an_empty_certificate_file_exits_78(scene: Scene, tmp_path: Path) -> None:
    """No pass could connect with it."""
    (tmp_path / "ca.pem").touch()
    finished = await scene.run_process(RECONCILER_JOB_STATUS_CA_FILE=str(tmp_path / "ca.pem"))
    assert (finished.code, finished.lines) == (78, [])
    assert finished.stderr == f"configuration: {tmp_path / 'ca.pem'} is empty\n"


async def test_a_database_of_another_version_exits_78(scene: Scene, new_database_url: str) -> None:
    """The message says how to upgrade it."""
    finished = await scene.run_process(BATCHES_DATABASE_URL=new_database_url)
    assert finished.code == 78
    assert "python -m batches upgrade" in finished.stderr


@ON_SQLITE
async def test_a_pass_without_a_database_exits_1(scene: Scene) -> None:
    """It prints a summary, and never the URL."""
    url = "mysql+asyncmy://user:secret@127.0.0.1:1/database"
    finished = await scene.run_process(BATCHES_DATABASE_URL=url)
    assert (finished.code, finished.summary["cut_short"]) == (1, "the database is unavailable")
    assert "secret" not in finished.stderr + "".join(finished.lines)


@ON_SQLITE
@pytest.mark.parametrize("arguments", [("--batch-id", "a", "--all"), ("--batch-id", "a b"), ("--nonsense",)])
async def test_wrong_arguments_exit_2(scene: Scene, arguments: tuple[str, ...]) -> None:
    """Wrong are options that exclude each other, an invalid id and an unknown option."""
    assert (await scene.run_process(*arguments)).code == 2


@ON_SQLITE
async def test_help_names_options_settings_and_exit_codes(scene: Scene) -> None:
    """The help has examples of each."""
    text = "\n".join((await scene.run_process("--help")).lines)
    for name in ("--batch-id", "--all", "--dry-run", "RECONCILER_PASS_SECONDS_MAX", "Exit codes", "78"):
        assert name in text
