"""docs/tutorial.md, run as it stands: every command and every file, with Redis of the suite."""

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from database_servers.errors import PackageUnavailable
from database_servers.ports import free_port
from database_servers.redis import RedisServer, redis_server
from tests.docs.markdown import ROOT, Block, blocks
from tests.k8s.cluster import eventually
from tests.packages.terminals import Terminals
from tests.packages.viewers import executed, shown
from tests.support import not_run

pytestmark = pytest.mark.xdist_group("packages")

PAGE = ROOT / "docs/tutorial.md"
PAGE_URL = "http://127.0.0.1:8080"
JOBS = 100
BATCHES = 2
BATCH_SECONDS_MAX = 120.0
"""100 jobs of 0.1 s on a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run Redis for the queue."""
    try:
        with redis_server() as server:
            yield server
    except PackageUnavailable as error:
        not_run.without(f"no Redis: {error}")


class Reader:
    """Follows the page, on ports that are free here."""

    def __init__(
        self, folder: Path, terminals: Terminals, redis: RedisServer, addresses: dict[str, str]
    ) -> None:
        self._folder = folder
        self._terminals = terminals
        self._redis = redis
        self._addresses = addresses
        self._page = addresses[PAGE_URL]
        self._output = ""

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        text = block.text
        for there, here in self._addresses.items():
            text = text.replace(there, here)
        if block.attributes.get("after") == "server-stopped":
            self._stop_the_server_while_jobs_run()
        match block.language, block.attributes:
            case "python", {"file": name}:
                (self._folder / name).write_text(text)
            case "sh", {"terminal": name}:
                self._start(name, text)
            case "sh", attributes:
                self._output = self._terminals.run(text, int(attributes.get("exit", 0)))
            case "python", {"cell": _}:
                self._output = executed(text)
            case "text", {"page": path, "click": link}:
                self._output = asyncio.run(shown(f"{self._page}{path}", link, *text.splitlines()))
                self._compare_output(text)
            case "text", _:
                self._compare_output(text)
            case _:
                raise AssertionError(f"the test does not know what to do with {block}")

    def _start(self, name: str, command: str) -> None:
        self._terminals.start(name, command)
        if name != "worker":  # it may start at any time: its jobs wait for it
            eventually(lambda: '"serving"' in self._terminals.log(name))

    def _stop_the_server_while_jobs_run(self) -> None:
        """Do what the page asks for in bold: Ctrl-C in the middle of the batch, then wait for its jobs."""
        with Redis.from_url(self._redis.url) as redis:
            eventually(lambda: self._jobs_ended(redis) >= JOBS + JOBS // 2, BATCH_SECONDS_MAX)
            self._terminals.end("server", signal.SIGINT)
            eventually(lambda: self._jobs_ended(redis) == JOBS * BATCHES, BATCH_SECONDS_MAX)

    def _jobs_ended(self, redis: Redis) -> int:
        return len(redis.keys("celery-task-meta-*"))

    def _compare_output(self, expected: str) -> None:
        """Check that each line of the page is in the output; spaces may differ, and … stands for anything."""
        output = " ".join(self._output.split())
        for line in expected.splitlines():
            pattern = ".*?".join(re.escape(" ".join(part.split())) for part in line.split("…"))
            assert re.search(pattern, output), f"{line!r} is not in:\n{self._output}"


def test_the_tutorial_ends_with_a_repaired_batch(packages: Path, redis: RedisServer, tmp_path: Path) -> None:
    """Anyone who follows the page sees the output that it shows."""
    folder = tmp_path / "tutorial"
    folder.mkdir()
    (folder / "dist").symlink_to(packages)
    progress, job_status, gateway = (f"127.0.0.1:{free_port()}" for _ in range(3))
    variables = {
        "BATCHPROGRESS_SERVER": progress,
        "PROGRESS_LISTEN": progress,
        "JOB_STATUS_LISTEN": job_status,
        "RECONCILER_JOB_STATUS_TARGET": job_status,
        "GATEWAY_LISTEN": gateway,
        "GATEWAY_PROGRESS_TARGET": progress,
    }
    addresses = {
        "redis://127.0.0.1:6379/0": redis.url,
        "127.0.0.1:50051": progress,
        "127.0.0.1:50052": job_status,
        PAGE_URL: f"http://{gateway}",
    }
    with Terminals(folder, variables) as terminals:
        reader = Reader(folder, terminals, redis, addresses)
        for block in blocks(PAGE):
            reader.follow(block)
