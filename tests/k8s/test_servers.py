"""The servers as their pods say: started, probed and ended by this machine in a kubelet's place."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.job_status.queues import LaravelQueue
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.support.control_plane import ControlPlane
from tests.support.databases.ports import free_port
from tests.unit.k8s.layout import Manifest, write_kustomization

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.parametrize("database_engine", ["mysql"], indirect=True),
]

PREFIXES = {"progress": "PROGRESS", "job-status": "JOB_STATUS"}
PORTS = ("LISTEN", "ADMIN_LISTEN", "METRICS_LISTEN")


@pytest_asyncio.fixture
async def urls(database_url: str, new_database_url: str) -> dict[str, str]:
    """Return what the Secrets hold: where the batches are, and where Laravel's are."""
    await LaravelQueue(new_database_url).create()
    return {"batchprogress-database": database_url, "batchprogress-queue": new_database_url}


@pytest.mark.parametrize("name", PREFIXES)
async def test_probes_are_answered(
    controllers: ControlPlane, namespace: Namespace, urls: dict[str, str], name: str, tmp_path: Path
) -> None:
    """With its pod's settings and Secret a server starts, passes each probe, and ends in its grace."""
    assert controllers.has_controllers
    ports = {port: free_port() for port in PORTS}
    _install(namespace, urls, name, ports, tmp_path)
    (pod, *_) = eventually(lambda: namespace.all_of("pods", f"app.kubernetes.io/name={name}"))
    process = await start_container(namespace, pod, tmp_path / "root")
    try:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            await _pass_probe(pod, probe, ports["ADMIN_LISTEN"])
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(pod["spec"]["terminationGracePeriodSeconds"]):
            _, said = await process.communicate()
        assert process.returncode == 0, said
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def _install(
    namespace: Namespace, urls: dict[str, str], name: str, ports: dict[str, int], folder: Path
) -> None:
    """Apply production with ports that are free on this machine, where all pods are."""
    for secret, url in urls.items():
        namespace.put_secret(secret, url=url)
    settings = {
        "name": "batchprogress-settings",
        "behavior": "merge",
        "literals": [f"{PREFIXES[name]}_{one}=127.0.0.1:{port}" for one, port in ports.items()],
    }
    namespace.apply(write_kustomization(folder, "overlays/production", configMapGenerator=[settings]))


async def _pass_probe(pod: Manifest, name: str, port: int) -> None:
    """Ask as often as the kubelet would until it is content; it gives up after failureThreshold times."""
    (container,) = pod["spec"]["containers"]
    probe = container[name]
    seconds_max = probe["periodSeconds"] * probe["failureThreshold"]
    async with asyncio.timeout(seconds_max), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=probe["grpc"]["service"])
        watch = stub.Watch(request, wait_for_ready=True)
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
        watch.cancel()
