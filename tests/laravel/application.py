"""A Laravel application with a database, a queue and workers."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from tests.laravel.framework import Framework
from tests.support.eventually import SECONDS_MAX
from tests.support.progress import ROOT

APPLICATION = Path(__file__).parent / "app"
PACKAGE = ROOT / "clients/laravel"
DRIVERS = {"mysql": "mysql", "postgresql": "pgsql"}
"""PHP's names for the databases."""

Jobs = Sequence["str | Sequence[str]"]
"""Jobs by what they do, see app/app/Jobs/Work.php; a list is a chain."""


@dataclass(frozen=True, slots=True)
class Application:
    """An application in a folder of its own.

    Args:
        framework: Its version of Laravel.
        folder: Where it is put; the folder exists and is empty.
        environment: What its settings read.

    """

    framework: Framework
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def install(self) -> None:
        """Copy the application, install our package as Composer does, and create the tables."""
        shutil.copytree(APPLICATION, self.folder, dirs_exist_ok=True)
        shutil.copytree(PACKAGE, self.folder / "vendor/batchprogress/laravel")
        for name in ("bootstrap/cache", "storage", "vendor/composer"):
            (self.folder / name).mkdir(exist_ok=True)
        package = json.loads((PACKAGE / "composer.json").read_text(encoding="utf-8"))
        (self.folder / "vendor/composer/installed.json").write_text(json.dumps({"packages": [package]}))
        await self.artisan("app:tables")

    @property
    def log(self) -> str:
        """What the application and its workers logged."""
        path = self.folder / "storage/log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def broken(self) -> Path:
        """A file whose presence lets jobs fail."""
        return self.folder / "storage/broken"

    @property
    def marked(self) -> Path:
        """A file that the job `mark` writes."""
        return self.folder / "storage/marked"

    async def artisan(self, *arguments: str) -> str:
        """Run a command of Laravel to its end; return its output."""
        process = await self._start(*arguments)
        output, _ = await ended(process)
        assert process.returncode == 0, output
        return output.strip()

    async def fails(self, *arguments: str) -> int:
        """Run a command of Laravel that fails; return its exit code."""
        process = await self._start(*arguments)
        output, code = await ended(process)
        assert code != 0, output
        return code

    async def work(self, *options: str, workers: int = 1, seconds_max: float = SECONDS_MAX) -> str:
        """Let workers run until the queue is empty; return their output."""
        command = ("queue:work", "--stop-when-empty", "--sleep=0.05", *options)
        processes = [await self._start(*command) for _ in range(workers)]
        outputs = await asyncio.gather(*(ended(process, seconds_max) for process in processes))
        assert all(process.returncode == 0 for process in processes), outputs
        return "".join(output for output, _ in outputs)

    @asynccontextmanager
    async def worker(self, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a worker that waits for jobs while the context is open; it is ended like Supervisor does."""
        async with self.running("queue:work", "--sleep=0.05", *options) as process:
            yield process

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a command of Laravel while the context is open."""
        process = await self._start(*arguments)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await ended(process)

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.framework.php,
            *("artisan", *arguments),
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


def environment_of(database_url: str, redis_url: str, queue: str, gateway_url: str) -> dict[str, str]:
    """Return the environment of an application.

    Args:
        database_url: The SQLAlchemy URL of its database, which has the table job_batches.
        redis_url: The URL of Redis.
        queue: Where its jobs are queued: database or redis.
        gateway_url: The URL of our gateway.

    """
    url = make_url(database_url)
    return {
        "DB_DRIVER": DRIVERS[url.get_backend_name()],
        "DB_HOST": url.host or "",
        "DB_PORT": str(url.port),
        "DB_DATABASE": url.database or "",
        "DB_USERNAME": url.username or "",
        "DB_PASSWORD": url.password or "",
        "REDIS_URL": redis_url,
        "QUEUE_CONNECTION": queue,
        "QUEUE_RETRY_AFTER": "90",
        "BATCHPROGRESS_URL": gateway_url,
        "BATCHPROGRESS_TIMEOUT": "20",  # the gateway is slow on a busy machine
    }


async def ended(process: asyncio.subprocess.Process, seconds_max: float = SECONDS_MAX) -> tuple[str, int]:
    """Wait for the end of a process, which is killed if it takes too long; return its output."""
    try:
        async with asyncio.timeout(seconds_max):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace"), process.returncode or 0
