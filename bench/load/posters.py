"""python -m bench.load.posters: a timed process of workers that report results by HTTP.

Each worker has a connection, and posts its next report when the last one is answered. Requests are text made
from a template, and only the length of an answer is read: the load generator costs as little as possible.
"""

import asyncio
import gc
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count

from bench.load.reporters import SERVICE
from bench.load.timed import Outcome, Window, outlast, read_plan, wait_for_window, write_outcome

PATH = f"/{SERVICE}/ReportJobResult"
BODY = '{{"batchId":"{batch_id}","jobId":"{job_id}","outcome":"JOB_OUTCOME_SUCCEEDED"}}'
HEAD = (
    "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n"
    "content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
)
"""What curl sends."""
LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class PostPlan:
    """What the process sends, and where."""

    port: int
    batch_id: str
    workers: int


@dataclass(slots=True)
class _Seen:
    latencies_ms: list[float] = field(default_factory=list)
    """Of the calls that ended in the window."""
    answered: int = 0


def main() -> None:
    """Post until the window ends, and print the outcome."""
    gc.disable()
    write_outcome(asyncio.run(_run(PostPlan(**read_plan()))))


async def _run(plan: PostPlan) -> Outcome:
    async with AsyncExitStack() as stack:
        connections = [await _connect(stack, plan.port) for _ in range(plan.workers)]
        window = await wait_for_window()
        seen, numbers = _Seen(), count()
        await asyncio.gather(*(_work(*one, plan.batch_id, numbers, window, seen) for one in connections))
        await outlast(window)
    calls = len(seen.latencies_ms)
    sent = seen.answered
    return Outcome(calls, calls, seen.latencies_ms, {plan.batch_id: sent}, sent, recorded=sent)


async def _connect(stack: AsyncExitStack, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    return reader, writer


async def _work(  # noqa: PLR0913, PLR0917  # what one worker needs
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    batch_id: str,
    numbers: "count[int]",
    window: Window,
    seen: _Seen,
) -> None:
    clock = time.monotonic
    while (began := clock()) < window.end:
        body = BODY.format(batch_id=batch_id, job_id=f"job-{next(numbers)}")
        writer.write((HEAD.format(path=PATH, length=len(body)) + body).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"a post was answered {head!r}")
        await reader.readexactly(int(head.lower().partition(LENGTH)[2].partition(b"\r")[0]))
        seen.answered += 1
        if window.begin <= (ended := clock()) < window.end:
            seen.latencies_ms.append(round((ended - began) * 1_000, 2))


if __name__ == "__main__":
    main()
