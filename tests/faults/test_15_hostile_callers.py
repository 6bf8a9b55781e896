"""Fault 15: hostile callers, beside a worker that reports."""

import asyncio
import resource
from collections.abc import Iterator

import pytest

from tests.faults import hostile_callers as callers
from tests.faults.caller_figures import CallerRow, note_row
from tests.faults.conftest import FULL, Target
from tests.faults.footprint import Footprint, peak_bytes
from tests.faults.hostile_callers import HostileCaller
from tests.support.neighbour import Latency, Neighbour, neighbour
from tests.support.progress import progress_process

NORMAL_SECONDS = 0.05
"""A report is as fast as before if it takes at most twice the p99 from before, and always within this."""
NORMAL_AFTER_SECONDS_MAX = 60.0
"""A server that is not back to normal then never will be."""
FILES_MAX = 16_384
"""Open files of this process and of its servers: 5,000 connections with two ends each."""
ENVIRONMENT = {"GRPC_VERBOSITY": "NONE", "MALLOC_ARENA_MAX": "1"}
"""As the image and the systemd units have it."""
CHOSEN = [caller for caller in callers.HOSTILE_CALLERS if FULL or caller.name in callers.REPRESENTATIVES]


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    """Raise the limit of open files for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES_MAX)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.more("attacks a server for seconds, for each kind of attack")
@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
@pytest.mark.parametrize("caller", CHOSEN, ids=lambda caller: caller.name.replace(" ", "-"))
async def test_no_caller_takes_the_server_down(
    target: Target, caller: HostileCaller, request: pytest.FixtureRequest
) -> None:
    """Under attack the server answers its neighbour in bounded memory, and is soon as fast as before."""
    scale = callers.FULL if FULL else callers.QUICK
    async with progress_process(target.url, **ENVIRONMENT) as server, neighbour(server.target) as victim:
        await caller.prepare(target, server, scale)
        alone = await victim.measure(scale.seconds)
        rest_bytes = Footprint.of(server.pid).resident_bytes
        async with caller.run(server, scale) as size:
            meanwhile = await victim.measure(scale.seconds)
            told = await size()
        normal_after = await seconds_until_normal(victim, alone)
        peak = peak_bytes(server.pid)
        assert "unexpected error" not in server.log
    row = CallerRow(
        attack=caller.name,
        size=told,
        rest_mib=rest_bytes // callers.MIB,
        peak_mib=peak // callers.MIB,
        alone=(alone.p50, alone.p99),
        meanwhile=(meanwhile.p50, meanwhile.p99),
        failed=meanwhile.failed,
        normal_after=normal_after,
    )
    note_row(request.node, row)
    assert normal_after < NORMAL_AFTER_SECONDS_MAX
    if caller.rise_mib_max is not None:
        assert row.peak_mib - row.rest_mib <= caller.rise_mib_max


async def seconds_until_normal(victim: Neighbour, alone: Latency) -> float:
    """Return how long it takes until a report is as fast as before."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while (seconds := loop.time() - begun) < NORMAL_AFTER_SECONDS_MAX:
        latency = await victim.measure(0)
        if not latency.failed and latency.longest <= max(2 * alone.p99, NORMAL_SECONDS):
            return seconds
    return NORMAL_AFTER_SECONDS_MAX
