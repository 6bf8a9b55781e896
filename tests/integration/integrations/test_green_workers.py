"""Celery's pools of green threads: nothing of ours stops their tasks."""

import signal

import pytest

from tests.integration.integrations.scene import KillableScene
from tests.integration.integrations.test_celery import APP, QUIET

TASKS = 200


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
async def test_tasks_go_on_while_the_server_is_frozen(killable: KillableScene, pool: str) -> None:
    """All end before the server answers again; then their reports arrive."""
    await killable.enqueue("celery", f"progress.run('b', group(add.s(n) for n in range({TASKS})))")
    server = killable.servers.server(0)
    server.send(signal.SIGSTOP)
    try:
        command = ("celery", "--quiet", "-A", APP, "worker", "--pool", pool, "-c", "20", "-l", "error")
        async with killable.worker(*command, *QUIET, TEST_SPOOL=""):
            await killable.celery_results(TASKS)
            server.send(signal.SIGCONT)
            await killable.until_succeeded("b", TASKS)
    finally:
        server.send(signal.SIGCONT)
