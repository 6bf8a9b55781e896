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
    assert await run(BEFORE_A_CALL, target) == (0, "")
    assert await batch_ids(progress) == {"parent", *(f"child{child}" for child in range(CHILDREN))}


async def test_a_child_opens_a_channel_of_its_own(progress: Served, target: str) -> None:
    """The parent's channel stays open and is used again."""
    assert await run(AFTER_A_CALL, target) == (0, "")
    assert await batch_ids(progress) == {"parent", *(f"child{child}" for child in range(CHILDREN))}


async def test_a_child_watches_and_is_refused_as_its_parent_is(progress: Served, target: str) -> None:
    """Streams, errors with their details and cancelled streams pass through the call process."""
    await progress.create("b", 2)
    source = """
        import os, sys
        from batchprogress import BatchConflict, BatchNotFound, Client, WaitTimeout
        client = Client(sys.argv[1])
        client.get("b")
        if not (child := os.fork()):
            states = client.watch("b")
            assert next(states).total_jobs == 2
            states.close()
            for call, error in (
                (lambda: client.get("missing"), BatchNotFound),
                (lambda: client.create("b", 3), BatchConflict),
                (lambda: client.wait("b", timeout=0.5), WaitTimeout),
                (lambda: next(client.watch("missing")), BatchNotFound),
            ):
                try:
                    call()
                except error:
                    pass
                else:
                    raise AssertionError(error)
            client.cancel("b")
            assert client.wait("b", timeout=60).state == "cancelled"
            client.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    assert await run(source, target) == (0, "")


async def test_what_a_child_cannot_do_it_says(target: str) -> None:
    """Gives a sentence instead of a hang."""
    source = """
        import asyncio, grpc, os, sys
        from batchprogress import AsyncClient, Client, GrpcUnusable, Unavailable
        try:
            Client(sys.argv[1]).get("b")
        except LookupError:
            pass
        async def get():
            await AsyncClient(sys.argv[1]).get("b")
        def get_with_tls():
            Client(sys.argv[1], credentials=grpc.ssl_channel_credentials()).get("b")
        if not (child := os.fork()):
            for call, sentence in ((lambda: asyncio.run(get()), "Use Client"), (get_with_tls, "TlsFiles")):
                try:
                    call()
                except GrpcUnusable as error:
                    assert sentence in str(error)
                else:
                    raise AssertionError(sentence)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    assert await run(source, target) == (0, "")
