"""What becomes of watches when their client is closed, or when the process ends."""

import asyncio
from functools import partial

import pytest

from batchprogress import AsyncClient, Client, ClientClosed
from tests.integration.client.either import opened
from tests.integration.client.scripts import run
from tests.support.progress import Served

SECONDS_MAX = 60.0

OF_MODULE = """
    import sys, warnings
    warnings.simplefilter("ignore")  # `watch` is deprecated, but stays until 0.3
    import batchprogress
    states = batchprogress.watch(sys.argv[1], "b")
    next(states)
"""
IN_A_CYCLE = f"""{OF_MODULE}
    cycle = [states]
    cycle.append(cycle)
"""
IN_A_GENERATOR = """
    import sys
    from batchprogress import Client
    def states():
        with Client(sys.argv[1]) as client:
            yield from client.watch("b")
    held = states()
    next(held)
"""
IN_AN_EVENT_LOOP = """
    import asyncio, sys
    from batchprogress import AsyncClient
    held = []
    async def main():
        held.append(AsyncClient(sys.argv[1]).watch("b"))
        await anext(held[0])
    asyncio.new_event_loop().run_until_complete(main())
"""
IN_A_DAEMON_THREAD = """
    import sys, threading
    from batchprogress import Client
    has_begun = threading.Event()
    def follow():
        for _ in Client(sys.argv[1]).watch("b"):
            has_begun.set()
    threading.Thread(target=follow, daemon=True).start()
    has_begun.wait()
"""
CLOSED_IN_A_CHILD = """
    import asyncio, os, sys
    from batchprogress import AsyncClient
    async def follow(client, has_begun):
        async for _ in client.watch("b"):
            has_begun.set()
    async def main():
        client, has_begun = AsyncClient(sys.argv[1]), asyncio.Event()
        following = asyncio.create_task(follow(client, has_begun))
        await has_begun.wait()
        if not (child := os.fork()):
            list(client.close().__await__())
            os._exit(0)
        assert os.waitpid(child, 0) == (child, 0)
        await client.cancel("b")
        await following
    asyncio.run(asyncio.wait_for(main(), 30))
"""


@pytest.mark.parametrize(
    "holding", [OF_MODULE, IN_A_CYCLE, IN_A_GENERATOR, IN_AN_EVENT_LOOP, IN_A_DAEMON_THREAD]
)
async def test_a_script_that_holds_a_watch_exits(progress: Served, target: str, holding: str) -> None:
    """Until its end, a module or a thread may hold a watch that was never closed."""
    await progress.create("b", 1)
    assert await run(holding, target) == (0, "")


async def test_a_held_watch_keeps_the_exit_code_of_its_script(progress: Served, target: str) -> None:
    """The script ends with the code that it has chosen."""
    await progress.create("b", 1)
    assert await run(f"{OF_MODULE}\n    sys.exit(3)", target) == (3, "")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_closing_a_client_ends_its_watches(
    progress: Served, target: str, kind: type[Client | AsyncClient]
) -> None:
    """A watch of another thread or task does not go on with a connection that nobody would close."""
    await progress.create("b", 1)
    async with opened(kind, target) as client, asyncio.timeout(SECONDS_MAX):
        has_begun = asyncio.Event()
        following = asyncio.create_task(_follow(client.client, has_begun))
        await has_begun.wait()
        await client.call("close")
        with pytest.raises(ClientClosed, match=r"WatchBatch of batch 'b' at .* was ended"):
            await following


async def test_a_forked_child_that_closes_a_client_ends_no_watch_of_its_parent(
    progress: Served, target: str
) -> None:
    """The streams belong to the parent, which sees the end of its batch."""
    await progress.create("b", 1)
    assert await run(CLOSED_IN_A_CHILD, target) == (0, "")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_closed_client_may_be_used_again(
    progress: Served, target: str, kind: type[Client | AsyncClient]
) -> None:
    """The next call opens another connection."""
    await progress.create("b", 1)
    async with opened(kind, target) as client:
        for _ in range(2):
            assert (await client.call("get", "b")).total_jobs == 1
            await client.call("close")


async def _follow(client: Client | AsyncClient, has_begun: asyncio.Event) -> None:
    if isinstance(client, AsyncClient):
        async for _ in client.watch("b"):
            has_begun.set()
    else:
        set_has_begun = partial(asyncio.get_running_loop().call_soon_threadsafe, has_begun.set)
        await asyncio.to_thread(lambda: [set_has_begun() for _ in client.watch("b")])
