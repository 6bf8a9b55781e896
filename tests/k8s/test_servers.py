"""The servers of the pods, started, probed and stopped locally as a kubelet does."""

import asyncio
import signal
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from database_servers.ports import free_port
from tests.integration.job_status.queues import LaravelQueue
from tests.integration.observability.conftest import value
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.k8s.probes import pass_probes
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.support.children import PROCESSES, children_of, is_running
from tests.support.eventually import eventually as eventually_true
from tests.unit.k8s.layout import Manifest, write_kustomization
from tests.unit.k8s.readme import block_with

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.parametrize("database_engine", ["mysql"], indirect=True),
]

PREFIXES = {"progress": "PROGRESS", "job-status": "JOB_STATUS"}
PAGE_SECONDS_MAX = 10.0
PORTS = ("LISTEN", "ADMIN_LISTEN", "METRICS_LISTEN")


@pytest_asyncio.fixture
async def urls(database_url: str, new_database_url: str) -> dict[str, str]:
    """Return the content of the Secrets: the URLs of our database and of Laravel's."""
    await LaravelQueue(new_database_url).create()
    return {"batchprogress-database": database_url, "batchprogress-queue": new_database_url}


@pytest.mark.parametrize("name", PREFIXES)
async def test_server_passes_its_probes_and_stops_in_its_grace_period(
    namespace: Namespace, urls: dict[str, str], name: str, tmp_path: Path
) -> None:
    """It runs with the settings and the Secret of its pod."""
    ports = {port: free_port() for port in PORTS}
    overlay = _overlay(tmp_path, [_ports(PREFIXES[name], ports)])
    pod = _pod_of(namespace, urls, overlay, name)
    async with _running(namespace, pod, tmp_path / "root", ports) as process:
        await _stop(pod, process)


async def test_several_processes_in_a_pod_are_one_server(
    namespace: Namespace, urls: dict[str, str], tmp_path: Path
) -> None:
    """Its probes, its page of metrics and its end, with the README's fields of an overlay."""
    ports = {port: free_port() for port in PORTS}
    fields = block_with("PROGRESS_PROCESSES")
    overlay = _overlay(tmp_path, [_ports("PROGRESS", ports), *fields.pop("configMapGenerator")], **fields)
    pod = _pod_of(namespace, urls, overlay, "progress")
    async with _running(namespace, pod, tmp_path / "root", ports) as process:
        await eventually_true(partial(_tells_of_all, ports["METRICS_LISTEN"]))
        children = children_of(process.pid)
        assert len(children) == PROCESSES
        await _stop(pod, process)
    assert not any(map(is_running, children))


@asynccontextmanager
async def _running(
    namespace: Namespace, pod: Manifest, root: Path, ports: dict[str, int]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the container of a pod, which passes its probes."""
    process = await start_container(namespace, pod, root)
    try:
        await pass_probes(pod, ports["ADMIN_LISTEN"])
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _stop(pod: Manifest, process: asyncio.subprocess.Process) -> None:
    """End a container as a kubelet does."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(pod["spec"]["terminationGracePeriodSeconds"]):
        _, said = await process.communicate()
    assert process.returncode == 0, said


def _pod_of(namespace: Namespace, urls: dict[str, str], overlay: str, name: str) -> Manifest:
    """Apply an overlay; return a pod of a Deployment."""
    for secret, url in urls.items():
        namespace.put_secret(secret, url=url)
    namespace.apply(overlay)
    (pod, *_) = eventually(lambda: namespace.all_of("pods", f"app.kubernetes.io/name={name}"))
    return dict(pod)


def _overlay(folder: Path, generators: list[Manifest], **fields: Any) -> str:
    """Write an overlay of overlays/trusted-network; return its folder."""
    patches = [*fields.pop("patches", ()), *SCHEDULED_BY_TESTS]
    return write_kustomization(
        folder, "overlays/trusted-network", configMapGenerator=generators, patches=patches, **fields
    )


def _ports(prefix: str, ports: dict[str, int]) -> Manifest:
    """Return settings with free ports of this machine, which all pods share here."""
    literals = [f"{prefix}_{one}=127.0.0.1:{port}" for one, port in ports.items()]
    return {"name": "batchprogress-settings", "behavior": "merge", "literals": literals}


async def _tells_of_all(port: int) -> bool:
    """Return whether the page of metrics tells that all processes serve and are ready."""
    page = await asyncio.to_thread(_page_at, port)
    told = value(page, "batchprogress_processes"), value(page, "batchprogress_ready")
    return told == (PROCESSES, 1)


def _page_at(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PAGE_SECONDS_MAX) as answer:
        return str(answer.read().decode())
