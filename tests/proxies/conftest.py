"""Two servers on one database, and each proxy before them."""

import random
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.faults.cluster import Cluster, cluster
from tests.faults.conftest import FULL
from tests.faults.ledger import Ledger
from tests.proxies.kinds import DRAIN_SECONDS, KINDS, Kind, Place
from tests.proxies.running import Running, running
from tests.support.certificates import Authority
from tests.support.storage import Databases

SERVERS = 2
QUICK_DRAIN_SECONDS = 2


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """Return what workers of all tests of a module have reported: the servers have one database."""
    return Ledger()


@pytest.fixture(scope="module")
def url(databases: Databases) -> Iterator[str]:
    """Return the database of a module."""
    with databases.migrated() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(url: str) -> AsyncIterator[Cluster]:
    """Run the servers of a module; a test that kills one restarts it."""
    async with cluster(url, SERVERS) as servers:
        yield servers


@pytest.fixture(scope="module", params=KINDS if FULL else KINDS[:3], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each kind of proxy in turn; Caddy has two quick tests of its own."""
    kind: Kind = request.param
    return kind


@pytest.fixture(scope="module")
def place(servers: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return free ports, and a folder with certificates."""
    folder = tmp_path_factory.mktemp("proxy")
    authority = Authority("proxies")
    authority.write(folder)
    pair = authority.sign("progress")
    pair.write(folder, "progress")
    (folder / "both.pem").write_bytes(pair.certificate + pair.key)
    return Place(folder, servers.ports, DRAIN_SECONDS if FULL else QUICK_DRAIN_SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(kind: Kind, place: Place) -> AsyncIterator[Running]:
    """Run a proxy with the file of deploy/."""
    async with running(kind, place) as proxy:
        yield proxy


@pytest.fixture
def order() -> random.Random:
    """Return a source of chance whose seed is printed."""
    seed = secrets.randbits(32)
    print(f"seed: {seed}")
    return random.Random(seed)
