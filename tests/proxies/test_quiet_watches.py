"""Watches of batches without news: with the defaults of each proxy, and with our files."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import Cluster
from tests.faults.conftest import FULL
from tests.proxies.kinds import KINDS, Kind, Place, configuration_of, defaults_of
from tests.proxies.running import running
from tests.support.eventually import eventually
from tests.support.progress import Stub, stub_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("database_engine", ["mariadb"], indirect=True),
]
BATCH = "quiet"
QUIET_SECONDS = 340.0
"""Longer than every default: 50 s in examples of haproxy, 60 s of nginx, 5 minutes of Envoy."""
HEARTBEAT_SECONDS = 20
"""What our clients ask for."""
WATCHES = 20
"""Of each kind, since a proxy that cuts one may refuse others."""
SHORT_SECONDS = 3
SHORT = {
    "nginx": {"grpc://progress;": f"grpc://progress; grpc_read_timeout {SHORT_SECONDS}s;"},
    "haproxy": {"50s": f"{SHORT_SECONDS}s"},
    "envoy": {
        "stat_prefix: grpc": f"stat_prefix: grpc\n                stream_idle_timeout: {SHORT_SECONDS}s",
        "route: { cluster: progress }": "route: { cluster: progress, timeout: 0s }",
    },
}
"""What makes the time after which each proxy cuts a quiet watch 3 s. Caddy has none. Envoy's time for a whole
call is 15 s by default, and no heartbeat prolongs it."""
SILENT_CUTS = 2
CALLS_ANSWERED_MIN = 0.9
"""A proxy that has taken a server out refuses most calls; a busy machine lets one of hundreds be late."""
CALL_SECONDS = 1.0
AGAIN_SECONDS = 0.5
END_SECONDS_MAX = 60.0


@dataclass(slots=True)
class Quiet:
    """Watches through a proxy, each of which begins again when it is cut, and calls beside them."""

    stub: Stub
    batch_id: str
    heartbeat_seconds: int
    cuts: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    async def watch(self) -> None:
        """Watch the batch to its end, as long as that takes."""
        heartbeat = Duration(seconds=self.heartbeat_seconds) if self.heartbeat_seconds else None
        revision = 0
        while True:
            request = pb.WatchBatchRequest(
                batch_id=self.batch_id, after_revision=revision, heartbeat_interval=heartbeat
            )
            call = self.stub.WatchBatch(request)
            try:
                async for message in call:
                    if message.batch.state == pb.BATCH_STATE_COMPLETED:
                        return
                    revision = max(revision, message.batch.revision)
            except grpc.aio.AioRpcError as error:
                self.cuts[error.code().name] += 1
                await asyncio.sleep(AGAIN_SECONDS)

    async def call(self) -> None:
        """Read the batch again and again."""
        while True:
            try:
                await self.stub.GetBatch(pb.GetBatchRequest(batch_id=self.batch_id), timeout=10)
            except grpc.aio.AioRpcError as error:
                self.calls[error.code().name] += 1
            else:
                self.calls["OK"] += 1
            await asyncio.sleep(CALL_SECONDS)


async def watched(
    kind: Kind, place: Place, text: str, ended: asyncio.Event, *, heartbeat_seconds: int
) -> Quiet:
    """Watch through a new proxy until the batch has ended; every watch must see it."""
    async with running(kind, place, text) as proxy, grpc.aio.insecure_channel(proxy.target) as channel:
        quiet = Quiet(stub_of(channel), BATCH, heartbeat_seconds)
        calling = asyncio.create_task(quiet.call())
        watching = [asyncio.create_task(quiet.watch()) for _ in range(WATCHES)]
        await ended.wait()
        calling.cancel()
        async with asyncio.timeout(END_SECONDS_MAX):
            await asyncio.gather(*watching)
    return quiet


@asynccontextmanager
async def batch(servers: Cluster, batch_id: str) -> AsyncIterator[asyncio.Event]:
    """Create a batch, and end it with the context; then the event is set."""
    async with servers.channels(1) as [channel]:
        stub, ended = stub_of(channel), asyncio.Event()
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id=batch_id, total_jobs=1))
        yield ended
        report = pb.ReportJobResultRequest(batch_id=batch_id, job_id="job", outcome=pb.JOB_OUTCOME_SUCCEEDED)
        await stub.ReportJobResult(report)
        ended.set()


async def cuts(kind: Kind, servers: Cluster, place: Place) -> tuple[int, int]:
    """Wait until a watch without heartbeats was cut; return how often one with them and this one were."""
    text = defaults_of(kind, place)
    for old, new in SHORT[kind.name].items():
        assert old in text
        text = text.replace(old, new)
    batch_id = f"short-{kind.name}"
    async with running(kind, place, text) as proxy, grpc.aio.insecure_channel(proxy.target) as channel:
        live, silent = (Quiet(stub_of(channel), batch_id, seconds) for seconds in (1, 0))
        async with asyncio.TaskGroup() as group, batch(servers, batch_id):
            for quiet in (live, silent):
                group.create_task(quiet.watch())
            await eventually(lambda: silent.cuts.total() == SILENT_CUTS)
    return live.cuts.total(), silent.cuts.total()


async def test_heartbeats_keep_a_quiet_watch_open(servers: Cluster, place: Place) -> None:
    """Without them each proxy cuts it; both see the end."""
    kinds = [kind for kind in KINDS if kind.name in SHORT]
    own = [Place(place.folder, place.servers) for _ in kinds]
    seen = await asyncio.gather(*(cuts(kind, servers, one) for kind, one in zip(kinds, own, strict=True)))
    assert seen == [(0, SILENT_CUTS)] * len(kinds)


@pytest.mark.skipif(not FULL, reason="takes 6 minutes")
async def test_a_watch_without_news_for_minutes_sees_the_end(
    servers: Cluster, place: Place, figures: Callable[[str], None]
) -> None:
    """With our files it is never cut; with the defaults it begins again after each cut."""
    configurations = {"defaults": defaults_of, "deploy": configuration_of}
    choices = [(kind, name, seconds) for kind in KINDS for name in configurations for seconds in (0, 20)]

    async with asyncio.TaskGroup() as group, batch(servers, BATCH) as ended:

        async def one(kind: Kind, name: str, seconds: int) -> Quiet:
            own = Place(place.folder, place.servers)
            text = configurations[name](kind, own)
            return await watched(type(kind)(), own, text, ended, heartbeat_seconds=seconds)

        watching = [group.create_task(one(*choice)) for choice in choices]
        await asyncio.sleep(QUIET_SECONDS)
    for (kind, name, seconds), watched_by in zip(choices, watching, strict=True):
        quiet = watched_by.result()
        figures(f"{kind.name}, {name}, heartbeat {seconds} s: {dict(quiet.cuts)}, calls {dict(quiet.calls)}")
        if name == "deploy":
            assert quiet.cuts.total() == 0
            assert quiet.calls["OK"] >= CALLS_ANSWERED_MIN * quiet.calls.total()
