"""Fault 15: any bytes to any method of any service that is served."""

import asyncio
import importlib
import json
import os
import pkgutil
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import hypothesis
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default
from grpc_channelz.v1 import channelz_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from batchprogress import v1
from batchprogress.v1 import progress_pb2 as pb
from tests.faults import hostile
from tests.faults.answered_codes import LEAKS, documented
from tests.faults.conftest import FULL
from tests.faults.footprint import Footprint
from tests.faults.job_status_process import job_status_process
from tests.support.answers import answered
from tests.support.progress import ProgressProcess, progress_process, stub_of

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600" if FULL else "20"))
"""`make test-faults` fuzzes for ten minutes, `make test-more` for some seconds."""
EXAMPLES = 500
"""Calls of a round, after which the servers must still be SERVING."""
CALL_SECONDS_MAX = 20.0
STREAM_SECONDS_MAX = 0.05
"""After this, the client ends a stream."""
RAW_BYTES_MAX = 2_000
REST_BYTES = 24 * 2**20
"""The growth after the first rounds by fragmentation and caches; later rounds add less each time."""
SERVING = health_pb2.HealthCheckResponse.SERVING
KNOWN = "known"
WORDS = {"batch_id": [KNOWN], "job_id": [f"job-{number}" for number in range(30)], "key": ["team"]}
OURS = v1.__name__
UNDECODED = frozenset({"INVALID_ARGUMENT / MALFORMED_MESSAGE", "INVALID_ARGUMENT / MESSAGE_TOO_LARGE"})
OF_OTHERS = {
    health_pb2.DESCRIPTOR.package: UNDECODED | {"NOT_FOUND / UNKNOWN_SERVICE"},
    reflection_pb2.DESCRIPTOR.package: UNDECODED,
    channelz_pb2.DESCRIPTOR.package: UNDECODED | {"NOT_FOUND"},
}
"""The answers of gRPC's own services, which our contract does not describe; channelz has no ErrorInfo."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a server, and the methods that its reflection lists."""

    channel: grpc.aio.Channel
    methods: Sequence[MethodDescriptor]


@dataclass(slots=True)
class Fuzz:
    """Calls the methods of some ports with any bytes."""

    ports: Sequence[Port]
    loop: asyncio.AbstractEventLoop
    codes: Counter[str] = field(default_factory=Counter)

    def round(self, seed: int) -> None:
        """Make some calls; a wrong answer is told with the shortest bytes that get it."""
        calls = [(port.channel, method) for port in self.ports for method in port.methods]

        @hypothesis.seed(seed)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @hypothesis.given(st.sampled_from(calls), st.randoms(use_true_random=False))
        def call(chosen: tuple[grpc.aio.Channel, MethodDescriptor], order: random.Random) -> None:
            channel, method = chosen
            raw = bytes_for(method, order)
            hypothesis.note(f"{method.full_name} {raw!r}")
            asyncio.run_coroutine_threadsafe(self._call(channel, method, raw), self.loop).result()

        call()

    async def _call(self, channel: grpc.aio.Channel, method: MethodDescriptor, raw: bytes) -> None:
        try:
            await _answer(channel, method, raw)
        except grpc.aio.AioRpcError as error:
            ended_by_us = method.server_streaming and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            code = "a stream that we ended" if ended_by_us else _code_of(error)
            told = repr((error.details(), error.trailing_metadata()))
        else:
            ended_by_us, code, told = False, "OK", ""
        self.codes[code] += 1
        assert ended_by_us or code in _allowed(method) | {"OK"}, f"{code} is not documented: {told}"
        assert not [leak for leak in LEAKS if leak in told], told


def bytes_for(method: MethodDescriptor, order: random.Random) -> bytes:
    """Return a valid message, one with mutated bytes, or only bytes."""
    kind = order.choice(("valid", "mutated", "mutated", "raw"))
    if kind == "raw":
        return order.randbytes(order.randint(0, RAW_BYTES_MAX))
    raw = hostile.MessageMaker(order, WORDS).make(method.input_type).SerializeToString()
    return raw if kind == "valid" else hostile.mutated(order, raw)


async def _answer(channel: grpc.aio.Channel, method: MethodDescriptor, raw: bytes) -> None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    if not method.server_streaming:
        unary: Any = channel.unary_unary(path)
        await unary(raw, timeout=CALL_SECONDS_MAX)
        return
    stream: Any = channel.stream_stream(path) if method.client_streaming else channel.unary_stream(path)
    async for _ in stream([raw] if method.client_streaming else raw, timeout=STREAM_SECONDS_MAX):
        pass


def _code_of(error: grpc.aio.AioRpcError) -> str:
    if "grpc-status-details-bin" not in dict(error.trailing_metadata() or ()):
        return error.code().name
    answer = answered(error)
    return f"{answer.code.name} / {answer.reason}"


def _allowed(method: MethodDescriptor) -> frozenset[str]:
    package = method.full_name.rsplit(".", 2)[0]
    return documented(method.name) if package == OURS else OF_OTHERS[package]


@asynccontextmanager
async def open_port(number: int) -> AsyncIterator[Port]:
    """Ask a port for its services, and connect to it."""
    for module in pkgutil.iter_modules(v1.__path__):
        importlib.import_module(f"{OURS}.{module.name}")  # its services are known from now on
    async with grpc.aio.insecure_channel(f"127.0.0.1:{number}") as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
        call = stub.ServerReflectionInfo([reflection_pb2.ServerReflectionRequest(list_services="")])
        services = [one.name async for answer in call for one in answer.list_services_response.service]
        methods = [
            method for name in sorted(services) for method in Default().FindServiceByName(name).methods
        ]
        yield Port(channel, methods)


def admin_port_of(server: ProgressProcess) -> int:
    """Return the admin port from the log."""
    (line,) = (json.loads(line) for line in server.log.splitlines() if '"event": "serving"' in line)
    return int(line["admin_port"])


async def require_serving(server: ProgressProcess) -> None:
    """Check that the server says it serves."""
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS_MAX)
        assert answer.status == SERVING


@pytest.mark.more("fuzzes for a chosen time")
@pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
async def test_any_bytes_get_a_documented_answer(
    database_url: str, order: random.Random, figures: Callable[[str], None]
) -> None:
    """No bytes get an undocumented code, a stack trace in the log, or memory that stays."""
    loop = asyncio.get_running_loop()
    async with (
        progress_process(database_url, PROGRESS_REFLECTION="true", GRPC_VERBOSITY="NONE") as progress,
        job_status_process(database_url, KNOWN, REFLECTION="true") as job_status,
        open_port(progress.port) as main,
        open_port(admin_port_of(progress)) as admin,
        open_port(job_status.port) as queue,
    ):
        servers = progress, job_status
        await stub_of(main.channel).CreateBatch(pb.CreateBatchRequest(batch_id=KNOWN, total_jobs=30))
        fuzz, begun = Fuzz((main, admin, queue), loop), loop.time()
        rests: list[list[int]] = []
        while loop.time() - begun < SECONDS or len(rests) < 2:
            seed = order.randrange(2**32)
            print(f"round of seed {seed}")  # shown if the test fails
            await asyncio.to_thread(fuzz.round, seed)
            for server in servers:
                await require_serving(server)
            rests.append([Footprint.of(server.pid).resident_bytes for server in servers])
        logs = progress.log + job_status.log
    figures(f"{len(rests)} rounds, {fuzz.codes.total():,} calls: {dict(fuzz.codes.most_common())}")
    assert "Traceback" not in logs
    assert "unexpected error" not in logs
    half = rests[len(rests) // 2]
    for before, after in zip(half, rests[-1], strict=True):
        assert after - before <= REST_BYTES
