"""python -m bench.load.open_loop: reports sent at a fixed rate, whether or not those before were answered.

A timed process. A call's latency counts from the moment at which it was due, so that a
generator or a server that falls behind cannot hide it. A call that is refused is counted
and not sent again; it must be RESOURCE_EXHAUSTED and say when to try again.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bench.load.reporters import Request, recorded_in, report_methods, report_of
from bench.load.timed import Outcome, Window, outlast, read_plan, wait_for_window, write_outcome


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """What one process sends."""

    targets: list[str]
    batch_ids: list[str]
    name: str
    """Begins the ids of its jobs."""
    calls: int
    """All are made before the start."""
    calls_per_second: float
    connections: int
    results_per_call: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOutcome(Outcome):
    """What became of them; the latencies are of those answered in the window."""

    refused: int
    """Calls that were refused in the window."""
    late_ms: float
    """The latest that a call was sent after it was due: the generator's own delay."""
    last_answer: float
    """When the last call was answered, by the monotonic clock."""


@dataclass(slots=True)
class _Sent:
    """A call and what came of it."""

    request: Request
    due: float
    began: float
    ended: float = 0.0
    payload: bytes | None = None
    """None: refused."""


@dataclass(slots=True)
class _Load:
    """Everything sent so far."""

    sent: list[_Sent] = field(default_factory=list)

    async def send(self, call: Any, request: Request, due: float) -> None:
        one = _Sent(request, due, time.monotonic())
        self.sent.append(one)
        try:
            one.payload = await call(request.payload)
        except grpc.aio.AioRpcError as error:
            _require_polite(error)
        one.ended = time.monotonic()


def main() -> None:
    """Send, wait for every answer, and tell what came of it."""
    gc.disable()  # everything is kept until the end anyway
    write_outcome(asyncio.run(_run(OpenPlan(**read_plan()))))


async def _run(plan: OpenPlan) -> OpenOutcome:
    async with AsyncExitStack() as stack:
        calls = await report_methods(stack, plan.targets, plan.connections, plan.results_per_call)
        requests = [
            report_of(plan.batch_ids[number % len(plan.batch_ids)], plan.name, number, plan.results_per_call)
            for number in range(plan.calls)
        ]
        window = await wait_for_window()
        load = _Load()
        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests):
                due = window.start + number / plan.calls_per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))  # 0 lets answers in, too
                group.create_task(load.send(calls[number % len(calls)], request, due))
        await outlast(window)
        return _outcome(plan, window, load.sent)


def _require_polite(error: grpc.aio.AioRpcError) -> None:
    """Raise an error that is no refusal with a time to wait."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has what is read of a call
    details = status.details if status is not None else []
    names_a_delay = any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)
    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or not names_a_delay:
        raise RuntimeError(f"overload is answered by {error.code()}: {error.details()}")


def _outcome(plan: OpenPlan, window: Window, sent: Sequence[_Sent]) -> OpenOutcome:
    answered = [one for one in sent if one.payload is not None]
    measured = [one for one in answered if window.begin <= one.ended < window.end]
    calls_by_batch = Counter(one.request.batch_id for one in answered)
    return OpenOutcome(
        calls=len(measured),
        results=len(measured) * plan.results_per_call,
        latencies_ms=[round((one.ended - one.due) * 1_000, 2) for one in measured],
        jobs={batch_id: calls * plan.results_per_call for batch_id, calls in calls_by_batch.items()},
        sent=len(answered) * plan.results_per_call,
        recorded=sum(recorded_in(one.payload or b"", plan.results_per_call) for one in answered),
        refused=sum(one.payload is None and window.begin <= one.ended < window.end for one in sent),
        late_ms=max((one.began - one.due) * 1_000 for one in sent),
        last_answer=max(one.ended for one in answered),
    )


if __name__ == "__main__":
    main()
