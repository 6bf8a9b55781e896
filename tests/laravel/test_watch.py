"""`php artisan progress:watch` in real Laravel applications."""

import asyncio

import pytest

from tests.laravel.scene import ONE_VERSION, Scene
from tests.support.eventually import SECONDS_MAX

pytestmark = [pytest.mark.xdist_group("laravel"), ONE_VERSION]


async def test_watch_shows_a_batch_until_it_ends(scene: Scene) -> None:
    batch_id = await scene.dispatch(["succeed"] * 9 + ["fail"])
    async with scene.app.running("progress:watch", batch_id) as watch:
        assert watch.stdout is not None
        async with asyncio.timeout(SECONDS_MAX):
            await watch.stdout.readuntil(b"0/10")
            await scene.app.work()
            output = (await watch.stdout.read()).decode()
            assert await watch.wait() == 0
    assert "10/10" in output
    assert output.strip().endswith("completed: 9 succeeded, 1 failed, 0 skipped")


async def test_watch_of_an_unknown_batch_says_so(scene: Scene) -> None:
    assert await scene.app.fails("progress:watch", "none") == 1
