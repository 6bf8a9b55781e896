"""A pass warns of a database node that is set up badly, as a server does."""

from structlog.testing import capture_logs

from batches.store.node_warnings import NodeWarning
from tests.integration.reconciler.scenes import Scene
from tests.integration.store.steps import on_servers


@on_servers
async def test_a_pass_warns_of_the_database_node(scene: Scene) -> None:
    """The test's own account passes read_only."""
    with capture_logs() as logs:
        await scene.run()
    [warning] = [one for one in logs if one["event"] == "the database node is set up badly"]
    assert warning["warning"] == NodeWarning.PASSES_READ_ONLY.value
    assert warning["log_level"] == "warning"
