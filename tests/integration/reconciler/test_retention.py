"""Scheduled passes delete old batches; nothing else does."""

from typing import Any

import pytest

from batches.new_batch import IfEnded, NewBatch
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batches.store.retention import CHUNK_BATCHES
from reconciler.run.deadline import Deadline, StopReason
from reconciler.run.purge import purge_ended
from tests.integration.reconciler.scenes import Scene, jobs
from tests.integration.store.steps import ago
from tests.support.queue_fake import FakeBatch, QueueFake, served

AT_ONCE = {"retention": 1e-6}


async def ended_and_not(scene: Scene) -> None:
    """Create a batch that has ended and one that has not."""
    await scene.batch("ended", FakeBatch(jobs(3)), jobs(3))
    await scene.batch("processing", FakeBatch(jobs(3, pending=1), finished=False), jobs(3)[1:])


@pytest.mark.parametrize("options", [{}, {"all_batches": True}], ids=["stuck", "all"])
async def test_a_pass_deletes_batches_that_ended_long_ago(scene: Scene, options: dict[str, Any]) -> None:
    """All their rows are deleted, and no others."""
    await ended_and_not(scene)
    scene.settings = AT_ONCE
    report = await scene.run(**options)
    tables = await scene.tables()
    assert report.summary.batches_deleted == 1
    assert [row[1] for row in tables["batches"]] == ["processing"]
    assert (len(tables["job_results"]), tables["deleted_batches"]) == (2, [])


@pytest.mark.parametrize(
    "options", [{"dry_run": True}, {"batch_id": "processing"}], ids=["dry run", "one batch"]
)
async def test_a_pass_started_by_hand_deletes_nothing(scene: Scene, options: dict[str, Any]) -> None:
    """This holds for a dry run and for a pass over one batch."""
    await ended_and_not(scene)
    scene.settings = AT_ONCE
    before = await scene.tables()
    await scene.run(**options)
    assert await scene.tables() == before


@pytest.mark.parametrize("retention", [0, 3_600], ids=["off", "not yet"])
async def test_a_batch_is_kept_for_the_retention_time(scene: Scene, retention: float) -> None:
    """Forever if that is 0."""
    await ended_and_not(scene)
    scene.settings = {"retention": retention}
    assert (await scene.run()).summary.batches_deleted == 0
    assert len((await scene.tables())["batches"]) == 2


async def test_the_rows_of_a_replaced_batch_are_deleted_without_a_retention(scene: Scene) -> None:
    """They can no longer be read, so they are not kept forever."""
    await ended_and_not(scene)
    await scene.store.create_batch(NewBatch("ended", 3, request_id="r", if_ended=IfEnded.REPLACE))
    del scene.queue.batches["ended"]
    scene.settings = {"retention": 0}
    assert (await scene.run()).summary.batches_deleted == 0
    tables = await scene.tables()
    assert [row[1] for row in tables["batches"]] == ["processing", "ended"]
    assert (len(tables["job_results"]), tables["deleted_batches"]) == (2, [])


async def test_a_pass_deletes_chunk_by_chunk_until_nothing_old_is_left(scene: Scene) -> None:
    """Including what an earlier pass did not get to."""
    many = jobs(2_500)
    await scene.batch("large", FakeBatch(many), many)
    for number in range(101):
        await scene.batch(f"small-{number}", FakeBatch(jobs(1)), jobs(1))
    await scene.store.purge_ended(ago(0))
    scene.settings = AT_ONCE
    report = await scene.run()
    tables = await scene.tables()
    assert report.summary.batches_deleted == 2
    assert (tables["batches"], tables["job_results"], tables["deleted_batches"]) == ([], [], [])


async def old_batches(scene: Scene) -> None:
    """Create more batches than one transaction deletes, and a stuck batch."""
    for number in range(CHUNK_BATCHES + 1):
        await scene.batch(f"old-{number}", FakeBatch(jobs(1)), jobs(1))
    await scene.batch("stuck", FakeBatch(jobs(1, pending=1), finished=False))
    scene.settings = AT_ONCE


async def test_batches_that_take_up_a_whole_pass_leave_time_for_deletions(scene: Scene) -> None:
    """Old batches are deleted before any batch is checked."""
    await old_batches(scene)
    deadline = Deadline(60)
    scene.queue.failure = lambda _method, _batch_id: deadline.stop(StopReason.TIME_UP)
    summary = (await scene.run(deadline=deadline)).summary
    assert (summary.looked_at, summary.batches_deleted) == (1, CHUNK_BATCHES + 1)
    assert (await scene.tables())["deleted_batches"] == []


async def test_old_batches_are_deleted_while_the_job_status_service_is_away(scene: Scene) -> None:
    await old_batches(scene)
    async with served(QueueFake()) as target:
        pass
    scene.target = target  # nobody listens there any more
    summary = (await scene.run()).summary
    assert summary.cut_short == StopReason.QUEUE_UNAVAILABLE
    assert summary.batches_deleted == CHUNK_BATCHES + 1


async def test_deletions_take_no_more_than_their_share_before_the_first_check(scene: Scene) -> None:
    """What is left is deleted after the last check, as long as the pass has time."""
    await old_batches(scene)
    scene.settings = {**AT_ONCE, "pass_seconds_max": 1e-6}
    deadline = Deadline(60)
    deleted_at_check: list[int] = []

    async def count_old(_batch_id: str, _token: str) -> None:
        deleted_at_check.append(CHUNK_BATCHES + 2 - len((await scene.tables())["batches"]))

    scene.queue.before_page = count_old
    summary = (await scene.run(deadline=deadline)).summary
    assert (deleted_at_check, summary.batches_deleted) == ([0], CHUNK_BATCHES + 1)


async def test_a_database_that_does_not_answer_the_deletion_stops_the_pass() -> None:
    """Its report must not look like that of a complete pass."""
    database = Database("mysql+asyncmy://user:password@127.0.0.1:1/database", connections_max=1)
    deadline = Deadline(60)
    assert await purge_ended(BatchStore(database), deadline, ago(1), seconds_max=60) == 0
    deadline.close()
    await database.close()
    assert deadline.stop_reason is StopReason.DATABASE_UNAVAILABLE
