"""Old batches are deleted by the scheduled passes, and by nothing else."""

from typing import Any

import pytest

from tests.integration.reconciler.scenes import Scene, jobs
from tests.support.queue_fake import FakeBatch

AT_ONCE = {"retention": 1e-6}


async def ended_and_not(scene: Scene) -> None:
    """Create a batch that has ended and one that has not."""
    await scene.batch("ended", FakeBatch(jobs(3)), jobs(3))
    await scene.batch("processing", FakeBatch(jobs(3, pending=1), finished=False), jobs(3)[1:])


@pytest.mark.parametrize("options", [{}, {"every": True}], ids=["stuck", "all"])
async def test_old_batches_are_deleted(scene: Scene, options: dict[str, Any]) -> None:
    """A scheduled pass deletes batches that ended long ago, with all their rows, and no other."""
    await ended_and_not(scene)
    scene.settings = AT_ONCE
    report = await scene.run(**options)
    tables = await scene.tables()
    assert report.result.batches_deleted == 1
    assert [row[1] for row in tables["batches"]] == ["processing"]
    assert (len(tables["job_results"]), tables["deleted_batches"]) == (2, [])


@pytest.mark.parametrize(
    "options", [{"dry_run": True}, {"batch_id": "processing"}], ids=["dry run", "one batch"]
)
async def test_nothing_is_deleted_by_hand(scene: Scene, options: dict[str, Any]) -> None:
    """A dry run, and a look at one batch, delete nothing."""
    await ended_and_not(scene)
    scene.settings = AT_ONCE
    before = await scene.tables()
    await scene.run(**options)
    assert await scene.tables() == before


@pytest.mark.parametrize("retention", [0, 3_600], ids=["off", "not yet"])
async def test_kept(scene: Scene, retention: float) -> None:
    """Batches are kept for the time of the setting; for ever if that is 0."""
    await ended_and_not(scene)
    scene.settings = {"retention": retention}
    assert (await scene.run()).result.batches_deleted == 0
    assert len((await scene.tables())["batches"]) == 2


async def test_more_than_a_chunk(scene: Scene) -> None:
    """Deletion goes on, chunk by chunk, until nothing old is left, what an earlier pass left included."""
    many = jobs(2_500)
    await scene.batch("large", FakeBatch(many), many)
    for number in range(101):
        await scene.batch(f"small-{number}", FakeBatch(jobs(1)), jobs(1))
    await scene.store.purge_ended(0)
    scene.settings = AT_ONCE
    report = await scene.run()
    tables = await scene.tables()
    assert report.result.batches_deleted == 2
    assert (tables["batches"], tables["job_results"], tables["deleted_batches"]) == ([], [], [])
