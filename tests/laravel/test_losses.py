"""Workers of real Laravel applications that die, and a relay that is away."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.laravel.relay import relay
from tests.laravel.scene import Scene, tallies
from tests.support.eventually import eventually

pytestmark = pytest.mark.xdist_group("laravel")


async def test_killed_job_is_reported_by_the_worker_that_runs_it_again(scene: Scene) -> None:
    scene.app.environment["QUEUE_RETRY_AFTER"] = "1"
    batch_id = await scene.dispatch(["succeed"] * 9 + ["sleep"], "--unsealed")
    async with scene.app.worker() as killed:
        await scene.reported(batch_id, succeeded=9)
        killed.kill()
    async with scene.app.worker("--tries=3"):
        await scene.reported(batch_id, succeeded=10)
    look = await scene.look(batch_id, "a worker killed during a job, which another worker ran again")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert (await scene.attempts(batch_id))[:9] == [1] * 9
    assert (await scene.attempts(batch_id))[9] > 1


async def test_job_that_exceeds_its_time_limit_is_reported_as_failed(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 9 + ["sleep"])
    async with scene.app.worker("--timeout=1"):
        await scene.reported(batch_id, succeeded=9, failed=1)
    look = await scene.look(batch_id, "one of 10 jobs exceeded its time limit")
    assert look.answer == "9 / 1 / 0 / 0, finished"


async def test_jobs_run_without_a_relay_and_a_pass_takes_their_counts(scene: Scene, tmp_path: Path) -> None:
    scene.app.broken.touch()
    batch_id = await scene.dispatch(["succeed"] * 17 + ["fail while broken"] * 3)
    away = tmp_path / "away"
    scene.app.environment["RELAY_SOCKET"] = str(away)
    assert f"the relay at unix://{away} does not answer" in await scene.app.work()
    look = await scene.look(batch_id, "3 of 20 jobs failed, and nothing was reported")
    assert look.batch.state == pb.BATCH_STATE_COMPLETED
    assert tallies(look.batch) == (17, 3, 0)
    assert look.batch.reconciled_jobs == 20


async def test_worker_reports_to_a_relay_that_was_restarted(scene: Scene, tmp_path: Path) -> None:
    socket, target = tmp_path / "second", f"127.0.0.1:{scene.progress.port}"
    scene.app.environment["RELAY_SOCKET"] = str(socket)
    async with scene.app.worker():
        for number in range(2):
            async with relay(socket, target, tmp_path / f"{number}.log"):
                batch_id = await scene.dispatch(["succeed"] * 10)
                await scene.reported(batch_id, succeeded=10)


@pytest.mark.parametrize("is_ended", [False, True], ids=["running", "ended"])
async def test_relay_reads_what_a_worker_wrote_before_it_ended(
    scene: Scene, tmp_path: Path, *, is_ended: bool
) -> None:
    """An ended relay takes the connections that it has not accepted yet."""
    async with second_relay(scene, tmp_path) as process:
        batch_id = await scene.dispatch(["succeed"] * 10)
        process.send_signal(signal.SIGSTOP)
        await scene.app.work()
        if is_ended:
            process.terminate()
        process.send_signal(signal.SIGCONT)
        if is_ended:
            await process.wait()
        await scene.reported(batch_id, succeeded=10)


async def test_relay_that_is_ended_reads_what_a_running_worker_wrote(scene: Scene, tmp_path: Path) -> None:
    async with second_relay(scene, tmp_path) as process, scene.app.worker():
        first, second = await scene.dispatch(["succeed"]), await scene.dispatch([], "--unsealed")
        await scene.reported(first, succeeded=1)
        process.send_signal(signal.SIGSTOP)
        await scene.add(second, ["succeed"] * 10)
        await scene.add(first, ["mark"])  # runs after the reports of the others
        await eventually(scene.app.marked.exists)
        process.terminate()
        process.send_signal(signal.SIGCONT)
        await process.wait()
        await scene.reported(second, succeeded=10)


@asynccontextmanager
async def second_relay(scene: Scene, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run another relay, and let workers report to it; yields its process."""
    socket, target = folder / "second", f"127.0.0.1:{scene.progress.port}"
    scene.app.environment["RELAY_SOCKET"] = str(socket)
    async with relay(socket, target, folder / "second.log") as process:
        yield process
