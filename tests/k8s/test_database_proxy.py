"""components/database-proxy: its pods run haproxy between ours and two nodes of a database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from database_servers import DatabaseServer, Engine, database_server
from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.haproxy import HOST, haproxy_command
from database_servers.ports import free_port
from tests.cluster.database_cluster import run
from tests.cluster.roles import CHECK_ACCOUNT, make_reader, make_writer
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.pod_process import start_container
from tests.k8s.probes import pass_http_probes
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.support import not_run
from tests.support.eventually import eventually as eventually_true
from tests.unit.k8s.layout import Manifest, write_kustomization

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True),
]

NAME = "database-proxy"
SETTINGS = "database-proxy-settings"
REPLICAS = 2


@pytest.fixture
def haproxy() -> None:
    """Report the test as not run on a machine without haproxy."""
    try:
        haproxy_command()
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"no haproxy: {error}")


@pytest.fixture
def nodes(database_engine: Engine) -> Iterator[list[DatabaseServer]]:
    """Run two nodes of a database, which haproxy may ask for their roles."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(database_server(database_engine, own=True)) for _ in range(2)]
        for node in nodes:
            asyncio.run(run(node, CHECK_ACCOUNT))
        yield nodes


@pytest.fixture
def ports() -> dict[str, int]:
    """Return a free port of this machine for each port of the container."""
    return {"mysql": free_port(), "metrics": free_port()}


@pytest.fixture
def pods(
    namespace: Namespace, nodes: list[DatabaseServer], ports: dict[str, int], tmp_path: Path
) -> list[Manifest]:
    """Apply the component as the README says; return the pods of haproxy."""
    data = {
        **{f"DATABASE_NODE_{number}": f"{node.host}:{node.port}" for number, node in enumerate(nodes, 1)},
        "DATABASE_LISTEN": f"{HOST}:{ports['mysql']}",
        "DATABASE_METRICS_LISTEN": f"{HOST}:{ports['metrics']}",
    }
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SETTINGS}, "data": data}
    overlay = write_kustomization(
        tmp_path,
        "overlays/secured",
        components=[f"components/{NAME}"],
        patches=[{"patch": yaml.safe_dump(settings)}, *SCHEDULED_BY_TESTS],
    )
    namespace.apply(overlay)
    (label,) = namespace.get("service", NAME)["spec"]["selector"].items()
    found: list[Manifest] = eventually(lambda: _all_pods(namespace, "=".join(label)))
    return found


def _all_pods(namespace: Namespace, selector: str) -> list[Manifest]:
    """Return the pods of a selector once all replicas exist."""
    found = namespace.all_of("pods", selector)
    return found if len(found) >= REPLICAS else []


@pytest_asyncio.fixture
async def running(
    namespace: Namespace, pods: list[Manifest], ports: dict[str, int], tmp_path: Path
) -> AsyncIterator[None]:
    """Run haproxy as in one of the pods; it passes the probes."""
    process = await start_container(namespace, pods[0], tmp_path / "root")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.communicate)
        stack.callback(process.kill)
        await pass_http_probes(pods[0], ports)
        yield


def test_service_selects_only_the_pods_of_haproxy(namespace: Namespace, pods: list[Manifest]) -> None:
    """Its port is one of the container's."""
    (port,) = namespace.get("service", NAME)["spec"]["ports"]
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["name"] == NAME
        assert port["targetPort"] in {one["name"] for one in container["ports"]}


@pytest.mark.usefixtures("haproxy", "running")
async def test_connections_follow_the_node_that_takes_writes(
    nodes: list[DatabaseServer], ports: dict[str, int]
) -> None:
    """Haproxy runs with the command, the settings and the file of its pod."""
    for writer, reader in (nodes, reversed(nodes)):
        await make_reader(reader)
        await make_writer(writer)
        await eventually_true(partial(_leads_to, writer, ports["mysql"]))


async def _leads_to(node: DatabaseServer, port: int) -> bool:
    """Return whether a connection through haproxy is one to this node."""
    engine = create_async_engine(make_url(node.url()).set(port=port), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(text("SELECT @@port")) == node.port)
    except DBAPIError:
        return False  # haproxy refuses connections until it knows exactly one writer
    finally:
        await engine.dispose()
