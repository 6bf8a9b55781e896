"""A caller beside hostile ones: a process that reports results one by one, and how long its calls take.

    async with neighbour(server.target) as victim:
        alone = await victim.measure(seconds=5)
        async with an_attack(server):
            during = await victim.measure(seconds=10)

It is a process of its own, so that the work of the attacker's client does not count as the server's.
"""

import asyncio
import json
import math
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import ROOT, Stub, stub_of

BATCH = "neighbour"
PAUSE_SECONDS = 0.01
"""Between two reports: a worker has other things to do, and a server that it fills alone has no rest."""
CALL_SECONDS_MAX = 60.0
"""The deadline of a call; one that reaches it counts with its length and as failed."""
LINE_BYTES_MAX = 2**20
ANSWER_SECONDS_MAX = CALL_SECONDS_MAX + 30
"""How long a measurement may take beyond its own time: its last call may reach its deadline."""


@dataclass(frozen=True, slots=True)
class Latency:
    """The calls of a measurement; durations are in seconds."""

    calls: int
    failed: int
    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        """Return a line with the figures."""
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"p50 {self.p50 * 1_000:.1f} ms, p99 {self.p99 * 1_000:.1f} ms ({self.calls} calls{failed},"
            f" longest {self.longest * 1_000:.0f} ms)"
        )


class Neighbour:
    """The process, as its parent controls it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def measure(self, seconds: float) -> Latency:
        """Let it report for that long.

        Raises:
            AssertionError: the process has ended.

        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        async with asyncio.timeout(seconds + ANSWER_SECONDS_MAX):
            return Latency(**json.loads(await self.read_line()))

    async def read_line(self) -> str:
        """Return its next line."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the neighbour has ended: its error is above"
        return line.decode()


@asynccontextmanager
async def neighbour(target: str, token: str = "") -> AsyncIterator[Neighbour]:
    """Run the process while the context is open.

    Args:
        target: host:port of the server.
        token: what it sends; it needs the roles operator and worker.

    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.neighbour", target, token),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
    victim = Neighbour(process)
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await victim.read_line()  # it has reported once
        yield victim
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def latency_of(seconds: Sequence[float], failed: int) -> Latency:
    """Summarise the durations of calls, at least one."""
    ordered = sorted(seconds)

    def quantile(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1]

    return Latency(len(ordered), failed, quantile(0.5), quantile(0.99), ordered[-1])


async def _run(target: str, token: str) -> None:
    """Create the batch, report once, then report for as long as each line of the input says."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    loop = asyncio.get_running_loop()
    async with grpc.aio.insecure_channel(target) as channel:
        stub = stub_of(channel)
        request = pb.CreateBatchRequest(batch_id=BATCH, total_jobs=1_000_000_000)
        await stub.CreateBatch(request, metadata=metadata, timeout=CALL_SECONDS_MAX)
        number = 0
        _print({"ready": await _report(stub, metadata, number)})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            seconds, failed, end = list[float](), 0, loop.time() + float(line)
            while not seconds or loop.time() < end:
                number += 1
                begun = loop.time()
                failed += not await _report(stub, metadata, number)
                seconds.append(loop.time() - begun)
                await asyncio.sleep(PAUSE_SECONDS)
            _print(asdict(latency_of(seconds, failed)))


async def _report(stub: Stub, metadata: Sequence[tuple[str, str]], number: int) -> bool:
    """Report a new job; return whether it was recorded."""
    request = pb.ReportJobResultRequest(
        batch_id=BATCH, job_id=f"job-{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED
    )
    try:
        await stub.ReportJobResult(request, metadata=tuple(metadata), timeout=CALL_SECONDS_MAX)
    except grpc.aio.AioRpcError:
        return False
    return True


def _print(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:3]))
