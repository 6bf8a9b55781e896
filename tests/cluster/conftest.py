"""Fixtures of the scenarios: a cluster of each engine, a database on it, servers under load, and a check."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from database_servers.errors import CommandFailed, DatabaseServerUnavailable, PackageUnavailable
from tests.cluster import bars, figures
from tests.cluster.database_cluster import DatabaseCluster
from tests.cluster.evidence import findings
from tests.cluster.galera import SOON, galera
from tests.cluster.group import group_in_networks, group_of
from tests.cluster.load import Load, load_on
from tests.cluster.networks import NetworksUnavailable
from tests.faults.conftest import FULL, full, order, seed
from tests.support import not_run

__all__ = ["full", "order", "seed"]  # fixtures

GALERA, MULTI_PRIMARY, SINGLE_PRIMARY = "galera", "group-multi-primary", "group-single-primary"
GROUP_IN_NETWORKS = "group-in-networks"
CLUSTERS = (GALERA, MULTI_PRIMARY, SINGLE_PRIMARY, GROUP_IN_NETWORKS) if FULL else (GALERA,)
"""The quick size is on Galera only, since each cluster takes a quarter of a minute to start."""

Judge = Callable[[str, Load, *tuple[bars.Bar, ...]], Awaitable[None]]
"""Checks all nodes. Args: name of the scenario, its load, what it promises."""


def kinds(*names: str) -> pytest.MarkDecorator:
    """Choose the clusters of a test; those of a kind stay in one process, which starts it."""
    chosen = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names if name in CLUSTERS]
    return pytest.mark.parametrize("database_cluster", chosen, indirect=True)


in_full_size = pytest.mark.skipif(not FULL, reason="`make test-cluster` runs it")
"""For scenarios that take longer than the quick run has."""
every_node_writes = kinds(GALERA, MULTI_PRIMARY)
nodes_are_cut_off = kinds(GALERA, GROUP_IN_NETWORKS)
one_node_writes = kinds(GALERA, SINGLE_PRIMARY)


@pytest.fixture(scope="session")
def database_cluster(request: pytest.FixtureRequest) -> Iterator[DatabaseCluster]:
    """Return each cluster in turn."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(_cluster(request.param))
        except (PackageUnavailable, CommandFailed, DatabaseServerUnavailable) as error:
            not_run.without(f"no cluster {request.param}: {error}")
        except NetworksUnavailable as error:
            not_run.absent(f"a partition of Group Replication: no network for each node: {error}")
        yield cluster


def _cluster(kind: str) -> AbstractContextManager[DatabaseCluster]:
    if kind == GALERA:
        return galera() if FULL else galera(SOON)
    if kind == GROUP_IN_NETWORKS:
        return group_in_networks()
    return group_of(multi_primary=kind == MULTI_PRIMARY)


@pytest.fixture
async def urls(database_cluster: DatabaseCluster) -> list[str]:
    """Return the URLs of a database with empty tables on each node."""
    await database_cluster.mend()
    return await database_cluster.empty_tables()


@pytest.fixture
async def load(urls: list[str], order: random.Random) -> AsyncIterator[Load]:
    """Serve on each node."""
    async with load_on(urls, order) as load:
        yield load


@pytest.fixture
def judge(database_cluster: DatabaseCluster, urls: list[str], request: pytest.FixtureRequest) -> Judge:
    """Return the final check, which adds a row to the table and fails on any violation."""

    async def check(scenario: str, load: Load, *promised: bars.Bar) -> None:
        found = await findings(load.ledger, urls)
        missed = [str(bar) for bar in (*bars.always(load), *promised) if not bar.is_held]
        row = figures.ClusterRow(
            engine=database_cluster.label,
            scenario=scenario,
            reports=load.ledger.reports,
            acknowledged=len(load.ledger.acknowledged),
            lost=max(len(one.lost) for one in found),
            doubled=max(len(one.doubled) + len(one.miscounted) for one in found),
            unavailable=load.total.unavailable,
            longest_of_all=load.total.longest,
            longest_of_a_server=max(server.answers.longest for server in load.servers),
            again_after=bars.again_after(load),
            missed="; ".join(missed),
        )
        figures.note_row(request.node, row)
        print(row)
        assert not any(found), found
        assert load.ledger.refused == {}
        assert load.ledger.acknowledged == load.ledger.attempted.keys()
        assert not missed

    return check
