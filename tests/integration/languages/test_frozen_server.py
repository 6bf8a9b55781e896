"""The clients for Node and Go outlive a server that is frozen, whose connections do not end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.languages.programs import LANGUAGES, Programs, Running
from tests.support.progress import progress_process

pytestmark = [
    pytest.mark.more("freezes a server for longer than pings take"),
    pytest.mark.xdist_group("languages"),
]

JOBS = 100


@asynccontextmanager
async def begun(programs: Programs, batch: str, target: str) -> AsyncIterator[tuple[Running, Running]]:
    """Run a worker that has reported half of the jobs of a batch, and a watcher."""
    await programs.run("create", batch, str(JOBS), server=target)
    async with (
        programs.running("watch", batch, server=target) as watching,
        programs.running("worker", batch, server=target) as worker,
    ):
        await watching.line()
        await worker.write(*range(JOBS // 2))
        await watching.line()
        yield worker, watching


async def test_worker_and_watcher_go_on_after_the_server_was_frozen(tmp_path: Path) -> None:
    """It thaws once both watchers have noticed by their pings, after 20 s."""
    node, go = (install(tmp_path) for install in LANGUAGES.values())
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server,
        begun(node, "node", server.target) as of_node,
        begun(go, "go", server.target) as of_go,
    ):
        server.send(signal.SIGSTOP)
        for worker, _ in (of_node, of_go):
            await worker.write(*range(JOBS // 2, JOBS))
        await asyncio.gather(*(watching.complaint() for _, watching in (of_node, of_go)))
        server.send(signal.SIGCONT)
        for worker, watching in (of_node, of_go):
            reported, watched = await worker.ended(), await watching.ended()
            assert (reported.code, watched.code) == (0, 0), (reported, watched)
            assert watched.lines[-1] == f"100 % {JOBS} of {JOBS}, 0 failed COMPLETED"
