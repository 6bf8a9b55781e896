"""What a watch takes besides its stream, of which a server may have ten thousand."""

import asyncio
import gc
import tracemalloc

from tests.unit.progress.test_watch_hub import PROCESSING, Feed, next_of

WATCHES = 200
BYTES_MAX = 3_100
"""2,700 with the task that waits for it here. An asyncio.Event adds 760, and each context that is a generator
500."""


async def test_quiet_watch_keeps_little() -> None:
    feed = Feed(watches_max=WATCHES + 1)
    watches = [feed.watch() for _ in range(WATCHES + 1)]
    waiting = [await next_of(watches[0])]
    gc.collect()
    tracemalloc.start()
    try:
        waiting += [await next_of(watch) for watch in watches[1:]]
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    feed.found(PROCESSING, 1)
    await asyncio.gather(*waiting)
    for watch in watches:
        await watch.aclose()
    assert kept / WATCHES < BYTES_MAX
