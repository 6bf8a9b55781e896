"""The examples run as their docstrings say."""

import asyncio
import os
import sys

from tests.integration.integrations.scene import Scene
from tests.support.eventually import SECONDS_MAX
from tests.support.progress import ROOT


async def test_an_example_runs_its_batch_to_the_end(scene: Scene) -> None:
    """Each needs a Redis and a server, ends by itself, and prints that one job in twenty failed."""
    examples = {"celery": 100, "rq": 40, "dramatiq": 100}
    # All at once: each waits for its jobs most of the time.
    async with asyncio.timeout(SECONDS_MAX):
        outputs = await asyncio.gather(*(_output_of(scene, queue) for queue in examples))
    for jobs, output in zip(examples.values(), outputs, strict=True):
        assert f"{jobs}/{jobs}" in output
        assert f"{jobs // 20} failed" in output


async def _output_of(scene: Scene, queue: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        f"examples/{queue}_batch.py",
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": scene.redis_url, "BATCHPROGRESS_SERVER": scene.server},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output
