"""Client in processes that fork."""

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run
from tests.support.progress import Served

CHILDREN = 3

BEFORE_A_CALL = f"""
    import os, sys
    from batchprogress import Client
    client = Client(sys.argv[1])
    children = []
    for child in range({CHILDREN}):
        children.append(os.fork())
        if not children[-1]:
            client.create(f"child{{child}}", 1)
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * {CHILDREN}
    client.create("parent", 1)
"""
AFTER_A_CALL = f"""
    import os, sys
    from batchprogress import Client
    client = Client(sys.argv[1])
    client.create("parent", 1)
    channel = client._caller._channels.get()
    children = []
    for child in range({CHILDREN}):
        children.append(os.fork())
        if not children[-1]:
            client.create(f"child{{child}}", 1)
            assert client._caller._channels.get() is not channel
            client.close()
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * {CHILDREN}
    assert client._caller._channels.get() is channel
    client.get("parent")
"""


async def batch_ids(progress: Served) -> set[str]:
    """Return the ids of all batches."""
    return {batch.batch_id for batch in (await progress.stub.ListBatches(pb.ListBatchesRequest())).batches}


async def test_a_fork_before_the_first_call_needs_nothing(progress: Served, target: str) -> None:
    """The construction opens nothing, so every process has a connection of its own."""
    assert await run(BEFORE_A_CALL, target, GRPC_ENABLE_FORK_SUPPORT="0") == (0, "")
    assert await batch_ids(progress) == {"parent", *(f"child{child}" for child in range(CHILDREN))}


async def test_a_child_opens_a_channel_of_its_own(progress: Served, target: str) -> None:
    """The parent's channel stays open and is used again."""
    assert await run(AFTER_A_CALL, target, GRPC_ENABLE_FORK_SUPPORT="1") == (0, "")
    assert await batch_ids(progress) == {"parent", *(f"child{child}" for child in range(CHILDREN))}
