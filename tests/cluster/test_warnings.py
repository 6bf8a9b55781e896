"""Sessions of a cluster that read out of sync are warned of."""

import pytest

from batches.store import engines
from batches.store.database import Database
from batches.store.node_warnings import NodeWarning, read_node, warnings_of
from tests.cluster.conftest import every_node_writes
from tests.cluster.database_cluster import DatabaseCluster

pytestmark = every_node_writes


async def test_sessions_that_read_out_of_sync_are_warned_of(
    database_cluster: DatabaseCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours are in sync, unless a proxy resets them or they may not set it."""
    url = (await database_cluster.new_database())[0]
    assert NodeWarning.READS_OUT_OF_SYNC not in await _warnings_at(url)
    monkeypatch.setattr(engines, "IN_SYNC", ())
    assert NodeWarning.READS_OUT_OF_SYNC in await _warnings_at(url)


async def _warnings_at(url: str) -> set[NodeWarning]:
    database = Database(url, connections_max=1)
    node = await database.read(read_node)
    await database.close()
    assert node is not None
    return set(warnings_of(node))
