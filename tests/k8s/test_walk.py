"""docs/upgrading.md: from overlays/production of 0.1 to overlays/secured of 0.2, under reports."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiosqlite
import pytest

from tests.k8s.cluster import Namespace
from tests.k8s.commands import Shell, shell_in
from tests.k8s.local_node import LocalNode
from tests.k8s.name_server import name_server
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.support.eventually import eventually
from tests.support.first_version import THIS_VERSION, Version, unpack_first_version
from tests.unit.k8s.layout import write_kustomization

WALK_SECONDS_MAX = 900.0
"""It takes two and a half minutes, on a busy machine three times as long."""
pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.timeout(WALK_SECONDS_MAX),
]

BATCH = "sync"
SERVERS = 2
MORE_RESULTS = 40
"""Results that a worker must have recorded after each step: it reports about twenty in a second."""
STEP_SECONDS_MAX = 240.0
CREATE = """\
import sys

from batchprogress import Batches

Batches(sys.argv[1], strict=True).create(sys.argv[2], 1_000_000)
"""
WORKER = """\
import pathlib
import sys
import time

from batchprogress import Reporter, TlsFiles

target, batch_id, name, stop, ca, token = sys.argv[1:]
secured = {"credentials": TlsFiles(pathlib.Path(ca)), "token": token} if ca else {}
number = 0
with Reporter(target, batch_id, **secured) as reporter:
    while not pathlib.Path(stop).exists():
        reporter.succeeded(f"{name}-{number}")
        number += 1
        time.sleep(0.05)
print(number)
"""
"""Reports with the client of either version until the file `stop` exists; prints how many jobs."""


class Worker:
    """A process that reports all the time."""

    def __init__(self, name: str, folder: Path, database: Path) -> None:
        self.name = name
        self._stop = folder / f"{name}.stop"
        self._database = database
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, version: Version, target: str, ca: str = "", token: str = "") -> None:
        """Start it with the client of a version."""
        arguments = (target, BATCH, self.name, str(self._stop), ca, token)
        self._process = await run(version, WORKER, *arguments)

    def end(self) -> None:
        """Kill it if it still runs, as after a failed test."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def more_results(self) -> None:
        """Wait until more of its results are recorded."""
        goal = await self.recorded() + MORE_RESULTS
        await eventually(lambda: self._has_recorded(goal), STEP_SECONDS_MAX)

    async def recorded(self) -> int:
        """Return the number of its results in the database."""
        query = "SELECT count(*) FROM job_results WHERE job_id LIKE ?"
        async with (
            aiosqlite.connect(f"file:{self._database}?mode=ro", uri=True) as connection,
            connection.execute(query, (f"{self.name}-%",)) as rows,
        ):
            (row,) = await rows.fetchall()
        return int(row[0])

    async def _has_recorded(self, goal: int) -> bool:
        return await self.recorded() >= goal

    async def stop(self) -> int:
        """End it; return the number of jobs that it reported."""
        assert self._process is not None
        self._stop.touch()
        async with asyncio.timeout(STEP_SECONDS_MAX):
            output, errors = await self._process.communicate()
        assert self._process.returncode == 0, errors.decode()
        return int(output)


async def run(version: Version, script: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a program with the client of a version."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *arguments),
        env={**os.environ, **version.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return the file of a database that does not exist yet."""
    return tmp_path / "batches.db"


@pytest.fixture
def shell(namespace: Namespace, tmp_path: Path, database: Path) -> Shell:
    """Return a shell in a namespace that has the URLs of the databases."""
    for name in ("batchprogress-database", "batchprogress-queue"):
        namespace.put_secret(name, url=f"sqlite+aiosqlite:///{database}")
    return shell_in(namespace, tmp_path)


@pytest.fixture
def first_version(tmp_path: Path) -> Version:
    """Return version 0.1."""
    return unpack_first_version(tmp_path / "version-0.1")


@asynccontextmanager
async def node_of(namespace: Namespace, folder: Path, first: Version) -> AsyncIterator[tuple[LocalNode, str]]:
    """Run the pods of a namespace; yields the node, and the target of the Service `progress`."""
    versions = {"batchprogress:0.1.0": first, "batchprogress:0.2.0": THIS_VERSION}
    async with (
        LocalNode(namespace, folder / "pods", versions).serving() as node,
        name_server(node.ready.values) as port,
    ):
        yield node, f"dns://127.0.0.1:{port}/progress:50051"


async def deploy(shell: Shell, folder: Path, layout: str, *components: str) -> None:
    """Deploy an overlay of 0.2."""
    folder = folder / "-".join((layout, *components))
    folder.mkdir()
    paths = [f"components/{one}" for one in components]
    overlay = write_kustomization(folder, f"overlays/{layout}", components=paths, patches=SCHEDULED_BY_TESTS)
    done = await asyncio.to_thread(shell.deploy, overlay)
    assert (done.code, done.err) == (0, ""), done


async def make_secrets(shell: Shell) -> None:
    """Create the Secrets; the second time changes nothing."""
    for word in ("created", "kept"):
        done = await asyncio.to_thread(shell.make_secrets)
        assert done.code == 0, done
        assert f"{word} progress-tls" in done.out
    assert "created" not in done.out


def files_of_worker(namespace: Namespace, folder: Path) -> tuple[str, str]:
    """Return what a worker gets: the path of the authority's certificate, and a token."""
    certificates = namespace.get("secret", "progress-tls")["data"]
    token = namespace.get("secret", "worker-token")["data"]["token"]
    ca = folder / "ca.crt"
    ca.write_bytes(base64.b64decode(certificates["ca.crt"]))
    return str(ca), base64.b64decode(token).decode()


async def test_no_report_is_lost_on_the_way_to_tls_and_tokens(
    namespace: Namespace, shell: Shell, first_version: Version, database: Path, tmp_path: Path
) -> None:
    """Workers of 0.1 report until they are restarted with TLS and a token; then those of 0.2 do."""
    old, new = (Worker(name, tmp_path, database) for name in ("old", "new"))
    async with AsyncExitStack() as stack:
        node, target = await stack.enter_async_context(node_of(namespace, tmp_path, first_version))
        for worker in (old, new):
            stack.callback(worker.end)
        await install_first_version(namespace, first_version, tmp_path, node)
        created = await run(first_version, CREATE, target, BATCH)
        output, errors = await created.communicate()
        assert created.returncode == 0, (output, errors)
        await old.start(first_version, target)
        await old.more_results()
        await deploy(shell, tmp_path, "trusted-network", "plaintext-servers")
        await old.more_results()
        await make_secrets(shell)
        await deploy(shell, tmp_path, "secured", "plaintext-servers")
        await new.start(THIS_VERSION, target, *await asyncio.to_thread(files_of_worker, namespace, tmp_path))
        await asyncio.gather(old.more_results(), new.more_results())
        reported = {old: await old.stop()}
        await deploy(shell, tmp_path, "secured")
        await asyncio.to_thread(namespace.kubectl, "delete", "deployment", "progress-plaintext")
        await new.more_results()
        reported[new] = await new.stop()
        assert {one.name: await one.recorded() for one in reported} == {
            one.name: number for one, number in reported.items()
        }
    assert set(node.exit_codes) == {0}


async def install_first_version(
    namespace: Namespace, version: Version, folder: Path, node: LocalNode
) -> None:
    """Apply overlays/production of 0.1, and wait until its servers are ready."""
    overlay = folder / "first"
    overlay.mkdir()
    write_kustomization(overlay, "overlays/production", version.checkout, patches=SCHEDULED_BY_TESTS)
    await asyncio.to_thread(namespace.apply, str(overlay))
    await eventually(lambda: len(node.ready) >= SERVERS, STEP_SECONDS_MAX)
