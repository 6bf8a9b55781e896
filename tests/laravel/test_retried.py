"""Failed jobs of real Laravel applications that a person retries."""

import pytest

from tests.laravel.scene import Scene, tallies

pytestmark = pytest.mark.xdist_group("laravel")
JOBS = ["succeed"] * 17 + ["fail while broken"] * 3


async def test_success_of_a_retried_batch_replaces_its_failures(scene: Scene) -> None:
    batch_id = await failed_batch(scene)
    failed = await scene.look(batch_id, "3 of 20 jobs failed")
    assert tallies(failed.batch) == (17, 3, 0)
    await scene.app.artisan("queue:retry-batch", batch_id)
    await scene.app.work()
    await scene.reported(batch_id, succeeded=20)
    look = await scene.look(batch_id, "these 3 jobs succeeded after `queue:retry-batch`")
    assert look.row.failed_job_ids == []
    assert look.answer == "20 / 0 / 0 / 0, finished"
    assert await scene.attempts(batch_id) == [1] * 17 + [1_001] * 3


async def test_retry_that_fails_again_is_replaced_by_the_next_one(scene: Scene) -> None:
    batch_id = await failed_batch(scene, "--tries=2")
    scene.app.broken.touch()
    await scene.app.artisan("queue:retry-batch", batch_id)
    await scene.app.work("--tries=2")
    scene.app.broken.unlink()
    await scene.app.artisan("queue:retry-batch", batch_id)
    await scene.app.work("--tries=2")
    await scene.reported(batch_id, succeeded=20)
    assert await scene.attempts(batch_id) == [1] * 17 + [2_001] * 3


async def test_retry_of_horizon_is_reported_under_the_first_id(scene: Scene) -> None:
    batch_id = await failed_batch(scene)
    await scene.app.artisan("app:retry-as-horizon")
    await scene.app.work()
    await scene.reported(batch_id, succeeded=20)
    look = await scene.look(batch_id, "these 3 jobs succeeded after Horizon's retry")
    assert len(look.row.failed_job_ids) == 3  # Laravel does not know that these jobs are the new ones
    assert look.row.pending_jobs == 0
    assert look.batch.total_jobs == 20


async def test_second_retry_of_horizon_replaces_the_first(scene: Scene) -> None:
    batch_id = await failed_batch(scene)
    scene.app.broken.touch()
    await scene.app.artisan("app:retry-as-horizon", "--hours-later=1")
    await scene.app.work()
    scene.app.broken.unlink()
    await scene.app.artisan("app:retry-as-horizon", "--hours-later=2")
    await scene.app.work()
    await scene.reported(batch_id, succeeded=20)


async def test_failures_taken_from_counts_are_replaced_by_a_retry(scene: Scene) -> None:
    scene.app.broken.touch()
    batch_id = await scene.dispatch(JOBS)
    with scene.gateway():
        await scene.app.work()
    counted = await scene.look(batch_id, "3 of 20 jobs failed, and nothing was reported")
    assert tallies(counted.batch) == (17, 3, 0)
    scene.app.broken.unlink()
    await scene.app.artisan("queue:retry-batch", batch_id)
    await scene.app.work()
    await scene.late_reports(batch_id, 3)
    look = await scene.look(batch_id, "these 3 unreported jobs succeeded after `queue:retry-batch`")
    assert tallies(look.batch) == (20, 0, 0)


async def failed_batch(scene: Scene, *options: str) -> str:
    """Run a batch of which 3 jobs fail, and mend what let them fail; return its id."""
    scene.app.broken.touch()
    batch_id = await scene.dispatch(JOBS)
    await scene.app.work(*options)
    await scene.reported(batch_id, succeeded=17, failed=3)
    await scene.ended(batch_id)
    scene.app.broken.unlink()
    return batch_id
