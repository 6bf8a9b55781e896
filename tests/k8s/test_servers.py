"""The servers of the pods, started, probed and stopped locally as a kubelet does."""

import asyncio
import signal
from pathlib import Path

import pytest
import pytest_asyncio

from database_servers.ports import free_port
from tests.integration.job_status.queues import LaravelQueue
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.k8s.probes import pass_probes
from tests.unit.k8s.layout import write_kustomization

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.parametrize("database_engine", ["mysql"], indirect=True),
]

PREFIXES = {"progress": "PROGRESS", "job-status": "JOB_STATUS"}
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
    _install(namespace, urls, name, ports, tmp_path)
    (pod, *_) = eventually(lambda: namespace.all_of("pods", f"app.kubernetes.io/name={name}"))
    process = await start_container(namespace, pod, tmp_path / "root")
    try:
        await pass_probes(pod, ports["ADMIN_LISTEN"])
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
    """Apply overlays/trusted-network with free ports of this machine, which all pods share here."""
    for secret, url in urls.items():
        namespace.put_secret(secret, url=url)
    settings = {
        "name": "batchprogress-settings",
        "behavior": "merge",
        "literals": [f"{PREFIXES[name]}_{one}=127.0.0.1:{port}" for one, port in ports.items()],
    }
    namespace.apply(write_kustomization(folder, "overlays/trusted-network", configMapGenerator=[settings]))
